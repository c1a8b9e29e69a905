import assert from 'node:assert/strict'
import fs from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { ArchiveError } from '#errors.ts'
import type { StoredInstance } from '#model/archive-object.ts'
import { EVERYTHING } from '#model/visibility.ts'
import { memorySource } from '#standards/byte-source.ts'
import { type DataSet, readDataSet, string } from '#standards/dicom/data-set.ts'
import { openPart10 } from '#standards/dicom/open.ts'
import { EXPLICIT_LITTLE_ENDIAN } from '#standards/dicom/transfer-syntax.ts'
import { openSegmentSource } from '#storage/file-source.ts'
import { part10 } from '../../test/fixtures/dicom-builder.ts'
import { ctSeries, STUDY } from '../../test/fixtures/objects.ts'
import { judge } from '../../test/support/screening-fixture.ts'
import { ctFiles, type SmallArchive, smallArchive, temporaryFolder } from '../../test/support/small-archive.ts'
import { buildDicomdir } from './dicomdir.ts'
import type { ExportItem } from './export.ts'
import { exportMedia, type MediaOptions } from './export-media.ts'
import { recordType } from './media-record.ts'
import { profileOf } from './pdi-pages.ts'

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

function toolsOf(archive: SmallArchive, items: ExportItem[] = [], signal?: AbortSignal) {
  const { reader, segments, directory } = archive
  return {
    reader,
    segments,
    visibility: EVERYTHING,
    onItem: (item: ExportItem) => items.push(item),
    open: (stored: StoredInstance) => openSegmentSource(join(directory, 'segments'), stored.location),
    ...(signal === undefined ? {} : { signal }),
  }
}

const DISC: MediaOptions = { form: 'folder', site: 'Sankt Nowhere', time: new Date('2026-01-02T03:04:05Z') }

function filesBelow(folder: string): string[] {
  return fs
    .readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map(({ parentPath, name }) => join(parentPath, name).slice(folder.length + 1))
    .sort()
}

test('a disc has short names, pages, no program, and a DICOMDIR that leads to every object', async () => {
  await withArchive(async (archive, folder) => {
    await archive.store(ctFiles(3))
    await archive.store(ctFiles(2, 'other'))
    const out = join(folder, 'out')
    const summary = await exportMedia(toolsOf(archive), out, DISC)
    assert.deepEqual([summary.files, summary.failed], [5, 0])
    const files = filesBelow(out)
    assert.deepEqual(
      files.filter((file) => !file.startsWith('DICOM/')),
      ['DICOMDIR', 'IHE_PDI/ST000001.HTM', 'IHE_PDI/ST000002.HTM', 'INDEX.HTM', 'README.TXT'],
    )
    for (const file of files) {
      for (const part of file.split('/')) assert.match(part, /^[A-Z0-9_]{1,8}(\.(TXT|HTM))?$/)
    }
    const directory = fs.readFileSync(join(out, 'DICOMDIR'))
    assert.ok(directory.includes('DIPTYCH_20260102'))
    const led = follow(directory)
    assert.deepEqual(
      led
        .filter(({ file }) => file !== '')
        .map(({ file }) => file.replaceAll('\\', '/'))
        .sort(),
      files.filter((file) => file.startsWith('DICOM/')),
    )
    assert.deepEqual(
      led.map(({ type }) => type).filter((type) => type !== 'IMAGE'),
      ['PATIENT', 'STUDY', 'SERIES', 'PATIENT', 'STUDY', 'SERIES'],
    )
    const readme = fs.readFileSync(join(out, 'README.TXT'), 'latin1')
    assert.match(readme, /Sankt Nowhere/)
    assert.doesNotMatch(readme, /fixture|P-other|[^\r\n\x20-\x7e]/, 'no patient in README.TXT')
    const links = [...fs.readFileSync(join(out, 'INDEX.HTM'), 'utf8').matchAll(/href="([^"]+)"/g)].map(([, to]) => to)
    for (const to of links) assert.ok(fs.existsSync(join(out, to ?? '')), to)
  })
})

// What we hand out must be what we would take in ourselves.
test('every object of a disc passes our own screening, with a preamble of zeros and the same data set', async () => {
  await withArchive(async (archive, folder) => {
    await archive.store(ctFiles(3))
    const out = join(folder, 'out')
    await exportMedia(toolsOf(archive), out, DISC)
    const objects = filesBelow(join(out, 'DICOM'))
    assert.equal(objects.length, 3)
    for (const file of objects) {
      const bytes = fs.readFileSync(join(out, 'DICOM', file))
      assert.equal(judge(bytes, { door: 'media', path: file }).verdict, 'accept')
      assert.ok(bytes.subarray(0, 128).every((byte) => byte === 0))
      const { dataSetStart, dataSet, encoding } = openPart10(memorySource(bytes))
      const uid = string(readDataSet(dataSet, encoding), 0x00080018) ?? ''
      const found = await archive.reader.find(uid, EVERYTHING)
      assert.ok(found)
      const kept = (await archive.segments.read(found.location)) ?? Buffer.alloc(0)
      assert.ok(Buffer.from(kept.subarray(found.dataSetOffset)).equals(bytes.subarray(dataSetStart)))
    }
  })
})

test('implicit little endian and big endian leave in explicit little endian', async () => {
  for (const syntax of ['1.2.840.10008.1.2', '1.2.840.10008.1.2.2', '1.2.840.10008.1.2.1.99']) {
    await withArchive(async (archive, folder) => {
      const elements = ctSeries(1, 16, { ...STUDY, name: 'syntax', patientId: 'P-1' })[0]!
      await archive.store([part10({ elements, transferSyntax: syntax })])
      const out = join(folder, 'out')
      const items: ExportItem[] = []
      await exportMedia(toolsOf(archive, items), out, DISC)
      assert.deepEqual(
        items.map(({ failure }) => failure),
        [null],
      )
      const bytes = fs.readFileSync(join(out, 'DICOM/ST000001/SE000001/I0000001'))
      assert.equal(openPart10(memorySource(bytes)).transferSyntax.uid, EXPLICIT_LITTLE_ENDIAN)
      assert.ok(fs.readFileSync(join(out, 'DICOMDIR')).includes(EXPLICIT_LITTLE_ENDIAN))
    })
  }
})

test('a damaged object is named and left out of every form', async () => {
  for (const form of ['folder', 'zip', 'iso'] as const) {
    await withArchive(async (archive, folder) => {
      await archive.store(ctFiles(3))
      const [location] = archive.kept.inSegment('000001.tar').map((object) => object.location)
      assert.ok(location)
      const path = join(archive.directory, 'segments/000001.tar')
      const bytes = fs.readFileSync(path)
      bytes[location.offset + 1000] = (bytes[location.offset + 1000] ?? 0) ^ 4
      fs.writeFileSync(path, bytes)
      const items: ExportItem[] = []
      const { files, failed } = await exportMedia(toolsOf(archive, items), join(folder, 'out'), { ...DISC, form })
      assert.deepEqual({ files, failed }, { files: 2, failed: 1 })
      assert.match(items.find(({ failure }) => failure !== null)?.failure ?? '', /digest/)
    })
  }
})

test('a ZIP and an image end early without leaving half of one', async () => {
  for (const form of ['zip', 'iso'] as const) {
    await withArchive(async (archive, folder) => {
      await archive.store(ctFiles(3))
      const out = join(folder, 'out')
      const stop = new AbortController()
      const tools = toolsOf(archive, [], stop.signal)
      const stopping = { ...tools, onItem: () => stop.abort(new Error('enough')) }
      await assert.rejects(exportMedia(stopping, out, { ...DISC, form }), /enough/)
      assert.equal(fs.existsSync(out), false)
      fs.writeFileSync(out, 'mine')
      const conflict = (error: unknown) => error instanceof ArchiveError && error.code === 'request.conflict'
      await assert.rejects(exportMedia(toolsOf(archive), out, { ...DISC, form }), conflict)
      assert.equal(fs.readFileSync(out, 'utf8'), 'mine')
    })
  }
})

test('a label that no disc may have is refused before anything is written', async () => {
  await withArchive(async (archive, folder) => {
    for (const label of ['lower', 'SEVENTEEN_LETTERS', '', 'A B']) {
      const out = join(folder, 'out')
      const refused = (error: unknown) => error instanceof ArchiveError && error.code === 'request.malformed'
      await assert.rejects(exportMedia(toolsOf(archive), out, { ...DISC, label }), refused)
      assert.equal(fs.existsSync(out), false)
    }
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

const profiles: [uid: string, profile: string | null][] = [
  ['1.2.840.10008.1.2.4.70', 'STD-GEN-DVD-JPEG'],
  ['1.2.840.10008.1.2.4.90', 'STD-GEN-DVD-J2K'],
  ['1.2.840.10008.1.2.4.80', null],
  ['1.2.840.10008.1.2.5', null],
]
for (const [uid, profile] of profiles)
  test(`${uid} stands on a disc by ${profile}`, () => assert.equal(profileOf(uid), profile))
