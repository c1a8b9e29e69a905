import type { AttributeValues, NewInstance, PatientIdentity } from '#model/archive-object.ts'
import { nameKeys } from '../fold.ts'
import { modalityMask } from '../modalities.ts'
import type { SearchableTable } from '../searchable.ts'
import type { Database } from './database.ts'
import { levelInstances } from './instance-row.ts'
import type { StudyDerivation } from './ledger-study.ts'
import {
  addLookups,
  addModality,
  extraOf,
  fillLevel,
  type LevelValues,
  levelFromRow,
  readLevel,
  removeLookups,
  removeModality,
  textOf,
} from './level-values.ts'
import { changesOf, overlaidValues, sameValues, valuesJson } from './overlaid-values.ts'
import { dropRendered } from './rendered-metadata.ts'
import { createStudyRows, decidedValues, type StudyValues, seriesColumns } from './study-row.ts'

/** Instances of a series have keys from `series * SLOTS` on. */
export const SLOTS = 2 ** 24

export interface SeriesState {
  readonly key: number
  readonly study: StudyState
  readonly uid: string
  /** Current values; the same map as `arrived` while nothing is overlaid. */
  values: LevelValues
  arrived: LevelValues
  instances: number
  /** Slots ever given out: never reused, so that a key means one instance for ever. */
  slots: number
  bytes: number
}

export interface StudyState extends StudyValues {
  readonly key: number
  readonly uid: string
  readonly modalities: Set<string>
  /** Modalities as its row has them. */
  written: string
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
  /**
   * Brings a study level with the decisions in force: owner, values, everything that finds it, its series.
   * @returns whether anything changed
   */
  level(study: StudyState): boolean
  /** Patients decisions knew before an object told of them: what hangs on what objects say of them is to be levelled. */
  takeStated(): readonly number[]
  /** After a rollback, or when rows were changed elsewhere. */
  clear(): void
}

const CACHED_MAX = 4096
const NAME = '00100010'
const MODALITY = '00080060'

const INSERT_SERIES = `insert into series (study, uid, number, modality, description, date, time, body_part, zone,
  instances, slots, bytes, extra) values (?, ?, ?, ?, ?, ?, ?, ?, ?, 0, 0, 0, ?)`
const UPDATE_SERIES = `update series set number = ?, modality = ?, description = ?, date = ?, time = ?, body_part = ?,
  extra = ?, arrived = ? where key = ?`

export function createTree(db: Database, table: SearchableTable, derivation: StudyDerivation): Tree {
  const rows = createStudyRows(db, table)
  const stated = new Set<number>()
  const patients = new Map<string, number>()
  const studies = new Map<string, StudyState>()
  const seriesByUid = new Map<string, SeriesState>()
  const dirty = new Set<SeriesState>()
  const dirtyStudies = new Set<StudyState>()
  let totals = { patients: 0, studies: 0, series: 0, instances: 0, bytes: 0 }

  function clear(): void {
    patients.clear()
    stated.clear()
    studies.clear()
    seriesByUid.clear()
    dirty.clear()
    dirtyStudies.clear()
    totals = { patients: 0, studies: 0, series: 0, instances: 0, bytes: 0 }
  }

  function patient(identity: PatientIdentity, attributes: AttributeValues): number {
    const cached = patients.get(identity.patientId)
    if (cached !== undefined) return cached
    const known = db.get<{ key: number; stated: string | null }>(
      'select key, stated from patient where id = ?',
      identity.patientId,
    )
    let key = known?.key
    const name = attributes[NAME]?.[0] ?? ''
    const birthDate = attributes['00100030']?.[0] ?? ''
    const sex = attributes['00100040']?.[0] ?? ''
    const said = JSON.stringify({ name, birthDate, sex })
    if (key === undefined) {
      key = db.run(
        `insert into patient (id, issuer, identifier, issuer_assumed, name, name_key, birth_date, sex, stated)
         values (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
        ...[identity.patientId, identity.issuer, identity.id, identity.issuerAssumed ? 1 : 0],
        ...[name, nameKeys(name).alphabetic, birthDate, sex, said],
      ).rowid
      totals.patients++
    } else if (known?.stated === null) {
      db.run(
        'update patient set stated = ?, issuer_assumed = ? where key = ?',
        ...[said, identity.issuerAssumed ? 1 : 0, key],
      )
      stated.add(key)
      totals.patients++
    }
    if (known === undefined || known.stated === null) rows.addPatientNames(key, name)
    if (patients.size >= CACHED_MAX) patients.clear()
    patients.set(identity.patientId, key)
    return key
  }

  function makeStudy(instance: NewInstance): StudyState {
    const { attributes, studyInstanceUID: uid } = instance
    const values = readLevel(table, 'study', attributes)
    const owner = patient(instance.record.patient, attributes)
    const plain = derivation.isPlain(uid, instance.record.patient.patientId)
    const study = { patient: owner, owner, values, arrived: values, events: [], aliases: {}, plain }
    const written = textOf(readLevel(table, 'series', attributes), MODALITY)
    const key = rows.insert(instance, study, written)
    totals.studies++
    const state: StudyState = { ...study, key, uid, modalities: new Set(), written, series: 0, instances: 0, bytes: 0 }
    if (!plain) levelStudy(state, null)
    return state
  }

  function fillStudy(study: StudyState, instance: NewInstance): void {
    const filled = fillLevel(table, 'study', study.arrived, instance.attributes)
    if (filled.length === 0) return
    const before: StudyValues = { ...study, arrived: new Map(study.arrived) }
    for (const { key } of filled) before.arrived.delete(key)
    if (study.values === study.arrived) before.values = before.arrived
    const after = study.plain
      ? { ...study }
      : rows.derived(study, derivation.derive(study.uid, study.patient, study.arrived))
    rows.update(study.key, before, after, instance.instant)
    Object.assign(study, decidedValues(after))
  }

  /** Writes a study as decisions make it. */
  function levelStudy(study: StudyState, instant: string | null): boolean {
    const after = rows.derived(study, derivation.derive(study.uid, study.patient, study.arrived))
    if (
      after.owner === study.owner &&
      JSON.stringify([after.events, after.aliases]) === JSON.stringify([study.events, study.aliases])
    ) {
      return false
    }
    rows.update(study.key, study, after, instant)
    Object.assign(study, decidedValues(after))
    return true
  }

  function level(study: StudyState): boolean {
    study.plain = false
    if (!levelStudy(study, null)) return false
    for (const series of seriesOf(study)) {
      levelSeries(series)
      dropRendered(db, series.key)
      const range = { series: series.uid, from: series.key * SLOTS, to: (series.key + 1) * SLOTS }
      levelInstances(db, table, study.events, range)
    }
    return true
  }

  function levelSeries(series: SeriesState): void {
    const { study, uid, arrived } = series
    const changes = changesOf(study.events, uid)
    const overlaid = changes.length === 0 ? arrived : overlaidValues(table, 'series', arrived, changes)
    const values = sameValues(overlaid, arrived) ? arrived : overlaid
    if (values === series.values || sameValues(values, series.values)) {
      if (values === arrived) series.values = arrived
      return
    }
    removeLookups(db, table.levels.series, series.values, series.key)
    const before = textOf(series.values, MODALITY)
    series.values = values
    writeSeries(series)
    addLookups(db, table.levels.series, values, series.key)
    addToStudy(study, textOf(values, MODALITY))
    dropModality(study, before)
  }

  function writeSeries({ key, values, arrived }: SeriesState): void {
    const kept = values === arrived ? null : JSON.stringify(valuesJson(arrived))
    db.run(UPDATE_SERIES, ...seriesColumns(values), extraOf(table, 'series', values), kept, key)
  }

  function findStudy(uid: string): StudyState | undefined {
    const cached = studies.get(uid)
    if (cached !== undefined) return cached
    const row = db.get<Record<string, unknown>>('select * from study where uid = ?', uid)
    if (row === undefined) return undefined
    const modalities = String(row['modalities'])
    const state: StudyState = {
      ...rows.fromRow(row),
      plain: derivation.isPlain(uid, patientId(Number(row['patient']))),
      key: Number(row['key']),
      uid,
      modalities: new Set(modalities === '' ? [] : modalities.split('\\')),
      written: modalities,
      series: Number(row['series']),
      instances: Number(row['instances']),
      bytes: Number(row['bytes']),
    }
    return rememberStudy(state)
  }

  function patientId(key: number): string {
    return db.get<{ id: string }>('select id from patient where key = ?', key)?.id ?? ''
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
    const values = levelFromRow(table, 'series', row)
    const state: SeriesState = {
      key: Number(row['key']),
      study,
      uid: String(row['uid']),
      values,
      arrived: typeof row['arrived'] === 'string' ? new Map(Object.entries(JSON.parse(row['arrived']))) : values,
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

  function makeSeries(study: StudyState, instance: NewInstance): SeriesState {
    const values = readLevel(table, 'series', instance.attributes)
    const extra = extraOf(table, 'series', values)
    const zone = textOf(study.values, '00080201')
    const uid = instance.seriesInstanceUID
    const { rowid: key } = db.run(INSERT_SERIES, study.key, uid, ...seriesColumns(values), zone, extra)
    addLookups(db, table.levels.series, values, key)
    study.series++
    totals.series++
    addToStudy(study, textOf(values, MODALITY))
    const state: SeriesState = { key, study, uid, values, arrived: values, instances: 0, slots: 0, bytes: 0 }
    seriesByUid.set(`${study.key} ${uid}`, state)
    if (study.events.length > 0) levelSeries(state)
    return state
  }

  function addToStudy(study: StudyState, modality: string): void {
    dirtyStudies.add(study)
    if (modality === '' || study.modalities.has(modality)) return
    study.modalities.add(modality)
    addModality(db, modality, study.key)
  }

  function fillSeries(series: SeriesState, instance: NewInstance): void {
    const filled = fillLevel(table, 'series', series.arrived, instance.attributes)
    if (filled.length === 0) return
    if (series.study.events.length > 0) {
      const before = series.values === series.arrived ? new Map(series.arrived) : series.values
      for (const { key } of filled) if (series.values === series.arrived) before.delete(key)
      series.values = before
      levelSeries(series)
      writeSeries(series)
      return
    }
    writeSeries(series)
    addLookups(db, filled, series.values, series.key)
    addToStudy(series.study, textOf(series.values, MODALITY))
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

  function writeCounts(study: StudyState): void {
    const { key, series, instances, bytes } = study
    db.run('update study set series = ?, instances = ?, bytes = ? where key = ?', series, instances, bytes, key)
    const modalities = [...study.modalities].sort()
    const text = modalities.join('\\')
    if (text === study.written) return // five indexes hold them
    db.run('update study set mods = ?, modalities = ? where key = ?', modalityMask(modalities), text, key)
    study.written = text
  }

  function removeSeries(gone: SeriesState): void {
    removeLookups(db, table.levels.series, gone.values, gone.key)
    db.run('delete from series where key = ?', gone.key)
    totals.series--
    seriesByUid.delete(`${gone.study.key} ${gone.uid}`)
    gone.study.series--
    dropModality(gone.study, textOf(gone.values, MODALITY))
  }

  function dropModality(study: StudyState, modality: string): void {
    const still = db.get('select 1 from series where study = ? and modality = ? limit 1', study.key, modality)
    if (still !== undefined || !study.modalities.delete(modality)) return
    removeModality(db, modality, study.key)
    dirtyStudies.add(study)
  }

  function removeStudy(gone: StudyState): void {
    for (const modality of gone.modalities) removeModality(db, modality, gone.key)
    rows.remove(gone.key, gone)
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
      else writeCounts(study)
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

  function takeStated(): number[] {
    const taken = [...stated]
    stated.clear()
    return taken
  }

  return { patient, series, findStudy, findSeries, seriesOf, count, flush, level, takeStated, clear }
}
