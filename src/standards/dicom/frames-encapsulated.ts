import { type ByteSource, READ_BYTES_MAX } from '../byte-source.ts'
import type { PixelElement, ValueRange } from './pixel-element.ts'
import type { TransferSyntax } from './transfer-syntax.ts'

/** How frame boundaries were found. */
export type FoundBy = 'single' | 'video' | 'extended-table' | 'basic-table' | 'one-per-frame' | 'markers' | 'none'

/** Frames in fragments. PS3.5 section A.4. */
export interface EncapsulatedFrames {
  readonly kind: 'encapsulated'
  readonly tag: number
  readonly count: number
  readonly foundBy: FoundBy
  /** Of each fragment's value. */
  readonly fragmentOffsets: Float64Array
  readonly fragmentLengths: Float64Array
  /** Index of each frame's first fragment, and one more for the end; a frame without fragments is not available. */
  readonly firstFragment: Uint32Array
  /** Length of each frame without padding, from the Extended Offset Table Lengths; null when not told. */
  readonly exactLengths: Float64Array | null
}

interface Boundaries {
  readonly foundBy: FoundBy
  readonly firstFragment: Uint32Array
  readonly exactLengths?: Float64Array
}

/** More frames than this are not believed: threats.md section 4, items per sequence. */
const FRAMES_MAX = 5_000_000

/**
 * Finds frame boundaries. An offset table counts only when every entry is the beginning of a fragment, in order, and
 * (where frames have more than one) of a codestream: a table that lies is not used at all (threats.md R7).
 */
export function encapsulatedFrames(
  pixel: PixelElement,
  fragments: readonly ValueRange[],
  syntax: TransferSyntax,
  dataSet: ByteSource,
): EncapsulatedFrames | null {
  const frames = syntax.multiFrameVideo ? 1 : pixel.numberOfFrames
  if (frames === 0 || frames > FRAMES_MAX) return null
  const fragmentOffsets = new Float64Array(fragments.length)
  const fragmentLengths = new Float64Array(fragments.length)
  for (let i = 0; i < fragments.length; i++) {
    fragmentOffsets[i] = fragments[i]!.offset
    fragmentLengths[i] = fragments[i]!.length
  }
  const search = new BoundarySearch(fragments, frames, syntax, dataSet)
  const { foundBy, firstFragment, exactLengths } =
    fragments.length === 0 ? search.none() : syntax.multiFrameVideo ? search.all('video') : search.find(pixel)
  return {
    kind: 'encapsulated',
    tag: pixel.tag,
    count: frames,
    foundBy,
    fragmentOffsets,
    fragmentLengths,
    firstFragment,
    exactLengths: exactLengths ?? null,
  }
}

class BoundarySearch {
  readonly #fragments: readonly ValueRange[]
  readonly #frames: number
  readonly #syntax: TransferSyntax
  readonly #dataSet: ByteSource

  constructor(fragments: readonly ValueRange[], frames: number, syntax: TransferSyntax, dataSet: ByteSource) {
    this.#fragments = fragments
    this.#frames = frames
    this.#syntax = syntax
    this.#dataSet = dataSet
  }

  none(): Boundaries {
    return { foundBy: 'none', firstFragment: new Uint32Array(this.#frames + 1) }
  }

  all(foundBy: FoundBy): Boundaries {
    return { foundBy, firstFragment: Uint32Array.of(0, this.#fragments.length) }
  }

  find(pixel: PixelElement): Boundaries {
    const fragments = this.#fragments.length
    const extended = this.#extended(pixel)
    if (extended !== null) return extended
    if (this.#frames === 1) return this.all('single')
    const basic = this.#basic(pixel)
    if (basic !== null) return basic
    if (fragments === this.#frames) return { foundBy: 'one-per-frame', firstFragment: ascending(fragments, fragments) }
    if (fragments > this.#frames) return this.#byMarkers() ?? this.none()
    // Fewer fragments than frames: a file that was cut. Each one that begins a codestream is the frame of its number.
    if (!this.#fragments.every((_, index) => this.#begins(index))) return this.none()
    return { foundBy: 'one-per-frame', firstFragment: ascending(this.#frames, fragments) }
  }

  /** One fragment per frame, 64-bit offsets. PS3.3 section C.7.6.3.1.8. */
  #extended({ extendedOffsetTable, extendedOffsetTableLengths, bigEndian }: PixelElement): Boundaries | null {
    if (extendedOffsetTable === null || bigEndian || this.#fragments.length !== this.#frames) return null
    const offsets = this.#table(extendedOffsetTable, 8)
    if (offsets === null || this.#beginnings(offsets) === null) return null
    const firstFragment = ascending(this.#frames, this.#frames)
    const lengths = extendedOffsetTableLengths === null ? null : this.#table(extendedOffsetTableLengths, 8)
    const fits = lengths?.every((length, index) => {
      const fragment = this.#fragments[index]!.length
      return length <= fragment && length >= fragment - 1
    })
    if (lengths === null || fits !== true) return { foundBy: 'extended-table', firstFragment }
    return { foundBy: 'extended-table', firstFragment, exactLengths: lengths }
  }

  #basic({ basicOffsetTable }: PixelElement): Boundaries | null {
    if (basicOffsetTable === null) return null
    const offsets = this.#table(basicOffsetTable, 4)
    if (offsets === null) return null
    const starts = this.#beginnings(offsets)
    if (starts === null) return null
    const firstFragment = new Uint32Array(this.#frames + 1)
    firstFragment.set(starts)
    firstFragment[this.#frames] = this.#fragments.length
    if (this.#fragments.length > this.#frames && hasMark(this.#syntax)) {
      for (const index of starts) if (!this.#begins(index)) return null
    }
    return { foundBy: 'basic-table', firstFragment }
  }

  /** The entries of a table of one unsigned number per frame; null when it has another length. */
  #table({ offset, length }: ValueRange, size: 4 | 8): Float64Array | null {
    if (length !== this.#frames * size || length > READ_BYTES_MAX) return null
    const bytes = this.#dataSet.read(offset, offset + length)
    if (bytes.length !== length) return null
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    const entries = new Float64Array(this.#frames)
    for (let i = 0; i < entries.length; i++) {
      entries[i] = size === 4 ? view.getUint32(i * 4, true) : Number(view.getBigUint64(i * 8, true))
    }
    return entries
  }

  /** Indices of the fragments whose item headers the offsets point at; null unless they are strictly ascending from 0. */
  #beginnings(offsets: Float64Array): Uint32Array | null {
    const base = this.#fragments[0]!.offset - 8
    const starts = new Uint32Array(offsets.length)
    let fragment = 0
    for (let i = 0; i < offsets.length; i++) {
      const wanted = base + offsets[i]!
      while (fragment < this.#fragments.length && this.#fragments[fragment]!.offset - 8 < wanted) fragment++
      if (fragment === this.#fragments.length || this.#fragments[fragment]!.offset - 8 !== wanted) return null
      if (i === 0 ? fragment !== 0 : fragment <= starts[i - 1]!) return null
      starts[i] = fragment
    }
    return starts
  }

  #byMarkers(): Boundaries | null {
    if (!hasMark(this.#syntax)) return null
    const starts: number[] = []
    for (let index = 0; index < this.#fragments.length; index++) if (this.#begins(index)) starts.push(index)
    if (starts.length !== this.#frames || starts[0] !== 0) return null
    starts.push(this.#fragments.length)
    return { foundBy: 'markers', firstFragment: Uint32Array.from(starts) }
  }

  /** True when a fragment begins with what its codestream begins with. */
  #begins(index: number): boolean {
    const { offset, length } = this.#fragments[index]!
    return beginsCodestream(this.#syntax, this.#dataSet.read(offset, offset + Math.min(length, 12)))
  }
}

function ascending(frames: number, fragments: number): Uint32Array {
  return Uint32Array.from({ length: frames + 1 }, (_, index) => Math.min(index, fragments))
}

function hasMark({ frameMediaType }: TransferSyntax): boolean {
  return frameMediaType?.startsWith('image/') === true && frameMediaType !== 'image/dicom-rle'
}

/** First bytes of a codestream: SOI of JPEG and JPEG-LS, SOC and SIZ of JPEG 2000, both forms of JPEG XL. */
export function beginsCodestream({ frameMediaType }: TransferSyntax, head: Uint8Array): boolean {
  const mark = ((head[0] ?? 0) << 24) | ((head[1] ?? 0) << 16) | ((head[2] ?? 0) << 8) | (head[3] ?? 0)
  switch (frameMediaType) {
    case 'image/jpeg':
    case 'image/jls':
      return mark >>> 8 === 0xffd8ff
    case 'image/jp2':
    case 'image/jpx':
    case 'image/jphc':
      // The second is a JP2 box, which the standard does not allow in fragments and files have.
      return mark >>> 0 === 0xff4fff51 || (mark === 0x0000000c && head[4] === 0x6a && head[5] === 0x50)
    case 'image/jxl':
      return mark >>> 16 === 0xff0a || (mark === 0x0000000c && head[4] === 0x4a && head[5] === 0x58)
    default:
      return head.length > 0
  }
}
