import { ArchiveError } from '#errors.ts'
import type { Candidate, ImportItem } from '#model/identity.ts'
import { type ArchiveCommand, action, isSet, needed, operand, text, UsageError, wholeNumber } from '../command.ts'
import { paged } from '../paged.ts'
import { oneLine } from '../terminal.ts'

const ACTIONS = ['list', 'show', 'decide', 'undo', 'match', 'assign', 'coerce'] as const
const WHO = { by: 'local', address: null }

export const importWorklistCommand: ArchiveCommand = {
  runs: 'in-owner',
  name: 'import-worklist',
  needsData: true,
  summary: 'See which imported studies wait for a person, and decide whose they are',
  operands: 'list | show ID | decide ID | undo ID | match STUDY | assign STUDY | coerce STUDY',
  flags: {
    state: { type: 'string', value: 'STATE', about: 'open (default) or decided' },
    limit: { type: 'string', value: 'N', about: 'at most so many (default 100)' },
    keep: { type: 'boolean', about: 'decide: leave it under its own issuer' },
    candidate: {
      type: 'string',
      value: 'N',
      about: 'decide: the candidate of that number as show counts them, from 1',
    },
    patient: { type: 'string', value: 'ID', about: 'decide, assign: whichever patient; with --issuer' },
    issuer: { type: 'string', value: 'I', about: 'issuer of that number' },
    order: { type: 'string', value: 'ID', about: 'decide, assign: the order it answers; none for no order' },
    reason: { type: 'string', value: 'TEXT', about: 'why; needed to decide and to undo' },
  },
  more: 'match looks again with what is known now; assign decides about a study nobody asked about, e.g. to which order (worklist\nlist) one of our own belongs; coerce applies the rules of the originator as they are now.',
  operandCount: [1, 2],
  async run({ imports }, given, emit) {
    const what = action(given, ACTIONS)
    if (what === 'list') {
      const state = text(given, 'state') ?? 'open'
      if (state !== 'open' && state !== 'decided') throw new UsageError('--state is open or decided')
      const limit = wholeNumber(given, 'limit', 100, 1)
      let shown = 0
      for await (const item of paged(limit, (page) => imports.list({ state, ...page }))) {
        if (shown === 0) await emit({ heading: 'NUMBER  STATE  NAME, BIRTH DATE, NUMBER  CANDIDATES: WHY' })
        await emit({ json: item, text: shortText(item) })
        shown += 1
      }
      if (shown === 0) await emit({ note: state === 'open' ? 'Nothing waits.' : 'Nothing was decided.' })
      return 0
    }
    if (what === 'match' || what === 'coerce') {
      const study = operand(given, 1, 'the Study Instance UID')
      if (what === 'match') {
        const state = await imports.reconcile(study)
        await emit({ json: state, text: `${state.studyInstanceUID} ${state.state}: ${state.why}` })
        return 0
      }
      const decisions = await imports.recoerce(study, WHO)
      await emit({ json: { studyInstanceUID: study, decisions }, text: `${decisions} decisions` })
      return 0
    }
    if (what === 'assign') {
      const study = operand(given, 1, 'the Study Instance UID')
      const patient = text(given, 'patient')
      const to = {
        patient: patient === undefined ? null : { issuer: needed(given, 'issuer'), id: patient },
        orderId: text(given, 'order') ?? null,
        reason: needed(given, 'reason'),
      }
      const item = await imports.assign(study, to, WHO)
      await emit({ json: item, text: `${item.id} ${item.reconciliation}: ${decisionText(item)}` })
      return 0
    }
    const id = operand(given, 1, 'the number of the item')
    if (what === 'show') {
      const item = await imports.item(id)
      if (item === undefined) throw new ArchiveError('request.not-found', `there is no item ${id}`)
      await emit({ json: item, text: longText(item) })
      return 0
    }
    const reason = needed(given, 'reason')
    if (what === 'undo') {
      const item = await imports.undo(id, reason, WHO)
      await emit({ json: item, text: `${item.id} ${item.state}: the decision is taken back, it waits again` })
      return 0
    }
    const order = text(given, 'order')
    const patient = text(given, 'patient')
    const candidate = text(given, 'candidate') === undefined ? undefined : wholeNumber(given, 'candidate', 1, 1) - 1
    const keep = isSet(given, 'keep')
    if ([keep, patient !== undefined, candidate !== undefined].filter(Boolean).length !== 1) {
      throw new UsageError('say one of --keep, --candidate N, --patient ID --issuer I')
    }
    const item = await imports.decide(
      id,
      {
        action: keep ? 'keep' : 'assign',
        ...(patient === undefined ? {} : { patient: { issuer: needed(given, 'issuer'), id: patient } }),
        ...(candidate === undefined ? {} : { candidate }),
        ...(order === undefined ? {} : { orderId: order === 'none' ? null : order }),
        reason,
      },
      WHO,
    )
    await emit({ json: item, text: `${item.id} ${item.reconciliation}: ${decisionText(item)}` })
    return 0
  },
}

/** What was decided; the question that an open item asks otherwise. */
function decisionText({ decision, why }: ImportItem): string {
  if (decision === null) return why
  const { action: done, patient, orderId, by, reason } = decision
  const whose = patient === null ? '' : ` to ${patient.issuer} ${patient.id}`
  return `${done}${whose}${orderId === null ? '' : `, order ${orderId}`} by ${by}: ${reason ?? ''}`
}

function shortText(item: ImportItem): string {
  const { id, arrivedAs, candidates, reconciliation } = item
  const who = `${arrivedAs.name ?? 'no name'} ${arrivedAs.birthDate ?? ''} ${arrivedAs.id}`
  return oneLine(
    `${id}  ${reconciliation.padEnd(8)} ${who}  ${candidates.length} ${candidates.length === 1 ? 'candidate' : 'candidates'}: ${decisionText(item)}`,
  )
}

function longText(item: ImportItem): string {
  const { arrivedAs: as, decision } = item
  const rows: [string, string][] = [
    ['number', item.id],
    ['state', `${item.state}, ${item.reconciliation}`],
    ['why', item.why],
    ['study', item.studyInstanceUID],
    ['arrived as', `${as.name ?? 'no name'}, born ${as.birthDate ?? '?'}, ${as.sex ?? '?'}, ${as.issuer} ${as.id}`],
    ['exam', `${as.modalities.join(' ')} ${as.studyDate ?? ''} ${as.description ?? ''}`],
    ['accession', as.accessionNumber ?? 'none'],
    ['from', [item.originator, item.medium].filter((part) => part !== null).join(', ') || 'nobody named'],
  ]
  if (decision !== null) {
    const whose = decision.patient === null ? '' : ` to ${decision.patient.issuer} ${decision.patient.id}`
    rows.push([
      'decision',
      `${decision.action}${whose} by ${decision.by} at ${decision.time}: ${decision.reason ?? ''}`,
    ])
  }
  for (const { action: done, by, undoneBy, undoneAt, undoReason } of item.earlier ?? []) {
    rows.push(['taken back', `${done} by ${by}, by ${undoneBy} at ${undoneAt}: ${undoReason ?? ''}`])
  }
  const told = rows.map(([name, value]) => oneLine(`${name.padEnd(12)}${value}`))
  return [...told, ...item.candidates.flatMap((candidate, at) => candidateText(candidate, at))].join('\n')
}

function candidateText({ patient, order, score, certain, criteria }: Candidate, at: number): string[] {
  const name = patient.demographics.name ?? 'no name'
  const title = `${at + 1}. ${name}, ${patient.issuer} ${patient.id}, ${score} of 100${certain ? ', proven' : ''}`
  const orders = order === null ? [] : [`   order ${order.id}, accession ${order.accessionNumber ?? 'none'}`]
  const lines = criteria.map(({ name: criterion, result, arrived, known, score: points }) =>
    oneLine(
      `   ${criterion.padEnd(22)} ${result.padEnd(9)} ${String(points).padStart(3)}  ${arrived ?? '-'} | ${known ?? '-'}`,
    ),
  )
  return [oneLine(title), ...orders.map(oneLine), ...lines]
}
