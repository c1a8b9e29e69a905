import type { ByteWindow } from './byte-window.ts'
import { isUsOrSs, vrOf } from './dictionary.ts'
import type { Encoding } from './encoding.ts'
import { DicomError } from './errors.ts'
import { areVrLetters, isLongForm, vrOfLetters } from './value-representation.ts'
import type { WalkLevel } from './walk-level.ts'

/** Reads element headers of a walk: PS3.5 section 7.1. What was read last stands in the fields. */
export class HeaderReader {
  tag = 0
  /** Empty for item and delimiter tags of an explicit encoding. */
  vr = ''
  length = 0
  valueAt = 0
  readonly #window: ByteWindow
  readonly #tell: (rule: string, detail: string, offset: number, tag: number) => void
  #depth = 0
  #elements = 0

  constructor(window: ByteWindow, tell: (rule: string, detail: string, offset: number, tag: number) => void) {
    this.#window = window
    this.#tell = tell
  }

  /** Reads the header at `at` into the fields. @returns false when trailing bytes begin here. */
  read(level: WalkLevel, at: number, depth: number, elements: number): boolean {
    this.#depth = depth
    this.#elements = elements
    const { encoding, itemEnd } = level
    if (at + 8 > itemEnd) return this.#noHeader(level, at)
    const tag = this.tagAt(at, encoding)
    this.tag = tag
    this.valueAt = at + 8
    if (!encoding.explicit || tag >>> 16 === 0xfffe) {
      this.length = this.uint32At(at + 4, encoding)
      if (tag === 0 && this.length === 0) return this.#noHeader(level, at)
      this.vr = encoding.explicit ? '' : this.#implicitVr(level, tag)
      return true
    }
    const index = this.#window.ensure(at, 8)
    const { bytes } = this.#window
    const first = bytes[index + 4]!
    const second = bytes[index + 5]!
    const vr = vrOfLetters(first, second)
    if (vr === undefined) return this.#unknownVr(level, at, tag, areVrLetters(first, second))
    this.vr = vr
    if (!isLongForm(first, second)) {
      this.length = encoding.bigEndian
        ? (bytes[index + 6]! << 8) | bytes[index + 7]!
        : bytes[index + 6]! | (bytes[index + 7]! << 8)
      return true
    }
    if (at + 12 > itemEnd) return this.#noHeader(level, at)
    this.valueAt = at + 12
    this.length = this.uint32At(at + 8, encoding)
    return true
  }

  /** Bytes that cannot begin an element: trailing ones behind a data set, damage anywhere else. */
  #noHeader(level: WalkLevel, at: number): false {
    if (this.#depth === 0 && this.#elements > 0) return false
    throw new DicomError('dicom.malformed', 'R1', 'no element header', at, this.#depth > 0 ? level.sequenceTag : null)
  }

  /** Letters nobody knows: the header form that makes the next header plausible. PS3.5 section 6.2.2 has the long one. */
  #unknownVr(level: WalkLevel, at: number, tag: number, areLetters: boolean): boolean {
    const index = this.#window.ensure(at, 8)
    const letters = String.fromCharCode(this.#window.bytes[index + 4]!, this.#window.bytes[index + 5]!)
    for (const long of areLetters ? [true, false] : [false, true]) {
      const header = long ? 12 : 8
      if (at + header > level.itemEnd) continue
      const length = long ? this.uint32At(at + 8, level.encoding) : this.uint16At(at + 6, level.encoding)
      const next = at + header + length
      if (next > level.itemEnd || !this.#isHeader(level, next, tag)) continue
      this.vr = 'UN'
      this.length = length
      this.valueAt = at + header
      this.#tell('vr-unknown', `value representation ${JSON.stringify(letters)}`, at, tag)
      return true
    }
    return this.#noHeader(level, at)
  }

  /** True when the data set ends at `at` or an explicit header with a higher tag stands there. */
  #isHeader(level: WalkLevel, at: number, after: number): boolean {
    if (at === level.itemEnd) return true
    if (at + 8 > level.itemEnd) return false
    const tag = this.tagAt(at, level.encoding)
    if (tag >>> 16 === 0xfffe) return this.#depth > 0
    const index = this.#window.ensure(at, 8)
    return tag > after && vrOfLetters(this.#window.bytes[index + 4]!, this.#window.bytes[index + 5]!) !== undefined
  }

  #implicitVr(level: WalkLevel, tag: number): string {
    if ((tag & 0x10000) !== 0 && level.creators !== null) {
      return vrOf(tag, level.creators.get(((tag >>> 16) << 8) | ((tag >>> 8) & 0xff)))
    }
    const vr = vrOf(tag)
    return level.signed && vr === 'US' && isUsOrSs(tag) ? 'SS' : vr
  }

  keepCreator(level: WalkLevel, tag: number, valueAt: number, length: number): void {
    const element = tag & 0xffff
    if (element < 0x10 || element > 0xff || length > 64) return
    const index = this.#window.ensure(valueAt, length)
    level.creators ??= new Map()
    const name = String.fromCharCode(...this.#window.bytes.subarray(index, index + length))
    level.creators.set(((tag >>> 16) << 8) | element, name.trim())
  }

  tagAt(at: number, encoding: Encoding): number {
    const i = this.#window.ensure(at, 4)
    const { bytes } = this.#window
    return encoding.bigEndian
      ? ((bytes[i]! << 24) | (bytes[i + 1]! << 16) | (bytes[i + 2]! << 8) | bytes[i + 3]!) >>> 0
      : ((bytes[i + 1]! << 24) | (bytes[i]! << 16) | (bytes[i + 3]! << 8) | bytes[i + 2]!) >>> 0
  }

  uint32At(at: number, encoding: Encoding): number {
    const i = this.#window.ensure(at, 4)
    const { bytes } = this.#window
    return encoding.bigEndian
      ? ((bytes[i]! << 24) | (bytes[i + 1]! << 16) | (bytes[i + 2]! << 8) | bytes[i + 3]!) >>> 0
      : ((bytes[i + 3]! << 24) | (bytes[i + 2]! << 16) | (bytes[i + 1]! << 8) | bytes[i]!) >>> 0
  }

  uint16At(at: number, encoding: Encoding): number {
    const i = this.#window.ensure(at, 2)
    const { bytes } = this.#window
    return encoding.bigEndian ? (bytes[i]! << 8) | bytes[i + 1]! : bytes[i]! | (bytes[i + 1]! << 8)
  }
}
