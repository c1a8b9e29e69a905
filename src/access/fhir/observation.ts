import type { Observation } from '@medplum/fhirtypes'
import { ArchiveError } from '#errors.ts'
import { type FhirMeasurementRow, MEASURED_FAMILIES } from '#model/fhir-derived.ts'
import { tokenOf } from '#standards/fhir/search-syntax.ts'
import { derived } from './compact.ts'
import type { Criteria } from './criteria.ts'
import { studyIdentifier } from './imaging-study.ts'
import type { ResourceKind } from './kind.ts'
import { doseObservations } from './observation-dose.ts'
import { ecgObservation } from './observation-ecg.ts'

/** Observations of one object, the summary first. */
function observationsOf(row: FhirMeasurementRow): Observation[] {
  const study = { reference: `ImagingStudy/${row.studyInstanceUID}`, identifier: studyIdentifier(row.studyInstanceUID) }
  const common = {
    status: 'final' as const,
    partOf: [study],
    subject: { reference: `Patient/${row.patientId}` },
    derivedFrom: [study],
    device: row.deviceId === null ? undefined : { reference: `Device/${row.deviceId}` },
  }
  const made = row.family === 'ecg' ? [ecgObservation(row, common)] : doseObservations(row, common)
  return made.map((one) => derived<Observation>(one, row.lastUpdated))
}

/** What the code of an observation says of its object: families that can match. */
const CODES: { readonly [code: string]: (typeof MEASURED_FAMILIES)[number] } = {
  '73569-6': 'xray-dose',
  '113852': 'xray-dose',
  '11524-6': 'ecg',
}

function familiesAsked(criteria: Criteria): (typeof MEASURED_FAMILIES)[number][] | undefined {
  const codes = criteria.peek('code')?.values.map((value) => tokenOf(value).code)
  if (codes === undefined || codes.includes(null)) return undefined
  return MEASURED_FAMILIES.filter((family) => codes.some((code) => CODES[code ?? ''] === family))
}

/** A place in the list: behind which object, and how many of the next one's observations were given. */
function placeOf(cursor: string | undefined): { readonly after: string | undefined; readonly given: number } {
  if (cursor === undefined) return { after: undefined, given: 0 }
  const [after = '', given = ''] = cursor.split('~')
  if (!/^\d{1,6}$/.test(given)) throw new ArchiveError('request.malformed', 'the link to the next page is none of ours')
  return { after: after === '' ? undefined : after, given: Number(given) }
}

export const observationKind: ResourceKind = {
  type: 'Observation',
  made: 'derived',
  owner: 'facts of dose reports and ECGs (`standards/dicom/sop-classes/`)',
  writable: 'nothing: 405; measurements come inside DICOM objects',
  versions: 'digest of the content; `lastUpdated` of the object; no history',
  needs: { read: 'object.read' },
  parameters: [
    ...['patient', 'subject', 'code', 'identifier', 'status', 'category', 'date', 'derived-from', 'part-of', 'device'],
    ...['has-member', 'component-code', 'component-value-quantity', 'component-value-concept', 'combo-code'],
    'combo-value-quantity',
  ],
  includes: ['patient', 'subject', 'derived-from', 'part-of', 'device', 'has-member'],
  revIncludes: ['Observation:has-member'],
  sorts: [],
  history: false,
  source({ derived: objects }) {
    return {
      async read(id, { visibility }) {
        const [objectId = ''] = id.split('.')
        const { items } = objects.measurements({ objectIds: [objectId], limit: 1 }, visibility)
        return items.flatMap(observationsOf).find((one) => one.id === id)
      },
      async search(criteria, { limit, cursor }, { visibility }) {
        const ids = criteria.peek('_id')?.values.map((id) => id.split('.')[0] ?? '')
        const patientIds = criteria.patients()
        const studies =
          criteria.references('ImagingStudy', 'derived-from') ?? criteria.references('ImagingStudy', 'part-of')
        const families = familiesAsked(criteria)
        const { after, given } = placeOf(cursor)
        const page = objects.measurements(
          {
            limit,
            ...(after === undefined ? {} : { cursor: after }),
            ...(ids === undefined ? {} : { objectIds: ids }),
            ...(patientIds === undefined ? {} : { patientIds }),
            ...(studies === undefined ? {} : { studyInstanceUIDs: studies }),
            ...(families === undefined ? {} : { families }),
          },
          visibility,
        )
        const resources: Observation[] = []
        let [behind, skip] = [after, given]
        for (const row of page.items) {
          const rest = observationsOf(row).slice(skip)
          const taken = rest.slice(0, limit - resources.length)
          resources.push(...taken)
          if (taken.length < rest.length) return { resources, next: `${behind ?? ''}~${skip + taken.length}` }
          behind = row.cursor
          skip = 0
        }
        return { resources, next: page.next === null ? null : `${page.next}~0` }
      },
    }
  },
}
