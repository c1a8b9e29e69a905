import type { ByteSource } from '#standards/byte-source.ts'
import type { TransferSyntax } from '#standards/dicom/transfer-syntax.ts'
import { findCodestreamEnd } from '#standards/media/codestream-end.ts'
import { findHidden, withArticle } from '#standards/media/signatures.ts'
import type { BodyFacts } from '../body-facts.ts'
import type { Draft } from '../screened.ts'
import { type Rule, rule } from './rule.ts'
import { isZeroRange } from './trailing.ts'

const pixelSource = 'PS3.5 section 8 and Annex A.4; threat catalogue 1.2'

export const pixelDataRules: readonly Rule[] = [
  rule(
    'B7',
    pixelSource,
    'keep',
    ['keep', 'quarantine', 'reject'],
    'Native Pixel Data is longer than its rows, columns, samples, bits and frames need.',
    'Real padded files exist, and pixels are never repaired; a program or an archive in the surplus is held.',
  ),
  rule(
    'B8',
    pixelSource,
    'keep',
    ['keep', 'quarantine', 'reject'],
    'Pixel Data is shorter than it should be.',
    'The frames that are there stay readable; the missing ones are refused.',
  ),
  rule(
    'B9',
    pixelSource,
    'keep',
    ['keep', 'quarantine', 'reject'],
    'Bytes follow the end marker of a compressed frame.',
    'Decoders ignore what follows; more than 16 bytes that look like a program or an archive are held.',
  ),
]

const PIXEL_TAG = '7FE00010'
const AFTER_END_BYTES_MAX = 16
const FINDINGS_MAX = 20

/** Length in bytes that native pixels need; null when the attributes do not say. Exact up to 2^53. */
export function expectedPixelBytes(facts: BodyFacts): number | null {
  const rows = facts.number.get(0x00280010)
  const columns = facts.number.get(0x00280011)
  const allocated =
    facts.number.get(0x00280100) ??
    (facts.pixels?.tag === 0x7fe00008 ? 32 : facts.pixels?.tag === 0x7fe00009 ? 64 : undefined)
  if (rows === undefined || columns === undefined || allocated === undefined || allocated === 0) return null
  const samples = facts.number.get(0x00280002) ?? 1
  const frames = Math.max(1, facts.number.get(0x00280008) ?? 1)
  // Two pixels share their colour: PS3.3 C.7.6.3.1.2.
  const perPixel = facts.text.get(0x00280004) === 'YBR_FULL_422' && samples === 3 ? 2 : samples
  const bits = rows * columns * perPixel * allocated * frames
  return Number.isSafeInteger(bits) ? Math.ceil(bits / 8) : null
}

export function checkPixelData(facts: BodyFacts, syntax: TransferSyntax): Draft[] {
  const { pixels, source } = facts
  if (pixels === null) return []
  if (pixels.encapsulated) return syntax.multiFrameVideo ? [] : checkFragments(facts)
  const expected = expectedPixelBytes(facts)
  if (expected === null || pixels.valueLength === 0) return []
  const surplus = pixels.valueLength - expected
  const start = pixels.valueOffset + expected
  const end = Math.min(pixels.valueOffset + pixels.valueLength, source.size)
  if (surplus < 0) {
    if (facts.drafts.some(({ rule }) => rule === 'B8')) return []
    return [
      pixelDraft(
        'B8',
        'warning',
        `${pixels.valueLength} bytes of pixels where ${expected} are needed`,
        pixels.valueOffset,
      ),
    ]
  }
  if (surplus === 0 || (surplus === 1 && (expected & 1) === 1)) return []
  const found = findHidden(source, start, end)
  if (found !== null && found.family !== 'compressed') {
    return [
      {
        ...pixelDraft(
          'B7',
          'quarantine',
          `the surplus behind the pixels holds ${withArticle(found.name)}`,
          found.offset,
        ),
        firm: true,
      },
    ]
  }
  const zero = isZeroRange(source, start, end)
  return [
    pixelDraft(
      'B7',
      zero ? 'info' : 'warning',
      `${surplus} bytes more than the pixels need${zero ? ', all zero' : ''}`,
      start,
    ),
  ]
}

/** Frames are told apart by their start markers: a stream runs until the next fragment that begins one. */
function checkFragments(facts: BodyFacts): Draft[] {
  const drafts: Draft[] = []
  const { fragments } = facts.pixels as { fragments: readonly number[] }
  const { source } = facts
  for (let i = 0; i < fragments.length && drafts.length < FINDINGS_MAX; i += 2) {
    const start = fragments[i] as number
    const end = start + (fragments[i + 1] as number)
    if (!startsStream(source, start)) {
      if (i === 0) {
        const hidden = findHidden(source, start, end, false)
        if (hidden !== null && hidden.family !== 'compressed') {
          drafts.push({
            ...pixelDraft('B9', 'quarantine', `a fragment holds ${withArticle(hidden.name)}`, hidden.offset),
            firm: true,
          })
        }
      }
      continue
    }
    const next = fragments[i + 2]
    if (next !== undefined && !startsStream(source, next)) continue
    const streamEnd = findCodestreamEnd(source, start, end)
    if (streamEnd === null || end - streamEnd <= 1) continue
    const surplus = end - streamEnd
    const hidden = surplus > AFTER_END_BYTES_MAX || surplus > 3 ? findHidden(source, streamEnd, end) : null
    if (hidden !== null && hidden.family !== 'compressed') {
      drafts.push({
        ...pixelDraft(
          'B9',
          'quarantine',
          `behind the end marker of frame ${i / 2 + 1} stands ${withArticle(hidden.name)}`,
          hidden.offset,
        ),
        firm: true,
      })
    } else {
      const severity = surplus <= AFTER_END_BYTES_MAX || isZeroRange(source, streamEnd, end) ? 'info' : 'warning'
      drafts.push(pixelDraft('B9', severity, `${surplus} bytes behind the end marker of frame ${i / 2 + 1}`, streamEnd))
    }
  }
  return drafts
}

/** SOI of JPEG and JPEG-LS, SOC of JPEG 2000. */
function startsStream(source: ByteSource, at: number): boolean {
  const mark = source.read(at, at + 2)
  return mark[0] === 0xff && (mark[1] === 0xd8 || mark[1] === 0x4f)
}

function pixelDraft(rule: string, severity: Draft['severity'], detail: string, offset: number): Draft {
  return { rule, severity, detail, offset, tag: PIXEL_TAG }
}
