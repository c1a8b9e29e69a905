/**
 * Who may see images and no documents does not learn of a document by any route: not of a PDF inside a study, not of a
 * native one, not of words in them. Every reading route of the whole server is asked, with every identifier there is.
 */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { encapsulatedPdf } from '#arrival/demo-patient-pdf.ts'
import type { Role } from '#model/permission.ts'
import { EVERYTHING } from '#model/visibility.ts'
import { type Archive, openArchive } from '../../src/app.ts'
import { type Served, serve } from '../../src/app-server.ts'
import { loadConfig } from '../../src/config.ts'
import { part10 } from '../fixtures/dicom-builder.ts'
import { ctSeries, STUDY } from '../fixtures/objects.ts'
import { plainPdf } from '../fixtures/pdf.ts'
import { arrivalOf, kept, submission } from '../support/document-fixture.ts'
import { bearer } from '../support/http-fixture.ts'

const folder = mkdtempSync(join(tmpdir(), 'diptych-document-access-'))
let archive: Archive
let served: Served

/** Words that stand nowhere but in documents and what is said of them. */
const SECRETS = ['Zwiebelkuchen', 'Quittengelee', 'Holunder', 'Sauerampfer', 'Feldsalat']
const OWNER = { by: 'identifier', issuer: 'HOSP', id: 'P-1', issuerAssumed: false } as const
const MIXED = { ...STUDY, patientId: 'P-1', issuer: 'HOSP', name: 'mixed' }
const PLAIN = { ...MIXED, name: 'plain' }
let mixedStudy = ''
const NOWHERE = 'Xylophonlack'
/** Values that paths of routes are filled with. */
const ids = new Map<string, readonly string[]>()
let hidden: string[] = []

before(async () => {
  const config = loadConfig({ given: { http: { port: 0 } } })
  archive = await openArchive({ dataDirectory: folder, config })
  served = await serve(archive, { open: false, log: { error: () => undefined } })
  const pdf = plainPdf(['Quittengelee in the study.'])
  const wrapped = part10({ elements: encapsulatedPdf(MIXED, { title: 'Zwiebelkuchen', bytes: pdf }) })
  const files = [
    ...ctSeries(1, 16, MIXED).map((elements) => part10({ elements })),
    wrapped,
    ...ctSeries(1, 16, PLAIN).map((elements) => part10({ elements })),
  ]
  for (const file of files) {
    const { claims: _, ...arrival } = arrivalOf(file)
    const receipt = await archive.intake.receive({ ...arrival, claims: {} })
    assert.ok(receipt.stored, receipt.reason)
    mixedStudy ||= receipt.studyInstanceUID ?? ''
  }
  const native = kept(
    await archive.documentDesk.submit(
      submission(
        [
          {
            label: 'letter',
            bytes: plainPdf(['Holunder in the letter.']),
            said: { owner: OWNER, uniqueId: '1.2.3.4.5', metadata: { title: 'Sauerampfer' } },
          },
        ],
        {
          lists: [
            {
              ...{ label: 'folder', kind: 'folder', uniqueId: '1.2.3.6', sourceId: null, title: 'Feldsalat' },
              ...{ comments: null, status: 'current', codes: [], authors: [], intendedRecipients: [], owner: OWNER },
              ...{ extra: {}, time: '2026-05-02T10:00:00Z', items: ['letter'] },
            },
          ],
        },
      ),
    ),
  )
  for (let i = 0; archive.jobs.openJobs() > 0; i++) {
    assert.ok(i < 600, 'jobs stay open')
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  const all = await archive.documents.documents({ order: 'newest', limit: 100 }, EVERYTHING)
  const documents = all.items.map(({ document }) => document)
  const [letter] = native.documents
  const list = native.lists[0]?.list
  assert.ok(letter && list)
  const patientId = letter.document.patientId ?? ''
  const instances = []
  for await (const one of archive.reader.instances({ studyInstanceUID: mixedStudy }, EVERYTHING)) instances.push(one)
  const paper = instances.find(({ sopClassUID }) => sopClassUID === '1.2.840.10008.5.1.4.1.1.104.1')
  assert.ok(paper)
  const every = documents.flatMap(({ objectId, uniqueId, entryUuid, sha256 }) => [
    objectId,
    uniqueId,
    entryUuid,
    sha256,
  ])
  hidden = [...every, paper.sopInstanceUID, paper.objectId, list.id]
  ids.set('study', [mixedStudy])
  ids.set('series', [paper.seriesInstanceUID])
  ids.set('instance', [paper.sopInstanceUID])
  ids.set('any', [...every, paper.sopInstanceUID, paper.objectId, paper.digests.kept])
  ids.set('id', [patientId, ...documents.map(({ entryUuid }) => entryUuid), list.id, mixedStudy, paper.objectId])
  ids.set('frames', ['1'])
})

after(async () => {
  await served.close(100)
  await archive.close()
  rmSync(folder, { recursive: true, force: true })
})

async function tokenOf(role: Role, scopes: readonly string[] = []): Promise<{ authorization: string }> {
  return bearer((await archive.tokens.create({ role, scopes }, 'test', null)).token)
}

interface Asked {
  readonly url: string
  readonly status: number
  readonly body: string
}

/** Every GET route with every value its path takes, and searches by what is hidden. */
async function askEverything(headers: { authorization: string }): Promise<Asked[]> {
  const { app } = served.http
  const { paths } = (await app.inject({ url: '/api/v1/openapi.json' })).json() as {
    paths: { [path: string]: { [method: string]: { 'x-diptych-needs': string } } }
  }
  const urls = new Set<string>()
  for (const [path, { get }] of Object.entries(paths)) {
    if (get === undefined || get['x-diptych-needs'] === 'public' || path.endsWith('/events')) continue
    let filled = [path.replace('{path}', 'x')]
    for (const [, name = ''] of path.matchAll(/\{([A-Za-z0-9_]+)\}/g)) {
      const values = ids.get(name) ?? (name === 'path' ? ['x'] : ['1'])
      filled = filled.flatMap((url) => values.map((value) => url.replace(`{${name}}`, encodeURIComponent(value))))
    }
    for (const url of filled) urls.add(url)
    if (!path.includes('{')) {
      for (const word of [...SECRETS, NOWHERE, 'P-1']) {
        for (const name of ['q', 'text', 'title', 'patient', 'holds', 'id', 'identifier', '_content', 'type']) {
          urls.add(`${path}?${name}=${encodeURIComponent(word)}`)
        }
      }
      for (const value of hidden) urls.add(`${path}?id=${encodeURIComponent(value)}`)
    }
  }
  for (const [name, values] of [
    ['StudyInstanceUID', [mixedStudy]],
    ['SOPInstanceUID', hidden],
    ['SOPClassUID', ['1.2.840.10008.5.1.4.1.1.104.1']],
    ['ModalitiesInStudy', ['DOC']],
    ['DocumentTitle', ['Zwiebelkuchen']],
    ['PatientID', ['P-1']],
  ] as const) {
    for (const value of values) {
      for (const level of ['studies', 'series', 'instances']) {
        urls.add(`/dicom-web/${level}?${name}=${encodeURIComponent(value)}&includefield=all`)
      }
    }
  }
  const asked: Asked[] = []
  for (const url of urls) {
    const { statusCode, rawPayload } = await app.inject({ url, headers })
    asked.push({ url, status: statusCode, body: rawPayload.toString('latin1') })
  }
  return asked
}

/** What bodies give away, apart from what the caller wrote into the request. */
function leaks(asked: readonly Asked[]): string[] {
  const totals = new Map(asked.map(({ url, body }) => [url, /"total":\s*(\d+)/.exec(body)?.[1]]))
  return asked.flatMap(({ url, status, body }) => {
    if (status >= 400) return []
    const said = decodeURIComponent(url)
    const given = [...SECRETS, ...hidden, '%PDF-', mixedStudy].filter(
      (one) => body.includes(one) && !said.includes(one),
    )
    // A search for a word that is in a document finds as much as one for a word that is nowhere.
    const control = SECRETS.reduce((text, word) => text.replace(word, NOWHERE), url)
    const counted = totals.get(control) === totals.get(url) ? [] : ['a count']
    return [...given, ...counted].map((one) => `${url}: ${one}`)
  })
}

const callers = [
  { name: 'a token for images only', role: 'reader', scopes: ['user/ImagingStudy.rs'] },
  { name: 'a token for images and patients', role: 'clinician', scopes: ['user/ImagingStudy.rs', 'user/Patient.rs'] },
] as const

for (const { name, role, scopes } of callers) {
  test(`${name} learns of no document by any route`, { timeout: 200_000 }, async () => {
    const asked = await askEverything(await tokenOf(role, scopes))
    assert.ok(asked.length > 200, `${asked.length} requests`)
    assert.deepEqual(leaks(asked), [])
  })
}

test('the front desk reads images and no documents', { timeout: 200_000 }, async () => {
  const asked = await askEverything(await tokenOf('front-desk'))
  // What arrived and waits for its patient is its work: files have names and digests there.
  const own = /^\/api\/v1\/(arrivals|quarantine|import-worklist|worklist|patients\/[^/]+\/(identity|history)|identity)/
  assert.deepEqual(leaks(asked.filter(({ url }) => !own.test(url))), [])
})

test('who may see documents finds each of them by the same routes', { timeout: 200_000 }, async () => {
  const asked = await askEverything(await tokenOf('clinician'))
  const found = asked.filter(({ status }) => status < 300).map(({ body }) => body)
  for (const word of SECRETS)
    assert.ok(
      found.some((body) => body.includes(word)),
      word,
    )
  const searched = asked.filter(({ url }) => url.startsWith('/api/v1/text-search?q=Quittengelee'))
  assert.ok(searched.some(({ body }) => body.includes('"snippet"')))
  const shown = new Set(leaks(asked).map((one) => one.split(/[/?]/).slice(1, 4).join('/')))
  assert.ok(shown.size > 3, [...shown].join(' '))
})

test('words decide nothing for who may not see them: a beginning is found whatever others hold', async () => {
  const anna = { by: 'identifier', issuer: 'HOSP', id: 'P-2', issuerAssumed: false } as const
  const berta = { by: 'identifier', issuer: 'HOSP', id: 'P-3', issuerAssumed: false } as const
  const said = (owner: typeof anna | typeof berta) => ({ owner, metadata: { title: 'x' } })
  const mine = kept(
    await archive.documentDesk.submit(
      submission([{ bytes: Buffer.from('Rhabarberkompott.\n'), mediaType: 'text/plain', said: said(anna) }]),
    ),
  ).documents[0]?.document
  kept(
    await archive.documentDesk.submit(
      submission([{ bytes: Buffer.from('Rhabarber.\n'), mediaType: 'text/plain', said: said(berta) }]),
    ),
  )
  for (let i = 0; archive.jobs.openJobs() > 0 && i < 600; i++) await new Promise((resolve) => setTimeout(resolve, 50))
  const visibility = { sees: 'patients', patientIds: [mine?.patientId ?? ''] } as const
  const { items } = await archive.documents.searchText({ text: 'rhabarber', limit: 10 }, visibility)
  assert.deepEqual(
    items.map(({ objectId }) => objectId),
    [mine?.objectId],
  )
  const listed = await archive.documents.documents({ text: 'rhabarber', order: 'newest', limit: 10 }, visibility)
  assert.deepEqual(
    listed.items.map(({ document }) => document.objectId),
    [mine?.objectId],
  )
})
