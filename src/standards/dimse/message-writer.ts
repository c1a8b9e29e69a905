/** Cuts messages into P-DATA-TF PDUs. PS3.8 annex E. */
import type { DataSetPieces } from './association.ts'
import { CONTROL_COMMAND, CONTROL_LAST, dataHeader, PDV_HEADER_BYTES } from './pdu.ts'

/** Our own longest fragment, whatever the peer would take, in bytes. */
const FRAGMENT_BYTES_MAX = 131_072
/** A data set up to this long leaves in the write of its command, in bytes. */
const SMALL_DATA_SET_BYTES = 65_536
/** Views of a fragment are copied together when there are more of them than this. */
const VIEWS_MAX = 16

/**
 * Where a message goes: one call is one write. Resolves when the next may come.
 * @throws DimseError when the association ended
 */
export type WriteOut = (chunks: readonly Uint8Array[]) => Promise<void>

/** Longest fragment for a peer that takes `pduLengthMax` bytes (0: no limit), in bytes; even, as PS3.8 annex E.1 wants it. */
export function fragmentMax(pduLengthMax: number): number {
  const cap = FRAGMENT_BYTES_MAX + PDV_HEADER_BYTES
  return ((pduLengthMax === 0 ? cap : Math.min(pduLengthMax, cap)) - PDV_HEADER_BYTES) & ~1
}

function pdus(contextId: number, control: number, bytes: Uint8Array, max: number): Uint8Array[] {
  const out: Uint8Array[] = []
  let at = 0
  do {
    const part = bytes.subarray(at, at + max)
    at += part.length
    out.push(dataHeader(contextId, at === bytes.length ? control | CONTROL_LAST : control, part.length), part)
  } while (at < bytes.length)
  return out
}

/** Pieces in fragments of exactly `max` bytes but for the last, without copying. */
class Fragments {
  readonly #max: number
  #views: Uint8Array[] = []
  #length = 0

  constructor(max: number) {
    this.#max = max
  }

  get length(): number {
    return this.#length
  }

  /** Adds what fits of the piece. @returns the rest */
  add(piece: Uint8Array): Uint8Array {
    const taken = piece.subarray(0, this.#max - this.#length)
    if (taken.length > 0) this.#views.push(taken)
    this.#length += taken.length
    return piece.subarray(taken.length)
  }

  get full(): boolean {
    return this.#length === this.#max
  }

  take(contextId: number, last: boolean): Uint8Array[] {
    const header = dataHeader(contextId, last ? CONTROL_LAST : 0, this.#length)
    const views = this.#views.length > VIEWS_MAX ? [Buffer.concat(this.#views, this.#length)] : this.#views
    this.#views = []
    this.#length = 0
    return [header, ...views]
  }
}

/**
 * Writes a command and its data set. Pieces must stay as they are until this resolves: they are not copied.
 *
 * @param max longest fragment, in bytes
 * @param begun called before the first byte goes out; what fails before leaves no trace
 */
export async function writeMessage(
  write: WriteOut,
  contextId: number,
  command: Uint8Array,
  dataSet: DataSetPieces | undefined,
  max: number,
  begun: () => void,
): Promise<void> {
  let out = pdus(contextId, CONTROL_COMMAND, command, max)
  if (dataSet === undefined) {
    begun()
    return write(out)
  }
  const fragments = new Fragments(max)
  let waiting = 0
  for await (const piece of dataSet) {
    let rest = piece
    while (rest.length > 0) {
      // A full fragment goes only when more follows: until then it may be the last.
      if (fragments.full) {
        waiting += fragments.length
        out.push(...fragments.take(contextId, false))
        if (waiting >= SMALL_DATA_SET_BYTES) {
          begun()
          await write(out)
          out = []
          waiting = 0
        }
      }
      rest = fragments.add(rest)
    }
  }
  out.push(...fragments.take(contextId, true))
  begun()
  await write(out)
}
