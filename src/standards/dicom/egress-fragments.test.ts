import assert from 'node:assert/strict'
import { test } from 'node:test'
import { tiffSlide } from '../../../test/fixtures/slides.ts'
import { type ByteSource, memorySource } from '../byte-source.ts'
import { readDataSet } from './data-set.ts'
import { type EgressOptions, planEgress } from './egress.ts'
import { el, fragments, part10Of } from './fixture.ts'
import { frameTable } from './frames.ts'
import { openPart10 } from './open.ts'
import type { Overlay } from './overlay.ts'
import { pixelElement } from './pixel-element.ts'

const JPEG = '1.2.840.10008.1.2.4.50'
const OVERLAY: Overlay = [
  {
    reason: 'CORRECT',
    modifyingSystem: 'D',
    source: '',
    time: '2026',
    changes: [{ path: '00100020', value: { vr: 'LO', strings: ['another number'] } }],
  },
]

async function leave(stored: Uint8Array, options: EgressOptions): Promise<Buffer> {
  const chunks: Uint8Array[] = []
  for await (const chunk of planEgress({ source: memorySource(stored) }, options).chunks()) chunks.push(chunk)
  return Buffer.concat(chunks)
}

function placesOf(stored: Uint8Array) {
  const part10 = openPart10(memorySource(stored))
  const pixel = pixelElement(readDataSet(part10.dataSet, part10.encoding))
  const table = pixel === null ? null : frameTable(pixel, part10.transferSyntax, part10.dataSet)
  assert(table?.kind === 'encapsulated')
  return { offsets: table.fragmentOffsets, lengths: table.fragmentLengths, base: part10.dataSetStart }
}

const frame = (index: number) => new Uint8Array(20_000 + index * 2).fill(index)
const IMAGE = [el(0x00280008, 'IS', '80'), el(0x00280010, 'US', '10'), el(0x00280011, 'US', '10')]
const PIXELS = [el(0x00280002, 'US', '1'), el(0x00280100, 'US', '8')]

const files: { readonly [name: string]: () => Uint8Array } = {
  'eighty frames': () =>
    part10Of(
      [...IMAGE, ...PIXELS, fragments(new Uint8Array(0), ...Array.from({ length: 80 }, (_, i) => frame(i)))],
      JPEG,
    ),
  'a slide with a TIFF': () => tiffSlide({ tiles: 'jpeg', tile: 256, across: 6, down: 6 }),
  'a few bytes': () => part10Of([...IMAGE, ...PIXELS, fragments(new Uint8Array(0), frame(1))], JPEG),
}

for (const [name, build] of Object.entries(files)) {
  test(`egress: ${name}: fragments that are not visited are copied to the byte`, async () => {
    const stored = build()
    const known = await leave(stored, { overlay: OVERLAY, fragments: placesOf(stored) })
    assert.ok(known.equals(await leave(stored, { overlay: OVERLAY })))
  })
}

test('egress: places that are not those of this object are not believed', async () => {
  const stored = files['eighty frames']!()
  const { offsets, lengths, base } = placesOf(stored)
  const gap = { offsets: offsets.map((offset, i) => (i > 40 ? offset + 2 : offset)), lengths, base }
  const beyond = { offsets, lengths: lengths.map((length, i) => (i === 79 ? length + 1e9 : length)), base }
  const right = await leave(stored, { overlay: OVERLAY })
  for (const wrong of [gap, beyond])
    assert.ok((await leave(stored, { overlay: OVERLAY, fragments: wrong })).equals(right))
})

/** A slide of six gigabytes that is nowhere: item headers are made when they are read. */
function hugeSlide(count: number, length: number) {
  const small = part10Of([...IMAGE, ...PIXELS, fragments(new Uint8Array(0), new Uint8Array(2))], JPEG)
  const tail = small.subarray(small.length - 8)
  const first = small.length - 8 - 10
  const step = length + 8
  const size = first + count * step + tail.length
  const pages = new Set<number>()
  const header = Buffer.from([0xfe, 0xff, 0x00, 0xe0, 0, 0, 0, 0])
  header.writeUInt32LE(length, 4)
  const source: ByteSource = {
    size,
    read(start, end) {
      const to = Math.min(end, size)
      for (let page = Math.floor(start / 65_536); page * 65_536 < to; page++) pages.add(page)
      const bytes = new Uint8Array(Math.max(0, to - start))
      for (let i = 0; i < bytes.length; i++) {
        const at = start + i
        if (at < first) bytes[i] = small[at]!
        else if (at >= size - tail.length) bytes[i] = tail[at - (size - tail.length)]!
        else if ((at - first) % step < 8) bytes[i] = header[(at - first) % step]!
      }
      return bytes
    },
  }
  const base = openPart10(memorySource(small)).dataSetStart
  const offsets = Array.from({ length: count }, (_, i) => first + i * step + 8 - base)
  return { source, pages, places: { offsets, lengths: offsets.map(() => length), base }, size }
}

// Every merge of a patient with a slide would otherwise read the slide from end to end before its first byte leaves.
test('egress: a slide of six gigabytes and 300,000 tiles is prepared from a few pages', () => {
  const { source, pages, places, size } = hugeSlide(300_000, 20_000)
  assert.ok(size > 2 ** 32)
  const egress = planEgress({ source }, { overlay: OVERLAY, fragments: places })
  assert.ok(pages.size < 20, `${pages.size} pages`)
  assert.equal(egress.passthrough, false)
  assert.ok(egress.length !== null && egress.length > size && egress.length < size + 2000)
})
