/**
 * The hinge between the panels: which rule said what about an object, what was done, and how it is undone. A decision
 * stands in the journal; what it made carries relations back to the original.
 */
import type { Placement } from './archive-object.ts'

/** What a rule wants done. Objects are named by object id. */
export type PlacementEffect =
  /** Nothing moves: the explanation is all. */
  | { readonly do: 'stay' }
  /** A native document gets a DICOM face in a study that has images. Rule 1. */
  | { readonly do: 'encapsulate'; readonly document: string; readonly studyInstanceUID: string }
  /** A wrapped document gets its native face and stands in the document panel. Rule 2, and rule 1 without images. */
  | { readonly do: 'unwrap'; readonly instance: string }
  /** A picture becomes a document with specialty and department (photo or video disguised as Secondary Capture). Rule 3. */
  | { readonly do: 'to-document'; readonly instance: string; readonly as: 'photograph' | 'video' }
  /** A picture is folded under the original data it repeats: waveform, dose report. Rules 4, 5, 7. */
  | { readonly do: 'rendition'; readonly of: string; readonly object: string; readonly what: string }
  /** An aECG gets a DICOM waveform face. Rule 4. */
  | { readonly do: 'waveform-face'; readonly document: string }
  /** Scanned pages become one PDF document; the scans leave the image panel. Rule 6. */
  | { readonly do: 'paper'; readonly instances: readonly string[]; readonly hide: boolean }
  /** The same, but another system owns documents: only a pointer stays. */
  | { readonly do: 'pointer'; readonly instances: readonly string[]; readonly system: string }
  /** Nothing better is here: it is listed for somebody to ask its source. Rule 5. */
  | { readonly do: 'ask-for'; readonly object: string; readonly what: 'dose-report' | 'waveform' | 'original' }
  /** A version takes the place of another report. Rule 7. */
  | { readonly do: 'version'; readonly document: string; readonly of: string }

/**
 * `acting`: in force. `proposed`: a person decides. `declined`, `undone`: a person said no, before or after; the same rule
 * does not ask again for the same facts. `outdated`: facts changed, a later decision stands.
 */
export type PlacementState = 'acting' | 'proposed' | 'declined' | 'undone' | 'outdated'

export interface PlacementDecision {
  /** `<journal sequence>.<position>`. */
  readonly id: string
  /** The object it is about. */
  readonly objectId: string
  readonly studyInstanceUID: string | null
  readonly state: PlacementState
  readonly placement: Placement
  readonly effect: PlacementEffect
  /** 0 to 1 for recognisers that score; 1 for rules that rest on structure. */
  readonly score: number
  /** Signs that were seen, each with its weight. */
  readonly signs: readonly { readonly sign: string; readonly weight: number }[]
  /** One sentence for a person. */
  readonly why: string
  /** Object ids and SOP Instance UIDs it made; taken back by undo. */
  readonly made: readonly string[]
  readonly by: string
  readonly time: string
  /** Of the site policy in force. */
  readonly policyVersion: number
}

/** A rule as a site sees and sets it. */
export interface RuleSetting {
  readonly rule: string
  readonly on: boolean
  /** `propose`: never acts by itself. `act`: does, if the rule rests on structure or the site has labelled enough. */
  readonly mode: 'act' | 'propose'
  /** Recognisers below it say nothing. */
  readonly threshold: number
  readonly parameters: { readonly [name: string]: string | number | boolean }
  /** Empty: everywhere. */
  readonly departments: readonly string[]
  readonly originators: readonly string[]
}

/** Site policy: rules in the order they are asked. Versioned settings. */
export interface PlacementPolicy {
  readonly rules: readonly RuleSetting[]
  /** A document system that owns documents: scans become pointers to it. Null: they live here. */
  readonly documentSystem: string | null
}

export interface DryRun {
  readonly looked: number
  readonly changes: readonly {
    readonly objectId: string
    readonly before: { readonly rule: string; readonly effect: PlacementEffect['do'] } | null
    readonly after: {
      readonly rule: string
      readonly effect: PlacementEffect['do']
      readonly state: PlacementState
    } | null
    readonly why: string
  }[]
  /** True when more would change than are listed. */
  readonly more: boolean
}

/** What people do at the placement desk; runs in the writer worker. */
export interface PlacementDesk {
  accept(id: string, by: string): Promise<PlacementDecision>
  decline(id: string, by: string, reason: string): Promise<PlacementDecision>
  /** Takes back what an acting decision made. Everything reads as before it. */
  undo(id: string, by: string, reason: string): Promise<PlacementDecision>
  /** A person says what a thing is: the samples by which a recogniser earns the right to act. */
  label(objectId: string, rule: string, is: boolean, by: string): Promise<void>
  /** Looks again at one study or document; normally a job does. */
  evaluate(subject: { readonly studyInstanceUID: string } | { readonly objectId: string }): Promise<void>
  dryRun(policy: PlacementPolicy, limit: number): Promise<DryRun>
  /**
   * Looks again at everything that decisions since an instant are about: after a policy was taken back, what it did
   * is taken back with it. @returns how many studies and documents
   */
  lookAgain(since: string): Promise<number>
}

/** Reads. */
export interface PlacementReader {
  /** All decisions about an object, newest first: its history. */
  ofObject(objectId: string): readonly PlacementDecision[]
  list(filter: {
    readonly state?: PlacementState
    readonly rule?: string
    readonly effect?: PlacementEffect['do']
    readonly limit: number
    readonly cursor?: string
  }): { readonly items: readonly PlacementDecision[]; readonly next: string | null }
  /** How a recogniser did on what the site labelled. Null precision or recall: nothing to divide by. */
  labels(rule: string): {
    readonly labelled: number
    /** Samples and precision from which on it acts by itself. */
    readonly needed: { readonly labelled: number; readonly precision: number }
    /** True and false positives, missed ones, and what was rightly left alone. */
    readonly right: number
    readonly wrong: number
    readonly missed: number
    readonly left: number
    readonly precision: number | null
    readonly recall: number | null
    readonly mayAct: boolean
  }
}
