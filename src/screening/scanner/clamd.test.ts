import assert from 'node:assert/strict'
import { Buffer } from 'node:buffer'
import { once } from 'node:events'
import { createServer, type Server, type Socket } from 'node:net'
import { test } from 'node:test'
import { part10 } from '../../../test/fixtures/dicom-builder.ts'
import { ctImage, pdfObject } from '../../../test/fixtures/objects.ts'
import { PDFS } from '../../../test/fixtures/pdf.ts'
import { judgeScanned } from '../../../test/support/screening-fixture.ts'
import { rememberClean } from '../scan.ts'
import { createClamd, verdictOf } from './clamd.ts'
import type { PieceVerdict, ScanPiece } from './scanner.ts'

/** A daemon by script: unpacks INSTREAM and answers what it is told to. */
async function fakeDaemon(
  answer: (content: Buffer) => string | null,
  version = 'ClamAV 9.9.9/12345/Mon Nov 23 09:12:00 2026',
): Promise<{ address: string; streams: Buffer[]; server: Server }> {
  const streams: Buffer[] = []
  const server = createServer((socket: Socket) => {
    let input = Buffer.alloc(0)
    let answered = false
    socket.on('error', () => socket.destroy())
    socket.on('data', (chunk: Buffer) => {
      input = Buffer.concat([input, chunk])
      if (answered) return
      if (input.toString('latin1').startsWith('zVERSION\0')) {
        answered = true
        socket.end(`${version}\0`)
        return
      }
      const content = contentOf(input)
      if (content === null) return
      answered = true
      streams.push(content)
      const words = answer(content)
      if (words === null) socket.destroy()
      else if (words !== '') socket.end(`${words}\0`)
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const at = server.address()
  if (at === null || typeof at === 'string') throw new Error('no port')
  return { address: `127.0.0.1:${at.port}`, streams, server }
}

function contentOf(input: Buffer): Buffer | null {
  const parts: Buffer[] = []
  for (let at = 'zINSTREAM\0'.length; at + 4 <= input.length; ) {
    const length = input.readUInt32BE(at)
    if (length === 0) return Buffer.concat(parts)
    if (at + 4 + length > input.length) return null
    parts.push(input.subarray(at + 4, at + 4 + length))
    at += 4 + length
  }
  return null
}

const piece = (bytes: Uint8Array): ScanPiece => ({
  label: 'p',
  tag: null,
  offset: null,
  size: bytes.byteLength,
  chunks: () => [bytes],
})

// FOUND, OK, ERROR and a limit must never be taken for one another: ClamAV says OK for what it did not look at.
const words: { answer: string; is: PieceVerdict['is'] }[] = [
  { answer: 'stream: OK', is: 'clean' },
  { answer: 'stream: Win.Test.EICAR_HDB-1 FOUND', is: 'infected' },
  { answer: 'stream: Heuristics.Limits.Exceeded.MaxFileSize FOUND', is: 'limit' },
  { answer: 'INSTREAM size limit exceeded. ERROR', is: 'limit' },
  { answer: 'stream: Can\u2019t allocate memory ERROR', is: 'error' },
  { answer: 'UNKNOWN COMMAND', is: 'error' },
  { answer: 'stream: OK FOUND', is: 'infected' },
  { answer: '', is: 'error' },
]
for (const { answer, is } of words) {
  test(`clamd answers ${JSON.stringify(answer)}`, () => assert.equal(verdictOf(answer).is, is))
}

test('clamd: a piece arrives whole, in order, in bounded chunks', async () => {
  const daemon = await fakeDaemon(() => 'stream: OK')
  const client = createClamd(daemon.address)
  const bytes = Buffer.from(Array.from({ length: 3_000_001 }, (_, i) => i % 251))
  assert.deepEqual(await client.scan(piece(bytes)), { is: 'clean' })
  assert.ok(daemon.streams[0]?.equals(bytes))
  assert.deepEqual(await client.identity(), { engine: 'ClamAV 9.9.9', signatures: '12345 of Mon Nov 23 09:12:00 2026' })
  await client.close()
  daemon.server.close()
})

test('clamd: a daemon that is not there, hangs up, or is silent is an error in time', async () => {
  const gone = createClamd('127.0.0.1:1', { connectTimeoutMs: 500 })
  assert.equal((await gone.scan(piece(Buffer.from('x')))).is, 'error')
  assert.equal(await gone.identity(), null)
  const rude = await fakeDaemon(() => null)
  const rudeClient = createClamd(rude.address)
  assert.equal((await rudeClient.scan(piece(Buffer.from('x')))).is, 'error')
  const silent = await fakeDaemon(() => '')
  const silentClient = createClamd(silent.address, { answerTimeoutMs: 100 })
  assert.deepEqual(await silentClient.scan(piece(Buffer.from('x'))), {
    is: 'error',
    detail: 'the virus scanner did not answer',
  })
  for (const client of [gone, rudeClient, silentClient]) await client.close()
  rude.server.close()
  silent.server.close()
})

test('scan: whole file, encapsulated document, its attachment, private values', async () => {
  const daemon = await fakeDaemon((content) =>
    content.toString('latin1') === 'only a note' ? 'stream: Note FOUND' : 'stream: OK',
  )
  const client = createClamd(daemon.address)
  const clean = rememberClean()
  const attached = part10({ elements: pdfObject((PDFS['attached-text'] as () => Uint8Array)()) })
  const held = await judgeScanned(attached, { scanner: client, clean })
  assert.equal(held.verdict, 'quarantine')
  assert.match(held.reason, /B11: Note found in PDF attachment 1/)
  daemon.streams.length = 0
  const secret = Buffer.alloc(65, 0x41)
  const plain = part10({
    elements: { ...ctImage(), '00090010 LO': 'X', '00091001 OB': secret, '00091002 OB': Buffer.alloc(64, 0x42) },
  })
  const accepted = await judgeScanned(plain, { scanner: client, clean })
  assert.equal(accepted.scan.status, 'clean')
  assert.ok(daemon.streams[0]?.equals(plain))
  assert.ok(daemon.streams.some((stream) => stream.subarray(0, 65).equals(secret) && stream.length === 66))
  const before = daemon.streams.length
  await judgeScanned(plain, { scanner: client, clean })
  assert.equal(daemon.streams.length, before, 'scanned again under the same signatures')
  await client.close()
  daemon.server.close()
})

test('scan: a scanner that fails on a piece holds the object as pending', async () => {
  const daemon = await fakeDaemon(() => 'stream: broken ERROR')
  const client = createClamd(daemon.address)
  const held = await judgeScanned(part10({ elements: ctImage() }), { scanner: client })
  assert.equal(held.verdict, 'quarantine')
  assert.equal(held.pending, true)
  assert.equal(held.scan.status, 'pending')
  assert.match(held.reason, /^scan-pending:/)
  await client.close()
  daemon.server.close()
})

test('scan: a signature version that changes forgets what was clean', () => {
  const clean = rememberClean(2)
  clean.add('a', '1')
  assert.equal(clean.has('a', '1'), true)
  assert.equal(clean.has('a', '2'), false)
  clean.add('b', '2')
  assert.equal(clean.has('a', '1'), false)
  clean.add('c', '2')
  clean.add('d', '2')
  assert.equal(clean.has('b', '2'), false)
})
