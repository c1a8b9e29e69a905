import { bytesOf, type DataSet, number, numbers } from '../dicom/data-set.ts'
import { swapBytes } from '../dicom/value-representation.ts'

/** A table of a LUT or a palette. PS3.3 sections C.11.1.1 and C.7.9.1. */
export interface Lookup {
  /** Input that is mapped to the first entry; what is below or above has the first or last entry. */
  readonly first: number
  /** Bits of an entry, 8 to 16. */
  readonly bits: number
  readonly entries: Uint16Array
}

const ENTRIES_MAX = 65_536

/**
 * Reads a table from its descriptor and its data, which may be OW, US or SS, two entries of 8 bits in a word or one.
 * @param signedInput the input can be negative: a first value above 32767 that was written as US means a negative one
 * @returns null when it is not there or holds nothing
 */
export function lookupOf(dataSet: DataSet, descriptor: number, data: number, signedInput: boolean): Lookup | null {
  const [count = 0, mapped = 0, bits = 0] = numbers(dataSet, descriptor)
  const element = dataSet.get(data)
  if (element === undefined || element.items !== undefined || element.valueLength < 2) return null
  const wanted = count === 0 ? ENTRIES_MAX : count < 0 ? count + ENTRIES_MAX : count
  if (!Number.isInteger(wanted) || wanted > ENTRIES_MAX || element.valueLength > 2 * ENTRIES_MAX) return null
  const bytes = new Uint8Array(bytesOf(dataSet, element))
  if (dataSet.encoding.bigEndian && element.vr !== 'OB') swapBytes(bytes, 2)
  const wide = bytes.length >= 2 * wanted
  const length = Math.min(wanted, wide ? bytes.length >>> 1 : bytes.length)
  const entries = new Uint16Array(length)
  for (let i = 0; i < length; i++) {
    entries[i] = wide ? (bytes[2 * i] ?? 0) | ((bytes[2 * i + 1] ?? 0) << 8) : (bytes[i] ?? 0)
  }
  const first = signedInput && mapped > 32_767 ? mapped - ENTRIES_MAX : mapped
  return { first, bits: tableBits(bits, entries), entries }
}

/** Descriptors are wrong often enough that what the table holds counts too. */
function tableBits(stated: number, entries: Uint16Array): number {
  const most = entries.reduce((a, b) => Math.max(a, b), 0)
  const needed = Math.max(8, 32 - Math.clz32(most))
  return stated >= needed && stated <= 16 ? stated : needed
}

/** The entry for an input. */
export function lookUp({ entries, first }: Lookup, input: number): number {
  const index = Math.round(input) - first
  return entries[index <= 0 ? 0 : index >= entries.length ? entries.length - 1 : index] ?? 0
}

/** True when pixel values can be negative. */
export function isSigned(dataSet: DataSet): boolean {
  return number(dataSet, 0x00280103) === 1
}
