/** Reports in HL7 v2 messages: they become documents, replace each other by their own time, and are taken back. */
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { plainPdf } from '../fixtures/pdf.ts'
import { codeOf, type MllpClient, message, mllpClient } from '../live/mllp-client.ts'
import { type LiveServer, runCommand, startServer, temporaryDirectory } from '../live/server.ts'

const folder = temporaryDirectory('hl7v2-reports')
const dataDirectory = join(folder.path, 'data')
let server: LiveServer
let client: MllpClient

const open = async () => {
  server = await startServer({ dataDirectory, args: ['--hl7-port', '0'] })
  client = await mllpClient(server.hl7?.port ?? 0)
}
before(open)
after(async () => {
  client.close()
  await server.stop()
  assert.equal(server.faults(), '')
  folder.remove()
})

interface Shown {
  readonly id: string
  readonly kind: string
  readonly status: string
  readonly phase: string | null
  readonly sha256: string
  readonly uniqueId: string
  readonly relations: readonly { kind: string; to: string }[]
  readonly metadata: { readonly authors: readonly { person: string }[]; readonly typeCode: { code: string } | null }
}

const json = async <T>(path: string): Promise<T> => {
  const answer = await fetch(`${server.url}${path}`)
  assert.equal(answer.status, 200, path)
  return (await answer.json()) as T
}
/** Every version of what an order or document number names, oldest first. */
async function versions(number: string): Promise<readonly Shown[]> {
  const { items } = await json<{ items: { id: string }[] }>(
    `/api/v1/documents?status=any&reference=${number}&order=oldest&limit=100`,
  )
  return Promise.all(items.map(({ id }) => json<Shown>(`/api/v1/documents/${id}`)))
}
const content = async (id: string) => (await fetch(`${server.url}/api/v1/documents/${id}/content`)).text()

const pid = (id = 'R1') => `PID|1||${id}^^^HOSP^MR||DOE^JANE||19700102|F`
const obr = (number: string, status: string, time: string, interpreter = '') => {
  const fields: string[] = new Array(33).fill('')
  Object.assign(fields, ['OBR', '1', `P${number}`, `F${number}`, '18748-4^Chest CT^LN', '', '', '20260301'])
  Object.assign(fields, { 22: time, 24: 'CT', 25: status, 32: interpreter })
  return fields.join('|')
}
const text = (line: string, status = 'F') => `OBX|1|TX|59776-5^Findings^LN||${line}||||||${status}`
const embedded = (bytes: Uint8Array, status = 'F') =>
  `OBX|1|ED|18748-4^Report^LN||RIS^application^pdf^Base64^${Buffer.from(bytes).toString('base64')}||||||${status}`
const oru = (number: string, status: string, time: string, lines: readonly string[], patient = 'R1') =>
  message('ORU^R01', [pid(patient), `ORC|RE|P${number}|F${number}`, obr(number, status, time), ...lines])
const mdm = (event: string, txa: string, lines: readonly string[] = [], patient = 'R1') =>
  message(`MDM^${event}`, [pid(patient), txa, ...lines])
const txa = (number: string, parent = '', completion = 'AU', availability = 'AV') =>
  `TXA|1|DI|TX|202603011000||202603011010|||77^Writer^Wanda|||${number}|${parent}||||${completion}||${availability}`
const ask = async (send: string) => codeOf(await client.ask(send))

test('an embedded PDF is kept byte for byte, found by its numbers, signed by its interpreter', async () => {
  const pdf = plainPdf(['One'])
  const send = message('ORU^R01', [pid(), obr('1', 'F', '20260301120000', '9&Reader&Rita'), embedded(pdf)])
  assert.equal(await ask(send), 'AA')
  const [only, ...more] = await versions('F1')
  assert.deepEqual([only?.kind, only?.status, only?.phase, more.length], ['pdf', 'current', 'final', 0])
  assert.equal(only?.metadata.authors[0]?.person, 'Reader^Rita')
  const bytes = await (await fetch(`${server.url}/api/v1/documents/${only?.id}/content`)).arrayBuffer()
  assert.deepEqual(Buffer.from(bytes), Buffer.from(pdf))
  // Sent again, with the same control id and with another one: one document.
  assert.equal(await ask(send), 'AA')
  assert.equal(await ask(send.replace(/\|[^|]*\|P\|2\.5/, '|OTHER1|P|2.5')), 'AA')
  assert.equal((await versions('F1')).length, 1)
})

// The order of arrival is that of a network, not that of the report.
test('a newer version replaces, an older one that comes late stays behind it', async () => {
  assert.equal(await ask(oru('2', 'P', '20260301120000', [text('Maybe a nodule.')])), 'AA')
  assert.equal(await ask(oru('2', 'F', '20260301140000', [text('A nodule of 4 mm.')])), 'AA')
  assert.equal(await ask(oru('2', 'C', '20260301160000', [text('A nodule of 5 mm.')])), 'AA')
  assert.equal(await ask(oru('2', 'P', '20260301130000', [text('Late preliminary.')])), 'AA')
  const all = await versions('F2')
  const states = Object.fromEntries(
    await Promise.all(all.map(async ({ id, status, phase }) => [await content(id), `${status} ${phase}`] as const)),
  )
  const said = (line: string) => states[`Chest CT\n\nFindings\n${line}\n`]
  assert.deepEqual(
    [said('Maybe a nodule.'), said('A nodule of 4 mm.'), said('A nodule of 5 mm.'), said('Late preliminary.')],
    ['superseded preliminary', 'superseded final', 'current amended', 'superseded preliminary'],
  )
  const current = all.find(({ status }) => status === 'current')
  assert.ok(current?.relations.some(({ kind }) => kind === 'replaces'))
})

test('the same words that become final are the same document', async () => {
  assert.equal(await ask(oru('3', 'P', '20260301120000', [text('Same words.', 'P')])), 'AA')
  assert.equal(await ask(oru('3', 'F', '20260301130000', [text('Same words.')])), 'AA')
  assert.deepEqual(
    (await versions('F3')).map(({ status, phase }) => `${status} ${phase}`),
    ['current final'],
  )
})

test('what is taken back is entered in error, and what was said before that does not bring it back', async () => {
  assert.equal(await ask(oru('4', 'F', '20260301120000', [text('Wrong patient.')])), 'AA')
  assert.equal(await ask(oru('4', 'X', '20260301130000', [])), 'AA')
  assert.equal(await ask(oru('4', 'P', '20260301110000', [text('Late and wrong.')])), 'AA')
  assert.deepEqual(
    (await versions('F4')).map(({ status }) => status),
    ['entered-in-error'],
  )
  // The right patient gets it, under the same number.
  assert.equal(await ask(oru('4', 'F', '20260301140000', [text('Right patient.')], 'R2')), 'AA')
  assert.deepEqual(
    (await versions('F4')).map(({ status }) => status),
    ['entered-in-error', 'current'],
  )
  assert.equal(await ask(oru('40', 'F', '20260301120000', [text('Posted wrong.')])), 'AA')
  assert.equal(await ask(oru('40', '', '20260301130000', [text('Posted wrong.', 'W')])), 'AA')
  assert.deepEqual(
    (await versions('F40')).map(({ status }) => status),
    ['entered-in-error'],
  )
})

const refused: { name: string; send: string; is: string }[] = [
  { name: 'a number of another patient', send: oru('1', 'C', '20260302', [text('x')], 'R9'), is: 'AE 205' },
  { name: 'no number', send: message('ORU^R01', [pid(), 'OBR|1|||X', text('x')]), is: 'AE 101' },
  { name: 'a status nobody knows', send: oru('5', 'Q', '20260301', [text('x')]), is: 'AE 103' },
  { name: 'no Base64', send: oru('5', 'F', '20260301', ['OBX|1|ED|||^a^pdf^Base64^%%%']), is: 'AE 102' },
  { name: 'an empty document', send: oru('5', 'F', '20260301', ['OBX|1|ED|||^a^pdf^Base64^']), is: 'AE 101' },
  { name: 'another encoding', send: oru('5', 'F', '20260301', ['OBX|1|ED|||^a^pdf^uu^AA']), is: 'AE 102' },
  { name: 'MDM without TXA', send: message('MDM^T02', [pid()]), is: 'AR 100' },
  { name: 'MDM without number', send: mdm('T02', txa(''), [text('x')]), is: 'AE 101' },
  { name: 'MDM without content', send: mdm('T02', txa('D9')), is: 'AE 101' },
  { name: 'a cancel of what nobody knows', send: mdm('T11', txa('D9')), is: 'AE 204' },
  { name: 'an addendum to what nobody knows', send: mdm('T06', txa('D9', 'D8'), [text('x')]), is: 'AE 204' },
  { name: 'a replacement of what nobody knows', send: mdm('T10', txa('D9', 'D8'), [text('x')]), is: 'AE 204' },
  {
    name: 'a program',
    send: oru('5', 'F', '20260301', [embedded(Buffer.concat([Buffer.from('MZ'), Buffer.alloc(900)]))]),
    is: 'AE 207',
  },
]
for (const { name, send, is } of refused) {
  test(`refused, and nothing of it is kept: ${name}`, async () => {
    const before = (await json<{ items: unknown[] }>('/api/v1/documents?status=any&limit=1000')).items.length
    assert.equal(await ask(send), is)
    assert.equal(await ask(send), is)
    const after = (await json<{ items: unknown[] }>('/api/v1/documents?status=any&limit=1000')).items.length
    assert.equal(after, before)
  })
}

test('MDM: original, edit, addendum, status, replacement, cancel', async () => {
  assert.equal(await ask(mdm('T02', txa('M1', '', 'PA'), [text('Draft of the letter.')])), 'AA')
  assert.equal(await ask(mdm('T08', txa('M1'), [text('The letter.')])), 'AA')
  assert.equal(await ask(mdm('T06', txa('M2', 'M1'), [text('And this.')])), 'AA')
  const [draft, letter] = await versions('M1')
  assert.deepEqual([draft?.status, letter?.status, letter?.phase], ['superseded', 'current', 'amended'])
  const [addendum] = await versions('M2')
  assert.deepEqual(
    addendum?.relations.map(({ kind, to }) => [kind, to]),
    [['appends', letter?.id]],
  )
  assert.equal(await ask(mdm('T10', txa('M3', 'M1'), [text('A new letter.')])), 'AA')
  const [replaced] = await versions('M3')
  assert.ok(replaced?.relations.some(({ kind, to }) => kind === 'replaces' && to === letter?.id))
  assert.deepEqual(
    (await versions('M2')).map(({ status }) => status),
    ['superseded'],
  )
  assert.equal(await ask(mdm('T03', txa('M3', '', 'LA'))), 'AA')
  assert.equal((await versions('M3'))[0]?.phase, 'final')
  assert.equal(await ask(mdm('T11', txa('M3'))), 'AA')
  assert.equal((await versions('M3'))[0]?.status, 'entered-in-error')
})

test('what is taken back is found by no words, no list and no FHIR search that asks for what is in force', async () => {
  assert.equal(await ask(mdm('T02', txa('W1'), [text('Quaternionic findings.')])), 'AA')
  const words = async () =>
    (await json<{ items: unknown[] }>('/api/v1/documents?text=Quaternionic&limit=10')).items.length
  for (let i = 0; i < 100 && (await words()) === 0; i++) await new Promise((resolve) => setTimeout(resolve, 50))
  assert.equal(await words(), 1)
  const search = async () => (await json<{ items: unknown[] }>('/api/v1/text-search?q=Quaternionic')).items.length
  assert.equal(await search(), 1)
  assert.equal(await ask(mdm('T11', txa('W1'))), 'AA')
  assert.equal(await words(), 0)
  assert.equal(await search(), 0)
  const [gone] = await versions('W1')
  const found = await json<{ entry?: { resource: { status: string } }[] }>(
    `/fhir/DocumentReference?identifier=${encodeURIComponent(gone?.uniqueId ?? '')}`,
  )
  assert.deepEqual(
    found.entry?.map(({ resource }) => resource.status),
    ['entered-in-error'],
  )
})

// What left as DICOM for the sake of the images must not outlive the report it was made of.
test('a PDF of a study with images is shown with them, and goes from there when it is taken back', async () => {
  assert.equal((await runCommand(['demo', '--data', dataDirectory])).status, 0)
  type Json = { readonly [tag: string]: { readonly Value?: readonly string[] } }
  const dicom = async (path: string) => json<readonly Json[]>(`/dicom-web/${path}`)
  const studies = await dicom('studies?ModalitiesInStudy=CT&includefield=00100021')
  const value = (tag: string) => studies[0]?.[tag]?.Value?.[0] ?? ''
  const uid = value('0020000D')
  const reports = async () =>
    (await dicom(`studies/${uid}/series`)).filter((series) => series['00080060']?.Value?.[0] === 'DOC').length
  const until = async (count: number) => {
    for (let i = 0; i < 200 && (await reports()) !== count; i++) await new Promise((resolve) => setTimeout(resolve, 50))
    assert.equal(await reports(), count)
  }
  const before = await reports()
  const who = `PID|1||${value('00100020')}^^^${value('00100021')}^MR`
  const study = `OBX|1|ST|113014^DICOM Study^DCM||${uid}||||||F`
  const first = [who, obr('F', 'F', '20260301120000'), study, embedded(plainPdf(['Beside the images']))]
  assert.equal(await ask(message('ORU^R01', first)), 'AA')
  await until(before + 1)
  const second = [who, obr('F', 'C', '20260301130000'), study, embedded(plainPdf(['Corrected']))]
  assert.equal(await ask(message('ORU^R01', second)), 'AA')
  const [old, current] = await versions('FF')
  assert.deepEqual([old?.status, current?.status], ['superseded', 'current'])
  await until(before + 1)
  assert.equal(await ask(message('ORU^R01', [who, obr('F', 'X', '20260301140000')])), 'AA')
  await until(before)
  const found = await json<{ entry?: { resource: { status: string } }[] }>('/fhir/DiagnosticReport?_count=200')
  assert.ok(found.entry?.some(({ resource }) => resource.status === 'entered-in-error'))
})

test('structured results are a text; pointers are recorded and not fetched', async () => {
  const send = oru('6', 'F', '20260301120000', [
    'OBX|1|NM|2951-2^Sodium^LN||140|mmol/L|135-145|N|||F',
    'OBX|2|NM|2823-3^Potassium^LN||6.1|mmol/L|3.5-5.1|HH|||F',
    'NTE|1||called at 10:00',
    'OBX|3|CE|600-7^Blood culture^LN||3092008^Staphylococcus aureus^SCT||||||F',
    'OBX|4|NM|1-1^Gone^LN||1||||||W',
    'OBX|5|RP|1^Image^L||http://127.0.0.1:9/x^^image^jpeg||||||F',
  ])
  assert.equal(await ask(send), 'AA')
  const [only] = await versions('F6')
  assert.equal(
    await content(only?.id ?? ''),
    'Chest CT\n\nSodium: 140 mmol/L (135-145)\nPotassium: 6.1 mmol/L (3.5-5.1) [HH]\n  called at 10:00\nBlood culture: Staphylococcus aureus\n',
  )
})

test('a rebuilt index has the same reports and goes on where the old one was', async () => {
  const state = async () =>
    (await json<{ items: Shown[] }>('/api/v1/documents?status=any&limit=1000')).items.map(
      ({ id, status, phase, sha256 }) => ({ id, status, phase, sha256 }),
    )
  const before = await state()
  client.close()
  await server.stop()
  assert.equal((await runCommand(['rebuild-index', '--data', dataDirectory])).status, 0)
  await open()
  assert.deepEqual(await state(), before)
  assert.equal(await ask(oru('2', 'P', '20260301125959', [text('Later still.')])), 'AA')
  assert.equal((await versions('F2')).filter(({ status }) => status === 'current').length, 1)
  assert.equal(await ask(oru('40', 'P', '20260301110000', [text('Late and wrong too.')])), 'AA')
  assert.equal((await versions('F40')).length, 1)
})
