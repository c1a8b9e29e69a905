import { never } from '#model/finding.ts'
import type { AttributeChange, LedgerDecision, PatientKey } from '#model/identity.ts'
import type { Refusal } from '#model/identity-ledger.ts'
import { changeProblem } from '#standards/dicom/overlay-check.ts'
import type { Database } from './database.ts'
import type { EntryStore } from './ledger-entries.ts'
import type { LedgerPatients } from './ledger-patients.ts'

const TEXT_MAX = 256
const CHANGES_MAX = 500

/** What is known when a list of decisions is judged: the ledger, with the decisions before in the same list. */
class Known {
  readonly #patients: LedgerPatients
  readonly #added = new Set<string>()
  /** Merges since: the one it was folded into, or null when that was taken back. */
  readonly #merged = new Map<string, PatientKey | null>()
  readonly undone = new Set<string>()

  constructor(patients: LedgerPatients) {
    this.#patients = patients
  }

  has(key: PatientKey): boolean {
    return this.#added.has(nameOf(key)) || this.#patients.find(key) !== undefined
  }

  add(key: PatientKey): void {
    this.#added.add(nameOf(key))
  }

  parent(key: PatientKey): PatientKey | null {
    const since = this.#merged.get(nameOf(key))
    if (since !== undefined) return since
    const into = this.#patients.find(key)?.mergedInto ?? null
    const row = into === null ? undefined : this.#patients.byKey(into)
    return row === undefined ? null : { issuer: row.issuer, id: row.identifier }
  }

  merge(from: PatientKey, into: PatientKey | null): void {
    this.#merged.set(nameOf(from), into)
  }

  /** Whether somebody lives on as, or is, somebody else. */
  leadsTo(key: PatientKey, target: PatientKey): boolean {
    for (let at: PatientKey | null = key; at !== null; at = this.parent(at)) {
      if (nameOf(at) === nameOf(target)) return true
    }
    return false
  }
}

export function createLedgerCheck(
  db: Database,
  entries: EntryStore,
  patients: LedgerPatients,
): (decisions: readonly LedgerDecision[]) => Refusal | null {
  const hasStudy = (uid: string) => db.get('select 1 from study where uid = ?', uid) !== undefined

  function one(decision: LedgerDecision, known: Known): Refusal | null {
    switch (decision.do) {
      case 'register':
        known.add(decision.patient)
        return (
          keyProblem(decision.patient) ??
          valueProblem('00100020', 'LO', decision.patient.id) ??
          valueProblem('00100010', 'PN', decision.demographics.name ?? '')
        )
      case 'merge':
        return merge(decision.from, decision.into, decision.how, known)
      case 'link':
        if (nameOf(decision.a) === nameOf(decision.b)) return malformed('a patient is not linked to itself')
        known.add(decision.a)
        known.add(decision.b)
        return keyProblem(decision.a) ?? keyProblem(decision.b)
      case 'assign':
        if (!hasStudy(decision.studyInstanceUID)) return unknown(`study ${decision.studyInstanceUID}`)
        if (!known.has(decision.patient)) return unknown(`patient ${shown(decision.patient)}`)
        return changesProblem(decision.changes)
      case 'overlay': {
        const { scope, changes } = decision
        if (scope.of === 'patient' && !known.has(scope.patient)) return unknown(`patient ${shown(scope.patient)}`)
        if (scope.of === 'study' && !hasStudy(scope.studyInstanceUID)) return unknown(`study ${scope.studyInstanceUID}`)
        if (changes.length === 0) return malformed('a correction changes something')
        return changesProblem(changes)
      }
      case 'order':
        known.add(decision.order.patient)
        return decision.order.id === '' ? malformed('an order has an id') : keyProblem(decision.order.patient)
      case 'perform':
        return decision.step.sopInstanceUID === '' ? malformed('a performed step has a UID') : null
      case 'undo':
        return undo(decision.entry, known)
      default:
        return never(decision)
    }
  }

  function merge(from: PatientKey, into: PatientKey, how: 'merge' | 'change-id', known: Known): Refusal | null {
    const wrong = keyProblem(from) ?? keyProblem(into) ?? valueProblem('00100020', 'LO', into.id)
    if (wrong !== null) return wrong
    // A new number may be the first that is heard of the patient; somebody to live on as must be there.
    if (how === 'merge' && !known.has(into)) return unknown(`patient ${shown(into)}`)
    const parent = known.parent(from)
    if (known.leadsTo(into, from)) {
      return { code: 'identity.cycle', detail: `${shown(into)} already lives on as ${shown(from)}` }
    }
    if (parent !== null) {
      return { code: 'identity.merged', detail: `${shown(from)} is merged into ${shown(parent)} already` }
    }
    known.add(from)
    known.add(into)
    known.merge(from, into)
    return null
  }

  function undo(id: string, known: Known): Refusal | null {
    const entry = entries.get(id)
    if (entry === undefined) return unknown(`ledger entry ${id}`)
    if (entry.undoneBy !== null || known.undone.has(id)) {
      return { code: 'identity.undone', detail: `${id} was taken back already` }
    }
    if (entry.decision.do === 'undo') return malformed('an undoing is not undone: take the decision again')
    known.undone.add(id)
    if (entry.decision.do === 'merge' && !entry.inert) known.merge(entry.decision.from, null)
    return null
  }

  return (decisions) => {
    const known = new Known(patients)
    for (const decision of decisions) {
      const refusal = one(decision, known)
      if (refusal !== null) return refusal
    }
    return null
  }
}

function changesProblem(changes: readonly AttributeChange[]): Refusal | null {
  if (changes.length > CHANGES_MAX) return malformed(`more than ${CHANGES_MAX} changes at once`)
  for (const change of changes) {
    const problem = changeProblem(change)
    if (problem !== null) return malformed(problem)
  }
  return null
}

function keyProblem({ issuer, id }: PatientKey): Refusal | null {
  if (id.trim() === '' || issuer.trim() === '') return malformed('a patient has a number and an issuer')
  if (id.length > TEXT_MAX || issuer.length > TEXT_MAX) {
    return malformed(`number and issuer of a patient have at most ${TEXT_MAX} characters`)
  }
  return null
}

/** What will be served as an attribute must be one. Numbers that the archive made up for objects without one are its own. */
function valueProblem(path: string, vr: 'LO' | 'PN', value: string): Refusal | null {
  if (value === '' || value.startsWith('study:')) return null
  const problem = changeProblem({ path, vr, values: [value] })
  return problem === null ? null : malformed(problem)
}

function nameOf({ issuer, id }: PatientKey): string {
  return JSON.stringify([issuer, id])
}

function shown({ issuer, id }: PatientKey): string {
  return `${id} (${issuer})`
}

function malformed(detail: string): Refusal {
  return { code: 'request.malformed', detail }
}

function unknown(what: string): Refusal {
  return { code: 'identity.unknown', detail: `${what} is not known` }
}
