import assert from 'node:assert/strict'
import { existsSync, globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { DocumentError } from '../document-error.ts'
import { readEbrim } from './ebrim-read.ts'
import { submitObjectsRequest } from './ebrim-write.ts'
import type { XdsCode, XdsDocumentEntry, XdsMetadata } from './types.ts'
import { documentName, metadataNames, xdmPackage } from './xdm.ts'

const code = (value: string): XdsCode => ({ code: value, scheme: '1.2.3', display: `Shown ${value}` })
const entry: XdsDocumentEntry = {
  entryUUID: 'urn:uuid:11111111-1111-4111-8111-111111111111',
  uniqueId: '1.2.3.4',
  objectType: 'stable',
  availabilityStatus: 'Approved',
  mimeType: 'application/pdf',
  title: 'A <title> & "more"\nof it',
  comments: null,
  author: [
    {
      person: '^Author^Ann',
      institutions: ['One^^^^^^^^^1.2', 'Two'],
      roles: ['r'],
      specialties: [],
      telecommunications: [],
    },
  ],
  classCode: code('class'),
  typeCode: code('type'),
  formatCode: code('format'),
  practiceSettingCode: code('practice'),
  healthcareFacilityTypeCode: code('facility'),
  confidentialityCode: [code('N'), code('R')],
  eventCodeList: [code('CT')],
  languageCode: 'de-CH',
  creationTime: '20190502080000',
  serviceStartTime: '2019',
  serviceStopTime: null,
  legalAuthenticator: '^Legal',
  patientId: '77^^^&1.9&ISO',
  sourcePatientId: '78^^^&1.8&ISO',
  sourcePatientInfo: ['PID-5|A^B', 'PID-8|F'],
  referenceIdList: ['ACC^^^&1.7&ISO^urn:ihe:iti:xds:2013:accession'],
  hash: 'da39a3ee5e6b4b0d3255bfef95601890afd80709',
  size: 123,
  repositoryUniqueId: '1.2.9',
  homeCommunityId: 'urn:oid:1.2',
  documentAvailability: 'Online',
  URI: null,
  extra: { 'urn:diptych:x': ['1', '2'] },
}
const metadata: XdsMetadata = {
  documents: [
    entry,
    {
      ...entry,
      entryUUID: 'urn:uuid:2',
      objectType: 'on-demand',
      mimeType: 'text/xml',
      title: null,
      hash: null,
      size: null,
    },
  ],
  submissionSets: [
    {
      entryUUID: 'urn:uuid:3',
      uniqueId: '1.2.5',
      sourceId: '1.2.6',
      patientId: '77^^^&1.9&ISO',
      submissionTime: '20190502',
      title: 'S',
      comments: 'c',
      author: entry.author,
      contentTypeCode: code('content'),
      intendedRecipient: ['|^R'],
      availabilityStatus: null,
      homeCommunityId: null,
      extra: {},
    },
  ],
  folders: [
    {
      entryUUID: 'urn:uuid:4',
      uniqueId: '1.2.7',
      patientId: null,
      lastUpdateTime: null,
      title: 'F',
      comments: null,
      codeList: [code('f')],
      availabilityStatus: 'Deprecated',
      homeCommunityId: null,
      extra: {},
    },
  ],
  associations: [
    {
      entryUUID: 'urn:uuid:5',
      type: 'HasMember',
      source: 'urn:uuid:3',
      target: entry.entryUUID,
      submissionSetStatus: 'Original',
    },
    {
      entryUUID: 'urn:uuid:6',
      type: 'XFRM_RPLC',
      source: 'urn:uuid:2',
      target: entry.entryUUID,
      submissionSetStatus: null,
    },
  ],
}

test('ebRIM: what is written is read as it was', () => {
  assert.deepEqual(readEbrim(Buffer.from(submitObjectsRequest(metadata))), metadata)
})

test('ebRIM: no value breaks out of its place, and what XML has no character for is told by one', () => {
  for (const hostile of ['"/><x a="', ']]>', '<!DOCTYPE a>', '&amp;', "it's", '$& $1']) {
    const written = submitObjectsRequest({
      ...metadata,
      documents: [{ ...entry, title: hostile, comments: hostile, uniqueId: hostile }],
    })
    const [read] = readEbrim(Buffer.from(written)).documents
    assert.deepEqual([read?.title, read?.comments, read?.uniqueId], [hostile, hostile, hostile])
  }
  const written = submitObjectsRequest({ ...metadata, documents: [{ ...entry, title: 'a\u0000\ud800b' }] })
  assert.equal(readEbrim(Buffer.from(written)).documents[0]?.title, 'a\ufffd\ufffdb')
})

const list = (inner: string) =>
  `<l:S xmlns:l="urn:l" xmlns="urn:oasis:names:tc:ebxml-regrep:xsd:rim:3.0"><RegistryObjectList>${inner}</RegistryObjectList></l:S>`
const slot = (name: string, ...values: readonly string[]) =>
  `<Slot name="${name}"><ValueList>${values.map((one) => `<Value>${one}</Value>`).join('')}</ValueList></Slot>`

test('ebRIM: spellings and lies of others', () => {
  const read = readEbrim(
    Buffer.from(
      list(
        `<ExtrinsicObject id="d">${slot('URI', '2|b.pdf', '1|a/')}${slot('size', '-1')}${slot('hash', 'ABC')}${slot('__proto__', 'x')}
         <Classification classificationScheme="urn:uuid:93606bcf-9494-43ec-9b4e- a7748d1a838d">${slot('authorSpeciality', 'x')}</Classification></ExtrinsicObject>
         <RegistryPackage id="s"/><Classification classifiedObject="s" classificationNode="urn:uuid:a54d6aa5-d40d-43f9-88c5-b4633d873bdd"/>
         <RegistryPackage id="neither"/><Association id="a" associationType="HasMember" sourceObject="s" targetObject="d"/>
         <Association id="b" associationType="urn:other" sourceObject="s" targetObject="d"/><Association associationType="constructor"/>`,
      ),
    ),
  )
  const [document] = read.documents
  assert.deepEqual(
    [document?.URI, document?.size, document?.hash, document?.author[0]?.specialties],
    ['a/b.pdf', null, 'abc', ['x']],
  )
  assert.deepEqual(
    [read.submissionSets.length, read.folders.length, read.associations.map((one) => one.type)],
    [1, 0, ['HasMember']],
  )
})

const refused: readonly [name: string, content: string, fault: string][] = [
  ['a document type', `<!DOCTYPE a>${list('')}`, 'doctype'],
  ['no list', '<a/>', 'malformed'],
  ['a list of another namespace', '<RegistryObjectList/>', 'malformed'],
  ['depth', list('<a>'.repeat(100)), 'limit'],
  ['count', list('<Association/>'.repeat(10_001)), 'limit'],
]
for (const [name, content, fault] of refused) {
  test(`ebRIM refused: ${name}`, () => {
    assert.throws(
      () => readEbrim(Buffer.from(content)),
      (thrown) => thrown instanceof DocumentError && thrown.fault === fault,
    )
  })
}

const maker = { institution: 'Clinic <&>', contact: 'archive\r\nInjected: line', software: 'Diptych', language: 'en' }

test('XDM: names of eight and three letters, a page without script, metadata that point at the files', () => {
  const files = [...xdmPackage(metadata, maker)]
  assert.deepEqual(
    files.map(({ name }) => name),
    [
      'INDEX.HTM',
      'README.TXT',
      'IHE_XDM/SUBSET01/METADATA.XML',
      'IHE_XDM/SUBSET01/D0000001.PDF',
      'IHE_XDM/SUBSET01/D0000002.XML',
    ],
  )
  for (const { name } of files)
    for (const step of name.split('/')) assert.match(step, /^[A-Z0-9_]{1,8}(\.[A-Z0-9]{1,3})?$/)
  const content = (name: string) => {
    const file = files.find((one) => one.name === name)
    return file !== undefined && 'content' in file ? Buffer.from(file.content) : Buffer.alloc(0)
  }
  const page = content('INDEX.HTM').toString()
  assert.ok(page.includes('Clinic &lt;&amp;&gt;') && page.includes('A &lt;title&gt;') && !page.includes('<title> &'))
  assert.ok(!/<script|http:|on\w+=/i.test(page))
  assert.ok(!content('README.TXT').toString().includes('\nInjected'))
  const names = files.map(({ name }) => name)
  const [metadataName = ''] = metadataNames(names)
  const read = readEbrim(content(metadataName))
  assert.deepEqual(
    read.documents.map((one) => documentName(metadataName, one.URI ?? '', names)),
    names.slice(3),
  )
})

const uris: readonly [uri: string, is: string | null][] = [
  ['doc.txt', 'IHE_XDM/SUBSET/doc.txt'],
  ['DOC.TXT', 'IHE_XDM/SUBSET/doc.txt'],
  ['./doc.txt', 'IHE_XDM/SUBSET/doc.txt'],
  ['doc%2Etxt', 'IHE_XDM/SUBSET/doc.txt'],
  ['../SUBSET/doc.txt', null],
  ['..%2Fsecret', null],
  ['/IHE_XDM/SUBSET/doc.txt', null],
  ['http://host/doc.txt', null],
  ['..\\secret', null],
  ['%zz', null],
  ['missing.txt', null],
  ['', null],
]
for (const [uri, is] of uris) {
  test(`XDM: the file of ${uri}`, () => {
    const names = ['IHE_XDM/SUBSET/METADATA.XML', 'IHE_XDM/SUBSET/doc.txt', 'IHE_XDM/secret', 'secret']
    assert.equal(documentName('IHE_XDM/SUBSET/METADATA.XML', uri, names), is)
  })
}

test('XDM: where metadata are', () => {
  const names = [
    'IHE_XDM/A/METADATA.xml',
    'x/ihe_xdm/b/metadata.xml',
    'METADATA.XML',
    'IHE_XDM/METADATA.XML',
    'IHE_XDM/A/B/METADATA.XML',
    '__MACOSX/IHE_XDM/A/METADATA.XML',
  ]
  assert.deepEqual(metadataNames(names), names.slice(0, 2))
})

const samples = process.env['DIPTYCH_SAMPLES'] ?? '../shared/data'
test('ebRIM: samples survive being written again', {
  skip: existsSync(samples) ? false : `no samples at ${samples}`,
}, () => {
  let documents = 0
  for (const path of globSync('xds/{,soap/}*.xml', { cwd: samples })) {
    const file = readFileSync(join(samples, path))
    if (!file.includes('RegistryObjectList')) continue
    const read = readEbrim(file)
    assert.deepEqual(readEbrim(Buffer.from(submitObjectsRequest(read))), read, path)
    documents += read.documents.length
  }
  assert.ok(documents > 2)
})
