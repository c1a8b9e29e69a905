/**
 * Oracles for ZIP archives: everything ends with content or a ZipError, nothing unpacks beyond the limits, and a member
 * whose iteration ended without a throw has the checksum and length the directory claims.
 */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { crc32, deflateRawSync } from 'node:zlib'
import { ZipArchive } from '#standards/media/zip.ts'
import { ZipError, type ZipLimits } from '#standards/media/zip-limits.ts'
import { Choices, damaged } from './random.ts'
import type { Target } from './target.ts'

const LIMITS: ZipLimits = {
  entries: 12,
  ratio: 200,
  ratioAfterBytes: 64 * 1024,
  totalBytes: 512 * 1024,
  memberBytes: 256 * 1024,
}
const NAMES = [
  'a',
  'DICOM/I1',
  '../../x',
  '/etc/passwd',
  'C:\\x',
  '\u00fc',
  'a\0b',
  'con',
  'd/',
  'x'.repeat(300),
  '',
  './/a',
  '\xff',
]

export const zipTarget: Target = { make, check }

interface Member {
  readonly name: Buffer
  readonly content: Buffer
  readonly packed: Buffer
  readonly method: number
  readonly at: number
}

function make(seed: number): Uint8Array {
  const choices = new Choices(seed)
  const pieces: Buffer[] = choices.chance(0.1) ? [choices.bytes(choices.below(40))] : []
  const members: Member[] = []
  const at = () => pieces.reduce((sum, piece) => sum + piece.length, 0)
  for (let n = choices.below(6); n > 0; n--) {
    const content = choices.chance(0.05) ? Buffer.alloc(300_000) : Buffer.alloc(choices.below(200), choices.below(256))
    const method = choices.pick([0, 8, 8, choices.chance(0.1) ? 12 : 8])
    const packed = method === 0 ? content : deflateRawSync(content)
    const name = Buffer.from(choices.pick(NAMES), choices.chance(0.5) ? 'utf8' : 'latin1')
    members.push({ name, content, packed, method, at: at() })
    pieces.push(header(members.at(-1)!, false, choices), packed)
  }
  const directory = at()
  for (const member of members) pieces.push(header(member, true, choices))
  pieces.push(ending(members.length, directory, at() - directory, choices))
  let bytes: Buffer = Buffer.concat(pieces)
  if (choices.chance(0.7)) for (let n = 1 + choices.below(3); n > 0; n--) bytes = hurt(bytes, choices)
  return bytes
}

function header({ name, content, packed, method, at }: Member, central: boolean, choices: Choices): Buffer {
  const wide = choices.chance(0.1)
  const extra = wide ? Buffer.alloc(central ? 28 : 20) : Buffer.alloc(0)
  if (wide) {
    extra.writeUInt16LE(1, 0)
    extra.writeUInt16LE(extra.length - 4, 2)
    extra.writeBigUInt64LE(BigInt(content.length), 4)
    extra.writeBigUInt64LE(BigInt(packed.length), 12)
    if (central) extra.writeBigUInt64LE(BigInt(at), 20)
  }
  const bytes = Buffer.alloc(central ? 46 : 30)
  bytes.write(central ? 'PK\x01\x02' : 'PK\x03\x04', 0, 'latin1')
  const shift = central ? 6 : 4
  bytes.writeUInt16LE(20, shift)
  bytes.writeUInt16LE(choices.chance(0.03) ? 1 : 0, shift + 2)
  bytes.writeUInt16LE(method, shift + 4)
  bytes.writeUInt32LE(crc32(content), shift + 10)
  bytes.writeUInt32LE(wide ? 0xffffffff : packed.length, shift + 14)
  bytes.writeUInt32LE(wide ? 0xffffffff : content.length, shift + 18)
  bytes.writeUInt16LE(name.length, shift + 22)
  bytes.writeUInt16LE(extra.length, shift + 24)
  if (central) {
    bytes.writeUInt32LE(choices.chance(0.05) ? 0xa1ff0000 : 0, 38)
    bytes.writeUInt32LE(wide ? 0xffffffff : at, 42)
  }
  return Buffer.concat([bytes, name, extra])
}

function ending(count: number, offset: number, length: number, choices: Choices): Buffer {
  const end = Buffer.alloc(22)
  end.write('PK\x05\x06', 0, 'latin1')
  end.writeUInt16LE(count, 8)
  end.writeUInt16LE(count, 10)
  end.writeUInt32LE(length, 12)
  end.writeUInt32LE(offset, 16)
  if (!choices.chance(0.1)) return end
  const record = Buffer.alloc(56)
  record.write('PK\x06\x06', 0, 'latin1')
  record.writeBigUInt64LE(44n, 4)
  record.writeBigUInt64LE(BigInt(count), 24)
  record.writeBigUInt64LE(BigInt(count), 32)
  record.writeBigUInt64LE(BigInt(length), 40)
  record.writeBigUInt64LE(BigInt(offset), 48)
  const locator = Buffer.alloc(20)
  locator.write('PK\x06\x07', 0, 'latin1')
  locator.writeBigUInt64LE(BigInt(offset + length), 8)
  locator.writeUInt32LE(1, 16)
  end.writeUInt16LE(0xffff, 10)
  end.writeUInt32LE(0xffffffff, 16)
  return Buffer.concat([record, locator, end])
}

/** A field behind one of the signatures gets a value that asks for trouble, or anything happens anywhere. */
function hurt(bytes: Buffer, choices: Choices): Buffer {
  const marks: number[] = []
  for (let at = bytes.indexOf('PK', 0, 'latin1'); at >= 0; at = bytes.indexOf('PK', at + 1, 'latin1')) marks.push(at)
  const mark = choices.pick(marks)
  if (mark === undefined || choices.chance(0.3)) return Buffer.from(damaged(bytes, choices))
  const copy = Buffer.from(bytes)
  const at = mark + 4 + 2 * choices.below(26)
  const value = choices.pick([
    0,
    1,
    8,
    0xffff,
    0xffffffff,
    0x7fffffff,
    bytes.length,
    mark,
    choices.below(bytes.length + 1),
  ])
  if (at + 4 > copy.length) return copy
  if (choices.chance(0.5)) copy.writeUInt16LE(value & 0xffff, at)
  else copy.writeUInt32LE(value >>> 0, at)
  return copy
}

let file: string | undefined

async function check(bytes: Uint8Array): Promise<void> {
  if (file === undefined) {
    const folder = mkdtempSync(join(tmpdir(), 'diptych-fuzz-'))
    process.once('exit', () => rmSync(folder, { recursive: true, force: true }))
    file = join(folder, 'case')
  }
  writeFileSync(file, bytes)
  let archive: ZipArchive
  try {
    archive = await ZipArchive.open(file, LIMITS)
  } catch (error) {
    if (error instanceof ZipError) return
    throw error
  }
  try {
    assert.ok(archive.count <= LIMITS.entries)
    let total = 0
    for await (const member of archive.members()) {
      let size = 0
      try {
        for await (const chunk of member.open()) size += chunk.byteLength
        assert.equal(size, member.declaredSize)
        assert.equal(member.encrypted, false)
      } catch (error) {
        if (!(error instanceof ZipError)) throw error
      }
      total += size
      assert.ok(size <= LIMITS.memberBytes, `${size} bytes in one member`)
    }
    assert.ok(total <= LIMITS.totalBytes + 64 * 1024 * LIMITS.entries, `${total} bytes in all`)
  } finally {
    await archive.close()
  }
}
