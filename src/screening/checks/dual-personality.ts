import type { ScreeningPolicy } from '#model/settings.ts'
import type { ByteSource } from '#standards/byte-source.ts'
import { DEFAULT_LIMITS, type DicomLimits } from '#standards/dicom/limits.ts'
import type { Part10 } from '#standards/dicom/open.ts'
import { PREAMBLE_BYTES } from '#standards/dicom/preamble.ts'
import { SOP_CLASS } from '#standards/dicom/uids.ts'
import { findHidden, withArticle } from '#standards/media/signatures.ts'
import { readTiffHeader, type TiffEntry, type TiffHeader, type TiffWalk, walkTiff } from '#standards/media/tiff.ts'
import type { BodyFacts } from '../body-facts.ts'
import { walkBody } from '../body-walk.ts'
import type { Draft } from '../screened.ts'
import { type Rule, rule } from './rule.ts'
import { agreementProblem, pixelProblem } from './tiff-pixels.ts'
import { ICC_TAG, isKnownTiffTag } from './tiff-tags.ts'

const tiffSource = 'TIFF 6.0; Clunie, J Pathol Inform 2019;10:12; threat catalogue 2'
const abuse = ['quarantine', 'reject'] as const

export const dualPersonalityRules: readonly Rule[] = [
  rule(
    'P7',
    tiffSource,
    'sanitise',
    ['sanitise', 'quarantine', 'reject'],
    'A TIFF header in the preamble leads to no directory: the offsets are stale.',
    'Most TIFF-looking preambles are damage of a rewrite; the header is zeroed and the padding dropped.',
  ),
  rule(
    'TIFF-2',
    tiffSource,
    'quarantine',
    abuse,
    'The preamble holds bytes that belong neither to the TIFF header nor to a directory reached from it.',
    'A TIFF header must not excuse other content.',
  ),
  rule(
    'TIFF-3',
    tiffSource,
    'quarantine',
    abuse,
    'A TIFF directory or value lies outside the preamble, the Data Set Trailing Padding and the ICC profile.',
    'Writers put directories there and nowhere else.',
  ),
  rule(
    'TIFF-4',
    tiffSource,
    'quarantine',
    abuse,
    'The TIFF directories loop, overflow or exceed their limits.',
    'No writer makes such directories.',
  ),
  rule(
    'TIFF-5',
    tiffSource,
    'quarantine',
    abuse,
    'A TIFF directory has tags that no image needs, or text above 64 KiB.',
    'Unknown tags carry anything.',
  ),
  rule(
    'TIFF-6',
    tiffSource,
    'quarantine',
    abuse,
    'TIFF strips or tiles point elsewhere than at the Pixel Data.',
    'The TIFF would show something that no DICOM reader shows.',
  ),
  rule(
    'TIFF-7',
    tiffSource,
    'sanitise',
    ['sanitise', 'quarantine', 'reject'],
    'The TIFF disagrees with the image in size, samples, bits, byte order or compression.',
    'Two readers would show two images.',
  ),
  rule(
    'TIFF-8',
    tiffSource,
    'quarantine',
    abuse,
    'Where the TIFF directory is hosted stands a third format, or more than 64 unclaimed bytes.',
    'Two personalities are an exception already.',
  ),
  rule(
    'TIFF-9',
    tiffSource,
    'sanitise',
    ['sanitise', 'keep', 'quarantine', 'reject'],
    'A valid TIFF personality on a class for which the site does not keep one.',
    'By default only whole-slide images keep it.',
  ),
]

/** How a TIFF-looking preamble turned out. threats.md section 2. */
export interface DualPersonality {
  readonly outcome: 'valid' | 'policy' | 'mismatch' | 'stale' | 'abuse'
  readonly drafts: readonly Draft[]
}

const UNCLAIMED_BYTES_MAX = 64
const TEXT_BYTES_MAX = 64 * 1024
const FINDINGS_MAX = 10
/** All directories together: they may share one array, which would be read again for each. */
const TILES_TOTAL_MAX = 8_000_000

/**
 * Decides whether the TIFF in a preamble is a legitimate second personality: the directories are walked, the tiles lie
 * inside the pixels, the TIFF and the image agree.
 *
 * @param source the file as it arrived, or the bytes about to be emitted
 * @param facts of the same bytes, when they were walked already
 */
export function checkDualPersonality(
  source: ByteSource,
  part10: Part10,
  policy: Pick<ScreeningPolicy, 'tiffSopClasses'>,
  facts?: BodyFacts,
  limits: DicomLimits = DEFAULT_LIMITS,
): DualPersonality {
  const header = readTiffHeader(source.read(0, 16))
  // Offsets into a deflated data set lead into compressed bytes: there can be no directory.
  if (header === null || part10.base === null) return stale('the TIFF header leads nowhere', 0)
  const walk = walkTiff(source, header)
  if (walk.ifds.length === 0 && walk.problems.every(({ is }) => is === 'stale')) {
    const [problem] = walk.problems
    return stale(problem?.detail ?? 'the TIFF header leads nowhere', header.firstIfd)
  }
  const body = facts ?? factsOf(part10, limits)
  if (body === null) return stale('the data set cannot be read', 0)
  const where = placesIn(body, part10.base, source.size)
  const broken = [
    ...limitDrafts(walk),
    ...hostDrafts(walk, where),
    ...tagDrafts(walk),
    ...pixelDrafts(source, header, walk, where),
    ...preambleDrafts(source, header, walk),
    ...thirdPersonality(source, walk, where),
  ]
  if (broken.length > 0) return { outcome: 'abuse', drafts: broken.slice(0, FINDINGS_MAX) }
  const lost = walk.problems.find(({ is }) => is === 'stale')
  if (lost !== undefined) return stale(lost.detail, lost.offset)
  const disagreement = agreementProblem(source, header, walk, body, where, part10.transferSyntax)
  if (disagreement !== null) {
    return { outcome: 'mismatch', drafts: [draft('TIFF-7', 'sanitise', disagreement, header.firstIfd)] }
  }
  const sopClass = body.text.get(0x00080016) ?? ''
  if (sopClass !== SOP_CLASS.wholeSlideMicroscopy && !policy.tiffSopClasses.includes(sopClass)) {
    const detail = `a valid TIFF personality on class ${sopClass}, for which none is kept`
    return { outcome: 'policy', drafts: [draft('TIFF-9', 'sanitise', detail, 0)] }
  }
  return { outcome: 'valid', drafts: [draft('P7', 'info', 'a valid TIFF personality, kept', 0)] }
}

function factsOf(part10: Part10, limits: DicomLimits): BodyFacts | null {
  const { dataSet, encoding } = part10
  const { facts, error } = walkBody(dataSet, encoding, 0, dataSet.size, limits, { wholeValues: false, pieces: false })
  return error === null ? facts : null
}

/** Ranges in the file where parts of a TIFF may be. Ascending pairs of start and end. */
export interface TiffPlaces {
  readonly padding: { readonly start: number; readonly end: number } | null
  readonly icc: readonly { readonly start: number; readonly end: number }[]
  /** Native pixel value, or each fragment value, of (7FE0,0010). */
  readonly pixels: readonly { readonly start: number; readonly end: number }[]
  readonly pyramid: readonly { readonly start: number; readonly end: number }[]
  readonly dataSetEnd: number
  readonly fileEnd: number
}

function placesIn(body: BodyFacts, base: number, fileEnd: number): TiffPlaces {
  const pixels: { start: number; end: number }[] = []
  const place = body.pixels
  if (place !== null && place.tag === 0x7fe00010) {
    if (place.encapsulated) {
      for (let i = 0; i < place.fragments.length; i += 2) {
        const start = base + (place.fragments[i] as number)
        pixels.push({ start, end: start + (place.fragments[i + 1] as number) })
      }
    } else pixels.push({ start: base + place.valueOffset, end: base + place.valueOffset + place.valueLength })
  }
  const { padding } = body
  const shift = (range: { readonly start: number; readonly end: number }) => ({
    start: base + range.start,
    end: base + range.end,
  })
  return {
    padding:
      padding === null
        ? null
        : { start: base + padding.valueOffset, end: base + padding.valueOffset + padding.valueLength },
    icc: body.iccProfiles.map(shift),
    pixels,
    pyramid: body.pyramid.map(shift),
    dataSetEnd: base + body.end,
    fileEnd,
  }
}

function limitDrafts(walk: TiffWalk): Draft[] {
  return walk.problems
    .filter(({ is }) => is !== 'stale')
    .map(({ is, detail, offset }) => draft('TIFF-4', 'quarantine', `${is}: ${detail}`, offset))
}

const within = (start: number, end: number, range: { readonly start: number; readonly end: number } | null): boolean =>
  range !== null && start >= range.start && end <= range.end

function hostDrafts(walk: TiffWalk, where: TiffPlaces): Draft[] {
  const preamble = { start: 0, end: PREAMBLE_BYTES }
  const drafts: Draft[] = []
  const allowed = (start: number, length: number) =>
    within(start, start + length, where.padding) || within(start, start + length, preamble)
  for (const ifd of walk.ifds) {
    if (!allowed(ifd.offset, ifd.length)) {
      drafts.push(draft('TIFF-3', 'quarantine', 'a TIFF directory outside preamble and padding', ifd.offset))
    }
    for (const entry of ifd.entries) {
      if (entry.inline || allowed(entry.valueOffset, entry.valueLength)) continue
      const end = entry.valueOffset + entry.valueLength
      if (entry.tag === ICC_TAG && where.icc.some((range) => within(entry.valueOffset, end, range))) continue
      drafts.push(draft('TIFF-3', 'quarantine', `the value of TIFF tag ${entry.tag} lies elsewhere`, entry.valueOffset))
    }
  }
  return drafts
}

function tagDrafts(walk: TiffWalk): Draft[] {
  const drafts: Draft[] = []
  for (const ifd of walk.ifds) {
    for (const entry of ifd.entries) {
      if (!isKnownTiffTag(ifd.kind, entry.tag)) {
        drafts.push(draft('TIFF-5', 'quarantine', `TIFF tag ${entry.tag} is none that an image needs`, ifd.offset))
      } else if (isText(entry) && entry.valueLength > TEXT_BYTES_MAX) {
        drafts.push(
          draft(
            'TIFF-5',
            'quarantine',
            `${entry.valueLength} bytes of text in TIFF tag ${entry.tag}`,
            entry.valueOffset,
          ),
        )
      }
    }
  }
  return drafts
}

const isText = ({ tag, type }: TiffEntry): boolean => type === 2 || type === 7 || tag === 700

function pixelDrafts(source: ByteSource, header: TiffHeader, walk: TiffWalk, where: TiffPlaces): Draft[] {
  const drafts: Draft[] = []
  const tiles = walk.ifds
    .flatMap(({ entries }) => entries)
    .reduce((sum, { tag, count }) => (tag === 273 || tag === 324 ? sum + count : sum), 0)
  if (tiles > TILES_TOTAL_MAX) return [draft('TIFF-6', 'quarantine', `${tiles} strips and tiles in all`, 0)]
  for (const ifd of walk.ifds) {
    if (ifd.kind !== 'image') continue
    const problem = pixelProblem(source, header, ifd, where)
    if (problem !== null) drafts.push(draft('TIFF-6', 'quarantine', problem, ifd.offset))
  }
  return drafts
}

/** Every byte of the preamble is the header's, a directory's, a value's, or zero. */
function preambleDrafts(source: ByteSource, header: TiffHeader, walk: TiffWalk): Draft[] {
  const claimed = claims(walk, 0, PREAMBLE_BYTES)
  claimed.fill(1, 0, header.headerLength)
  const bytes = source.read(0, PREAMBLE_BYTES)
  for (let i = 0; i < PREAMBLE_BYTES; i++) {
    if (bytes[i] !== 0 && claimed[i] === 0) {
      return [draft('TIFF-2', 'quarantine', 'the preamble holds bytes that are not the TIFF’s', i)]
    }
  }
  return []
}

/** 1 for every byte of `[start, end)` that belongs to a directory or a value reached from the header. */
function claims(walk: TiffWalk, start: number, end: number): Uint8Array {
  const claimed = new Uint8Array(end - start)
  const mark = (from: number, to: number) => {
    if (to > start && from < end) claimed.fill(1, Math.max(0, from - start), Math.min(end, to) - start)
  }
  for (const ifd of walk.ifds) {
    mark(ifd.offset, ifd.offset + ifd.length)
    for (const entry of ifd.entries) if (!entry.inline) mark(entry.valueOffset, entry.valueOffset + entry.valueLength)
  }
  return claimed
}

const PADDING_BYTES_MAX = 64 * 1024 * 1024

function thirdPersonality(source: ByteSource, walk: TiffWalk, where: TiffPlaces): Draft[] {
  const drafts: Draft[] = []
  if (where.dataSetEnd < where.fileEnd) {
    drafts.push(draft('TIFF-8', 'quarantine', 'bytes follow the data set', where.dataSetEnd))
  }
  const { padding } = where
  if (padding === null || padding.end === padding.start) return drafts
  const tag = 'FFFCFFFC'
  const hidden = findHidden(source, padding.start, padding.end)
  if (hidden !== null) {
    drafts.push({
      ...draft('TIFF-8', 'quarantine', `${withArticle(hidden.name)} stands beside the TIFF directory`, hidden.offset),
      tag,
    })
  }
  if (padding.end - padding.start > PADDING_BYTES_MAX) {
    drafts.push({ ...draft('TIFF-8', 'quarantine', 'the padding is larger than any directory', padding.start), tag })
    return drafts
  }
  const claimed = claims(walk, padding.start, padding.end)
  let unclaimed = 0
  for (let at = padding.start; at < padding.end; at += 65_536) {
    const bytes = source.read(at, Math.min(padding.end, at + 65_536))
    for (let i = 0; i < bytes.byteLength; i++) if (bytes[i] !== 0 && claimed[at - padding.start + i] === 0) unclaimed++
  }
  if (unclaimed > UNCLAIMED_BYTES_MAX) {
    drafts.push({
      ...draft('TIFF-8', 'quarantine', `${unclaimed} bytes of the padding belong to no directory`, padding.start),
      tag,
    })
  }
  return drafts
}

function stale(detail: string, offset: number): DualPersonality {
  const found = draft('P7', 'sanitise', `a TIFF header in the preamble, stale: ${detail}`, offset)
  return { outcome: 'stale', drafts: [{ ...found, offset: 0 }] }
}

function draft(rule: string, severity: Draft['severity'], detail: string, offset: number): Draft {
  return { rule, severity, detail, offset, tag: null }
}
