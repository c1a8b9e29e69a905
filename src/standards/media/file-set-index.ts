import type { ByteSource } from '../byte-source.ts'
import { type Encoding, IMPLICIT_LE } from '../dicom/encoding.ts'
import { readFileMeta } from '../dicom/file-meta.ts'
import { DEFAULT_LIMITS } from '../dicom/limits.ts'
import { QuietVisitor } from '../dicom/quiet-visitor.ts'
import { transferSyntax } from '../dicom/transfer-syntax.ts'
import { walkDataSet } from '../dicom/walk.ts'

/** A directory record of a DICOMDIR. PS3.3 section F.3.2.2. */
export interface DirectoryRecord {
  /** Offset in bytes of the record's item, from the start of the file: what other records point to. */
  readonly offset: number
  /** (0004,1500) as its components; null when the record references no file. */
  readonly fileId: readonly string[] | null
  /** (0004,1400) and (0004,1420), bytes from the start of the file; 0 is none. */
  readonly next: number
  readonly lower: number
}

/** What a DICOMDIR lists. Facts about bytes; nothing is resolved. */
export interface FileSetIndex {
  /** (0004,1200): offset of the first record of the root. */
  readonly root: number
  readonly records: readonly DirectoryRecord[]
  readonly size: number
}

/** Records read at most. */
export const RECORDS_MAX = 500_000

/** Head bytes that hold group 0002 of any DICOMDIR. */
const HEAD_BYTES = 1024 * 1024

/**
 * Reads the records of a DICOMDIR in the order of their bytes, whatever their offsets claim; so no offset can make
 * the reader loop.
 *
 * @returns null when it is no Part 10 file, or in a transfer syntax a DICOMDIR cannot have
 * @throws DicomError for malformed data sets
 * @see PS3.10 section 8.6, PS3.3 Annex F
 */
export function readFileSetIndex(source: ByteSource): FileSetIndex | null {
  const head = source.read(0, Math.min(source.size, HEAD_BYTES))
  const meta = readFileMeta(head, DEFAULT_LIMITS, true)
  if (meta.kind !== 'part10') return null
  const syntax = meta.transferSyntaxUID === null ? undefined : transferSyntax(meta.transferSyntaxUID)
  if (syntax?.deflated || syntax?.encapsulated) return null
  const encoding: Encoding =
    syntax === undefined ? IMPLICIT_LE : { explicit: syntax.explicit, bigEndian: syntax.bigEndian }
  const visitor = new RecordVisitor(source, encoding.bigEndian)
  walkDataSet(source, encoding, meta.dataSetStart, source.size, visitor, DEFAULT_LIMITS)
  return { root: visitor.root, records: visitor.records, size: source.size }
}

type Draft = { -readonly [K in keyof DirectoryRecord]: DirectoryRecord[K] }

class RecordVisitor extends QuietVisitor {
  root = 0
  readonly records: Draft[] = []
  readonly #source: ByteSource
  readonly #bigEndian: boolean

  constructor(source: ByteSource, bigEndian: boolean) {
    super()
    this.#source = source
    this.#bigEndian = bigEndian
  }

  override startItem(_index: number, _at: number, _length: number, depth: number, headerOffset: number): void {
    if (depth !== 1 || this.records.length >= RECORDS_MAX) return
    this.records.push({ offset: headerOffset, fileId: null, next: 0, lower: 0 })
  }

  override element(tag: number, _vr: string, at: number, length: number, depth: number): void {
    if (tag === 0x00041200 && depth === 0) this.root = this.#number(at, length)
    const record = this.records.at(-1)
    if (depth !== 1 || record === undefined) return
    if (tag === 0x00041400) record.next = this.#number(at, length)
    else if (tag === 0x00041420) record.lower = this.#number(at, length)
    else if (tag === 0x00041500 && length > 0) record.fileId = this.#components(at, length)
  }

  #number(at: number, length: number): number {
    const bytes = this.#source.read(at, at + Math.min(length, 4))
    if (bytes.byteLength < 4) return 0
    return new DataView(bytes.buffer, bytes.byteOffset, 4).getUint32(0, !this.#bigEndian)
  }

  /** Eight components of eight characters at most (PS3.10 section 8.5); longer ones are read up to 1 KiB. */
  #components(at: number, length: number): readonly string[] {
    const bytes = this.#source.read(at, at + Math.min(length, 1024))
    let text = ''
    for (const byte of bytes) text += String.fromCharCode(byte)
    return text.split('\\').map((component) => component.replace(/[\0 ]+$/, '').replace(/^ +/, ''))
  }
}
