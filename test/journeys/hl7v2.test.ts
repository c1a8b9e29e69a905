/** The HL7 v2 door of the real server: what is sent is answered once, has its effect once, and is found again. */
import assert from 'node:assert/strict'
import { existsSync, globSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { after, before, test } from 'node:test'
import { codeOf, type MllpClient, message, mllpClient } from '../live/mllp-client.ts'
import { type LiveServer, runCommand, startServer, temporaryDirectory } from '../live/server.ts'

const folder = temporaryDirectory('hl7v2')
let server: LiveServer
let client: MllpClient

const open = async () => {
  server = await startServer({ dataDirectory: join(folder.path, 'data'), args: ['--hl7-port', '0'] })
  client = await mllpClient(server.hl7?.port ?? 0)
}
before(open)
after(async () => {
  client.close()
  await server.stop()
  assert.equal(server.faults(), '')
  folder.remove()
})

interface Listed {
  readonly id: string
  readonly controlId: string
  readonly type: string
  readonly acknowledgement: string
  readonly error: string | null
  readonly arrivals: number
  readonly entries: readonly string[]
  readonly notes: readonly string[]
  readonly zSegments: readonly { name: string; done: string }[]
}

async function messages(query: string): Promise<readonly Listed[]> {
  const answer = await fetch(`${server.url}/api/v1/messages?${query}`)
  assert.equal(answer.status, 200)
  return ((await answer.json()) as { items: Listed[] }).items
}

const pid = (id: string, name = 'DOE^JANE', rest = '||19700102|F') => `PID|1||${id}^^^HOSP^MR||${name}${rest}`
const order = (number: string, control: string, extra: readonly string[] = []) => [
  pid('O1'),
  `ORC|${control.split('_')[0]}|P${number}|F${number}||${control.split('_')[1] ?? ''}|`,
  `OBR|1|P${number}|F${number}|CTH^CT Head^L||||||||||||||A${number}|RP${number}|S${number}||||CT|||1^^^20260301101500^^R`,
  ...extra,
]

// One row per rule of services.md section E: what a sender is told must be what was done.
const rows: { name: string; send: string; is: string; z?: string }[] = [
  { name: 'A01', send: message('ADT^A01', [pid('1'), 'PV1|1|I|W^1^2|||||9^Ref^Er|||||||||||V1']), is: 'AA' },
  { name: 'A08 with Z-segments', send: message('ADT^A08', [pid('1'), 'ZXX|<script>']), is: 'AA', z: 'ZXX inert' },
  { name: 'A40', send: message('ADT^A40^ADT_A39', [pid('1'), 'MRG|2^^^HOSP']), is: 'AA' },
  { name: 'A40 the other way round', send: message('ADT^A40', [pid('2'), 'MRG|1^^^HOSP']), is: 'AE 205' },
  { name: 'A40 with itself', send: message('ADT^A40', [pid('1'), 'MRG|1^^^HOSP']), is: 'AE 205' },
  { name: 'A40 without MRG', send: message('ADT^A40', [pid('1')]), is: 'AR 100' },
  { name: 'A18 is a merge', send: message('ADT^A18', [pid('1'), 'MRG|18^^^HOSP']), is: 'AA' },
  { name: 'A47', send: message('ADT^A47', [pid('47'), 'MRG|46^^^HOSP']), is: 'AA' },
  { name: 'A24', send: message('ADT^A24', [pid('5'), 'PV1|1|I', pid('6')]), is: 'AA' },
  { name: 'A37', send: message('ADT^A37', [pid('5'), pid('6')]), is: 'AA' },
  { name: 'A37 of what is not linked', send: message('ADT^A37', [pid('5'), pid('6')]), is: 'AE 204' },
  { name: 'no PID', send: message('ADT^A01', ['EVN|A01']), is: 'AR 100' },
  { name: 'no identifier', send: message('ADT^A01', ['PID|1||||X']), is: 'AE 101' },
  { name: 'a birth date that is none', send: message('ADT^A01', [pid('1', 'X', '||19701332|F')]), is: 'AE 102' },
  { name: 'another event', send: message('ADT^A45', [pid('1')]), is: 'AR 201' },
  { name: 'another type', send: message('QBP^Q22', []), is: 'AR 200' },
  { name: 'version 3', send: message('ADT^A01', [pid('1')]).replace('|2.5', '|3.0'), is: 'AR 203' },
  { name: 'processing id', send: message('ADT^A01', [pid('1')]).replace('|P|2.5', '|X|2.5'), is: 'AR 202' },
  { name: 'no control id', send: message('ADT^A01', [pid('1')], { id: '' }), is: 'AE 101' },
  {
    name: 'ORM new',
    send: message('ORM^O01', order('1', 'NW_SC', ['ZDS|1.2.3.4^^Application^DICOM'])),
    is: 'AA',
    z: 'ZDS honoured',
  },
  { name: 'OMI new', send: message('OMI^O23', order('2', 'NW', ['IPC|A2|RP2|1.2.3.5|S2|CT'])), is: 'AA' },
  { name: 'OMG new', send: message('OMG^O19', order('3', 'NW_IP')), is: 'AA' },
  { name: 'cancelled by its number alone', send: message('ORM^O01', [pid('O1'), 'ORC|CA|P3|F3||CA']), is: 'AA' },
  { name: 'cancelled and never heard of', send: message('ORM^O01', [pid('O1'), 'ORC|CA|P9|F9||CA']), is: 'AE 204' },
  { name: 'no status', send: message('ORM^O01', order('4', 'SC_HD')), is: 'AE 101' },
  { name: 'no UID', send: message('ORM^O01', order('4', 'NW', ['ZDS|1.2.x'])), is: 'AE 102' },
  { name: 'no numbers', send: message('ORM^O01', [pid('O1'), 'ORC|NW', 'OBR|1']), is: 'AE 101' },
  { name: 'OBR before ORC', send: message('ORM^O01', [pid('O1'), 'OBR|1']), is: 'AR 100' },
  {
    name: 'results of no order',
    send: message('ORU^R01', [pid('1'), 'OBX|1|ED|||^application^pdf^Base64^AA==']),
    is: 'AR 100',
  },
  {
    name: 'RP is kept and never fetched',
    send: message('ORU^R01', [pid('1'), 'OBX|1|RP|||http://127.0.0.1:1/x']),
    is: 'AA',
  },
  { name: 'enhanced: accept only', send: message('ADT^A08', [pid('1')], { tail: '|||AL|NE' }), is: 'CA' },
  { name: 'enhanced: refused once', send: message('ADT^A45', [pid('1')], { tail: '|||AL|AL' }), is: 'CR 201' },
  { name: 'escapes are no structure', send: message('ADT^A08', [pid('E1', 'A\\X0D\\PID\\F\\X')]), is: 'AA' },
  {
    name: 'delimiters of its own',
    send: 'MSH$*!@%$A$B$C$D$2026$$ADT*A08$D1$P$2.5\rPID$1$$D1***HOSP*MR$$X*Y\r',
    is: 'none',
  },
  { name: 'no MSH', send: 'PID|1', is: 'AR 100' },
  { name: 'a NUL', send: message('ADT^A08', ['PID|1||\0']), is: 'AR 102' },
]
for (const { name, send, is, z } of rows) {
  test(`HL7 v2: ${name}`, async () => {
    const answer = await client.ask(send)
    if (is === 'none') assert.match(answer, /^MSH\$\*!@%\$DIPTYCH[^\r]*\rMSA\$AA\$D1\r$/)
    else assert.equal(codeOf(answer), is, answer)
    if (z === undefined) return
    const [kept] = await messages(`controlId=${send.split('|')[9]}`)
    assert.deepEqual(
      kept?.zSegments.map((one) => `${one.name} ${one.done}`),
      [z],
    )
    if (z.includes('inert')) assert.match(kept?.notes.join() ?? '', /ZXX 1 holds markup/)
  })
}

test('HL7 v2: AL and AL are answered by CA, then AA', async () => {
  assert.equal(codeOf(await client.ask(message('ADT^A08', [pid('1')], { tail: '|||AL|AL' }))), 'CA')
  assert.equal(codeOf(await client.next()), 'AA')
})

test('HL7 v2: NE and NE are not answered, and have their effect', async () => {
  const send = message('ADT^A28', [pid('NE1')], { tail: '|||NE|NE' })
  client.write(`\x0b${send}\x1c\r`)
  assert.equal(codeOf(await client.ask(message('ADT^A08', [pid('1')]))), 'AA') // the next answer is the next message's
  assert.equal((await messages('identifier=NE1')).length, 1)
})

test('HL7 v2: a resend gets the same answer and has no second effect', async () => {
  const send = message('ORM^O01', order('77', 'NW_SC'), { id: 'AGAIN' })
  const first = await client.ask(send)
  for (let i = 0; i < 3; i++) assert.equal(await client.ask(send), first)
  const kept = await messages('controlId=AGAIN')
  assert.deepEqual(
    kept.map(({ arrivals, entries }) => [arrivals, entries.length]),
    [[4, 2]],
  )
})

test('HL7 v2: the same control id for another message is processed and noted', async () => {
  await client.ask(message('ADT^A08', [pid('S1', 'ONE')], { id: 'SAME' }))
  assert.equal(codeOf(await client.ask(message('ADT^A08', [pid('S1', 'TWO')], { id: 'SAME' }))), 'AA')
  const [second, first] = await messages('controlId=SAME')
  assert.match(second?.notes.join() ?? '', /for another message/)
  assert.deepEqual(first?.notes, [])
})

test('HL7 v2: many messages in one write are answered one by one, in their order', async () => {
  const ids = Array.from({ length: 60 }, (_, i) => `BURST${i}`)
  client.write(ids.map((id) => `\x0b${message('ADT^A08', [pid('B1')], { id })}\x1c\r`).join(''))
  for (const id of ids) assert.match(await client.next(), new RegExp(`MSA\\|AA\\|${id}\\r`))
})

test('HL7 v2: the bytes of a message are given back as they came', async () => {
  const send = message('ADT^A08', [pid('R1', 'Nächname^Vörname')], { id: 'RAW' })
  await client.ask(send)
  const [kept] = await messages('controlId=RAW')
  const raw = await fetch(`${server.url}/api/v1/messages/${kept?.id}/raw`)
  assert.equal(await raw.text(), send)
  assert.match(kept?.notes.join() ?? '', /read as UTF-8/)
  assert.equal((await fetch(`${server.url}/api/v1/messages/99999999`)).status, 404)
  assert.equal((await fetch(`${server.url}/api/v1/messages/x/raw`)).status, 404)
})

test('HL7 v2: files are imported in their order: batches, ZIP or not', async () => {
  const files = join(folder.path, 'files')
  mkdirSync(files)
  const bare = (text: string) => text.replace(/\r$/, '')
  const batch = [
    'FHS|^~\\&',
    'BHS|^~\\&',
    bare(message('ADT^A28', [pid('F1')])),
    bare(message('ADT^A28', [pid('F2')])),
    'BTS|2',
    'FTS|1',
  ]
  writeFileSync(join(files, '1.hl7'), `${batch.join('\r\n')}\r\n`)
  writeFileSync(join(files, '2.hl7'), message('ADT^A40', [pid('F1'), 'MRG|F2^^^HOSP']).replaceAll('\r', '\n'))
  writeFileSync(join(files, '3.txt'), 'MSH is a word, not a message')
  const run = () => runCommand(['import', files, '--data', server.dataDirectory, '--json'])
  const lines = (await run()).lines as { path?: string; verdict?: string; duplicate?: boolean; reason?: string }[]
  const told = lines
    .filter(({ path }) => path !== undefined)
    .map(
      ({ path = '', verdict, reason = '' }) =>
        `${basename(path)} ${verdict} ${reason.split(' ').slice(0, 2).join(' ')}`,
    )
  assert.deepEqual(told.filter((line) => !line.startsWith('3')).sort(), [
    '1.hl7#1 accept ADT^A28 AA',
    '1.hl7#2 accept ADT^A28 AA',
    '2.hl7 accept ADT^A40 AA',
  ])
  assert.equal(told.filter((line) => line.startsWith('3.txt skip')).length, 1)
  const again = (await run()).lines as { duplicate?: boolean }[]
  assert.equal(again.filter(({ duplicate }) => duplicate === true).length, 3)
})

test('HL7 v2: what was kept comes back at a rebuild', async () => {
  const list = async () => (await messages('limit=1000')).map(({ arrivals: _, ...rest }) => rest)
  const patient = async () => await (await fetch(`${server.url}/api/v1/patients?identifier=1`)).json()
  const [kept, known] = [await list(), await patient()]
  assert.ok(kept.length > 50)
  client.close()
  await server.stop()
  const rebuilt = await runCommand(['rebuild-index', '--data', server.dataDirectory])
  assert.equal(rebuilt.status, 0, rebuilt.stderr)
  await open()
  assert.deepEqual(await list(), kept)
  assert.deepEqual(await patient(), known)
  const send = message('ADT^A08', [pid('S1', 'TWO')], { id: 'SAME' }) // the ledger of control ids is there again
  const before = (await messages('controlId=SAME')).length
  await client.ask(send)
  assert.equal((await messages('controlId=SAME')).length, before)
})

const samples = join(process.env.DIPTYCH_SAMPLES ?? '../shared/data', 'hl7v2')
const REFUSED: { readonly [file: string]: string } = {
  'ADT-A45-01.hl7': 'AR 201',
  'OMG-O19-01.hl7': 'AE 101',
  'sample_unix.hl7': 'CR 102',
  'sample_win.hl7': 'CR 102',
  'iti-21.hl7': 'CR 200',
  'qbp.hl7': 'AR 200',
  'rsp.hl7': 'AR 200',
  'msg-02.hl7': 'AR 103',
  // ED without data, and a replacement of what was never sent.
  'MDM-T02-01.hl7': 'AE 101',
  'MDM-T06-01.hl7': 'AE 101',
  'MDM-T10-01.hl7': 'AE 101',
  'MDM-T09-01.hl7': 'AE 204',
  'msg-08.hl7': 'CE 101',
}
const ACCEPT_ONLY = ['MDM-T02-03.hl7', 'ORU-R01-01.hl7', 'oru-r01-25.hl7']
const UNANSWERED = ['ADT-A40-01.hl7', 'ADT-A40-02.hl7']

test('HL7 v2: every sample is answered by rule', {
  skip: existsSync(samples) ? false : 'no samples here',
}, async () => {
  const files = globSync('**/*.hl7', { cwd: samples }).sort()
  assert.ok(files.length > 50)
  for (const file of files) {
    const name = basename(file)
    const bytes = readFileSync(join(samples, file))
    if (UNANSWERED.includes(name)) {
      client.write(Buffer.concat([Buffer.of(0x0b), bytes, Buffer.of(0x1c, 0x0d)]))
      continue // MSH-15 and MSH-16 say never
    }
    const expected = REFUSED[name] ?? (ACCEPT_ONLY.includes(name) ? 'CA' : 'AA')
    assert.equal(codeOf(await client.ask(bytes)), expected, name)
  }
})
