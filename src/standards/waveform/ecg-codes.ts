import type { CodedConcept } from '../dicom/wrap/attributes.ts'

/**
 * Leads of the standard electrocardiogram in the order they are stored. The MDC code of a lead is its number in
 * ISO/IEEE 11073-10102 in partition 2; aECG uses the reference identifier. PS3.16 CID 3001.
 */
const TWELVE = ['I', 'II', 'III', 'AVR', 'AVL', 'AVF', 'V1', 'V2', 'V3', 'V4', 'V5', 'V6'] as const

const LEADS: { readonly [name: string]: readonly [code: string, meaning: string] } = {
  I: ['2:1', 'Lead I'],
  II: ['2:2', 'Lead II'],
  V1: ['2:3', 'Lead V1'],
  V2: ['2:4', 'Lead V2'],
  V3: ['2:5', 'Lead V3'],
  V4: ['2:6', 'Lead V4'],
  V5: ['2:7', 'Lead V5'],
  V6: ['2:8', 'Lead V6'],
  V7: ['2:9', 'Lead V7'],
  V2R: ['2:10', 'Lead V2R'],
  V3R: ['2:11', 'Lead V3R'],
  V4R: ['2:12', 'Lead V4R'],
  V5R: ['2:13', 'Lead V5R'],
  V6R: ['2:14', 'Lead V6R'],
  V7R: ['2:15', 'Lead V7R'],
  X: ['2:16', 'Lead X'],
  Y: ['2:17', 'Lead Y'],
  Z: ['2:18', 'Lead Z'],
  III: ['2:61', 'Lead III'],
  AVR: ['2:62', 'Lead aVR'],
  AVL: ['2:63', 'Lead aVL'],
  AVF: ['2:64', 'Lead aVF'],
  V8: ['2:66', 'Lead V8'],
  V9: ['2:67', 'Lead V9'],
  V8R: ['2:68', 'Lead V8R'],
  V9R: ['2:69', 'Lead V9R'],
}

function leadName(code: string): string {
  return code.replace(/^MDC_ECG_LEAD_/, '').toUpperCase()
}

/** The DICOM code of a lead that aECG names, e.g. `MDC_ECG_LEAD_aVR`; undefined for one that has none here. */
export function leadConcept(code: string): CodedConcept | undefined {
  const name = leadName(code)
  const lead = code.startsWith('MDC_ECG_LEAD_') && Object.hasOwn(LEADS, name) ? LEADS[name] : undefined
  return lead === undefined ? undefined : { value: lead[0], scheme: 'MDC', meaning: lead[1] }
}

/** True for one of the twelve standard leads. */
export function isStandardLead(code: string): boolean {
  return (TWELVE as readonly string[]).includes(leadName(code))
}

const mdc = (value: string, meaning: string): CodedConcept => ({ value, scheme: 'MDC', meaning })
/** SCP-ECG codes need their version. PS3.16 section 8. */
const scp = (value: string, meaning: string): CodedConcept => ({ value, scheme: 'SCPECG', meaning, version: '1.3' })

const MEASUREMENTS: { readonly [code: string]: CodedConcept } = {
  MDC_ECG_TIME_PD_RR: mdc('2:16000', 'RR Interval'),
  MDC_ECG_TIME_PD_PP: mdc('2:16140', 'PP Interval'),
  MDC_ECG_TIME_PD_P: mdc('2:16184', 'P Duration'),
  MDC_ECG_TIME_PD_PR: mdc('2:15872', 'PR Interval'),
  MDC_ECG_TIME_PD_QRS: mdc('2:16156', 'QRS Duration'),
  MDC_ECG_TIME_PD_QT: mdc('2:16160', 'QT Interval'),
  MDC_ECG_ANGLE_P_FRONT: mdc('2:16128', 'P Axis'),
  MDC_ECG_ANGLE_QRS_FRONT: mdc('2:16132', 'QRS Axis'),
  MDC_ECG_ANGLE_T_FRONT: mdc('2:16136', 'T Axis'),
  MDC_ECG_TIME_PD_QTC: scp('5.10.2.5-5', 'QTc Interval'),
  MDC_ECG_HEART_RATE: scp('5.10.2.5-1', 'Heart Rate'),
}

/** The DICOM code of a measurement; undefined for those that are kept as words. */
export function measurementConcept(code: string): CodedConcept | undefined {
  const name = code.toUpperCase()
  return Object.hasOwn(MEASUREMENTS, name) ? MEASUREMENTS[name] : undefined
}

const UNITS: { readonly [unit: string]: string } = {
  V: 'volt',
  mV: 'millivolt',
  uV: 'microvolt',
  nV: 'nanovolt',
  s: 'second',
  ms: 'millisecond',
  deg: 'degree',
  '/min': 'per minute',
  Hz: 'hertz',
  '1': 'no units',
}

/** A unit in UCUM; undefined for one that is none of an electrocardiogram. */
export function unitConcept(unit: string): CodedConcept | undefined {
  const ucum = /^(?:bpm|beats\/min|\{beats\}\/min)$/.test(unit) ? '/min' : unit
  const meaning = Object.hasOwn(UNITS, ucum) ? UNITS[ucum] : undefined
  return meaning === undefined ? undefined : { value: ucum, scheme: 'UCUM', meaning }
}
