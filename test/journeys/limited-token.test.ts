/** A token that is limited to a patient, when that patient is merged and the merge is taken back. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { type Archive, openArchive } from '../../src/app.ts'
import { type Served, serve } from '../../src/app-server.ts'
import { loadConfig } from '../../src/config.ts'
import { plainPdf } from '../fixtures/pdf.ts'
import { bearer } from '../support/http-fixture.ts'

const folder = mkdtempSync(join(tmpdir(), 'diptych-limited-'))
let archive: Archive
let served: Served
let admin: { readonly authorization: string }

before(async () => {
  archive = await openArchive({ dataDirectory: folder, config: loadConfig({ given: { http: { port: 0 } } }) })
  served = await serve(archive, { open: false, log: { error: () => undefined } })
  admin = bearer((await archive.tokens.create({ role: 'administrator' }, 'test', null)).token)
})

after(async () => {
  await served.close(100)
  await archive.close()
  rmSync(folder, { recursive: true, force: true })
})

/** @returns where it is read: on our own API, and as FHIR */
async function store(patient: string, title: string): Promise<readonly string[]> {
  const answer = await served.http.app.inject({
    method: 'POST',
    url: `/api/v1/documents?patient=${patient}&issuer=HOSP&title=${title}`,
    headers: { ...admin, 'content-type': 'application/pdf' },
    payload: Buffer.from(plainPdf([`This is ${title}.`])),
  })
  assert.equal(answer.statusCode, 201, answer.body)
  const { id } = answer.json().items[0]
  const { entryUuid } = (await served.http.app.inject({ url: `/api/v1/documents/${id}`, headers: admin })).json()
  return [`/api/v1/documents/${id}/content`, `/fhir/DocumentReference/${entryUuid}`]
}

async function patientId(identifier: string): Promise<string> {
  const [id] = await archive.reader.patientIds(identifier, 'HOSP')
  assert.ok(id)
  return id
}

/** What a token sees of three documents, by each door that shows documents. */
async function seen(headers: { readonly authorization: string }): Promise<Record<string, readonly string[]>> {
  const ask = async (url: string) => {
    const answer = await served.http.app.inject({ url, headers })
    assert.equal(answer.statusCode, 200, `${url}: ${answer.body}`)
    return answer.json()
  }
  const list = (await ask('/api/v1/documents')).items as { metadata: { title: string } }[]
  const fhir = ((await ask('/fhir/DocumentReference')).entry ?? []) as {
    resource: { content: [{ attachment: { title: string } }] }
  }[]
  const words = (await ask('/api/v1/text-search?q=This')).items as { title: string }[]
  return {
    list: list.map(({ metadata: { title } }) => title).sort(),
    fhir: fhir.map(({ resource }) => resource.content[0].attachment.title).sort(),
    words: words.map(({ title }) => title).sort(),
  }
}

const everywhere = (...titles: string[]) => ({ list: titles, fhir: titles, words: titles })

// The grant is for a person, not for a number: it follows the person through a merge, and back.
test('a token of one patient follows merges for documents, FHIR and words as it does for images', async () => {
  const stored = [await store('A', 'alpha'), await store('B', 'beta'), await store('C', 'gamma')]
  const limited = async (id: string) =>
    bearer((await archive.tokens.create({ role: 'reader', patients: [{ id, issuer: 'HOSP' }] }, 'test', null)).token)
  const [a, b] = [await limited('A'), await limited('B')]
  while ((await archive.jobs.openJobs()) > 0) await new Promise((resolve) => setTimeout(resolve, 50))
  assert.deepEqual(await seen(a), everywhere('alpha'))
  assert.deepEqual(await seen(b), everywhere('beta'))

  const decide = async (what: string, body: object) => {
    const url = `/api/v1/patients/${encodeURIComponent(await patientId('A'))}/${what}`
    const answer = await served.http.app.inject({ method: 'POST', url, headers: admin, payload: body })
    assert.equal(answer.statusCode, 200, answer.body)
  }
  await decide('merge', { into: { issuer: 'HOSP', id: 'B' }, reason: 'the same person' })
  for (const token of [a, b]) assert.deepEqual(await seen(token), everywhere('alpha', 'beta'))
  for (const [at, status] of [200, 200, 404].entries()) {
    for (const url of stored[at] ?? []) {
      assert.equal((await served.http.app.inject({ url, headers: a })).statusCode, status, url)
    }
  }
  await decide('unmerge', { reason: 'they are two' })
  assert.deepEqual(await seen(a), everywhere('alpha'))
  assert.deepEqual(await seen(b), everywhere('beta'))
})
