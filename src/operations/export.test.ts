import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import fs from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { ArchiveError } from '#errors.ts'
import { EVERYTHING } from '#model/visibility.ts'
import { ctFiles, type SmallArchive, smallArchive, temporaryFolder } from '../../test/support/small-archive.ts'
import { type ExportItem, exportFolder, exportZip } from './export.ts'

const sha = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex')

async function withArchive(run: (archive: SmallArchive, folder: string) => Promise<void>): Promise<void> {
  const folder = temporaryFolder()
  const archive = await smallArchive(join(folder, 'data'))
  try {
    await run(archive, folder)
  } finally {
    await archive.close()
    fs.rmSync(folder, { recursive: true })
  }
}

function toolsOf(archive: SmallArchive, items: ExportItem[] = []) {
  const { reader, segments } = archive
  return { reader, segments, visibility: EVERYTHING, onItem: (item: ExportItem) => items.push(item) }
}

function filesBelow(folder: string): string[] {
  return fs
    .readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map(({ parentPath, name }) => join(parentPath, name).slice(folder.length + 1))
    .sort()
}

test('export: plain files, named by UIDs, equal to what is kept', async () => {
  await withArchive(async (archive, folder) => {
    await archive.store(ctFiles(3))
    await archive.store(ctFiles(2, 'other'))
    const out = join(folder, 'out')
    const summary = await exportFolder(toolsOf(archive), out)
    assert.equal(summary.files, 5)
    assert.equal(summary.failed, 0)
    const files = filesBelow(out)
    assert.equal(files.length, 5)
    for (const file of files) {
      const bytes = fs.readFileSync(join(out, file))
      assert.ok(bytes.subarray(0, 128).every((byte) => byte === 0))
      const found = await archive.reader.find(sha(bytes), EVERYTHING)
      assert.ok(found)
      const { studyInstanceUID, seriesInstanceUID, sopInstanceUID } = found
      assert.equal(file, `${studyInstanceUID}/${seriesInstanceUID}/${sopInstanceUID}.dcm`)
    }
    const [first = ''] = files
    const studies = [first.split('/')[0] ?? '']
    const one = await exportFolder(toolsOf(archive), join(folder, 'one'), { studies })
    assert.equal(one.files, files.filter((file) => file.startsWith(`${studies[0]}/`)).length)
    const items: ExportItem[] = []
    const none = await exportFolder(toolsOf(archive, items), join(folder, 'none'), { studies: ['1.2.3'] })
    assert.deepEqual([none.files, none.failed], [0, 1])
    assert.deepEqual(items, [{ path: '1.2.3', sopInstanceUid: null, bytes: 0, failure: 'there is no such study' }])
    await assert.rejects(
      exportFolder(toolsOf(archive), out),
      (error) => error instanceof ArchiveError && error.code === 'request.conflict',
    )
  })
})

// What leaves is checked again: a damaged object must not go out as a good one, and must not stop the others.
test('export: a damaged object is named and left out', async () => {
  await withArchive(async (archive, folder) => {
    await archive.store(ctFiles(3))
    const [location] = archive.kept.inSegment('000001.tar').map((object) => object.location)
    assert.ok(location)
    const path = join(archive.directory, 'segments/000001.tar')
    const bytes = fs.readFileSync(path)
    bytes[location.offset + 1000] = (bytes[location.offset + 1000] ?? 0) ^ 4
    fs.writeFileSync(path, bytes)
    const items: ExportItem[] = []
    const { files, failed } = await exportFolder(toolsOf(archive, items), join(folder, 'out'))
    assert.deepEqual({ files, failed }, { files: 2, failed: 1 })
    assert.equal(filesBelow(join(folder, 'out')).length, 2)
    assert.match(items.find(({ failure }) => failure !== null)?.failure ?? '', /digest/)
  })
})

test('export: a ZIP has the same files', async () => {
  await withArchive(async (archive, folder) => {
    await archive.store(ctFiles(3))
    const { stream, finished } = exportZip(toolsOf(archive))
    const pieces: Uint8Array[] = []
    for await (const piece of stream) pieces.push(piece)
    assert.equal(finished().files, 3)
    const zip = Buffer.concat(pieces)
    for (const { location } of archive.kept.inSegment('000001.tar')) {
      assert.ok(zip.includes(Buffer.from((await archive.segments.read(location)) ?? [])))
    }
    assert.equal(fs.existsSync(join(folder, 'out')), false)
  })
})
