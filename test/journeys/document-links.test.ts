/** Relations and folders over HTTP; sets that come while the server is killed. */
import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { after, before, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { plainPdf } from '../fixtures/pdf.ts'
import { type LiveServer, runCommand, startServer, temporaryDirectory } from '../live/server.ts'

const place = temporaryDirectory('document-links')
let server: LiveServer

before(async () => {
  server = await startServer({ dataDirectory: place.path })
})

after(async () => {
  await server.stop()
  place.remove()
})

interface Shown {
  readonly id: string
  readonly status: string
  readonly version: number
  readonly relations: readonly { readonly kind: string; readonly to: string }[]
  readonly items: readonly { readonly id: string }[]
  readonly code: string
}

async function ask(method: string, path: string, body?: object): Promise<{ status: number; json: Shown }> {
  const answer = await fetch(`${server.url}/api/v1/${path}`, {
    method,
    ...(body === undefined ? {} : { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }),
  })
  return { status: answer.status, json: (await answer.json()) as Shown }
}

async function add(text: string, patient: string): Promise<string> {
  const answer = await fetch(`${server.url}/api/v1/documents?patient=${patient}&title=${encodeURIComponent(text)}`, {
    method: 'POST',
    headers: { 'content-type': 'application/pdf' },
    body: Buffer.from(plainPdf([text])),
  })
  const { items } = (await answer.json()) as { items: { id: string }[] }
  assert.equal(answer.status, 201)
  return items[0]?.id ?? ''
}

test('a relation said later supersedes what it replaces with what was added to it; taken back, it is current', async () => {
  const [old, appendix, fresh] = [await add('old', '1'), await add('appendix', '1'), await add('new', '1')]
  const appended = await ask('POST', `documents/${appendix}/relate`, { kind: 'appends', to: old, reason: 'belongs' })
  assert.equal(appended.status, 200, JSON.stringify(appended.json))
  const replaced = await ask('POST', `documents/${fresh}/relate`, { kind: 'replaces', to: old, reason: 'corrected' })
  assert.deepEqual(replaced.json.relations, [{ kind: 'replaces', to: old }])
  const statusOf = async (id: string) => (await ask('GET', `documents/${id}`)).json.status
  assert.deepEqual([await statusOf(old), await statusOf(appendix)], ['superseded', 'superseded'])
  const again = await ask('POST', `documents/${appendix}/relate`, { kind: 'replaces', to: old, reason: 'x' })
  assert.deepEqual([again.status, again.json.code], [422, 'document.superseded'])
  const back = await ask('POST', `documents/${fresh}/unrelate`, { kind: 'replaces', to: old, reason: 'mistake' })
  assert.equal(back.status, 200)
  assert.equal(await statusOf(old), 'current')
})

test('what belongs to somebody else is not related and lies in no folder', async () => {
  const [mine, theirs] = [await add('mine', '2'), await add('theirs', '3')]
  const related = await ask('POST', `documents/${mine}/relate`, { kind: 'appends', to: theirs, reason: 'x' })
  assert.equal(related.json.code, 'document.patient-mismatch')
  const folder = await ask('POST', 'document-lists', { title: 'Both', items: [mine, theirs] })
  assert.equal(folder.json.code, 'document.patient-mismatch')
  assert.equal(
    (await ask('POST', `documents/${mine}/relate`, { kind: 'appends', to: 'nowhere', reason: 'x' })).status,
    404,
  )
})

test('a folder is made, filled, emptied; every state stays', async () => {
  const [one, two] = [await add('one', '4'), await add('two', '4')]
  const made = await ask('POST', 'document-lists', { title: 'Knee', items: [one] })
  assert.equal(made.status, 201, JSON.stringify(made.json))
  const path = `document-lists/${made.json.id}`
  const filled = await ask('PATCH', path, { add: [two, one], reason: 'more' })
  assert.deepEqual(
    filled.json.items.map(({ id }) => id),
    [one, two],
  )
  const less = await ask('PATCH', path, { remove: [one], reason: 'not the knee' })
  assert.deepEqual(
    less.json.items.map(({ id }) => id),
    [two],
  )
  const versions = (await ask('GET', `${path}/versions`)).json.items as unknown as { version: number }[]
  assert.deepEqual(
    versions.map(({ version }) => version),
    [3, 2, 1],
  )
  const holding = await ask('GET', `document-lists?holds=${two}`)
  assert.equal(holding.json.items.length, 1)
})

test('a set is whole or absent however the server ends, and sent again it is whole', { timeout: 180_000 }, async () => {
  const sets: { readonly patient: string; readonly form: () => FormData; kept: boolean }[] = []
  const SIZE = 5
  for (let cycle = 0; cycle < 4; cycle++) {
    const sending: Promise<void>[] = []
    for (let i = 0; i < 6; i++) {
      const patient = `kill-${cycle}-${i}-${randomUUID().slice(0, 8)}`
      const form = () => {
        const data = new FormData()
        data.set('metadata', JSON.stringify({ patient: { issuer: 'KILL', id: patient } }))
        for (let n = 0; n < SIZE; n++) {
          data.append('file', new Blob([Buffer.from(plainPdf([`${patient} part ${n}`]))]), `part-${n}.pdf`)
        }
        return data
      }
      const set = { patient, form, kept: false }
      sets.push(set)
      const send = async () => {
        const answer = await fetch(`${server.url}/api/v1/documents`, { method: 'POST', body: form() })
        await answer.json()
        set.kept = answer.status === 201
      }
      // A server that is killed answers nobody.
      sending.push(send().catch(() => undefined))
    }
    await sleep([5, 20, 45, 80][cycle] ?? 10)
    await server.kill()
    await Promise.all(sending)
    server = await startServer({ dataDirectory: place.path })
    for (const { patient, kept } of sets) {
      const { json } = await ask('GET', `documents?patient=${encodeURIComponent(`KILL|${patient}`)}`)
      const n = json.items.length
      assert.ok(n === SIZE || (n === 0 && !kept), `${patient}: ${n} of ${SIZE}, acknowledged: ${kept}`)
    }
  }
  for (const { patient, form } of sets) {
    const answer = await fetch(`${server.url}/api/v1/documents`, { method: 'POST', body: form() })
    assert.ok(answer.status === 201 || answer.status === 200, `${answer.status}`)
    await answer.json()
    const { json } = await ask('GET', `documents?patient=${encodeURIComponent(`KILL|${patient}`)}`)
    assert.equal(json.items.length, SIZE)
  }
  const { lines } = await runCommand(['verify', '--data', place.path, '--json'])
  const { summary } = lines.at(-1) as { summary: { damaged: number; missing: number } }
  assert.deepEqual([summary.damaged, summary.missing], [0, 0])
})
