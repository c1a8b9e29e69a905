import assert from 'node:assert/strict'
import { Buffer } from 'node:buffer'
import { test } from 'node:test'
import { elfHeader, elfProgramHeader, machO, mzHeader, peFile } from '../../../test/fixtures/programs.ts'
import { memorySource } from '../byte-source.ts'
import { walkBoxes } from './boxes.ts'
import { findCodestreamEnd, findPngEnd } from './codestream-end.ts'
import { readElfChain } from './elf.ts'
import { readMachOChain } from './mach-o.ts'
import { readPeChain } from './pe.ts'
import { findHidden, isText, signatureAt } from './signatures.ts'
import { readStlShape } from './stl.ts'

const of = (bytes: Uint8Array) => memorySource(bytes)

test('pe: the chain is followed, and where it breaks it is told', () => {
  const whole = readPeChain(of(peFile()))
  assert.equal(whole.isPe, true)
  assert.deepEqual(whole.sections, [{ name: '.text', offset: 576, length: 512 }])
  assert.deepEqual(readPeChain(of(mzHeader(0x7fffffff))), {
    headerOffset: 0x7fffffff,
    isPe: false,
    machine: null,
    sections: [],
  })
  assert.equal(readPeChain(of(peFile().subarray(0, 63))).headerOffset, null)
  assert.equal(readPeChain(of(peFile().subarray(0, 80))).isPe, false)
  // A section table that claims more than the file holds yields what is there.
  const greedy = peFile()
  greedy.writeUInt16LE(0xffff, 64 + 6)
  assert.ok(readPeChain(of(greedy)).sections.length <= 96)
})

test('elf: segments in the file, both widths, cut anywhere', () => {
  const file = Buffer.concat([elfHeader(64), elfProgramHeader(0, 120)])
  assert.deepEqual(readElfChain(of(file)), { bits: 64, segments: [{ name: 'LOAD', offset: 0, length: 120 }] })
  for (let cut = 0; cut < file.length; cut++) readElfChain(of(file.subarray(0, cut)))
  assert.equal(readElfChain(of(file.subarray(0, 63))), null)
  const wrong = Buffer.from(file)
  wrong[4] = 3
  assert.equal(readElfChain(of(wrong)), null)
})

test('mach-o: load commands; a Java class is none', () => {
  assert.deepEqual(readMachOChain(of(machO(0, 104)))?.parts, [{ name: '__TEXT', offset: 0, length: 104 }])
  assert.equal(readMachOChain(of(Buffer.concat([Buffer.from('cafebabe00000034', 'hex'), Buffer.alloc(64)]))), null)
  const zeroCommand = machO(0, 104)
  zeroCommand.writeUInt32LE(0, 36)
  assert.deepEqual(readMachOChain(of(zeroCommand))?.parts, [])
})

// Two letters are chance in pixels and noise; what counts is where they lead.
const hidden: { name: string; bytes: Buffer; found: boolean }[] = [
  { name: 'MZ at the first byte', bytes: Buffer.from('MZ and more'), found: true },
  { name: 'MZ deeper, leading nowhere', bytes: Buffer.concat([Buffer.alloc(9, 7), mzHeader(0x7000)]), found: false },
  { name: 'MZ deeper, leading to PE', bytes: Buffer.concat([Buffer.alloc(9, 7), peFile()]), found: true },
  { name: 'a program at 4,095', bytes: Buffer.concat([Buffer.alloc(4088, 7), elfHeader(64)]), found: true },
  { name: 'a program at 4,096', bytes: Buffer.concat([Buffer.alloc(4096, 7), elfHeader(64)]), found: false },
  {
    name: 'PK without a sensible version',
    bytes: Buffer.concat([Buffer.alloc(9, 7), Buffer.from('PK\x03\x04\xff\xff', 'latin1')]),
    found: false,
  },
  { name: 'gzip deeper', bytes: Buffer.concat([Buffer.alloc(9, 7), Buffer.from([0x1f, 0x8b, 8, 0])]), found: false },
  { name: 'a script tag anywhere', bytes: Buffer.from('text <ScRiPt> text'), found: true },
  { name: 'a PDF', bytes: Buffer.from('%PDF-1.4'), found: false },
]
for (const { name, bytes, found } of hidden) {
  test(`hidden: ${name}`, () => assert.equal(findHidden(of(bytes), 0, bytes.length) !== null, found))
}

test('hidden: in pixels two letters at the start are no program', () => {
  const bytes = Buffer.from('MZ pixels')
  assert.equal(findHidden(of(bytes), 0, bytes.length, false), null)
})

test('signatures: a mark cut by the end is none', () => {
  for (const mark of ['MZ', '\x7fELF', 'PK\x03\x04', '\x89PNG\r\n\x1a\n']) {
    assert.notEqual(signatureAt(Buffer.from(mark, 'latin1')), null)
    assert.equal(signatureAt(Buffer.from(mark.slice(0, -1), 'latin1')), null)
  }
})

test('text: ASCII, UTF-8, Latin 1; not binary, not empty', () => {
  for (const text of ['plain', 'Schädel', '日本語のテキスト']) assert.equal(isText(Buffer.from(text)), true, text)
  assert.equal(isText(Buffer.from('Schädel', 'latin1')), true)
  for (const bytes of [Buffer.alloc(0), Buffer.from('a\0b'), Buffer.alloc(64, 0x81), Buffer.alloc(64, 1)])
    assert.equal(isText(bytes), false)
})

test('stl: 84 + 50 x count, whatever the count says', () => {
  const bytes = Buffer.alloc(134)
  bytes.writeUInt32LE(1, 80)
  assert.deepEqual(readStlShape(of(bytes)), { triangles: 1, expectedLength: 134, length: 134 })
  bytes.writeUInt32LE(0xffffffff, 80)
  assert.equal(readStlShape(of(bytes))?.expectedLength, 84 + 50 * 0xffffffff)
  assert.equal(readStlShape(of(bytes.subarray(0, 83))), null)
})

test('boxes: to the end of the file, too small, beyond the end, never in a loop', () => {
  const box = (size: number, type: string, body = 8) => {
    const bytes = Buffer.alloc(body)
    bytes.writeUInt32BE(size, 0)
    bytes.write(type, 4, 'latin1')
    return bytes
  }
  assert.deepEqual(
    walkBoxes(of(Buffer.concat([box(8, 'ftyp'), box(0, 'mdat', 20)]))).boxes.map(({ length }) => length),
    [8, 20],
  )
  for (const size of [2, 7, 100]) assert.notEqual(walkBoxes(of(box(size, 'ftyp'))).problem, null)
  assert.notEqual(walkBoxes(of(Buffer.concat([box(1, 'ftyp'), Buffer.alloc(8)]))).problem, null)
})

test('codestream end: marker, one pad byte, bytes behind, none', () => {
  const end = (tail: string) => {
    const bytes = Buffer.from(`ffd8ffe0000000${tail}`, 'hex')
    return [findCodestreamEnd(of(bytes), 0, bytes.length), bytes.length]
  }
  assert.deepEqual(end('ffd9'), [9, 9])
  assert.deepEqual(end('ffd900'), [9, 10])
  assert.deepEqual(end('ffd901020304'), [9, 13])
  assert.deepEqual(end('00'), [null, 8])
  const png = Buffer.from('89504e470d0a1a0a0000000049454e44ae426082aa', 'hex')
  assert.equal(findPngEnd(of(png), 0, png.length), 20)
})
