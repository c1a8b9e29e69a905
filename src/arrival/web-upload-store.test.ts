import assert from 'node:assert/strict'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import type { Arrival, Receipt } from '#model/arrival.ts'
import { DEFAULT_HL7_LIMITS } from '#standards/hl7v2/limits.ts'
import { type UploadLimits, Uploads } from './web-upload-store.ts'

const LIMITS: UploadLimits = {
  uploads: 5,
  uploadHours: 24,
  archiveEntries: 100,
  archiveDepth: 2,
  archiveBytes: 1000,
  objectSize: 1000,
  inflateRatio: 200,
}
const LOCAL = { state: 'local', why: 'ours', candidates: 0, item: null } as const
const HOUR_MS = 3_600_000
const ASKED = { name: 'a', sizeBytes: 3, originator: null, medium: null, owner: 'account:a', user: 'a', address: null }

function accepted(arrival: Arrival): Receipt {
  return {
    arrivalId: 'x',
    sha256: '',
    size: arrival.bytes.in === 'memory' ? arrival.bytes.bytes.byteLength : arrival.bytes.size,
    verdict: 'accept',
    stored: true,
    duplicate: false,
    sopClassUID: null,
    sopInstanceUID: null,
    seriesInstanceUID: null,
    studyInstanceUID: null,
    objectId: 'o',
    quarantineId: null,
    reason: '',
    findings: [],
    scan: { status: 'not-scanned', engine: null, signatures: null, coverage: null },
    failure: null,
    elementsDiscarded: false,
  }
}

async function uploadsIn(context: TestContext, receive = async (arrival: Arrival) => accepted(arrival)) {
  const directory = mkdtempSync(join(tmpdir(), 'diptych-uploads-'))
  context.after(() => rmSync(directory, { recursive: true, force: true }))
  const faults: unknown[] = []
  const open = () =>
    Uploads.open({
      directory,
      spool: { directory },
      intake: { receive, judge: receive },
      imports: {
        stateOf: async () => undefined,
        reconcile: async (studyInstanceUID) => ({ studyInstanceUID, ...LOCAL }),
        intend: async (studyInstanceUID) => ({ studyInstanceUID, ...LOCAL }),
      },
      messages: {
        desk: { receive: async () => ({ acknowledgements: [], record: null }) },
        limits: DEFAULT_HL7_LIMITS,
      },
      badZip: () => 'keep-good',
      studyOf: async () => undefined,
      limits: LIMITS,
      reserveBytes: 0,
      onFault: (error) => faults.push(error),
    })
  const uploads = await open()
  context.after(() => uploads.close())
  return { uploads, directory, faults, open }
}

async function* bytes(...pieces: string[]): AsyncGenerator<Uint8Array> {
  for (const piece of pieces) yield Buffer.from(piece)
}

async function followed(uploads: Uploads, id: string): Promise<string[]> {
  const told: string[] = []
  for await (const [number, line] of uploads.follow(id, ASKED.owner, 0, new AbortController().signal)) {
    told.push(`${number} ${(JSON.parse(line) as { path: string }).path}`)
  }
  return told
}

test('uploads: what nobody came back for goes, what is new stays', async (context) => {
  const { uploads, directory } = await uploadsIn(context)
  const old = await uploads.begin(ASKED)
  await uploads.append(old.id, ASKED.owner, 0, bytes('ab'))
  await uploads.sweep(Date.now() + 23 * HOUR_MS)
  assert.equal(await uploads.offset(old.id, ASKED.owner), 2)
  await uploads.sweep(Date.now() + 25 * HOUR_MS)
  assert.throws(() => uploads.state(old.id, ASKED.owner), { code: 'request.not-found' })
  assert.deepEqual(readdirSync(directory), [])
})

test('uploads: a bound on how many are known', async (context) => {
  const { uploads } = await uploadsIn(context)
  for (let i = 0; i < LIMITS.uploads; i++) await uploads.begin({ ...ASKED, owner: `account:${i}` })
  await assert.rejects(uploads.begin(ASKED), { code: 'request.too-many' })
})

test('uploads: two pieces at once, a body that breaks off, and the rest after it', async (context) => {
  const { uploads } = await uploadsIn(context)
  const { id } = await uploads.begin(ASKED)
  const gate = Promise.withResolvers<void>()
  async function* slow(): AsyncGenerator<Uint8Array> {
    yield Buffer.from('a')
    await gate.promise
    throw Object.assign(new Error('aborted'), { code: 'ECONNRESET' })
  }
  const first = uploads.append(id, ASKED.owner, 0, slow())
  await assert.rejects(uploads.append(id, ASKED.owner, 0, bytes('abc')), { code: 'request.conflict' })
  await assert.rejects(uploads.finish(id, ASKED.owner), { code: 'request.conflict' })
  gate.resolve()
  await assert.rejects(first, { code: 'request.malformed' })
  assert.equal(await uploads.append(id, ASKED.owner, 1, bytes('b', 'c')), 3)
  await uploads.finish(id, ASKED.owner)
  assert.deepEqual(await followed(uploads, id), ['1 a'])
  assert.equal(uploads.state(id, ASKED.owner).summary?.stored, 1)
})

// A restart in the middle must neither tell a line twice nor forget the upload.
test('uploads: an import that failed as a whole is taken up at the next start', async (context) => {
  let broken = true
  const { uploads, faults, open } = await uploadsIn(context, async (arrival) => {
    if (broken) throw new Error('the writer is gone')
    return accepted(arrival)
  })
  const { id } = await uploads.begin(ASKED)
  await uploads.append(id, ASKED.owner, 0, bytes('abc'))
  await uploads.finish(id, ASKED.owner)
  while (faults.length === 0) await new Promise((resolve) => setTimeout(resolve, 5))
  assert.equal(uploads.state(id, ASKED.owner).state, 'running')
  await uploads.close()
  broken = false
  const next = await open()
  context.after(() => next.close())
  assert.deepEqual(await followed(next, id), ['1 a'])
  assert.equal(next.state(id, ASKED.owner).state, 'done')
})
