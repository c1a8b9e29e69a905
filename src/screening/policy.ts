import type { ByteRange, ByteRewrite, Finding, VerdictWord } from '#model/finding.ts'
import type { PolicyAction, ScreeningPolicy } from '#model/settings.ts'
import { ruleOf } from './rules.ts'
import type { Draft } from './screened.ts'

export interface Decision {
  readonly verdict: VerdictWord
  readonly findings: readonly Finding[]
  readonly remove: readonly ByteRange[]
  readonly rewrite: readonly ByteRewrite[]
  readonly elementsDiscarded: boolean
  /** The finding that decided; null when there was nothing to decide. */
  readonly worst: Finding | null
}

const order: Readonly<Record<PolicyAction, number>> = { keep: 0, sanitise: 1, quarantine: 2, reject: 3 }
const severityOf: Readonly<Record<PolicyAction, Finding['severity']>> = {
  keep: 'info',
  sanitise: 'sanitise',
  quarantine: 'quarantine',
  reject: 'reject',
}

function actionOf(severity: Finding['severity']): PolicyAction {
  if (severity === 'alert') return 'quarantine'
  return severity === 'info' || severity === 'warning' ? 'keep' : severity
}

/** Rules that hold together with elements out of order what neither holds alone. threats.md M10. */
const disguises = new Set(['P2', 'P3', 'P4', 'P5', 'P6'])
/** Rules whose sanitising is done by our own wrapper: preamble zeroed, File Meta written anew. */
const wrapperRules = /^(P\d|P8-entropy|TIFF-\d|M[12])$/

/**
 * Applies a policy to what the checks found; the worst finding gives the verdict.
 *
 * A rule may be made milder only as far as its reference page allows, never where the finding is firm (a program in
 * trailing bytes), and not for a sender whose trust ran out.
 */
export function decide(drafts: readonly Draft[], policy: ScreeningPolicy): Decision {
  const findings: Finding[] = []
  const removals: ByteRange[] = []
  let rewrite: readonly ByteRewrite[] = []
  let elementsDiscarded = false
  let worst: Finding | null = null
  const disguised = drafts.some(({ rule }) => disguises.has(rule))
  for (const draft of drafts) {
    const promoted =
      draft.rule === 'M10' && disguised ? { ...draft, severity: 'quarantine' as const, firm: true } : draft
    const finding = apply(promoted, policy)
    findings.push(finding)
    const action = actionOf(finding.severity)
    if (
      worst === null ||
      order[action] > order[actionOf(worst.severity)] ||
      (finding.severity === 'alert' && worst.severity === 'quarantine')
    ) {
      worst = finding
    }
    // Bytes that no data element claimed are never kept, whatever a policy says (threats.md G7).
    if (draft.remove !== undefined && (action === 'sanitise' || draft.removesElements !== true)) {
      removals.push(draft.remove)
      if (draft.rewrite !== undefined) rewrite = draft.rewrite // of one rule only: private-stripped
      if (draft.removesElements === true) elementsDiscarded = true
    }
  }
  const action = worst === null ? 'keep' : actionOf(worst.severity)
  return {
    verdict: action === 'keep' ? 'accept' : action,
    findings,
    remove: merged(removals),
    rewrite,
    elementsDiscarded,
    worst: action === 'keep' ? null : worst,
  }
}

function apply(draft: Draft, policy: ScreeningPolicy): Finding {
  const { firm: _firm, remove: _remove, rewrite: _rewrite, removesElements: _removes, ...finding } = draft
  const wanted = policy.rules[draft.rule]
  if (wanted === undefined) return finding
  const known = ruleOf(draft.rule)
  if (known === undefined || !known.allowed.includes(wanted)) return finding
  const now = actionOf(draft.severity)
  if (wanted === now) return finding
  const milder = order[wanted] < order[now]
  if (milder && (draft.firm === true || policy.trust === 'untrusted')) return finding
  // A remark on what is accepted anyway is no occasion to hold, unless accepting is what the rule does by default.
  if (!milder && draft.severity === 'info' && known.default !== 'keep') return finding
  if (wanted === 'sanitise' && draft.remove === undefined && !wrapperRules.test(draft.rule)) return finding
  return { ...finding, severity: severityOf[wanted], detail: `${finding.detail} (policy: ${wanted})` }
}

/** Ascending and disjoint. */
function merged(ranges: readonly ByteRange[]): readonly ByteRange[] {
  const result: { start: number; end: number }[] = []
  for (const { start, end } of [...ranges].sort((a, b) => a.start - b.start)) {
    const last = result.at(-1)
    if (last !== undefined && start <= last.end) last.end = Math.max(last.end, end)
    else result.push({ start, end })
  }
  return result
}
