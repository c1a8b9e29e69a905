import assert from 'node:assert/strict'
import { createCipheriv, createHash, createHmac, pbkdf2Sync } from 'node:crypto'
import fs from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { ArchiveError } from '#errors.ts'
import { memorySource } from '#standards/byte-source.ts'
import { openKeyRing, rotateKey } from '#storage/key-ring.ts'
import { temporaryFolder } from '../../test/support/small-archive.ts'
import { CHUNK_BYTES, SEALED_HEADER_BYTES } from './sealed.ts'
import { CONTAINER_PASSWORD, openVault } from './vault.ts'

const sha = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex')
const isError = (code: string) => (error: unknown) => error instanceof ArchiveError && error.code === code

async function all(pieces: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const collected: Uint8Array[] = []
  for await (const piece of pieces) collected.push(piece)
  return Buffer.concat(collected)
}

async function withFolder(run: (folder: string) => Promise<void>): Promise<void> {
  const folder = temporaryFolder()
  try {
    await run(folder)
  } finally {
    fs.rmSync(folder, { recursive: true })
  }
}

for (const size of [0, 1, 1000, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1, 3 * CHUNK_BYTES + 7]) {
  test(`vault: ${size} bytes come back, and nothing of them is readable on the disk`, async () => {
    await withFolder(async (folder) => {
      const vault = openVault(join(folder, 'quarantine'), openKeyRing(join(folder, 'keys/key')))
      const bytes = Buffer.alloc(size, 'MZ this program cannot be run ')
      await vault.seal(sha(bytes), memorySource(bytes))
      await vault.seal(sha(bytes), memorySource(bytes))
      assert.deepEqual(await all(vault.read(sha(bytes))), bytes)
      assert.equal(await vault.size(sha(bytes)), size)
      const files = fs.readdirSync(join(folder, 'quarantine'))
      assert.deepEqual(files, [`${sha(bytes)}.enc`])
      assert.equal(fs.readFileSync(join(folder, 'quarantine', files[0] ?? '')).includes('program'), false)
      await vault.remove(sha(bytes))
      assert.equal(await vault.size(sha(bytes)), undefined)
      await assert.rejects(all(vault.read(sha(bytes))), isError('request.not-found'))
    })
  })
}

// Encryption without authentication would hand out what somebody changed.
test('vault: a changed, cut, reordered or foreign file is told, never served as the original', async () => {
  await withFolder(async (folder) => {
    const vault = openVault(folder, openKeyRing(join(folder, 'keys/key')))
    const bytes = Buffer.alloc(3 * CHUNK_BYTES, 'abcdef')
    const digest = sha(bytes)
    await vault.seal(digest, memorySource(bytes))
    const path = join(folder, `${digest}.enc`)
    const whole = fs.readFileSync(path)
    const step = CHUNK_BYTES + 16
    const chunk = (n: number) => whole.subarray(SEALED_HEADER_BYTES + n * step, SEALED_HEADER_BYTES + (n + 1) * step)
    const flipped = (at: number) => Buffer.from(whole.map((byte, i) => (i === at ? byte ^ 1 : byte)))
    const header = whole.subarray(0, SEALED_HEADER_BYTES)
    const changed = {
      'a bit of the text': flipped(SEALED_HEADER_BYTES + 5),
      'a bit of the salt': flipped(40),
      'the last chunk missing': whole.subarray(0, SEALED_HEADER_BYTES + 2 * step),
      'cut within a chunk': whole.subarray(0, whole.byteLength - 100),
      'two chunks swapped': Buffer.concat([header, chunk(1), chunk(0), chunk(2)]),
      'bytes added': Buffer.concat([whole, Buffer.alloc(20)]),
      'no header': whole.subarray(SEALED_HEADER_BYTES),
      'nothing left': Buffer.alloc(0),
    }
    for (const [what, now] of Object.entries(changed)) {
      fs.writeFileSync(path, now)
      await assert.rejects(all(vault.read(digest)), isError('storage.damaged'), what)
    }
    fs.renameSync(path, join(folder, `${'0'.repeat(64)}.enc`))
    fs.writeFileSync(join(folder, `${'0'.repeat(64)}.enc`), whole)
    await assert.rejects(all(vault.read('0'.repeat(64))), isError('storage.damaged'), 'under another digest')
  })
})

test('vault: what a killed process left half written is cleared away', async () => {
  await withFolder(async (folder) => {
    fs.writeFileSync(join(folder, 'abc.part'), 'half')
    fs.writeFileSync(join(folder, `${'0'.repeat(64)}.enc`), 'whole')
    openVault(folder, openKeyRing(join(folder, 'keys/key')))
    assert.deepEqual(fs.readdirSync(folder), [`${'0'.repeat(64)}.enc`, 'keys'])
  })
})

test('keys: made once with mode 0600; a new key encrypts, old ones still open; a lost one is named', async () => {
  await withFolder(async (folder) => {
    const path = join(folder, 'keys/key')
    const first = openKeyRing(path)
    assert.equal(fs.statSync(path).mode & 0o777, 0o600)
    assert.equal(openKeyRing(path).currentId, first.currentId)
    const [old, young] = [Buffer.from('old'), Buffer.from('young')]
    await openVault(folder, first).seal(sha(old), memorySource(old))
    const id = rotateKey(path)
    const ring = openKeyRing(path)
    assert.equal(ring.currentId, id)
    const vault = openVault(folder, ring)
    await vault.seal(sha(young), memorySource(young))
    assert.deepEqual([await all(vault.read(sha(old))), await all(vault.read(sha(young)))], [old, young])
    const lines = fs.readFileSync(path, 'utf8').split('\n')
    fs.writeFileSync(path, `${lines[1]}\n`)
    const without = openVault(folder, openKeyRing(path))
    await assert.rejects(all(without.read(sha(old))), isError('configuration.invalid'))
    assert.deepEqual(await all(without.read(sha(young))), young)
    for (const text of ['', 'diptych-key 2 x y', 'not a key\n']) {
      fs.writeFileSync(path, text)
      assert.throws(() => openKeyRing(path), isError('configuration.invalid'))
    }
  })
})

test('vault: the exported container opens with the documented password only', async () => {
  await withFolder(async (folder) => {
    const vault = openVault(folder, openKeyRing(join(folder, 'keys/key')))
    const bytes = Buffer.alloc(200_001, 'suspicious ')
    await vault.seal(sha(bytes), memorySource(bytes))
    const zip = await all(vault.container(sha(bytes)))
    assert.equal(zip.includes('suspicious'), false)
    assert.equal(zip.toString('latin1', 0, 4), 'PK\x03\x04')
    assert.deepEqual(opened(zip, CONTAINER_PASSWORD), bytes)
    assert.throws(() => opened(zip, 'wrong'))
  })
})

/** WinZip AE-2, read block by block from its description: salt, check, text, code. */
function opened(zip: Buffer, password: string): Buffer {
  const start = 30 + zip.readUInt16LE(26) + zip.readUInt16LE(28)
  const stored = zip.readUInt32LE(18)
  const part = (from: number, to: number) => zip.subarray(start + from, start + to)
  const keys = pbkdf2Sync(password, part(0, 16), 1000, 66, 'sha1')
  assert.deepEqual(part(16, 18), keys.subarray(64, 66), 'wrong password')
  const text = part(18, stored - 10)
  const code = createHmac('sha1', keys.subarray(32, 64)).update(text).digest().subarray(0, 10)
  assert.deepEqual(part(stored - 10, stored), code)
  const plain = Buffer.from(text)
  for (let at = 0, counter = 1; at < text.byteLength; at += 16, counter++) {
    const block = Buffer.alloc(16)
    block.writeUInt32LE(counter, 0)
    const pad = createCipheriv('aes-256-ecb', keys.subarray(0, 32), null).update(block)
    for (let i = 0; i < 16 && at + i < text.byteLength; i++) plain[at + i] = (text[at + i] ?? 0) ^ (pad[i] ?? 0)
  }
  return plain
}
