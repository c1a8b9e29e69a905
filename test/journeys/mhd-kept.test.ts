/** What came by MHD stays as it came: after a rebuild, however often and at once it is sent, however large, unless it is held. */
import assert from 'node:assert/strict'
import { createHash, randomBytes } from 'node:crypto'
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import type { Bundle, DocumentReference, List, OperationOutcome, Resource } from '@medplum/fhirtypes'
import { PDFS } from '../fixtures/pdf.ts'
import { type LiveServer, runCommand, startServer, temporaryDirectory } from '../live/server.ts'
import {
  address,
  DEE,
  folder,
  PATIENTS,
  placesOf,
  provideBundle,
  statusesOf,
  supersedes,
} from '../support/mhd-bundles.ts'

const place = temporaryDirectory('mhd-kept')
const dataDirectory = join(place.path, 'data')
let server: LiveServer

before(async () => {
  server = await startServer({ dataDirectory })
  const patient = {
    resourceType: 'Patient',
    identifier: [{ system: PATIENTS, value: DEE.id }],
    name: [{ family: 'Schmidt', given: ['Dee'] }],
  }
  const fed = await send(`/Patient?identifier=${encodeURIComponent(`${PATIENTS}|${DEE.id}`)}`, patient, 'PUT')
  assert.equal(fed.status, 201, JSON.stringify(fed.json))
})
after(async () => {
  await server.stop()
  place.remove()
})

async function send(path: string, body: object, method = 'POST'): Promise<{ status: number; json: Resource }> {
  const answer = await fetch(`${server.url}/fhir${path}`, {
    method,
    headers: { 'content-type': 'application/fhir+json' },
    body: JSON.stringify(body),
  })
  return { status: answer.status, json: (await answer.json()) as Resource }
}

async function get<T>(path: string): Promise<T> {
  return (await (await fetch(`${server.url}/fhir/${path}`)).json()) as T
}

async function published(bundle: Bundle): Promise<string[]> {
  const { status, json } = await send('', bundle)
  assert.equal(status, 200, JSON.stringify(json))
  return placesOf(json)
}

const found = async (n: number): Promise<number | undefined> =>
  (await get<Bundle>(`DocumentReference?identifier=urn:oid:1.2.3.4.65.${n}`)).total

test('the same bundle from five senders at once is one submission', async () => {
  const bundle = provideBundle(1, [
    { n: 1, bytes: 'one' },
    { n: 2, bytes: 'two' },
  ])
  const answers = await Promise.all(Array.from({ length: 5 }, () => send('', bundle)))
  const places = answers.map(({ json }) => placesOf(json).join(' '))
  assert.equal(new Set(places).size, 1, places.join('\n'))
  const made = answers.filter(({ json }) => statusesOf(json)[0] === '201')
  assert.equal(made.length, 1, 'one made it, the others found it')
  assert.equal(await found(1), 1)
})

test('what screening holds takes the whole bundle with it, and is told with its document', async () => {
  const hostile = PDFS['javascript']?.() ?? new Uint8Array()
  const { status, json } = await send(
    '',
    provideBundle(10, [
      { n: 10, bytes: 'harmless' },
      { n: 11, bytes: hostile, contentType: 'application/pdf' },
    ]),
  )
  assert.equal(status, 409, JSON.stringify(json))
  assert.deepEqual((json as OperationOutcome).issue?.[0]?.expression, ['Bundle.entry[2].resource'])
  assert.equal(await found(10), 0)
  assert.equal((await get<Bundle>('List?identifier=urn:oid:1.2.3.4.66.10')).total, 0)
  const held = (await (await fetch(`${server.url}/api/v1/quarantine?state=held`)).json()) as {
    items: { sha256: string }[]
  }
  assert.ok(held.items.some(({ sha256 }) => sha256 === createHash('sha256').update(hostile).digest('hex')))
})

test('24 MiB in one bundle come back byte for byte', { timeout: 60_000 }, async () => {
  const text = Buffer.from(randomBytes(12 * 1024 * 1024).toString('hex'))
  const [, document = ''] = await published(provideBundle(20, [{ n: 20, bytes: text }]))
  const { content } = await get<DocumentReference>(document)
  const answer = await fetch(content?.[0]?.attachment?.url ?? '')
  assert.ok(text.equals(Buffer.from(await answer.arrayBuffer())))
})

test('sets, folders, relations, versions and merges are the same after the index was made anew', {
  timeout: 120_000,
}, async () => {
  const [, old = '', , place = ''] = await published(
    provideBundle(30, [{ n: 30, bytes: 'first' }], {
      more: [{ fullUrl: address(300), resource: folder(30, [address(30)]), request: { method: 'POST', url: 'List' } }],
    }),
  )
  const kept = await get<List>(place)
  const bundle = provideBundle(
    31,
    [{ n: 31, bytes: 'second', relatesTo: [{ code: 'replaces', target: { reference: old } }] }],
    {
      more: [
        supersedes(old),
        {
          fullUrl: address(301),
          resource: { ...kept, entry: [...(kept.entry ?? []), { item: { reference: address(31) } }] },
          request: { method: 'PUT', url: place },
        },
      ],
    },
  )
  await published(bundle)
  await published(bundle)
  const paths = [
    ...['Patient', 'List', 'DocumentReference'].map((type) => `${type}?_count=500`),
    ...[`${place}/_history`, `${old}/_history`],
  ]
  const port = /:\d+/
  const state = async () =>
    Promise.all(paths.map(async (path) => JSON.stringify(await get(path)).replaceAll(new RegExp(port, 'g'), '')))
  const before = await state()
  await server.stop()
  for (const end of ['', '-wal', '-shm']) rmSync(join(dataDirectory, `diptych.db${end}`), { force: true })
  const { status, stderr } = await runCommand(['rebuild-index', '--data', dataDirectory, '--json'])
  assert.equal(status, 0, stderr)
  server = await startServer({ dataDirectory })
  const now = await state()
  for (const [i, path] of paths.entries()) assert.equal(now[i], before[i], path)
})
