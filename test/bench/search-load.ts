import { constants, crc32, deflateRawSync } from 'node:zlib'
import { fold, nameKeys, nameWords } from '../../src/index/fold.ts'
import { modalityMask } from '../../src/index/modalities.ts'
import type { Database } from '../../src/index/sqlite/database.ts'
import { migrate } from '../../src/index/sqlite/migrate.ts'
import { SLOTS } from '../../src/index/sqlite/tree.ts'

/** Repeatable noise: the same archive on every run. */
export function randomNumbers(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = state
    t = Math.imul(t ^ (t >>> 15), t | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }
}

const SYLLABLES =
  'BA BE BI BO BU DA DE DI DO DU FA FE GA GE GI GO HA HE HI KA KE KI KO LA LE LI LO MA ME MI MO NA NE NI NO PA PE RA RE RI RO SA SCH SE SI SO TA TE THAM TI TO VA VE WI WO ZA ZE'.split(
    ' ',
  )
/** One in a thousand studies is of the last kind. */
const MODALITIES: readonly [string, number][] = [
  ['CT', 0.25],
  ['MR', 0.45],
  ['CR', 0.65],
  ['US', 0.8],
  ['DX', 0.9],
  ['MG', 0.94],
  ['XA', 0.96],
  ['NM', 0.975],
  ['PT', 0.985],
  ['SM', 0.99],
  ['OT', 0.999],
  ['IVOCT', 1],
]
const PARTS = ['HEAD', 'THORAX', 'ABDOMEN', 'KNEE', 'SHOULDER', 'PELVIS', 'SPINE', 'HEART']
const KINDS = ['NATIVE', 'WITH CONTRAST', 'FOLLOW UP', 'SCREENING', 'EMERGENCY']
const DAYS = 3650

/** What a made-up archive holds, for asking about it. */
export interface LoadedArchive {
  readonly studies: number
  nameAt(study: number): string
  pidAt(study: number): string
  uidAt(study: number): string
  /** A series of 500 instances, in the last study. */
  readonly bigStudy: string
  readonly bigSeries: string
}

function namesFor(count: number): string[] {
  const random = randomNumbers(7)
  const word = (): string => {
    let text = ''
    for (let n = 2 + Math.floor(random() * 2); n > 0; n--) {
      text += SYLLABLES[Math.floor(random() ** 2 * SYLLABLES.length)] ?? ''
    }
    return text
  }
  const families = Array.from({ length: Math.max(50, Math.floor(count / 40)) }, word)
  const given = Array.from({ length: 400 }, word)
  return Array.from({ length: count }, () => {
    const family = families[Math.floor(random() ** 2 * families.length)]
    return `${family}^${given[Math.floor(random() * given.length)]}`
  })
}

function dayText(day: number): string {
  return new Date(Date.UTC(2016, 0, 1) + day * 86_400_000).toISOString().slice(0, 10).replaceAll('-', '')
}

/**
 * Fills an empty index with studies as the writer would have left them: one series and one instance each, and one
 * study with a series of 500. Secondary indexes are built at the end, as a bulk load does.
 */
export function loadArchive(db: Database, studies: number): LoadedArchive {
  migrate(db)
  const patients = Math.max(1, Math.floor(studies / 3))
  const names = namesFor(patients)
  const random = randomNumbers(42)
  const indexes = db.all<{ name: string; sql: string }>(
    "select name, sql from sqlite_schema where type = 'index' and sql is not null and tbl_name in ('study', 'series', 'instance', 'object', 'patient')",
  )
  const patientOf = (study: number): number => Math.floor(randomNumbers(study)() * patients)
  const json = '{"00080018":{"vr":"UI","Value":["1.2"]}}'.padEnd(2700)
  const chunk = deflateRawSync(json, { level: 1, finishFlush: constants.Z_SYNC_FLUSH })
  const crc = crc32(json)

  for (const { name } of indexes) db.exec(`drop index ${name}`)
  db.exec('pragma synchronous = off')
  const text = db.run('insert into text (value) values (?)', '1.2.840.10008.5.1.4.1.1.2').rowid
  const syntax = db.run('insert into text (value) values (?)', '1.2.840.10008.1.2.1').rowid
  const segment = db.run('insert into segment (name) values (?)', '000001.tar').rowid
  const days = new Map<string, number>()

  const addInstance = (series: number, slot: number, uid: string): void => {
    const key = series * SLOTS + slot
    const digest = Buffer.alloc(32, key % 251)
    const object = db.run(
      `insert into object (id, uid, version, state, patient, instance, segment, offset, length, data_set_offset,
       transfer_syntax, sop_class, sha_arrived, sha_data_set, sha_kept, overlay_version, time, verdict, scan, placement)
       values (?, ?, 1, 0, 1, ?, ?, 0, 500000, 334, ?, ?, ?, ?, ?, 0, 0, 'accept', ?, ?)`,
      ...[`${uid}#`, uid, key, segment, syntax, text, digest, digest, digest, text, text],
    ).rowid
    db.run(
      `insert into instance (key, object, uid, number, sop_class, rows, columns, bits, crc32, raw_length, chunk)
       values (?, ?, ?, ?, ?, 512, 512, 16, ?, ?, ?)`,
      ...[
        key,
        object,
        uid,
        slot + 1,
        text,
        crc,
        json.length,
        slot === 0 && series % 100 !== 0 ? chunk.subarray(0, 40) : chunk,
      ],
    )
  }

  const addStudy = (study: number): void => {
    const patient = patientOf(study)
    const name = names[patient] ?? ''
    const date = dayText(Math.floor((study / studies) * DAYS + random() * 30) % DAYS)
    const time =
      String(Math.floor(random() * 24)).padStart(2, '0') + String(Math.floor(random() * 6000)).padStart(4, '0')
    const kind = random()
    const modality = MODALITIES.find(([, below]) => kind < below)?.[0] ?? 'OT'
    const accession = `A${String(study).padStart(9, '0')}`
    const description = `${PARTS[Math.floor(random() * PARTS.length)]} ${KINDS[Math.floor(random() * KINDS.length)]}`
    const { alphabetic } = nameKeys(name)
    const pid = `P${String(patient).padStart(8, '0')}`
    const key = db.run(
      `insert into study (uid, patient, owner, date, time, mods, name_key, modalities, pid, accession, study_id, description,
       referring, name, birth_date, sex, zone, zone_assumed, series, instances, bytes)
       values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, '19700101', 'O', '', 1, 1, 1, 500000)`,
      ...[
        `1.2.826.0.1.${study}`,
        patient + 1,
        patient + 1,
        date,
        time,
        modalityMask([modality]),
        alphabetic,
        modality,
        pid,
        accession,
      ],
      ...[`S${study % 1000}`, description, 'HOUSE^GREGORY', name],
    ).rowid
    days.set(date, (days.get(date) ?? 0) + 1)
    const fts = 'insert into study_text (rowid, name, pid, accession, description) values (?, ?, ?, ?, ?)'
    db.run(fts, key, alphabetic, pid, accession, fold(description))
    for (const word of nameWords(name))
      db.run('insert or ignore into study_word (word, study) values (?, ?)', word, key)
    const lookup = 'insert into lookup (attribute, value, ref) values (?, ?, ?)'
    db.run(lookup, 30, modality, key)
    db.run(lookup, 12, description, key)
    const series = db.run(
      `insert into series (study, uid, number, modality, description, date, time, body_part, zone, instances, slots, bytes)
       values (?, ?, 1, ?, ?, ?, ?, '', '', 1, 1, 500000)`,
      ...[key, `1.2.826.0.2.${study}`, modality, description, date, time],
    ).rowid
    db.run(lookup, 102, description, series)
    addInstance(series, 0, `1.2.826.0.3.${study}`)
    if (study === studies - 1) for (let slot = 1; slot < 500; slot++) addInstance(series, slot, `1.2.826.0.4.${slot}`)
  }

  for (let at = 0; at < patients; at += 5000) {
    db.transaction(() => {
      for (let patient = at; patient < Math.min(at + 5000, patients); patient++) {
        const name = names[patient] ?? ''
        const insert = `insert into patient (key, id, issuer, identifier, issuer_assumed, name, name_key, birth_date, sex, studies)
          values (?, ?, 'SITE', ?, 0, ?, ?, '19700101', 'O', 3)`
        const pid = `P${String(patient).padStart(8, '0')}`
        db.run(insert, patient + 1, `SITE|${pid}`, pid, name, nameKeys(name).alphabetic)
      }
    })
  }
  for (let at = 0; at < studies; at += 5000) {
    db.transaction(() => {
      for (let study = at; study < Math.min(at + 5000, studies); study++) addStudy(study)
    })
  }
  db.transaction(() => {
    for (const [date, n] of days) db.run('insert into day_count (date, n) values (?, ?)', date, n)
    db.run(
      'update total set patients = ?, studies = ?, series = ?, instances = ?',
      patients,
      studies,
      studies,
      studies + 499,
    )
  })
  for (const { sql } of indexes) db.exec(sql)
  db.exec('pragma synchronous = full; pragma wal_checkpoint(truncate)')
  return archiveOf(studies)
}

/** The same made-up archive, loaded earlier. */
export function archiveOf(studies: number): LoadedArchive {
  const patients = Math.max(1, Math.floor(studies / 3))
  const names = namesFor(patients)
  const patientOf = (study: number): number => Math.floor(randomNumbers(study)() * patients)
  return {
    studies,
    nameAt: (study) => names[patientOf(study)] ?? '',
    pidAt: (study) => `P${String(patientOf(study)).padStart(8, '0')}`,
    uidAt: (study) => `1.2.826.0.1.${study}`,
    bigStudy: `1.2.826.0.1.${studies - 1}`,
    bigSeries: `1.2.826.0.2.${studies - 1}`,
  }
}
