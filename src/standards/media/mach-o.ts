import type { ByteSource } from '../byte-source.ts'
import { asciiName, type ProgramPart } from './pe.ts'

/** A Mach-O program's segments in the file, or the slices of a universal one. Apple mach-o/loader.h, fat.h. */
export interface MachOChain {
  readonly kind: 'thin' | 'universal'
  readonly parts: readonly ProgramPart[]
}

const COMMANDS_MAX = 1024
const SLICES_MAX = 16

/**
 * @param base offset in bytes of the magic number
 * @returns null when it is none, e.g. a Java class, which shares CAFEBABE
 */
export function readMachOChain(source: ByteSource, base = 0): MachOChain | null {
  const head = source.read(base, base + 32)
  if (head.byteLength < 28) return null
  const view = new DataView(head.buffer, head.byteOffset, head.byteLength)
  const magic = view.getUint32(0)
  if (magic === 0xcafebabe) return readUniversal(source, base, view.getUint32(4))
  const little = magic === 0xcefaedfe || magic === 0xcffaedfe
  if (!little && magic !== 0xfeedface && magic !== 0xfeedfacf) return null
  const wide = view.getUint32(0, little) === 0xfeedfacf
  const count = Math.min(view.getUint32(16, little), COMMANDS_MAX)
  const parts: ProgramPart[] = []
  let at = base + (wide ? 32 : 28)
  for (let i = 0; i < count; i++) {
    const bytes = source.read(at, at + 72)
    if (bytes.byteLength < 8) break
    const command = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    const type = command.getUint32(0, little)
    const size = command.getUint32(4, little)
    if (size < 8) break
    if (type === 0x19 && bytes.byteLength >= 72) {
      const offset = base + Number(command.getBigUint64(40, little))
      push(parts, source, asciiName(bytes.subarray(8, 24)), offset, Number(command.getBigUint64(48, little)))
    } else if (type === 1 && bytes.byteLength >= 56) {
      push(
        parts,
        source,
        asciiName(bytes.subarray(8, 24)),
        base + command.getUint32(32, little),
        command.getUint32(36, little),
      )
    }
    at += size
  }
  return { kind: 'thin', parts }
}

function readUniversal(source: ByteSource, base: number, count: number): MachOChain | null {
  // A Java class has its version here: 45 and above.
  if (count === 0 || count > SLICES_MAX) return null
  const bytes = source.read(base + 8, base + 8 + count * 20)
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const parts: ProgramPart[] = []
  for (let at = 0; at + 20 <= bytes.byteLength; at += 20) {
    push(parts, source, `slice ${at / 20}`, base + view.getUint32(at + 8), view.getUint32(at + 12))
  }
  return { kind: 'universal', parts }
}

function push(parts: ProgramPart[], source: ByteSource, name: string, offset: number, length: number): void {
  if (length > 0 && offset < source.size) parts.push({ name, offset, length })
}
