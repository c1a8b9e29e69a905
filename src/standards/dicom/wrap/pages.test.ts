import assert from 'node:assert/strict'
import { Buffer } from 'node:buffer'
import { test } from 'node:test'
import { inflateSync } from 'node:zlib'
import { type Elements, EXPLICIT_BE, JPEG_BASELINE, part10, RLE } from '../../../../test/fixtures/dicom-builder.ts'
import { jpeg } from '../../../../test/fixtures/jpeg.ts'
import { secondaryCapture } from '../../../../test/fixtures/objects.ts'
import { memorySource } from '../../byte-source.ts'
import { type PdfPage, pdfOfImages } from '../../media/pdf-of-images.ts'
import type { DecodeFrame } from '../../pixels/render-frame.ts'
import { openPart10 } from '../open.ts'
import { ConversionError } from './conversion-error.ts'
import { pagesOf } from './pages.ts'

function image(more: Elements): Elements {
  const { 'PixelData OB': _, ...head } = secondaryCapture({ columns: 2, rows: 2 }) as Record<string, Elements[string]>
  return { ...head, ...more }
}

async function pages(elements: Elements, transferSyntax = '1.2.840.10008.1.2.1', decode?: DecodeFrame) {
  const opened = openPart10(memorySource(part10({ elements, transferSyntax })))
  const made: PdfPage[] = []
  for await (const page of pagesOf(opened, decode === undefined ? {} : { decode })) made.push(page)
  return made
}

const words = (...values: readonly number[]) => Buffer.from(Uint16Array.from(values).buffer)
const rgb = { SamplesPerPixel: 3, PhotometricInterpretation: 'RGB', PlanarConfiguration: 0 }
const deep = { BitsAllocated: 16, BitsStored: 12, HighBit: 11 }
const bit = { BitsAllocated: 1, BitsStored: 1, HighBit: 0 }
const palette: Elements = {
  PhotometricInterpretation: 'PALETTE COLOR',
  'RedPaletteColorLookupTableDescriptor US': [2, 0, 16],
  'GreenPaletteColorLookupTableDescriptor US': [2, 0, 16],
  'BluePaletteColorLookupTableDescriptor US': [2, 0, 16],
  'RedPaletteColorLookupTableData OW': words(0x1234, 0xff00),
  'GreenPaletteColorLookupTableData OW': words(0x5678, 0x8000),
  'BluePaletteColorLookupTableData OW': words(0x9abc, 0),
}

/** RLE of single planes: one literal run each. PS3.5 Annex G. */
function rle(...planes: readonly (readonly number[])[]): Buffer {
  const header = Buffer.alloc(64)
  header.writeUInt32LE(planes.length)
  const parts = [header]
  let at = 64
  planes.forEach((plane, index) => {
    header.writeUInt32LE(at, 4 + 4 * index)
    const segment = Buffer.from([plane.length - 1, ...plane])
    at += segment.length
    parts.push(segment)
  })
  return Buffer.concat(parts)
}

// Paper that comes out black, negative or in wrong colours is paper nobody can read.
const rows: { name: string; elements: Elements; syntax?: string; pixels: readonly number[]; inverted?: boolean }[] = [
  { name: 'grey', elements: image({ 'PixelData OB': Buffer.from([1, 2, 3, 4]) }), pixels: [1, 2, 3, 4] },
  {
    name: 'grey, dark where high',
    elements: image({ PhotometricInterpretation: 'MONOCHROME1', 'PixelData OB': Buffer.from([1, 2, 3, 4]) }),
    pixels: [254, 253, 252, 251],
  },
  {
    name: '12 bits through their own range',
    elements: image({ ...deep, 'PixelData OW': words(100, 200, 300, 0xf000 | 355) }),
    pixels: [0, 100, 200, 255],
  },
  {
    name: '12 bits through a window, big endian',
    elements: image({
      ...deep,
      WindowCenter: '128',
      WindowWidth: '256',
      'PixelData OW': words(0, 0x100, 0x4000, 51 << 8),
    }),
    syntax: EXPLICIT_BE,
    pixels: [0, 1, 64, 51],
  },
  {
    name: 'one bit a pixel',
    elements: image({ ...bit, Rows: 3, Columns: 3, 'PixelData OB': Buffer.from([0b10001011, 1]) }),
    pixels: [0b11000000, 0b10000000, 0b01100000],
  },
  {
    name: 'one bit a pixel, dark where set',
    elements: image({
      ...bit,
      ...{ Rows: 3, Columns: 3, PhotometricInterpretation: 'MONOCHROME1' },
      'PixelData OB': Buffer.from([0b10001011, 1]),
    }),
    pixels: [0b11000000, 0b10000000, 0b01100000],
    inverted: true,
  },
  {
    name: 'colour by pixel',
    elements: image({ ...rgb, Rows: 1, 'PixelData OB': Buffer.from([1, 2, 3, 4, 5, 6]) }),
    pixels: [1, 2, 3, 4, 5, 6],
  },
  {
    name: 'colour by plane',
    elements: image({ ...rgb, Rows: 1, PlanarConfiguration: 1, 'PixelData OB': Buffer.from([1, 4, 2, 5, 3, 6]) }),
    pixels: [1, 2, 3, 4, 5, 6],
  },
  {
    name: 'YBR_FULL_422',
    elements: image({
      ...rgb,
      Rows: 1,
      PhotometricInterpretation: 'YBR_FULL_422',
      'PixelData OB': Buffer.from([76, 76, 85, 255]),
    }),
    pixels: [254, 0, 0, 254, 0, 0],
  },
  {
    name: 'palette',
    elements: image({ ...palette, Rows: 1, 'PixelData OB': Buffer.from([0, 1]) }),
    pixels: [0x12, 0x56, 0x9a, 0xff, 0x80, 0],
  },
  {
    name: 'RLE in colour',
    elements: image({ ...rgb, Rows: 1, PixelData: { fragments: [rle([1, 4], [2, 5], [3, 6])] } }),
    syntax: RLE,
    pixels: [1, 2, 3, 4, 5, 6],
  },
  {
    name: 'RLE of 16 bits',
    elements: image({
      ...deep,
      WindowCenter: '128',
      WindowWidth: '256',
      PixelData: { fragments: [rle([0, 0, 0, 1], [9, 8, 7, 0])] },
    }),
    syntax: RLE,
    pixels: [9, 8, 7, 255],
  },
]

for (const { name, elements, syntax, pixels, inverted = false } of rows) {
  test(`page: ${name}`, async () => {
    const [page] = await pages(elements, syntax)
    assert.ok(page?.kind === 'pixels')
    assert.deepEqual(
      [...page.pixels],
      pixels.map((value) => value & 255),
    )
    assert.equal(page.inverted ?? false, inverted)
  })
}

test('page: a JPEG is taken over as it is, with its size on paper', async () => {
  const bytes = Buffer.from(jpeg(new Uint8Array(16 * 8 * 3).fill(99), 16, 8))
  const elements = image({
    ...rgb,
    Rows: 8,
    Columns: 16,
    NominalScannedPixelSpacing: ['0.5', '0.25'],
    PixelData: { fragments: [bytes] },
  })
  const [page] = await pages(elements, JPEG_BASELINE)
  assert.ok(page?.kind === 'jpeg')
  assert.deepEqual(Buffer.from(page.jpeg).subarray(0, bytes.length), bytes)
  assert.deepEqual([page.widthMm, page.heightMm, page.colourTransform], [4, 4, false])
})

test('page: other codecs are the decoder of the caller', async () => {
  const elements = image({ PixelData: { fragments: [Buffer.from([0xff, 0x4f, 0xff, 0x51])] } })
  const syntax = '1.2.840.10008.1.2.4.90'
  await assert.rejects(
    pages(elements, syntax),
    (thrown) => thrown instanceof ConversionError && /4\.90/.test(thrown.reason),
  )
  const decode: DecodeFrame = async () => ({
    pixels: Uint8Array.of(9, 8, 7, 6),
    photometric: 'MONOCHROME2',
    planar: false,
  })
  const [page] = await pages(elements, syntax, decode)
  assert.deepEqual(page?.kind === 'pixels' ? [...page.pixels] : [], [9, 8, 7, 6])
})

// Frames come from outside: one that is short is told, never filled up.
const broken: { name: string; elements: Elements; syntax?: string; why: RegExp }[] = [
  { name: 'too few pixels', elements: image({ 'PixelData OB': Buffer.from([1, 2]) }), why: /cannot be told/ },
  {
    name: 'RLE without a segment',
    elements: image({ ...rgb, Rows: 1, PixelData: { fragments: [rle([1, 2])] } }),
    syntax: RLE,
    why: /1 segments/,
  },
  {
    name: 'RLE that ends early',
    elements: image({ PixelData: { fragments: [rle([1, 2])] } }),
    syntax: RLE,
    why: /2 of 4/,
  },
  {
    name: 'RLE without a header',
    elements: image({ PixelData: { fragments: [Buffer.alloc(6)] } }),
    syntax: RLE,
    why: /header/,
  },
  {
    name: 'no JPEG',
    elements: image({ PixelData: { fragments: [Buffer.alloc(6)] } }),
    syntax: JPEG_BASELINE,
    why: /no JPEG/,
  },
  {
    name: 'no image',
    elements: { SOPClassUID: '1.2.840.10008.5.1.4.1.1.88.11', SOPInstanceUID: '2.25.1' },
    why: /no frames/,
  },
]

for (const { name, elements, syntax, why } of broken) {
  test(`page refused: ${name}`, async () => {
    await assert.rejects(pages(elements, syntax), why)
  })
}

async function pdf(list: readonly PdfPage[], title?: string): Promise<Buffer> {
  const chunks: Uint8Array[] = []
  for await (const chunk of pdfOfImages(list, title === undefined ? {} : { title })) chunks.push(chunk)
  return Buffer.concat(chunks)
}

const paper = (columns: number, rows: number): PdfPage => ({
  kind: 'pixels',
  columns,
  rows,
  samples: 1,
  bits: 1,
  pixels: new Uint8Array(Math.ceil(columns / 8) * rows),
})

test('PDF: the same pages give the same bytes, and every offset leads to its object', async () => {
  const list = [paper(17, 24), paper(22, 17)]
  const made = await pdf(list, 'Brief an Ärztin')
  assert.deepEqual(made, await pdf(list, 'Brief an Ärztin'))
  assert.notDeepEqual(made, await pdf(list))
  const text = made.toString('latin1')
  const table = text.slice(Number(/startxref\n(\d+)/.exec(text)?.[1]))
  const offsets = [...table.matchAll(/^(\d{10}) 00000 n $/gm)].map((match) => Number(match[1]))
  assert.equal(offsets.length, 9)
  for (const [index, offset] of offsets.entries()) assert.ok(text.startsWith(`${index + 1} 0 obj`, offset))
  const start = text.indexOf('stream\n', offsets[3]) + 7
  const length = Number(/\/Length (\d+)/.exec(text.slice(offsets[3]))?.[1])
  assert.equal(inflateSync(made.subarray(start, start + length)).length, 72)
})

const papers: { name: string; page: PdfPage; box: string }[] = [
  { name: 'A4 by its shape', page: paper(210, 297), box: '595.28 841.89' },
  { name: 'letter by its shape, lying', page: paper(110, 85), box: '792 612' },
  { name: 'told in millimetres', page: { ...paper(100, 100), widthMm: 25.4, heightMm: 50.8 }, box: '72 144' },
  { name: 'told larger than a page can be', page: { ...paper(9, 9), widthMm: 1e7, heightMm: 25.4 }, box: '14400 72' },
]

for (const { name, page, box } of papers) {
  test(`PDF paper: ${name}`, async () => {
    assert.ok((await pdf([page])).toString('latin1').includes(`/MediaBox [0 0 ${box}]`))
  })
}

test('PDF: no pages, or pixels that do not fill one, are mistakes of the caller', async () => {
  await assert.rejects(pdf([]), RangeError)
  await assert.rejects(pdf([{ ...paper(8, 8), rows: 9 }]), RangeError)
})
