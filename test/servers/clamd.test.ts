import assert from 'node:assert/strict'
import { Buffer } from 'node:buffer'
import { after, before, test } from 'node:test'
import { rememberClean } from '#screening/scan.ts'
import { createClamd } from '#screening/scanner/clamd.ts'
import type { Scanner } from '#screening/scanner/scanner.ts'
import { part10 } from '../fixtures/dicom-builder.ts'
import { HARMLESS, HOSTILE } from '../fixtures/hostile.ts'
import { ctImage } from '../fixtures/objects.ts'
import { eicar } from '../fixtures/programs.ts'
import { judgeScanned } from '../support/screening-fixture.ts'
import { type ClamdServer, startClamd } from './clamd.ts'

let server: ClamdServer
let small: ClamdServer
let scanner: Scanner

before(async () => {
  server = await startClamd()
  small = await startClamd({ streamMaxLength: 64 * 1024, maxFileSize: 32 * 1024 })
  scanner = createClamd(server.address)
})

after(async () => {
  await scanner?.close()
  await server?.stop()
  await small?.stop()
})

// A real daemon, a real signature: wherever the string hides, the verdict is the same.
for (const name of ['eicar-preamble', 'eicar-private', 'eicar-pixels', 'eicar-document']) {
  test(`clamd: ${name} is held`, async () => {
    const screened = await judgeScanned((HOSTILE[name] as () => Buffer)(), { scanner })
    assert.equal(screened.verdict, 'quarantine')
    assert.match(screened.reason, /^B11: Diptych\.Test\.EICAR/)
    assert.equal(screened.scan.status, 'infected')
    assert.match(screened.scan.engine ?? '', /^ClamAV /)
  })
}

for (const [name, bytes] of Object.entries(HARMLESS)) {
  test(`clamd: ${name} is clean`, async () => {
    const screened = await judgeScanned(bytes(), { scanner })
    assert.equal(screened.scan.status, 'clean', screened.reason)
    assert.match(screened.scan.coverage ?? '', /^\d+ pieces, \d+ bytes/)
    assert.notEqual(screened.verdict, 'quarantine')
  })
}

test('clamd: a digest known clean is not scanned twice', async () => {
  const clean = rememberClean()
  const bytes = part10({ elements: ctImage() })
  const first = await judgeScanned(bytes, { scanner, clean })
  const second = await judgeScanned(bytes, { scanner, clean })
  assert.match(first.scan.coverage ?? '', /pieces/)
  assert.match(second.scan.coverage ?? '', /known clean/)
  assert.equal(second.scan.status, 'clean')
})

test('clamd: above its limits is partly scanned, never clean', async () => {
  const limited = createClamd(small.address)
  const stream = await limited.scan(pieceOf(Buffer.alloc(1024 * 1024)))
  assert.equal(stream.is, 'limit')
  const file = await limited.scan(pieceOf(Buffer.alloc(48 * 1024)))
  assert.equal(file.is, 'limit', JSON.stringify(file))
  const screened = await judgeScanned(
    part10({ elements: { ...ctImage(), Rows: 512, Columns: 512, PixelData: Buffer.alloc(512 * 512 * 2) } }),
    { scanner: limited },
  )
  assert.equal(screened.scan.status, 'partly')
  assert.equal(screened.verdict, 'accept')
  assert.match(screened.scan.coverage ?? '', /not scanned: file/)
  await limited.close()
})

test('clamd: stopped while in use, the next object is held as pending', async () => {
  const mortal = await startClamd()
  const client = createClamd(mortal.address, { connectTimeoutMs: 1000 })
  assert.equal((await client.scan(pieceOf(eicar()))).is, 'infected')
  await mortal.stop()
  const screened = await judgeScanned(part10({ elements: ctImage() }), { scanner: client })
  assert.equal(screened.verdict, 'quarantine')
  assert.equal(screened.pending, true)
  assert.equal(screened.scan.status, 'pending')
  await client.close()
})

function pieceOf(bytes: Buffer) {
  return { label: 'test', tag: null, offset: null, size: bytes.length, chunks: () => [bytes] }
}
