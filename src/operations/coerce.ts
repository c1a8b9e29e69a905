import type { LedgerDecision, LedgerEntry } from '#model/identity.ts'
import type { IdentityDesk, IdentityReader } from '#model/identity-ledger.ts'
import type { Decider, EvidenceReader, Sender } from '#model/reconciliation.ts'
import type { Originator } from '#model/settings.ts'
import { hasRules, type ScopedChanges, studyChanges } from '#reconciliation/coercion-rules.ts'
import { entriesOf } from './reconciliation-state.ts'

/** Rule of what an originator's settings changed: `coercion.<originator>`. */
export const COERCION_RULE = 'coercion.'

export interface CoerceTools {
  readonly evidence: Pick<EvidenceReader, 'instances'>
  readonly ledger: Pick<IdentityReader, 'entries'>
  readonly desk: IdentityDesk
  originatorOf(sender: Sender): Originator | undefined
}

/**
 * Brings the coercions of a study level with the rules of its originators as they are now: what is missing is decided,
 * what no rule says any more is taken back, what is there stays. Running it again does nothing.
 * @returns how many decisions it took
 */
export async function coerceStudy(tools: CoerceTools, studyInstanceUID: string, who: Decider): Promise<number> {
  const held = entriesOf(tools.ledger, studyInstanceUID).filter(
    ({ cause, decision, undoneBy }) =>
      decision.do === 'overlay' && cause.rule.startsWith(COERCION_RULE) && undoneBy === null,
  )
  const wanted = studyChanges(studyInstanceUID, tools.evidence.instances(studyInstanceUID), (sender) => {
    const originator = tools.originatorOf(sender)
    return originator === undefined || !hasRules(originator.coercion)
      ? undefined
      : { name: originator.name, rules: originator.coercion }
  })
  const heldKeys = new Set(held.map(keyOfEntry))
  const wantedKeys = new Set(wanted.map(keyOf))
  const outdated = held.filter((entry) => !wantedKeys.has(keyOfEntry(entry)))
  const missing = wanted.filter((one) => !heldKeys.has(keyOf(one)))
  const byOriginator = Map.groupBy(missing, ({ originator }) => originator)
  if (outdated.length > 0) {
    const undo = outdated.map(({ id }): LedgerDecision => ({ do: 'undo', entry: id }))
    await tools.desk.decide(undo, causeOf('rules', who), who.address)
  }
  for (const [originator, changes] of byOriginator) {
    const decisions = changes.map(
      ({ scope, changes }): LedgerDecision => ({ do: 'overlay', scope, reason: 'COERCE', changes }),
    )
    await tools.desk.decide(decisions, causeOf(originator, who), who.address)
  }
  return outdated.length + missing.length
}

function causeOf(originator: string, { by }: Decider): LedgerEntry['cause'] {
  return { by, rule: `${COERCION_RULE}${originator}`, reference: null, reason: null }
}

function keyOf({ originator, scope, changes }: ScopedChanges): string {
  const { studyInstanceUID, seriesInstanceUID = null, sopInstanceUID = null } = scope
  const told = changes.map(({ path, vr, values }) => [path, vr, values])
  return JSON.stringify([`${COERCION_RULE}${originator}`, studyInstanceUID, seriesInstanceUID, sopInstanceUID, told])
}

function keyOfEntry({ cause, decision }: LedgerEntry): string {
  if (decision.do !== 'overlay' || decision.scope.of !== 'study') return ''
  return keyOf({
    originator: cause.rule.slice(COERCION_RULE.length),
    scope: decision.scope,
    changes: decision.changes,
  })
}
