/** The HL7 v2 client of Medplum before our door: what it sends is answered as it expects; and TLS with certificates that change. */
import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import type { TLSSocket } from 'node:tls'
import { Hl7Message } from '@medplum/core'
import { Hl7Client, ReturnAckCategory } from '@medplum/hl7'
import { codeOf, message, mllpClient } from '../live/mllp-client.ts'
import { type LiveServer, startServer, temporaryDirectory } from '../live/server.ts'
import { selfSigned } from '../support/self-signed.ts'

const folder = temporaryDirectory('hl7v2-medplum')
const certificate = join(folder.path, 'cert.pem')
const key = join(folder.path, 'key.pem')
const put = ({ certificate: cert, key: secret }: ReturnType<typeof selfSigned>) => {
  writeFileSync(key, secret)
  writeFileSync(certificate, cert)
}
const [first, second] = [selfSigned(1), selfSigned(2)]
let server: LiveServer
let client: Hl7Client

before(async () => {
  put(first)
  server = await startServer({
    dataDirectory: join(folder.path, 'data'),
    args: ['--hl7-port', '0'],
    env: { DIPTYCH_HL7_TLS_PORT: '0', DIPTYCH_HL7_TLS_CERTIFICATE: certificate, DIPTYCH_HL7_TLS_KEY: key },
  })
  client = new Hl7Client({ host: '127.0.0.1', port: server.hl7?.port ?? 0, keepAlive: true })
})
after(async () => {
  await client.close()
  await server.stop()
  folder.remove()
})

const pid = (id: string, name = 'DOE^JANE') => `PID|1||${id}^^^HOSP^MR||${name}||19700102|F`
const order = (n: string, ...more: string[]) => [
  pid('M1'),
  `ORC|NW|P${n}|F${n}||SC`,
  `OBR|1|P${n}|F${n}|CTH^CT Head^L||||||||||||||A${n}|RP${n}|S${n}||||CT|||1^^^20260301101500^^R`,
  ...more,
]

/** The client may bring a copy of @medplum/core of its own: same shape, another declaration. */
const parsed = (text: string) => Hl7Message.parse(text) as unknown as Parameters<Hl7Client['send']>[0]

/** What an answer says: MSA-1, and the condition of ERR. */
async function told(text: string, returnAck: ReturnAckCategory = ReturnAckCategory.FIRST): Promise<string> {
  const sent = parsed(text)
  const answer = await client.sendAndWait(sent, { timeoutMs: 15_000, returnAck })
  assert.equal(answer.getSegment('MSA')?.getField(2)?.toString(), sent.header.getField(10)?.toString())
  return codeOf(answer.toString())
}

const rows: { name: string; send: string; is: string }[] = [
  { name: 'A01', send: message('ADT^A01^ADT_A01', [pid('M1'), 'PV1|1|I']), is: 'AA' },
  { name: 'A28', send: message('ADT^A28^ADT_A05', [pid('M2')]), is: 'AA' },
  { name: 'A40', send: message('ADT^A40^ADT_A39', [pid('M1'), 'MRG|M2^^^HOSP']), is: 'AA' },
  { name: 'A40 in a circle', send: message('ADT^A40^ADT_A39', [pid('M2'), 'MRG|M1^^^HOSP']), is: 'AE 205' },
  { name: 'ORM with ZDS', send: message('ORM^O01', order('1', 'ZDS|1.2.3.77^^Application^DICOM')), is: 'AA' },
  { name: 'OMI', send: message('OMI^O23^OMI_O23', order('2', 'IPC|A2|RP2|1.2.3.78|S2|CT')), is: 'AA' },
  { name: 'OMG', send: message('OMG^O19^OMG_O19', order('3')), is: 'AA' },
  { name: 'an inert Z-segment', send: message('ADT^A08', [pid('M1'), 'ZPV|anything|<b>']), is: 'AA' },
  { name: 'an event nobody serves', send: message('ADT^A45', [pid('M1')]), is: 'AR 201' },
  { name: 'no patient', send: message('ADT^A01', ['EVN|A01']), is: 'AR 100' },
]
for (const { name, send, is } of rows) {
  test(`its client sends: ${name}`, async () => assert.equal(await told(send), is))
}

test('its client sends a Z-segment: the record says what was done with each', async () => {
  const answer = await fetch(`${server.url}/api/v1/messages?identifier=M1`)
  const { items } = (await answer.json()) as { items: { type: string; zSegments: { name: string; done: string }[] }[] }
  const done = items.flatMap(({ zSegments }) => zSegments.map((one) => `${one.name} ${one.done}`)).sort()
  assert.deepEqual(done, ['ZDS honoured', 'ZPV inert'])
  const found = await fetch(`${server.url}/api/v1/worklist?accessionNumber=A1`)
  assert.match(await found.text(), /"studyInstanceUID":"1\.2\.3\.77"/)
})

test('enhanced mode: its client takes CA first, and waits through it for AA', async () => {
  const tail = { tail: '|||AL|AL' }
  assert.equal(await told(message('ADT^A08', [pid('M1')], tail)), 'CA')
  assert.equal(await told(message('ADT^A08', [pid('M1')], tail), ReturnAckCategory.APPLICATION), 'AA')
  assert.equal(await told(message('ADT^A08', [pid('M1')], { tail: '|||AL|NE' })), 'CA')
})

test('many messages outstanding: each gets its own answer', async () => {
  const sent = Array.from({ length: 100 }, (_, i) => message('ADT^A08', [pid(`MANY${i % 7}`)]))
  assert.deepEqual(new Set(await Promise.all(sent.map((text) => told(text)))), new Set(['AA']))
})

test('its client writes Latin 1 and declares it: the name is what it sent', async () => {
  const latin = new Hl7Client({ host: '127.0.0.1', port: server.hl7?.port ?? 0, encoding: 'iso-8859-1' })
  try {
    const text = message('ADT^A28', [pid('LATIN', 'MÜLLER^ÄNNE')], { tail: '|||||||8859/1' })
    const answer = await latin.sendAndWait(parsed(text), { timeoutMs: 15_000 })
    assert.equal(codeOf(answer.toString()), 'AA')
  } finally {
    await latin.close()
  }
  const listed = await fetch(`${server.url}/api/v1/messages?identifier=LATIN`)
  const { items } = (await listed.json()) as { items: { id: string }[] }
  const raw = Buffer.from(await (await fetch(`${server.url}/api/v1/messages/${items[0]?.id}/raw`)).arrayBuffer())
  assert.ok(raw.includes(Buffer.from('MÜLLER^ÄNNE', 'latin1')))
  const patients = await fetch(`${server.url}/api/v1/patients?name=müller*`)
  assert.match(await patients.text(), /MÜLLER\^ÄNNE/)
})

test('TLS: a new certificate is used without a restart, a broken one is not, and open connections go on', async () => {
  const tlsPort = Number(/HL7 v2:.*127\.0\.0\.1:(\d+) \(TLS\)/.exec(server.errors())?.[1])
  assert.ok(tlsPort > 0, server.errors())
  const shown = async () => {
    const asked = await mllpClient(tlsPort, { rejectUnauthorized: false })
    const digest = (asked.socket as TLSSocket)
      .getPeerX509Certificate()
      ?.fingerprint256.replaceAll(':', '')
      .toLowerCase()
    assert.equal(codeOf(await asked.ask(message('ADT^A08', [pid('M1')]))), 'AA')
    asked.close()
    return digest
  }
  await assert.rejects(mllpClient(tlsPort, { ca: second.certificate }), /self.signed|certificate/i)
  const lasting = await mllpClient(tlsPort, { ca: first.certificate })
  assert.equal(await shown(), first.fingerprint)
  writeFileSync(certificate, 'half written')
  await sleep(6000)
  assert.equal(await shown(), first.fingerprint)
  put(second)
  const until = Date.now() + 15_000
  let now = await shown()
  while (now !== second.fingerprint && Date.now() < until) {
    await sleep(250)
    now = await shown()
  }
  assert.equal(now, second.fingerprint)
  assert.equal(codeOf(await lasting.ask(message('ADT^A08', [pid('M1')]))), 'AA')
  lasting.close()
})
