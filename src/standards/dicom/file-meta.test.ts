import assert from 'node:assert/strict'
import { test } from 'node:test'
import { DicomError } from './errors.ts'
import { readFileMeta } from './file-meta.ts'
import { FIXTURE_CLASS, FIXTURE_UID, hex, part10Of } from './fixture.ts'
import { DEFAULT_LIMITS } from './limits.ts'

const file = part10Of([])

function meta(group: string, tail = '0800 0500 4353 0000'): Uint8Array {
  const head = new Uint8Array(132)
  head.set(Buffer.from('DICM'), 128)
  return Buffer.concat([head, hex(group), hex(tail)])
}

const UID = '0200 1000 5549 1200 312e322e3834302e31303030382e312e3200' // (0002,0010) UI 1.2.840.10008.1.2

test('file meta: our own head says what it was built from', () => {
  const read = readFileMeta(file)
  assert(read.kind === 'part10')
  assert.deepEqual(read.preamble, { kind: 'zero' })
  assert.equal(read.mediaStorageSOPClassUID, FIXTURE_CLASS)
  assert.equal(read.mediaStorageSOPInstanceUID, FIXTURE_UID)
  assert.equal(read.transferSyntaxUID, '1.2.840.10008.1.2.1')
  assert.equal(read.implementationVersionName, 'DIPTYCH_0.1')
  assert.equal(read.groupLength, 'right')
  assert.deepEqual(read.problems, [])
  assert.equal(file[read.dataSetStart], 0x08)
})

// A short read must never be taken for a short file: a chunk may end anywhere.
test('file meta: every cut of the head asks for more, until the data set has begun', () => {
  const whole = readFileMeta(file)
  assert(whole.kind === 'part10')
  for (let length = 0; length < whole.dataSetStart + 8; length++) {
    assert.equal(readFileMeta(file.subarray(0, length)).kind, 'need-more', `${length} bytes`)
  }
  assert.deepEqual(readFileMeta(file.subarray(0, whole.dataSetStart + 8)), whole)
})

const facts: { name: string; bytes: Uint8Array; groupLength: string; rules: string[] }[] = [
  { name: 'no group length', bytes: meta(UID), groupLength: 'missing', rules: ['M3'] },
  {
    name: 'group length zero',
    bytes: meta(`0200 0000 554c 0400 00000000 ${UID}`),
    groupLength: 'wrong',
    rules: ['M3'],
  },
  {
    name: 'group length that would reach far beyond',
    bytes: meta(`0200 0000 554c 0400 ffffff7f ${UID}`),
    groupLength: 'wrong',
    rules: ['M3'],
  },
  {
    name: 'right group length',
    bytes: meta(`0200 0000 554c 0400 1a000000 ${UID}`),
    groupLength: 'right',
    rules: [],
  },
  {
    name: 'private information',
    bytes: meta(`${UID} 0200 0001 5549 0400 312e3200 0200 0201 4f42 0000 04000000 4d5a9000`),
    groupLength: 'missing',
    rules: ['M3', 'M1'],
  },
  {
    name: 'out of order',
    bytes: meta(`${UID} 0200 0100 4f42 0000 02000000 0001`),
    groupLength: 'missing',
    rules: ['M10', 'M3'],
  },
]

for (const { name, bytes, groupLength, rules } of facts) {
  test(`file meta: ${name}`, () => {
    const read = readFileMeta(bytes, DEFAULT_LIMITS, true)
    assert(read.kind === 'part10')
    assert.equal(read.transferSyntaxUID, '1.2.840.10008.1.2')
    assert.equal(read.groupLength, groupLength)
    assert.deepEqual(
      read.problems.map(({ rule }) => rule),
      rules,
    )
    assert.equal(read.dataSetStart, bytes.length - 8)
  })
}

test('file meta: private information is told with its place', () => {
  const bytes = meta(`${UID} 0200 0001 5549 0400 312e3200 0200 0201 4f42 0000 04000000 4d5a9000`)
  const read = readFileMeta(bytes, DEFAULT_LIMITS, true)
  assert(read.kind === 'part10')
  assert.deepEqual(read.privateInformation, { creator: '1.2', offset: bytes.length - 12, length: 4 })
})

const refused: { name: string; bytes: Uint8Array; rule: string; code: string }[] = [
  { name: 'a VR that is none', bytes: meta('0200 1000 7878 0000'), rule: 'M4', code: 'dicom.malformed' },
  { name: 'a sequence', bytes: meta('0200 1000 5351 0000 00000000'), rule: 'M4', code: 'dicom.malformed' },
  { name: 'a length beyond the file', bytes: meta('0200 1000 5549 ff00'), rule: 'M4', code: 'dicom.malformed' },
  {
    name: 'a length of 2 GiB',
    bytes: meta('0200 0100 4f42 0000 ffffff7f'),
    rule: 'M4',
    code: 'dicom.malformed',
  },
]

for (const { name, bytes, rule, code } of refused) {
  test(`file meta: ${name} is refused with its offset`, () => {
    assert.throws(
      () => readFileMeta(bytes, DEFAULT_LIMITS, true),
      (error) => error instanceof DicomError && error.rule === rule && error.code === code && error.offset === 132,
    )
  })
}

test('file meta: the limit of group 0002 holds at its edge', () => {
  const value = 200
  const group = (length: number) =>
    meta(`0200 0100 4f42 0000 ${length.toString(16).padStart(2, '0')}000000 ${'00'.repeat(length)}`)
  const limits = { ...DEFAULT_LIMITS, metaBytesMax: 12 + value }
  assert.equal(readFileMeta(group(value), limits, true).kind, 'part10')
  assert.throws(() => readFileMeta(group(value + 1), limits, true), { code: 'dicom.limit', rule: 'M2' })
})

const strangers: { name: string; bytes: Uint8Array; reason: string }[] = [
  { name: 'empty', bytes: new Uint8Array(0), reason: 'short' },
  { name: '131 bytes', bytes: new Uint8Array(131), reason: 'short' },
  { name: 'no DICM', bytes: new Uint8Array(500), reason: 'no-prefix' },
  { name: 'DICM by chance', bytes: meta('0800 0500 4353 0000'), reason: 'no-group-0002' },
]

for (const { name, bytes, reason } of strangers) {
  test(`file meta: ${name} is no Part 10 file`, () => {
    assert.deepEqual(readFileMeta(bytes, DEFAULT_LIMITS, true), { kind: 'not-part10', reason })
  })
}
