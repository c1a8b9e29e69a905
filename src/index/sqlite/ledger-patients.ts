import type { Demographics, LedgerPatient, PatientKey, Visit } from '#model/identity.ts'
import { patientIdOf } from '#model/patient-id.ts'
import type { Cause, DemographicField, Person } from '../effective-overlay.ts'
import { nameGroups, nameKeys } from '../fold.ts'
import type { Database } from './database.ts'
import { causeOf, correctionSubject, type EntryStore, type KeptEntry, patientSubject } from './ledger-entries.ts'

/** A patient's row as the ledger reads it. */
export interface PatientState {
  readonly key: number
  readonly id: string
  readonly issuer: string
  readonly identifier: string
  readonly issuerAssumed: boolean
  readonly authority: LedgerPatient['authority']
  readonly told: Told | null
  readonly stated: Person | null
  readonly shown: Person
  readonly mergedInto: number | null
  readonly mergedHow: 'merge' | 'change-id' | null
  readonly mergeEntry: number | null
  readonly survivor: number
}

/** What registers said, with the entry (its order) that said each field. */
interface Told {
  readonly values: Partial<Demographics>
  readonly by: { readonly [field in DemographicField]?: number }
}

interface Row {
  readonly key: number
  readonly id: string
  readonly issuer: string
  readonly identifier: string
  readonly issuer_assumed: number
  readonly authority: LedgerPatient['authority']
  readonly demographics: string | null
  readonly stated: string | null
  readonly name: string
  readonly birth_date: string
  readonly sex: string
  readonly merged_into: number | null
  readonly merged_how: 'merge' | 'change-id' | null
  readonly merge_entry: number | null
  readonly survivor: number | null
}

const ROW = `key, id, issuer, identifier, issuer_assumed, authority, demographics, stated, name, birth_date, sex,
  merged_into, merged_how, merge_entry, survivor`
const BY_NAME: Readonly<Record<string, DemographicField>> = {
  '00100010': 'name',
  '00100030': 'birthDate',
  '00100040': 'sex',
}
const FIELDS = ['name', 'birthDate', 'sex'] as const

/** Patients of the ledger: a forest of merges, each row derived from the entries in force that name it. */
export interface LedgerPatients {
  find(key: PatientKey): PatientState | undefined
  byKey(key: number): PatientState | undefined
  byId(patientId: string): PatientState | undefined
  /** The patient of a key, made when no object brought it yet. Writer only. */
  ensure(key: PatientKey): PatientState
  /** From a patient up to who it lives on as; the patient itself first. */
  path(key: number): readonly PatientState[]
  /** The patient and everybody folded into it, directly or not. */
  tree(key: number): readonly number[]
  /** The patient with what were only other numbers of the same record. */
  record(key: number): readonly PatientState[]
  /** Corrections of the patient, oldest first. */
  corrections(key: number): readonly KeptEntry[]
  toldCauses(told: Told | null): { readonly [field in DemographicField]?: Cause }
  merge(from: number, into: number, how: 'merge' | 'change-id', entry: number): void
  unmerge(from: number): void
  /** Writes survivors of a whole tree anew. */
  level(keys: readonly number[]): void
  /** Writes what is derived of one row; takes the row away when nothing needs it. Writer only. */
  refresh(key: number): void
  toLedger(state: PatientState): LedgerPatient
}

export function createLedgerPatients(db: Database, entries: EntryStore): LedgerPatients {
  const one = (where: string, ...params: (string | number)[]): PatientState | undefined => {
    const row = db.get<Row>(`select ${ROW} from patient where ${where}`, ...params)
    return row === undefined ? undefined : stateOf(row)
  }
  const find = (key: PatientKey) => one('identifier = ? and issuer = ?', key.id, key.issuer)
  const byKey = (key: number) => one('key = ?', key)

  function path(key: number): PatientState[] {
    const found: PatientState[] = []
    for (let at = byKey(key); at !== undefined; at = at.mergedInto === null ? undefined : byKey(at.mergedInto)) {
      found.push(at)
      // The forest has no cycles; a damaged one ends here rather than never.
      if (found.length > DEPTH_MAX) throw new RangeError(`merges of patient ${found[0]?.id} form a cycle`)
    }
    return found
  }

  function tree(key: number): number[] {
    const found = [key]
    for (let i = 0; i < found.length; i++) {
      const children = db.all<{ key: number }>('select key from patient where merged_into = ?', found[i] ?? 0)
      found.push(...children.map((child) => child.key))
    }
    return found
  }

  function record(key: number): PatientState[] {
    const own = byKey(key)
    const found = own === undefined ? [] : [own]
    for (let i = 0; i < found.length; i++) {
      const children = db.all<Row>(
        `select ${ROW} from patient where merged_into = ? and merged_how = 'change-id' order by key`,
        found[i]?.key ?? 0,
      )
      found.push(...children.map(stateOf))
    }
    return found
  }

  function inForce<T extends KeptEntry['decision']['do']>(patients: readonly PatientState[], what: T) {
    const found = new Map<number, KeptEntry & { decision: Extract<KeptEntry['decision'], { do: T }> }>()
    for (const { id } of patients) {
      for (const entry of entries.inForce(patientSubject(id), what)) found.set(entry.key, entry as never)
    }
    return [...found.values()].sort((a, b) => a.key - b.key)
  }

  function corrections(key: number): KeptEntry[] {
    return record(key)
      .flatMap(({ id }) => entries.inForce(correctionSubject(id)))
      .sort((a, b) => a.key - b.key)
  }

  /** True when a document or a list of documents is theirs: nobody else keeps the row of a patient without images. */
  function hasPapers(key: number): boolean {
    const paper =
      'select 1 as one from document where patient = ? union all select 1 from document_list where patient = ?'
    return db.get<{ one: 1 }>(`${paper} limit 1`, key, key) !== undefined
  }

  function refresh(key: number): void {
    const state = byKey(key)
    if (state === undefined) return
    if (state.stated === null && !entries.isInForce(patientSubject(state.id)) && !hasPapers(key)) {
      for (const table of ['patient_name', 'patient_identifier', 'visit']) {
        db.run(`delete from ${table} where patient = ?`, key)
      }
      db.run('delete from patient where key = ?', key)
      return
    }
    const registers = inForce(record(key), 'register')
    const values: { -readonly [field in keyof Demographics]?: Demographics[field] } = {}
    const by: { [field in DemographicField]?: number } = {}
    const visits = new Map<string, Visit>()
    for (const entry of registers) {
      const { demographics, visit } = entry.decision
      for (const field of FIELDS) {
        const value = demographics[field]
        // Said again is not said anew: what follows from it stays as it was.
        if (value && value !== values[field]) by[field] = entry.key
      }
      for (const [field, value] of Object.entries(demographics)) {
        if (value !== null && value !== undefined && value !== '') Object.assign(values, { [field]: value })
      }
      if (visit !== null) visits.set(JSON.stringify([visit.admissionId, visit.issuer]), visit)
    }
    const told: Told | null = registers.length === 0 ? null : { values, by }
    const shown = shownOf(key, told, state.stated)
    db.run(
      'update patient set authority = ?, demographics = ?, name = ?, name_key = ?, birth_date = ?, sex = ? where key = ?',
      ...[registers.at(-1)?.decision.authority ?? 'object', told === null ? null : JSON.stringify(told)],
      ...[shown.name ?? '', nameKeys(shown.name ?? '').alphabetic, shown.birthDate ?? '', shown.sex ?? '', key],
    )
    const decided = told !== null || corrections(key).length > 0
    writeNames(key, decided ? [values.name ?? '', shown.name ?? ''] : [])
    db.run('delete from patient_identifier where patient = ?', key)
    for (const { id, issuer } of values.otherIds ?? []) {
      db.run('insert or ignore into patient_identifier (identifier, issuer, patient) values (?, ?, ?)', id, issuer, key)
    }
    db.run('delete from visit where patient = ?', key)
    for (const visit of visits.values()) {
      db.run(
        'insert into visit (patient, admission, issuer, body) values (?, ?, ?, ?)',
        ...[key, visit.admissionId, visit.issuer ?? '', JSON.stringify(visit)],
      )
    }
  }

  function shownOf(key: number, told: Told | null, stated: Person | null): Person {
    const shown = {
      name: told?.values.name ?? stated?.name ?? null,
      birthDate: told?.values.birthDate ?? stated?.birthDate ?? null,
      sex: told?.values.sex ?? stated?.sex ?? null,
    }
    for (const { decision } of corrections(key)) {
      if (decision.do !== 'overlay') continue
      for (const { path: at, values } of decision.changes) {
        const field = BY_NAME[at]
        if (field !== undefined) shown[field] = values?.join('\\') ?? null
      }
    }
    return shown
  }

  /** Names of the ledger, beside those that objects said. */
  function writeNames(key: number, names: readonly string[]): void {
    const groups = new Set(names.flatMap(nameGroups))
    const have = db.all<{ name_key: string; said: number }>(
      'select name_key, said from patient_name where patient = ? and said >= ?',
      ...[key, LEDGER_SAID],
    )
    for (const { name_key, said } of have) {
      if (groups.has(name_key)) continue
      if (said === LEDGER_SAID) db.run('delete from patient_name where name_key = ? and patient = ?', name_key, key)
      else db.run('update patient_name set said = 1 where name_key = ? and patient = ?', name_key, key)
    }
    for (const group of groups) {
      db.run(
        `insert into patient_name (name_key, patient, said) values (?, ?, 2)
         on conflict (name_key, patient) do update set said = said | 2`,
        ...[group, key],
      )
    }
  }

  function level(keys: readonly number[]): void {
    for (const key of keys) {
      const root = path(key).at(-1)?.key
      db.run('update patient set survivor = ? where key = ?', root === undefined || root === key ? null : root, key)
    }
  }

  function toldCauses(told: Told | null): { [field in DemographicField]?: Cause } {
    const causes: { [field in DemographicField]?: Cause } = {}
    for (const field of FIELDS) {
      const key = told?.by[field]
      const entry = key === undefined ? undefined : entries.byKey(key)
      if (entry !== undefined) causes[field] = causeOf(entry)
    }
    return causes
  }

  function keyOf(key: number): PatientKey {
    const { issuer, identifier: id } = byKey(key) ?? { issuer: '', identifier: '' }
    return { issuer, id }
  }

  function toLedger(state: PatientState): LedgerPatient {
    const own: PatientKey = { issuer: state.issuer, id: state.identifier }
    const linked = inForce([state], 'link').map(({ decision: { a, b } }) => (same(a, own) ? b : a))
    const others = db
      .all<PatientKey>(
        'select issuer, identifier as id from patient_identifier where patient = ? order by issuer, identifier',
        state.key,
      )
      .map(({ issuer, id }) => ({ issuer, id }))
    const folded = tree(state.key).slice(1).map(keyOf)
    const told = state.told?.values
    return {
      patientId: state.id,
      issuer: state.issuer,
      id: state.identifier,
      issuerAssumed: state.issuerAssumed,
      demographics: {
        ...state.shown,
        otherIds: told?.otherIds ?? [],
        address: told?.address ?? null,
        telephone: told?.telephone ?? null,
        motherName: told?.motherName ?? null,
      },
      authority: state.authority,
      visits: db
        .all<{ body: string }>('select body from visit where patient = ? order by admission, issuer', state.key)
        .map(({ body }) => JSON.parse(body) as Visit),
      mergedInto: state.mergedInto === null ? null : keyOf(state.mergedInto),
      survivor: state.survivor === state.key ? own : keyOf(state.survivor),
      aliases: distinct([...folded, ...others, ...linked].filter((key) => !same(key, own))),
      linked: distinct(linked),
    }
  }

  return {
    find,
    byKey,
    byId: (patientId) => one('id = ?', patientId),
    ensure(key) {
      const known = find(key)
      if (known !== undefined) return known
      db.run(
        `insert into patient (id, issuer, identifier, issuer_assumed, name, name_key, birth_date, sex)
         values (?, ?, ?, ?, '', '', '', '')`,
        ...[patientIdOf(key.issuer, key.id), key.issuer, key.id, key.issuer.startsWith('assumed:') ? 1 : 0],
      )
      const made = find(key)
      if (made === undefined) throw new RangeError(`patient ${key.issuer} ${key.id} was not kept`)
      return made
    },
    path,
    tree,
    record,
    corrections,
    toldCauses,
    merge(from, into, how, entry) {
      db.run(
        'update patient set merged_into = ?, merged_how = ?, merge_entry = ? where key = ?',
        ...[into, how, entry, from],
      )
    },
    unmerge(from) {
      db.run('update patient set merged_into = null, merged_how = null, merge_entry = null where key = ?', from)
    },
    level,
    refresh,
    toLedger,
  }
}

const DEPTH_MAX = 100_000
/** Bit of `patient_name.said`; 1 stands for objects. */
const LEDGER_SAID = 2

function same(a: PatientKey, b: PatientKey): boolean {
  return a.issuer === b.issuer && a.id === b.id
}

function distinct(keys: readonly PatientKey[]): PatientKey[] {
  return keys.filter((key, i) => keys.findIndex((other) => same(other, key)) === i)
}

function stateOf(row: Row): PatientState {
  return {
    key: row.key,
    id: row.id,
    issuer: row.issuer,
    identifier: row.identifier,
    issuerAssumed: row.issuer_assumed === 1,
    authority: row.authority,
    told: row.demographics === null ? null : (JSON.parse(row.demographics) as Told),
    stated: row.stated === null ? null : personOf(JSON.parse(row.stated) as Person),
    shown: personOf({ name: row.name, birthDate: row.birth_date, sex: row.sex }),
    mergedInto: row.merged_into,
    mergedHow: row.merged_how,
    mergeEntry: row.merge_entry,
    survivor: row.survivor ?? row.key,
  }
}

/** Empty texts are nothing. */
function personOf({ name, birthDate, sex }: Person): Person {
  const text = (value: string | null) => (value === '' ? null : value)
  return { name: text(name), birthDate: text(birthDate), sex: text(sex) }
}
