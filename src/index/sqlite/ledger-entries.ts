import { ArchiveError } from '#errors.ts'
import type { LedgerCause, LedgerDecision, LedgerEntry, PatientKey } from '#model/identity.ts'
import { patientIdOf } from '#model/patient-id.ts'
import type { Cause } from '../effective-overlay.ts'
import type { Database } from './database.ts'

/** Decisions one journal entry can hold. */
const POSITIONS = 2 ** 20

interface Row {
  readonly key: number
  readonly id: string
  readonly time: string
  readonly cause: string
  readonly decision: string
  readonly undone_by: string | null
  readonly inert: number
}

/** An entry as it is kept; `inert`: it said what was so already, and taking it back changes nothing. */
export interface KeptEntry extends LedgerEntry {
  readonly key: number
  readonly inert: boolean
}

const COLUMNS = 'e.key, e.id, e.time, e.cause, e.decision, e.undone_by, e.inert'

/** An undoing has no effect of its own; what was undone, or said nothing new, has none either. */
const IN_FORCE = "e.undone_by is null and e.inert = 0 and e.kind <> 'undo'"

/**
 * Place of an entry in the order of all decisions, from its id `<sequence>.<position>`.
 * @throws ArchiveError 'request.malformed'
 */
export function entryOrder(id: string): number {
  const match = /^(\d{1,10})\.(\d{1,6})$/.exec(id)
  const position = Number(match?.[2])
  if (match === null || position >= POSITIONS) throw new ArchiveError('request.malformed', `${id} is no ledger entry`)
  return Number(match[1]) * POSITIONS + position
}

export const patientSubject = (patientId: string): string => `p${patientId}`
/** Corrections of a patient apart from what registers say, which is said again every night. */
export const correctionSubject = (patientId: string): string => `c${patientId}`
export const studySubject = (studyInstanceUID: string): string => `s${studyInstanceUID}`
export const orderSubject = (orderId: string): string => `o${orderId}`
export const stepSubject = (sopInstanceUID: string): string => `m${sopInstanceUID}`

/** Patients a decision names. */
export function patientsOf(decision: LedgerDecision): readonly PatientKey[] {
  switch (decision.do) {
    case 'register':
    case 'assign':
      return [decision.patient]
    case 'merge':
      return [decision.from, decision.into]
    case 'link':
      return [decision.a, decision.b]
    case 'overlay':
      return decision.scope.of === 'patient' ? [decision.scope.patient] : []
    case 'order':
      return [decision.order.patient]
    default:
      return []
  }
}

/** The study a decision is about; null when it is about none. */
export function studyOf(decision: LedgerDecision): string | null {
  if (decision.do === 'assign') return decision.studyInstanceUID
  if (decision.do === 'overlay' && decision.scope.of === 'study') return decision.scope.studyInstanceUID
  return null
}

function subjectsOf(decision: LedgerDecision, idOf: (key: PatientKey) => string): Set<string> {
  const subjects = new Set(patientsOf(decision).map((key) => patientSubject(idOf(key))))
  const study = studyOf(decision)
  if (study !== null) subjects.add(studySubject(study))
  if (decision.do === 'overlay' && decision.scope.of === 'patient') {
    subjects.add(correctionSubject(idOf(decision.scope.patient)))
  }
  if (decision.do === 'order') subjects.add(orderSubject(decision.order.id))
  if (decision.do === 'perform') subjects.add(stepSubject(decision.step.sopInstanceUID))
  return subjects
}

/** The ledger as a list: nothing is ever taken out. */
export interface EntryStore {
  get(id: string): KeptEntry | undefined
  byKey(key: number): KeptEntry | undefined
  /** Decisions in force about something, oldest first; of one kind, or all. */
  inForce(subject: string, kind?: LedgerDecision['do']): readonly KeptEntry[]
  isInForce(subject: string): boolean
  /** Any entry at all, undone or not: what no decision ever named needs no second look. */
  isNamed(subject: string): boolean
  add(entry: LedgerEntry, inert: boolean): void
  markUndone(id: string, by: string): void
}

export function createEntryStore(db: Database): EntryStore {
  const idOf = (key: PatientKey): string =>
    db.get<{ id: string }>('select id from patient where identifier = ? and issuer = ?', key.id, key.issuer)?.id ??
    patientIdOf(key.issuer, key.id)

  return {
    get(id) {
      const row = db.get<Row>(`select ${COLUMNS} from ledger_entry e where e.id = ?`, id)
      return row === undefined ? undefined : entryOf(row)
    },
    byKey(key) {
      const row = db.get<Row>(`select ${COLUMNS} from ledger_entry e where e.key = ?`, key)
      return row === undefined ? undefined : entryOf(row)
    },
    inForce(subject, kind) {
      return db
        .all<Row>(
          `select ${COLUMNS} from ledger_subject b cross join ledger_entry e on e.key = b.entry
           where b.subject = ? and ${IN_FORCE} ${kind === undefined ? '' : 'and e.kind = ?'} order by b.entry`,
          ...[subject, ...(kind === undefined ? [] : [kind])],
        )
        .map(entryOf)
    },
    isInForce(subject) {
      const sql = `select 1 from ledger_subject b cross join ledger_entry e on e.key = b.entry
        where b.subject = ? and ${IN_FORCE} limit 1`
      return db.get(sql, subject) !== undefined
    },
    isNamed: (subject) => db.get('select 1 from ledger_subject where subject = ? limit 1', subject) !== undefined,
    add(entry, inert) {
      const key = entryOrder(entry.id)
      db.run(
        'insert into ledger_entry (key, id, time, kind, cause, decision, inert) values (?, ?, ?, ?, ?, ?, ?)',
        ...[key, entry.id, entry.time, entry.decision.do, JSON.stringify(entry.cause)],
        ...[JSON.stringify(entry.decision), inert ? 1 : 0],
      )
      const subjects = subjectsOf(entry.decision, idOf)
      if (entry.decision.do === 'undo') {
        const rows = db.all<{ subject: string }>(
          'select subject from ledger_subject where entry = ?',
          entryOrder(entry.decision.entry),
        )
        for (const { subject } of rows) subjects.add(subject)
      }
      for (const subject of subjects) db.run('insert into ledger_subject (subject, entry) values (?, ?)', subject, key)
    },
    markUndone: (id, by) => {
      db.run('update ledger_entry set undone_by = ? where id = ?', by, id)
    },
  }
}

function entryOf(row: Row): KeptEntry {
  return {
    key: row.key,
    id: row.id,
    time: row.time,
    cause: JSON.parse(row.cause) as LedgerCause,
    decision: JSON.parse(row.decision) as LedgerDecision,
    undoneBy: row.undone_by,
    inert: row.inert === 1,
  }
}

/** Without what only the index knows. */
export function publicEntry({ id, time, cause, decision, undoneBy }: KeptEntry): LedgerEntry {
  return { id, time, cause, decision, undoneBy }
}

export function causeOf({ id, key, time, cause }: KeptEntry): Cause {
  return { entry: id, order: key, time, by: cause.by, rule: cause.rule }
}
