import assert from 'node:assert/strict'
import { Buffer } from 'node:buffer'
import { test } from 'node:test'
import {
  imageFileDirectory,
  type TiffPersonality,
  tiffHeader,
  withTiffPersonality,
} from '#arrival/demo-patient-tiff.ts'
import { memorySource } from '#standards/byte-source.ts'
import { openPart10 } from '#standards/dicom/open.ts'
import { buildPart10, part10 } from '../../../test/fixtures/dicom-builder.ts'
import { ctImage } from '../../../test/fixtures/objects.ts'
import { mzHeader, zip } from '../../../test/fixtures/programs.ts'
import { staleTiffPreamble, tiffSlide } from '../../../test/fixtures/slides.ts'
import { judge, PLAIN_POLICY, type VerdictRow } from '../../../test/support/screening-fixture.ts'
import { checkDualPersonality } from './dual-personality.ts'

const CT = '1.2.840.10008.5.1.4.1.1.2'
type Mutation = (tiff: TiffPersonality) => TiffPersonality
const slide = (mutate?: Mutation) => () => tiffSlide(mutate === undefined ? {} : { mutate })
const entry =
  (tag: number, type: number, values: readonly number[], count?: number): Mutation =>
  (tiff) => ({
    ...tiff,
    entries: [count === undefined ? { tag, type, values } : { tag, type, values, count }],
  })
const change =
  (bytes: () => Buffer, edit: (bytes: Buffer) => void): (() => Buffer) =>
  () => {
    const file = bytes()
    edit(file)
    return file
  }

/** A 16-bit CT with a TIFF over its pixels, in the byte order given. */
function ct(byteOrder: 'II' | 'MM', mutate: Mutation = (tiff) => tiff): () => Buffer {
  return () => {
    const built = buildPart10({ elements: ctImage() })
    const { start, end } = built.values.get(0x7fe00010)!
    const side = 16
    return withTiffPersonality(
      built.bytes,
      mutate({
        byteOrder,
        big: false,
        width: side,
        height: side,
        tileWidth: side,
        tileHeight: side,
        samplesPerPixel: 1,
        bitsPerSample: 16,
        photometric: 1,
        compression: 1,
        tiles: [{ offset: start, length: end - start }],
      }),
    )
  }
}

/** The directory behind the data set instead of inside it. */
function directoryBehind(): Buffer {
  const { bytes } = buildPart10({ elements: ctImage() })
  const whole = Buffer.concat([bytes, imageFileDirectory(small, bytes.length)])
  tiffHeader('II', false, bytes.length).copy(whole)
  return whole
}

/** A directory with one missing tile. */
const small: TiffPersonality = {
  byteOrder: 'II',
  big: false,
  width: 16,
  height: 16,
  tileWidth: 16,
  tileHeight: 16,
  samplesPerPixel: 1,
  bitsPerSample: 16,
  photometric: 1,
  compression: 1,
  tiles: [{ offset: 0, length: 0 }],
}

/** The directory in a private element. */
function directoryInPrivate(): Buffer {
  const length = imageFileDirectory(small, 0).length
  const elements = { ...ctImage(), '00090010 LO': 'FIXTURE CARRIER', '00091001 OB': Buffer.alloc(length) }
  const built = buildPart10({ elements })
  const at = built.values.get(0x00091001)!.start
  imageFileDirectory(small, at).copy(built.bytes, at)
  tiffHeader('II', false, at).copy(built.bytes)
  return built.bytes
}

/** Points the first directory's successor at itself. */
function cycle(): Buffer {
  const file = tiffSlide()
  const at = file.readUInt32LE(4)
  file.writeUInt32LE(at, at + 2 + file.readUInt16LE(at) * 12)
  return file
}

/** More bytes in the padding, behind the directory. */
function padded(more: Uint8Array): () => Buffer {
  return () => {
    const file = tiffSlide()
    const at = file.readUInt32LE(4)
    const whole = Buffer.concat([file, more])
    whole.writeUInt32LE(whole.length - at, at - 4)
    return whole
  }
}

/** A directory in the preamble itself, which is large enough for eight entries. */
function directoryInPreamble(): Buffer {
  const built = buildPart10({ elements: ctImage() })
  const { start, end } = built.values.get(0x7fe00010)!
  const file = built.bytes
  tiffHeader('II', false, 8).copy(file)
  const rows = [
    [256, 4, 16],
    [257, 4, 16],
    [258, 3, 16],
    [259, 3, 1],
    [262, 3, 1],
    [273, 4, start],
    [277, 3, 1],
    [278, 4, 16],
    [279, 4, end - start],
  ]
  file.writeUInt16LE(rows.length, 8)
  rows.forEach(([tag, type, value], i) => {
    file.writeUInt16LE(tag!, 10 + i * 12)
    file.writeUInt16LE(type!, 12 + i * 12)
    file.writeUInt32LE(1, 14 + i * 12)
    file.writeUInt32LE(value!, 18 + i * 12)
  })
  return file
}

const keepCt = { policy: { tiffSopClasses: [CT] } }

// Threat catalogue section 2: the exception for slides must not become a hole. Each rule broken singly.
const rows: (VerdictRow & { keep?: boolean })[] = [
  { name: 'classic II', bytes: slide(), verdict: 'accept', keep: true },
  { name: 'classic MM', bytes: () => tiffSlide({ byteOrder: 'MM' }), verdict: 'accept', keep: true },
  { name: 'BigTIFF', bytes: () => tiffSlide({ big: true }), verdict: 'accept', keep: true },
  {
    name: 'JPEG fragments, BigTIFF MM',
    bytes: () => tiffSlide({ tiles: 'jpeg', big: true, byteOrder: 'MM' }),
    verdict: 'accept',
    keep: true,
  },
  { name: 'directory in the preamble, strips', bytes: directoryInPreamble, how: keepCt, verdict: 'accept', keep: true },
  {
    name: '1: BigTIFF with offset size 4',
    bytes: change(
      () => tiffSlide({ big: true }),
      (file) => file.writeUInt16LE(4, 4),
    ),
    verdict: 'sanitise',
    rule: 'P8',
  },
  {
    name: '2: another byte in the preamble',
    bytes: change(slide(), (file) => file.writeUInt8(7, 100)),
    verdict: 'quarantine',
    rule: 'TIFF-2',
  },
  {
    name: '2: a script in the preamble',
    bytes: change(slide(), (file) => file.write('<script>', 40)),
    verdict: 'quarantine',
    rule: 'TIFF-2',
  },
  { name: '3: directory behind the data set', bytes: directoryBehind, verdict: 'quarantine', rule: 'TIFF-3' },
  { name: '3: directory in a private element', bytes: directoryInPrivate, verdict: 'quarantine', rule: 'TIFF-3' },
  { name: '4: cycle', bytes: cycle, verdict: 'quarantine', rule: 'TIFF-4' },
  {
    name: '4: count overflow',
    bytes: slide(entry(305, 2, [65, 66, 67, 68, 69, 0], 0x7fffffff)),
    verdict: 'quarantine',
    rule: 'TIFF-4',
  },
  { name: '5: unknown private tag', bytes: slide(entry(50000, 4, [1])), verdict: 'quarantine', rule: 'TIFF-5' },
  { name: '5: old-style JPEG', bytes: slide(entry(513, 4, [1])), verdict: 'quarantine', rule: 'TIFF-5' },
  {
    name: '5: 64 KiB and a byte of text',
    bytes: slide(entry(270, 2, new Array(65_537).fill(65))),
    verdict: 'quarantine',
    rule: 'TIFF-5',
  },
  {
    name: '5 near: 64 KiB of text',
    bytes: slide(entry(270, 2, new Array(65_536).fill(65))),
    verdict: 'accept',
    keep: true,
  },
  {
    name: '6: a tile elsewhere',
    bytes: slide((tiff) => ({
      ...tiff,
      tiles: tiff.tiles.map((tile, i) => (i === 1 ? { ...tile, offset: 132 } : tile)),
    })),
    verdict: 'quarantine',
    rule: 'TIFF-6',
  },
  {
    name: '6: a tile one byte too long',
    bytes: slide((tiff) => ({
      ...tiff,
      tiles: tiff.tiles.map((tile, i) => (i === 3 ? { ...tile, length: tile.length + 1 } : tile)),
    })),
    verdict: 'quarantine',
    rule: 'TIFF-6',
  },
  { name: '6: strips too', bytes: slide(entry(273, 4, [1])), verdict: 'quarantine', rule: 'TIFF-6' },
  {
    name: '6: a tile over two fragments',
    bytes: () =>
      tiffSlide({
        tiles: 'jpeg',
        mutate: (tiff) => ({
          ...tiff,
          tiles: tiff.tiles.map((tile, i) => (i === 0 ? { ...tile, length: tile.length + 20 } : tile)),
        }),
      }),
    verdict: 'quarantine',
    rule: 'TIFF-6',
  },
  {
    name: '6 near: a missing tile',
    bytes: slide((tiff) => ({
      ...tiff,
      tiles: tiff.tiles.map((tile, i) => (i === 2 ? { offset: 0, length: 0 } : tile)),
    })),
    verdict: 'accept',
    keep: true,
  },
  { name: '7: width', bytes: slide((tiff) => ({ ...tiff, width: 65 })), verdict: 'sanitise', rule: 'TIFF-7' },
  { name: '7: tile size', bytes: slide((tiff) => ({ ...tiff, tileWidth: 16 })), verdict: 'sanitise', rule: 'TIFF-7' },
  {
    name: '7: compression',
    bytes: slide((tiff) => ({ ...tiff, compression: 7 })),
    verdict: 'sanitise',
    rule: 'TIFF-7',
  },
  { name: '7: bits', bytes: slide((tiff) => ({ ...tiff, bitsPerSample: 16 })), verdict: 'sanitise', rule: 'TIFF-7' },
  { name: '7: MM over 16 bits', bytes: ct('MM'), how: keepCt, verdict: 'sanitise', rule: 'TIFF-7' },
  { name: '7 near: II over 16 bits', bytes: ct('II'), how: keepCt, verdict: 'accept', keep: true },
  {
    name: '8: a program in the padding',
    bytes: padded(Buffer.concat([Buffer.from('7f454c4602010100', 'hex'), Buffer.alloc(8)])),
    verdict: 'quarantine',
    rule: 'TIFF-8',
  },
  { name: '8: 66 unclaimed bytes', bytes: padded(Buffer.alloc(66, 1)), verdict: 'quarantine', rule: 'TIFF-8' },
  {
    name: '8: bytes behind the data set',
    bytes: () => Buffer.concat([tiffSlide(), Buffer.from('xx')]),
    verdict: 'quarantine',
    rule: 'TIFF-8',
  },
  {
    name: '8: a ZIP behind the data set',
    bytes: () => Buffer.concat([tiffSlide(), zip([{ name: 'a', content: Buffer.from('b') }])]),
    verdict: 'quarantine',
  },
  { name: '8 near: 64 unclaimed bytes', bytes: padded(Buffer.alloc(64, 1)), verdict: 'accept', keep: true },
  { name: '9: another class', bytes: () => tiffSlide({ sopClass: CT }), verdict: 'sanitise', rule: 'TIFF-9' },
  {
    name: '9: a class the site names',
    bytes: () => tiffSlide({ sopClass: CT }),
    how: keepCt,
    verdict: 'accept',
    keep: true,
  },
  {
    name: '9: a site that keeps all',
    bytes: () => tiffSlide({ sopClass: CT }),
    how: { policy: { rules: { 'TIFF-9': 'keep' } } },
    verdict: 'accept',
    keep: true,
  },
  {
    name: 'stale: past the end',
    bytes: () => part10({ elements: ctImage(), preamble: staleTiffPreamble() }),
    verdict: 'sanitise',
    rule: 'P7',
  },
  {
    name: 'stale: into noise',
    bytes: change(slide(), (file) => file.writeUInt32LE(600, 4)),
    verdict: 'sanitise',
    rule: 'P7',
  },
  {
    name: 'a program instead',
    bytes: change(slide(), (file) => mzHeader(0).copy(file)),
    verdict: 'quarantine',
    rule: 'P2',
  },
]

for (const { name, bytes, verdict, rule, how, keep = false } of rows) {
  test(`dual personality: ${name}`, () => {
    const screened = judge(bytes(), how)
    const told = screened.findings.map((finding) => `${finding.rule} ${finding.detail}`).join(', ')
    assert.equal(screened.verdict, verdict, told)
    assert.equal(screened.keepPreamble, keep, told)
    if (rule !== undefined) assert.match(screened.reason, new RegExp(`^${rule}:`), told)
    // What is not kept goes entirely: header and directory.
    if (verdict === 'sanitise' && rule !== 'P8' && name !== 'stale: past the end')
      assert.equal(screened.elementsDiscarded, true)
  })
}

test('dual personality: a missing byte in front of the pixels is noticed on the way out', () => {
  const file = tiffSlide()
  const source = memorySource(file)
  assert.equal(checkDualPersonality(source, openPart10(source), PLAIN_POLICY).outcome, 'valid')
  // As after a coercion that made an element two bytes longer: every offset is stale.
  const at = openPart10(source).dataSetStart
  const longer = memorySource(
    Buffer.concat([file.subarray(0, at), Buffer.from('0800010055490000', 'hex'), file.subarray(at)]),
  )
  assert.notEqual(checkDualPersonality(longer, openPart10(longer), PLAIN_POLICY).outcome, 'valid')
})
