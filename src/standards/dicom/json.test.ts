import assert from 'node:assert/strict'
import { test } from 'node:test'
import { memorySource } from '../byte-source.ts'
import { type Encoding, EXPLICIT_BE, EXPLICIT_LE, IMPLICIT_LE } from './encoding.ts'
import { DicomError } from './errors.ts'
import { binary, dataSetOf, el, FIXTURE_CLASS, fragments, hex, items, part10Of } from './fixture.ts'
import { jsonToDataSet, jsonToDataSets, pickList, writeDicomJson } from './json.ts'
import { openPart10 } from './open.ts'
import { joinPieces } from './pieces.ts'
import { encodeDataSet, type WriteElement } from './write.ts'

const options = { bulkDataUri: (path: string) => `/bulk/${path}`, inlineMax: 64 }

function jsonOf(elements: WriteElement[], encoding: Encoding = EXPLICIT_LE): string {
  const bytes = joinPieces(encodeDataSet(dataSetOf(elements), encoding))
  return textOf(bytes, encoding)
}

function textOf(bytes: Uint8Array, encoding: Encoding = EXPLICIT_LE): string {
  return Buffer.from(writeDicomJson({ dataSet: memorySource(bytes), encoding }, options).json).toString('utf8')
}

const latin = (text: string) => Buffer.from(text, 'latin1')

const values: { name: string; element: WriteElement; json: string }[] = [
  { name: 'text', element: el(0x00080060, 'CS', 'CT'), json: '{"00080060":{"vr":"CS","Value":["CT"]}}' },
  { name: 'nothing', element: el(0x00080060, 'CS'), json: '{"00080060":{"vr":"CS"}}' },
  { name: 'only padding', element: binary(0x00080060, 'CS', latin('  ')), json: '{"00080060":{"vr":"CS"}}' },
  {
    name: 'an empty value among others is null',
    element: binary(0x00080008, 'CS', latin('A\\\\B ')),
    json: '{"00080008":{"vr":"CS","Value":["A",null,"B"]}}',
  },
  {
    name: 'a backslash in a text of one value',
    element: binary(0x0040a160, 'UT', latin(' C:\\x "q"\r\n\x01')),
    json: '{"0040A160":{"vr":"UT","Value":[" C:\\\\x \\"q\\"\\r\\n\\u0001"]}}',
  },
  {
    name: 'DS that is a JSON number',
    element: el(0x00281050, 'DS', '-1.50E2'),
    json: '{"00281050":{"vr":"DS","Value":[-1.50E2]}}',
  },
  {
    name: 'DS that would change as a number',
    element: el(0x00200032, 'DS', '+1', '.5', '1.', '01', '0.1234567890123456', '', 'x'),
    json: '{"00200032":{"vr":"DS","Value":["+1",".5","1.","01","0.1234567890123456",null,"x"]}}',
  },
  {
    name: 'IS',
    element: el(0x00200013, 'IS', '-7', '1.5', '1A'),
    json: '{"00200013":{"vr":"IS","Value":[-7,"1.5","1A"]}}',
  },
  {
    name: 'US',
    element: el(0x00280010, 'US', '0', '9', '65535'),
    json: '{"00280010":{"vr":"US","Value":[0,9,65535]}}',
  },
  { name: 'SL', element: el(0x00186020, 'SL', '-2147483648'), json: '{"00186020":{"vr":"SL","Value":[-2147483648]}}' },
  {
    name: 'UV beyond what a double holds',
    element: el(0x00080302, 'UV', '18446744073709551615', '1'),
    json: '{"00080302":{"vr":"UV","Value":["18446744073709551615",1]}}',
  },
  {
    name: 'numbers JSON does not have',
    element: el(0x00189073, 'FD', 'NaN', '-Infinity', '0.1', '-0'),
    json: '{"00189073":{"vr":"FD","Value":["NaN","-Infinity",0.1,-0]}}',
  },
  { name: 'AT', element: el(0x00280009, 'AT', '3004000C'), json: '{"00280009":{"vr":"AT","Value":["3004000C"]}}' },
  {
    name: 'a name of three groups',
    element: el(0x00100010, 'PN', 'Yamada^Tarou=山田^太郎=やまだ^たろう'),
    json: '{"00100010":{"vr":"PN","Value":[{"Alphabetic":"Yamada^Tarou","Ideographic":"山田^太郎","Phonetic":"やまだ^たろう"}]}}',
  },
  {
    name: 'a name of the second group alone',
    element: el(0x00100010, 'PN', '=Y', '', 'A=', '=='),
    json: '{"00100010":{"vr":"PN","Value":[{"Ideographic":"Y"},null,{"Alphabetic":"A"},null]}}',
  },
  { name: 'a name that is none', element: el(0x00100010, 'PN', '=='), json: '{"00100010":{"vr":"PN"}}' },
  {
    name: 'a small binary',
    element: binary(0x00091010, 'OB', Uint8Array.of(1, 2, 3, 255)),
    json: '{"00091010":{"vr":"OB","InlineBinary":"AQID/w=="}}',
  },
  {
    name: 'a large binary',
    element: binary(0x00420011, 'OB', new Uint8Array(66)),
    json: '{"00420011":{"vr":"OB","BulkDataURI":"/bulk/00420011"}}',
  },
  {
    name: 'pixels, however small',
    element: binary(0x7fe00010, 'OW', new Uint8Array(2)),
    json: '{"7FE00010":{"vr":"OW","BulkDataURI":"/bulk/7FE00010"}}',
  },
  {
    name: 'fragments',
    element: fragments(new Uint8Array(0), latin('ab')),
    json: '{"7FE00010":{"vr":"OB","BulkDataURI":"/bulk/7FE00010"}}',
  },
  { name: 'an empty sequence', element: items(0x00400275), json: '{"00400275":{"vr":"SQ"}}' },
  {
    name: 'items, an empty one too, with bulk data by item index',
    element: items(0x54000100, [], [binary(0x54001010, 'OW', new Uint8Array(66))]),
    json: '{"54000100":{"vr":"SQ","Value":[{},{"54001010":{"vr":"OW","BulkDataURI":"/bulk/54000100/1/54001010"}}]}}',
  },
  {
    name: 'a private sequence keeps its creator',
    element: items(0x00091001, [el(0x00090010, 'LO', 'ACME')]),
    json: '{"00091001":{"vr":"SQ","Value":[{"00090010":{"vr":"LO","Value":["ACME"]}}]}}',
  },
]

const charset = el(0x00080005, 'CS', 'ISO_IR 192')
for (const { name, element, json } of values) {
  test(`JSON: ${name}`, () => {
    const nonAscii = json.includes('山')
    const expected = nonAscii ? json.replace('{', '{"00080005":{"vr":"CS","Value":["ISO_IR 192"]},') : json
    assert.equal(jsonOf(nonAscii ? [charset, element] : [element]), expected)
  })

  test(`JSON: ${name}, there and back`, () => {
    const element2 = [charset, element]
    const text = jsonOf(element2)
    const back = jsonToDataSet(text, (uri, path) => {
      assert.equal(uri, `/bulk/${path}`)
      const bytes = new Uint8Array(path === '7FE00010' ? 2 : 66)
      return { is: 'bytes', bytes }
    })
    assert.equal(jsonOf([...back.values()]), text)
  })
}

for (const [name, encoding] of [
  ['implicit', IMPLICIT_LE],
  ['big endian', EXPLICIT_BE],
] as const) {
  test(`JSON: ${name} says the same as explicit little endian`, () => {
    const elements = [
      el(0x00080018, 'UI', '1.2'),
      el(0x00280010, 'US', '512'),
      el(0x00189073, 'FD', '0.1'),
      el(0x00280009, 'AT', '3004000C'),
      binary(0x00281201, 'OW', Uint8Array.of(1, 2, 3, 4)),
      items(0x00400275, [el(0x00400009, 'SH', 'x')]),
    ]
    assert.equal(jsonOf(elements, encoding), jsonOf(elements))
  })
}

const CS = '0800 6000 4353 0200 4354'
const ROWS = '2800 1000 5553 0200 0001'
test('JSON: keys ascend and the first of duplicates counts, whatever the order of the file', () => {
  const bytes = hex(`${ROWS} ${CS} 0800 6000 4353 0200 4d52 1000 2000 4c4f 0000`)
  const json = '{"00080060":{"vr":"CS","Value":["CT"]},"00100020":{"vr":"LO"},"00280010":{"vr":"US","Value":[256]}}'
  assert.equal(textOf(bytes), json)
})

test('JSON: a character set that stands behind its text is still that of the text', () => {
  const bytes = hex(
    `1000 1000 504e 0400 ${Buffer.from('Bu\xdf ', 'latin1').toString('hex')} 0800 0500 4353 0a00 ${latin('ISO_IR 100').toString('hex')}`,
  )
  assert.equal(
    textOf(bytes),
    '{"00080005":{"vr":"CS","Value":["ISO_IR 192"]},"00100010":{"vr":"PN","Value":[{"Alphabetic":"Buß"}]}}',
  )
})

test('JSON: an item may have a character set of its own, the next one has that of the data set again', () => {
  const greek = { is: 'bytes', bytes: Uint8Array.of(0xe1, 0x20) } as const
  const item = (...more: WriteElement[]) => [...more, { tag: 0x00400009, vr: 'SH', value: greek } as const]
  const elements = [
    el(0x00080005, 'CS', 'ISO_IR 100'),
    items(0x00400275, item(el(0x00080005, 'CS', 'ISO_IR 126')), item()),
  ]
  const parsed = JSON.parse(jsonOf(elements))
  assert.equal(parsed['00400275'].Value[0]['00400009'].Value[0], 'α')
  assert.equal(parsed['00400275'].Value[1]['00400009'].Value[0], 'á')
  assert.equal(parsed['00400275'].Value[0]['00080005'].Value[0], 'ISO_IR 192')
})

test('JSON: group lengths, group 0002 and trailing padding are left out', () => {
  const bytes = hex(`0800 0000 554c 0400 00000000 ${CS} fcff fcff 4f42 0000 02000000 0000`)
  assert.equal(textOf(bytes), '{"00080060":{"vr":"CS","Value":["CT"]}}')
})

test('JSON: picked attributes come decoded, from sequences in order, and of UN by the dictionary', () => {
  const file = part10Of([
    el(0x00080005, 'CS', 'ISO_IR 192'),
    el(0x00100010, 'PN', 'Buß^A=B='),
    { ...el(0x00100020, 'LO', 'P1'), vr: 'UN' },
    el(0x00280010, 'US', '7'),
    items(0x00400275, [el(0x00400009, 'SH', 'a')], [el(0x00400009, 'SH', 'b')]),
  ])
  const pick = pickList(['00080016', '00100010', '00100020', '00100030', '00280010', '00400275.00400009'])
  const { picked } = writeDicomJson(openPart10(memorySource(file)), { ...options, pick })
  assert.deepEqual(
    [...picked],
    [
      ['00080016', [FIXTURE_CLASS]],
      ['00100010', ['Buß^A=B']],
      ['00100020', ['P1']],
      ['00280010', ['7']],
      ['00400275.00400009', ['a', 'b']],
    ],
  )
})

const hostile: { name: string; json: string; code?: string }[] = [
  { name: 'nothing', json: '' },
  { name: 'half an object', json: '{"00100010":' },
  { name: 'something behind', json: '{} x' },
  { name: 'a duplicate key', json: '{"00100010":{"vr":"PN"},"00100010":{"vr":"PN"}}' },
  { name: 'a duplicate in another spelling', json: '{"0010001a":{"vr":"LO"},"0010001A":{"vr":"LO"}}' },
  { name: 'a prototype key', json: '{"__proto__":{"vr":"PN"}}' },
  { name: 'a key that is no tag', json: '{"PatientName":{"vr":"PN"}}' },
  { name: 'a delimiter', json: '{"FFFEE00D":{"vr":"UN"}}' },
  { name: 'a VR that is none', json: '{"00100010":{"vr":"XX"}}' },
  { name: 'a VR that is a property of objects', json: '{"00100010":{"vr":"constructor"}}' },
  { name: 'two forms of one value', json: '{"00091010":{"vr":"OB","InlineBinary":"AA==","BulkDataURI":"x"}}' },
  { name: 'InlineBinary of text', json: '{"00100010":{"vr":"PN","InlineBinary":"AA=="}}' },
  { name: 'InlineBinary that is no base64', json: '{"00091010":{"vr":"OB","InlineBinary":"A*=="}}' },
  { name: 'a Value of binary', json: '{"00091010":{"vr":"OB","Value":[1]}}' },
  { name: 'a bulk URI that names nothing here', json: '{"00091010":{"vr":"OB","BulkDataURI":"http://127.0.0.1/"}}' },
  { name: 'a number that does not fit', json: '{"00280010":{"vr":"US","Value":[65536]}}' },
  { name: 'a number that is none', json: '{"00280010":{"vr":"US","Value":["many"]}}' },
  { name: 'a fraction of US', json: '{"00280010":{"vr":"US","Value":[1.5]}}' },
  { name: 'a tag that is none', json: '{"00280009":{"vr":"AT","Value":["300400ZZ"]}}' },
  { name: 'an object for text', json: '{"00100020":{"vr":"LO","Value":[{}]}}' },
  { name: 'half a surrogate pair', json: '{"00100020":{"vr":"LO","Value":["\\ud800"]}}' },
  { name: 'a broken escape', json: '{"00100020":{"vr":"LO","Value":["\\x"]}}' },
  { name: 'two data sets where one is wanted', json: '[{},{}]' },
  { name: 'nesting of 1,000,000', json: '['.repeat(1_000_000), code: 'dicom.limit' },
]

for (const { name, json, code } of hostile) {
  test(`JSON in: ${name} is a typed error`, () => {
    assert.throws(
      () => jsonToDataSet(json, () => undefined),
      (error) => error instanceof DicomError && error.code === (code ?? 'dicom.malformed'),
    )
  })
}

test('JSON in: 64 sequences deep is read', () => {
  let json = '{}'
  for (let i = 0; i < 64; i++) json = `{"00400275":{"vr":"SQ","Value":[${json}]}}`
  assert.equal(jsonToDataSets(`[${json}]`, () => undefined).length, 1)
  assert.throws(() => jsonToDataSets(`{"00400275":{"vr":"SQ","Value":[[[${json}]]]}}`, () => undefined), DicomError)
})

test('JSON in: every cut of a document is a typed error', () => {
  const json = jsonOf([charset, el(0x00100010, 'PN', 'Buß'), items(0x00400275, [el(0x00280010, 'US', '7')])])
  for (let length = 0; length < json.length; length++) {
    assert.throws(() => jsonToDataSet(json.slice(0, length), () => undefined), DicomError)
  }
})

test('JSON in: text becomes UTF-8 and says so; digits of DS stay', () => {
  const read = jsonToDataSet(
    '{"00100010":{"vr":"PN","Value":[{"Alphabetic":"Buß"}]},"00281050":{"vr":"DS","Value":[1.500,"2"]}}',
    () => undefined,
  )
  assert.deepEqual(read.get(0x00080005), charset)
  assert.deepEqual(read.get(0x00281050)?.value, { is: 'bytes', bytes: latin('1.500\\2') })
})
