import assert from 'node:assert/strict'
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { part10 } from '../fixtures/dicom-builder.ts'
import { ctSeries } from '../fixtures/objects.ts'
import { zip } from '../fixtures/programs.ts'
import { message } from '../live/mllp-client.ts'
import { type LiveServer, runCommand, startServer, temporaryDirectory } from '../live/server.ts'

interface Line {
  path: string
  verdict: string
  stored: boolean
  duplicate: boolean
}

interface Result {
  state: string
  items: Line[]
  summary: { [count: string]: number }
}

/** A caller with a token, or nobody under --open. */
class Caller {
  readonly #server: LiveServer
  readonly #headers: { readonly [name: string]: string }

  constructor(server: LiveServer, token?: string) {
    this.#server = server
    this.#headers = token === undefined ? {} : { authorization: `Bearer ${token}` }
  }

  ask(path: string, options: { method?: string; body?: string | Buffer; headers?: { [name: string]: string } } = {}) {
    const { method = 'GET', body, headers = {} } = options
    const json: { [name: string]: string } = typeof body === 'string' ? { 'content-type': 'application/json' } : {}
    return fetch(`${this.#server.url}/api/v1${path}`, {
      method,
      headers: { ...this.#headers, ...json, ...headers },
      ...(body === undefined ? {} : { body: typeof body === 'string' ? body : new Uint8Array(body) }),
    })
  }

  async begin(name: string, size: number, more: object = {}): Promise<string> {
    const answer = await this.ask('/uploads', { method: 'POST', body: JSON.stringify({ name, size, ...more }) })
    assert.equal(answer.status, 201, await answer.clone().text())
    return ((await answer.json()) as { id: string }).id
  }

  patch(id: string, offset: number, body: Buffer) {
    const headers = { 'upload-offset': String(offset), 'content-type': 'application/offset+octet-stream' }
    return this.ask(`/uploads/${id}`, { method: 'PATCH', body, headers })
  }

  finish(id: string) {
    return this.ask(`/uploads/${id}/finish`, { method: 'POST' })
  }

  async result(id: string): Promise<Result> {
    for (;;) {
      const answer = await this.ask(`/uploads/${id}/result`)
      if (answer.status === 200) return (await answer.json()) as Result
      assert.equal(answer.status, 202)
      assert.deepEqual(await answer.json(), { state: 'running' })
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
  }

  /** Messages of the event stream until it ends. */
  async events(id: string, lastEventId?: string): Promise<{ id: string; event: string; data: string }[]> {
    const answer = await this.ask(`/uploads/${id}/events`, {
      ...(lastEventId === undefined ? {} : { headers: { 'last-event-id': lastEventId } }),
    })
    if (answer.status === 204) return []
    assert.equal(answer.headers.get('content-type'), 'text/event-stream; charset=utf-8')
    const messages = (await answer.text()).split('\n\n').filter((text) => text !== '' && !text.startsWith(':'))
    return messages.map((text) => {
      const fields = Object.fromEntries(text.split('\n').map((line) => line.split(/: (.*)/s).slice(0, 2)))
      return { event: 'message', id: '', data: '', ...fields }
    })
  }
}

const files = ctSeries(3).map((elements) => part10({ elements }))

test('upload: in pieces, resumed, told line by line, told again', async (context) => {
  const place = temporaryDirectory('upload')
  context.after(() => place.remove())
  const server = await startServer({ dataDirectory: place.path })
  context.after(() => server.stop())
  const caller = new Caller(server)
  const body = zip([
    ...files.map((content, index) => ({ name: `DICOM/I${index}`, content })),
    { name: 'README.TXT', content: Buffer.from('hello\n') },
  ])
  const id = await caller.begin('disc.zip', body.length, { medium: 'CD 9', originator: 'Elsewhere' })
  const cut = Math.floor(body.length / 3)
  const first = await caller.patch(id, 0, body.subarray(0, cut))
  assert.equal(first.status, 204)
  assert.equal(first.headers.get('upload-offset'), String(cut))

  const wrong = await caller.patch(id, 0, body.subarray(0, cut))
  assert.equal(wrong.status, 409)
  assert.equal(wrong.headers.get('upload-offset'), String(cut))
  const early = await caller.finish(id)
  assert.equal(early.status, 409)
  const head = await caller.ask(`/uploads/${id}`, { method: 'HEAD' })
  assert.equal(head.headers.get('upload-offset'), String(cut))
  assert.equal(head.headers.get('upload-length'), String(body.length))

  assert.equal((await caller.patch(id, cut, body.subarray(cut))).status, 204)
  assert.equal((await caller.finish(id)).status, 202)
  assert.equal((await caller.finish(id)).status, 202, 'asking again changes nothing')
  const events = await caller.events(id)
  assert.deepEqual(
    events.map(({ event }) => event),
    ['message', 'message', 'message', 'message', 'done'],
  )
  assert.deepEqual(
    events.map((event) => event.id),
    ['1', '2', '3', '4', '5'],
  )
  const result = await caller.result(id)
  assert.deepEqual(
    events.slice(0, 4).map(({ data }) => JSON.parse(data) as Line),
    result.items,
  )
  assert.deepEqual(JSON.parse(events[4]!.data), { summary: result.summary })
  assert.deepEqual(result.items.map(({ path }) => path).toSorted(), [
    'disc.zip!/DICOM/I0',
    'disc.zip!/DICOM/I1',
    'disc.zip!/DICOM/I2',
    'disc.zip!/README.TXT',
  ])
  assert.equal(result.summary['stored'], 3)
  assert.equal(result.summary['skipped'], 1)
  assert.deepEqual(
    (await caller.events(id, '3')).map((event) => event.id),
    ['4', '5'],
  )
  assert.deepEqual(await caller.events(id, '5'), [])
  assert.equal(existsSync(join(place.path, 'uploads', `${id}.bytes`)), false)
})

// What a browser can get wrong, or somebody try, and each answer.
test('upload: bad requests', async (context) => {
  const place = temporaryDirectory('upload-bad')
  context.after(() => place.remove())
  const server = await startServer({ dataDirectory: place.path })
  context.after(() => server.stop())
  const caller = new Caller(server)
  const begin = (body: unknown) => caller.ask('/uploads', { method: 'POST', body: JSON.stringify(body) })
  for (const body of [
    {},
    { name: '', size: 1 },
    { name: 'a', size: -1 },
    { name: 'a', size: 1.5 },
    { name: 'a', size: 1, x: 1 },
  ]) {
    assert.equal((await begin(body)).status, 400, JSON.stringify(body))
  }
  assert.equal((await begin({ name: 'a', size: 2 ** 50 })).status, 413)
  for (const id of ['none', '..%2F..%2Flock', '0'.repeat(32)]) {
    assert.equal((await caller.ask(`/uploads/${id}/result`)).status, 404, id)
  }
  const id = await caller.begin('../../etc/passwd', 4)
  assert.equal((await caller.ask(`/uploads/${id}`, { method: 'PATCH', body: Buffer.from('abcd') })).status, 400)
  assert.equal((await caller.patch(id, 0, Buffer.from('abcdef'))).status, 413)
  const offset = Number((await caller.ask(`/uploads/${id}`, { method: 'HEAD' })).headers.get('upload-offset'))
  assert.equal((await caller.patch(id, offset, Buffer.from('abcd').subarray(offset))).status, 204)
  await caller.finish(id)
  const { items } = await caller.result(id)
  assert.deepEqual(
    items.map(({ path, verdict }) => [path, verdict]),
    [['../../etc/passwd', 'skip']],
  )
  const cancelled = await caller.begin('x', 10)
  assert.equal((await caller.ask(`/uploads/${cancelled}`, { method: 'DELETE' })).status, 204)
  assert.equal((await caller.ask(`/uploads/${cancelled}`, { method: 'HEAD' })).status, 404)
  const empty = await caller.begin('empty', 0)
  assert.equal((await caller.finish(empty)).status, 202)
  assert.equal((await caller.result(empty)).summary['files'], 1)
})

test('upload: nobody sees the upload of another, and a killed server goes on where it was', async (context) => {
  const place = temporaryDirectory('upload-kill')
  context.after(() => place.remove())
  const token = async (role: string) => {
    const made = await runCommand(['token', 'create', '--role', role, '--data', place.path])
    return made.stdout.trim()
  }
  const [mine, theirs, reader] = [await token('sender'), await token('administrator'), await token('reader')]
  const server = await startServer({ dataDirectory: place.path, open: false })
  const me = new Caller(server, mine)
  const body = zip(files.map((content, index) => ({ name: `I${index}`, content })))
  const id = await me.begin('disc.zip', body.length)
  assert.equal((await new Caller(server, reader).ask('/uploads', { method: 'POST', body: '{}' })).status, 403)
  for (const path of [`/uploads/${id}/result`, `/uploads/${id}/events`]) {
    assert.equal((await new Caller(server, theirs).ask(path)).status, 404)
  }
  assert.equal((await new Caller(server, theirs).patch(id, 0, body)).status, 404)
  assert.equal((await me.patch(id, 0, body.subarray(0, 100))).status, 204)
  await server.kill()

  const second = await startServer({ dataDirectory: place.path, open: false })
  const back = new Caller(second, mine)
  const offset = Number((await back.ask(`/uploads/${id}`, { method: 'HEAD' })).headers.get('upload-offset'))
  assert.equal(offset, 100)
  assert.equal((await back.patch(id, offset, body.subarray(offset))).status, 204)
  assert.equal((await back.finish(id)).status, 202)
  await second.kill()

  const third = await startServer({ dataDirectory: place.path, open: false })
  context.after(() => third.stop())
  const again = new Caller(third, mine)
  const { summary, items } = await again.result(id)
  assert.equal(summary['files'], 3)
  assert.equal(new Set(items.map(({ path }) => path)).size, 3)
  assert.ok(items.every(({ stored }) => stored))
  assert.deepEqual(
    readdirSync(join(place.path, 'uploads')).filter((name) => name.endsWith('.bytes')),
    [],
  )
})

test('upload: HL7 v2 messages, for who may say who somebody is; the summary says how studies stand', async (context) => {
  const place = temporaryDirectory('upload-hl7')
  context.after(() => place.remove())
  const token = async (role: string) =>
    (await runCommand(['token', 'create', '--role', role, '--data', place.path])).stdout.trim()
  const [desk, sender] = [await token('archivist'), await token('sender')]
  const server = await startServer({ dataDirectory: place.path, open: false })
  context.after(() => server.stop())
  const body = zip([
    { name: 'DICOM/I0', content: files[0]! },
    { name: 'one.hl7', content: Buffer.from(message('ADT^A28', ['PID|1||U1^^^HOSP||UPLOAD^ED||19700101|M'])) },
  ])
  const sent = async (caller: Caller) => {
    const id = await caller.begin('disc.zip', body.length)
    assert.equal((await caller.patch(id, 0, body)).status, 204)
    assert.equal((await caller.finish(id)).status, 202)
    const { items, summary } = await caller.result(id)
    const told = items.map(({ path, verdict, stored }) => `${path} ${verdict} ${stored}`).toSorted()
    return { told, studies: (summary as { reconciliation?: { state: string; why: string }[] }).reconciliation }
  }
  const known = async () => {
    const answer = await new Caller(server, desk).ask('/patients?identifier=U1')
    return ((await answer.json()) as { items: unknown[] }).items.length
  }

  const refused = await sent(new Caller(server, sender))
  assert.deepEqual(refused.told, ['disc.zip!/DICOM/I0 accept true', 'disc.zip!/one.hl7 reject false'])
  assert.equal(refused.studies, undefined, 'who only sends is not told whose it is')
  assert.equal(await known(), 0)

  const taken = await sent(new Caller(server, desk))
  assert.deepEqual(taken.told, ['disc.zip!/DICOM/I0 accept true', 'disc.zip!/one.hl7 accept true'])
  assert.equal(taken.studies?.length, 1)
  assert.ok(taken.studies?.every(({ state, why }) => state !== '' && why !== ''))
  assert.equal(await known(), 1)
})

test('upload: a container with a bad member is refused whole where the site says so', async (context) => {
  const place = temporaryDirectory('upload-bad-zip')
  context.after(() => place.remove())
  const server = await startServer({ dataDirectory: place.path })
  context.after(() => server.stop())
  const caller = new Caller(server)
  const settings = JSON.stringify({ 'media.badZip': 'refuse' })
  const set = await caller.ask('/settings', { method: 'POST', body: settings })
  assert.ok(set.ok, await set.text())
  const body = zip([
    { name: 'I0', content: files[0]! },
    { name: 'bad', content: Buffer.from('not what it was') },
  ])
  body[body.indexOf('not what it was')] = 0
  const id = await caller.begin('disc.zip', body.length)
  assert.equal((await caller.patch(id, 0, body)).status, 204)
  await caller.finish(id)
  const { items, summary } = await caller.result(id)
  assert.deepEqual(
    items.map(({ path, verdict }) => [path, verdict]),
    [['disc.zip', 'reject']],
  )
  assert.equal(summary['stored'], 0)
})
