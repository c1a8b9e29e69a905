/** What stands behind the File Meta: one walk, every check of the data set, then what follows it. */
import zlib from 'node:zlib'
import type { OpenArrival } from '#model/arrival.ts'
import type { ByteRange } from '#model/finding.ts'
import type { ScreeningPolicy } from '#model/settings.ts'
import type { ByteSource } from '#standards/byte-source.ts'
import { tagText } from '#standards/dicom/errors.ts'
import type { DicomLimits } from '#standards/dicom/limits.ts'
import type { Part10 } from '#standards/dicom/open.ts'
import { isPrivateSopClass, storageClass } from '#standards/dicom/uids.ts'
import type { BodyFacts } from './body-facts.ts'
import { type Host, hostOf, walkBody } from './body-walk.ts'
import { findCarriers, judgeCarrier } from './checks/carriers.ts'
import { checkEncapsulatedDocument } from './checks/documents.ts'
import { checkDualPersonality } from './checks/dual-personality.ts'
import { checkIdentity } from './checks/identity.ts'
import type { DecodedPiece } from './checks/pdf.ts'
import { checkPixelData } from './checks/pixel-data.ts'
import { checkPrivateElements } from './checks/private-elements.ts'
import { followProgram } from './checks/program-chain.ts'
import { draftOfError } from './checks/structure.ts'
import { checkPadding, checkTrailing, isZeroRange } from './checks/trailing.ts'
import type { Inspect } from './document-inspection.ts'
import type { Draft } from './screened.ts'

const RAW_DATA = '1.2.840.10008.5.1.4.1.1.66'

export interface JudgedBody {
  readonly drafts: readonly Draft[]
  readonly facts: BodyFacts
  /** False when the walk broke off: then `facts` are what came before. */
  readonly readable: boolean
  readonly tiffKept: 'no' | 'yes' | 'by-policy'
  readonly decoded: readonly DecodedPiece[]
}

/**
 * @param before findings on preamble and File Meta, which a program's header chain may make graver
 * @param pieces whether a scanner wants the pieces
 * @param inspect reads documents as a whole
 * @throws InspectionNeeded when `inspect` does
 */
export function judgeBody(
  arrival: OpenArrival,
  part10: Part10,
  policy: ScreeningPolicy,
  limits: DicomLimits,
  before: Draft[],
  pieces: boolean,
  inspect: Inspect,
): JudgedBody {
  const { source, claims, provenance } = arrival
  const { base, dataSet } = part10
  const sopClass = (part10.meta === null ? claims.sopClassUID : part10.meta.mediaStorageSOPClassUID) ?? ''
  const wholeValues = sopClass === RAW_DATA || (sopClass !== '' && isPrivateSopClass(sopClass))
  const { facts, error } = walkBody(dataSet, part10.encoding, 0, dataSet.size, limits, { wholeValues, pieces })
  if (error !== null) {
    chainOf(arrival, before, null, part10, limits)
    const found = [draftOfError(error), ...facts.drafts].map((draft) => inFile(draft, base))
    return {
      drafts: [...found, ...carriers(arrival, part10, null, limits)],
      facts,
      readable: false,
      tiffKept: 'no',
      decoded: [],
    }
  }
  chainOf(arrival, before, facts, part10, limits)
  const inside: Draft[] = [...facts.drafts, ...checkIdentity(facts, part10.meta, claims)]
  const classUid = facts.text.get(0x00080016) ?? ''
  if (policy.unknownSopClasses === 'reject' && classUid !== '' && storageClass(classUid) === undefined) {
    inside.push({
      rule: 'sop-class',
      severity: 'reject',
      detail: `class ${classUid} is not known here`,
      offset: null,
      tag: '00080016',
    })
  }
  inside.push(...checkPrivateElements(facts, provenance.door, stripsPrivate(policy)))
  inside.push(...checkPixelData(facts, part10.transferSyntax))
  const document = checkEncapsulatedDocument(facts, inspect)
  inside.push(...document.drafts)

  const first: Draft[] = []
  let tiffKept: JudgedBody['tiffKept'] = 'no'
  if (part10.meta?.preamble.kind === 'tiff') {
    const tiff = checkDualPersonality(source, part10, policy, facts, limits)
    first.push(...tiff.drafts)
    tiffKept = tiff.outcome === 'valid' ? 'yes' : tiff.outcome === 'policy' ? 'by-policy' : 'no'
  }
  const hostKept = tiffKept === 'yes' || (tiffKept === 'by-policy' && policy.rules['TIFF-9'] === 'keep')
  if (!hostKept) inside.push(...checkPadding(facts))
  const behind = [...carriers(arrival, part10, facts, limits), ...trailing(part10, facts)]
  return {
    drafts: [...first, ...inside.map((draft) => inFile(draft, base)), ...behind],
    facts,
    readable: true,
    tiffKept,
    decoded: document.pieces,
  }
}

function stripsPrivate(policy: ScreeningPolicy): boolean {
  if (policy.privateElements === 'strip') return true
  // Own keys only: a person's decision on a held object answers for every rule, and does not ask to strip.
  return ['B4', 'B5'].some((rule) => Object.hasOwn(policy.rules, rule) && policy.rules[rule] === 'sanitise')
}

/**
 * Offsets of the data set become offsets of the file. In a deflated data set there are none, and nothing can be cut
 * out: what would be sanitised is held.
 */
function inFile(draft: Draft, base: number | null): Draft {
  if (base !== null) {
    const { remove, rewrite, offset } = draft
    return {
      ...draft,
      offset: offset === null ? null : base + offset,
      ...(remove === undefined ? {} : { remove: { start: base + remove.start, end: base + remove.end } }),
      ...(rewrite === undefined ? {} : { rewrite: rewrite.map(({ at, bytes }) => ({ at: base + at, bytes })) }),
    }
  }
  const { remove, rewrite: _, ...rest } = draft
  if (remove === undefined) return { ...rest, offset: null }
  return {
    ...rest,
    offset: null,
    severity: 'quarantine',
    detail: `${draft.detail}, which cannot be cut out of a deflated data set`,
  }
}

/** Bytes behind the data set; a deflated one may end in one NUL to be even. PS3.5 Annex A.5. */
function trailing(part10: Part10, facts: BodyFacts): readonly Draft[] {
  const { source, base, deflatedEnd } = part10
  if (base !== null) return checkTrailing(source, base + facts.end)
  const drafts: Draft[] = []
  const end = deflatedEnd ?? source.size
  const spare = source.size - end
  if (isChecksum(source, end, facts.source)) {
    // Some writers end the stream like gzip. It says nothing that the data set does not say, so it stays.
    const detail = 'checksum and length of the data set behind the deflated stream, both right'
    drafts.push({ rule: 'B2', severity: 'info', detail, offset: end, tag: null })
  } else if (!(spare === 1 && isZeroRange(source, end, source.size))) drafts.push(...checkTrailing(source, end))
  const inner = facts.source.size - facts.end
  if (inner > 0) {
    const zero = isZeroRange(facts.source, facts.end, facts.source.size)
    const detail = `${inner} ${zero ? 'zero ' : ''}bytes behind the data set, within the deflated stream`
    drafts.push({ rule: zero ? 'B1' : 'B2', severity: zero ? 'info' : 'quarantine', detail, offset: null, tag: null })
  }
  return drafts
}

/** True for the CRC-32 and length of a gzip trailer (RFC 1952 section 2.3.1) that are those of the data set. */
function isChecksum(source: ByteSource, at: number, dataSet: ByteSource): boolean {
  if (source.size - at !== 8) return false
  const trailer = Buffer.from(source.read(at, at + 8))
  if (trailer.readUInt32LE(4) !== dataSet.size % 2 ** 32) return false
  let crc = 0
  for (let from = 0; from < dataSet.size; from += CHUNK_BYTES) {
    crc = zlib.crc32(dataSet.read(from, Math.min(dataSet.size, from + CHUNK_BYTES)), crc)
  }
  return trailer.readUInt32LE(0) === crc
}

const CHUNK_BYTES = 1024 * 1024

function carriers(arrival: OpenArrival, part10: Part10, facts: BodyFacts | null, limits: DicomLimits): Draft[] {
  const drafts: Draft[] = []
  for (const carrier of findCarriers(arrival.source, part10.meta === null ? 0 : undefined)) {
    const { base } = part10
    const inner = facts === null || base === null ? -1 : carrier.offset - base
    const host = facts !== null && inner >= 0 && inner < facts.end ? hostOf(facts, inner, limits) : null
    const draft = judgeCarrier(carrier, host?.path ?? null, base === null ? null : removable(host, base))
    if (draft !== null) drafts.push(draft)
  }
  return drafts
}

/** The host when it may be removed: private, or trailing padding. In file offsets. */
function removable(host: Host | null, base: number): ByteRange | null {
  if (host === null || host.range === null) return null
  const isPrivate = (Number.parseInt(host.path.slice(0, 4), 16) & 1) === 1
  if (!isPrivate && host.path !== 'FFFCFFFC') return null
  return { start: base + host.range.start, end: base + host.range.end }
}

const HOSTS_MAX = 8

/** A program's header in the preamble: where does its chain lead, and which elements host it? threats.md P2. */
function chainOf(
  arrival: OpenArrival,
  before: Draft[],
  facts: BodyFacts | null,
  part10: Part10,
  limits: DicomLimits,
): void {
  const index = before.findIndex(({ rule }) => rule === 'P2')
  const mark = before[index]
  if (mark === undefined) return
  const chain = followProgram(arrival.source, 0)
  if (chain === null) return
  const hosts = new Set<string>()
  const { base } = part10
  if (facts !== null && base !== null) {
    for (const { offset } of chain.parts.slice(0, HOSTS_MAX)) {
      const inner = offset - base
      if (inner < 0) hosts.add(offset < PREAMBLE_END ? 'preamble' : metaHost(part10, offset))
      else if (inner >= facts.end) hosts.add('trailing bytes')
      else {
        const host = hostOf(facts, inner, limits)
        if (host !== null) hosts.add(host.path)
      }
    }
  }
  const [first] = [...hosts].filter((host) => /^[0-9A-F.]+$/.test(host))
  const where = hosts.size === 0 ? '' : `; hosted by ${[...hosts].join(', ')}`
  before[index] = {
    ...mark,
    severity: chain.whole ? 'alert' : mark.severity,
    detail: `${mark.detail}; ${chain.what}${where}`,
    tag: first ?? null,
  }
}

const PREAMBLE_END = 128

function metaHost(part10: Part10, offset: number): string {
  const found = part10.meta?.elements.find(
    (element) => offset >= element.offset && offset < element.valueOffset + element.length,
  )
  return found === undefined ? 'File Meta' : tagText(found.tag)
}
