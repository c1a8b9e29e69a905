import assert from 'node:assert/strict'
import { Buffer } from 'node:buffer'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import zlib from 'node:zlib'
import { zip as storedZip } from '../../../test/fixtures/programs.ts'
import { ZipArchive } from './zip.ts'
import { ZIP_LIMITS, ZipError } from './zip-limits.ts'

const folder = mkdtempSync(join(tmpdir(), 'diptych-zip-'))
after(() => rmSync(folder, { recursive: true, force: true }))

interface Member {
  readonly name: string
  readonly content: Buffer
  /** Default 8, deflated. */
  readonly method?: number
  readonly flags?: number
  readonly claimedSize?: number
  readonly crc?: number
  readonly mode?: number
  /** Local header offset as the directory tells it. */
  readonly offset?: number
  readonly localName?: string
}

/** Writes an archive member by member, with whatever lies a test needs. APPNOTE 4.3. */
function archive(members: readonly Member[], comment = ''): Buffer {
  const pieces: Buffer[] = []
  const directory: Buffer[] = []
  let at = 0
  for (const member of members) {
    const { name, content, method = 8, flags = 0, mode = 0 } = member
    const packed = method === 8 ? zlib.deflateRawSync(content) : content
    const fields = Buffer.alloc(26)
    fields.writeUInt16LE(20, 0)
    fields.writeUInt16LE(flags, 2)
    fields.writeUInt16LE(method, 4)
    fields.writeUInt32LE(member.crc ?? zlib.crc32(content), 10)
    fields.writeUInt32LE(packed.length, 14)
    fields.writeUInt32LE(member.claimedSize ?? content.length, 18)
    const local = Buffer.from(member.localName ?? name)
    fields.writeUInt16LE(local.length, 22)
    pieces.push(Buffer.from('PK\x03\x04', 'latin1'), Buffer.from(fields), local, packed)
    fields.writeUInt16LE(Buffer.byteLength(name), 22)
    const rest = Buffer.alloc(14)
    rest.writeUInt16LE(mode, 8)
    rest.writeUInt32LE(member.offset ?? at, 10)
    directory.push(Buffer.from('PK\x01\x02\x14\x03', 'latin1'), fields, rest, Buffer.from(name))
    at += 30 + local.length + packed.length
  }
  const central = Buffer.concat(directory)
  const end = Buffer.alloc(22)
  end.write('PK\x05\x06', 0, 'latin1')
  end.writeUInt16LE(members.length, 8)
  end.writeUInt16LE(members.length, 10)
  end.writeUInt32LE(central.length, 12)
  end.writeUInt32LE(at, 16)
  end.writeUInt16LE(comment.length, 20)
  return Buffer.concat([...pieces, central, end, Buffer.from(comment)])
}

let count = 0
function pathOf(bytes: Buffer): string {
  const path = join(folder, `${count++}.zip`)
  writeFileSync(path, bytes)
  return path
}

async function readAll(
  bytes: Buffer,
  limits = ZIP_LIMITS,
): Promise<{ name: string; kind: string; bytes: Buffer | null }[]> {
  const opened = await ZipArchive.open(pathOf(bytes), limits)
  try {
    const members: { name: string; kind: string; bytes: Buffer | null }[] = []
    for await (const member of opened.members()) {
      const chunks: Uint8Array[] = []
      if (member.kind === 'file') for await (const chunk of member.open()) chunks.push(Uint8Array.from(chunk))
      members.push({
        name: member.name,
        kind: member.kind,
        bytes: member.kind === 'file' ? Buffer.concat(chunks) : null,
      })
    }
    return members
  } finally {
    await opened.close()
  }
}

const small = { ...ZIP_LIMITS, entries: 3, memberBytes: 4 * 1024 * 1024, totalBytes: 6 * 1024 * 1024 }
const text = Buffer.from('a file')
const zeros = (mib: number) => Buffer.alloc(mib * 1024 * 1024)
const noise = (mib: number) => {
  const bytes = zeros(mib)
  let state = 1
  for (let i = 0; i < bytes.length; i += 4) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    bytes.writeUInt32LE(state, i)
  }
  return bytes
}

// Threat catalogue E2: limits are met while the bytes stream, whatever the archive claims of itself.
const refused: { name: string; bytes: () => Buffer; reason: ZipError['reason'] }[] = [
  { name: 'no ZIP', bytes: () => Buffer.from('not a ZIP at all, just text that goes on'), reason: 'not-a-zip' },
  {
    name: 'cut in the middle',
    bytes: () => archive([{ name: 'a', content: text }]).subarray(0, -30),
    reason: 'not-a-zip',
  },
  {
    name: 'four entries of three',
    bytes: () => archive(['a', 'b', 'c', 'd'].map((name) => ({ name, content: text }))),
    reason: 'entries',
  },
  {
    name: 'two names for the same bytes',
    bytes: () =>
      archive([
        { name: 'a', content: text },
        { name: 'b', content: text, offset: 0 },
      ]),
    reason: 'overlap',
  },
  { name: '1,000:1', bytes: () => archive([{ name: 'a', content: zeros(3) }]), reason: 'ratio' },
  { name: 'larger than a member may be', bytes: () => archive([{ name: 'a', content: noise(5) }]), reason: 'size' },
  {
    name: 'larger in all',
    bytes: () =>
      archive([
        { name: 'a', content: noise(4) },
        { name: 'b', content: noise(3) },
      ]),
    reason: 'size',
  },
  {
    name: 'claims less than it has',
    bytes: () => archive([{ name: 'a', content: text, claimedSize: 3 }]),
    reason: 'size',
  },
  {
    name: 'claims more than it has',
    bytes: () => archive([{ name: 'a', content: text, claimedSize: 4_000_000_000 }]),
    reason: 'size',
  },
  { name: 'wrong checksum', bytes: () => archive([{ name: 'a', content: text, crc: 1 }]), reason: 'crc' },
  { name: 'encrypted', bytes: () => archive([{ name: 'a', content: text, flags: 1 }]), reason: 'encrypted' },
  { name: 'another method', bytes: () => archive([{ name: 'a', content: text, method: 14 }]), reason: 'method' },
  {
    name: 'another name in its own header',
    bytes: () => archive([{ name: 'a', content: text, localName: 'b' }]),
    reason: 'damaged',
  },
]

for (const { name, bytes, reason } of refused) {
  test(`zip: ${name}`, async () => {
    await assert.rejects(readAll(bytes(), small), (thrown) => {
      assert.ok(thrown instanceof ZipError, String(thrown))
      assert.equal(thrown.reason, reason, thrown.message)
      return true
    })
  })
}

test('zip: stored and deflated members, folders, links, a comment that looks like an end', async () => {
  const members = await readAll(
    archive(
      [
        { name: 'DICOM/', content: Buffer.alloc(0), method: 0 },
        { name: 'DICOM/I1', content: noise(1) },
        { name: 'stored', content: text, method: 0 },
        { name: 'link', content: Buffer.from('/etc/passwd'), method: 0, mode: 0xa1ff },
      ],
      'PK\x05\x06 as a word',
    ),
  )
  assert.deepEqual(
    members.map(({ name, kind }) => `${name} ${kind}`),
    ['DICOM/ directory', 'DICOM/I1 file', 'stored file', 'link link'],
  )
  assert.ok(members[1]?.bytes?.equals(noise(1)))
  assert.ok(members[2]?.bytes?.equals(text))
})

test('zip: a ratio of 200 and less passes; zeros under 1 MiB are no bomb', async () => {
  assert.equal((await readAll(archive([{ name: 'a', content: zeros(1) }])))[0]?.bytes?.length, 1024 * 1024)
})

test('zip: an empty archive has no members', async () => {
  assert.deepEqual(await readAll(storedZip([])), [])
})
