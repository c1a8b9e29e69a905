/** Notices to other systems: in their order, proved by acknowledgements, over crashes and bad receivers; copies elsewhere are brought level. */
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { Hl7Server } from '@medplum/hl7'
import { plainPdf } from '../fixtures/pdf.ts'
import { codeOf, type MllpClient, message, mllpClient } from '../live/mllp-client.ts'
import { field, type MllpReceiver, mllpReceiver } from '../live/mllp-receiver.ts'
import { type LiveServer, runCommand, startServer, temporaryDirectory } from '../live/server.ts'

const folder = temporaryDirectory('notices')
const dataDirectory = join(folder.path, 'data')
let server: LiveServer
let other: LiveServer
let client: MllpClient
let receiver: MllpReceiver

const open = async () => {
  server = await startServer({ dataDirectory, args: ['--hl7-port', '0'] })
  client = await mllpClient(server.hl7?.port ?? 0)
}
before(async () => {
  receiver = await mllpReceiver()
  other = await startServer({ dataDirectory: join(folder.path, 'other'), args: ['--hl7-port', '0'] })
  await open()
})
after(async () => {
  client.close()
  await server.stop()
  await other.stop()
  await receiver.close()
  assert.equal(server.faults(), '')
  folder.remove()
})

interface Told {
  readonly id: string
  readonly objectId: string
  readonly destination: string
  readonly event: string
  readonly message: string
  readonly state: string
  readonly attempts: number
  readonly controlId: string
  readonly answer: string | null
  readonly error: string | null
}

async function list<T = Told>(query: string, at = server): Promise<readonly T[]> {
  const answer = await fetch(`${at.url}/api/v1/${query}`)
  assert.equal(answer.status, 200, query)
  return ((await answer.json()) as { items: T[] }).items
}
async function until<T>(read: () => Promise<T>, is: (value: T) => boolean): Promise<T> {
  for (let i = 0; ; i++) {
    const value = await read()
    if (is(value)) return value
    assert.ok(i < 300, `never: ${JSON.stringify(value)}`)
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}
/** Until so many notices were made, in all, and none of them waits. */
const settled = (made: number) =>
  until(
    () => list('deliveries?limit=1000'),
    (items) => items.length >= made && items.every(({ state }) => state !== 'waiting'),
  )

const to = (name: string, port: number, more: object = {}) => ({
  ...{ name, host: '127.0.0.1', port, application: name.toUpperCase(), facility: 'F' },
  ...{ retrySeconds: 0.05, answerSeconds: 1, ...more },
})
const rule = (destination: string, events: readonly string[], more: object = {}) => ({
  ...{ name: `${destination} ${events.join(' ')}`, destination, events },
  ...more,
})
async function policy(destinations: readonly object[], rules: readonly object[], more: object = {}) {
  const value = JSON.stringify({ destinations, rules, ...more })
  return runCommand(['settings', 'set', 'notices.policy', value, '--data', dataDirectory])
}

const ALL = ['kept', 'replaced', 'withdrawn']
const pid = 'PID|1||N1^^^HOSP^MR||DOE|JANE'.replace('DOE|JANE', 'DÖE^JANE||19700102|F')
const txa = (number: string, parent = '') =>
  `TXA|1|DI|TX|20260301||20260301|||77^Writer^W|||${number}|${parent}||||AU||AV`
const pdf = (words: string) =>
  `OBX|1|ED|18748-4^Report^LN||R^application^pdf^Base64^${Buffer.from(plainPdf([words])).toString('base64')}||||||F`
const send = async (event: string, number: string, words: string | null, parent = '') => {
  const lines = words === null ? [] : [pdf(words)]
  assert.equal(codeOf(await client.ask(message(`MDM^${event}`, [pid, txa(number, parent), ...lines]))), 'AA')
}

test('a policy is checked: destinations by name, rules of destinations there are', async () => {
  const wrong = await policy([to('pacs', 1)], [rule('ris', ALL)])
  assert.equal(wrong.status, 1)
  assert.match(wrong.stderr, /destination/)
  assert.equal((await policy([to('pacs', 1), to('pacs', 2)], [])).status, 1)
  assert.equal((await policy([to('pacs', 1)], [rule('pacs', ['kept', 'burnt'])])).status, 1)
})

test('new, replaced, withdrawn: told in their order, with the document, and proved', async () => {
  await policy([to('pacs', receiver.port)], [rule('pacs', ALL)])
  await send('T02', 'A1', 'first')
  await send('T10', 'A2', 'second', 'A1')
  await send('T11', 'A2', null)
  await receiver.until(3)
  await settled(3)
  const types = receiver.received.map((one) => field(one, 'MSH', 9))
  assert.deepEqual(types, ['MDM^T02^MDM_T02', 'MDM^T10^MDM_T02', 'MDM^T11^MDM_T01'])
  const [first = '', second = '', third = ''] = receiver.received
  assert.equal(Buffer.from(field(first, 'OBX', 5).split('^')[4] ?? '', 'base64').compare(plainPdf(['first'])), 0)
  assert.equal(field(second, 'TXA', 13), field(first, 'TXA', 12))
  assert.equal(field(third, 'TXA', 12), field(second, 'TXA', 12))
  assert.equal(field(third, 'TXA', 19), 'CA')
  assert.equal(field(first, 'PID', 3), 'N1^^^HOSP^MR')
  assert.equal(field(first, 'PID', 5), 'DÖE^JANE')
  const told = await list('deliveries?destination=pacs&limit=10')
  assert.deepEqual(
    told.map(({ event, state, answer }) => `${event} ${state} ${answer}`),
    ['withdrawn acknowledged AA said', 'replaced acknowledged AA said', 'kept acknowledged AA said'],
  )
  assert.deepEqual(await list('deliveries/holdings?behind=true'), [])
  const kept = told.find(({ event }) => event === 'kept')
  const provenance = await fetch(`${server.url}/api/v1/objects/${kept?.objectId}/provenance`)
  const { heldBy } = (await provenance.json()) as { heldBy: { destination: string; state: string }[] }
  assert.deepEqual(
    heldBy.map(({ destination, state }) => [destination, state]),
    [['pacs', 'acknowledged']],
  )
})

test('rules choose by type, department and state; a preliminary report can wait', async () => {
  const more = { typeCodes: ['18748-4'], finalOnly: true, message: 'ORU' }
  await policy([to('pacs', receiver.port)], [rule('pacs', ALL, more)])
  const before = receiver.received.length
  const oru = (number: string, code: string, status: string) => {
    const fields: string[] = new Array(26).fill('')
    Object.assign(fields, ['OBR', '1', `P${number}`, `F${number}^LAB`, code], { 22: '20260301120000', 25: status })
    return client.ask(
      message('ORU^R01', [pid, fields.join('|'), `OBX|1|TX|1^Findings^L||Text ${status}||||||${status}`]),
    )
  }
  await oru('1', '11502-2^Lab^LN', 'F')
  await oru('2', '18748-4^CT^LN', 'P')
  await oru('3', '18748-4^CT^LN', 'F')
  await receiver.until(before + 1)
  await settled(4)
  assert.equal(receiver.received.length, before + 1)
  const one = receiver.received.at(-1) ?? ''
  assert.deepEqual(
    [field(one, 'MSH', 9), field(one, 'OBR', 3), field(one, 'OBR', 25)],
    ['ORU^R01^ORU_R01', 'F3^LAB', 'F'],
  )
})

test('another archive of ours follows every version', async () => {
  await policy([to('archive', other.hl7?.port ?? 0)], [rule('archive', ALL)])
  const versions = () =>
    list<{ id: string; status: string; sha256: string }>('documents?status=any&order=oldest&limit=100', other)
  await send('T02', 'B1', 'one')
  await send('T08', 'B1', 'two')
  await settled(6)
  assert.deepEqual(
    (await versions()).map(({ status }) => status),
    ['superseded', 'current'],
  )
  await send('T11', 'B1', null)
  await settled(7)
  assert.deepEqual(
    (await versions()).map(({ status }) => status),
    ['superseded', 'entered-in-error'],
  )
  const [last] = await list('deliveries?destination=archive&limit=1')
  assert.equal(last?.answer?.slice(0, 2), 'AA')
})

test('the server of Medplum takes what is sent', async () => {
  const got: string[] = []
  const medplum = new Hl7Server((connection) => {
    connection.addEventListener('message', ({ message: one }: { message: Parameters<typeof connection.send>[0] }) => {
      got.push(one.getSegment('TXA')?.getField(12)?.toString() ?? '')
      connection.send(one.buildAck())
    })
  })
  await medplum.start(0)
  const address = medplum.server?.address()
  const port = typeof address === 'object' && address !== null ? address.port : 0
  try {
    await policy([to('medplum', port)], [rule('medplum', ALL, { content: 'pointer' })])
    await send('T02', 'C1', 'medplum')
    await settled(8)
    const [told] = await list('deliveries?destination=medplum')
    assert.deepEqual([told?.state, told?.message, got.length], ['acknowledged', 'MDM^T02', 1])
  } finally {
    await medplum.stop()
  }
})

// One notice that nobody can take must not stop the others, and none may overtake the one before.
test('refused goes to the dead letters, rejected and unanswered is tried again, always in order', async () => {
  await policy([to('pacs', receiver.port, { rejectionsMax: 3 })], [rule('pacs', ALL)])
  const start = receiver.received.length
  const plan = ['AE', 'AR', 'AR', 'AA', 'hang', 'close', 'wrong', 'AA', 'AR', 'AR', 'AR', 'AA']
  receiver.behave((_message, nth) => plan[nth - start - 1] ?? 'AA')
  for (const number of ['D1', 'D2', 'D3', 'D4', 'D5']) await send('T02', number, `plan ${number}`)
  await settled(13)
  const got = receiver.received.slice(start).map((one) => field(one, 'MSH', 10))
  const order = [...new Set(got)]
  assert.deepEqual(
    got.map((id) => order.indexOf(id) + 1),
    [1, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 5],
  )
  const told = (await list('deliveries?destination=pacs&limit=5')).toReversed()
  assert.deepEqual(
    told.map(({ state }) => state),
    ['refused', 'acknowledged', 'acknowledged', 'failed', 'acknowledged'],
  )
  // The same bytes at every try.
  const tries = receiver.received.slice(start).filter((one) => field(one, 'MSH', 10) === order[2])
  assert.equal(new Set(tries).size, 1)
  receiver.behave(() => 'AA')
  const [dead] = told
  const again = await fetch(`${server.url}/api/v1/deliveries/${dead?.id}/resend`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ reason: 'mended' }),
  })
  assert.equal(again.status, 200)
  await settled(14)
  const [made] = await list(`deliveries?object=${dead?.objectId}&limit=1`)
  assert.deepEqual([made?.state, made?.event, made?.controlId === dead?.controlId], ['acknowledged', 'kept', false])
})

test('killed while it waits for an answer: the same notice with the same control id, then the next', async () => {
  const start = receiver.received.length
  receiver.behave(() => 'hang')
  await policy([to('pacs', receiver.port, { answerSeconds: 60 })], [rule('pacs', ALL)])
  await send('T02', 'E1', 'killed')
  await send('T10', 'E2', 'killed again', 'E1')
  await receiver.until(start + 1)
  client.close()
  await server.kill()
  receiver.behave(() => 'AA')
  await open()
  await receiver.until(start + 3)
  await settled(16)
  const [first, again, next] = receiver.received.slice(start)
  assert.equal(again, first)
  assert.equal(field(next ?? '', 'MSH', 9), 'MDM^T10^MDM_T02')
  assert.equal(receiver.received.length, start + 3)
})

test('copies elsewhere that are behind are listed, and brought level by hand or by themselves', async () => {
  const start = receiver.received.length
  await policy([to('pacs', receiver.port)], [rule('pacs', ['kept'])])
  await send('T02', 'G1', 'copy')
  await settled(17)
  await send('T10', 'G2', 'newer', 'G1')
  const behind = () => list<{ destination: string; current: string | null }>('deliveries/holdings?behind=true')
  const [one] = await until(behind, (items) => items.length === 1)
  assert.ok(one?.current)
  const level = await runCommand(['delivery', 'level', '--reason', 'new version', '--data', dataDirectory, '--json'])
  assert.equal(level.status, 0, level.stderr)
  await settled(18)
  assert.deepEqual(await behind(), [])
  assert.equal(field(receiver.received.at(-1) ?? '', 'MSH', 9), 'MDM^T10^MDM_T02')
  await policy([to('pacs', receiver.port, { level: 'automatic' })], [])
  await send('T11', 'G2', null)
  await receiver.until(start + 3)
  await settled(19)
  assert.equal(field(receiver.received.at(-1) ?? '', 'MSH', 9), 'MDM^T11^MDM_T01')
  assert.deepEqual(await behind(), [])
})

test('a queue has an end: what does not fit is a dead letter at once', async () => {
  const closed = await mllpReceiver()
  await closed.close()
  await policy([to('pacs', closed.port, { retrySeconds: 60 })], [rule('pacs', ALL)], { queueMax: 1 })
  await send('T02', 'H1', 'fits')
  await send('T02', 'H2', 'does not')
  const items = await until(
    () => list('deliveries?destination=pacs&limit=2'),
    ([last, one]) => last?.state === 'failed' && (one?.attempts ?? 0) > 0,
  )
  assert.match(items[0]?.error ?? '', /more than 1/)
  await policy([to('pacs', receiver.port)], [])
  await settled(21)
})

test('a rebuilt index has the same ledger', async () => {
  const state = async () =>
    (await list('deliveries?limit=1000')).map(({ attempts: _, ...told }) => ({ ...told, tried: null, error: null }))
  const before = await state()
  assert.ok(before.length > 10)
  client.close()
  await server.stop()
  const rebuilt = await runCommand(['rebuild-index', '--data', dataDirectory])
  assert.equal(rebuilt.status, 0, rebuilt.stderr)
  const shown = await runCommand(['delivery', 'list', '--state', 'refused', '--data', dataDirectory, '--json'])
  assert.equal(shown.lines.length, 1)
  await open()
  assert.deepEqual(await state(), before)
})
