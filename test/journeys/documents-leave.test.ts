/** Documents leave with their metadata: what comes out is IHE XDM, byte for byte, and says what was said. */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { ZipArchive } from '#standards/media/zip.ts'
import { readEbrim } from '#standards/xds/ebrim-read.ts'
import { plainPdf } from '../fixtures/pdf.ts'
import { type LiveServer, runCommand, startServer, temporaryDirectory } from '../live/server.ts'

const place = temporaryDirectory('documents-leave')
const data = join(place.path, 'data')
let server: LiveServer

const FIRST = plainPdf(['Version 1 of the findings.'])
const SECOND = plainPdf(['Version 2 of the findings.'])
const NOTE = Buffer.from('A note for Berta.\n')

async function send(bytes: Uint8Array, described: object, name: string): Promise<{ id: string; uniqueId: string }> {
  const form = new FormData()
  form.set('metadata', JSON.stringify(described))
  form.append('file', new Blob([Buffer.from(bytes)]), name)
  const answer = await fetch(`${server.url}/api/v1/documents`, { method: 'POST', body: form })
  const told = (await answer.json()) as { items: { id: string; uniqueId: string }[] }
  assert.equal(answer.status, 201, JSON.stringify(told))
  const [item] = told.items
  assert.ok(item)
  return item
}

before(async () => {
  server = await startServer({ dataDirectory: data })
  const common = {
    metadata: {
      ...{ title: 'Befund & <Thorax>', typeCode: '18748-4', practiceSetting: 'Radiology', department: 'Röntgen' },
      ...{ facilityType: 'Hospital', language: 'de-DE', creationTime: '2026-05-02T10:00:00Z' },
      authors: [{ person: 'Müller^Anna^^Dr.', institution: 'Klinik ^ Süd' }],
      references: [{ type: 'accession', id: 'A^1', issuer: '1.2.3' }],
    },
    patient: { issuer: '1.9.9', id: '4711' },
  }
  const first = await send(FIRST, { ...common, uniqueId: '1.2.3.1' }, 'one.pdf')
  await send(SECOND, { ...common, uniqueId: '1.2.3.2', replaces: first.id, phase: 'final' }, 'two.pdf')
  await send(NOTE, { patient: { issuer: '1.9.9', id: '4712' } }, 'note.txt')
  await send(Buffer.from('Whose?\n'), {}, 'nobody.txt')
})

after(async () => {
  await server.stop()
  place.remove()
})

async function unpacked(zip: Uint8Array, name: string): Promise<Map<string, Buffer>> {
  const path = join(place.path, name)
  writeFileSync(path, zip)
  const archive = await ZipArchive.open(Buffer.from(path))
  const files = new Map<string, Buffer>()
  for await (const member of archive.members()) {
    if (member.kind !== 'file') continue
    const pieces: Uint8Array[] = []
    for await (const piece of member.open()) pieces.push(piece)
    files.set(member.name, Buffer.concat(pieces))
  }
  await archive.close()
  return files
}

test('a package over HTTP holds the documents of a patient with all that is said of them', async () => {
  const answer = await fetch(`${server.url}/api/v1/document-package?patient=4711&status=any`)
  assert.equal(answer.status, 200)
  assert.equal(answer.headers.get('content-type'), 'application/zip')
  const files = await unpacked(new Uint8Array(await answer.arrayBuffer()), 'http.zip')
  assert.deepEqual([...files.keys()].toSorted(), [
    'IHE_XDM/SUBSET01/D0000001.PDF',
    'IHE_XDM/SUBSET01/D0000002.PDF',
    'IHE_XDM/SUBSET01/INDEX.HTM',
    'IHE_XDM/SUBSET01/METADATA.XML',
    'INDEX.HTM',
    'README.TXT',
  ])
  const said = readEbrim(files.get('IHE_XDM/SUBSET01/METADATA.XML') ?? Buffer.alloc(0))
  assert.equal(said.submissionSets.length, 1)
  const byId = new Map(said.documents.map((entry) => [entry.uniqueId, entry]))
  for (const [uniqueId, bytes, status] of [
    ['1.2.3.1', FIRST, 'Deprecated'],
    ['1.2.3.2', SECOND, 'Approved'],
  ] as const) {
    const entry = byId.get(uniqueId)
    assert.ok(entry, uniqueId)
    const file = files.get(`IHE_XDM/SUBSET01/${entry.URI}`)
    assert.deepEqual(file, Buffer.from(bytes), uniqueId)
    assert.equal(entry.hash, createHash('sha1').update(bytes).digest('hex'))
    assert.equal(entry.size, bytes.byteLength)
    assert.equal(entry.availabilityStatus, status)
    assert.equal(entry.title, 'Befund & <Thorax>')
    assert.equal(entry.patientId, '4711^^^&1.9.9&ISO')
    assert.equal(entry.creationTime, '20260502100000')
    assert.equal(entry.practiceSettingCode?.code, '394914008')
    assert.equal(entry.author[0]?.person, '^Müller^Anna^^^Dr.')
    assert.deepEqual(entry.author[0]?.institutions, ['Klinik \\S\\ Süd'])
    assert.deepEqual(entry.referenceIdList, ['A\\S\\1^^^&1.2.3&ISO^urn:ihe:iti:xds:2013:accession'])
    assert.deepEqual(entry.extra['urn:diptych:department'], ['Röntgen'])
  }
  const replacing = said.associations.filter(({ type }) => type === 'RPLC')
  assert.deepEqual(
    replacing.map(({ source, target }) => [source, target]),
    [[byId.get('1.2.3.2')?.entryUUID, byId.get('1.2.3.1')?.entryUUID]],
  )
  assert.doesNotMatch(files.get('INDEX.HTM')?.toString() ?? '', /<Thorax>|<script/)
})

test('one document by its identifier; what is not there is 404', async () => {
  const answer = await fetch(`${server.url}/api/v1/document-package?id=1.2.3.2`)
  const files = await unpacked(new Uint8Array(await answer.arrayBuffer()), 'one.zip')
  assert.deepEqual(files.get('IHE_XDM/SUBSET01/D0000001.PDF'), Buffer.from(SECOND))
  assert.equal((await fetch(`${server.url}/api/v1/document-package?id=1.2.3.99`)).status, 404)
  assert.equal((await fetch(`${server.url}/api/v1/document-package?patient=nobody`)).status, 404)
})

test('the whole archive is exported with its documents, those of nobody too', async () => {
  const out = join(place.path, 'out')
  const { status, lines, stderr } = await runCommand(['export', '--data', data, '--out', out, '--json'])
  assert.equal(status, 0, stderr)
  const { summary } = lines.at(-1) as { summary: { files: number; failed: number } }
  assert.deepEqual([summary.files, summary.failed], [4, 0])
  const sets = readdirSync(join(out, 'IHE_XDM')).toSorted()
  assert.deepEqual(sets, ['SUBSET01', 'SUBSET02', 'SUBSET03'])
  const all = sets.flatMap((set) => readEbrim(readFileSync(join(out, 'IHE_XDM', set, 'METADATA.XML'))).documents)
  assert.equal(all.length, 4)
  assert.deepEqual(all.map(({ patientId }) => patientId).toSorted(), [
    '4711^^^&1.9.9&ISO',
    '4711^^^&1.9.9&ISO',
    '4712^^^&1.9.9&ISO',
    null,
  ])
  assert.ok(existsSync(join(out, 'INDEX.HTM')))
  assert.ok(existsSync(join(out, 'README.TXT')))
})

test('one patient as a ZIP', async () => {
  const out = join(place.path, 'patient.zip')
  const flags = ['--patient', '4712', '--documents', '--zip', '--out', out, '--json']
  const { status, stderr } = await runCommand(['export', '--data', data, ...flags])
  assert.equal(status, 0, stderr)
  const files = await unpacked(readFileSync(out), 'again.zip')
  assert.deepEqual(files.get('IHE_XDM/SUBSET01/D0000001.TXT'), NOTE)
})

test('what left comes back into another archive as it was: numbers, relations, everything said', async () => {
  const zip = join(place.path, 'all.zip')
  const out = ['export', '--data', data, '--documents', '--zip', '--out', zip, '--json']
  assert.equal((await runCommand(out)).status, 0)
  const other = join(place.path, 'other')
  const first = await runCommand(['import', zip, '--data', other, '--json'])
  assert.equal(first.status, 0, first.stderr + JSON.stringify(first.lines))
  const { summary } = first.lines.at(-1) as { summary: { stored: number } }
  assert.equal(summary.stored, 4, JSON.stringify(first.lines))

  const there = await startServer({ dataDirectory: other })
  try {
    const all = async (url: string) => {
      const answer = await fetch(`${url}/api/v1/documents?status=any&order=oldest`)
      const { items } = (await answer.json()) as { items: Said[] }
      return items
        .map(({ uniqueId, entryUuid, metadata, status, phase, sha256, relations, missing }) => ({
          ...{ uniqueId, entryUuid, status, phase, sha256, missing, kinds: relations.map(({ kind }) => kind) },
          // Confidentiality and the like are said by the sender now; the title of a file stays what it was.
          metadata: { ...metadata, sourcePatient: null },
        }))
        .toSorted((a, b) => a.sha256.localeCompare(b.sha256))
    }
    const bare = (items: Awaited<ReturnType<typeof all>>) =>
      items.map((one) => ({ ...one, uniqueId: one.uniqueId.replace(/^urn:oid:/, '') }))
    assert.deepEqual(bare(await all(there.url)), bare(await all(server.url)))
    const lists = await (await fetch(`${there.url}/api/v1/document-lists?kind=submission-set`)).json()
    assert.equal((lists as { items: unknown[] }).items.length, 3)
    const patients = await (await fetch(`${there.url}/api/v1/patients`)).json()
    const numbers = (patients as { items: { issuer: string; identifier: string }[] }).items
    assert.deepEqual(numbers.map(({ issuer, identifier }) => `${issuer}|${identifier}`).toSorted(), [
      '1.9.9|4711',
      '1.9.9|4712',
    ])
    // Again: the same documents, the same sets.
    const again = await runCommand(['import', zip, '--data', other, '--json'])
    assert.equal((again.lines.at(-1) as { summary: { duplicates: number } }).summary.duplicates, 4)
    const still = (await (await fetch(`${there.url}/api/v1/document-lists`)).json()) as {
      items: { version: number }[]
    }
    assert.deepEqual(
      still.items.map(({ version }) => version),
      [1, 1, 1],
    )
  } finally {
    await there.stop()
  }
})

interface Said {
  readonly uniqueId: string
  readonly entryUuid: string
  readonly status: string
  readonly phase: string | null
  readonly sha256: string
  readonly missing: readonly string[]
  readonly relations: readonly { readonly kind: string }[]
  readonly metadata: Record<string, unknown>
}

const SAMPLES = process.env['DIPTYCH_SAMPLES'] ?? '../shared/data'

test('an XDM package of another maker: what its metadata say is the voice of the sender', {
  skip: existsSync(join(SAMPLES, 'xds/xdm/xdm.zip')) ? false : 'no samples',
}, async () => {
  const { lines, status } = await runCommand(['import', join(SAMPLES, 'xds/xdm/xdm.zip'), '--data', data, '--json'])
  const line = (lines as { path: string; id: string | null; stored: boolean; reason: string }[]).find(({ path }) =>
    path?.endsWith('IHE_XDM/SUBSET/doc.txt'),
  )
  assert.equal(line?.stored, true, `${status} ${JSON.stringify(lines)}`)
  const document = (await (await fetch(`${server.url}/api/v1/documents/${line.id}`)).json()) as Said & {
    sources: Record<string, string>
  }
  assert.equal(document.metadata['title'], 'Physical')
  assert.equal(document.metadata['creationTime'], '2005-12-24')
  assert.equal(document.metadata['serviceStart'], '2004-12-23T08:00:00Z')
  assert.deepEqual(
    (document.metadata['authors'] as { person: string }[]).map(({ person }) => person),
    ['Smitty^Gerald', 'Dopplemeyer^Sherry'],
  )
  assert.equal(document.sources['classCode'], 'sender')
})
