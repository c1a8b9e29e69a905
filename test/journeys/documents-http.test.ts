/** The document panel as scripts and pages use it: over HTTP, at a running server. */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { after, before, test } from 'node:test'
import { PDFS, plainPdf } from '../fixtures/pdf.ts'
import { type LiveServer, runCommand, startServer, temporaryDirectory } from '../live/server.ts'

const place = temporaryDirectory('documents-http')
let server: LiveServer

before(async () => {
  server = await startServer({ dataDirectory: place.path })
})

after(async () => {
  await server.stop()
  place.remove()
})

interface Item {
  readonly id: string
  readonly missing: readonly string[]
  readonly duplicate: boolean
  readonly verdict: string
  readonly quarantineId?: string
}

async function call(
  path: string,
  init: RequestInit = {},
): Promise<{ status: number; headers: Headers; json: Record<string, never> }> {
  const answer = await fetch(`${server.url}${path}`, init)
  const text = await answer.text()
  return {
    status: answer.status,
    headers: answer.headers,
    json: (text === '' ? {} : JSON.parse(text)) as Record<string, never>,
  }
}

const json = (method: string, body: object, headers: Record<string, string> = {}): RequestInit => ({
  method,
  headers: { 'content-type': 'application/json', ...headers },
  body: JSON.stringify(body),
})

const DESCRIBED =
  'patient=4711&issuer=HOSP&title=Befund&type=18748-4&specialty=Radiology&facility=Hospital&language=de-DE&created=2026-05-02'

test('one file as the body: stored, found, read byte for byte with ranges', async () => {
  const bytes = plainPdf(['Thorax unauffällig.'])
  const stored = await call(`/api/v1/documents?${DESCRIBED}`, {
    method: 'POST',
    headers: { 'content-type': 'application/pdf' },
    body: Buffer.from(bytes),
  })
  assert.equal(stored.status, 201, JSON.stringify(stored.json))
  const [item] = stored.json['items'] as unknown as Item[]
  assert.deepEqual(item?.missing, [])
  const path = `/api/v1/documents/${item?.id}`
  assert.equal(stored.headers.get('location'), path)

  const found = await call('/api/v1/documents?patient=HOSP%7C4711&type=18748-4&status=current')
  assert.deepEqual(
    (found.json['items'] as unknown as Item[]).map(({ id }) => id),
    [item?.id],
  )
  const content = await fetch(`${server.url}${path}/content`)
  assert.equal(content.headers.get('content-type'), 'application/pdf')
  assert.equal(content.headers.get('x-content-type-options'), 'nosniff')
  assert.match(content.headers.get('content-security-policy') ?? '', /default-src 'none'/)
  assert.match(
    content.headers.get('content-disposition') ?? '',
    /^inline; filename=".*\.pdf"; filename\*=UTF-8''Befund\.pdf$/,
  )
  assert.deepEqual(Buffer.from(await content.arrayBuffer()), Buffer.from(bytes))
  const etag = content.headers.get('etag') ?? ''
  assert.equal(etag, `"${createHash('sha256').update(bytes).digest('hex')}"`)
  assert.equal((await fetch(`${server.url}${path}/content`, { headers: { 'if-none-match': etag } })).status, 304)
  const part = await fetch(`${server.url}${path}/content`, { headers: { range: 'bytes=5-9' } })
  assert.equal(part.status, 206)
  assert.deepEqual(Buffer.from(await part.arrayBuffer()), Buffer.from(bytes).subarray(5, 10))

  const again = await call(`/api/v1/documents?${DESCRIBED}`, {
    method: 'POST',
    headers: { 'content-type': 'application/pdf' },
    body: Buffer.from(bytes),
  })
  assert.equal(again.status, 200)
  assert.equal((again.json['items'] as unknown as Item[])[0]?.duplicate, true)
})

test('a form of several files is one submission: kept together, or not at all', async () => {
  const form = (bad: boolean) => {
    const data = new FormData()
    data.set(
      'metadata',
      JSON.stringify({
        patient: { issuer: 'HOSP', id: '4712' },
        metadata: { title: 'Photos', department: 'Dermatology' },
      }),
    )
    data.append('file', new Blob([Buffer.from(plainPdf(['One of two.']))], { type: 'application/pdf' }), 'one.pdf')
    const second = bad ? (PDFS['javascript']?.() ?? new Uint8Array()) : Buffer.from('Plain words.\n')
    data.append('file', new Blob([Buffer.from(second)]), 'zwö.txt')
    return data
  }
  const refused = await call('/api/v1/documents', { method: 'POST', body: form(true) })
  assert.equal(refused.status, 409, JSON.stringify(refused.json))
  assert.deepEqual(
    (refused.json['items'] as unknown as Item[]).map(({ verdict }) => verdict),
    ['reject', 'quarantine'],
  )
  const none = await call('/api/v1/documents?patient=HOSP%7C4712')
  assert.deepEqual(none.json['items'], [])
  const kept = await call('/api/v1/documents', { method: 'POST', body: form(false) })
  assert.equal(kept.status, 201, JSON.stringify(kept.json))
  assert.deepEqual(
    (kept.json['items'] as unknown as { label: string; kind: string }[]).map(({ label, kind }) => `${label} ${kind}`),
    ['one.pdf pdf', 'zwö.txt text'],
  )
})

test('a held document is released into the document panel', async () => {
  const bytes = PDFS['launch']?.() ?? new Uint8Array()
  const held = await call('/api/v1/documents?patient=9', { method: 'POST', body: Buffer.from(bytes) })
  assert.equal(held.status, 409)
  const [item] = held.json['items'] as unknown as Item[]
  const released = await call(
    `/api/v1/quarantine/${item?.quarantineId}/release`,
    json('POST', { reason: 'known form' }),
  )
  assert.equal(released.status, 200, JSON.stringify(released.json))
  const { decision } = released.json as unknown as { decision: { objectId: string } }
  const document = await call(`/api/v1/documents/${decision.objectId}`)
  assert.equal(document.json['kind'], 'pdf')
  const again = await call('/api/v1/documents?patient=9', { method: 'POST', body: Buffer.from(bytes) })
  assert.equal(again.status, 201, 'a person let exactly these bytes in')
})

test('what is missing waits on the worklist and is filled in; versions tell who said what', async () => {
  const stored = await call('/api/v1/documents', {
    method: 'POST',
    headers: { 'content-type': 'text/plain' },
    body: 'Who am I?\n',
  })
  const [item] = stored.json['items'] as unknown as Item[]
  assert.ok(item !== undefined)
  assert.ok(item.missing.includes('patient') && item.missing.includes('typeCode'), JSON.stringify(item))
  const worklist = await call('/api/v1/document-worklist')
  assert.ok((worklist.json['items'] as unknown as Item[]).some(({ id }) => id === item.id))
  const filled = await call(
    `/api/v1/document-worklist/${item.id}`,
    json('POST', {
      metadata: {
        ...{ classCode: '11503-0', typeCode: '51852-2', practiceSetting: 'Dermatology', facilityType: '22232009' },
        ...{ creationTime: '2026-05-02T10:00:00+02:00', language: 'de' },
      },
      patient: { issuer: 'HOSP', id: '4711' },
    }),
  )
  assert.equal(filled.status, 200, JSON.stringify(filled.json))
  assert.deepEqual(filled.json['missing'], [])
  assert.equal(
    (filled.json as { metadata?: { creationTime: string } }).metadata?.creationTime,
    '2026-05-02T08:00:00.000Z',
  )
  const { headers } = await call(`/api/v1/documents/${item.id}`)
  const stale = await call(
    `/api/v1/documents/${item.id}`,
    json('PATCH', { metadata: { title: 'X' } }, { 'if-match': '"1"' }),
  )
  assert.equal(stale.status, 412)
  const changed = await call(
    `/api/v1/documents/${item.id}`,
    json('PATCH', { metadata: { title: 'Letter' }, reason: 'named' }, { 'if-match': headers.get('etag') ?? '' }),
  )
  assert.equal(changed.status, 200, JSON.stringify(changed.json))
  const withdrawn = await call(`/api/v1/documents/${item.id}/withdraw`, json('POST', { reason: 'wrong patient' }))
  assert.equal(withdrawn.json['status'], 'entered-in-error')
  const versions = await call(`/api/v1/documents/${item.id}/versions`)
  assert.deepEqual(
    (versions.json['items'] as unknown as { reason: string }[]).map(({ reason }) => reason),
    ['wrong patient', 'named', 'metadata filled in', 'metadata filled in', 'stored'],
  )
  assert.equal((await call(`/api/v1/documents/${item.id}/delete`, json('POST', { reason: 'gone' }))).status, 204)
  assert.equal((await call(`/api/v1/documents/${item.id}`)).status, 404)
})

// A caller who writes a wrong parameter must hear which one, or a filter is silently none.
const wrong = [
  { path: '/api/v1/documents?typ=x', status: 400 },
  { path: '/api/v1/documents?kind=docx', status: 400 },
  { path: '/api/v1/documents?cursor=nonsense', status: 400 },
  { path: '/api/v1/documents?text=%22%22', status: 400 },
  { path: '/api/v1/documents/nothing', status: 404 },
  { path: '/api/v1/text-search', status: 400 },
]
for (const { path, status } of wrong) {
  test(`GET ${path} is ${status}`, async () => assert.equal((await call(path)).status, status))
}

test('a token for images only finds no document, on no route', async () => {
  const token = async (...scopes: string[]) => {
    const args = ['token', 'create', '--role', 'clinician', '--data', place.path]
    const { stdout } = await runCommand([...args, ...scopes.flatMap((scope) => ['--scope', scope])])
    return stdout.trim()
  }
  const images = await token('user/ImagingStudy.rs')
  const documents = await token('user/DocumentReference.rs')
  const as = (given: string) => ({ headers: { authorization: `Bearer ${given}` } })
  for (const path of ['/api/v1/documents', '/api/v1/text-search?q=thorax', '/api/v1/document-lists']) {
    assert.equal((await call(path, as(images))).status, 403, path)
    assert.equal((await call(path, as(documents))).status, 200, path)
  }
})

test('a patient’s time line, provenance and placement know documents', async () => {
  const found = await call('/api/v1/patients?identifier=4711')
  const [patient] = found.json['items'] as unknown as { id: string; documents: number }[]
  assert.ok((patient?.documents ?? 0) >= 1)
  const timeline = await call(`/api/v1/patients/${patient?.id}/timeline`)
  const rows = timeline.json['items'] as unknown as { kind: string; id: string; title: string; date: string }[]
  const row = rows.find(({ title }) => title === 'Befund')
  assert.deepEqual({ kind: row?.kind, date: row?.date }, { kind: 'document', date: '20260502' })
  const provenance = await call(`/api/v1/objects/${row?.id}/provenance`)
  assert.equal(provenance.json['panel'], 'document')
  assert.equal((provenance.json['arrivals'] as unknown as { door: string }[])[0]?.door, 'web')
  const placement = await call(`/api/v1/objects/${row?.id}/placement`)
  assert.equal(placement.json['form'], 'native')
})
