import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import fs from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { ArchiveError } from '#errors.ts'
import { EVERYTHING } from '#model/visibility.ts'
import { memorySource } from '#standards/byte-source.ts'
import { type DataSet, readDataSet } from '#standards/dicom/data-set.ts'
import { openPart10 } from '#standards/dicom/open.ts'
import { ctFiles, type SmallArchive, smallArchive, temporaryFolder } from '../../test/support/small-archive.ts'
import { buildDicomdir } from './dicomdir.ts'
import { type ExportItem, exportFolder, exportZip } from './export.ts'
import { recordType } from './media-record.ts'

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

test('export: media have short names and a DICOMDIR that leads to every file', async (t) => {
  await withArchive(async (archive, folder) => {
    await archive.store(ctFiles(3))
    await archive.store(ctFiles(2, 'other'))
    const out = join(folder, 'out')
    await exportFolder(toolsOf(archive), out, { media: true })
    const files = filesBelow(out)
    assert.equal(files.length, 6)
    for (const file of files) {
      for (const part of file.split('/')) assert.match(part, /^[A-Z0-9_]{1,8}$/)
    }
    const directory = fs.readFileSync(join(out, 'DICOMDIR'))
    const led = follow(directory)
    assert.deepEqual(
      led
        .filter(({ file }) => file !== '')
        .map(({ file }) => file.replaceAll('\\', '/'))
        .sort(),
      files.filter((file) => file !== 'DICOMDIR'),
    )
    assert.deepEqual(Map.groupBy(led, ({ type }) => type).get('PATIENT')?.length, 2)
    assert.deepEqual(
      led.map(({ type }) => type).filter((type) => type !== 'IMAGE'),
      ['PATIENT', 'STUDY', 'SERIES', 'PATIENT', 'STUDY', 'SERIES'],
    )
    otherReader(t, out)
  })
})

/** Walks the records by their offsets alone, as a reader of the medium does. */
function follow(directory: Buffer): { type: string; file: string }[] {
  const opened = openPart10(memorySource(directory))
  const { dataSetStart } = opened
  const dataSet = readDataSet(opened.dataSet, opened.encoding)
  const items = dataSet.get(0x00041220)?.items ?? []
  const bytesAt = (item: DataSet, tag: number): Buffer => {
    const element = item.get(tag)
    if (element === undefined) return Buffer.alloc(0)
    const at = dataSetStart + element.valueOffset
    return directory.subarray(at, at + element.valueLength)
  }
  const text = (item: DataSet, tag: number) => bytesAt(item, tag).toString('latin1').trim()
  const byOffset = new Map(items.map((item) => [dataSetStart + item.start - 8, item]))
  const found: { type: string; file: string }[] = []
  const walk = (offset: number) => {
    for (let at = offset; at !== 0; ) {
      const item = byOffset.get(at)
      assert.ok(item, `no record at ${at}`)
      found.push({ type: text(item, 0x00041430), file: text(item, 0x00041500) })
      walk(bytesAt(item, 0x00041420).readUInt32LE(0))
      at = bytesAt(item, 0x00041400).readUInt32LE(0)
    }
  }
  walk(bytesAt(dataSet, 0x00041200).readUInt32LE(0))
  assert.equal(found.length, byOffset.size)
  return found
}

function otherReader(t: TestContext, out: string): void {
  try {
    const text = execFileSync('dcmdump', [join(out, 'DICOMDIR')], { encoding: 'utf8', stdio: 'pipe' })
    assert.equal(text.match(/DirectoryRecordType/g)?.length, 11)
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') t.diagnostic('dcmdump is not here')
    else throw error
  }
}

test('export: a ZIP has the same files', async () => {
  await withArchive(async (archive, folder) => {
    await archive.store(ctFiles(3))
    const { stream, finished } = exportZip(toolsOf(archive), { media: true })
    const pieces: Uint8Array[] = []
    for await (const piece of stream) pieces.push(piece)
    assert.equal(finished().files, 3)
    const zip = Buffer.concat(pieces)
    for (const name of ['DICOM/ST000001/SE000001/I0000003', 'DICOMDIR']) assert.ok(zip.includes(name), name)
    for (const { location } of archive.kept.inSegment('000001.tar')) {
      assert.ok(zip.includes(Buffer.from((await archive.segments.read(location)) ?? [])))
    }
    assert.equal(fs.existsSync(join(folder, 'out')), false)
  })
})

test('dicomdir: nothing is a directory too', () => {
  const { dataSet: source, encoding } = openPart10(memorySource(buildDicomdir([])))
  const dataSet = readDataSet(source, encoding)
  assert.deepEqual([...dataSet.elements.keys()], [0x00041130, 0x00041200, 0x00041202, 0x00041212, 0x00041220])
})

const types: [uid: string, type: string][] = [
  ['1.2.840.10008.5.1.4.1.1.2', 'IMAGE'],
  ['1.2.840.10008.5.1.4.1.1.88.59', 'KEY OBJECT DOC'],
  ['1.2.840.10008.5.1.4.1.1.88.67', 'SR DOCUMENT'],
  ['1.2.840.10008.5.1.4.1.1.104.1', 'ENCAP DOC'],
  ['1.2.840.10008.5.1.4.1.1.9.1.1', 'WAVEFORM'],
  ['1.2.840.10008.5.1.4.1.1.66', 'RAW DATA'],
  ['1.2.840.10008.5.1.4.1.1.66.4', 'IMAGE'],
  ['1.2.840.10008.5.1.4.1.1.481.1', 'IMAGE'],
]
for (const [uid, type] of types) test(`dicomdir: ${uid} is ${type}`, () => assert.equal(recordType(uid), type))
