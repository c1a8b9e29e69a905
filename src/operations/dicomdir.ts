import { randomUUID } from 'node:crypto'
import { EXPLICIT_LE } from '#standards/dicom/encoding.ts'
import { joinPieces } from '#standards/dicom/pieces.ts'
import { EXPLICIT_LITTLE_ENDIAN } from '#standards/dicom/transfer-syntax.ts'
import { buildHead, encodeDataSet, type WriteDataSet } from '#standards/dicom/write.ts'
import { type MediaCode, type MediaInstance, recordType } from './media-record.ts'

/** Media Storage Directory Storage. PS3.4 section B.5. */
const MEDIA_STORAGE_DIRECTORY = '1.2.840.10008.1.3.10'

/** Directory elements that stand before the sequence take this long: their values have fixed lengths. */
interface DirectoryRecord {
  readonly type: string
  readonly fields: readonly (readonly [tag: number, vr: string, value: string])[]
  readonly file: MediaInstance | null
  /** Concept Name Code Sequence. */
  readonly title?: MediaCode
  readonly children: DirectoryRecord[]
}

interface Placed {
  readonly record: DirectoryRecord
  readonly next: DirectoryRecord | undefined
  offset: number
}

/**
 * A DICOMDIR for files on a medium, grouped by patient, study and series. PS3.3 Annex F, PS3.10 section 8.6.
 * Texts beyond ASCII are UTF-8 (ISO_IR 192). What a record must have and the object lacks is made up from its place: numbers count.
 */
export function buildDicomdir(instances: readonly MediaInstance[], fileSetId = 'DIPTYCH'): Uint8Array {
  const patients = patientRecords(instances)
  const placed: Placed[] = []
  for (const record of order(patients)) placed.push({ record: record.record, next: record.next, offset: 0 })
  const offsets = new Map<DirectoryRecord, number>()

  const head = buildHead({
    sopClassUID: MEDIA_STORAGE_DIRECTORY,
    sopInstanceUID: `2.25.${BigInt(`0x${randomUUID().replaceAll('-', '')}`)}`,
    transferSyntaxUID: EXPLICIT_LITTLE_ENDIAN,
  })
  // Offsets are of a fixed length, so a first pass with zeros says where everything stands. PS3.3 F.3.2.2.
  let at = head.byteLength + encodeBefore(fileSetId, 0, 0).byteLength + 12
  for (const { record, next } of placed) {
    offsets.set(record, at)
    at += 8 + encodeRecord(record, next, new Map()).byteLength
  }
  const items = placed.map(({ record, next }) => {
    const bytes = encodeRecord(record, next, offsets)
    return Buffer.concat([itemHeader(bytes.byteLength), bytes])
  })
  const sequence = Buffer.concat(items)
  const header = Buffer.alloc(12)
  header.writeUInt16LE(0x0004, 0)
  header.writeUInt16LE(0x1220, 2)
  header.write('SQ', 4, 'latin1')
  header.writeUInt32LE(sequence.byteLength, 8)
  const first = patients[0]
  const last = patients.at(-1)
  const before = encodeBefore(
    fileSetId,
    first === undefined ? 0 : (offsets.get(first) ?? 0),
    last === undefined ? 0 : (offsets.get(last) ?? 0),
  )
  return Buffer.concat([head, before, header, sequence])
}

function encodeBefore(fileSetId: string, first: number, last: number): Uint8Array {
  const set: WriteDataSet = new Map()
  text(set, 0x00041130, 'CS', fileSetId)
  number32(set, 0x00041200, first)
  number32(set, 0x00041202, last)
  number16(set, 0x00041212, 0)
  return joinPieces(encodeDataSet(set, EXPLICIT_LE))
}

function encodeRecord(
  record: DirectoryRecord,
  next: DirectoryRecord | undefined,
  offsets: ReadonlyMap<DirectoryRecord, number>,
): Uint8Array {
  const child = record.children[0]
  const set: WriteDataSet = new Map()
  number32(set, 0x00041400, next === undefined ? 0 : (offsets.get(next) ?? 0))
  number16(set, 0x00041410, 0xffff)
  number32(set, 0x00041420, child === undefined ? 0 : (offsets.get(child) ?? 0))
  text(set, 0x00041430, 'CS', record.type)
  if (record.file !== null) {
    const { stored, fileId } = record.file
    text(set, 0x00041500, 'CS', fileId.join('\\'))
    text(set, 0x00041510, 'UI', stored.sopClassUID)
    text(set, 0x00041511, 'UI', stored.sopInstanceUID)
    text(set, 0x00041512, 'UI', stored.transferSyntaxUID)
  }
  const { title, fields } = record
  if (![...fields.map(([, , value]) => value), title?.meaning ?? ''].every(isAscii)) {
    text(set, 0x00080005, 'CS', 'ISO_IR 192')
  }
  for (const [tag, vr, value] of fields) text(set, tag, vr, value)
  if (title !== undefined) {
    const item: WriteDataSet = new Map()
    text(item, 0x00080100, 'SH', title.value.slice(0, 16))
    text(item, 0x00080102, 'SH', title.scheme)
    text(item, 0x00080104, 'LO', title.meaning)
    set.set(0x0040a043, { tag: 0x0040a043, vr: 'SQ', value: { is: 'items', items: [item] } })
  }
  return joinPieces(encodeDataSet(set, EXPLICIT_LE))
}

/** Every record before its children, with the one that follows it on its level. */
function* order(
  records: readonly DirectoryRecord[],
): Generator<{ readonly record: DirectoryRecord; readonly next: DirectoryRecord | undefined }> {
  for (const [i, record] of records.entries()) {
    yield { record, next: records[i + 1] }
    yield* order(record.children)
  }
}

function patientRecords(instances: readonly MediaInstance[]): readonly DirectoryRecord[] {
  const groups = (list: readonly MediaInstance[], key: (one: MediaInstance) => string) => [
    ...Map.groupBy(list, key).values(),
  ]
  let studies = 0
  return groups(instances, ({ stored }) => stored.patientId).map((ofPatient, p) => {
    const patient = textOf(ofPatient)
    return {
      type: 'PATIENT',
      file: null,
      fields: [
        [0x00100010, 'PN', patient('00100010')],
        [0x00100020, 'LO', patient('00100020') || `NONE-${p + 1}`],
        [0x00100030, 'DA', patient('00100030')],
        [0x00100040, 'CS', patient('00100040')],
      ],
      children: groups(ofPatient, ({ stored }) => stored.studyInstanceUID).map((ofStudy) => {
        const study = textOf(ofStudy)
        studies++
        return {
          type: 'STUDY',
          file: null,
          fields: [
            [0x00080020, 'DA', study('00080020') || study('00080021') || study('00080023') || '19000101'],
            [0x00080030, 'TM', study('00080030') || '000000'],
            [0x00080050, 'SH', study('00080050')],
            [0x00081030, 'LO', study('00081030')],
            [0x0020000d, 'UI', ofStudy[0]?.stored.studyInstanceUID ?? ''],
            [0x00200010, 'SH', study('00200010') || String(studies)],
          ],
          children: groups(ofStudy, ({ stored }) => stored.seriesInstanceUID).map((ofSeries, s) =>
            seriesRecord(ofSeries, s + 1),
          ),
        }
      }),
    }
  })
}

function seriesRecord(ofSeries: readonly MediaInstance[], position: number): DirectoryRecord {
  const series = textOf(ofSeries)
  return {
    type: 'SERIES',
    file: null,
    fields: [
      [0x00080060, 'CS', series('00080060') || 'OT'],
      [0x0008103e, 'LO', series('0008103E')],
      [0x0020000e, 'UI', ofSeries[0]?.stored.seriesInstanceUID ?? ''],
      [0x00200011, 'IS', series('00200011') || String(position)],
    ],
    children: ofSeries.map((file, i): DirectoryRecord => {
      const type = recordType(file.stored.sopClassUID)
      const { text: of } = file
      const date = of('00080023') || of('00080021') || of('00080020') || '19000101'
      const time = of('00080033') || of('00080031') || of('00080030') || '000000'
      const fields: [number, string, string][] = [[0x00200013, 'IS', of('00200013') || String(i + 1)]]
      if (type !== 'IMAGE') fields.push([0x00080023, 'DA', date], [0x00080033, 'TM', time])
      if (type === 'SR DOCUMENT') {
        fields.push([0x0040a491, 'CS', of('0040A491') || 'PARTIAL'], [0x0040a493, 'CS', of('0040A493') || 'UNVERIFIED'])
      }
      if (type === 'PRESENTATION') {
        fields.push([0x00700080, 'CS', of('00700080') || 'UNNAMED'], [0x00700082, 'DA', of('00700082') || date])
        fields.push([0x00700083, 'TM', of('00700083') || time], [0x00700084, 'PN', of('00700084')])
      }
      if (type === 'RT DOSE') fields.push([0x3004000a, 'CS', of('3004000A') || 'PLAN'])
      if (type === 'RT STRUCTURE SET') fields.push([0x30060002, 'SH', of('30060002') || 'UNNAMED'])
      if (type === 'RT PLAN') fields.push([0x300a0002, 'SH', of('300A0002') || 'UNNAMED'])
      if (type === 'ENCAP DOC') {
        fields.push([0x00420010, 'ST', of('00420010')], [0x00420012, 'LO', of('00420012')])
      }
      const titled = type === 'SR DOCUMENT' || type === 'KEY OBJECT DOC' || type === 'ENCAP DOC'
      const title = titled && file.title !== null ? { title: file.title } : {}
      return { type, file, fields, ...title, children: [] }
    }),
  }
}

/** First value that any of the instances has. */
function textOf(instances: readonly MediaInstance[]): (tag: string) => string {
  return (tag) => {
    for (const { text } of instances) {
      const value = text(tag)
      if (value !== '') return value
    }
    return ''
  }
}

function itemHeader(length: number): Buffer {
  const header = Buffer.alloc(8)
  header.writeUInt16LE(0xfffe, 0)
  header.writeUInt16LE(0xe000, 2)
  header.writeUInt32LE(length, 4)
  return header
}

function isAscii(value: string): boolean {
  for (let i = 0; i < value.length; i++) if (value.charCodeAt(i) > 0x7e) return false
  return true
}

function text(set: WriteDataSet, tag: number, vr: string, value: string): void {
  set.set(tag, { tag, vr, value: { is: 'bytes', bytes: Buffer.from(value, 'utf8') } })
}

function number32(set: WriteDataSet, tag: number, value: number): void {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32LE(value)
  set.set(tag, { tag, vr: 'UL', value: { is: 'bytes', bytes } })
}

function number16(set: WriteDataSet, tag: number, value: number): void {
  const bytes = Buffer.alloc(2)
  bytes.writeUInt16LE(value)
  set.set(tag, { tag, vr: 'US', value: { is: 'bytes', bytes } })
}
