import type { ArchiveReader } from '#model/archive-index.ts'
import type { Order, OrderStatus } from '#model/identity.ts'
import type { IdentityReader } from '#model/identity-ledger.ts'
import type { Route } from '#model/route.ts'
import { listOf, shape } from '#model/route-schema.ts'
import { arrivedOf } from '#operations/performed-step.ts'
import { filtersAsked, listAnswer, oneOf, PAGE_QUERY, pageAsked } from './ask.ts'

export interface WorklistTools {
  readonly ledger: Pick<IdentityReader, 'orders' | 'patient' | 'performedSteps'>
  readonly reader: Pick<ArchiveReader, 'find'>
}

export const ORDER_STATUSES: readonly OrderStatus[] = [
  'scheduled',
  'in-progress',
  'completed',
  'cancelled',
  'discontinued',
]

/** An order as lists show it: with its patient of today, what was performed, and what of that is here. */
export async function worklistItem({ ledger, reader }: WorklistTools, order: Order): Promise<unknown> {
  const named = ledger.patient(order.patient)
  const patient = named === undefined ? undefined : ledger.patient(named.survivor)
  const performed = []
  for (const step of ledger.performedSteps(order.id)) {
    const { sopInstanceUID, status } = step
    performed.push({ sopInstanceUid: sopInstanceUID, status, ...(await arrivedOf(reader, step)) })
  }
  const { demographics } = patient ?? {}
  return {
    ...order,
    patient: {
      ...(patient === undefined ? order.patient : patient.survivor),
      patientId: patient?.patientId ?? null,
      name: demographics?.name ?? null,
      birthDate: demographics?.birthDate ?? null,
      sex: demographics?.sex ?? null,
    },
    performed,
  }
}

const ORDER = shape<Order & { performed: unknown }>(
  ...(['id', 'patient', 'placerOrderNumber', 'placerIssuer', 'fillerOrderNumber', 'fillerIssuer'] as const),
  ...([
    'accessionNumber',
    'accessionIssuer',
    'requestedProcedureId',
    'description',
    'codes',
    'studyInstanceUID',
  ] as const),
  ...(['studyUidFrom', 'steps', 'priority', 'requestingPhysician', 'referringPhysician', 'requestingService'] as const),
  ...([
    'reason',
    'medicalAlerts',
    'patientState',
    'transport',
    'confidentiality',
    'department',
    'admissionId',
  ] as const),
  ...(['status', 'performed'] as const),
)

/** The modality worklist for people. contract.md, `GET /worklist`. */
export function worklistRoutes(tools: WorklistTools, pageMax: number): readonly Route[] {
  const filters = ['status', 'accessionNumber', 'studyInstanceUid', 'from', 'to', 'modality', 'station'] as const
  return [
    {
      method: 'GET',
      url: '/api/v1/worklist',
      standard: 'Diptych pages',
      needs: 'worklist.read',
      describes: {
        response: listOf(ORDER),
        summary: 'Imaging orders with their scheduled and performed steps, by start.',
        query: {
          status: `One of ${ORDER_STATUSES.join(', ')}.`,
          accessionNumber: 'Exactly.',
          studyInstanceUid: 'Exactly.',
          from: 'Start date of a step, YYYYMMDD, not before.',
          to: 'Start date of a step, YYYYMMDD, not after.',
          modality: 'Modality of a step.',
          station: 'AE title of a step.',
          ...PAGE_QUERY,
        },
      },
      async handle(asked) {
        const page = pageAsked(asked, pageMax, filters)
        const { status, studyInstanceUid, station, ...given } = filtersAsked(asked, filters)
        oneOf(status, 'status', ORDER_STATUSES)
        await asked.audit('query', { detail: `worklist ${asked.query}` })
        const { items, next } = tools.ledger.orders({
          ...page,
          ...given,
          ...(status === undefined ? {} : { status: status as OrderStatus }),
          ...(studyInstanceUid === undefined ? {} : { studyInstanceUID: studyInstanceUid }),
          ...(station === undefined ? {} : { stationAeTitle: station }),
        })
        const { visibility } = asked
        const shown = items.filter((order) => {
          if (visibility.sees === 'all') return true
          const named = tools.ledger.patient(order.patient)
          const survivor = named === undefined ? undefined : tools.ledger.patient(named.survivor)
          return visibility.sees === 'patients' && visibility.patientIds.includes(survivor?.patientId ?? '')
        })
        return listAnswer(await Promise.all(shown.map((order) => worklistItem(tools, order))), next)
      },
    },
  ]
}
