import assert from 'node:assert/strict'
import { test } from 'node:test'
import { cx, cxi, dtm, readCx, readCxi, readDtm, readXcn, readXon, readXpn, xcn, xpn } from './values.ts'

// A delimiter in a number or a name must not become another component: somebody else's number, another person.
const identifiers = [
  { value: { id: '4711', universalId: '1.2.3', namespaceId: '' }, text: '4711^^^&1.2.3&ISO' },
  { value: { id: '4711', universalId: '', namespaceId: 'WARD' }, text: '4711^^^WARD' },
  { value: { id: '4711', universalId: '', namespaceId: '' }, text: '4711' },
  {
    value: { id: 'a^b&c|d~e\\f', universalId: '', namespaceId: 'X&Y' },
    text: 'a\\S\\b\\T\\c\\F\\d\\R\\e\\E\\f^^^X\\T\\Y',
  },
  {
    value: { id: '1', universalId: 'http://a.example', namespaceId: '' },
    text: '1^^^&http://a.example&URI',
  },
]
for (const { value, text } of identifiers) {
  test(`CX ${text}`, () => {
    assert.equal(cx(value), text)
    assert.deepEqual(readCx(text), value)
  })
}

test('what has no number is no identifier', () => {
  assert.equal(readCx('^^^&1.2.3&ISO'), null)
})

test('CXi carries the type of the reference; a study has no authority', () => {
  const study = { id: '1.2.840.1', universalId: '', namespaceId: '' }
  const text = cxi(study, 'urn:ihe:iti:xds:2016:studyInstanceUID')
  assert.equal(text, '1.2.840.1^^^^urn:ihe:iti:xds:2016:studyInstanceUID')
  assert.deepEqual(readCxi(text), { identifier: study, type: 'urn:ihe:iti:xds:2016:studyInstanceUID' })
})

test('a person keeps every part of the name; PN and XCN order prefix and suffix differently', () => {
  const id = { id: '77', universalId: '1.9', namespaceId: '' }
  assert.equal(xcn('Muster^Anna^B^Dr.^jun.', id), '77^Muster^Anna^B^jun.^Dr.^^^&1.9&ISO')
  assert.deepEqual(readXcn('77^Muster^Anna^B^jun.^Dr.^^^&1.9&ISO'), {
    person: 'Muster^Anna^B^Dr.^jun.',
    identifier: id,
  })
  assert.deepEqual(readXcn('^Smitty^Gerald^^^'), { person: 'Smitty^Gerald', identifier: null })
  assert.equal(readXpn(xpn('A^B^C^Dr.^II')), 'A^B^C^Dr.^II')
  assert.equal(readXon('Cleveland Clinic^^^^^&1.2.3&ISO^^^^CleveClin'), 'Cleveland Clinic')
})

const times = [
  ['2019', '2019'],
  ['2019-05', '201905'],
  ['2019-05-02', '20190502'],
  ['2019-05-02T10:00:00Z', '20190502100000'],
] as const
for (const [iso, text] of times) {
  test(`a time keeps its precision: ${iso}`, () => {
    assert.equal(dtm(iso), text)
    assert.equal(readDtm(text), iso)
  })
}

test('times of another zone become UTC; what is no time is none', () => {
  assert.equal(dtm('2019-05-02T10:00:00.000+02:00'), '20190502080000')
  assert.equal(dtm('yesterday'), null)
  assert.equal(readDtm('x'), null)
  assert.equal(readDtm('20190502'), '2019-05-02')
  assert.equal(readDtm('2004122308'), '2004-12-23T08:00:00Z')
})
