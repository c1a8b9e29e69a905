import type { PolicyAction } from '#model/settings.ts'

/** One rule of screening, as its reference page and its policy know it. */
export interface Rule {
  /** Row of the threat catalogue, or a word. Policies name it. */
  readonly id: string
  /** Where the rule comes from, so that a site can disagree with the source. */
  readonly source: string
  /** What it says, in one sentence. */
  readonly says: string
  /** Why it is there, in one sentence. */
  readonly why: string
  /** What happens when no policy says otherwise; `skip` for what is no object of the archive. */
  readonly default: PolicyAction | 'skip'
  /** What a policy may choose; empty when the rule cannot be changed. */
  readonly allowed: readonly PolicyAction[]
}

/** Shorthand for the table of a check's rules. */
export function rule(
  id: string,
  source: string,
  fallback: Rule['default'],
  allowed: readonly PolicyAction[],
  says: string,
  why: string,
): Rule {
  return { id, source, says, why, default: fallback, allowed }
}
