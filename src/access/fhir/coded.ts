import type { CodeableConcept, Coding } from '@medplum/fhirtypes'
import { systemUri } from '#standards/code-systems.ts'
import type { Loose } from './compact.ts'

export const DCM = 'http://dicom.nema.org/resources/ontology/DCM'
export const LOINC = 'http://loinc.org'
export const UCUM = 'http://unitsofmeasure.org'
export const V2_0203 = 'http://terminology.hl7.org/CodeSystem/v2-0203'
const MDC = 'urn:iso:std:iso:11073:10101'

/** Coding scheme designators with a URI of their own. PS3.16 table 8-1. */
const SYSTEMS: Readonly<Record<string, string>> = {
  DCM,
  LN: LOINC,
  LOINC,
  SCT: 'http://snomed.info/sct',
  SRT: 'http://snomed.info/srt',
  UCUM,
  MDC,
  RADLEX: 'http://radlex.org',
  I10: 'http://hl7.org/fhir/sid/icd-10',
  I10P: 'http://www.cms.gov/Medicare/Coding/ICD10',
}

interface DicomCode {
  readonly value: string
  readonly scheme: string
  readonly meaning: string
}

/** A DICOM or HL7 code as a FHIR one; a scheme nobody knows stays a name of ours. */
export function codingOf({ value, scheme, meaning }: DicomCode): Loose<Coding> {
  const mdc = scheme === 'MDC' ? /^(\d+)\s*:\s*(\d+)$/.exec(value) : null
  const system =
    SYSTEMS[scheme.toUpperCase()] ?? (/^[0-2](\.\d+)+$|^urn:|^https?:/.test(scheme) ? systemUri(scheme) : '')
  return {
    system: system === '' ? (scheme === '' ? undefined : `urn:diptych:scheme:${encodeURIComponent(scheme)}`) : system,
    // In FHIR a code of IEEE 11073 is one number: partition and code.
    code: mdc === null ? value : String(Number(mdc[1]) * 65_536 + Number(mdc[2])),
    display: meaning,
  }
}

export function conceptOfCodes(codes: readonly DicomCode[], text?: string | null): Loose<CodeableConcept> | undefined {
  if (codes.length === 0 && (text === undefined || text === null || text === '')) return undefined
  return { coding: codes.map(codingOf), text }
}

/** Units as scanners write them, as UCUM has them; null: no unit of UCUM that we know. */
const UNITS: Readonly<Record<string, string>> = {
  '1': '1',
  ms: 'ms',
  s: 's',
  Hz: 'Hz',
  deg: 'deg',
  mV: 'mV',
  uV: 'uV',
  mm: 'mm',
  cm: 'cm',
  kV: 'kV',
  mA: 'mA',
  mAs: 'mA.s',
  Gy: 'Gy',
  mGy: 'mGy',
  dGy: 'dGy',
  uGy: 'uGy',
  'mGy.cm': 'mGy.cm',
  mGycm: 'mGy.cm',
  'mGy*cm': 'mGy.cm',
  'Gy.m2': 'Gy.m2',
  Gym2: 'Gy.m2',
  'dGy.cm2': 'dGy.cm2',
  'Gy.cm2': 'Gy.cm2',
  'mGy.cm2': 'mGy.cm2',
  'uGy.m2': 'uGy.m2',
  '/min': '/min',
  '{beats}/min': '/min',
  bpm: '/min',
  '{H.B.}/min': '/min',
  '{events}': '{events}',
  '{ratio}': '{ratio}',
}

/** A number with its unit; coded where the unit is one of UCUM that we know, else as it was written. */
export function quantityOf(value: number, unit: string | undefined) {
  const code = unit === undefined || !Object.hasOwn(UNITS, unit) ? undefined : UNITS[unit]
  return { value, unit, system: code === undefined ? undefined : UCUM, code }
}
