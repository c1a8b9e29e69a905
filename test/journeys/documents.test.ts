/** Documents sent, read, decided about: every promise of images holds for them too. */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { after, before, test } from 'node:test'
import type { StoredDocument } from '#model/document.ts'
import { EVERYTHING } from '#model/visibility.ts'
import { rebuildArchive } from '../../src/app-maintenance.ts'
import { PDFS, plainPdf } from '../fixtures/pdf.ts'
import {
  BERTA,
  COMPLETE,
  type DocumentArchive,
  documentArchive,
  kept,
  submission,
} from '../support/document-fixture.ts'

let site: DocumentArchive

before(async () => {
  site = await documentArchive()
})

after(() => site.close())

async function bytesOf(document: StoredDocument): Promise<Uint8Array> {
  const { content, location } = document
  const range = content.in === 'own' ? undefined : { start: content.start, end: content.start + content.length }
  const bytes = await site.archive.segments.read(location, range)
  assert.ok(bytes !== undefined)
  return bytes
}

test('a document sent is read back byte for byte, with what was said of it', async () => {
  const bytes = plainPdf(['Lungs clear.'])
  const receipt = kept(await site.archive.documentDesk.submit(submission([{ bytes, mediaType: 'application/pdf' }])))
  const [made] = receipt.documents
  assert.ok(made !== undefined)
  const found = await site.archive.documents.document(made.document.objectId, EVERYTHING)
  assert.deepEqual(found, made.document)
  assert.equal(found?.kind, 'pdf')
  assert.equal(found.sha1, createHash('sha1').update(bytes).digest('hex'))
  assert.deepEqual(Buffer.from(await bytesOf(found)), Buffer.from(bytes))
  assert.deepEqual(found.missing, [])
  const arrivals = await site.archive.reader.arrivals({ sha256: found.sha256, limit: 10 })
  assert.equal(arrivals.items.length, 1)
  assert.equal(arrivals.items[0]?.objectId, found.objectId)
})

test('the same document again is the same one; other content under its uniqueId is refused', async () => {
  const bytes = plainPdf(['Twice.'])
  const said = { uniqueId: 'urn:oid:1.2.3.77' }
  const first = kept(await site.archive.documentDesk.submit(submission([{ bytes, said }])))
  const again = kept(await site.archive.documentDesk.submit(submission([{ bytes, said }])))
  assert.equal(again.documents[0]?.duplicate, true)
  assert.equal(again.documents[0]?.document.objectId, first.documents[0]?.document.objectId)
  const other = await site.archive.documentDesk.submit(submission([{ bytes: plainPdf(['Other.']), said }]))
  assert.equal(other.is, 'refused')
  assert.equal(other.is === 'refused' && other.faults[0]?.code, 'document.conflict')
})

test('one bad member refuses the set: nothing of it is kept', async () => {
  const bad = PDFS.javascript
  assert.ok(bad !== undefined)
  const receipt = await site.archive.documentDesk.submit(
    submission([
      { label: 'good', bytes: plainPdf(['Good, but not alone.']) },
      { label: 'bad', bytes: bad() },
    ]),
  )
  assert.equal(receipt.is, 'refused')
  if (receipt.is !== 'refused') return
  assert.deepEqual(
    receipt.receipts.map(({ label, receipt: { verdict, stored, quarantineId } }) => ({
      label,
      verdict,
      stored,
      held: quarantineId !== null,
    })),
    [
      { label: 'good', verdict: 'reject', stored: false, held: false },
      { label: 'bad', verdict: 'quarantine', stored: false, held: true },
    ],
  )
  const good = createHash('sha256')
    .update(plainPdf(['Good, but not alone.']))
    .digest('hex')
  assert.equal(await site.archive.documents.document(good, EVERYTHING), undefined)
})

/** Everything said of documents, lists and versions, without where their bytes are. */
async function everything() {
  const { documents } = site.archive
  const page = await documents.documents({ order: 'oldest', limit: 1000 }, EVERYTHING)
  const lists = await documents.lists({ limit: 1000 }, EVERYTHING)
  return {
    documents: page.items.map(({ document }) => document),
    versions: await Promise.all(page.items.map(({ document }) => documents.versions(document.objectId, EVERYTHING))),
    lists: lists.items,
    listVersions: await Promise.all(lists.items.map(({ id }) => documents.listVersions(id, EVERYTHING))),
    counts: await site.archive.reader.counts(),
  }
}

test('rebuilt from segments and journal, the index says the same', async () => {
  const { documentDesk } = site.archive
  const code = { code: 'x', system: 'urn:oid:1.2', display: 'X' }
  const receipt = kept(
    await documentDesk.submit(
      submission(
        [
          { label: 'old', bytes: plainPdf(['Version 1.']), said: { uniqueId: '1.2.3.100' } },
          { label: 'note', bytes: Buffer.from('A note.\n'), mediaType: 'text/plain' },
        ],
        {
          lists: [
            {
              ...{ label: 'set', kind: 'submission-set', uniqueId: '1.2.3.900', sourceId: '1.2.3', title: 'Set' },
              ...{ comments: null, status: 'current', codes: [code], authors: [], intendedRecipients: [] },
              ...{ owner: { by: 'identifier', issuer: 'HOSP', id: '4711', issuerAssumed: false }, extra: {} },
              ...{ time: '2026-05-02T10:00:00Z', items: ['old', 'note'] },
            },
          ],
          relations: [{ kind: 'appends', from: 'note', to: 'old' }],
        },
      ),
    ),
  )
  const old = receipt.documents[0]?.document.objectId ?? ''
  kept(
    await documentDesk.submit(
      submission([{ label: 'new', bytes: plainPdf(['Version 2.']), said: { uniqueId: '1.2.3.101' } }], {
        relations: [{ kind: 'replaces', from: 'new', to: '1.2.3.100' }],
      }),
    ),
  )
  assert.equal((await site.archive.documents.document(old, EVERYTHING))?.status, 'superseded')
  const unowned = kept(
    await documentDesk.submit({
      ...submission([]),
      documents: submission([{ bytes: plainPdf(['Whose?']) }]).documents.map((one) => ({
        ...one,
        statement: { metadata: {} },
      })),
    }),
  ).documents[0]?.document
  assert.deepEqual(unowned?.missing.slice(-1), ['patient'])
  const id = unowned?.objectId ?? ''
  const cause = { by: 'ann', reason: 'read it' }
  await documentDesk.decide([{ is: 'metadata', objectId: id, metadata: COMPLETE, source: 'person' }], cause, 1)
  await documentDesk.decide([{ is: 'owner', objectId: id, owner: BERTA }], cause)
  await assert.rejects(documentDesk.decide([{ is: 'status', objectId: id, status: 'superseded' }], cause, 1), {
    code: 'document.version',
  })
  const doomed = kept(
    await documentDesk.submit(submission([{ bytes: plainPdf(['Gone.']), said: { uniqueId: '1.2.3.55' } }])),
  )
  assert.equal(await documentDesk.delete(doomed.documents[0]?.document.objectId ?? '', cause), true)
  // Deleted, its uniqueId may come again.
  kept(
    await documentDesk.submit(submission([{ bytes: plainPdf(['Gone, and back.']), said: { uniqueId: '1.2.3.55' } }])),
  )

  const said = await everything()
  assert.equal((await site.archive.documents.document(id, EVERYTHING))?.missing.length, 0)
  assert.equal((await site.archive.maintenance.verify({})).orphans, 0)
  await site.reopen(async () => {
    const report = await rebuildArchive(site.dataDirectory, {})
    assert.equal(report.damaged, 0)
    assert.equal(report.deleted, 1)
  })
  assert.deepEqual(await everything(), said)
  const { damaged, missing, orphans } = await site.archive.maintenance.verify({})
  assert.deepEqual({ damaged, missing, orphans }, { damaged: 0, missing: 0, orphans: 0 })
})

/** Waits until no job is under way. */
async function jobsDone(): Promise<void> {
  for (let i = 0; site.archive.jobs.openJobs() > 0; i++) {
    assert.ok(i < 600, `jobs stay open: ${JSON.stringify(site.archive.jobs.list({ state: 'open', limit: 5 }).items)}`)
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}

test('words inside documents are found, by those who may see them; after a rebuild too', async () => {
  const { documentDesk } = site.archive
  const owned = kept(await documentDesk.submit(submission([{ bytes: plainPdf(['Kardiomegalie ohne Stauung.']) }])))
  const other = { owner: BERTA, uniqueId: '1.2.3.200' }
  kept(await documentDesk.submit(submission([{ bytes: Buffer.from('Kardiomegalie bei Berta.\n'), said: other }])))
  await jobsDone()
  const patientId = owned.documents[0]?.document.patientId ?? ''
  const find = async (visibility: Parameters<typeof site.archive.documents.searchText>[1]) => {
    const { items } = await site.archive.documents.searchText({ text: 'kardiomeg', limit: 10 }, visibility)
    return items
  }
  assert.equal((await find(EVERYTHING)).length, 2)
  const [own, ...more] = await find({ sees: 'patients', patientIds: [patientId] })
  assert.equal(more.length, 0)
  assert.equal(own?.objectId, owned.documents[0]?.document.objectId)
  assert.match(own?.snippet ?? '', /\ue000Kardiomegalie\ue001 ohne/)
  // Whose it is changes: the words follow.
  const cause = { by: 'ann', reason: 'wrong patient' }
  await documentDesk.decide([{ is: 'owner', objectId: own?.objectId ?? '', owner: BERTA }], cause)
  assert.deepEqual(await find({ sees: 'patients', patientIds: [patientId] }), [])
  await site.reopen(async () => void (await rebuildArchive(site.dataDirectory, {})))
  await jobsDone()
  assert.equal((await find(EVERYTHING)).length, 2)
})
