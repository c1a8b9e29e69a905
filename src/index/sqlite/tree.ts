import type { AttributeValues, NewInstance, PatientIdentity } from '#model/archive-object.ts'
import { fold, nameGroups, nameKeys, nameWords } from '../fold.ts'
import { modalityMask } from '../modalities.ts'
import type { Searchable, SearchableTable } from '../searchable.ts'
import type { Database } from './database.ts'
import {
  addLookups,
  addModality,
  extraOf,
  fillLevel,
  type LevelValues,
  levelFromRow,
  numberOf,
  readLevel,
  removeLookups,
  removeModality,
  textOf,
} from './level-values.ts'

/** Instances of a series have keys from `series * SLOTS` on. */
export const SLOTS = 2 ** 24

export interface SeriesState {
  readonly key: number
  readonly study: StudyState
  readonly uid: string
  readonly values: LevelValues
  instances: number
  /** Slots ever given out: never reused, so that a key means one instance for ever. */
  slots: number
  bytes: number
}

export interface StudyState {
  readonly key: number
  readonly uid: string
  readonly patient: number
  readonly values: LevelValues
  readonly modalities: Set<string>
  series: number
  instances: number
  bytes: number
}

/** Patients, studies and series as the writer keeps them: cached between groups, written once per group. */
export interface Tree {
  patient(identity: PatientIdentity, attributes: AttributeValues): number
  /** Series of an instance, with its study and patient, made or filled as needed. */
  series(instance: NewInstance): SeriesState
  findStudy(uid: string): StudyState | undefined
  findSeries(study: StudyState, uid: string): SeriesState | undefined
  seriesOf(study: StudyState): SeriesState[]
  /** Counts an instance in (1) or out (-1) of its series, study and the archive. */
  count(series: SeriesState, change: 1 | -1, bytes: number): void
  /** Removes rows that hold nothing any more and writes the counters of the others. */
  flush(): void
  /** After a rollback, or when rows were changed elsewhere. */
  clear(): void
}

const CACHED_MAX = 4096
const NAME = '00100010'

const INSERT_STUDY = `insert into study (uid, patient, date, time, mods, name_key, modalities, pid, accession, study_id,
  description, referring, name, birth_date, sex, zone, instant, zone_assumed, series, instances, bytes, extra)
  values (?, ?, ?, ?, 0, ?, '', ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0, 0, 0, ?)`
const UPDATE_STUDY = `update study set date = ?, time = ?, name_key = ?, pid = ?, accession = ?, study_id = ?,
  description = ?, referring = ?, name = ?, birth_date = ?, sex = ?, zone = ?, instant = coalesce(instant, ?),
  extra = ? where key = ?`
const INSERT_SERIES = `insert into series (study, uid, number, modality, description, date, time, body_part, zone,
  instances, slots, bytes, extra) values (?, ?, ?, ?, ?, ?, ?, ?, ?, 0, 0, 0, ?)`
const UPDATE_SERIES = `update series set number = ?, modality = ?, description = ?, date = ?, time = ?, body_part = ?,
  extra = ? where key = ?`

function studyColumns(values: LevelValues): string[] {
  const name = textOf(values, NAME)
  return [
    textOf(values, '00080020'),
    textOf(values, '00080030'),
    nameKeys(name).alphabetic,
    textOf(values, '00100020'),
    textOf(values, '00080050'),
    textOf(values, '00200010'),
    textOf(values, '00081030'),
    textOf(values, '00080090'),
    name,
    textOf(values, '00100030'),
    textOf(values, '00100040'),
    textOf(values, '00080201'),
  ]
}

export function createTree(db: Database, table: SearchableTable): Tree {
  const patients = new Map<string, number>()
  const studies = new Map<string, StudyState>()
  const seriesByUid = new Map<string, SeriesState>()
  const dirty = new Set<SeriesState>()
  const dirtyStudies = new Set<StudyState>()
  let totals = { patients: 0, studies: 0, series: 0, instances: 0, bytes: 0 }

  function clear(): void {
    patients.clear()
    studies.clear()
    seriesByUid.clear()
    dirty.clear()
    dirtyStudies.clear()
    totals = { patients: 0, studies: 0, series: 0, instances: 0, bytes: 0 }
  }

  function addPatientNames(patient: number, name: string): void {
    for (const group of nameGroups(name)) {
      db.run('insert or ignore into patient_name (name_key, patient) values (?, ?)', group, patient)
    }
  }

  function patient(identity: PatientIdentity, attributes: AttributeValues): number {
    const cached = patients.get(identity.patientId)
    if (cached !== undefined) return cached
    let key = db.get<{ key: number }>('select key from patient where id = ?', identity.patientId)?.key
    if (key === undefined) {
      const name = attributes[NAME]?.[0] ?? ''
      key = db.run(
        `insert into patient (id, issuer, identifier, issuer_assumed, name, name_key, birth_date, sex)
         values (?, ?, ?, ?, ?, ?, ?, ?)`,
        identity.patientId,
        identity.issuer,
        identity.id,
        identity.issuerAssumed ? 1 : 0,
        name,
        nameKeys(name).alphabetic,
        attributes['00100030']?.[0] ?? '',
        attributes['00100040']?.[0] ?? '',
      ).rowid
      addPatientNames(key, name)
      totals.patients++
    }
    if (patients.size >= CACHED_MAX) patients.clear()
    patients.set(identity.patientId, key)
    return key
  }

  function countDay(date: string, change: 1 | -1): void {
    db.run('insert into day_count (date, n) values (?, ?) on conflict do update set n = n + excluded.n', date, change)
  }

  /** Folded words of all four columns; the recheck compares the values themselves. */
  function indexText(key: number, values: LevelValues): void {
    const name = nameGroups(textOf(values, NAME)).join(' ')
    const [pid, accession, description] = ['00100020', '00080050', '00081030'].map((tag) => fold(textOf(values, tag)))
    db.run(
      'insert into study_text (rowid, name, pid, accession, description) values (?, ?, ?, ?, ?)',
      key,
      name,
      pid ?? '',
      accession ?? '',
      description ?? '',
    )
  }

  function addWords(study: number, name: string): void {
    for (const word of nameWords(name)) {
      db.run('insert or ignore into study_word (word, study) values (?, ?)', word, study)
    }
  }

  function makeStudy(instance: NewInstance): StudyState {
    const { attributes } = instance
    const values = readLevel(table, 'study', attributes)
    const owner = patient(instance.record.patient, attributes)
    const [date = '', time = '', nameKey = '', ...rest] = studyColumns(values)
    const key = db.run(
      INSERT_STUDY,
      ...[instance.studyInstanceUID, owner, date, time, nameKey, ...rest],
      instance.instant,
      instance.zoneAssumed ? 1 : 0,
      extraOf(table, 'study', values),
    ).rowid
    countDay(date, 1)
    indexText(key, values)
    addWords(key, textOf(values, NAME))
    addLookups(db, table.levels.study, values, key)
    addPatientNames(owner, textOf(values, NAME))
    db.run('update patient set studies = studies + 1 where key = ?', owner)
    totals.studies++
    return {
      key,
      uid: instance.studyInstanceUID,
      patient: owner,
      values,
      modalities: new Set(),
      series: 0,
      instances: 0,
      bytes: 0,
    }
  }

  function fillStudy(study: StudyState, instance: NewInstance): void {
    const before = textOf(study.values, '00080020')
    const filled: Searchable[] = fillLevel(table, 'study', study.values, instance.attributes)
    if (filled.length === 0) return
    const columns = studyColumns(study.values)
    db.run(UPDATE_STUDY, ...columns, instance.instant, extraOf(table, 'study', study.values), study.key)
    if (columns[0] !== before) {
      countDay(before, -1)
      countDay(columns[0] ?? '', 1)
    }
    if (filled.some(({ trigram }) => trigram !== null)) {
      db.run('delete from study_text where rowid = ?', study.key)
      indexText(study.key, study.values)
    }
    if (filled.some(({ key }) => key === NAME)) {
      addWords(study.key, textOf(study.values, NAME))
      addPatientNames(study.patient, textOf(study.values, NAME))
    }
    addLookups(db, filled, study.values, study.key)
  }

  function findStudy(uid: string): StudyState | undefined {
    const cached = studies.get(uid)
    if (cached !== undefined) return cached
    const row = db.get<Record<string, unknown>>('select * from study where uid = ?', uid)
    if (row === undefined) return undefined
    const modalities = String(row['modalities'])
    const state: StudyState = {
      key: Number(row['key']),
      uid,
      patient: Number(row['patient']),
      values: levelFromRow(table, 'study', row),
      modalities: new Set(modalities === '' ? [] : modalities.split('\\')),
      series: Number(row['series']),
      instances: Number(row['instances']),
      bytes: Number(row['bytes']),
    }
    return rememberStudy(state)
  }

  function rememberStudy(state: StudyState): StudyState {
    // Series hold their study: both caches go together, and never while changes wait in them.
    if (studies.size >= CACHED_MAX && dirty.size === 0 && dirtyStudies.size === 0) {
      studies.clear()
      seriesByUid.clear()
    }
    studies.set(state.uid, state)
    return state
  }

  function seriesFromRow(study: StudyState, row: Record<string, unknown>): SeriesState {
    const state: SeriesState = {
      key: Number(row['key']),
      study,
      uid: String(row['uid']),
      values: levelFromRow(table, 'series', row),
      instances: Number(row['instances']),
      slots: Number(row['slots']),
      bytes: Number(row['bytes']),
    }
    seriesByUid.set(`${study.key} ${state.uid}`, state)
    return state
  }

  function findSeries(study: StudyState, uid: string): SeriesState | undefined {
    const cached = seriesByUid.get(`${study.key} ${uid}`)
    if (cached !== undefined) return cached
    const row = db.get<Record<string, unknown>>('select * from series where uid = ? and study = ?', uid, study.key)
    return row === undefined ? undefined : seriesFromRow(study, row)
  }

  function seriesOf(study: StudyState): SeriesState[] {
    return db
      .all<{ uid: string }>('select uid from series where study = ?', study.key)
      .map(({ uid }) => findSeries(study, uid))
      .filter((series) => series !== undefined)
  }

  function seriesColumns(values: LevelValues): [number | null, string, string, string, string, string] {
    return [
      numberOf(values, '00200011'),
      textOf(values, '00080060'),
      textOf(values, '0008103E'),
      textOf(values, '00080021'),
      textOf(values, '00080031'),
      textOf(values, '00180015'),
    ]
  }

  function makeSeries(study: StudyState, instance: NewInstance): SeriesState {
    const values = readLevel(table, 'series', instance.attributes)
    const extra = extraOf(table, 'series', values)
    const zone = textOf(study.values, '00080201')
    const uid = instance.seriesInstanceUID
    const { rowid: key } = db.run(INSERT_SERIES, study.key, uid, ...seriesColumns(values), zone, extra)
    addLookups(db, table.levels.series, values, key)
    study.series++
    totals.series++
    addToStudy(study, textOf(values, '00080060'))
    const state: SeriesState = { key, study, uid, values, instances: 0, slots: 0, bytes: 0 }
    seriesByUid.set(`${study.key} ${uid}`, state)
    return state
  }

  function addToStudy(study: StudyState, modality: string): void {
    dirtyStudies.add(study)
    if (modality === '' || study.modalities.has(modality)) return
    study.modalities.add(modality)
    addModality(db, modality, study.key)
  }

  function fillSeries(series: SeriesState, instance: NewInstance): void {
    const filled = fillLevel(table, 'series', series.values, instance.attributes)
    if (filled.length === 0) return
    db.run(UPDATE_SERIES, ...seriesColumns(series.values), extraOf(table, 'series', series.values), series.key)
    addLookups(db, filled, series.values, series.key)
    addToStudy(series.study, textOf(series.values, '00080060'))
  }

  function series(instance: NewInstance): SeriesState {
    const study = findStudy(instance.studyInstanceUID)
    if (study === undefined) return makeSeries(rememberStudy(makeStudy(instance)), instance)
    fillStudy(study, instance)
    const known = findSeries(study, instance.seriesInstanceUID)
    if (known === undefined) return makeSeries(study, instance)
    fillSeries(known, instance)
    return known
  }

  function count(series: SeriesState, change: 1 | -1, length: number): void {
    const bytes = change * length
    for (const sum of [series, series.study, totals]) {
      sum.instances += change
      sum.bytes += bytes
    }
    dirty.add(series)
    dirtyStudies.add(series.study)
  }

  function removeSeries(gone: SeriesState): void {
    removeLookups(db, table.levels.series, gone.values, gone.key)
    db.run('delete from series where key = ?', gone.key)
    totals.series--
    seriesByUid.delete(`${gone.study.key} ${gone.uid}`)
    gone.study.series--
    const modality = textOf(gone.values, '00080060')
    const still = db.get('select 1 from series where study = ? and modality = ? limit 1', gone.study.key, modality)
    if (still === undefined && gone.study.modalities.delete(modality)) removeModality(db, modality, gone.study.key)
  }

  function removeStudy(gone: StudyState): void {
    removeLookups(db, table.levels.study, gone.values, gone.key)
    for (const modality of gone.modalities) removeModality(db, modality, gone.key)
    for (const word of nameWords(textOf(gone.values, NAME))) {
      db.run('delete from study_word where word = ? and study = ?', word, gone.key)
    }
    db.run('delete from study_text where rowid = ?', gone.key)
    countDay(textOf(gone.values, '00080020'), -1)
    db.run('delete from study where key = ?', gone.key)
    db.run('update patient set studies = studies - 1 where key = ?', gone.patient)
    totals.studies--
    studies.delete(gone.uid)
  }

  function flush(): void {
    for (const changed of dirty) {
      const { key, instances, slots, bytes } = changed
      if (instances === 0) removeSeries(changed)
      else db.run('update series set instances = ?, slots = ?, bytes = ? where key = ?', instances, slots, bytes, key)
    }
    for (const study of dirtyStudies) {
      if (study.instances === 0) removeStudy(study)
      else {
        const modalities = [...study.modalities].sort()
        db.run(
          'update study set mods = ?, modalities = ?, series = ?, instances = ?, bytes = ? where key = ?',
          modalityMask(modalities),
          modalities.join('\\'),
          study.series,
          study.instances,
          study.bytes,
          study.key,
        )
      }
    }
    dirty.clear()
    dirtyStudies.clear()
    if (Object.values(totals).some((change) => change !== 0)) {
      db.run(
        `update total set patients = patients + ?, studies = studies + ?, series = series + ?,
         instances = instances + ?, bytes = bytes + ?`,
        ...[totals.patients, totals.studies, totals.series, totals.instances, totals.bytes],
      )
    }
    totals = { patients: 0, studies: 0, series: 0, instances: 0, bytes: 0 }
  }

  return { patient, series, findStudy, findSeries, seriesOf, count, flush, clear }
}
