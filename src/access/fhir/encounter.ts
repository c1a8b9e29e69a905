import { createHash } from 'node:crypto'
import type { Encounter } from '@medplum/fhirtypes'
import type { FhirReader, FhirVisitRow } from '#model/fhir-reader.ts'
import { EVERYTHING } from '#model/visibility.ts'
import { systemOfIssuer } from '#security/issuer-systems.ts'
import type { Issuers } from '#security/issuers.ts'
import { tokenOf } from '#standards/fhir/search-syntax.ts'
import { V2_0203 } from './coded.ts'
import { derived, type LooseReference } from './compact.ts'
import { personDisplay } from './dicom-json.ts'
import { fhirTime } from './fhir-time.ts'
import type { ResourceKind } from './kind.ts'

const STATUSES = { planned: 'planned', active: 'in-progress', ended: 'finished', cancelled: 'cancelled' } as const

/** Visits of one patient that are looked through for one id. */
const VISITS_MAX = 1000

/** Under whom the visit was said, and a digest of its number: found again without an index of its own. */
function encounterId({ statedPatientId, visit }: Pick<FhirVisitRow, 'statedPatientId' | 'visit'>): string {
  const digest = createHash('sha256')
    .update(`${visit.issuer ?? ''}\u0000${visit.admissionId}`)
    .digest('hex')
  return `${statedPatientId}.${digest.slice(0, 16)}`
}

/** The visit of a patient by its number; only the number where nobody told of the visit. */
export function encounterReference(
  fhir: FhirReader,
  patientId: string,
  admissionId: string | null,
): LooseReference | undefined {
  if (admissionId === null) return undefined
  const [row] = fhir.visits({ patientIds: [patientId], admissionIds: [admissionId], limit: 1 }, EVERYTHING).items
  if (row !== undefined) return { reference: `Encounter/${encounterId(row)}` }
  return { identifier: { type: { coding: [{ system: V2_0203, code: 'VN' }] }, value: admissionId } }
}

function encounterOf(row: FhirVisitRow, issuers: Issuers): Encounter {
  const { visit, patientId } = row
  const referrer = visit.referringPhysician === null ? undefined : personDisplay(visit.referringPhysician)
  return derived<Encounter>(
    {
      resourceType: 'Encounter',
      id: encounterId(row),
      identifier: [
        {
          type: { coding: [{ system: V2_0203, code: 'VN' }] },
          system: visit.issuer === null ? undefined : systemOfIssuer(issuers, visit.issuer),
          value: visit.admissionId,
        },
      ],
      status: STATUSES[visit.status],
      // PV1-2 is not kept: whether somebody stays overnight is nobody's question in an archive.
      class: { system: 'http://terminology.hl7.org/CodeSystem/v3-NullFlavor', code: 'UNK', display: 'Unknown' },
      subject: { reference: `Patient/${patientId}` },
      participant:
        referrer === undefined
          ? []
          : [
              {
                type: [
                  {
                    coding: [
                      {
                        system: 'http://terminology.hl7.org/CodeSystem/v3-ParticipationType',
                        code: 'REF',
                        display: 'referrer',
                      },
                    ],
                  },
                ],
                individual: { display: referrer },
              },
            ],
      period: { start: fhirTime(visit.admittedAt), end: fhirTime(visit.dischargedAt) },
      location: visit.location === null ? [] : [{ location: { display: visit.location } }],
    },
    null,
  )
}

export const encounterKind: ResourceKind = {
  type: 'Encounter',
  made: 'derived',
  owner: 'the identity ledger: visits of ADT and orders (`index/sqlite/ledger*.ts`)',
  writable: 'nothing: visits come by HL7 v2 ADT and orders',
  versions: 'digest of the content; no history',
  needs: { read: 'object.read' },
  parameters: ['patient', 'subject', 'identifier', 'status', 'class', 'date', 'location', 'participant'],
  includes: ['patient', 'subject'],
  revIncludes: ['ServiceRequest:encounter'],
  sorts: [],
  history: false,
  source({ fhir, issuers }) {
    return {
      async read(id, { visibility }) {
        const [patientId = '', digest] = id.split('.')
        if (digest === undefined) return undefined
        const { items } = fhir.visits({ patientIds: [patientId], limit: VISITS_MAX }, visibility)
        const row = items.find((one) => encounterId(one) === id)
        return row === undefined ? undefined : encounterOf(row, issuers())
      },
      async search(criteria, { limit, cursor }, { visibility }) {
        const ids = criteria.peek('_id')?.values
        const patientIds = criteria.patients() ?? ids?.map((id) => id.split('.')[0] ?? '')
        // Numbers are compared with their system afterwards.
        const numbers = criteria.peek('identifier')?.values.map((value) => tokenOf(value).code)
        const admissionIds = numbers?.every((code) => code !== null) ? (numbers as string[]) : undefined
        const page = fhir.visits(
          {
            limit,
            ...(cursor === undefined ? {} : { cursor }),
            ...(patientIds === undefined ? {} : { patientIds }),
            ...(admissionIds === undefined ? {} : { admissionIds }),
          },
          visibility,
        )
        const register = issuers()
        return { resources: page.items.map((row) => encounterOf(row, register)), next: page.next }
      },
    }
  },
}
