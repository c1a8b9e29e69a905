import assert from 'node:assert/strict'
import { test } from 'node:test'
import { memorySource } from '../byte-source.ts'
import { readDataSet, sequence, string, strings } from './data-set.ts'
import { canLeaveAs, type EgressOptions, planEgress } from './egress.ts'
import { binary, el, fragments, hex, items, part10Of } from './fixture.ts'
import { writeDicomJson } from './json.ts'
import { openPart10 } from './open.ts'
import type { Overlay } from './overlay.ts'
import {
  DEFLATED_LITTLE_ENDIAN,
  EXPLICIT_BIG_ENDIAN,
  EXPLICIT_LITTLE_ENDIAN,
  IMPLICIT_LITTLE_ENDIAN,
} from './transfer-syntax.ts'
import type { WriteElement } from './write.ts'

const JPEG = '1.2.840.10008.1.2.4.50'
const NATIVE = [IMPLICIT_LITTLE_ENDIAN, EXPLICIT_LITTLE_ENDIAN, EXPLICIT_BIG_ENDIAN, DEFLATED_LITTLE_ENDIAN]

async function leave(stored: Uint8Array, options: EgressOptions = {}): Promise<Buffer> {
  const read = async (start: number, end: number) => stored.subarray(start, end)
  const egress = planEgress({ source: memorySource(stored), read }, options)
  const chunks: Uint8Array[] = []
  for await (const chunk of egress.chunks()) chunks.push(chunk)
  const bytes = Buffer.concat(chunks)
  assert.equal(egress.length ?? bytes.length, bytes.length)
  return bytes
}

function open(bytes: Uint8Array) {
  const part10 = openPart10(memorySource(bytes))
  return { part10, dataSet: readDataSet(part10.dataSet, part10.encoding) }
}

/** All of an object as text, binary included, so that two encodings of it can be compared. */
function content(bytes: Uint8Array): string {
  const { json, pixel } = writeDicomJson(open(bytes).part10, { bulkDataUri: (path) => path, inlineMax: 1e6 })
  return `${Buffer.from(json).toString()} ${pixel?.valueLength}`
}

/** The pixel element's bytes, little endian. */
function pixels(bytes: Uint8Array): Buffer {
  const { dataSet, part10 } = open(bytes)
  const { valueOffset, valueLength } = dataSet.get(0x7fe00010)!
  const value = Buffer.from(part10.dataSet.read(valueOffset, valueOffset + valueLength))
  return part10.encoding.bigEndian ? value.swap16() : value
}

const WORDS = Buffer.alloc(40_000)
for (let i = 0; i < WORDS.length; i++) WORDS[i] = (i * 7) & 0xff
const OBJECT: WriteElement[] = [
  el(0x00080005, 'CS', 'ISO_IR 100'),
  el(0x00100010, 'PN', 'Doe^John'),
  el(0x00100020, 'LO', 'P1'),
  el(0x00189073, 'FD', '0.1'),
  el(0x00280009, 'AT', '3004000C'),
  el(0x00280010, 'US', '100'),
  el(0x00280011, 'US', '200'),
  el(0x00280100, 'US', '16'),
  items(0x00400275, [el(0x00400009, 'SH', 'step')], []),
  binary(0x00281201, 'OW', Uint8Array.of(1, 2, 3, 4)),
  binary(0x7fe00010, 'OW', WORDS),
]

test('egress: without an overlay an object leaves byte for byte, preamble included', async () => {
  for (const uid of [...NATIVE, JPEG]) {
    const stored = part10Of(uid === JPEG ? [fragments(new Uint8Array(0), hex('ffd8ffd9'))] : OBJECT, uid)
    stored.set(hex('49492a0008000000'))
    assert((await leave(stored)).equals(stored), uid)
    assert((await leave(stored, { transferSyntaxUID: uid })).equals(stored), uid)
  }
})

for (const from of NATIVE) {
  for (const to of NATIVE) {
    if (from === to) continue
    test(`egress: ${from} leaves as ${to} with the same content`, async () => {
      const stored = part10Of(OBJECT, from)
      stored.set(hex('49492a0008000000')) // a TIFF header whose offsets would be wrong
      const left = await leave(stored, { transferSyntaxUID: to })
      assert.equal(open(left).part10.meta?.transferSyntaxUID, to)
      assert.deepEqual(open(left).part10.meta?.preamble, { kind: 'zero' })
      assert.equal(content(left), content(stored))
      assert(pixels(left).equals(WORDS))
      assert.deepEqual(open(left).part10.problems, [])
    })
  }
}

test('egress: coded pixels are not coded anew', async () => {
  assert.equal(canLeaveAs(JPEG, EXPLICIT_LITTLE_ENDIAN), false)
  assert.equal(canLeaveAs(EXPLICIT_LITTLE_ENDIAN, JPEG), false)
  assert.equal(canLeaveAs('1.2.3', '1.2.3'), true)
  const stored = part10Of([fragments(new Uint8Array(0), hex('ffd8ffd9'))], JPEG)
  assert.throws(() => planEgress({ source: memorySource(stored) }, { transferSyntaxUID: EXPLICIT_LITTLE_ENDIAN }), {
    rule: 'egress',
  })
})

const coerce = (changes: Overlay[number]['changes']): Overlay => [
  { reason: 'COERCE', modifyingSystem: 'DIPTYCH', source: 'CLINIC', time: '20240102030405', changes },
]

test('egress: an overlay changes what it names, keeps the rest, and says what was before', async () => {
  const stored = part10Of(OBJECT)
  const overlay = coerce([
    { path: '00100020', value: { vr: 'LO', strings: ['P2'] } },
    { path: '00100010', value: null },
    { path: '00080050', value: { vr: 'SH', strings: ['A1'] } },
    { path: '00400275/0/00400009', value: { vr: 'SH', strings: ['other'] } },
    { path: '00400275/2/00400009', value: { vr: 'SH', strings: ['third'] } },
  ])
  const left = await leave(stored, { overlay })
  const { dataSet } = open(left)
  assert.equal(string(dataSet, 0x00100020), 'P2')
  assert.equal(dataSet.get(0x00100010), undefined)
  assert.equal(string(dataSet, 0x00080050), 'A1')
  assert.equal(string(dataSet, 0x00080015), '20240102030405')
  const steps = sequence(dataSet, 0x00400275)
  assert.deepEqual(
    steps.map((item) => string(item, 0x00400009)),
    ['other', null, 'third'],
  )
  assert(pixels(left).equals(WORDS))
  const [original, ...more] = sequence(dataSet, 0x04000561)
  assert(original !== undefined && more.length === 0)
  assert.equal(string(original, 0x04000563), 'DIPTYCH')
  assert.equal(string(original, 0x04000564), 'CLINIC')
  assert.equal(string(original, 0x04000565), 'COERCE')
  const [before] = sequence(original, 0x04000550)
  assert(before !== undefined)
  assert.equal(string(before, 0x00100020), 'P1')
  assert.equal(string(before, 0x00100010), 'Doe^John')
  assert.deepEqual(strings(before, 0x00080050), [])
  assert(before.get(0x00080050) !== undefined, 'an attribute that was absent is there and empty')
  assert.deepEqual(
    sequence(before, 0x00400275).map((item) => string(item, 0x00400009)),
    ['step', null],
  )
})

test('egress: events are appended to those an object already had, each with the value before it', async () => {
  const first = await leave(part10Of(OBJECT), {
    overlay: [...coerce([{ path: '00100020', value: { vr: 'LO', strings: ['P2'] } }])],
  })
  const second = await leave(first, {
    overlay: [
      { ...coerce([])[0]!, reason: 'CORRECT', changes: [{ path: '00100020', value: { vr: 'LO', strings: ['P3'] } }] },
      ...coerce([{ path: '00100020', value: { vr: 'LO', strings: ['P4'] } }]),
    ],
  })
  const { dataSet } = open(second)
  const history = sequence(dataSet, 0x04000561).map((item) => string(sequence(item, 0x04000550)[0]!, 0x00100020))
  assert.deepEqual(history, ['P1', 'P2', 'P3'])
  assert.equal(string(dataSet, 0x00100020), 'P4')
})

test('egress: a name the character set cannot write makes all text UTF-8, in items of another one too', async () => {
  const latin = (tag: number, ...bytes: number[]): WriteElement => binary(tag, 'LO', Uint8Array.from(bytes))
  const stored = part10Of([
    el(0x00080005, 'CS', 'ISO_IR 100'),
    latin(0x00080070, 0xe1),
    el(0x00100010, 'PN', 'Doe^John'),
    items(0x00400275, [el(0x00080005, 'CS', 'ISO_IR 126'), latin(0x00400009, 0xe1)], [latin(0x00400009, 0xe1)]),
  ])
  const left = await leave(stored, { overlay: coerce([{ path: '00100010', value: { vr: 'PN', strings: ['山田'] } }]) })
  const { dataSet } = open(left)
  assert.deepEqual(dataSet.charsets, ['ISO_IR 192'])
  assert.equal(string(dataSet, 0x00100010), '山田')
  assert.equal(string(dataSet, 0x00080070), 'á')
  const [greek, plain] = sequence(dataSet, 0x00400275)
  assert(greek !== undefined && plain !== undefined)
  assert.deepEqual([string(greek, 0x00400009), string(plain, 0x00400009)], ['α', 'á'])
})

// Metadata are overlaid without the object, and do not say what its character set was: the overlay alone must decide.
test('egress: new text in ASCII keeps the character set, any other text makes it UTF-8', async () => {
  for (const [name, charset] of [
    ['Buss', 'ISO_IR 100'],
    ['Buß', 'ISO_IR 192'],
    ['Bu~ss', 'ISO_IR 192'], // ISO_IR 13 has another character there
  ] as const) {
    const overlay = coerce([{ path: '00100010', value: { vr: 'PN', strings: [name] } }])
    const { dataSet } = open(await leave(part10Of(OBJECT), { overlay }))
    assert.deepEqual(dataSet.charsets, [charset])
    assert.equal(string(dataSet, 0x00100010), name)
  }
})

// What is emitted after a rewrite must not be a TIFF whose offsets lead elsewhere (threats.md section 2).
test('egress: a rewrite zeroes the preamble and drops the padding that held the TIFF', async () => {
  const stored = part10Of([...OBJECT, binary(0xfffcfffc, 'OB', new Uint8Array(64).fill(1))])
  stored.set(hex('49492a0008000000'))
  const left = await leave(stored, { overlay: coerce([{ path: '00100020', value: { vr: 'LO', strings: ['P2'] } }]) })
  assert(left.subarray(0, 128).every((byte) => byte === 0))
  assert.equal(open(left).dataSet.get(0xfffcfffc), undefined)
  assert.equal(open(left).part10.meta?.groupLength, 'right')
})

test('egress: encapsulated pixels and their table pass through a rewrite', async () => {
  const stored = part10Of([el(0x00100020, 'LO', 'P1'), fragments(hex('00000000'), hex('ffd8ffd9'))], JPEG)
  const left = await leave(stored, { overlay: coerce([{ path: '00100020', value: { vr: 'LO', strings: ['P2'] } }]) })
  const { dataSet } = open(left)
  const parts = dataSet
    .get(0x7fe00010)
    ?.fragments?.map(({ offset, length }) => Buffer.from(dataSet.source.read(offset, offset + length)).toString('hex'))
  assert.deepEqual(parts, ['00000000', 'ffd8ffd9'])
})

for (const path of [
  '0010002',
  '00100020/0',
  '00100020/x/00100010',
  '04000561',
  '00020010',
  '7FE00010',
  '0020000D',
  '00080018',
  '00280010',
]) {
  test(`egress: ${path} cannot be overlaid`, () => {
    const overlay = coerce([{ path, value: { vr: 'LO', strings: ['x'] } }])
    assert.throws(() => planEgress({ source: memorySource(part10Of(OBJECT)) }, { overlay }), { rule: 'overlay' })
  })
}

test('egress: a source that gives less than it should is an error, not a short object', async () => {
  const stored = part10Of(OBJECT)
  const egress = planEgress({
    source: memorySource(stored),
    read: async (start, end) => stored.subarray(start, end - 1),
  })
  await assert.rejects(
    async () => {
      for await (const chunk of egress.chunks()) assert(chunk.length > 0)
    },
    { code: 'dicom.malformed', rule: 'R1' },
  )
})
