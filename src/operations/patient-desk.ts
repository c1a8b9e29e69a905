/** What a person decides about patients and what objects say: the one place behind the API and the command line. */
import { ArchiveError } from '#errors.ts'
import type { ArchiveReader, Scope } from '#model/archive-index.ts'
import type { AttributeChange, LedgerDecision, LedgerEntry, LedgerPatient, PatientKey } from '#model/identity.ts'
import type { IdentityDesk, IdentityReader } from '#model/identity-ledger.ts'
import type { Visibility } from '#model/visibility.ts'
import { changeProblem, vrForChange } from '#standards/dicom/overlay-check.ts'

export interface PatientDeskTools {
  readonly reader: Pick<ArchiveReader, 'find' | 'metadata'>
  readonly ledger: IdentityReader
  readonly desk: IdentityDesk
}

/** Who decides, where they are, and why. */
export interface By {
  readonly name: string
  readonly address: string | null
  readonly reason: string
}

/** A change as a person gives it: the VR is found in the dictionary where it is left out. */
export interface AskedChange {
  readonly path: string
  readonly vr?: string | undefined
  /** Null removes the attribute. */
  readonly values: readonly string[] | null
}

/** Entries looked through for the one a decision takes back. */
const ENTRIES_MAX = 10_000
/** How often what to take back is looked for when others decide at the same time. */
const ATTEMPTS = 5
const RULE = 'desk'
const PATIENT_NAME = '00100010'

export class PatientDesk {
  readonly #tools: PatientDeskTools

  constructor(tools: PatientDeskTools) {
    this.#tools = tools
  }

  /** @throws ArchiveError 'request.not-found' */
  patient(patientId: string): LedgerPatient {
    const patient = this.#tools.ledger.patientById(patientId)
    if (patient === undefined) throw new ArchiveError('request.not-found', 'patient')
    return patient
  }

  /**
   * The patient of an identifier. Without an issuer it must be known under one only.
   * @throws ArchiveError 'request.not-found', 'request.conflict' when several issuers gave it
   */
  byIdentifier(id: string, issuer: string | undefined): LedgerPatient {
    if (issuer !== undefined) {
      const exact = this.#tools.ledger.patient({ issuer, id })
      if (exact === undefined) throw new ArchiveError('request.not-found', `no patient ${id} of ${issuer}`)
      return exact
    }
    const byId = this.#tools.ledger.patientById(id)
    if (byId !== undefined) return byId
    const found = this.#tools.ledger.similar({ id }, 20).filter((patient) => patient.id === id)
    const [first, ...others] = found
    if (first === undefined) throw new ArchiveError('request.not-found', `no patient ${id}`)
    if (others.length === 0) return first
    const issuers = found.map(({ issuer: name }) => name).join(', ')
    throw new ArchiveError('request.conflict', `${id} was given by several issuers`, { hint: `Name one: ${issuers}.` })
  }

  /** Decisions about a patient or a study, or all of them; newest first. */
  entries(filter: Parameters<IdentityReader['entries']>[0]): ReturnType<IdentityReader['entries']> {
    return this.#tools.ledger.entries(filter)
  }

  /** @throws ArchiveError 'identity.cycle', 'identity.merged', 'identity.unknown' */
  async merge(from: PatientKey, into: PatientKey, by: By): Promise<readonly LedgerEntry[]> {
    return this.#decide([{ do: 'merge', from, into, how: 'merge' }], by)
  }

  /** Takes the merge of a patient back: everything is as it was without it. */
  async unmerge(key: PatientKey, by: By): Promise<readonly LedgerEntry[]> {
    for (let attempt = 1; ; attempt++) {
      const entries = this.#allStanding(key, ({ decision }) => decision.do === 'merge' && isKey(decision.from, key))
      if (entries.length === 0) throw new ArchiveError('request.conflict', `${key.id} is not merged into anybody`)
      try {
        return await this.#decide(
          entries.map(({ id }) => ({ do: 'undo', entry: id })),
          by,
        )
      } catch (error) {
        // Somebody took one of them back between our look and our turn: what is left is looked for again.
        if (!(error instanceof ArchiveError) || error.code !== 'identity.undone' || attempt === ATTEMPTS) throw error
      }
    }
  }

  async link(a: PatientKey, b: PatientKey, by: By): Promise<readonly LedgerEntry[]> {
    return this.#decide([{ do: 'link', a, b }], by)
  }

  async unlink(a: PatientKey, b: PatientKey, by: By): Promise<readonly LedgerEntry[]> {
    const entry = this.#standing(
      a,
      ({ decision }) =>
        decision.do === 'link' &&
        ((isKey(decision.a, a) && isKey(decision.b, b)) || (isKey(decision.a, b) && isKey(decision.b, a))),
    )
    if (entry === undefined) throw new ArchiveError('request.conflict', `${a.id} and ${b.id} are not linked`)
    return this.#decide([{ do: 'undo', entry: entry.id }], by)
  }

  /** Fixes a name once for all studies of a patient. */
  async fixName(patient: PatientKey, name: string, by: By): Promise<readonly LedgerEntry[]> {
    const changes = checked([{ path: PATIENT_NAME, values: [name] }])
    if (name.trim() === '') throw new ArchiveError('request.malformed', 'name: a patient has a name')
    return this.#decide([{ do: 'overlay', scope: { of: 'patient', patient }, reason: 'CORRECT', changes }], by)
  }

  /**
   * Corrects what a study, series or instance says. UIDs, pixels and what describes them are never changed.
   * @throws ArchiveError 'request.malformed' naming the change that makes no sense
   */
  async correct(scope: Scope, changes: readonly AskedChange[], by: By): Promise<readonly LedgerEntry[]> {
    const decision: LedgerDecision = {
      do: 'overlay',
      scope: { of: 'study', ...scope },
      reason: 'CORRECT',
      changes: checked(changes),
    }
    return this.#decide([decision], by)
  }

  /** The scope of an object by any of its identifiers. */
  async scopeOf(identifier: string, visibility: Visibility): Promise<Required<Scope>> {
    const instance = await this.#tools.reader.find(identifier, visibility)
    if (instance === undefined) throw new ArchiveError('request.not-found', 'object')
    const { studyInstanceUID, seriesInstanceUID, sopInstanceUID } = instance
    return { studyInstanceUID, seriesInstanceUID, sopInstanceUID }
  }

  /** @throws ArchiveError 'request.not-found' when the caller sees no such study */
  async mustBeKept(studyInstanceUID: string, visibility: Visibility): Promise<void> {
    const found = await this.#tools.reader.metadata({ studyInstanceUID }, visibility)
    if (found === undefined) throw new ArchiveError('request.not-found', 'study')
  }

  /** @throws ArchiveError 'request.not-found', 'identity.undone' */
  async undo(entryId: string, by: By): Promise<readonly LedgerEntry[]> {
    const entry = this.#tools.ledger.entry(entryId)
    if (entry === undefined) throw new ArchiveError('request.not-found', 'entry of the ledger')
    if (entry.undoneBy !== null) throw new ArchiveError('identity.undone', `entry ${entryId} was taken back already`)
    return this.#decide([{ do: 'undo', entry: entryId }], by)
  }

  #standing(patient: PatientKey, is: (entry: LedgerEntry) => boolean): LedgerEntry | undefined {
    return this.#allStanding(patient, is)[0]
  }

  /** Entries in force, newest first. */
  #allStanding(patient: PatientKey, is: (entry: LedgerEntry) => boolean): LedgerEntry[] {
    const all: LedgerEntry[] = []
    let cursor: string | null = null
    let seen = 0
    do {
      const page: ReturnType<IdentityReader['entries']> = this.#tools.ledger.entries({
        patient,
        limit: 500,
        ...(cursor === null ? {} : { cursor }),
      })
      all.push(...page.items.filter((entry) => entry.undoneBy === null && is(entry)))
      seen += page.items.length
      cursor = page.next
    } while (cursor !== null && seen < ENTRIES_MAX)
    return all
  }

  async #decide(decisions: readonly LedgerDecision[], { name, address, reason }: By): Promise<readonly LedgerEntry[]> {
    const cause = { by: name, rule: RULE, reference: null, reason }
    return this.#tools.desk.decide(decisions, cause, address)
  }
}

function isKey(a: PatientKey, b: PatientKey): boolean {
  return a.issuer === b.issuer && a.id === b.id
}

function checked(changes: readonly AskedChange[]): readonly AttributeChange[] {
  return changes.map(({ path, vr, values }) => {
    const upper = path.toUpperCase()
    const change: AttributeChange = { path: upper, vr: vr ?? vrForChange(upper) ?? 'UN', values }
    const problem = changeProblem(change)
    if (problem !== null) throw new ArchiveError('request.malformed', `changes: ${problem}`)
    return change
  })
}
