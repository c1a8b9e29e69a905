import { constants, inflateRawSync } from 'node:zlib'
import type { PatientIdentity } from '#model/archive-object.ts'
import type { PatientKey } from '#model/identity.ts'
import type { EvidenceReader, InstanceMetadata, Sender, StudyEvidence } from '#model/reconciliation.ts'
import { type JsonDataSet as DataSet, valuesAt } from '#standards/dicom/json-path.ts'
import { nameWords } from '../fold.ts'
import type { Database } from './database.ts'
import { unpackTime } from './texts.ts'
import { SLOTS } from './tree.ts'

/** Metadata larger than this, in bytes of JSON, is not opened for matching: the study then says nothing. */
const RAW_MAX = 64 * 1024 * 1024
/** Number of PatientBirthDate in the lookup table; see searchable.ts. */
const BIRTH_DATE = 8

interface StudyRow {
  readonly key: number
  readonly modalities: string
  readonly patient_id: string
  readonly issuer: string
  readonly identifier: string
  readonly issuer_assumed: number
}

interface InstanceRow {
  readonly uid: string
  readonly series: string
  readonly chunk: Uint8Array
  readonly raw_length: number
  /** Of its first arrival; see arrivals.ts. */
  readonly source: string | null
  readonly time: number | string | null
}

const STUDY = `select s.key, s.modalities, p.id as patient_id, p.issuer, p.identifier, p.issuer_assumed
  from study s join patient p on p.key = s.patient where s.uid = ?`

/**
 * What studies say of themselves, read from their metadata as it arrived: overlays never feed back into matching.
 * @param db migrated; read-only or the writer's
 */
export function createEvidenceReader(db: Database): EvidenceReader {
  function* rowsOf(studyKey: number): Generator<InstanceRow> {
    const series = db.all<{ key: number; uid: string }>(
      'select key, uid from series where study = ? order by number, uid',
      studyKey,
    )
    for (const { key, uid } of series) {
      // In pages: nothing may be written while a statement is open, and callers decide in between.
      for (let after = key * SLOTS - 1; ; ) {
        const page = db.all<InstanceRow & { key: number }>(
          `select i.key, i.uid, i.chunk, i.raw_length, t.value as source, a.time
           from instance i left join arrival a on a.key = (select min(key) from arrival where object = i.object)
           left join text t on t.key = a.source
           where i.key > ? and i.key < ? order by i.key limit 100`,
          after,
          (key + 1) * SLOTS,
        )
        for (const row of page) yield { ...row, series: uid }
        const last = page.at(-1)
        if (last === undefined) break
        after = last.key
      }
    }
  }

  function owner(row: StudyRow): PatientIdentity {
    const { patient_id: patientId, issuer, identifier: id, issuer_assumed: assumed } = row
    return { patientId, issuer, id, issuerAssumed: assumed === 1 }
  }

  return {
    owner(studyInstanceUID) {
      const row = db.get<StudyRow>(STUDY, studyInstanceUID)
      return row === undefined ? undefined : owner(row)
    },

    study(studyInstanceUID): StudyEvidence | undefined {
      const row = db.get<StudyRow>(STUDY, studyInstanceUID)
      if (row === undefined) return undefined
      const { value: first } = rowsOf(row.key).next()
      if (first == null) return undefined
      return evidenceOf(studyInstanceUID, owner(row), row.modalities, first)
    },

    hasEvidence() {
      return db.get("select 1 as one from patient where authority <> 'object' limit 1") !== undefined
    },

    isLocalIssuer(issuer) {
      const sql = "select 1 as one from patient where issuer = ? and authority <> 'object' limit 1"
      return db.get(sql, issuer) !== undefined
    },

    studiesLike({ keys, name, birthDate, accessionNumber, studyInstanceUID }, limit) {
      const found = new Map<number, string>()
      const add = (sql: string, ...params: (string | number)[]) => {
        for (const { key, uid } of db.all<{ key: number; uid: string }>(sql, ...params, limit)) found.set(key, uid)
      }
      if (studyInstanceUID !== null) add('select key, uid from study where uid = ? limit ?', studyInstanceUID)
      if (accessionNumber !== null && accessionNumber !== '') {
        add('select key, uid from study where accession = ? order by date desc limit ?', accessionNumber)
      }
      for (const { id } of keys) {
        if (id !== '') add('select key, uid from study where pid = ? order by date desc limit ?', id)
      }
      if (birthDate !== null && birthDate !== '') {
        add(
          `select s.key, s.uid from lookup l join study s on s.key = l.ref
           where l.attribute = ${BIRTH_DATE} and l.value = ? order by l.ref desc limit ?`,
          birthDate,
        )
      }
      // Two words of the name in whatever components and script.
      const [one, two] = nameWords(name ?? '').sort((a, b) => b.length - a.length)
      if (one !== undefined && two !== undefined) {
        add(
          `select s.key, s.uid from study_word a join study_word b on b.study = a.study and b.word = ?
           join study s on s.key = a.study where a.word = ? order by a.study desc limit ?`,
          two,
          one,
        )
      }
      return [...found]
        .sort(([a], [b]) => b - a)
        .slice(0, limit)
        .map(([, uid]) => uid)
    },

    *instances(studyInstanceUID): Generator<InstanceMetadata> {
      const row = db.get<StudyRow>(STUDY, studyInstanceUID)
      if (row === undefined) return
      for (const each of rowsOf(row.key)) {
        yield {
          seriesInstanceUID: each.series,
          sopInstanceUID: each.uid,
          sender: senderOf(each),
          dataSet: () => dataSetOf(each),
        }
      }
    },
  }
}

function dataSetOf({ chunk, raw_length: length }: InstanceRow): DataSet {
  if (length <= 0 || length > RAW_MAX) return {}
  const text = inflateRawSync(chunk, { finishFlush: constants.Z_SYNC_FLUSH, maxOutputLength: length }).toString()
  const parsed: unknown = JSON.parse(text)
  return typeof parsed === 'object' && parsed !== null ? (parsed as DataSet) : {}
}

function senderOf({ source }: InstanceRow): Sender {
  const parts: unknown = source === null ? [] : JSON.parse(source)
  const text = (at: number) => (Array.isArray(parts) && typeof parts[at] === 'string' ? (parts[at] as string) : null)
  const door = (text(0) ?? 'media') as Sender['door']
  return { door, peer: text(1), originator: text(2), user: text(3), address: text(4), medium: text(5) }
}

function evidenceOf(uid: string, patient: PatientIdentity, modalities: string, first: InstanceRow): StudyEvidence {
  const dataSet = dataSetOf(first)
  const one = (path: string): string | null => {
    const [value] = valuesAt(dataSet, path)
    return value === undefined || value.trim() === '' ? null : value.trim()
  }
  const others: PatientKey[] = []
  for (let at = 0; at < 20; at++) {
    const id = one(`00101002/${at}/00100020`)
    const issuer = one(`00101002/${at}/00100021`) ?? one(`00101002/${at}/00100024/0/00400032`)
    if (id === null && issuer === null) break
    if (id !== null && issuer !== null) others.push({ issuer, id })
  }
  return {
    studyInstanceUID: uid,
    patient,
    name: one('00100010'),
    birthDate: one('00100030'),
    sex: one('00100040'),
    otherIds: others,
    accessionNumber: one('00080050'),
    accessionIssuer: one('00080051/0/00400032') ?? one('00080051/0/00400031'),
    requestedProcedureId: one('00400275/0/00401001') ?? one('00401001'),
    admissionId: one('00380010'),
    studyDate: one('00080020'),
    arrivedOn: first.time === null ? null : unpackTime(first.time).slice(0, 10).replaceAll('-', ''),
    modalities: modalities === '' ? [] : modalities.split('\\'),
    description: one('00081030'),
    bodyPart: one('00180015'),
    sender: senderOf(first),
    present: Object.keys(dataSet),
  }
}
