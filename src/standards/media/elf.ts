import type { ByteSource } from '../byte-source.ts'
import type { ProgramPart } from './pe.ts'

/** An ELF program's segments in the file. System V ABI, "ELF Header" and "Program Header". */
export interface ElfChain {
  readonly bits: 32 | 64
  /** Segments that are loaded (PT_LOAD) or name an interpreter, with bytes in the file; at most 64. */
  readonly segments: readonly ProgramPart[]
}

const SEGMENTS_MAX = 64
const kinds: Record<number, string> = { 1: 'LOAD', 2: 'DYNAMIC', 3: 'INTERP' }

/**
 * @param base offset in bytes where `7F 45 4C 46` stands
 * @returns null when the header is cut short or its class or byte order is none that exists
 */
export function readElfChain(source: ByteSource, base = 0): ElfChain | null {
  const header = source.read(base, base + 64)
  if (header.byteLength < 52) return null
  const wide = header[4] === 2
  if (!wide && header[4] !== 1) return null
  if (header[5] !== 1 && header[5] !== 2) return null
  if (wide && header.byteLength < 64) return null
  const little = header[5] === 1
  const view = new DataView(header.buffer, header.byteOffset, header.byteLength)
  const table = wide ? Number(view.getBigUint64(32, little)) : view.getUint32(28, little)
  const entrySize = view.getUint16(wide ? 54 : 42, little)
  const count = Math.min(view.getUint16(wide ? 56 : 44, little), SEGMENTS_MAX)
  const least = wide ? 56 : 32
  const segments: ProgramPart[] = []
  if (entrySize < least || table <= 0 || base + table > source.size) return { bits: wide ? 64 : 32, segments }
  for (let i = 0; i < count; i++) {
    const at = base + table + i * entrySize
    const bytes = source.read(at, at + least)
    if (bytes.byteLength < least) break
    const entry = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    const name = kinds[entry.getUint32(0, little)]
    const offset = base + (wide ? Number(entry.getBigUint64(8, little)) : entry.getUint32(4, little))
    const length = wide ? Number(entry.getBigUint64(32, little)) : entry.getUint32(16, little)
    if (name !== undefined && length > 0 && offset < source.size) segments.push({ name, offset, length })
  }
  return { bits: wide ? 64 : 32, segments }
}
