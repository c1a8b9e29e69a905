import { parseNotedHeads, verifyAudit } from '#security/audit-chain.ts'
import { type ArchiveCommand, action, text, wholeNumber } from '../command.ts'

const PAGE = 500

export const auditCommand: ArchiveCommand = {
  runs: 'in-owner',
  name: 'audit',
  summary: 'Read the audit trail and check that it is unbroken',
  operands: 'list | verify',
  flags: {
    since: { type: 'string', value: 'TIME', about: 'not before this instant' },
    until: { type: 'string', value: 'TIME', about: 'before this instant' },
    kind: { type: 'string', value: 'KIND', about: 'sign-in, query, read, export, store, delete, decide, settings ...' },
    who: { type: 'string', value: 'NAME', about: 'account or token' },
    study: { type: 'string', value: 'UID', about: 'Study Instance UID' },
    limit: { type: 'string', value: 'N', about: 'newest so many (default 100)' },
    head: { type: 'string', value: 'NODE@N:HASH', about: 'verify: a head noted earlier, so that a cut tail shows' },
  },
  operandCount: [1, 1],
  async run({ security }, given, emit, signal) {
    if (action(given, ['list', 'verify']) === 'verify') {
      const head = text(given, 'head')
      const nodes = await verifyAudit(security, head === undefined ? {} : parseNotedHeads(head))
      const intact = nodes.every(({ broken }) => broken === null)
      for (const node of nodes) {
        await emit({
          json: node,
          text: `${node.entries} entries, head to note: ${node.node}@${node.entries}:${node.head}`,
        })
      }
      await emit({
        json: { summary: { intact, nodes: nodes.length } },
        text: intact ? 'The audit trail is unbroken.' : `The audit trail is broken: ${JSON.stringify(nodes)}`,
      })
      return intact ? 0 : 2
    }
    const filter = Object.fromEntries(
      [
        ['since', text(given, 'since')],
        ['until', text(given, 'until')],
        ['kind', text(given, 'kind')],
        ['who', text(given, 'who')],
        ['studyInstanceUID', text(given, 'study')],
      ].filter(([, value]) => value !== undefined),
    )
    let left = wholeNumber(given, 'limit', 100, 1)
    let cursor: string | null = null
    while (left > 0 && !signal.aborted) {
      const page: ReturnType<typeof security.entries> = security.entries({
        ...filter,
        limit: Math.min(left, PAGE),
        ...(cursor === null ? {} : { cursor }),
      })
      for (const entry of page.items) {
        const { time, kind, outcome, who, detail, count } = entry
        const times = count > 1 ? ` x${count}` : ''
        await emit({
          json: entry,
          text: `${time}  ${kind.padEnd(10)} ${outcome.padEnd(8)} ${who.padEnd(20)} ${detail ?? ''}${times}`,
        })
      }
      left -= page.items.length
      cursor = page.next
      if (cursor === null) break
    }
    return 0
  },
}
