/** What the index learns from an object: searchable values, metadata chunk, frames, facts. Pure: bytes in, values out. */
import { constants, crc32, deflateRawSync } from 'node:zlib'
import { extractedPaths, pathKey } from '#index/searchable.ts'
import type { AttributeValues, MetadataChunk } from '#model/archive-object.ts'
import type { Finding } from '#model/finding.ts'
import { instantOf } from '#model/instant.ts'
import { charsetProblems } from '#standards/dicom/charset.ts'
import { readDataSet } from '#standards/dicom/data-set.ts'
import { type FrameTable, frameTable } from '#standards/dicom/frames.ts'
import { type PickList, pickList, writeDicomJson } from '#standards/dicom/json.ts'
import type { Part10 } from '#standards/dicom/open.ts'
import { familyOf } from '#standards/dicom/sop-classes/families.ts'
import type { Fact } from '#standards/dicom/sop-classes/family.ts'

export interface Extracted {
  readonly transferSyntaxUID: string
  readonly attributes: AttributeValues
  readonly metadata: MetadataChunk
  readonly frames: FrameTable | null
  readonly family: string | null
  readonly facts: readonly Fact[]
  readonly instant: string | null
  readonly zoneAssumed: boolean
  /** What the object family noticed; recorded, never a reason to refuse. */
  readonly findings: readonly Finding[]
}

export interface ExtractContext {
  /** The originator's time zone, or null. */
  readonly zone: string | null
  readonly siteZone: string
}

/** A value longer than this is no search key, in characters. */
const VALUE_CHARACTERS_MAX = 1024
const VALUES_MAX = 64
/** Binary values up to this length stand in the metadata itself, in bytes; larger ones are given by their URI. */
const INLINE_BYTES_MAX = 256

/**
 * Extracts everything that is derived from an original, so that it can be derived again.
 * @throws DicomError when the object cannot be read after all
 */
export function extract(
  part10: Part10,
  uids: {
    readonly sopClassUID: string
    readonly sopInstanceUID: string
    readonly studyInstanceUID: string
    readonly seriesInstanceUID: string
  },
  context: ExtractContext,
): Extracted {
  const base = `${instancePath(uids)}/bulkdata/`
  picks ??= pickList([...extractedPaths().map(pathKey), ...ALSO])
  const { json, picked, pixel } = writeDicomJson(part10, {
    bulkDataUri: (path) => base + path,
    inlineMax: INLINE_BYTES_MAX,
    pick: picks,
  })
  const attributes = bounded(picked)
  const one = (tag: string) => attributes[tag]?.[0] ?? ''
  const instant =
    instantOf(one('00080023'), one('00080033'), one('00080201'), context.zone, context.siteZone) ??
    instantOf(one('00080020'), one('00080030'), one('00080201'), context.zone, context.siteZone)
  return {
    transferSyntaxUID: part10.transferSyntax.uid,
    attributes,
    metadata: metadataChunk(json),
    frames: pixel === null ? null : frameTable(pixel, part10.transferSyntax, part10.dataSet),
    instant: instant?.instant ?? null,
    zoneAssumed: instant?.zoneAssumed ?? false,
    ...understood(part10, uids.sopClassUID),
  }
}

/** Path below the host of the resources of one instance. PS3.18 section 10.1. */
export function instancePath(uids: {
  readonly studyInstanceUID: string
  readonly seriesInstanceUID: string
  readonly sopInstanceUID: string
}): string {
  return `/dicom-web/studies/${uids.studyInstanceUID}/series/${uids.seriesInstanceUID}/instances/${uids.sopInstanceUID}`
}

/** DICOM JSON as raw deflate that ends with a flush, so that it joins others into one gzip member. */
function metadataChunk(json: Uint8Array): MetadataChunk {
  // Small windows allocate less and compress these few kilobytes as well; measured.
  const deflated = deflateRawSync(json, { level: 1, memLevel: 6, windowBits: 13, finishFlush: constants.Z_SYNC_FLUSH })
  return { crc32: crc32(json), rawLength: json.length, deflated }
}

let picks: PickList | null = null

/** Universal Entity ID in Issuer of Patient ID Qualifiers, PS3.3 section 10.14. */
export const UNIVERSAL_ENTITY_ID = pathKey([0x00100024, 0x00400032])

/** Besides what is searchable: what reconciliation and the time line ask for. */
const ALSO = [
  '00100010',
  '00100020',
  '00100021',
  UNIVERSAL_ENTITY_ID,
  '00100030',
  '00100040',
  '00080020',
  '00080023',
  '00080030',
  '00080033',
  '00080201',
]

function bounded(picked: ReadonlyMap<string, readonly string[]>): AttributeValues {
  const attributes: { [tag: string]: readonly string[] } = {}
  for (const [key, values] of picked) {
    const plain = values.length <= VALUES_MAX && values.every(({ length }) => length <= VALUE_CHARACTERS_MAX)
    attributes[key] = plain ? values : values.slice(0, VALUES_MAX).map((value) => value.slice(0, VALUE_CHARACTERS_MAX))
  }
  return attributes
}

/** What the object's family reads out of it. */
function understood(part10: Part10, sopClassUID: string): Pick<Extracted, 'family' | 'facts' | 'findings'> {
  const dataSet = readDataSet(part10.dataSet, part10.encoding)
  const family = familyOf(sopClassUID, dataSet)
  const findings = charsetFindings(dataSet.charsets)
  if (family === undefined) return { family: null, facts: [], findings }
  return {
    family: family.id,
    facts: family.facts(dataSet),
    findings: [...findings, ...family.validate(dataSet).map((finding) => ({ ...finding, offset: null }))],
  }
}

/** A repertoire that is not declared as PS3.3 section C.12.1.1.2 has it: the names may read wrong, and a person is told. */
function charsetFindings(charsets: readonly string[]): Finding[] {
  return charsetProblems(charsets).map(({ value, readAs }) => ({
    rule: 'charset',
    severity: readAs === null ? 'warning' : 'info',
    detail:
      readAs === null
        ? `${JSON.stringify(value.slice(0, 64))} is no character repertoire`
        : `${JSON.stringify(value.slice(0, 64))} was read as ${readAs}`,
    offset: null,
    tag: '00080005',
  }))
}
