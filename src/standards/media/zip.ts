import { type FileHandle, open } from 'node:fs/promises'
import zlib from 'node:zlib'
import { type NameProblem, readEntryName } from './entry-name.ts'
import { readZipDirectory, type ZipRecord } from './zip-directory.ts'
import { ZIP_LIMITS, ZipError, type ZipLimits } from './zip-limits.ts'

export interface ZipMember {
  /** A label only: never a path. */
  readonly name: string
  readonly nameProblems: readonly NameProblem[]
  readonly kind: 'file' | 'directory' | 'link' | 'device'
  readonly encrypted: boolean
  /** As the archive claims; nobody allocates by it. */
  readonly declaredSize: number
  /**
   * Unpacks, counting while it streams. The member is good only when the iteration ends without a throw.
   * @throws ZipError `ratio`, `size`, `crc`, `encrypted`, `method`, `damaged`
   */
  open(): AsyncGenerator<Uint8Array>
}

/** An open archive; close it when done. */
export class ZipArchive {
  private readonly file: FileHandle
  private readonly records: readonly ZipRecord[]
  private readonly limits: ZipLimits
  private unpacked = 0

  private constructor(file: FileHandle, records: readonly ZipRecord[], limits: ZipLimits) {
    this.file = file
    this.records = records
    this.limits = limits
  }

  /**
   * Reads and checks the directory; no member is touched.
   *
   * @throws ZipError `not-a-zip`, `damaged`, `entries`, `overlap`
   */
  static async open(path: string | Buffer, limits: ZipLimits = ZIP_LIMITS): Promise<ZipArchive> {
    const file = await open(path, 'r')
    try {
      const { size } = await file.stat()
      const records = await readZipDirectory(reader(file), size, limits)
      return new ZipArchive(file, records, limits)
    } catch (thrown) {
      await file.close()
      throw thrown
    }
  }

  get count(): number {
    return this.records.length
  }

  /** Members in the order of the directory. */
  async *members(): AsyncGenerator<ZipMember> {
    for (const record of this.records) {
      const { label, problems } = readEntryName(record.name)
      yield {
        name: label,
        nameProblems: problems,
        kind: record.kind,
        encrypted: record.encrypted,
        declaredSize: record.size,
        open: () => this.unpack(record, label),
      }
    }
  }

  /** Forgets what was unpacked so far: the bound on all members together counts anew for another reading. */
  rewind(): void {
    this.unpacked = 0
  }

  async close(): Promise<void> {
    await this.file.close()
  }

  private async *unpack(record: ZipRecord, label: string): AsyncGenerator<Uint8Array> {
    if (record.encrypted) throw new ZipError('encrypted', `${label} is encrypted`, record.headerOffset)
    if (record.method !== 0 && record.method !== 8) {
      throw new ZipError('method', `${label} is packed by method ${record.method}`, record.headerOffset)
    }
    const start = await this.dataStart(record, label)
    let crc = 0
    let size = 0
    const packed = { bytes: 0 }
    const chunks = record.method === 0 ? this.raw(start, record, packed) : this.inflate(start, record, packed)
    for await (const chunk of chunks) {
      size += chunk.byteLength
      this.unpacked += chunk.byteLength
      this.check(record, label, size, packed.bytes)
      crc = zlib.crc32(chunk, crc)
      yield chunk
    }
    if (size !== record.size) {
      throw new ZipError('size', `${label} claims ${record.size} bytes and has ${size}`, record.headerOffset)
    }
    if (crc !== record.crc32) throw new ZipError('crc', `${label} does not match its checksum`, record.headerOffset)
  }

  private check(record: ZipRecord, label: string, size: number, packed: number): void {
    const { limits } = this
    if (size > record.size) throw new ZipError('size', `${label} unpacks to more than it claims`, record.headerOffset)
    if (size > limits.memberBytes)
      throw new ZipError('size', `${label} is larger than ${limits.memberBytes} bytes`, record.headerOffset)
    if (this.unpacked > limits.totalBytes) {
      throw new ZipError('size', `the archive unpacks to more than ${limits.totalBytes} bytes`, record.headerOffset)
    }
    if (size > limits.ratioAfterBytes && size > limits.ratio * Math.max(1, packed)) {
      throw new ZipError('ratio', `${label} unpacks to more than ${limits.ratio} times its size`, record.headerOffset)
    }
  }

  /** The local header is checked against the directory: two readers must not see two names for one member. */
  private async dataStart(record: ZipRecord, label: string): Promise<number> {
    const header = await reader(this.file)(record.headerOffset, 30)
    const view = new DataView(header.buffer, header.byteOffset, header.byteLength)
    if (header.byteLength < 30 || view.getUint32(0, true) !== 0x04034b50) {
      throw new ZipError('damaged', `${label} has no header where the directory says`, record.headerOffset)
    }
    const name = await reader(this.file)(record.headerOffset + 30, view.getUint16(26, true))
    if (Buffer.compare(name, record.name) !== 0) {
      throw new ZipError('damaged', `${label} has another name in its own header`, record.headerOffset)
    }
    return record.headerOffset + 30 + view.getUint16(26, true) + view.getUint16(28, true)
  }

  private async *raw(start: number, record: ZipRecord, packed: { bytes: number }): AsyncGenerator<Uint8Array> {
    const read = reader(this.file)
    for (let at = 0; at < record.packedSize; ) {
      const chunk = await read(start + at, Math.min(CHUNK_BYTES, record.packedSize - at))
      if (chunk.byteLength === 0) throw new ZipError('damaged', 'the archive ends within a member', start + at)
      at += chunk.byteLength
      packed.bytes = at
      yield chunk
    }
  }

  private async *inflate(start: number, record: ZipRecord, packed: { bytes: number }): AsyncGenerator<Uint8Array> {
    const inflate = zlib.createInflateRaw({ chunkSize: CHUNK_BYTES })
    let failure: Error | null = null
    const feed = async () => {
      for await (const chunk of this.raw(start, record, packed)) {
        if (inflate.destroyed) return
        if (!inflate.write(chunk)) {
          await new Promise<void>((resolve) => {
            inflate.once('drain', resolve)
            inflate.once('close', resolve)
          })
        }
      }
      inflate.end()
    }
    const feeding = feed().catch((thrown: Error) => {
      failure = thrown
      inflate.destroy(thrown)
    })
    try {
      for await (const chunk of inflate) yield chunk as Uint8Array
    } catch (thrown) {
      if (failure !== null) throw failure
      if (thrown instanceof ZipError) throw thrown
      throw new ZipError('damaged', `a member does not unpack: ${(thrown as Error).message}`, record.headerOffset)
    } finally {
      inflate.destroy()
      await feeding
    }
  }
}

const CHUNK_BYTES = 64 * 1024

/** Reads `length` bytes at `offset`; fewer at the end of the file. */
function reader(file: FileHandle): (offset: number, length: number) => Promise<Buffer> {
  return async (offset, length) => {
    const buffer = Buffer.allocUnsafe(length)
    let filled = 0
    while (filled < length) {
      const { bytesRead } = await file.read(buffer, filled, length - filled, offset + filled)
      if (bytesRead === 0) break
      filled += bytesRead
    }
    return buffer.subarray(0, filled)
  }
}
