import { type ByteSource, copyOf } from '../byte-source.ts'
import type { Piece } from './pieces.ts'
import type { WriteDataSet, WriteValue } from './write.ts'

/** Where the fragments of encapsulated Pixel Data are, as frames.ts keeps it. Bytes. */
export interface FragmentPlaces {
  /** Of each fragment's value, from the start of the data set. */
  readonly offsets: ArrayLike<number>
  readonly lengths: ArrayLike<number>
  /** File offset of the data set. */
  readonly base: number
}

const ITEM_HEADER = 8
/** Longest run that an item length can stand for, with room to spare. */
const RUN_BYTES_MAX = 0xfffff000
/** Below this, fragments are simply read one by one. */
const JOINED_FROM_BYTES = 1024 * 1024

/** Fragments one after the other, with their item headers. File offsets. */
interface Run {
  readonly start: number
  readonly end: number
}

/**
 * An object whose fragments need not be visited: a slide has a hundred thousand of them all over the file, and a rewrite
 * copies them as they stand. Read through this, Pixel Data has a few large fragments instead.
 */
export class JoinedFragments implements ByteSource {
  readonly size: number
  readonly #source: ByteSource
  readonly #runs: readonly Run[]

  private constructor(source: ByteSource, runs: readonly Run[]) {
    this.#source = source
    this.#runs = runs
    this.size = source.size
  }

  /** @returns undefined when the fragments are few bytes, or do not stand one behind the other */
  static over(source: ByteSource, places: FragmentPlaces): JoinedFragments | undefined {
    const runs = runsOf(places)
    if (runs === undefined || runs.length === 0) return undefined
    const whole = runs[runs.length - 1]!.end - runs[0]!.start
    return whole < JOINED_FROM_BYTES || runs.at(-1)!.end > source.size ? undefined : new JoinedFragments(source, runs)
  }

  read(start: number, end: number): Uint8Array {
    const bytes = this.#source.read(start, end)
    const met = this.#runs.filter((run) => run.start < start + bytes.length && run.start + ITEM_HEADER > start)
    if (met.length === 0) return bytes
    const changed = copyOf(bytes)
    for (const run of met) {
      const header = new Uint8Array(ITEM_HEADER)
      header.set([0xfe, 0xff, 0x00, 0xe0])
      new DataView(header.buffer).setUint32(4, run.end - run.start - ITEM_HEADER, true)
      header.forEach((byte, i) => {
        const at = run.start + i - start
        if (at >= 0 && at < changed.length) changed[at] = byte
      })
    }
    return changed
  }

  /** Says of a data set that was read through this that its large fragments bring their own item headers. */
  markWhole(dataSet: WriteDataSet, tag: number): void {
    const element = dataSet.get(tag)
    if (element?.value.is !== 'fragments') return
    const fragments = element.value.fragments.map((fragment) => {
      if (fragment instanceof Uint8Array) return fragment
      const run = this.#runs.find(({ start }) => start + ITEM_HEADER === fragment.offset)
      if (run === undefined) return fragment
      return { ...fragment, offset: run.start, length: run.end - run.start, whole: true as const }
    })
    const value: WriteValue = { is: 'fragments', fragments }
    dataSet.set(tag, { ...element, value })
  }

  /** What was composed of this, composed of the object itself. */
  direct(pieces: readonly Piece[]): Piece[] {
    return pieces.map((piece) =>
      !(piece instanceof Uint8Array) && piece.source === this ? { ...piece, source: this.#source } : piece,
    )
  }
}

function runsOf({ offsets, lengths, base }: FragmentPlaces): Run[] | undefined {
  const runs: Run[] = []
  let start = -1
  let end = -1
  for (let i = 0; i < offsets.length; i++) {
    const header = base + offsets[i]! - ITEM_HEADER
    if (end >= 0 && header !== end) return undefined
    const next = header + ITEM_HEADER + lengths[i]!
    if (start < 0) start = header
    else if (next - start > RUN_BYTES_MAX) {
      runs.push({ start, end })
      start = header
    }
    end = next
  }
  if (start >= 0) runs.push({ start, end })
  return runs
}
