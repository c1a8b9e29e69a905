/** Disc images: ISO 9660 (ECMA-119) interchange level 1, written in one pass. */
import type { FileHandle } from 'node:fs/promises'

/** Bytes of a logical sector and block. ECMA-119 section 6.1.2. */
export const SECTOR_BYTES = 2048
/** One file section holds less than 4 GiB; level 1 has one section per file. ECMA-119 section 10.1. */
export const ISO_FILE_BYTES_MAX = 0xffffffff
/** The system area, the primary volume descriptor and the terminator. ECMA-119 section 6.2. */
const DATA_START = 18
const DIRECTORY_DEPTH_MAX = 8

interface IsoFile {
  readonly identifier: string
  readonly extent: number
  readonly length: number
}

interface IsoDirectory {
  readonly identifier: string
  readonly parent: IsoDirectory | null
  readonly directories: Map<string, IsoDirectory>
  readonly files: IsoFile[]
  extent: number
  length: number
  number: number
}

export interface IsoLabel {
  /** Volume identifier: at most 32 of A-Z, 0-9, `_`. */
  readonly volume: string
  readonly time: Date
  readonly application: string
}

/**
 * Writes an image into an open, empty file. Contents come first and directories behind them, so nothing has to be known
 * before its turn; the volume descriptor, which says where the directories are, is written last into its place.
 */
export class IsoWriter {
  readonly #file: FileHandle
  readonly #label: IsoLabel
  readonly #root: IsoDirectory = directory('', null)
  #sector = DATA_START

  constructor(file: FileHandle, label: IsoLabel) {
    if (!/^[A-Z0-9_]{1,32}$/.test(label.volume)) throw new RangeError(`${label.volume} is no volume identifier`)
    this.#file = file
    this.#label = label
  }

  /**
   * Adds a file. A failure while its content is read leaves no trace of it: the next file takes its place.
   * @param path directories of at most eight characters A-Z, 0-9, `_`, then a name of at most eight and three
   * @throws RangeError for a name or a size that level 1 does not have, or a content of another length than `size`
   */
  async add(path: readonly string[], size: number, content: AsyncIterable<Uint8Array>): Promise<void> {
    const name = path.at(-1) ?? ''
    if (!/^[A-Z0-9_]{1,8}(\.[A-Z0-9_]{1,3})?$/.test(name)) throw new RangeError(`${name} is no level 1 name`)
    if (size > ISO_FILE_BYTES_MAX) throw new RangeError(`${name} is too long for one file section`)
    let at = this.#sector * SECTOR_BYTES
    let written = 0
    for await (const piece of content) {
      written += piece.byteLength
      if (written > size) break
      await writeFully(this.#file, piece, at)
      at += piece.byteLength
    }
    if (written !== size) throw new RangeError(`${name} has another length than ${size} bytes`)
    const within = this.#directory(path.slice(0, -1))
    const identifier = name.includes('.') ? `${name};1` : `${name}.;1`
    if (within.files.some((file) => file.identifier === identifier)) throw new RangeError(`${name} twice`)
    within.files.push({ identifier, extent: size === 0 ? 0 : this.#sector, length: size })
    this.#sector += sectors(size)
  }

  /** Writes directories, path tables and descriptors. @returns the length of the image in bytes */
  async finish(): Promise<number> {
    const all = this.#numbered()
    const table = pathTableLength(all)
    const little = this.#take(table)
    const big = this.#take(table)
    for (const each of all) {
      each.length = directoryLength(each)
      each.extent = this.#take(each.length)
    }
    await this.#put(little, pathTable(all, false))
    await this.#put(big, pathTable(all, true))
    for (const each of all) await this.#put(each.extent, directoryBytes(each, this.#label.time))
    await this.#put(16, this.#descriptor(table, little, big))
    const terminator = Buffer.alloc(SECTOR_BYTES)
    terminator[0] = 255
    terminator.write('CD001', 1, 'latin1')
    terminator[6] = 1
    await this.#put(17, terminator)
    const length = this.#sector * SECTOR_BYTES
    await this.#file.truncate(length)
    return length
  }

  #take(bytes: number): number {
    const at = this.#sector
    this.#sector += sectors(bytes)
    return at
  }

  async #put(sector: number, bytes: Uint8Array): Promise<void> {
    await writeFully(this.#file, bytes, sector * SECTOR_BYTES)
  }

  #directory(path: readonly string[]): IsoDirectory {
    if (path.length >= DIRECTORY_DEPTH_MAX) throw new RangeError('directories nest at most eight deep')
    let at = this.#root
    for (const name of path) {
      if (!/^[A-Z0-9_]{1,8}$/.test(name)) throw new RangeError(`${name} is no level 1 directory name`)
      const found = at.directories.get(name) ?? directory(name, at)
      at.directories.set(name, found)
      at = found
    }
    return at
  }

  /** By level, then by parent, then by name: the order of a path table. ECMA-119 section 6.9.1. */
  #numbered(): readonly IsoDirectory[] {
    const all = [this.#root]
    for (let i = 0; i < all.length; i++) {
      const each = all[i]!
      each.number = i + 1
      if (each.number > 0xffff) throw new RangeError('a path table holds at most 65535 directories')
      all.push(...[...each.directories.values()].sort((a, b) => compare(a.identifier, b.identifier)))
    }
    return all
  }

  /** Primary Volume Descriptor. ECMA-119 section 8.4. */
  #descriptor(table: number, little: number, big: number): Buffer {
    const { volume, time, application } = this.#label
    const at = Buffer.alloc(SECTOR_BYTES)
    at[0] = 1
    at.write('CD001', 1, 'latin1')
    at[6] = 1
    padded(at, 8, 32, '')
    padded(at, 40, 32, volume)
    both32(at, 80, this.#sector)
    both16(at, 120, 1)
    both16(at, 124, 1)
    both16(at, 128, SECTOR_BYTES)
    both32(at, 132, table)
    at.writeUInt32LE(little, 140)
    at.writeUInt32BE(big, 148)
    record('\0', this.#root.extent, this.#root.length, true, time).copy(at, 156)
    for (const [from, length] of [
      [190, 128],
      [318, 128],
      [446, 128],
    ] as const)
      padded(at, from, length, '')
    padded(at, 574, 128, application)
    padded(at, 702, 111, '')
    longTime(at, 813, time)
    longTime(at, 830, time)
    longTime(at, 847, null)
    longTime(at, 864, null)
    at[881] = 1
    return at
  }
}

function directory(identifier: string, parent: IsoDirectory | null): IsoDirectory {
  return { identifier, parent, directories: new Map(), files: [], extent: 0, length: 0, number: 0 }
}

const sectors = (bytes: number): number => Math.ceil(bytes / SECTOR_BYTES)

/** Name, then extension, each as if filled up with spaces. ECMA-119 section 9.3. */
function compare(a: string, b: string): number {
  const key = (identifier: string) => {
    const [name = '', extension = ''] = identifier.replace(/;1$/, '').split('.')
    return name.padEnd(8) + extension.padEnd(3)
  }
  return key(a) < key(b) ? -1 : 1
}

interface Entry {
  readonly identifier: string
  readonly extent: number
  readonly length: number
  readonly isDirectory: boolean
}

function entriesOf(each: IsoDirectory): readonly Entry[] {
  const parent = each.parent ?? each
  const below: Entry[] = [
    ...[...each.directories.values()].map((one) => ({ ...entry(one), isDirectory: true })),
    ...each.files.map((one) => ({ ...entry(one), isDirectory: false })),
  ].sort((a, b) => compare(a.identifier, b.identifier))
  return [
    { identifier: '\0', extent: each.extent, length: each.length, isDirectory: true },
    { identifier: '\x01', extent: parent.extent, length: parent.length, isDirectory: true },
    ...below,
  ]
}

function entry({ identifier, extent, length }: IsoDirectory | IsoFile): Omit<Entry, 'isDirectory'> {
  return { identifier, extent, length }
}

const recordLength = (identifier: string): number => 33 + identifier.length + (identifier.length % 2 === 0 ? 1 : 0)

/** No record goes over the end of a sector. ECMA-119 section 6.8.1.1. */
function directoryLength(each: IsoDirectory): number {
  let at = 0
  for (const { identifier } of entriesOf(each)) at = fitting(at, recordLength(identifier)) + recordLength(identifier)
  return sectors(at) * SECTOR_BYTES
}

function fitting(at: number, length: number): number {
  return (at % SECTOR_BYTES) + length > SECTOR_BYTES ? sectors(at) * SECTOR_BYTES : at
}

function directoryBytes(each: IsoDirectory, time: Date): Buffer {
  const bytes = Buffer.alloc(each.length)
  let at = 0
  for (const { identifier, extent, length, isDirectory } of entriesOf(each)) {
    const one = record(identifier, extent, length, isDirectory, time)
    at = fitting(at, one.byteLength)
    one.copy(bytes, at)
    at += one.byteLength
  }
  return bytes
}

/** Directory Record. ECMA-119 section 9.1. */
function record(identifier: string, extent: number, length: number, isDirectory: boolean, time: Date): Buffer {
  const bytes = Buffer.alloc(recordLength(identifier))
  bytes[0] = bytes.byteLength
  both32(bytes, 2, extent)
  both32(bytes, 10, length)
  const parts = [time.getUTCFullYear() - 1900, time.getUTCMonth() + 1, time.getUTCDate()]
  parts.push(time.getUTCHours(), time.getUTCMinutes(), time.getUTCSeconds(), 0)
  for (const [i, part] of parts.entries()) bytes[18 + i] = part
  bytes[25] = isDirectory ? 2 : 0
  both16(bytes, 28, 1)
  bytes[32] = identifier.length
  bytes.write(identifier, 33, 'latin1')
  return bytes
}

function pathTableLength(all: readonly IsoDirectory[]): number {
  return all.reduce((sum, each) => sum + pathRecordLength(each), 0)
}

function pathRecordLength({ identifier }: IsoDirectory): number {
  const length = Math.max(1, identifier.length)
  return 8 + length + (length % 2)
}

/** Path Table. ECMA-119 section 9.4. */
function pathTable(all: readonly IsoDirectory[], bigEndian: boolean): Buffer {
  return Buffer.concat(
    all.map((each) => {
      const bytes = Buffer.alloc(pathRecordLength(each))
      const parent = (each.parent ?? each).number
      bytes[0] = Math.max(1, each.identifier.length)
      if (bigEndian) {
        bytes.writeUInt32BE(each.extent, 2)
        bytes.writeUInt16BE(parent, 6)
      } else {
        bytes.writeUInt32LE(each.extent, 2)
        bytes.writeUInt16LE(parent, 6)
      }
      bytes.write(each.identifier, 8, 'latin1')
      return bytes
    }),
  )
}

function both16(into: Buffer, at: number, value: number): void {
  into.writeUInt16LE(value, at)
  into.writeUInt16BE(value, at + 2)
}

function both32(into: Buffer, at: number, value: number): void {
  into.writeUInt32LE(value, at)
  into.writeUInt32BE(value, at + 4)
}

function padded(into: Buffer, at: number, length: number, text: string): void {
  into.fill(0x20, at, at + length)
  into.write(text.slice(0, length), at, 'latin1')
}

/** ECMA-119 section 8.4.26.1; null is a time that is not given. */
function longTime(into: Buffer, at: number, time: Date | null): void {
  const text = time === null ? '0'.repeat(16) : time.toISOString().replace(/\D/g, '').slice(0, 16)
  into.write(text, at, 'latin1')
}

async function writeFully(file: FileHandle, bytes: Uint8Array, position: number): Promise<void> {
  for (let done = 0; done < bytes.byteLength; ) {
    const { bytesWritten } = await file.write(bytes, done, bytes.byteLength - done, position + done)
    done += bytesWritten
  }
}
