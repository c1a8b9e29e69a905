import { hash } from 'node:crypto'
import type { StoredOverlayEvent } from '#model/archive-object.ts'
import type { AttributeChange } from '#model/identity.ts'
import { nameKeys } from './fold.ts'

/** An entry of the ledger as the cause of something. `order` ascends with the ledger. */
export interface Cause {
  readonly entry: string
  readonly order: number
  readonly time: string
  readonly by: string
  readonly rule: string
}

/** An event of a study with the entry behind it, and what it is confined to. As the study's row keeps it. */
export interface StudyEvent extends StoredOverlayEvent {
  readonly entry: string
  readonly by: string
  readonly rule: string
  readonly series?: string
  readonly instance?: string
}

export type DemographicField = 'name' | 'birthDate' | 'sex'

/** Name, birth date and sex; null where nobody said. */
export interface Person {
  readonly name: string | null
  readonly birthDate: string | null
  readonly sex: string | null
}

/** A study as it arrived. */
export interface ArrivedStudy extends Person {
  /** Kept under: the sender's issuer, or the one assumed for it. */
  readonly issuer: string
  readonly id: string
  /** Issuer of Patient ID (0010,0021) in the objects; empty when they have none. */
  readonly statedIssuer: string
  readonly statedId: string
}

/** Whose a study is now. */
export interface CurrentOwner {
  readonly issuer: string
  readonly id: string
  /** What objects of this patient said first. */
  readonly stated: Person | null
  /** What ADT or a person said, each with the entry that said it. */
  readonly told: Person
  readonly toldBy: { readonly [field in DemographicField]?: Cause }
}

/** A correction that holds for a study: of the study itself, or of its patient. */
export interface Correction {
  readonly cause: Cause
  readonly reason: 'COERCE' | 'CORRECT'
  readonly changes: readonly AttributeChange[]
  readonly series?: string
  readonly instance?: string
}

export interface OverlayInput {
  readonly study: ArrivedStudy
  readonly owner: CurrentOwner
  /** True when the owner is the one the study arrived under. */
  readonly same: boolean
  /** Assignment and merges that made the owner the owner. */
  readonly moves: readonly Cause[]
  readonly assigned: { readonly cause: Cause; readonly changes: readonly AttributeChange[] } | null
  readonly corrections: readonly Correction[]
}

/** Rule of the decision that a released object is served with the patient of its study. */
export const JOIN_RULE = 'quarantine.release'

/** Modifying System (0400,0563). */
const SYSTEM = 'Diptych'
const LO_MAX = 64

const FIELDS = [
  { field: 'name', path: '00100010', vr: 'PN' },
  { field: 'birthDate', path: '00100030', vr: 'DA' },
  { field: 'sex', path: '00100040', vr: 'CS' },
] as const

/**
 * What is served of a study otherwise than stored: a pure function of what arrived and of the decisions in force, so
 * that taking a decision back leaves nothing behind. The patient module comes first; corrections stand behind it,
 * oldest first: a person's correction outranks what a registration repeats every night, until it is taken back.
 */
export function effectiveOverlay(input: OverlayInput): readonly StudyEvent[] {
  const events: StudyEvent[] = []
  const { assigned, corrections, study } = input
  const source = isAssumed(study.issuer) ? study.statedIssuer : study.issuer
  const add = (cause: Cause, reason: 'COERCE' | 'CORRECT', changes: readonly AttributeChange[], to: object = {}) => {
    if (changes.length === 0) return
    const { entry, by, rule } = cause
    const event = { reason, modifyingSystem: SYSTEM, source: source.slice(0, LO_MAX), time: dicomTime(cause.time) }
    events.push({ ...event, changes, entry, by, rule, ...to })
  }
  const module = patientModule(input)
  // What makes an object like the rest of its study comes first: all that holds for the study holds for it then.
  const isJoin = ({ cause, instance }: Correction) => cause.rule === JOIN_RULE && instance !== undefined
  for (const { cause, reason, changes, series, instance } of corrections.filter(isJoin)) {
    add(cause, reason, changes, { ...(series === undefined ? {} : { series }), instance })
  }
  const sorted = corrections
    .filter((correction) => !isJoin(correction))
    .toSorted((a, b) => a.cause.order - b.cause.order)
  // One decision is one event, unless a correction stands between its halves.
  const together =
    assigned !== null &&
    module.cause?.entry === assigned.cause.entry &&
    sorted.every(({ cause }) => cause.order > assigned.cause.order)
  if (module.cause !== null) add(module.cause, 'COERCE', [...module.changes, ...(together ? assigned.changes : [])])
  let pending = together ? null : assigned
  for (const { cause, reason, changes, series, instance } of sorted) {
    if (pending !== null && pending.cause.order < cause.order) {
      add(pending.cause, 'COERCE', pending.changes)
      pending = null
    }
    add(cause, reason, changes, {
      ...(series === undefined ? {} : { series }),
      ...(instance === undefined ? {} : { instance }),
    })
  }
  if (pending !== null) add(pending.cause, 'COERCE', pending.changes)
  return events
}

/**
 * The patient module is overlaid when the study belongs to somebody else than it says, or when what ADT or a person
 * told of its patient really differs.
 */
function patientModule(input: OverlayInput): { changes: readonly AttributeChange[]; cause: Cause | null } {
  const { study, owner, same, moves } = input
  const causes = [...moves]
  const changes: AttributeChange[] = []
  for (const { field, path, vr } of FIELDS) {
    const told = owner.told[field]
    const value = told ?? (same ? null : (owner.stated?.[field] ?? null))
    if (value === null || !isSound(field, value) || sameValue(field, value, study[field])) continue
    changes.push({ path, vr, values: [value] })
    const by = owner.toldBy[field]
    if (told !== null && by !== undefined) causes.push(by)
  }
  if (!same) changes.push(...identifierChanges(study, owner))
  changes.sort((a, b) =>
    a.path.slice(0, 8) < b.path.slice(0, 8) ? -1 : a.path.slice(0, 8) > b.path.slice(0, 8) ? 1 : 0,
  )
  const cause = same ? latest(causes.slice(moves.length)) : latest(causes)
  return changes.length === 0 || cause === undefined ? { changes: [], cause: null } : { changes, cause }
}

/** What an object of another patient needs to say the same as the study it is made part of. */
export function joinChanges(
  study: ArrivedStudy,
  object: { readonly id: string; readonly issuer: string; readonly statedIssuer: string },
): readonly AttributeChange[] {
  const person = FIELDS.map(({ field, path, vr }): AttributeChange => {
    const value = study[field]
    return { path, vr, values: value === null ? null : [value] }
  })
  const issuer = study.statedIssuer !== '' || isAssumed(study.issuer) ? study.statedIssuer : study.issuer
  const from = {
    ...study,
    issuer: object.issuer,
    id: object.id,
    statedId: object.id,
    statedIssuer: object.statedIssuer,
  }
  const changes = identifierChanges(from, {
    issuer: issuer || 'assumed:',
    id: study.statedId,
    stated: null,
    told: study,
    toldBy: {},
  })
  return [...person, ...changes].toSorted((a, b) =>
    a.path.slice(0, 8) < b.path.slice(0, 8) ? -1 : a.path.slice(0, 8) > b.path.slice(0, 8) ? 1 : 0,
  )
}

/** Number and issuer of the owner; the number it came with stays as an other patient id, with its issuer. */
function identifierChanges(study: ArrivedStudy, owner: CurrentOwner): AttributeChange[] {
  const changes: AttributeChange[] = []
  if (owner.id !== study.statedId) changes.push({ path: '00100020', vr: 'LO', values: [owner.id.slice(0, LO_MAX)] })
  const issuer = isAssumed(owner.issuer) ? '' : owner.issuer
  if (issuer !== study.statedIssuer) {
    changes.push({ path: '00100021', vr: 'LO', values: issuer === '' ? null : [issuer.slice(0, LO_MAX)] })
  }
  // Qualifiers of the issuer it came with would speak of the wrong one.
  changes.push({ path: '00100024', vr: 'SQ', values: null })
  if (/^[0-2](\.(0|[1-9]\d*))+$/.test(issuer)) {
    changes.push({ path: '00100024/0/00400032', vr: 'UT', values: [issuer] })
    changes.push({ path: '00100024/0/00400033', vr: 'CS', values: ['ISO'] })
  }
  if (study.statedId !== '') {
    const from = study.statedIssuer !== '' ? study.statedIssuer : isAssumed(study.issuer) ? '' : study.issuer
    changes.push({ path: '00101002', vr: 'SQ', values: null })
    changes.push({ path: '00101002/0/00100020', vr: 'LO', values: [study.statedId.slice(0, LO_MAX)] })
    if (from !== '') changes.push({ path: '00101002/0/00100021', vr: 'LO', values: [from.slice(0, LO_MAX)] })
    changes.push({ path: '00101002/0/00100022', vr: 'CS', values: ['TEXT'] })
  }
  return changes
}

function latest(causes: readonly Cause[]): Cause | undefined {
  return causes.toSorted((a, b) => b.order - a.order)[0]
}

/** An issuer the archive made up because nobody stated one. reconciliation/identity.ts */
export function isAssumed(issuer: string): boolean {
  return issuer.startsWith('assumed:')
}

/** What cannot be written as its VR is not served. */
function isSound(field: DemographicField, value: string): boolean {
  if (field === 'birthDate') return /^\d{8}$/.test(value)
  if (field === 'sex') return /^[A-Z]$/.test(value)
  return value !== ''
}

/** Names are the same person's whatever their case, accents and empty components; a script only one side has is none. */
export function sameValue(field: DemographicField, a: string, b: string | null): boolean {
  if (b === null) return false
  if (field !== 'name') return a.trim() === b.trim()
  const [left, right] = [nameKeys(a), nameKeys(b)]
  if (left.alphabetic !== right.alphabetic) return false
  return (['ideographic', 'phonetic'] as const).every(
    (script) => left[script] === '' || right[script] === '' || left[script] === right[script],
  )
}

/** An instant as a DICOM DT. PS3.5 section 6.2. */
function dicomTime(instant: string): string {
  const digits = new Date(instant).toISOString().replace(/[-:TZ]/g, '')
  const [seconds = '', fraction = '0'] = digits.split('.')
  return `${seconds}.${fraction.padEnd(6, '0')}+0000`
}

/** Says which content an overlay has: the same events, the same version; 0 for none. Fits a double exactly. */
export function overlayVersion(events: readonly StoredOverlayEvent[]): number {
  if (events.length === 0) return 0
  return Number.parseInt(hash('sha256', JSON.stringify(events), 'hex').slice(0, 12), 16) + 1
}

/** What of a study's events is served with one of its instances. */
export function eventsFor(
  events: readonly StudyEvent[],
  series: string,
  instance: string,
): readonly StoredOverlayEvent[] {
  return events
    .filter((event) => event.series === undefined || event.series === series)
    .filter((event) => event.instance === undefined || event.instance === instance)
    .map(({ reason, modifyingSystem, source, time, changes }) => ({ reason, modifyingSystem, source, time, changes }))
}
