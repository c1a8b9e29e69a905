import { createHash } from 'node:crypto'

/**
 * A data set written down by hand. Keys are dictionary keywords (`PatientID`) or a tag with its VR (`00091001 OB`);
 * a keyword may carry a VR too (`PixelData OW`). Order does not matter. A list of objects is a sequence.
 */
export interface Elements {
  readonly [key: string]: ElementValue
}

export type ElementValue =
  | string
  | number
  | bigint
  | null
  | Uint8Array
  | readonly string[]
  | readonly number[]
  | readonly bigint[]
  | readonly Elements[]
  | Fragments

/** Encapsulated Pixel Data. PS3.5 section A.4. */
export interface Fragments {
  /** Values of the items after the Basic Offset Table; odd ones get a zero byte. */
  readonly fragments: readonly Uint8Array[]
  /** Frame offsets in bytes; absent: the table is there and empty. */
  readonly offsets?: readonly number[]
}

export function isFragments(value: ElementValue): value is Fragments {
  return typeof value === 'object' && value !== null && 'fragments' in value
}

/** A code sequence with one item. PS3.3 section 8. */
export function code(value: string, scheme: string, meaning: string): readonly Elements[] {
  return [{ CodeValue: value, CodingSchemeDesignator: scheme, CodeMeaning: meaning }]
}

/** The same UID for the same name, always: 2.25 and a number of 122 bits. PS3.5 section B.2. */
export function namedUid(name: string): string {
  const digest = createHash('sha256').update(`diptych ${name}`).digest().subarray(0, 16)
  digest[6] = (digest[6]! & 0x0f) | 0x40
  digest[8] = (digest[8]! & 0x3f) | 0x80
  return `2.25.${BigInt(`0x${digest.toString('hex')}`)}`
}

/** Numbers from 0 (included) to 1 (excluded), the same ones for the same seed. Lehmer generator. */
export function pseudoRandom(seed: number): () => number {
  let state = (seed % 2147483646) + 1
  return () => {
    state = (state * 48271) % 2147483647
    return (state - 1) / 2147483646
  }
}
