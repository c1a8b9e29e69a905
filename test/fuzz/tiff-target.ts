/**
 * Oracles for slides with a TIFF side: screening never fails unexpectedly, the walk over directories ends within its
 * limits, and a preamble is kept only when that walk found nothing wrong.
 */
import assert from 'node:assert/strict'
import { memorySource } from '#standards/byte-source.ts'
import { readNumbers, readTiffHeader, TIFF_IFDS_MAX, walkTiff } from '#standards/media/tiff.ts'
import { tiffSlide } from '../fixtures/slides.ts'
import { judge } from '../support/screening-fixture.ts'
import { Choices, damaged } from './random.ts'
import type { Target } from './target.ts'

export const tiffTarget: Target = { make, check }

interface Slide {
  readonly bytes: Buffer
  readonly littleEndian: boolean
  readonly big: boolean
  /** Where directory entries stand. */
  readonly entries: readonly number[]
}

let slides: readonly Slide[] | undefined

function make(seed: number): Uint8Array {
  slides ??= (['II', 'MM'] as const).flatMap((byteOrder) =>
    [false, true].flatMap((big) =>
      (['native', 'jpeg'] as const).map((tiles) => dissected(tiffSlide({ byteOrder, big, tiles, tile: 16 }))),
    ),
  )
  const choices = new Choices(seed)
  const slide = choices.pick(slides)
  let bytes = Buffer.from(slide.bytes)
  for (let n = 1 + choices.below(4); n > 0; n--) hurt(bytes, slide, choices)
  if (choices.chance(0.15)) bytes = Buffer.from(damaged(bytes, choices))
  return bytes
}

function dissected(bytes: Buffer): Slide {
  const header = readTiffHeader(bytes)
  assert.ok(header !== null)
  const { littleEndian, big } = header
  const entries = walkTiff(memorySource(bytes), header).ifds.flatMap((ifd) =>
    ifd.entries.map((_, i) => ifd.offset + (big ? 8 + i * 20 : 2 + i * 12)),
  )
  return { bytes, littleEndian, big, entries }
}

/** One field of the header or of a directory entry gets a value that asks for trouble. */
function hurt(bytes: Buffer, { littleEndian, big, entries }: Slide, choices: Choices): void {
  const entry = choices.pick(entries)
  const inPreamble = choices.chance(0.15)
  const [at, size] = inPreamble
    ? [choices.below(128), choices.pick([1, 2, 4])]
    : choices.pick([
        [entry, 2],
        [entry + 2, 2],
        [entry + 4, 4],
        [entry + (big ? 12 : 8), 4],
        [entry + (big ? 20 : 12), 4],
      ] as const)
  const value = choices.pick([
    0,
    1,
    2,
    3,
    4,
    8,
    13,
    16,
    128,
    129,
    254,
    255,
    330,
    34665,
    0xffff,
    0x10000,
    0x7fffffff,
    0xffffffff,
    bytes.length,
    bytes.length - 1,
    bytes.length - 8,
    entry,
    choices.below(bytes.length),
    choices.below(600),
  ])
  const kept = size === 4 ? value >>> 0 : value % 2 ** (8 * size)
  if (at + size > bytes.length) return
  if (littleEndian) bytes.writeUIntLE(kept, at, size)
  else bytes.writeUIntBE(kept, at, size)
}

function check(bytes: Uint8Array): void {
  const source = memorySource(bytes)
  const header = readTiffHeader(bytes)
  let sound = false
  if (header !== null) {
    const { ifds, problems } = walkTiff(source, header)
    assert.ok(ifds.length <= TIFF_IFDS_MAX)
    assert.equal(new Set(ifds.map(({ offset }) => offset)).size, ifds.length, 'a directory was walked twice')
    for (const { entries } of ifds) for (const entry of entries) readNumbers(source, header, entry, 64)
    sound = ifds.length > 0 && problems.every(({ is }) => is === 'stale')
  }
  const { findings, keepPreamble } = judge(bytes)
  const failed = findings.find(({ rule }) => rule === 'G2')
  assert.equal(failed, undefined, failed?.detail)
  if (keepPreamble) assert.ok(sound, 'a preamble is kept whose directories are wrong')
}
