import type { Observation } from '@medplum/fhirtypes'
import type { FhirMeasurementRow } from '#model/fhir-derived.ts'
import { LOINC } from './coded.ts'
import type { Loose } from './compact.ts'
import { type Common, componentOf } from './observation-dose.ts'

/** Codes of LOINC's ECG measurements, beside those of the recorder. */
const MEASUREMENTS: { readonly [name: string]: { readonly code: string; readonly display: string } } = {
  'heart-rate': { code: '8867-4', display: 'Heart rate' },
  'rr-interval': { code: '8637-1', display: 'R-R interval' },
  'pr-interval': { code: '8625-6', display: 'P-R Interval' },
  'qrs-duration': { code: '8633-0', display: 'QRS duration' },
  'qt-interval': { code: '8634-8', display: 'Q-T interval' },
  'qtc-interval': { code: '8636-3', display: 'Q-T interval corrected' },
  'p-axis': { code: '8626-4', display: 'P wave axis' },
  'qrs-axis': { code: '8632-2', display: 'QRS axis' },
}

/** Measured once for the whole recording, also without a code of LOINC. */
const OTHERS = new Set(['pp-interval', 'p-duration', 't-axis', 'sampling-frequency', 'duration', 'channels'])

/**
 * An ECG as one observation: what the recorder measured and stated. Nobody here knows whether a physician agreed, so it
 * is preliminary.
 */
export function ecgObservation(row: FhirMeasurementRow, common: Common): Loose<Observation> {
  const seen = new Set<string>()
  const component = row.facts.flatMap((fact) => {
    if (fact.name === 'statement') {
      return [
        {
          code: { coding: [{ system: LOINC, code: '8601-7', display: 'EKG impression' }] },
          valueString: String(fact.value),
        },
      ]
    }
    const known = Object.hasOwn(MEASUREMENTS, fact.name) ? MEASUREMENTS[fact.name] : undefined
    if (typeof fact.value !== 'number' || (known === undefined && !OTHERS.has(fact.name))) return []
    // A second group of channels tells the same measurement again.
    const key = `${fact.name} ${fact.value}`
    if (seen.has(key)) return []
    seen.add(key)
    return [componentOf(fact, known === undefined ? undefined : { ...known, system: LOINC })]
  })
  return {
    resourceType: 'Observation',
    id: row.objectId,
    identifier: [{ system: 'urn:dicom:uid', value: `urn:oid:${row.sopInstanceUID}` }],
    ...common,
    status: 'preliminary',
    category: [
      {
        coding: [
          {
            system: 'http://terminology.hl7.org/CodeSystem/observation-category',
            code: 'procedure',
            display: 'Procedure',
          },
        ],
      },
    ],
    code: { coding: [{ system: LOINC, code: '11524-6', display: 'EKG study' }] },
    effectiveDateTime: row.instant,
    component,
  }
}
