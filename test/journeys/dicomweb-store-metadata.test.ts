import assert from 'node:assert/strict'
import { readdirSync } from 'node:fs'
import { describe, test } from 'node:test'
import { memorySource } from '#standards/byte-source.ts'
import { number, readDataSet, sequence, string } from '#standards/dicom/data-set.ts'
import { openPart10 } from '#standards/dicom/open.ts'
import { BOUNDARY, fresh, message, type Sent, stowSite, told } from './dicomweb-stow.ts'

describe('STOW-RS of metadata with bulk data', () => {
  const site = stowSite()

  // Metadata and bulk data. The image is never decoded: its header says what is needed.
  const jpeg = Buffer.from(
    'ffd8ffe000104a46494600010100000100010000ffc0000b080010000c01011100ffda0008010100003f00aabbffd9',
    'hex',
  )
  const photo = (more: object = {}) => ({
    '00080016': { vr: 'UI', Value: ['1.2.840.10008.5.1.4.1.1.77.1.4'] },
    '00080018': { vr: 'UI', Value: [`1.2.5.2.${fresh()}`] },
    '00100010': { vr: 'PN', Value: [{ Alphabetic: 'Müller^Ä' }] },
    '00100020': { vr: 'LO', Value: ['P'] },
    '0020000D': { vr: 'UI', Value: ['1.2.5'] },
    '0020000E': { vr: 'UI', Value: ['1.2.5.2'] },
    '7FE00010': { vr: 'OW', BulkDataURI: 'photo-1' },
    ...more,
  })
  const composed = (kind: string) => ({
    'content-type': `multipart/related; type="application/dicom+${kind}"; boundary=${BOUNDARY}`,
  })
  const json = (value: unknown): Sent => ({
    headers: { 'Content-Type': 'application/dicom+json' },
    body: JSON.stringify(value),
  })
  const bulk = (type: string, body: Uint8Array, at = 'photo-1'): Sent => ({
    headers: { 'Content-Type': type, 'Content-Location': at },
    body,
  })
  const last = () => {
    const opened = openPart10(memorySource(site.intake.received.at(-1)?.bytes ?? Buffer.alloc(0)))
    return { opened, dataSet: readDataSet(opened.dataSet, opened.encoding) }
  }

  test('a photo from a phone: encapsulated untouched, described from its own header', async () => {
    const answer = await site.post(message([json([photo()]), bulk('image/jpeg', jpeg)]), composed('json'))
    assert.equal(answer.status, 200, answer.body.toString())
    const { opened, dataSet } = last()
    assert.equal(opened.transferSyntax.uid, '1.2.840.10008.1.2.4.50')
    assert.deepEqual(
      [number(dataSet, 0x00280010), number(dataSet, 0x00280011), string(dataSet, 0x00280004)],
      [16, 12, 'MONOCHROME2'],
    )
    assert.equal(string(dataSet, 0x00100010), 'Müller^Ä')
    assert.equal(string(dataSet, 0x00282110), '01')
    const fragments = dataSet.get(0x7fe00010)?.fragments ?? []
    assert.equal(fragments.length, 2)
    const { offset, length } = fragments[1] ?? assert.fail('no fragment')
    assert.ok(
      Buffer.from(opened.dataSet.read(offset, offset + length))
        .subarray(0, jpeg.length)
        .equals(jpeg),
    )
  })

  test('native pixels and a document, each instance with its own outcome', async () => {
    const pixels = Buffer.alloc(512, 7)
    const native = photo({ '7FE00010': { vr: 'OW', BulkDataURI: 'raw' }, '00280010': { vr: 'US', Value: [16] } })
    const pdf = { ...photo(), '00420011': { vr: 'OB', BulkDataURI: 'doc' } } as { [tag: string]: unknown }
    delete pdf['7FE00010']
    const broken = photo({ '7FE00010': { vr: 'OW', BulkDataURI: 'http://127.0.0.1:1/elsewhere' } })
    const nobody = { '00100020': { vr: 'LO', Value: ['P'] } }
    const answer = await site.post(
      message([
        json([native, pdf, broken, nobody]),
        bulk('application/octet-stream', pixels, 'raw'),
        bulk('application/pdf', Buffer.from('%PDF-1.4 x'), 'doc'),
      ]),
      composed('json'),
    )
    assert.equal(answer.status, 202)
    assert.equal(told(answer).stored.length, 2)
    assert.deepEqual(told(answer).nameless, [0xc000, 0xc000])
    const { dataSet } = last()
    assert.equal(string(dataSet, 0x00420012), 'application/pdf')
  })

  const unusable: { name: string; parts: Sent[]; status: number }[] = [
    { name: 'no metadata', parts: [bulk('image/jpeg', jpeg)], status: 400 },
    { name: 'metadata that are no JSON', parts: [json('x'), bulk('image/jpeg', jpeg)], status: 409 },
    { name: 'a type that lies', parts: [json([photo()]), bulk('image/jls', jpeg)], status: 415 },
    {
      name: 'a format that is not carried',
      parts: [json([photo()]), bulk('image/png', Buffer.from('\x89PNG\r\n\x1a\n', 'latin1'))],
      status: 415,
    },
    {
      name: 'two parts of one name',
      parts: [json([photo()]), bulk('image/jpeg', jpeg), bulk('image/jpeg', jpeg)],
      status: 400,
    },
    {
      name: 'a part without a name',
      parts: [json([photo()]), { headers: { 'Content-Type': 'image/jpeg' }, body: jpeg }],
      status: 400,
    },
  ]
  for (const { name, parts: sent, status } of unusable) {
    test(`composed: ${name} is ${status}`, async () => {
      const before = site.intake.received.length
      assert.equal((await site.post(message(sent), composed('json'))).status, status)
      assert.equal(site.intake.received.length, before)
      assert.deepEqual(readdirSync(site.spool), [])
    })
  }

  test('XML metadata: names, private blocks and sequences', async () => {
    const attribute = (tag: string, vr: string, inner: string, more = '') =>
      `<DicomAttribute tag="${tag}" vr="${vr}"${more}>${inner}</DicomAttribute>`
    const value = (text: string) => `<Value number="1">${text}</Value>`
    const xml =
      '<?xml version="1.0"?><NativeDicomModel xmlns="http://dicom.nema.org/PS3.19/models/NativeDICOM">' +
      attribute('00080016', 'UI', value('1.2.840.10008.5.1.4.1.1.77.1.4')) +
      attribute('00080018', 'UI', value(`1.2.5.2.${fresh()}`)) +
      attribute(
        '00100010',
        'PN',
        '<PersonName number="1"><Alphabetic><FamilyName>A&amp;B</FamilyName><GivenName>C</GivenName></Alphabetic></PersonName>',
      ) +
      attribute('00100020', 'LO', value('P')) +
      attribute('0020000D', 'UI', value('1.2.5')) +
      attribute('0020000E', 'UI', value('1.2.5.2')) +
      attribute('00081140', 'SQ', `<Item number="1">${attribute('00081155', 'UI', value('1.2.3'))}</Item>`) +
      attribute('00290002', 'LO', value('mine'), ' privateCreator="ACME"') +
      attribute('7FE00010', 'OB', '<BulkData uri="photo-1"/>') +
      '</NativeDicomModel>'
    const sent = (text: string) =>
      message([{ headers: { 'Content-Type': 'application/dicom+xml' }, body: text }, bulk('image/jpeg', jpeg)])
    const answer = await site.post(sent(xml), composed('xml'))
    assert.equal(answer.status, 200, answer.body.toString())
    const { dataSet } = last()
    assert.equal(string(dataSet, 0x00100010), 'A&B^C')
    assert.equal(string(sequence(dataSet, 0x00081140)[0] ?? dataSet, 0x00081155), '1.2.3')
    assert.deepEqual([string(dataSet, 0x00290010), string(dataSet, 0x00291002)], ['ACME', 'mine'])
    for (const bad of [
      xml.replace('<?xml version="1.0"?>', '<!DOCTYPE x [<!ENTITY e "x">]>'),
      xml.replace('</NativeDicomModel>', ''),
      '<a/>',
      `${'<DicomAttribute tag="00081140" vr="SQ"><Item number="1">'.repeat(500)}`,
    ]) {
      assert.equal((await site.post(sent(bad), composed('xml'))).status, 400)
    }
  })
})
