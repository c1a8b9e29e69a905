import type { Observation, ObservationComponent } from '@medplum/fhirtypes'
import type { FhirMeasurementRow } from '#model/fhir-derived.ts'
import type { Fact } from '#standards/dicom/sop-classes/family.ts'
import { codingOf, DCM, LOINC, quantityOf } from './coded.ts'
import type { Loose } from './compact.ts'
import { fhirTime } from './fhir-time.ts'

/** Names of facts about the whole examination that a summary shows. standards/dicom/sop-classes/xray-dose.ts. */
const SUMMARY = new Set([
  ...['procedure', 'irradiation-events', 'dlp-total', 'dap-total', 'dose-rp-total', 'fluoro-dap-total'],
  ...['fluoro-dose-rp-total', 'acquisition-dap-total', 'acquisition-dose-rp-total', 'fluoro-time-total'],
  ...['acquisition-time-total', 'radiographic-frames-total', 'glandular-dose-total'],
])

/** Names of facts about one irradiation. */
const EVENT = new Set([
  ...['protocol', 'target-region', 'acquisition-type', 'event-type', 'ctdi-phantom', 'ctdivol', 'dlp', 'dap'],
  ...['dose-rp', 'glandular-dose', 'scanning-length', 'pitch', 'kvp', 'tube-current'],
])

/** Concepts of facts that carry only the code of their value. */
const CONCEPTS: { readonly [name: string]: { readonly code: string; readonly display: string } } = {
  procedure: { code: '121058', display: 'Procedure Reported' },
  protocol: { code: '125203', display: 'Acquisition Protocol' },
  'target-region': { code: '123014', display: 'Target Region' },
  'acquisition-type': { code: '113820', display: 'CT Acquisition Type' },
  'event-type': { code: '113721', display: 'Irradiation Event Type' },
  'ctdi-phantom': { code: '113835', display: 'CTDIw Phantom Type' },
}

/** One fact as a component: numbers with their unit, codes as they are, texts as texts. */
export function componentOf(
  fact: Fact,
  known?: { readonly code: string; readonly display: string; readonly system?: string },
): Loose<ObservationComponent> {
  const { code, value, unit } = fact
  const own = typeof value === 'number' && code !== undefined ? [codingOf(code)] : []
  const named = known === undefined ? [] : [{ system: known.system ?? DCM, code: known.code, display: known.display }]
  const coding = [...named, ...own]
  return {
    code: coding.length === 0 ? { text: fact.name } : { coding },
    ...(typeof value === 'number'
      ? { valueQuantity: quantityOf(value, unit) }
      : code === undefined
        ? { valueString: value }
        : { valueCodeableConcept: { coding: [codingOf(code)], text: value } }),
  }
}

/** Facts of one irradiation after the other, in the order of the report. */
function eventsOf(facts: readonly Fact[]): Fact[][] {
  const events: Fact[][] = []
  let place: string | undefined
  for (const fact of facts) {
    const isUid = fact.name === 'irradiation-event'
    if (!isUid && !EVENT.has(fact.name)) continue
    const here = isUid ? fact.path?.replace(/\.\d+$/, '') : fact.path
    const same = place !== undefined && !isUid && (here === place || here?.startsWith(`${place}.`) === true)
    if (!same) {
      events.push([])
      place = isUid ? here : (here?.split('.')[0] ?? '')
    }
    events.at(-1)?.push(fact)
  }
  return events
}

/** What every observation of one object says alike. */
export type Common = Pick<Loose<Observation>, 'status' | 'subject' | 'derivedFrom' | 'partOf' | 'device'>

/**
 * A dose report as FHIR has it: one summary, and one observation for each irradiation. HL7 FHIR "Radiation Dose Summary for
 * Diagnostic Procedures"; PS3.16 TID 10001 and 10011.
 */
export function doseObservations(row: FhirMeasurementRow, common: Common): Loose<Observation>[] {
  const { facts, objectId } = row
  const started = facts.find(({ name }) => name === 'irradiation-start')?.value
  const effectiveDateTime = row.instant ?? fhirTime(started === undefined ? undefined : String(started))
  const category = [
    {
      coding: [
        {
          system: 'http://terminology.hl7.org/CodeSystem/observation-category',
          code: 'procedure',
          display: 'Procedure',
        },
      ],
    },
  ]
  const events = eventsOf(facts)
  const summary: Loose<Observation> = {
    resourceType: 'Observation',
    id: objectId,
    identifier: [{ system: 'urn:dicom:uid', value: `urn:oid:${row.sopInstanceUID}` }],
    ...common,
    category,
    code: {
      coding: [
        {
          system: LOINC,
          code: '73569-6',
          display: 'Radiation exposure and protection information [Description] Document Diagnostic imaging',
        },
      ],
    },
    effectiveDateTime,
    hasMember: events.map((_, i) => ({ reference: `Observation/${objectId}.${i + 1}` })),
    component: facts.filter(({ name }) => SUMMARY.has(name)).map((fact) => componentOf(fact, CONCEPTS[fact.name])),
  }
  const members = events.map((event, i): Loose<Observation> => {
    const uid = event.find(({ name }) => name === 'irradiation-event')?.value
    return {
      resourceType: 'Observation',
      id: `${objectId}.${i + 1}`,
      identifier: uid === undefined ? [] : [{ system: 'urn:dicom:uid', value: `urn:oid:${uid}` }],
      ...common,
      category,
      code: { coding: [{ system: DCM, code: '113852', display: 'Irradiation Event' }] },
      effectiveDateTime,
      component: event
        .filter(({ name }) => name !== 'irradiation-event')
        .map((fact) => componentOf(fact, CONCEPTS[fact.name])),
    }
  })
  return [summary, ...members]
}
