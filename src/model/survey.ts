/**
 * A survey asks every placement rule about everything that is stored and lists what is kept otherwise than the policy
 * says. It changes nothing; mending accepts what it found, by rule or one by one.
 */
import type { PlacementEffect, PlacementState } from './placement.ts'

export interface Survey {
  readonly id: string
  readonly state: 'running' | 'done' | 'cancelled'
  readonly startedBy: string
  readonly startedAt: string
  readonly finishedAt: string | null
  /** Of the site policy it looked with. */
  readonly policyVersion: number
  /** Studies and documents without a study: looked at, and to look at as counted at the start. */
  readonly looked: number
  readonly total: number
  readonly objects: number
  readonly findings: number
}

/**
 * `waiting`: nothing was done about it. `done`: a decision in force says so already. `declined`: a person said no.
 * `asked`: mending was asked for and is under way. `mended`; `gone`: facts changed since. `failed`: see `error`.
 */
export type FindingState = 'waiting' | 'done' | 'declined' | 'asked' | 'mended' | 'gone' | 'failed'

export interface SurveyFinding {
  /** `<survey>.<number>`. */
  readonly id: string
  readonly objectId: string
  readonly studyInstanceUID: string | null
  readonly rule: string
  readonly effect: PlacementEffect['do']
  /** What the policy would make of it: acts by itself, or waits for a person. */
  readonly says: Extract<PlacementState, 'acting' | 'proposed'>
  readonly score: number
  readonly why: string
  readonly state: FindingState
  readonly decision: string | null
  readonly error: string | null
}

/** What a rule found, with examples. */
export interface SurveyGroup {
  readonly rule: string
  readonly effect: PlacementEffect['do']
  readonly count: number
  readonly states: { readonly [state in FindingState]?: number }
  /** Object ids. */
  readonly examples: readonly string[]
}

/** Reads, from any thread. */
export interface SurveyReader {
  surveys(limit: number): readonly Survey[]
  survey(id: string): Survey | undefined
  report(id: string): readonly SurveyGroup[]
  findings(filter: {
    readonly survey: string
    readonly rule?: string
    readonly state?: FindingState
    readonly limit: number
    readonly cursor?: string
  }): { readonly items: readonly SurveyFinding[]; readonly next: string | null }
}

/** What is asked of the writer; both go on as durable jobs. */
export interface SurveyDesk {
  /** One at a time: while one runs, that one is answered. */
  start(by: string): Promise<Survey>
  /** @throws ArchiveError 'survey.unknown' */
  cancel(id: string, by: string): Promise<Survey>
  /**
   * Accepts what waits of a survey: of some rules, or single findings by id.
   * @returns how many findings are mended now, behind the answer
   * @throws ArchiveError 'survey.unknown'
   */
  mend(
    id: string,
    wanted: { readonly rules?: readonly string[]; readonly ids?: readonly string[] },
    by: string,
    reason: string,
  ): Promise<number>
}
