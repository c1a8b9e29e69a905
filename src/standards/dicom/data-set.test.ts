import assert from 'node:assert/strict'
import { test } from 'node:test'
import { memorySource } from '../byte-source.ts'
import { number, numbers, personName, readDataSet, sequence, string, strings, text } from './data-set.ts'
import { type Encoding, EXPLICIT_BE, EXPLICIT_LE, IMPLICIT_LE } from './encoding.ts'
import { binary, dataSetOf, el, hex, items } from './fixture.ts'
import { joinPieces } from './pieces.ts'
import { encodeDataSet, type WriteElement } from './write.ts'

function read(elements: WriteElement[], encoding: Encoding = EXPLICIT_LE) {
  const bytes = joinPieces(encodeDataSet(dataSetOf(elements), encoding))
  return readDataSet(memorySource(bytes), encoding)
}

const latin = (value: string) => Buffer.from(value, 'latin1')

for (const [name, encoding] of [
  ['explicit', EXPLICIT_LE],
  ['implicit', IMPLICIT_LE],
  ['big endian', EXPLICIT_BE],
] as const) {
  test(`data set: values of every kind, ${name}`, () => {
    const dataSet = read(
      [
        el(0x00080008, 'CS', 'ORIGINAL', ' PRIMARY '),
        el(0x00080018, 'UI', '1.2.3'),
        el(0x00100010, 'PN', 'Doe^John=X=Y'),
        el(0x00186020, 'SL', '-5', '7'),
        el(0x00189073, 'FD', '0.1'),
        el(0x00200013, 'IS', '12'),
        el(0x00200032, 'DS', '1.5', '-2', ''),
        el(0x00280009, 'AT', '3004000C'),
        el(0x00280010, 'US', '65535'),
        binary(0x0040a160, 'UT', latin(' one\\text  ')),
      ],
      encoding,
    )
    assert.deepEqual(strings(dataSet, 0x00080008), ['ORIGINAL', 'PRIMARY'])
    assert.equal(string(dataSet, 0x00080018), '1.2.3')
    assert.deepEqual(personName(dataSet, 0x00100010), { alphabetic: 'Doe^John', ideographic: 'X', phonetic: 'Y' })
    assert.deepEqual(numbers(dataSet, 0x00186020), [-5, 7])
    assert.equal(number(dataSet, 0x00189073), 0.1)
    assert.equal(number(dataSet, 0x00200013), 12)
    assert.deepEqual(numbers(dataSet, 0x00200032), [1.5, -2, Number.NaN])
    assert.deepEqual(strings(dataSet, 0x00280009), ['3004000C'])
    assert.equal(number(dataSet, 0x00280010), 65535)
    assert.equal(text(dataSet, 0x0040a160), ' one\\text')
    for (const absent of [0x00100020, 0x00400275]) {
      assert.equal(string(dataSet, absent), null)
      assert.equal(text(dataSet, absent), null)
      assert.equal(number(dataSet, absent), null)
      assert.deepEqual(sequence(dataSet, absent), [])
    }
  })
}

// An explicit file whose sender knew no VR must still be found by its patient.
test('data set: UN is read by what the dictionary knows, in little endian', () => {
  const dataSet = read([
    binary(0x00100020, 'UN', latin('P1 ')),
    binary(0x00280010, 'UN', Uint8Array.of(1, 2)),
    binary(0x00091010, 'UN', latin('??')),
  ])
  assert.equal(string(dataSet, 0x00100020), 'P1')
  assert.equal(number(dataSet, 0x00280010), 0x0201)
  assert.deepEqual(strings(dataSet, 0x00091010), [])
})

test('data set: an item has the character set around it unless it has its own, an empty one is the default', () => {
  const word = binary(0x00400009, 'SH', Uint8Array.of(0xe1, 0x20))
  const dataSet = read([
    el(0x00080005, 'CS', 'ISO_IR 126'),
    items(0x00400275, [word], [el(0x00080005, 'CS', 'ISO_IR 100'), word], [items(0x00400008, [word])]),
    items(0x00400276, [el(0x00080005, 'CS'), word]),
  ])
  const [inherits, own, deep] = sequence(dataSet, 0x00400275)
  assert(inherits !== undefined && own !== undefined && deep !== undefined)
  assert.equal(string(inherits, 0x00400009), 'α')
  assert.equal(string(own, 0x00400009), 'á')
  assert.equal(string(sequence(deep, 0x00400008)[0]!, 0x00400009), 'α')
  assert.deepEqual(sequence(dataSet, 0x00400276)[0]?.charsets, [])
})

test('data set: of duplicates the first counts, and the second is told', () => {
  const bytes = hex('0800 6000 4353 0200 4354 0800 6000 4353 0200 4d52')
  const dataSet = readDataSet(memorySource(bytes), EXPLICIT_LE)
  assert.equal(string(dataSet, 0x00080060), 'CT')
  assert.deepEqual(
    dataSet.problems.map(({ rule, tag, offset }) => [rule, tag, offset]),
    [['M9', '00080060', 10]],
  )
})
