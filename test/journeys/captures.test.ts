/** Photographs at the point of care, and from patients by links that work a few times and show nothing. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { jpeg } from '../fixtures/jpeg.ts'
import { mp4 } from '../fixtures/video.ts'
import { type LiveServer, runCommand, startServer, temporaryDirectory } from '../live/server.ts'

const place = temporaryDirectory('captures')
let server: LiveServer

before(async () => {
  server = await startServer({ dataDirectory: place.path })
})

after(async () => {
  await server.stop()
  place.remove()
})

function photo(red: number): Uint8Array<ArrayBuffer> {
  const rgb = new Uint8Array(32 * 16 * 3).map((_, index) => [red, 40, 40][index % 3] ?? 0)
  return Uint8Array.from(jpeg(rgb, 32, 16))
}

const post = (path: string, body: object) =>
  fetch(`${server.url}${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  })

interface Document {
  readonly id: string
  readonly patientId: string
  readonly metadata: {
    readonly department: string
    readonly comments: string | null
    readonly eventCodes: readonly { readonly code: string }[]
    readonly authors: readonly { readonly person: string | null; readonly device: string | null }[]
    readonly references: readonly { readonly type: string; readonly id: string }[]
    readonly typeCode: { readonly code: string }
  }
}

async function documentsOf(patient: string): Promise<readonly Document[]> {
  const answer = await fetch(`${server.url}/api/v1/documents?patient=HOSP%7C${patient}`)
  return ((await answer.json()) as { items: Document[] }).items
}

interface Link {
  readonly id: string
  readonly url: string
  readonly used: number
  readonly state: string
}

async function link(more: object = {}): Promise<Link> {
  const answer = await post('/api/v1/capture-links', {
    purpose: 'Your <knee>',
    patient: { id: 'C9', issuer: 'HOSP' },
    ...more,
  })
  assert.equal(answer.status, 201, await answer.clone().text())
  return (await answer.json()) as Link
}

const sendBy = (url: string, files: readonly Uint8Array<ArrayBuffer>[], note = '') => {
  const form = new FormData()
  for (const bytes of files) form.append('file', new Blob([bytes], { type: 'image/jpeg' }), 'IMG_0001.jpg')
  // What a browser sends of a field nobody used.
  form.append('file', new Blob([]), '')
  form.append('note', note)
  form.append('patient', 'somebody else')
  return fetch(url, { method: 'POST', body: form })
}

test('a photograph and a film of a visit: department, body part, side, device and author', async () => {
  const form = new FormData()
  form.append(
    'metadata',
    JSON.stringify({
      ...{ patient: { id: 'C1', issuer: 'HOSP' }, encounter: 'V7', department: 'Dermatology', author: 'Smith^Ann' },
      ...{ bodyPart: '85562004', laterality: 'left', device: { manufacturer: 'Maker', model: 'Lens 2' } },
    }),
  )
  form.append('file', new Blob([photo(10)]), 'a.jpg')
  form.append('file', new Blob([Uint8Array.from(mp4())]), 'b.mp4')
  const answer = await fetch(`${server.url}/api/v1/captures`, { method: 'POST', body: form })
  assert.equal(answer.status, 201, await answer.clone().text())
  const found = await documentsOf('C1')
  assert.equal(found.length, 2)
  for (const { metadata } of found) {
    assert.equal(metadata.department, 'Dermatology')
    assert.deepEqual(metadata.eventCodes.map(({ code }) => code).slice(0, 3), ['85562004', '7771000', 'XC'])
    assert.deepEqual(
      metadata.authors.map(({ person, device }) => person ?? device),
      ['Smith^Ann', 'Maker Lens 2'],
    )
    assert.deepEqual(
      metadata.references.filter(({ type }) => type === 'encounter').map(({ id }) => id),
      ['V7'],
    )
  }
  assert.deepEqual(found.map(({ metadata }) => metadata.typeCode.code).sort(), ['72170-4', '85449-7'])
})

test('one file as the body; what is no photograph is refused', async () => {
  const path = '/api/v1/captures?patient=C2&issuer=HOSP&department=Surgery&laterality=right'
  const kept = await fetch(`${server.url}${path}`, { method: 'POST', body: photo(20) })
  assert.equal(kept.status, 201, await kept.text())
  const refused = await fetch(`${server.url}${path}`, { method: 'POST', body: 'only words\n' })
  assert.equal(refused.status, 415)
  assert.equal((await fetch(`${server.url}/api/v1/captures?nonsense=1`, { method: 'POST', body: 'x' })).status, 400)
  assert.equal((await documentsOf('C2')).length, 1)
})

test('a link works as often as it says; the owner is the one of the link, whatever the uploader says', async () => {
  const { id, url } = await link({ count: 2, department: 'Orthopedics', bodyPart: '61685007' })
  const page = await fetch(url)
  const html = await page.text()
  assert.equal(page.status, 200)
  assert.match(html, /Your &lt;knee&gt;/)
  assert.doesNotMatch(html, /<script|C9|HOSP/, 'no script, and nothing of the patient')
  assert.match(html, /capture="environment"/)
  assert.match(page.headers.get('content-security-policy') ?? '', /default-src 'none'/)
  assert.equal(page.headers.get('referrer-policy'), 'no-referrer')
  assert.equal(page.headers.get('cache-control'), 'no-store')

  const none = await sendBy(url, [])
  assert.equal(none.status, 400)
  const first = await sendBy(url, [photo(30)], 'since Monday')
  assert.equal(first.status, 200, await first.clone().text())
  assert.match(await first.text(), /Received\. Thank you\./)
  const second = await sendBy(url, [photo(90)])
  assert.equal(second.status, 200)
  const [over, never] = await Promise.all([fetch(url), fetch(`${server.url}/capture/nothing`)])
  assert.deepEqual([over.status, never.status], [404, 404])
  assert.equal(await over.text(), await never.text(), 'used up looks like never made')
  assert.equal((await sendBy(url, [photo(200)])).status, 404)

  const found = await documentsOf('C9')
  assert.equal(found.length, 2)
  assert.equal(
    found.every(({ metadata }) => metadata.department === 'Orthopedics'),
    true,
  )
  assert.deepEqual(
    found.map(({ metadata }) => metadata.comments).filter((text) => text !== null),
    ['since Monday'],
  )
  const now = (await (await fetch(`${server.url}/api/v1/capture-links/${id}`)).json()) as Link
  assert.deepEqual([now.used, now.state], [2, 'used-up'])
  assert.doesNotMatch(JSON.stringify(now), new RegExp(url.split('_')[1] ?? 'x'), 'the secret is shown once')
})

test('many uploads at once take no more uses than there are', async () => {
  const { id, url } = await link({ count: 3 })
  await Promise.all(Array.from({ length: 8 }, (_, index) => sendBy(url, [photo(100 + index)])))
  const now = (await (await fetch(`${server.url}/api/v1/capture-links/${id}`)).json()) as Link
  assert.ok(now.used <= 3, `${now.used}`)
})

test('what is too large or of another kind costs no use; what is held is told as being checked', async () => {
  const { id, url } = await link({ maxSize: 4096 })
  assert.equal((await sendBy(url, [new Uint8Array(5000)])).status, 413)
  assert.equal((await sendBy(url, [Uint8Array.from(Buffer.from('only words\n'))])).status, 415)
  const film = await sendBy(url, [Uint8Array.from(mp4())])
  assert.ok(film.status === 415 || film.status === 413, 'a link for photographs takes no film')
  const state = async () => (await (await fetch(`${server.url}/api/v1/capture-links/${id}`)).json()) as Link
  assert.equal((await state()).used, 0)
  // A page of another kind behind a picture: threats.md D13.
  const odd = Buffer.concat([photo(50), Buffer.from('504b0304', 'hex'), Buffer.alloc(1200, 7)])
  const held = await sendBy(url, [Uint8Array.from(odd)])
  const text = await held.text()
  assert.match(text, /is being checked/)
  assert.doesNotMatch(text, /quarantine|screening|D13/i)
})

test('revoked at once, by HTTP and by command; the command makes links as well', async () => {
  const { id, url } = await link()
  assert.equal((await fetch(url)).status, 200)
  assert.equal((await post(`/api/v1/capture-links/${id}/revoke`, {})).status, 200)
  assert.equal((await fetch(url)).status, 404)
  const made = await runCommand([
    ...['capture-link', 'create', '--purpose', 'Wound', '--patient', 'C9', '--issuer', 'HOSP', '--count', '1'],
    ...['--data', place.path, '--json'],
  ])
  assert.equal(made.status, 0, made.stderr)
  const own = (made.lines as Link[])[0] ?? assert.fail('no line')
  const path = new URL(own.url).pathname
  assert.equal((await fetch(`${server.url}${path}`)).status, 200)
  const revoked = await runCommand(['capture-link', 'revoke', own.id, '--data', place.path, '--json'])
  assert.equal(revoked.status, 0, revoked.stderr)
  assert.equal((await fetch(`${server.url}${path}`)).status, 404)
  const listed = await runCommand(['capture-link', 'list', '--data', place.path])
  assert.match(listed.stdout, /revoked/)
})

test('a link for nobody, without a purpose or for ever is not made', async () => {
  for (const body of [
    { purpose: 'x' },
    { patient: { id: 'C9' } },
    { purpose: 'x', patient: { id: 'C9' }, expires: '1000d' },
  ]) {
    assert.equal((await post('/api/v1/capture-links', body)).status, 400, JSON.stringify(body))
  }
})

test('guessing is slowed, the owner of the link is not', async () => {
  const { id, url } = await link()
  const wrong = `${server.url}/capture/${id}_${'A'.repeat(43)}`
  const statuses: number[] = []
  for (let n = 0; n < 14; n++) statuses.push((await fetch(wrong)).status)
  assert.equal(statuses[0], 404)
  assert.equal(statuses.at(-1), 429)
  assert.equal((await fetch(url)).status, 200)
})
