import assert from 'node:assert/strict'
import { Buffer } from 'node:buffer'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { setTimeout as wait } from 'node:timers/promises'
import { rememberClean } from '#screening/scan.ts'
import { createClamd } from '#screening/scanner/clamd.ts'
import type { Scanner } from '#screening/scanner/scanner.ts'
import { part10 } from '../fixtures/dicom-builder.ts'
import { HARMLESS, HOSTILE } from '../fixtures/hostile.ts'
import { ctImage } from '../fixtures/objects.ts'
import { eicar } from '../fixtures/programs.ts'
import { runCommand, startServer, temporaryDirectory } from '../live/server.ts'
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

// A scanner that was down for a night must not leave the work of the morning to people.
test('clamd: what waited for it is judged again when it answers', async () => {
  const data = temporaryDirectory('rescan')
  const clamd = await startClamd()
  const port = Number(clamd.address.split(':')[1])
  await clamd.stop()
  const folder = join(data.path, 'in')
  mkdirSync(folder)
  writeFileSync(join(folder, 'good'), part10({ elements: ctImage() }))
  writeFileSync(join(folder, 'bad'), (HOSTILE['eicar-private'] as () => Buffer)())
  const archive = join(data.path, 'archive')
  const live = await startServer({ dataDirectory: archive, env: { DIPTYCH_SCREENING_CLAMD: `127.0.0.1:${port}` } })
  let again: ClamdServer | undefined
  try {
    const imported = await runCommand(['import', folder, '--data', archive, '--json'])
    assert.equal(imported.status, 2, imported.stderr)
    const items = async (state: string) => {
      const answer = await fetch(`${live.url}/api/v1/quarantine?state=${state}`)
      return ((await answer.json()) as { items: { scan: { status: string }; decision: { by: string } | null }[] }).items
    }
    assert.deepEqual(
      (await items('held')).map(({ scan }) => scan.status),
      ['pending', 'pending'],
    )
    again = await startClamd({ port })
    for (let tries = 0; tries < 90 && (await items('released')).length === 0; tries++) await wait(500)
    assert.deepEqual(
      (await items('released')).map(({ decision }) => decision?.by),
      ['rule:scan-pending'],
    )
    for (let tries = 0; tries < 20 && (await items('held'))[0]?.scan.status === 'pending'; tries++) await wait(500)
    assert.deepEqual(
      (await items('held')).map(({ scan }) => scan.status),
      ['infected'],
    )
  } finally {
    await live.stop()
    await again?.stop()
    data.remove()
  }
})

function pieceOf(bytes: Buffer) {
  return { label: 'test', tag: null, offset: null, size: bytes.length, chunks: () => [bytes] }
}
