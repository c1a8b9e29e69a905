import type { ByteSource } from '../byte-source.ts'

/** A part of the program in the file. Offsets and lengths in bytes, from the start of the source. */
export interface ProgramPart {
  readonly name: string
  readonly offset: number
  readonly length: number
}

/** A Windows program's header chain, as far as it leads. Microsoft PE/COFF specification, "File Headers". */
export interface PeChain {
  /** e_lfanew at 3CH, or null when the DOS header is cut short. */
  readonly headerOffset: number | null
  /** True when `PE\0\0` stands where e_lfanew points. */
  readonly isPe: boolean
  readonly machine: number | null
  /** Sections with bytes in the file; at most 96, the loader's own limit. */
  readonly sections: readonly ProgramPart[]
}

const SECTIONS_MAX = 96

/**
 * Follows MZ -> e_lfanew -> PE -> section table.
 *
 * @param base offset in bytes where the `MZ` stands
 */
export function readPeChain(source: ByteSource, base = 0): PeChain {
  const dos = source.read(base, base + 64)
  if (dos.byteLength < 64) return { headerOffset: null, isPe: false, machine: null, sections: [] }
  const headerOffset = base + view(dos).getUint32(0x3c, true)
  const coff = source.read(headerOffset, headerOffset + 24)
  if (coff.byteLength < 24 || view(coff).getUint32(0, true) !== 0x4550) {
    return { headerOffset, isPe: false, machine: null, sections: [] }
  }
  const machine = view(coff).getUint16(4, true)
  const count = Math.min(view(coff).getUint16(6, true), SECTIONS_MAX)
  const table = headerOffset + 24 + view(coff).getUint16(20, true)
  const bytes = source.read(table, table + count * 40)
  const sections: ProgramPart[] = []
  for (let at = 0; at + 40 <= bytes.byteLength; at += 40) {
    const length = view(bytes).getUint32(at + 16, true)
    const offset = base + view(bytes).getUint32(at + 20, true)
    if (length > 0 && offset < source.size)
      sections.push({ name: asciiName(bytes.subarray(at, at + 8)), offset, length })
  }
  return { headerOffset, isPe: true, machine, sections }
}

function view(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}

/** Printable ASCII of a fixed-size name field, without its padding. */
export function asciiName(bytes: Uint8Array): string {
  let name = ''
  for (const byte of bytes) {
    if (byte === 0) break
    name += byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : '.'
  }
  return name
}
