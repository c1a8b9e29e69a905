import type { NewInstance } from '#model/archive-object.ts'
import { overlayVersion, type StudyEvent } from '../effective-overlay.ts'
import { fold, nameGroups, nameKeys, nameWords } from '../fold.ts'
import { modalityMask } from '../modalities.ts'
import { PATIENT_NAME_ID, type SearchableTable } from '../searchable.ts'
import type { Database } from './database.ts'
import type { DerivedStudy } from './ledger-study.ts'
import { extraOf, type LevelValues, levelFromRow, lookupTexts, numberOf, textOf } from './level-values.ts'
import { changesOf, overlaidValues, valuesJson } from './overlaid-values.ts'

/** What a study's row is written from. */
export interface StudyValues {
  /** Patient it arrived under. */
  readonly patient: number
  /** Surviving patient it belongs to. */
  owner: number
  /** Current values; the same map as `arrived` while nothing is overlaid. */
  values: LevelValues
  arrived: LevelValues
  events: readonly StudyEvent[]
  /** Former identifiers that searches find it under, by tag. */
  aliases: Readonly<Record<string, readonly string[]>>
  /** False as soon as a decision names it or its patient. */
  plain: boolean
}

const NAME = '00100010'
const DATE = '00080020'
/** Tags whose former values are found too: patient id, its issuer, accession number, name. */
const ALIASED = ['00100020', '00100021', '00080050'] as const

const INSERT_STUDY = `insert into study (uid, patient, owner, date, time, mods, name_key, modalities, pid, accession,
  study_id, description, referring, name, birth_date, sex, zone, instant, zone_assumed, series, instances, bytes, extra)
  values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0, 0, 0, ?)`
const UPDATE_STUDY = `update study set date = ?, time = ?, name_key = ?, pid = ?, accession = ?, study_id = ?,
  description = ?, referring = ?, name = ?, birth_date = ?, sex = ?, zone = ?, instant = coalesce(instant, ?),
  extra = ?, owner = ?, overlay = ?, overlay_version = ?, arrived = ? where key = ?`

function studyColumns(values: LevelValues): string[] {
  const name = textOf(values, NAME)
  return [
    textOf(values, DATE),
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

/** Rows of studies with everything that finds them: words, trigrams, lookups, days. */
export interface StudyRows {
  /** @param modality of its first series */
  insert(instance: NewInstance, study: StudyValues, modality: string): number
  /** Writes a study again. @param before as its row is now */
  update(key: number, before: StudyValues, after: StudyValues, instant: string | null): void
  /** Values after a decision, not yet written. */
  derived(study: StudyValues, derivation: DerivedStudy): StudyValues
  fromRow(row: Readonly<Record<string, unknown>>): Omit<StudyValues, 'plain'>
  remove(key: number, study: StudyValues): void
  addPatientNames(patient: number, name: string): void
}

export function createStudyRows(db: Database, table: SearchableTable): StudyRows {
  function countDay(date: string, change: 1 | -1): void {
    db.run('insert into day_count (date, n) values (?, ?) on conflict do update set n = n + excluded.n', date, change)
  }

  /** Folded words of all four columns, former ones too; the recheck compares the values themselves. */
  function texts(study: StudyValues): [string, string, string, string] {
    const both = (tag: string) =>
      study.values === study.arrived
        ? [textOf(study.values, tag)]
        : [textOf(study.values, tag), textOf(study.arrived, tag)]
    const of = (tag: string) => {
      const all = [...both(tag), ...(study.aliases[tag] ?? [])].map(fold).filter((text) => text !== '')
      return [...new Set(all)].join(' ')
    }
    const names = both(NAME).flatMap(nameGroups)
    return [[...new Set(names)].join(' '), of('00100020'), of('00080050'), of('00081030')]
  }

  function words(study: StudyValues): Set<string> {
    const all = nameWords(textOf(study.values, NAME))
    return new Set(study.values === study.arrived ? all : [...all, ...nameWords(textOf(study.arrived, NAME))])
  }

  /** Rows of the lookup table as `attribute value`: declared values, and former ones of what is searched as a column. */
  function lookups(study: StudyValues): Map<string, readonly [number, string]> {
    const rows = new Map<string, readonly [number, string]>()
    const add = (id: number, text: string) => rows.set(`${id} ${text}`, [id, text])
    for (const searchable of table.levels.study) {
      if (!searchable.lookup) continue
      const found = study.values.get(searchable.key)
      if (found !== undefined) for (const text of lookupTexts(searchable, found)) add(searchable.id, text)
    }
    if (study.values !== study.arrived) {
      const now = nameKeys(textOf(study.values, NAME)).alphabetic
      for (const group of nameGroups(textOf(study.arrived, NAME))) if (group !== now) add(PATIENT_NAME_ID, group)
    }
    for (const tag of ALIASED) {
      const id = table.byKey.get(tag)?.id
      const now = textOf(study.values, tag)
      const former = [
        ...(study.aliases[tag] ?? []),
        ...(study.values === study.arrived ? [] : [textOf(study.arrived, tag)]),
      ]
      for (const text of former) if (id !== undefined && text !== '' && text !== now) add(id, text)
    }
    return rows
  }

  function indexText(key: number, study: StudyValues): void {
    db.run(
      'insert into study_text (rowid, name, pid, accession, description) values (?, ?, ?, ?, ?)',
      key,
      ...texts(study),
    )
  }

  function addPatientNames(patient: number, name: string): void {
    for (const group of nameGroups(name)) {
      db.run(
        `insert into patient_name (name_key, patient) values (?, ?)
         on conflict (name_key, patient) do update set said = said | 1 where said & 1 = 0`,
        ...[group, patient],
      )
    }
  }

  return {
    addPatientNames,

    insert(instance, study, modality) {
      const [date = '', time = '', nameKey = '', ...rest] = studyColumns(study.values)
      const key = db.run(
        INSERT_STUDY,
        ...[instance.studyInstanceUID, study.patient, study.owner, date, time],
        ...[modalityMask(modality === '' ? [] : [modality]), nameKey, modality, ...rest],
        instance.instant,
        instance.zoneAssumed ? 1 : 0,
        extraOf(table, 'study', study.values),
      ).rowid
      countDay(date, 1)
      indexText(key, study)
      for (const word of words(study)) db.run('insert or ignore into study_word (word, study) values (?, ?)', word, key)
      for (const [id, text] of lookups(study).values()) db.run(INSERT_LOOKUP, id, text, key)
      addPatientNames(study.patient, textOf(study.arrived, NAME))
      db.run('update patient set studies = studies + 1 where key = ?', study.owner)
      return key
    },

    update(key, before, after, instant) {
      const overlaid = after.events.length > 0 || Object.keys(after.aliases).length > 0
      const arrived = overlaid ? { values: valuesJson(after.arrived), aliases: after.aliases } : null
      const columns = studyColumns(after.values)
      db.run(
        UPDATE_STUDY,
        ...columns,
        ...[instant, extraOf(table, 'study', after.values), after.owner],
        ...[after.events.length === 0 ? null : JSON.stringify(after.events), overlayVersion(after.events)],
        ...[arrived === null ? null : JSON.stringify(arrived), key],
      )
      const date = textOf(before.values, DATE)
      if (columns[0] !== date) {
        countDay(date, -1)
        countDay(columns[0] ?? '', 1)
      }
      if (texts(before).join('\n') !== texts(after).join('\n')) {
        db.run('delete from study_text where rowid = ?', key)
        indexText(key, after)
      }
      const [wordsBefore, wordsAfter] = [words(before), words(after)]
      for (const word of wordsBefore) {
        if (!wordsAfter.has(word)) db.run('delete from study_word where word = ? and study = ?', word, key)
      }
      for (const word of wordsAfter) {
        if (!wordsBefore.has(word)) db.run('insert or ignore into study_word (word, study) values (?, ?)', word, key)
      }
      const [rowsBefore, rowsAfter] = [lookups(before), lookups(after)]
      for (const [row, [id, text]] of rowsBefore) if (!rowsAfter.has(row)) db.run(DELETE_LOOKUP, id, text, key)
      for (const [row, [id, text]] of rowsAfter) if (!rowsBefore.has(row)) db.run(INSERT_LOOKUP, id, text, key)
      if (textOf(before.arrived, NAME) !== textOf(after.arrived, NAME)) {
        addPatientNames(after.patient, textOf(after.arrived, NAME))
      }
      if (before.owner === after.owner) return
      db.run('update patient set studies = studies - 1 where key = ?', before.owner)
      db.run('update patient set studies = studies + 1 where key = ?', after.owner)
    },

    derived(study, { owner, events, aliases }) {
      const values =
        events.length === 0 ? study.arrived : overlaidValues(table, 'study', study.arrived, changesOf(events))
      return { ...study, owner, events, aliases, values }
    },

    fromRow(row) {
      const values = levelFromRow(table, 'study', row)
      const kept =
        typeof row['arrived'] === 'string'
          ? (JSON.parse(row['arrived']) as { values: Record<string, string[]>; aliases: Record<string, string[]> })
          : null
      const events = typeof row['overlay'] === 'string' ? (JSON.parse(row['overlay']) as StudyEvent[]) : []
      return {
        patient: Number(row['patient']),
        owner: Number(row['owner']),
        values,
        arrived: kept === null || events.length === 0 ? values : new Map(Object.entries(kept.values)),
        events,
        aliases: kept?.aliases ?? {},
      }
    },

    remove(key, study) {
      for (const [id, text] of lookups(study).values()) db.run(DELETE_LOOKUP, id, text, key)
      for (const word of words(study)) db.run('delete from study_word where word = ? and study = ?', word, key)
      db.run('delete from study_text where rowid = ?', key)
      countDay(textOf(study.values, DATE), -1)
      db.run('delete from study where key = ?', key)
      db.run('update patient set studies = studies - 1 where key = ?', study.owner)
    },
  }
}

const INSERT_LOOKUP = 'insert or ignore into lookup (attribute, value, ref) values (?, ?, ?)'
const DELETE_LOOKUP = 'delete from lookup where attribute = ? and value = ? and ref = ?'

/** What of a study a decision can change. */
export function decidedValues({ owner, values, arrived, events, aliases }: StudyValues): Partial<StudyValues> {
  return { owner, values, arrived, events, aliases }
}

export function seriesColumns(values: LevelValues): [number | null, string, string, string, string, string] {
  return [
    numberOf(values, '00200011'),
    textOf(values, '00080060'),
    textOf(values, '0008103E'),
    textOf(values, '00080021'),
    textOf(values, '00080031'),
    textOf(values, '00180015'),
  ]
}
