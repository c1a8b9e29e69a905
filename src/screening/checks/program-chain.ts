import type { ByteSource } from '#standards/byte-source.ts'
import { readElfChain } from '#standards/media/elf.ts'
import { readMachOChain } from '#standards/media/mach-o.ts'
import { type ProgramPart, readPeChain } from '#standards/media/pe.ts'

/** A program whose header chain was followed to the end. */
export interface ProgramChain {
  /** For a person: `Windows program, PE header at 364`. */
  readonly what: string
  /** True when the chain is whole: the operating system would load it. */
  readonly whole: boolean
  /** Places in the file that hold its code or headers. */
  readonly parts: readonly ProgramPart[]
}

/**
 * Follows the header chain of what begins at `at`: MZ to PE and its sections, ELF to its segments, Mach-O to its load
 * commands. CVE-2019-11687 hides them in the values of data elements.
 *
 * @returns null when nothing there is such a program's header
 */
export function followProgram(source: ByteSource, at: number): ProgramChain | null {
  const mark = source.read(at, at + 4)
  if (mark.byteLength < 4) return null
  if (mark[0] === 0x4d && mark[1] === 0x5a) {
    const pe = readPeChain(source, at)
    if (!pe.isPe) {
      const where =
        pe.headerOffset === null || pe.headerOffset > source.size ? 'leads out of the file' : 'leads to no PE header'
      return { what: `Windows program mark; e_lfanew ${where}`, whole: false, parts: [] }
    }
    const header = { name: 'PE header', offset: pe.headerOffset as number, length: 24 }
    return {
      what: `Windows program: PE header at ${pe.headerOffset}, ${pe.sections.length} sections`,
      whole: true,
      parts: [header, ...pe.sections],
    }
  }
  if (mark[0] === 0x7f && mark[1] === 0x45 && mark[2] === 0x4c && mark[3] === 0x46) {
    const elf = readElfChain(source, at)
    const segments = elf?.segments ?? []
    return {
      what: `Linux program (ELF): ${segments.length} segments in the file`,
      whole: segments.some(({ name }) => name === 'LOAD'),
      parts: segments,
    }
  }
  const machO = readMachOChain(source, at)
  if (machO === null) return null
  return {
    what: `macOS program (Mach-O, ${machO.kind}): ${machO.parts.length} parts in the file`,
    whole: machO.parts.length > 0,
    parts: machO.parts,
  }
}
