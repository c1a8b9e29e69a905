import { Buffer } from 'node:buffer'

/** Room that `disguiseAsProgram` needs in an element's value, in bytes. */
export const PROGRAM_BYTES = 0x400

/** Marks the place in a file that is still to be patched. */
export const PROGRAM_PLACE = Buffer.concat([
  Buffer.from('DIPTYCH PLACE FOR A HEADER'),
  Buffer.alloc(PROGRAM_BYTES - 26),
])

/**
 * Gives a Part 10 file the headers of a Windows program: `MZ` in the preamble, the PE header and its one section in
 * the value that holds PROGRAM_PLACE. It cannot run: its machine type is "unknown" and its section is empty text.
 * What a door must notice is there all the same: the chain from the preamble into a data element. CVE-2019-11687.
 */
export function disguiseAsProgram(file: Uint8Array): Buffer {
  const bytes = Buffer.from(file)
  const at = bytes.indexOf(PROGRAM_PLACE)
  if (at < 0) throw new TypeError('the file has no place for a program header')
  bytes.fill(0, at, at + PROGRAM_BYTES)
  bytes.write('MZ', 0, 'latin1')
  bytes.writeUInt32LE(at, 0x3c)
  bytes.write('PE\0\0', at, 'latin1')
  bytes.writeUInt16LE(0, at + 4) // IMAGE_FILE_MACHINE_UNKNOWN
  bytes.writeUInt16LE(1, at + 6)
  bytes.writeUInt16LE(0xe0, at + 20)
  bytes.writeUInt16LE(0x0102, at + 22)
  const optional = at + 24
  bytes.writeUInt16LE(0x010b, optional)
  bytes.writeUInt32LE(0x1000, optional + 16)
  bytes.writeUInt32LE(0x400000, optional + 28)
  bytes.writeUInt32LE(0x1000, optional + 32)
  bytes.writeUInt32LE(0x200, optional + 36)
  bytes.writeUInt32LE(0x2000, optional + 56)
  bytes.writeUInt32LE(at + 0x200, optional + 60)
  bytes.writeUInt16LE(3, optional + 68)
  bytes.writeUInt32LE(16, optional + 92)
  const section = optional + 0xe0
  bytes.write('.text', section, 'latin1')
  bytes.writeUInt32LE(0x100, section + 8)
  bytes.writeUInt32LE(0x1000, section + 12)
  bytes.writeUInt32LE(0x200, section + 16)
  bytes.writeUInt32LE(at + 0x200, section + 20)
  bytes.writeUInt32LE(0x60000020, section + 36)
  bytes.write('This is a demonstration. There is no program here.', at + 0x200, 'latin1')
  return bytes
}
