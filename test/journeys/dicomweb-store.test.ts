import assert from 'node:assert/strict'
import { readdirSync } from 'node:fs'
import { connect } from 'node:net'
import { describe, test } from 'node:test'
import { part10 } from '../fixtures/dicom-builder.ts'
import { multiFrame } from '../fixtures/objects.ts'
import { BOUNDARY, file, message, object, type Sent, stowSite, TYPE, told } from './dicomweb-stow.ts'

describe('STOW-RS', () => {
  const site = stowSite()

  test('all stored is 200, with where to find them, and they are found', async () => {
    const answer = await site.post(message([file(), file(), file()]))
    assert.equal(answer.status, 200)
    const { url, stored, failed, warnings } = told(answer)
    assert.equal(url, `${site.archive.root}/dicom-web/studies/1.2.5`)
    assert.equal(stored.length, 3)
    assert.deepEqual([failed, warnings], [[], []])
    const item = JSON.parse(answer.body.toString())['00081199'].Value[0]
    const path = item['00081190'].Value[0].slice(site.archive.root.length)
    assert.equal((await site.archive.get(`${path}/metadata`)).status, 200)
    const arrived = site.intake.received.at(-1)?.arrival
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
      const alone = await site.post(message([file(patient)]))
      assert.equal(alone.status, status)
      const { failed, nameless, stored } = told(alone)
      assert.deepEqual([...failed.map((each) => each.reason), ...nameless], [reason])
      assert.deepEqual(stored, [])
      assert.equal(alone.headers['retry-after'] !== undefined, status === 503)
      const both = await site.post(message([file(patient), file()]))
      assert.equal(both.status, 202)
      assert.equal(told(both).stored.length, 1)
      assert.equal(told(both).warnings.length, 1)
      assert.match(told(both).warnings[0] ?? '', warning)
    })
  }

  test('a fault of ours is reported to us, not to the sender', () => {
    assert.ok(site.reported.some((error) => error instanceof TypeError))
  })

  test('a duplicate is success; another content under the same UID is C000', async () => {
    const elements = object()
    const one = { body: part10({ elements }) }
    assert.equal((await site.post(message([one]))).status, 200)
    assert.equal((await site.post(message([one]))).status, 200)
    const other = { body: part10({ elements: { ...elements, InstanceNumber: '77' } }) }
    const answer = await site.post(message([other]))
    assert.equal(answer.status, 409)
    assert.deepEqual(
      told(answer).failed.map(({ reason }) => reason),
      [0xc000],
    )
    assert.match(told(answer).warnings[0] ?? '', /quarantine q-8: conflict/)
  })

  test('elements that were removed are told as B006', async () => {
    const answer = await site.post(message([file('STRIP')]))
    assert.equal(answer.status, 202)
    assert.equal(JSON.parse(answer.body.toString())['00081199'].Value[0]['00081196'].Value[0], 0xb006)
  })

  test('an instance of another study than that of the path is refused with A900', async () => {
    const answer = await site.post(
      message([file(), file('P', { StudyInstanceUID: '1.2.6' })]),
      {},
      '/dicom-web/studies/1.2.5',
    )
    assert.equal(answer.status, 202)
    assert.deepEqual(
      told(answer).failed.map(({ reason }) => reason),
      [0xa900],
    )
    assert.equal((await site.post(message([file()]), {}, '/dicom-web/studies/not-a-uid')).status, 400)
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
      const answer = await site.post(message(sent))
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
      assert.equal((await site.post(body ?? message([file()]), { 'content-type': type })).status, status)
    })
  }

  test('no parts at all is 400', async () => assert.equal((await site.post(message([]))).status, 400))

  // R19: nothing of an unfinished part is stored; finished parts follow their own verdict.
  test('a body without its closing boundary: what was whole is kept and told', async () => {
    const [one, two] = [file(), file()]
    const before = site.intake.received.length
    const answer = await site.post(message([one, two], ''))
    assert.equal(answer.status, 202)
    assert.equal(told(answer).stored.length, 1)
    assert.equal(told(answer).nameless.length, 1)
    assert.match(told(answer).warnings[0] ?? '', /part 2 not stored: request\.malformed, the body ended before/)
    assert.equal(site.intake.received.length, before + 1)
    assert.equal((await site.post(message([one], ''))).status, 400)
  })

  test('a sender that goes away in the middle leaves nothing behind and harms nobody', async () => {
    const large = part10({ elements: object('P', multiFrame(20, 700)) })
    const port = Number(new URL(site.archive.root).port)
    const before = site.intake.received.length
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
    for (let i = 0; i < 50 && readdirSync(site.spool).length > 0; i++)
      await new Promise((resolve) => setTimeout(resolve, 20))
    assert.deepEqual(readdirSync(site.spool), [])
    assert.equal(site.intake.received.length, before)
    assert.equal((await site.post(message([file()]))).status, 200)
  })

  test('an instance above the limit is refused alone', async () => {
    const large: Sent = { body: part10({ elements: object('P', multiFrame(28, 700)) }) }
    const alone = await site.post(message([large]))
    assert.equal(alone.status, 413)
    const answer = await site.post(message([file(), large, file()]))
    assert.equal(answer.status, 202)
    assert.equal(told(answer).stored.length, 2)
    assert.deepEqual(told(answer).nameless, [0xa700])
    assert.deepEqual(readdirSync(site.spool), [])
  })

  test('many parts and large ones, chunked, arrive bit for bit with a bound on what is under way', async () => {
    const sent = [
      ...Array.from({ length: 60 }, () => file()),
      { body: part10({ elements: { ...multiFrame(8, 700), SOPInstanceUID: '1.2.5.9' } }) },
    ]
    const from = site.intake.received.length
    site.intake.most = 0
    const whole = message(sent)
    const chunks: Buffer[] = []
    for (let at = 0; at < whole.length; at += 70_001) chunks.push(whole.subarray(at, at + 70_001))
    const answer = await site.archive.ask('/dicom-web/studies', {
      method: 'POST',
      headers: { 'content-type': TYPE },
      body: chunks,
    })
    assert.equal(answer.status, 200)
    const arrived = new Set(site.intake.received.slice(from).map(({ bytes }) => bytes.toString('latin1')))
    for (const { body } of sent) assert.ok(arrived.has(Buffer.from(body).toString('latin1')))
    assert.ok(site.intake.received.slice(from).some(({ arrival }) => arrival.bytes.in === 'spool'))
    assert.ok(site.intake.most > 1 && site.intake.most <= 32, `${site.intake.most}`)
    assert.deepEqual(readdirSync(site.spool), [])
    assert.equal(told(answer).stored.length, 61)
  })

  test('warnings stay within what clients accept, however many there are', async () => {
    const answer = await site.post(message(Array.from({ length: 150 }, () => file('HOLD'))))
    assert.equal(answer.status, 409)
    const { failed, warnings } = told(answer)
    assert.equal(failed.length, 150)
    assert.ok(warnings.length <= 101)
    assert.match(warnings.at(-1) ?? '', /\d+ more were not stored/)
  })

  test('the answer as XML', async () => {
    const answer = await site.post(message([file()]), { accept: 'application/dicom+xml' })
    assert.equal(answer.headers['content-type'], 'application/dicom+xml')
    assert.match(answer.body.toString(), /<DicomAttribute tag="00081199" vr="SQ"/)
  })
})
