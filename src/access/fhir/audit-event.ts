import { createHash } from 'node:crypto'
import type { AuditEvent, AuditEventEntity } from '@medplum/fhirtypes'
import { auditMessage } from '#security/audit-message.ts'
import type { AuditEntry } from '#security/ports.ts'
import { tokenOf } from '#standards/fhir/search-syntax.ts'
import { DCM } from './coded.ts'
import { derived, type Loose } from './compact.ts'
import type { ResourceKind } from './kind.ts'

const ENTITY_TYPE = 'http://terminology.hl7.org/CodeSystem/audit-entity-type'
const OBJECT_ROLE = 'http://terminology.hl7.org/CodeSystem/object-role'

/** Names of nodes are host names: too long for an id, and nobody's business. */
function nodeId(node: string): string {
  return createHash('sha256').update(node).digest('hex').slice(0, 16)
}

const coding = ({ code, originalText }: { readonly code: string; readonly originalText: string }) => ({
  system: DCM,
  code,
  display: originalText,
})

/** One entry of the audit trail; the same event that PS3.15 A.5 has as XML. IHE BALP; FHIR R4 AuditEvent. */
export function auditEventOf(entry: AuditEntry): AuditEvent {
  const { eventId, eventType, action, outcome, source, user } = auditMessage(entry)
  const entity: Loose<AuditEventEntity>[] = []
  if (entry.patientId !== null) {
    entity.push({
      what: { reference: `Patient/${entry.patientId}` },
      type: { system: ENTITY_TYPE, code: '1', display: 'Person' },
      role: { system: OBJECT_ROLE, code: '1', display: 'Patient' },
    })
  }
  if (entry.studyInstanceUID !== null) {
    entity.push({
      what: { reference: `ImagingStudy/${entry.studyInstanceUID}` },
      type: { system: ENTITY_TYPE, code: '2', display: 'System Object' },
      role: { system: OBJECT_ROLE, code: '3', display: 'Report' },
    })
  }
  if (entry.detail !== null) {
    const type = { system: ENTITY_TYPE, code: '2', display: 'System Object' }
    entity.push(
      entry.kind === 'query'
        ? {
            type,
            role: { system: OBJECT_ROLE, code: '24', display: 'Query' },
            query: Buffer.from(entry.detail).toString('base64'),
          }
        : { type, description: entry.detail },
    )
  }
  return derived<AuditEvent>(
    {
      resourceType: 'AuditEvent',
      id: `${nodeId(entry.node)}.${entry.sequence}`,
      type: coding(eventId),
      subtype: eventType === null ? [] : [coding(eventType)],
      action,
      period: entry.since === null ? undefined : { start: entry.since, end: entry.time },
      recorded: entry.time,
      outcome: String(outcome) as NonNullable<AuditEvent['outcome']>,
      purposeOfEvent: entry.purpose === null ? [] : [{ text: entry.purpose }],
      agent: [
        {
          altId: entry.who,
          name: entry.who,
          requestor: true,
          network:
            user.networkAccessPoint === null ? undefined : { address: user.networkAccessPoint, type: '2' as const },
        },
      ],
      source: { observer: { display: source } },
      entity,
    },
    entry.time,
  )
}

/** Instants a condition on `date` is about; compared exactly afterwards. */
function timesAsked(values: readonly string[] | undefined): { since?: string; until?: string } {
  const [only, ...more] = values ?? []
  const match = /^(eq|ge|gt|le|lt|sa|eb)?(\d{4}-\d{2}-\d{2})/.exec(only ?? '')
  const [, prefix = 'eq', day] = match ?? []
  if (day === undefined || more.length > 0) return {}
  const at = Date.parse(`${day}T00:00:00Z`)
  if (Number.isNaN(at)) return {}
  // One day more at each end, for zones.
  const since = new Date(at - 86_400_000).toISOString()
  const until = new Date(at + 2 * 86_400_000).toISOString()
  if (prefix === 'eq') return { since, until }
  return prefix === 'ge' || prefix === 'gt' || prefix === 'sa' ? { since } : { until }
}

export const auditEventKind: ResourceKind = {
  type: 'AuditEvent',
  made: 'derived',
  owner: 'the audit trail (`security/audit.ts`)',
  writable: 'nothing: 405; the trail writes itself',
  versions: 'none: an event never changes',
  needs: { read: 'audit.read' },
  parameters: [
    ...['date', 'patient', 'entity', 'agent-name', 'altid', 'action', 'outcome', 'type', 'subtype', 'address'],
    'entity-role',
  ],
  includes: ['patient', 'entity'],
  revIncludes: [],
  sorts: ['-date'],
  history: false,
  source({ security }) {
    return {
      async read(id) {
        const [digest, sequence = ''] = id.split('.')
        const node = security.nodes().find((one) => nodeId(one) === digest)
        if (node === undefined || !/^[1-9]\d{0,15}$/.test(sequence)) return undefined
        const [entry] = security.chain(node, Number(sequence) - 1, 1)
        return entry?.sequence === Number(sequence) ? auditEventOf(entry) : undefined
      },
      async search(criteria, { limit, cursor }) {
        const studies = criteria.peek('entity')?.values
        const [study, ...more] = studies ?? []
        const studyInstanceUID = /^ImagingStudy\/([0-9.]{1,64})$/.exec(study ?? '')?.[1]
        const who = criteria.peek('altid')?.values.map((value) => tokenOf(value).code)
        const page = security.entries({
          limit,
          ...timesAsked(criteria.peek('date')?.values),
          ...(studyInstanceUID === undefined || more.length > 0 ? {} : { studyInstanceUID }),
          ...(who?.length === 1 && who[0] ? { who: who[0] } : {}),
          ...(cursor === undefined ? {} : { cursor }),
        })
        return { resources: page.items.map(auditEventOf), next: page.next }
      },
    }
  },
}
