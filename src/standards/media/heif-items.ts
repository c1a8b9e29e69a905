import { type ByteSource, slice } from '../byte-source.ts'
import { walkBoxes } from './boxes.ts'
import type { Range } from './patch.ts'

/** An item of a HEIF file that holds metadata. ISO/IEC 23008-12 annex A. */
export interface HeifItem {
  readonly is: 'exif' | 'xmp'
  /** Its bytes, in order. */
  readonly extents: readonly Range[]
}

export interface HeifItems {
  readonly items: readonly HeifItem[]
  /** False when the tables could not be read: there may be more. */
  readonly whole: boolean
}

const TABLE_BYTES_MAX = 4 * 1024 * 1024
const ITEMS_MAX = 10_000
const EXTENTS_MAX = 1000

class Reader {
  readonly #view: DataView
  at = 0

  constructor(bytes: Uint8Array) {
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  }

  get left(): number {
    return this.#view.byteLength - this.at
  }

  /** Big-endian, of 0, 1, 2, 3, 4 or 8 bytes. @throws RangeError past the end */
  uint(bytes: number): number {
    let value = 0
    for (let i = 0; i < bytes; i++) value = value * 256 + this.#view.getUint8(this.at + i)
    this.at += bytes
    return value
  }

  /** @throws RangeError past the end */
  word(): string {
    return String.fromCharCode(this.uint(1), this.uint(1), this.uint(1), this.uint(1))
  }

  /** Up to a NUL. */
  string(): string {
    let text = ''
    while (this.left > 0) {
      const byte = this.uint(1)
      if (byte === 0) break
      if (text.length < 200) text += String.fromCharCode(byte)
    }
    return text
  }
}

/** Finds EXIF and XMP of a HEIF or AVIF file by its item tables. ISO/IEC 14496-12 sections 8.11.3 and 8.11.6. */
export function heifItems(source: ByteSource): HeifItems {
  const meta = walkBoxes(source).boxes.find(({ type }) => type === 'meta')
  if (meta === undefined) return { items: [], whole: true }
  const start = meta.offset + 12
  const inner = slice(source, start, meta.offset + meta.length)
  const { boxes } = walkBoxes(inner)
  const table = (type: string): Uint8Array | null => {
    const box = boxes.find((one) => one.type === type)
    if (box === undefined || box.length > TABLE_BYTES_MAX) return null
    return Uint8Array.from(inner.read(box.offset + 8, box.offset + box.length))
  }
  const info = table('iinf')
  if (info === null) return { items: [], whole: true }
  const data = boxes.find(({ type }) => type === 'idat')
  const dataStart = data === undefined ? null : start + data.offset + 8
  try {
    const wanted = readInfo(info)
    const places = table('iloc')
    if (wanted.size === 0) return { items: [], whole: true }
    if (places === null) return { items: [], whole: false }
    return readPlaces(places, wanted, dataStart, source.size)
  } catch (thrown) {
    if (thrown instanceof RangeError) return { items: [], whole: false }
    throw thrown
  }
}

/** Item ids of EXIF and XMP. */
function readInfo(bytes: Uint8Array): Map<number, HeifItem['is']> {
  const reader = new Reader(bytes)
  const version = reader.uint(1)
  reader.uint(3)
  const count = Math.min(reader.uint(version === 0 ? 2 : 4), ITEMS_MAX)
  const wanted = new Map<number, HeifItem['is']>()
  for (let i = 0; i < count && reader.left >= 8; i++) {
    const at = reader.at
    const length = reader.uint(4)
    if (length < 8 || length > bytes.byteLength - at) break
    const entry = new Reader(bytes.subarray(at, at + length))
    entry.uint(4)
    const type = entry.word()
    const entryVersion = entry.uint(1)
    entry.uint(3)
    if (type === 'infe' && entryVersion >= 2) {
      const id = entry.uint(entryVersion === 2 ? 2 : 4)
      entry.uint(2)
      const itemType = entry.word()
      entry.string()
      if (itemType === 'Exif') wanted.set(id, 'exif')
      else if (itemType === 'mime' && entry.string() === 'application/rdf+xml') wanted.set(id, 'xmp')
    }
    reader.at = at + length
  }
  return wanted
}

function readPlaces(
  bytes: Uint8Array,
  wanted: Map<number, HeifItem['is']>,
  data: number | null,
  size: number,
): HeifItems {
  const reader = new Reader(bytes)
  const version = reader.uint(1)
  reader.uint(3)
  if (version > 2) return { items: [], whole: false }
  const sizes = reader.uint(2)
  const offsetBytes = sizes >> 12
  const lengthBytes = (sizes >> 8) & 15
  const baseBytes = (sizes >> 4) & 15
  const indexBytes = version === 0 ? 0 : sizes & 15
  const count = Math.min(reader.uint(version === 2 ? 4 : 2), ITEMS_MAX)
  const items: HeifItem[] = []
  let whole = true
  for (let i = 0; i < count; i++) {
    const is = wanted.get(reader.uint(version === 2 ? 4 : 2))
    const method = version === 0 ? 0 : reader.uint(2) & 15
    const reference = reader.uint(2)
    const base = reader.uint(baseBytes)
    const extentCount = reader.uint(2)
    const extents: Range[] = []
    if (extentCount > EXTENTS_MAX) return { items, whole: false }
    const origin = method === 0 ? 0 : method === 1 ? data : null
    for (let j = 0; j < extentCount; j++) {
      reader.uint(indexBytes)
      const start = (origin ?? 0) + base + reader.uint(offsetBytes)
      const length = reader.uint(lengthBytes)
      // A length of zero means all the rest.
      const end = length === 0 ? size : start + length
      if (Number.isSafeInteger(end) && end <= size && start < end) extents.push({ start, end })
      else if (is !== undefined) whole = false
    }
    if (is === undefined) continue
    if (origin === null || reference !== 0) whole = false
    else items.push({ is, extents })
  }
  return { items, whole }
}
