import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import dicomParser from 'dicom-parser'
import { type ByteSource, memorySource } from '../byte-source.ts'
import { readDataSet, string, strings } from './data-set.ts'
import { tagOf } from './dictionary.ts'
import { DicomError } from './errors.ts'
import { frameRanges, frameTable } from './frames.ts'
import { jsonToDataSet, writeDicomJson } from './json.ts'
import { parseJson } from './json-parser.ts'
import { DEFAULT_LIMITS } from './limits.ts'
import { openPart10 } from './open.ts'
import { pixelElement } from './pixel-element.ts'
import { QuietVisitor } from './quiet-visitor.ts'
import { walkDataSet } from './walk.ts'
import { toWritable, writePart10 } from './write.ts'
import { datasetToXml } from './xml.ts'

const SAMPLES = process.env['DIPTYCH_SAMPLES'] ?? join(import.meta.dirname, '../../../../shared/data')
const present = existsSync(join(SAMPLES, 'EXPECTED-DICOM.tsv'))

type Row = Readonly<Record<string, string>>

function rowsOf(file: string): Row[] {
  const [head = '', ...lines] = readFileSync(join(SAMPLES, file), 'utf8').trimEnd().split('\n')
  const names = head.split('\t')
  return lines.map((line) => {
    const cells = line.split('\t')
    return Object.fromEntries(names.map((name, index) => [name, cells[index] ?? '']))
  })
}

function sample(name: string, run: () => void): void {
  test(name, (t) => {
    if (!present) {
      t.diagnostic(`no samples at ${SAMPLES}: set DIPTYCH_SAMPLES`)
      t.skip()
      return
    }
    run()
  })
}

const read = (path: string) => readFileSync(join(SAMPLES, path))

function objects(): { path: string; bytes: Buffer }[] {
  return rowsOf('EXPECTED-DICOM.tsv').map(({ path = '' }) => ({ path, bytes: read(path) }))
}

/** Opens and reads all that there is: what every door does with a file. */
function readAll(bytes: Uint8Array): string {
  const part10 = openPart10(memorySource(bytes), { bare: true })
  const dataSet = readDataSet(part10.dataSet, part10.encoding)
  const pixel = pixelElement(dataSet)
  const table = pixel === null ? null : frameTable(pixel, part10.transferSyntax, part10.dataSet)
  if (table !== null) for (let n = 1; n <= Math.min(table.count, 50); n++) frameRanges(table, n)
  return Buffer.from(writeDicomJson(part10, { bulkDataUri: (path) => path, inlineMax: 1024 }).json).toString()
}

// What the toolkits and we do not agree on; the standard decides.
const EXCEPTIONS: Readonly<Record<string, string>> = {
  'part10/malformed/rtplan_truncated.dcm':
    'ends within a sequence: dcmtk refuses it, pydicom reads what is there; a value that is not all there is malformed',
}
const BARE_BY_CHANCE = 'part10/preamble/no-preamble-but-DICM-at-128' // the toolkits begin at byte 132, within a value
const TABLE_COLUMNS = (
  'SOPClassUID TransferSyntaxUID SOPInstanceUID StudyInstanceUID SeriesInstanceUID PatientID PatientName Modality ' +
  'SpecificCharacterSet NumberOfFrames Rows Columns BitsAllocated BitsStored PixelRepresentation SamplesPerPixel ' +
  'PhotometricInterpretation AccessionNumber'
).split(' ')

/** pydicom shows several values as a list of Python. */
function expectedText(cell: string): string {
  if (!cell.startsWith('[')) return cell
  return cell
    .slice(1, -1)
    .split(', ')
    .map((value) => (value.startsWith("'") ? value.slice(1, -1) : value))
    .join('\\')
}

sample('samples: every file reads as two toolkits read it', () => {
  for (const row of rowsOf('EXPECTED-DICOM.tsv')) {
    const { path = '' } = row
    const open = () => openPart10(memorySource(read(path)), { bare: true })
    if (EXCEPTIONS[path] !== undefined) {
      assert.throws(() => readDataSet(open().dataSet, open().encoding), DicomError, EXCEPTIONS[path])
      continue
    }
    const { dataSet: source, encoding, meta } = open()
    const dataSet = readDataSet(source, encoding)
    if (path === BARE_BY_CHANCE) {
      assert.equal(string(dataSet, 0x00080060), 'MG')
      continue
    }
    for (const column of TABLE_COLUMNS) {
      const tag = tagOf(column)
      // pydicom names no transfer syntax for a file that declares none; a bare file without group 0002 keeps it so.
      if (column === 'TransferSyntaxUID') {
        if (meta !== null) assert.equal(meta.transferSyntaxUID ?? '', row[column], path)
        continue
      }
      assert(tag !== undefined)
      assert.equal(strings(dataSet, tag).join('\\'), expectedText(row[column] ?? ''), `${path} ${column}`)
    }
    const privateElements = [...dataSet.elements.keys()].filter((tag) => (tag & 0x10000) !== 0).length
    assert.equal(String(privateElements), row['private'], `${path} private elements`)
    assert.equal(dataSet.walk?.end, source.size, `${path} ends where its data set ends`)
  }
})

sample('samples: every frame of every image is found, but for files that were cut', () => {
  const without: string[] = []
  for (const { path, bytes } of objects()) {
    if (EXCEPTIONS[path] !== undefined) continue
    const part10 = openPart10(memorySource(bytes), { bare: true })
    const pixel = pixelElement(readDataSet(part10.dataSet, part10.encoding))
    if (pixel === null || pixel.rows === 0) continue
    const table = frameTable(pixel, part10.transferSyntax, part10.dataSet)
    const missing =
      table === null || Array.from({ length: table.count }, (_, i) => frameRanges(table, i + 1)).includes(undefined)
    if (missing) without.push(path)
  }
  assert.deepEqual(without, ['part10/malformed/3gb-bulk-data-truncated', 'part10/malformed/MR_truncated.dcm'])
})

interface JsonElement {
  readonly vr: string
  readonly Value?: readonly unknown[]
  readonly InlineBinary?: string
  readonly BulkDataURI?: string
}

/** Paths at which two objects of the JSON model differ, in the notation of dicom-json/EXPECTED.tsv. */
function differences(ours: Record<string, JsonElement>, theirs: Record<string, JsonElement>, above = ''): string[] {
  const found: string[] = []
  for (const tag of new Set([...Object.keys(ours), ...Object.keys(theirs)])) {
    const a = ours[tag]
    const b = theirs[tag]
    const path = `${above}/${tag}`
    if (a === undefined || b === undefined || a.vr !== b.vr) {
      found.push(path)
      continue
    }
    if (a.vr === 'SQ') {
      const items = Math.max(a.Value?.length ?? 0, b.Value?.length ?? 0)
      for (let i = 0; i < items; i++) {
        const item = (value: JsonElement) => (value.Value?.[i] ?? {}) as Record<string, JsonElement>
        found.push(...differences(item(a), item(b), `${path}/Value[${i}]`))
      }
      continue
    }
    const sameBinary = a.BulkDataURI !== undefined || a.InlineBinary === b.InlineBinary
    if (JSON.stringify(normal(a)) !== JSON.stringify(normal(b)) || !sameBinary) found.push(path)
  }
  return found
}

/** Numbers as numbers: both forms are right for DS and IS, and for FL any that gives the same float. */
function normal({ vr, Value = [] }: JsonElement): unknown[] {
  return Value.map((value) => {
    if (vr === 'DS' || vr === 'IS') return value === null ? null : Number(value)
    return vr === 'FL' ? Math.fround(Number(value)) : value
  })
}

/** `^^^^` and trailing `^`: we keep a name as it was sent, dcmtk shortens it; PS3.5 6.2.1.1 allows both. */
const isCaretsOnly = (path: string, ours: string) => /\^+"/.test(ours) && path !== ''

sample('samples: DICOM JSON is what the toolkits expect', () => {
  for (const { source = '', expected_json: expected = '' } of rowsOf('dicom-json/EXPECTED.tsv')) {
    if (expected === '') continue
    const part10 = openPart10(memorySource(read(source)), { bare: true })
    const text = Buffer.from(writeDicomJson(part10, { bulkDataUri: (path) => path, inlineMax: 1e9 }).json).toString()
    const ours = JSON.parse(text) as Record<string, JsonElement>
    const parsed = JSON.parse(read(`dicom-json/${expected}`).toString()) as unknown
    const theirs = (Array.isArray(parsed) ? parsed[0] : parsed) as Record<string, JsonElement>
    const left = differences(ours, theirs).filter((path) => {
      const tag = path.slice(1, 9)
      return !(ours[tag]?.vr === 'PN' && isCaretsOnly(path, JSON.stringify(ours[tag]?.Value)))
    })
    // Odd length of nine: the standard has even lengths only, dcmtk pads, pydicom leaves the byte out; we show what is there.
    const odd = left.filter((path) => path !== '/00010001/Value[0]/00010002')
    assert.deepEqual(odd, [], source)
    const keys = [...(parseJson(text) as Map<string, unknown>).keys()]
    assert.deepEqual(keys, keys.toSorted(), `${source}: keys ascend`)
  }
})

sample('samples: parse(write(parse(x))) is parse(x), in every encoding that can hold it', () => {
  for (const { path, bytes } of objects()) {
    if (EXCEPTIONS[path] !== undefined || bytes.length > 300_000) continue
    const part10 = openPart10(memorySource(bytes), { bare: true })
    const dataSet = readDataSet(part10.dataSet, part10.encoding)
    const encapsulated = pixelElement(dataSet)?.fragments != null
    const options = { bulkDataUri: (bulk: string) => bulk, inlineMax: 1e9 }
    const before = JSON.parse(Buffer.from(writeDicomJson(part10, options).json).toString())
    const targets = encapsulated
      ? [part10.transferSyntax.uid]
      : ['1.2.840.10008.1.2', '1.2.840.10008.1.2.1', '1.2.840.10008.1.2.2', '1.2.840.10008.1.2.1.99']
    for (const transferSyntaxUID of targets) {
      // UN says nothing of byte order, and letters nobody knows do not survive implicit VR.
      const written = writePart10(toWritable(dataSet), { sopClassUID: '1.2', sopInstanceUID: '1.2', transferSyntaxUID })
      const again = openPart10(memorySource(written))
      const after = JSON.parse(Buffer.from(writeDicomJson(again, options).json).toString())
      if (transferSyntaxUID === '1.2.840.10008.1.2') {
        assert.deepEqual(Object.keys(after), Object.keys(before), path)
        continue
      }
      // Encapsulated Pixel Data is OB (PS3.5 section A.4), also where a sender wrote OW.
      if (encapsulated) after['7FE00010'].vr = before['7FE00010'].vr
      assert.deepEqual(withoutPad(after), withoutPad(before), `${path} as ${transferSyntaxUID}`)
    }
  }
})

/** Odd values get their pad byte when they are written. */
function withoutPad(value: unknown): unknown {
  return JSON.parse(
    JSON.stringify(value, (key, inner) =>
      key === 'InlineBinary' ? Buffer.from(String(inner), 'base64').toString('latin1').replace(/\0$/, '') : inner,
    ),
  )
}

sample('samples: JSON and back says the same', () => {
  for (const { path, bytes } of objects()) {
    if (EXCEPTIONS[path] !== undefined || bytes.length > 100_000) continue
    const part10 = openPart10(memorySource(bytes), { bare: true })
    const options = { bulkDataUri: (bulk: string) => bulk, inlineMax: 1e9 }
    const { json } = writeDicomJson(part10, options)
    let text = Buffer.from(json).toString()
    const back = jsonToDataSet(json, () => ({ is: 'bytes', bytes: new Uint8Array(2) }))
    const written = writePart10(back, { sopClassUID: '1.2', sopInstanceUID: '1.2' })
    let again = Buffer.from(writeDicomJson(openPart10(memorySource(written)), options).json).toString()
    if (!text.includes('"00080005"')) again = again.replace('"00080005":{"vr":"CS","Value":["ISO_IR 192"]},', '')
    text = JSON.stringify(withoutPad(JSON.parse(text)))
    again = JSON.stringify(withoutPad(JSON.parse(again)))
    assert.equal(again, text, path)
  }
})

sample('samples: read from a file in windows, the metadata is the same to the byte', () => {
  for (const { path, bytes } of objects()) {
    if (EXCEPTIONS[path] !== undefined) continue
    const shared = Buffer.alloc(bytes.length) // as a source that hands out the same memory again and again
    const source: ByteSource = {
      size: bytes.length,
      read(start, end) {
        const length = bytes.copy(shared, 0, start, Math.min(end, bytes.length))
        return shared.subarray(0, length)
      },
    }
    const options = { bulkDataUri: (bulk: string) => bulk, inlineMax: 100_000 }
    const windowed = writeDicomJson(openPart10(source, { bare: true }), options)
    const whole = writeDicomJson(openPart10(memorySource(bytes), { bare: true }), options)
    assert(Buffer.from(windowed.json).equals(whole.json), path)
    assert.deepEqual(windowed.walk, whole.walk, path)
  }
})

sample('samples: native XML is well formed and has every attribute', () => {
  for (const { path, bytes } of objects()) {
    if (EXCEPTIONS[path] !== undefined || bytes.length > 20_000) continue
    const part10 = openPart10(memorySource(bytes), { bare: true })
    const json = JSON.parse(
      Buffer.from(writeDicomJson(part10, { bulkDataUri: (uri) => uri, inlineMax: 64 }).json).toString(),
    )
    const xml = datasetToXml(json)
    const attributes = JSON.stringify(json).match(/"[\dA-F]{8}":\{"vr"/g)?.length ?? 0
    assert.equal(xml.match(/<DicomAttribute /g)?.length ?? 0, attributes, path)
    assert.equal(xml.match(/<\/DicomAttribute>/g)?.length ?? 0, attributes, path)
  }
})

// A chunk may end anywhere, and so may a disc. Small files are cut at every byte, larger ones at every byte of their
// beginning and end.
sample('samples: a file that is cut anywhere is read or refused by a typed error', () => {
  for (const { bytes } of objects()) {
    if (bytes.length > 12_000) continue
    const step = Math.max(1, Math.floor(bytes.length / 400))
    for (let length = 0; length < bytes.length; length += length < 200 ? 1 : step) {
      const cut = Uint8Array.prototype.slice.call(bytes, 0, length)
      try {
        const part10 = openPart10(memorySource(cut), { bare: true })
        walkDataSet(part10.dataSet, part10.encoding, 0, part10.dataSet.size, new QuietVisitor(), DEFAULT_LIMITS)
      } catch (error) {
        if (!(error instanceof DicomError)) throw error
      }
    }
  }
})

sample('samples: one small file, cut at every single byte', () => {
  for (const path of ['sr/test-SR.dcm', 'part10/malformed/UN_sequence.dcm', 'part10/charsets/chrSQEncoding.dcm']) {
    const bytes = read(path)
    for (let length = 0; length < bytes.length; length++) {
      try {
        readAll(bytes.subarray(0, length))
      } catch (error) {
        assert(error instanceof DicomError, `${path} cut at ${length}: ${error}`)
      }
    }
  }
})

sample('samples: a file with changed bytes is read or refused by a typed error, within a second', () => {
  let seed = 20240101
  const random = (below: number) => {
    seed = (Math.imul(seed, 1103515245) + 12345) & 0x7fffffff
    return seed % below
  }
  for (const { path, bytes } of objects()) {
    if (bytes.length > 12_000) continue
    for (let round = 0; round < 25; round++) {
      const changed = Uint8Array.prototype.slice.call(bytes)
      for (let i = 0; i <= random(4); i++) {
        const at = 128 + random(Math.max(1, changed.length - 128))
        changed[at] = [0, 0xff, 0x7f, 0xfe, random(256)][random(5)]!
      }
      const start = performance.now()
      try {
        readAll(changed)
      } catch (error) {
        assert(error instanceof DicomError, `${path}: ${error instanceof Error ? error.stack : error}`)
      }
      assert(performance.now() - start < 1000, path)
    }
  }
})

// dicom-parser knows no implicit VR dictionary, so only offsets, lengths and nesting are compared.
sample('samples: dicom-parser finds the same elements at the same offsets', () => {
  let compared = 0
  for (const { path, bytes } of objects()) {
    const part10 = openPart10(memorySource(bytes), { bare: true })
    if (part10.bare || part10.base === null || part10.problems.some(({ rule }) => rule === 'M6')) continue
    if (EXCEPTIONS[path] !== undefined || !part10.encoding.explicit || path.includes('DICOMDIR-nooffset')) continue
    let theirs: dicomParser.DataSet
    try {
      theirs = dicomParser.parseDicom(bytes)
    } catch (error) {
      // It throws strings, and refuses what we read past; those files are judged by the two tables above.
      assert(typeof error === 'string' || error instanceof Error || typeof error === 'object', path)
      continue
    }
    const ours = readDataSet(part10.source, part10.encoding, part10.base)
    for (const element of ours.elements.values()) {
      const key = `x${element.tag.toString(16).padStart(8, '0')}`
      const their = theirs.elements[key]
      assert(their !== undefined, `${path} ${key}`)
      assert.equal(their.dataOffset, element.valueOffset, `${path} ${key} offset`)
      if (element.items !== undefined && their.items !== undefined) {
        assert.equal(their.items.length, element.items.length, `${path} ${key} items`)
      }
      if (element.fragments !== undefined) {
        assert.equal((their.fragments ?? []).length, element.fragments.length - 1, `${path} ${key} fragments`)
      } else if (element.items === undefined && ours.walk?.truncated === false) {
        assert.equal(their.length, element.valueLength, `${path} ${key} length`)
      }
      compared++
    }
  }
  assert(compared > 10_000, `only ${compared} elements compared`)
})
