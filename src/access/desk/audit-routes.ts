import type { Route } from '#model/route.ts'
import { listOf, shape } from '#model/route-schema.ts'
import { parseNotedHeads, verifyAudit } from '#security/audit-chain.ts'
import { auditMessage, auditMessageXml } from '#security/audit-message.ts'
import type { AuditEntry } from '#security/ports.ts'
import { filtersAsked, instantAsked, listAnswer, oneOf, PAGE_QUERY, pageAsked } from './ask.ts'
import type { DeskServices } from './services.ts'

const FILTERS = ['since', 'until', 'kind', 'who', 'study'] as const

const ENTRY = shape<AuditEntry>(
  ...(['node', 'sequence', 'time', 'kind', 'outcome', 'who', 'address', 'purpose', 'studyInstanceUID'] as const),
  ...(['patientId', 'detail', 'count', 'since', 'hash'] as const),
)

/** The audit trail: read, exported, verified. Looking at it is audited too. */
export function auditRoutes({ auditTrail, pageMax }: DeskServices): readonly Route[] {
  const describesFilters = {
    since: 'Not before this instant.',
    until: 'Before this instant.',
    kind: 'sign-in, query, read, export, store, delete, decide, settings ...',
    who: 'Account name or token id.',
    study: 'Study Instance UID.',
  }
  const entries = async (asked: Parameters<Route['handle']>[0], extra: readonly string[]) => {
    const page = pageAsked(asked, pageMax, [...FILTERS, ...extra])
    const { study, since, until, ...given } = filtersAsked(asked, FILTERS)
    const from = instantAsked(since, 'since')
    const to = instantAsked(until, 'until')
    await asked.audit('query', { detail: `audit trail ${asked.query}` })
    return auditTrail.entries({
      ...page,
      ...given,
      ...(from === undefined ? {} : { since: from }),
      ...(to === undefined ? {} : { until: to }),
      ...(study === undefined ? {} : { studyInstanceUID: study }),
    })
  }
  return [
    {
      method: 'GET',
      url: '/api/v1/audit',
      standard: 'Diptych pages',
      needs: 'audit.read',
      describes: {
        response: listOf(ENTRY),
        summary: 'Entries of the trail, newest first.',
        query: { ...describesFilters, ...PAGE_QUERY },
      },
      async handle(asked) {
        const { items, next } = await entries(asked, [])
        return listAnswer(items, next)
      },
    },
    {
      method: 'GET',
      url: '/api/v1/audit/messages',
      standard: 'DICOM audit messages, PS3.15 A.5',
      needs: 'audit.read',
      describes: {
        answers: 'A list of messages as JSON, or one XML document.',
        summary: 'The same as DICOM audit messages.',
        query: { ...describesFilters, ...PAGE_QUERY, format: 'json (default) or xml.' },
      },
      async handle(asked, reply) {
        const { format = 'json' } = filtersAsked(asked, ['format'])
        oneOf(format, 'format', ['json', 'xml'])
        const { items, next } = await entries(asked, ['format'])
        const messages = items.map(auditMessage)
        if (format === 'json') return listAnswer(messages, next)
        const xml = `<?xml version="1.0" encoding="UTF-8"?>\n<AuditMessages>${messages.map(auditMessageXml).join('\n')}</AuditMessages>\n`
        return reply.header('content-type', 'application/xml').send(xml)
      },
    },
    {
      method: 'GET',
      url: '/api/v1/audit/verification',
      standard: 'Diptych pages',
      needs: 'audit.read',
      describes: {
        response: shape<{ intact: boolean; nodes: unknown }>('intact', 'nodes'),
        summary: 'Walks the hash chain of every node and names the first entry that is missing or changed.',
        query: { head: '`node@sequence:hash` as noted earlier, so that a cut tail shows.' },
      },
      async handle(asked) {
        const { head } = filtersAsked(asked, ['head'])
        const noted = head === undefined ? {} : parseNotedHeads(head)
        await asked.audit('query', { detail: 'audit trail verification' })
        const nodes = await verifyAudit(auditTrail, noted)
        return { intact: nodes.every(({ broken }) => broken === null), nodes }
      },
    },
  ]
}
