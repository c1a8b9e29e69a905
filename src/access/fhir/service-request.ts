import type { Identifier, ServiceRequest } from '@medplum/fhirtypes'
import type { FhirOrderRow, FhirReader } from '#model/fhir-reader.ts'
import type { Order, ScheduledStep } from '#model/identity.ts'
import { systemOfIssuer } from '#security/issuer-systems.ts'
import type { Issuers } from '#security/issuers.ts'
import { tokenOf } from '#standards/fhir/search-syntax.ts'
import { conceptOfCodes, V2_0203 } from './coded.ts'
import { derived, type Loose } from './compact.ts'
import { personDisplay } from './dicom-json.ts'
import { encounterReference } from './encounter.ts'
import type { Caller, FhirSources, ResourceKind } from './kind.ts'
import { fhirDate } from './patient.ts'

const STATUSES: { readonly [status in Order['status']]: NonNullable<ServiceRequest['status']> } = {
  scheduled: 'active',
  'in-progress': 'active',
  completed: 'completed',
  cancelled: 'revoked',
  discontinued: 'revoked',
}

const PRIORITIES: { readonly [priority in NonNullable<Order['priority']>]: NonNullable<ServiceRequest['priority']> } = {
  STAT: 'stat',
  HIGH: 'urgent',
  MEDIUM: 'routine',
  ROUTINE: 'routine',
  LOW: 'routine',
}

function identifiers(order: Order, issuers: Issuers): Loose<Identifier>[] {
  const one = (code: string, value: string | null, issuer: string | null): Loose<Identifier>[] =>
    value === null
      ? []
      : [
          {
            type: { coding: [{ system: V2_0203, code }] },
            system: issuer === null ? undefined : systemOfIssuer(issuers, issuer),
            value,
          },
        ]
  return [
    ...one('PLAC', order.placerOrderNumber, order.placerIssuer),
    ...one('FILL', order.fillerOrderNumber, order.fillerIssuer),
    ...one('ACSN', order.accessionNumber, order.accessionIssuer),
  ]
}

/** Days only: an order names its times in the zone of the site. */
function occurrence(steps: readonly ScheduledStep[]): string | undefined {
  const days = steps.flatMap(({ startDate }) => (startDate === null ? [] : [startDate]))
  return fhirDate(days.toSorted()[0])
}

function serviceRequestOf(fhir: FhirReader, { order, patientId }: FhirOrderRow, issuers: Issuers): ServiceRequest {
  const display = (name: string | null) => (name === null ? undefined : personDisplay(name))
  const requester = display(order.requestingPhysician) ?? display(order.referringPhysician)
  return derived<ServiceRequest>(
    {
      resourceType: 'ServiceRequest',
      id: order.id,
      identifier: identifiers(order, issuers),
      status: STATUSES[order.status],
      intent: 'order',
      category: [{ coding: [{ system: 'http://snomed.info/sct', code: '363679005', display: 'Imaging' }] }],
      priority: order.priority === null ? undefined : PRIORITIES[order.priority],
      code: conceptOfCodes(order.codes, order.description),
      orderDetail: order.steps.flatMap(({ codes, description, modality }) => {
        const detail = conceptOfCodes(codes, description ?? modality)
        return detail === undefined ? [] : [detail]
      }),
      subject: { reference: `Patient/${patientId}` },
      encounter: encounterReference(fhir, patientId, order.admissionId),
      occurrenceDateTime: occurrence(order.steps),
      requester: requester === undefined ? undefined : { display: requester },
      reasonCode: order.reason === null ? [] : [{ text: order.reason }],
      locationCode: [...new Set(order.steps.flatMap(({ location }) => location ?? []))].map((text) => ({ text })),
    },
    null,
  )
}

export const serviceRequestKind: ResourceKind = {
  type: 'ServiceRequest',
  made: 'derived',
  owner: 'the identity ledger: imaging orders (`index/sqlite/ledger-orders.ts`)',
  writable: 'nothing: orders come by HL7 v2',
  versions: 'digest of the content; no history',
  needs: { read: 'object.read' },
  parameters: [
    ...['patient', 'subject', 'identifier', 'status', 'intent', 'priority', 'code', 'category', 'occurrence'],
    ...['encounter', 'requester', 'order-detail'],
  ],
  includes: ['patient', 'subject', 'encounter'],
  revIncludes: ['ImagingStudy:basedon', 'DiagnosticReport:based-on'],
  sorts: [],
  history: false,
  source({ fhir, issuers }: FhirSources) {
    return {
      async read(id, { visibility }: Caller) {
        const [row] = fhir.orders({ ids: [id], limit: 1 }, visibility).items
        return row === undefined ? undefined : serviceRequestOf(fhir, row, issuers())
      },
      async search(criteria, { limit, cursor }, { visibility }) {
        const ids = criteria.values('_id')
        const patientIds = criteria.patients()
        // Numbers are compared with their system afterwards.
        const codes = criteria.peek('identifier')?.values.map((value) => tokenOf(value).code)
        const numbers = codes?.every((code) => code !== null) ? (codes as string[]) : undefined
        const page = fhir.orders(
          {
            limit,
            ...(cursor === undefined ? {} : { cursor }),
            ...(ids === undefined ? {} : { ids }),
            ...(patientIds === undefined ? {} : { patientIds }),
            ...(numbers === undefined ? {} : { numbers }),
          },
          visibility,
        )
        const register = issuers()
        return { resources: page.items.map((row) => serviceRequestOf(fhir, row, register)), next: page.next }
      },
    }
  },
}
