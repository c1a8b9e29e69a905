import { ArchiveError } from '#errors.ts'
import type { ImportItem, LedgerEntry, PatientKey } from '#model/identity.ts'
import type { IdentityLedger } from '#model/identity-ledger.ts'
import type { Database } from './database.ts'
import { createLedgerCheck } from './ledger-check.ts'
import { createEntryStore, type EntryStore, patientSubject, patientsOf, studyOf } from './ledger-entries.ts'
import { createLedgerOrders } from './ledger-orders.ts'
import { createLedgerPatients, type LedgerPatients } from './ledger-patients.ts'
import { packTime } from './texts.ts'
import type { Tree } from './tree.ts'

/** What the writer and the ledger share. */
export interface LedgerParts {
  readonly entries: EntryStore
  readonly patients: LedgerPatients
}

export function createLedgerParts(db: Database): LedgerParts {
  const entries = createEntryStore(db)
  return { entries, patients: createLedgerPatients(db, entries) }
}

/** What a list of entries touches; levelled once, when all of them are in. */
interface Touched {
  readonly patients: Set<number>
  readonly studies: Set<string>
  readonly orders: Set<string>
  readonly steps: Set<string>
}

/** The ledger, with what the writer needs of it beside its port. */
export interface SqliteLedger extends IdentityLedger {
  /** Levels what hangs on patients of whom an object told for the first time. */
  stated(patients: readonly number[]): void
}

/**
 * The identity ledger on the write connection. Everything derived is worked out anew from the entries in force, for all
 * a decision touches: so taking one back, in any order, leaves exactly what would be there without it.
 */
export function createSqliteLedger(db: Database, tree: Tree, { entries, patients }: LedgerParts): SqliteLedger {
  const check = createLedgerCheck(db, entries, patients)
  const orders = createLedgerOrders(db, entries)

  function touch(entry: LedgerEntry, touched: Touched): void {
    const { decision } = entry
    for (const key of patientsOf(decision)) touched.patients.add(patients.ensure(key).key)
    const study = studyOf(decision)
    if (study !== null) touched.studies.add(study)
    if (decision.do === 'order') touched.orders.add(decision.order.id)
    if (decision.do === 'perform') touched.steps.add(decision.step.sopInstanceUID)
  }

  /** Everybody below and above: whoever belonged or belongs together. */
  function grow(keys: Set<number>): void {
    for (const key of [...keys]) {
      const root = patients.path(key).at(-1)
      for (const member of patients.tree(root?.key ?? key)) keys.add(member)
    }
  }

  function add(entry: LedgerEntry, touched: Touched): void {
    const { decision } = entry
    if (decision.do === 'undo') {
      const target = entries.get(decision.entry)
      if (target === undefined)
        throw new ArchiveError('identity.unknown', `ledger entry ${decision.entry} is not known`)
      if (target.undoneBy !== null) throw new ArchiveError('identity.undone', `${target.id} was taken back already`)
      touch(target, touched)
      grow(touched.patients)
      if (target.decision.do === 'merge' && !target.inert) {
        const from = patients.find(target.decision.from)
        if (from !== undefined) patients.unmerge(from.key)
      }
      entries.add(entry, false)
      entries.markUndone(target.id, entry.id)
      return
    }
    touch(entry, touched)
    let inert = false
    if (decision.do === 'merge') inert = merge(decision.from, decision.into)
    entries.add(entry, inert)
    if (decision.do !== 'merge' || inert) return
    const [from, into] = [patients.ensure(decision.from), patients.ensure(decision.into)]
    patients.merge(from.key, into.key, decision.how, entries.get(entry.id)?.key ?? 0)
  }

  /** @returns true when it is so already */
  function merge(fromKey: PatientKey, intoKey: PatientKey): boolean {
    const from = patients.ensure(fromKey)
    const into = patients.ensure(intoKey)
    if (from.mergedInto === into.key) return true
    if (patients.path(into.key).some(({ key }) => key === from.key)) {
      throw new ArchiveError('identity.cycle', `${intoKey.id} (${intoKey.issuer}) already lives on as ${fromKey.id}`)
    }
    if (from.mergedInto !== null) {
      throw new ArchiveError('identity.merged', `${fromKey.id} (${fromKey.issuer}) is merged already`)
    }
    return false
  }

  /** Studies that arrived under, were assigned to, or belong to one of these patients. */
  function studiesOf(keys: ReadonlySet<number>): Set<string> {
    const found = new Set<string>()
    for (const key of keys) {
      const rows = db.all<{ uid: string }>(
        `select uid from study indexed by study_owner where owner = ?
         union select uid from study indexed by study_arrived where patient = ? and owner <> patient`,
        ...[key, key],
      )
      for (const { uid } of rows) found.add(uid)
      const id = patients.byKey(key)?.id
      if (id === undefined) continue
      for (const { decision } of entries.inForce(patientSubject(id), 'assign')) {
        if (decision.do === 'assign') found.add(decision.studyInstanceUID)
      }
    }
    return found
  }

  /** @param quiet only registrations were made: one that says what was known concerns no study */
  function levelPatients(keys: Set<number>, studies: Set<string>, time: string, quiet: boolean): void {
    patients.level([...keys])
    grow(keys)
    const all = [...keys]
    const rows = () => JSON.stringify(all.map(patients.byKey))
    const before = quiet ? rows() : ''
    if (!quiet) for (const uid of studiesOf(keys)) studies.add(uid)
    // A row that nothing needs any more goes last: studies may still stand under it until they are levelled.
    const needed = (key: number) => patients.byKey(key)?.stated !== null || isNamed(key)
    for (const key of all) if (needed(key)) patients.refresh(key)
    if (quiet && rows() !== before) for (const uid of studiesOf(keys)) studies.add(uid)
    for (const uid of studies) levelStudy(uid, time)
    for (const key of all) if (!needed(key)) patients.refresh(key)
  }

  function isNamed(key: number): boolean {
    const state = patients.byKey(key)
    return state !== undefined && entries.isInForce(patientSubject(state.id))
  }

  function levelStudy(uid: string, time: string): void {
    const study = tree.findStudy(uid)
    if (study === undefined || !tree.level(study)) return
    // One entry for the whole study: its object is empty.
    db.run('insert into feed (kind, object, study, time) values (?, ?, ?, ?)', 'changed', '', uid, packTime(time))
  }

  return {
    check,

    apply(list) {
      const fresh = list.filter(({ id }) => entries.get(id) === undefined)
      if (fresh.length === 0) return
      tree.flush()
      // What is remembered of studies was read before these decisions.
      tree.clear()
      const touched: Touched = { patients: new Set(), studies: new Set(), orders: new Set(), steps: new Set() }
      for (const entry of fresh) {
        // Of this entry alone: to grow what all of them touched after each would take the square of their number.
        const patients = new Set<number>()
        add(entry, { ...touched, patients })
        grow(patients)
        for (const key of patients) touched.patients.add(key)
      }
      for (const id of touched.orders) orders.refreshOrder(id, (key) => patients.ensure(key).key)
      for (const uid of touched.steps) orders.refreshStep(uid)
      const quiet = fresh.every(({ decision }) => decision.do === 'register')
      levelPatients(touched.patients, touched.studies, fresh.at(-1)?.time ?? '', quiet)
      tree.flush()
      tree.clear()
    },

    stated(keys) {
      if (keys.length === 0) return
      const grown = new Set(keys)
      grow(grown)
      levelPatients(grown, new Set(), new Date().toISOString(), false)
      tree.flush()
      tree.clear()
    },

    putImportItem(item: ImportItem) {
      db.run(
        `insert into import_item (id, study, state, reconciliation, body) values (?, ?, ?, ?, ?)
         on conflict (id) do update set study = excluded.study, state = excluded.state,
           reconciliation = excluded.reconciliation, body = excluded.body`,
        ...[item.id, item.studyInstanceUID, item.state, item.reconciliation, JSON.stringify(item)],
      )
    },
  }
}
