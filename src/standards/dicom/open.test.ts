import assert from 'node:assert/strict'
import { test } from 'node:test'
import { memorySource } from '../byte-source.ts'
import { EXPLICIT_BE, EXPLICIT_LE, IMPLICIT_LE } from './encoding.ts'
import { binary, dataSetOf, el, part10Of } from './fixture.ts'
import { findBareDataSet, openPart10 } from './open.ts'
import { joinPieces } from './pieces.ts'
import { transferSyntax, transferSyntaxes } from './transfer-syntax.ts'
import { buildHead, encodeDataSet } from './write.ts'

const OBJECT = dataSetOf([
  el(0x00080016, 'UI', '1.2.840.10008.5.1.4.1.1.7'),
  el(0x00080018, 'UI', '1.2'),
  el(0x00100020, 'LO', 'P1'),
  binary(0x7fe00010, 'OW', new Uint8Array(8)),
])

function withHead(uid: string, body: Uint8Array): Uint8Array {
  return Buffer.concat([buildHead({ sopClassUID: '1.2', sopInstanceUID: '1.2', transferSyntaxUID: uid }), body])
}

const encodings = [
  { name: 'implicit', encoding: IMPLICIT_LE, uid: '1.2.840.10008.1.2' },
  { name: 'explicit', encoding: EXPLICIT_LE, uid: '1.2.840.10008.1.2.1' },
  { name: 'big endian', encoding: EXPLICIT_BE, uid: '1.2.840.10008.1.2.2' },
] as const

for (const declared of encodings) {
  for (const actual of encodings) {
    const body = joinPieces(encodeDataSet(OBJECT, actual.encoding))
    test(`open: declared ${declared.name}, written ${actual.name}`, () => {
      const part10 = openPart10(memorySource(withHead(declared.uid, body)))
      assert.equal(part10.encoding, actual.encoding)
      assert.equal(part10.transferSyntax.uid, declared.uid)
      assert.deepEqual(
        part10.problems.map(({ rule }) => rule),
        declared === actual ? [] : ['M6'],
      )
    })
  }
}

// Read the other way only if the whole file then walks clean: damage must stay damage.
test('open: a data set that reads neither way keeps its declared encoding', () => {
  const body = Buffer.from(joinPieces(encodeDataSet(OBJECT, IMPLICIT_LE)))
  const part10 = openPart10(memorySource(withHead('1.2.840.10008.1.2.1', body.subarray(0, body.length - 9))))
  assert.equal(part10.encoding, EXPLICIT_LE)
  assert.deepEqual(part10.problems, [])
})

test('open: an unknown transfer syntax is refused by rule M6', () => {
  const body = joinPieces(encodeDataSet(OBJECT, EXPLICIT_LE))
  assert.throws(() => openPart10(memorySource(withHead('1.2.3.4', body))), { rule: 'M6', code: 'dicom.malformed' })
})

for (const { name, encoding, uid } of encodings) {
  const body = joinPieces(encodeDataSet(OBJECT, encoding))
  test(`open: a bare ${name} data set only where that is asked for`, () => {
    assert.throws(() => openPart10(memorySource(body)), { rule: 'P0' })
    const part10 = openPart10(memorySource(body), { bare: true })
    assert.equal(part10.meta, null)
    assert.equal(part10.bare, true)
    assert.equal(part10.transferSyntax.uid, uid)
    assert.equal(part10.dataSetStart, 0)
  })
}

const strangers = [
  { name: 'text', bytes: Buffer.from('The quick brown fox jumps over the lazy dog. '.repeat(20)) },
  { name: 'zeros', bytes: new Uint8Array(1000) },
  { name: 'a PNG', bytes: Buffer.from('89504e470d0a1a0a0000000d49484452', 'hex') },
  { name: 'nothing', bytes: new Uint8Array(0) },
  {
    name: 'a data set with an archive behind it',
    bytes: Buffer.concat([joinPieces(encodeDataSet(OBJECT, EXPLICIT_LE)), Buffer.from('PK\x03\x04 and so on')]),
  },
]

for (const { name, bytes } of strangers) {
  test(`open: ${name} is no bare data set`, () => {
    assert.equal(findBareDataSet(memorySource(bytes)), null)
  })
}

test('open: a deflated data set is inflated, and where its stream ends is told', () => {
  const file = part10Of([el(0x00100020, 'LO', 'P1')], '1.2.840.10008.1.2.1.99')
  const part10 = openPart10(memorySource(Buffer.concat([file, Buffer.from('tail')])))
  assert.equal(part10.base, null)
  assert(part10.deflatedEnd !== null && part10.deflatedEnd <= file.length && part10.deflatedEnd >= file.length - 1)
})

test('transfer syntaxes: what the file format says of them', () => {
  const facts = (uid: string) => {
    const found = transferSyntax(uid)
    return (
      found && [found.explicit, found.bigEndian, found.deflated, found.encapsulated, found.lossy, found.frameMediaType]
    )
  }
  assert.deepEqual(facts('1.2.840.10008.1.2'), [false, false, false, false, false, null])
  assert.deepEqual(facts('1.2.840.10008.1.2.2'), [true, true, false, false, false, null])
  assert.deepEqual(facts('1.2.840.10008.1.2.1.99'), [true, false, true, false, false, null])
  assert.deepEqual(facts('1.2.840.10008.1.2.5'), [true, false, false, true, false, 'image/dicom-rle'])
  assert.deepEqual(facts('1.2.840.10008.1.2.4.81'), [true, false, false, true, true, 'image/jls'])
  assert.equal(transferSyntax('1.2.840.10008.1.2.4.102')?.multiFrameVideo, true)
  assert.equal(transferSyntax('1.2.3'), undefined)
  assert.equal(new Set(transferSyntaxes().map(({ uid }) => uid)).size, transferSyntaxes().length)
})
