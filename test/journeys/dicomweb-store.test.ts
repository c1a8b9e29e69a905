import assert from 'node:assert/strict'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import type http from 'node:http'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { storeRoutes } from '#arrival/stow.ts'
import type { Route } from '#model/route.ts'
import { memorySource } from '#standards/byte-source.ts'
import { number, readDataSet, sequence, string } from '#standards/dicom/data-set.ts'
import { openPart10 } from '#standards/dicom/open.ts'
import { type Elements, part10 } from '../fixtures/dicom-builder.ts'
import { ctImage, multiFrame } from '../fixtures/objects.ts'
import { type Answer, memoryArchive } from './dicomweb-archive.ts'
import { type ObedientIntake, obedientIntake } from './dicomweb-intake.ts'

const BOUNDARY = 'xyz'
const TYPE = `multipart/related; type="application/dicom"; boundary=${BOUNDARY}`

interface Sent {
  readonly headers?: { readonly [name: string]: string }
  readonly body: Uint8Array | string
}

function message(parts: readonly Sent[], end = `\r\n--${BOUNDARY}--\r\n`): Buffer {
  const pieces = parts.flatMap(({ headers = { 'Content-Type': 'application/dicom' }, body }, i) => {
    const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`)
    return [Buffer.from(`${i === 0 ? '' : '\r\n'}--${BOUNDARY}\r\n${lines.join('')}\r\n`), Buffer.from(body as string)]
  })
  return Buffer.concat([...pieces, Buffer.from(end)])
}

let uid = 0
const object = (patient = 'P', more: Elements = {}): Elements => ({
  ...ctImage(),
  PatientID: patient,
  StudyInstanceUID: '1.2.5',
  SeriesInstanceUID: '1.2.5.1',
  SOPInstanceUID: `1.2.5.1.${++uid}`,
  ...more,
})
const file = (patient?: string, more?: Elements): Sent => ({ body: part10({ elements: object(patient, more) }) })

interface Told {
  readonly url: string | undefined
  readonly stored: string[]
  readonly failed: { readonly uid: string; readonly reason: number }[]
  readonly nameless: number[]
  readonly warnings: string[]
}

function told(answer: Answer): Told {
  assert.equal(answer.headers['content-type'], 'application/dicom+json')
  const set = JSON.parse(answer.body.toString())
  assert.deepEqual(Object.keys(set), Object.keys(set).sort())
  const items = (tag: string) => (set[tag]?.Value ?? []) as { [tag: string]: { Value: [never] } }[]
  const { warning } = answer.headers
  return {
    url: set['00081190'].Value?.[0],
    stored: items('00081199').map((item) => item['00081155']!.Value[0]),
    failed: items('00081198').map((item) => ({ uid: item['00081155']!.Value[0], reason: item['00081197']!.Value[0] })),
    nameless: items('0008119A').map((item) => item['00081197']!.Value[0]),
    warnings: warning === undefined ? [] : warning.split(/, (?=299 )/),
  }
}

describe('STOW-RS', () => {
  const spool = mkdtempSync(join(tmpdir(), 'diptych-stow-'))
  const reported: unknown[] = []
  let intake: ObedientIntake
  let archive: Awaited<ReturnType<typeof memoryArchive>>

  before(async () => {
    archive = await memoryArchive((keep) => {
      intake = obedientIntake(keep)
      return storeRoutes({
        intake,
        spoolDirectory: spool,
        report: (error) => reported.push(error),
        spool: { bytesMax: 25_000_000 },
      }) as Route[]
    })
  })
  after(async () => {
    await archive.close()
    rmSync(spool, { recursive: true })
  })

  const post = (body: Uint8Array, headers: http.OutgoingHttpHeaders = {}, path = '/dicom-web/studies') =>
    archive.ask(path, {
      method: 'POST',
      headers: { 'content-type': TYPE, 'content-length': body.length, ...headers },
      body: [body],
    })

  test('all stored is 200, with where to find them, and they are found', async () => {
    const answer = await post(message([file(), file(), file()]))
    assert.equal(answer.status, 200)
    const { url, stored, failed, warnings } = told(answer)
    assert.equal(url, `${archive.root}/dicom-web/studies/1.2.5`)
    assert.equal(stored.length, 3)
    assert.deepEqual([failed, warnings], [[], []])
    const item = JSON.parse(answer.body.toString())['00081199'].Value[0]
    const path = item['00081190'].Value[0].slice(archive.root.length)
    assert.equal((await archive.get(`${path}/metadata`)).status, 200)
    const arrived = intake.received.at(-1)?.arrival
    assert.deepEqual([arrived?.provenance.door, arrived?.claims.mediaType], ['stow', 'application/dicom'])
  })

  // contract.md: the reasons, per instance, and the number under which a person finds it.
  const outcomes: { name: string; patient: string; status: number; reason: number; warning: RegExp }[] = [
    {
      name: 'held',
      patient: 'HOLD',
      status: 409,
      reason: 0xc000,
      warning: /^299 diptych "1\.2\.5\.1\.\d+ quarantine q-7: P2"$/,
    },
    {
      name: 'class refused',
      patient: 'CLASS',
      status: 409,
      reason: 0x0122,
      warning: / refused: screening\.class-refused"$/,
    },
    { name: 'no room', patient: 'FULL', status: 507, reason: 0xa700, warning: /storage\.full/ },
    { name: 'busy', patient: 'BUSY', status: 503, reason: 0xa700, warning: /archive\.busy/ },
    { name: 'a fault of ours', patient: 'BUG', status: 409, reason: 0x0110, warning: /processing failed"$/ },
  ]
  for (const { name, patient, status, reason, warning } of outcomes) {
    test(`${name}: ${status} alone, 202 beside a stored one`, async () => {
      const alone = await post(message([file(patient)]))
      assert.equal(alone.status, status)
      const { failed, nameless, stored } = told(alone)
      assert.deepEqual([...failed.map((each) => each.reason), ...nameless], [reason])
      assert.deepEqual(stored, [])
      assert.equal(alone.headers['retry-after'] !== undefined, status === 503)
      const both = await post(message([file(patient), file()]))
      assert.equal(both.status, 202)
      assert.equal(told(both).stored.length, 1)
      assert.equal(told(both).warnings.length, 1)
      assert.match(told(both).warnings[0] ?? '', warning)
    })
  }

  test('a fault of ours is reported to us, not to the sender', () => {
    assert.ok(reported.some((error) => error instanceof TypeError))
  })

  test('a duplicate is success; another content under the same UID is C000', async () => {
    const one = file()
    assert.equal((await post(message([one]))).status, 200)
    assert.equal((await post(message([one]))).status, 200)
    const other = file('P', { SOPInstanceUID: `1.2.5.1.${uid}`, InstanceNumber: '77' })
    const answer = await post(message([other]))
    assert.equal(answer.status, 409)
    assert.deepEqual(
      told(answer).failed.map(({ reason }) => reason),
      [0xc000],
    )
    assert.match(told(answer).warnings[0] ?? '', /quarantine q-8: conflict/)
  })

  test('elements that were removed are told as B006', async () => {
    const answer = await post(message([file('STRIP')]))
    assert.equal(answer.status, 202)
    assert.equal(JSON.parse(answer.body.toString())['00081199'].Value[0]['00081196'].Value[0], 0xb006)
  })

  test('an instance of another study than that of the path is refused with A900', async () => {
    const answer = await post(
      message([file(), file('P', { StudyInstanceUID: '1.2.6' })]),
      {},
      '/dicom-web/studies/1.2.5',
    )
    assert.equal(answer.status, 202)
    assert.deepEqual(
      told(answer).failed.map(({ reason }) => reason),
      [0xa900],
    )
    assert.equal((await post(message([file()]), {}, '/dicom-web/studies/not-a-uid')).status, 400)
  })

  const parts: { name: string; parts: Sent[]; status: number; nameless: number[] }[] = [
    { name: 'rubbish', parts: [{ body: 'rubbish' }], status: 409, nameless: [0xc000] },
    { name: 'an empty part', parts: [{ body: '' }], status: 409, nameless: [0xc000] },
    {
      name: 'a part of another type',
      parts: [{ headers: { 'Content-Type': 'text/html' }, body: '<p>' }],
      status: 415,
      nameless: [0x0110],
    },
    {
      name: 'a good one between bad ones',
      parts: [{ body: 'x' }, file(), { body: 'y' }],
      status: 202,
      nameless: [0xc000, 0xc000],
    },
    { name: 'a part without a type', parts: [{ headers: {}, body: file().body }], status: 200, nameless: [] },
  ]
  for (const { name, parts: sent, status, nameless } of parts) {
    test(`${name} is ${status}`, async () => {
      const answer = await post(message(sent))
      assert.equal(answer.status, status)
      assert.deepEqual(told(answer).nameless, nameless)
    })
  }

  const types: { type: string; status: number; body?: Uint8Array }[] = [
    { type: `Multipart/Related;type=application/dicom;boundary="${BOUNDARY}"`, status: 200 },
    { type: `multipart/related ; boundary = ${BOUNDARY} ; type = "application/dicom"`, status: 200 },
    { type: `multipart/related; boundary=${BOUNDARY}`, status: 200 },
    { type: 'application/dicom', status: 200, body: Buffer.from(file().body) },
    { type: 'multipart/related; type="application/dicom"', status: 400 },
    { type: 'multipart/related; type="application/dicom"; boundary=other', status: 400 },
    { type: `multipart/form-data; boundary=${BOUNDARY}`, status: 415 },
    { type: 'application/json', status: 415 },
    { type: `multipart/related; type="image/jpeg"; boundary=${BOUNDARY}`, status: 415 },
  ]
  for (const { type, status, body } of types) {
    test(`Content-Type ${type} is ${status}`, async () => {
      assert.equal((await post(body ?? message([file()]), { 'content-type': type })).status, status)
    })
  }

  test('no parts at all is 400', async () => assert.equal((await post(message([]))).status, 400))

  // R19: nothing of an unfinished part is stored; finished parts follow their own verdict.
  test('a body without its closing boundary: what was whole is kept and told', async () => {
    const [one, two] = [file(), file()]
    const before = intake.received.length
    const answer = await post(message([one, two], ''))
    assert.equal(answer.status, 202)
    assert.equal(told(answer).stored.length, 1)
    assert.equal(told(answer).nameless.length, 1)
    assert.match(told(answer).warnings[0] ?? '', /part 2 not stored: request\.malformed, the body ended before/)
    assert.equal(intake.received.length, before + 1)
    assert.equal((await post(message([one], ''))).status, 400)
  })

  test('a sender that goes away in the middle leaves nothing behind and harms nobody', async () => {
    const large = part10({ elements: object('P', multiFrame(20, 700)) })
    const port = Number(new URL(archive.root).port)
    const before = intake.received.length
    await new Promise<void>((resolve) => {
      const socket = connect(port, '127.0.0.1', () => {
        socket.write(
          `POST /dicom-web/studies HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nContent-Type: ${TYPE}\r\nContent-Length: ${large.length + 1000}\r\n\r\n`,
        )
        socket.write(`--${BOUNDARY}\r\nContent-Type: application/dicom\r\n\r\n`)
        socket.write(large.subarray(0, 6_000_000), () => setTimeout(() => socket.destroy(), 50))
      })
      socket.on('close', () => resolve())
    })
    for (let i = 0; i < 50 && readdirSync(spool).length > 0; i++)
      await new Promise((resolve) => setTimeout(resolve, 20))
    assert.deepEqual(readdirSync(spool), [])
    assert.equal(intake.received.length, before)
    assert.equal((await post(message([file()]))).status, 200)
  })

  test('an instance above the limit is refused alone', async () => {
    const large: Sent = { body: part10({ elements: object('P', multiFrame(28, 700)) }) }
    const alone = await post(message([large]))
    assert.equal(alone.status, 413)
    const answer = await post(message([file(), large, file()]))
    assert.equal(answer.status, 202)
    assert.equal(told(answer).stored.length, 2)
    assert.deepEqual(told(answer).nameless, [0xa700])
    assert.deepEqual(readdirSync(spool), [])
  })

  test('many parts and large ones, chunked, arrive bit for bit with a bound on what is under way', async () => {
    const sent = [
      ...Array.from({ length: 60 }, () => file()),
      { body: part10({ elements: { ...multiFrame(8, 700), SOPInstanceUID: '1.2.5.9' } }) },
    ]
    const from = intake.received.length
    intake.most = 0
    const whole = message(sent)
    const chunks: Buffer[] = []
    for (let at = 0; at < whole.length; at += 70_001) chunks.push(whole.subarray(at, at + 70_001))
    const answer = await archive.ask('/dicom-web/studies', {
      method: 'POST',
      headers: { 'content-type': TYPE },
      body: chunks,
    })
    assert.equal(answer.status, 200)
    const arrived = new Set(intake.received.slice(from).map(({ bytes }) => bytes.toString('latin1')))
    for (const { body } of sent) assert.ok(arrived.has(Buffer.from(body).toString('latin1')))
    assert.ok(intake.received.slice(from).some(({ arrival }) => arrival.bytes.in === 'spool'))
    assert.ok(intake.most > 1 && intake.most <= 32, `${intake.most}`)
    assert.deepEqual(readdirSync(spool), [])
    assert.equal(told(answer).stored.length, 61)
  })

  test('warnings stay within what clients accept, however many there are', async () => {
    const answer = await post(message(Array.from({ length: 150 }, () => file('HOLD'))))
    assert.equal(answer.status, 409)
    const { failed, warnings } = told(answer)
    assert.equal(failed.length, 150)
    assert.ok(warnings.length <= 101)
    assert.match(warnings.at(-1) ?? '', /\d+ more were not stored/)
  })

  test('the answer as XML', async () => {
    const answer = await post(message([file()]), { accept: 'application/dicom+xml' })
    assert.equal(answer.headers['content-type'], 'application/dicom+xml')
    assert.match(answer.body.toString(), /<DicomAttribute tag="00081199" vr="SQ"/)
  })

  // Metadata and bulk data. The image is never decoded: its header says what is needed.
  const jpeg = Buffer.from(
    'ffd8ffe000104a46494600010100000100010000ffc0000b080010000c01011100ffda0008010100003f00aabbffd9',
    'hex',
  )
  const photo = (more: object = {}) => ({
    '00080016': { vr: 'UI', Value: ['1.2.840.10008.5.1.4.1.1.77.1.4'] },
    '00080018': { vr: 'UI', Value: [`1.2.5.2.${++uid}`] },
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
    const opened = openPart10(memorySource(intake.received.at(-1)?.bytes ?? Buffer.alloc(0)))
    return { opened, dataSet: readDataSet(opened.dataSet, opened.encoding) }
  }

  test('a photo from a phone: encapsulated untouched, described from its own header', async () => {
    const answer = await post(message([json([photo()]), bulk('image/jpeg', jpeg)]), composed('json'))
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
    const answer = await post(
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
      const before = intake.received.length
      assert.equal((await post(message(sent), composed('json'))).status, status)
      assert.equal(intake.received.length, before)
      assert.deepEqual(readdirSync(spool), [])
    })
  }

  test('XML metadata: names, private blocks and sequences', async () => {
    const attribute = (tag: string, vr: string, inner: string, more = '') =>
      `<DicomAttribute tag="${tag}" vr="${vr}"${more}>${inner}</DicomAttribute>`
    const value = (text: string) => `<Value number="1">${text}</Value>`
    const xml =
      '<?xml version="1.0"?><NativeDicomModel xmlns="http://dicom.nema.org/PS3.19/models/NativeDICOM">' +
      attribute('00080016', 'UI', value('1.2.840.10008.5.1.4.1.1.77.1.4')) +
      attribute('00080018', 'UI', value(`1.2.5.2.${++uid}`)) +
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
    const answer = await post(sent(xml), composed('xml'))
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
      assert.equal((await post(sent(bad), composed('xml'))).status, 400)
    }
  })
})
