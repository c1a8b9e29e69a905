import { hash } from 'node:crypto'
import type { ArchiveReader, Scope, StaleChunk } from '#model/archive-index.ts'
import type { MetadataChunk, StoredInstance } from '#model/archive-object.ts'
import type { Visibility } from '#model/visibility.ts'
import { decodeFrameTable } from '#standards/dicom/frames.ts'
import type { Database, SqlParam } from './database.ts'
import { createOverlayReader } from './rendered-metadata.ts'
import { hex, type Texts } from './texts.ts'
import { SLOTS } from './tree.ts'
import { all, type Condition, visible } from './visible.ts'

interface Row {
  readonly key: number
  readonly number: number | null
  readonly id: string
  readonly uid: string
  readonly sop_class: number
  readonly transfer_syntax: number
  readonly study: string
  readonly series: string
  readonly patient: string
  readonly segment: string
  readonly offset: number
  readonly length: number
  readonly data_set_offset: number
  readonly sha_arrived: Uint8Array
  readonly sha_data_set: Uint8Array
  readonly sha_kept: Uint8Array
  readonly frames: Uint8Array | null
  readonly overlay_version: number
  readonly overlay: string | null
  readonly version: number
}

const COLUMNS = `i.key, i.number, o.id, o.uid, o.sop_class, o.transfer_syntax, s.uid as study, r.uid as series,
  p.id as patient, g.name as segment, o.offset, o.length, o.data_set_offset, o.sha_arrived, o.sha_data_set, o.sha_kept,
  o.frames, o.overlay_version, s.overlay, o.version`

/** `cross join` keeps the order of the loops: without it SQLite turns the query round. spike-notes.md section 5. */
const FROM_OBJECT = `object o cross join instance i on i.key = o.instance
  cross join series r on r.key = o.instance / ${SLOTS} cross join study s on s.key = r.study
  cross join patient p on p.key = s.owner cross join segment g on g.key = o.segment`
const FROM_INSTANCE = `instance i cross join object o on o.key = i.object
  cross join series r on r.key = i.key / ${SLOTS} cross join study s on s.key = r.study
  cross join patient p on p.key = s.owner cross join segment g on g.key = o.segment`

/** Instances handed out between two reads. */
const PAGE = 1000
/** Instances without a number stand last. */
const NO_NUMBER = Number.MAX_SAFE_INTEGER

/** Reads of stored instances; the part of the reader behind WADO-RS. */
export type StoredReader = Pick<ArchiveReader, 'instance' | 'instances' | 'metadata' | 'find'>

export function createStoredReader(db: Database, texts: Texts): StoredReader {
  const overlays = createOverlayReader()

  function fromRow(row: Row): StoredInstance {
    const overlay = overlays.read(row.overlay, row.series, row.uid)
    return {
      objectId: row.id,
      sopInstanceUID: row.uid,
      sopClassUID: texts.valueOf(row.sop_class),
      transferSyntaxUID: texts.valueOf(row.transfer_syntax),
      studyInstanceUID: row.study,
      seriesInstanceUID: row.series,
      patientId: row.patient,
      location: { segment: row.segment, offset: row.offset, length: row.length },
      dataSetOffset: row.data_set_offset,
      digests: { arrived: hex(row.sha_arrived), dataSet: hex(row.sha_data_set), kept: hex(row.sha_kept) },
      frames: row.frames === null ? null : decodeFrameTable(row.frames),
      overlayVersion: row.overlay_version + overlay.version,
      overlay: overlay.events,
      version: row.version,
    }
  }

  function one(from: string, condition: Condition, visibility: Visibility): StoredInstance | undefined {
    const where = all([condition, visible(visibility, 's.owner')])
    const row = db.get<Row>(`select ${COLUMNS} from ${from} where ${where.sql} limit 1`, ...where.params)
    return row === undefined ? undefined : fromRow(row)
  }

  /** Series of a scope in order, with the overlay of their study; empty when the caller sees none. */
  function seriesOf(scope: Scope, visibility: Visibility): { key: number; uid: string; overlay: string | null }[] {
    const where = all([
      { sql: 's.uid = ?', params: [scope.studyInstanceUID] },
      scope.seriesInstanceUID === undefined ? undefined : { sql: 'r.uid = ?', params: [scope.seriesInstanceUID] },
      visible(visibility, 's.owner'),
    ])
    return db.all(
      `select r.key, r.uid, s.overlay from study s indexed by study_uid
         cross join series r indexed by series_study on r.study = s.key
       where ${where.sql} order by r.number is null, r.number, r.uid`,
      ...where.params,
    )
  }

  function renderedChunk(instance: number, version: number): MetadataChunk | undefined {
    const row = db.get<{ crc32: number; raw_length: number; chunk: Uint8Array }>(
      'select crc32, raw_length, chunk from rendered where instance = ? and version = ?',
      ...[instance, version],
    )
    return row === undefined ? undefined : { crc32: row.crc32, rawLength: row.raw_length, deflated: row.chunk }
  }

  function objectsByDigest(digest: Buffer): number[] {
    const prefix = digest.subarray(0, 8)
    const rows = db.all<{ key: number }>(
      `select o.key from digest d join object o on o.key = d.object
         where d.prefix = ? and (o.sha_data_set = ? or o.sha_kept = ?)
       union select o.key from arrival a join object o on o.key = a.object
         where substr(a.sha256, 1, 8) = ? and a.sha256 = ?`,
      ...[prefix, digest, digest, prefix, digest],
    )
    return rows.map(({ key }) => key)
  }

  return {
    async instance(scope, visibility) {
      return one(
        FROM_OBJECT,
        {
          sql: 'o.uid = ? and o.state = 0 and r.uid = ? and s.uid = ?',
          params: [scope.sopInstanceUID, scope.seriesInstanceUID, scope.studyInstanceUID],
        },
        visibility,
      )
    },

    async *instances(scope, visibility) {
      for (const { key: series } of seriesOf(scope, visibility)) {
        const range: SqlParam[] = [series * SLOTS, (series + 1) * SLOTS]
        const only = scope.sopInstanceUID === undefined ? '' : 'and i.uid = ?'
        const uid = scope.sopInstanceUID === undefined ? [] : [scope.sopInstanceUID]
        let after: readonly [number, string] = [Number.MIN_SAFE_INTEGER, '']
        for (;;) {
          const rows = db.all<Row>(
            `select ${COLUMNS} from ${FROM_INSTANCE} where i.key >= ? and i.key < ? ${only}
             and (coalesce(i.number, ${NO_NUMBER}), i.uid) > (?, ?)
             order by coalesce(i.number, ${NO_NUMBER}), i.uid limit ${PAGE}`,
            ...[...range, ...uid, ...after],
          )
          for (const row of rows) yield fromRow(row)
          const last = rows.at(-1)
          if (last === undefined || rows.length < PAGE) break
          after = [last.number ?? NO_NUMBER, last.uid]
        }
      }
    },

    async metadata(scope, visibility) {
      const chunks: MetadataChunk[] = []
      const stale: StaleChunk[] = []
      let state = ''
      for (const { key: series, uid: seriesInstanceUID, overlay } of seriesOf(scope, visibility)) {
        const only = scope.sopInstanceUID === undefined ? '' : 'and i.uid = ?'
        const uid = scope.sopInstanceUID === undefined ? [] : [scope.sopInstanceUID]
        // Sorted here: a sorter in SQL would copy every chunk once more.
        const rows = db
          .arrays(
            `select i.number, i.uid, i.crc32, i.raw_length, i.chunk, i.object, o.overlay_version, i.key
             from instance i cross join object o on o.key = i.object
             where i.key >= ? and i.key < ? ${only} order by i.key`,
            ...[series * SLOTS, (series + 1) * SLOTS, ...uid],
          )
          .map((row) => row as unknown as MetadataRow)
          .sort((a, b) => (a[0] ?? NO_NUMBER) - (b[0] ?? NO_NUMBER) || (a[1] < b[1] ? -1 : 1))
        for (const [, sopInstanceUID, crc32, rawLength, deflated, object, version, key] of rows) {
          state += `${object}.${version} `
          const arrived: MetadataChunk = { crc32, rawLength, deflated }
          const current = overlays.read(overlay, seriesInstanceUID, sopInstanceUID)
          if (current.version === 0) {
            chunks.push(arrived)
            continue
          }
          state += `${current.version} `
          const rendered = renderedChunk(key, current.version)
          chunks.push(rendered ?? arrived)
          if (rendered !== undefined) continue
          stale.push({
            index: chunks.length - 1,
            studyInstanceUID: scope.studyInstanceUID,
            seriesInstanceUID,
            sopInstanceUID,
            overlay: current.events,
          })
        }
      }
      if (chunks.length === 0) return undefined
      const etag = hash('sha256', state, 'hex').slice(0, 32)
      return stale.length === 0 ? { chunks, etag } : { chunks, etag, stale }
    },

    async find(identifier, visibility) {
      const byId = one(FROM_OBJECT, { sql: 'o.id = ? and o.state = 0', params: [identifier] }, visibility)
      if (byId !== undefined) return byId
      const byUid = one(FROM_OBJECT, { sql: 'o.uid = ? and o.state = 0', params: [identifier] }, visibility)
      if (byUid !== undefined || !/^[0-9a-f]{64}$/i.test(identifier)) return byUid
      const keys = objectsByDigest(Buffer.from(identifier, 'hex'))
      if (keys.length === 0) return undefined
      const condition: Condition = {
        sql: 'o.key in (select value from json_each(?)) and o.state = 0',
        params: [JSON.stringify(keys)],
      }
      return one(FROM_OBJECT, condition, visibility)
    },
  }
}

type MetadataRow = readonly [
  number: number | null,
  uid: string,
  crc32: number,
  rawLength: number,
  deflated: Uint8Array,
  object: number,
  version: number,
  key: number,
]
