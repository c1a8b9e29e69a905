import { constants, inflateRawSync } from 'node:zlib'
import type { MetadataChunk, StoredInstance } from '#model/archive-object.ts'

/** One attribute of DICOM JSON. PS3.18 section F.2.2. */
interface JsonAttribute {
  readonly vr?: string
  readonly Value?: readonly unknown[]
}

/** What a DICOMDIR says of one instance; texts decoded, empty when unknown. */
export interface MediaInstance {
  readonly stored: Pick<
    StoredInstance,
    'sopInstanceUID' | 'sopClassUID' | 'transferSyntaxUID' | 'studyInstanceUID' | 'seriesInstanceUID' | 'patientId'
  >
  /** File ID: components of at most eight characters. PS3.10 section 8.2. */
  readonly fileId: readonly string[]
  /** First value by tag (`00100010`). */
  readonly text: (tag: string) => string
  /** Concept Name Code Sequence (0040,A043) of a document; null when it has none. */
  readonly title: MediaCode | null
}

/** A concept as a record carries it. PS3.3 section 8.1. */
export interface MediaCode {
  readonly value: string
  readonly scheme: string
  readonly meaning: string
}

/** What a directory and the pages of a disc take from the metadata of an instance. */
export const DIRECTORY_TAGS: readonly string[] = [
  ...['00080020', '00080021', '00080023', '00080030', '00080031', '00080033', '00080050', '00080060', '00081030'],
  ...['0008103E', '00100010', '00100020', '00100030', '00100040', '00200010', '00200011', '00200013', '0040A491'],
  ...['0040A493', '00420010', '00420012', '00700080', '00700082', '00700083', '00700084', '3004000A', '30060002'],
  ...['300A0002'],
]

/** Reads the first values of the kept metadata (DICOM JSON) of an instance. */
export function metadataText(chunk: MetadataChunk): (tag: string) => string {
  const attributes = attributesOf(chunk)
  return (tag) => firstText(attributes, tag)
}

/** Reads the first concept of a code sequence of the kept metadata. */
export function metadataCodes(chunk: MetadataChunk): (tag: string) => MediaCode | null {
  const attributes = attributesOf(chunk)
  return (tag) => {
    const item = attributes[tag]?.Value?.[0]
    if (typeof item !== 'object' || item === null) return null
    const code = item as Record<string, JsonAttribute>
    const value = firstText(code, '00080100') || firstText(code, '00080119') || firstText(code, '00080120')
    return value === '' ? null : { value, scheme: firstText(code, '00080102'), meaning: firstText(code, '00080104') }
  }
}

function attributesOf(chunk: MetadataChunk): Record<string, JsonAttribute> {
  const json = inflateRawSync(chunk.deflated, {
    finishFlush: constants.Z_SYNC_FLUSH,
    maxOutputLength: 64 * 1024 * 1024,
  })
  return JSON.parse(json.toString('utf8')) as Record<string, JsonAttribute>
}

function firstText(attributes: Record<string, JsonAttribute>, tag: string): string {
  const value = attributes[tag]?.Value?.[0]
  if (typeof value === 'string') return value
  if (typeof value === 'number') return String(value)
  if (typeof value !== 'object' || value === null) return ''
  const name = value as { Alphabetic?: string; Ideographic?: string; Phonetic?: string }
  return [name.Alphabetic ?? '', name.Ideographic ?? '', name.Phonetic ?? ''].join('=').replace(/=+$/, '')
}

const TYPE_BY_CLASS: readonly (readonly [prefix: string, type: string])[] = [
  ['1.2.840.10008.5.1.4.1.1.88.59', 'KEY OBJECT DOC'],
  ['1.2.840.10008.5.1.4.1.1.88.', 'SR DOCUMENT'],
  ['1.2.840.10008.5.1.4.1.1.104.', 'ENCAP DOC'],
  ['1.2.840.10008.5.1.4.1.1.9.', 'WAVEFORM'],
  ['1.2.840.10008.5.1.4.1.1.11.', 'PRESENTATION'],
  ['1.2.840.10008.5.1.4.1.1.66.1', 'REGISTRATION'],
  ['1.2.840.10008.5.1.4.1.1.66.2', 'FIDUCIAL'],
  ['1.2.840.10008.5.1.4.1.1.66.3', 'REGISTRATION'],
  ['1.2.840.10008.5.1.4.1.1.67', 'VALUE MAP'],
  ['1.2.840.10008.5.1.4.1.1.4.2', 'SPECTROSCOPY'],
  ['1.2.840.10008.5.1.4.1.1.481.2', 'RT DOSE'],
  ['1.2.840.10008.5.1.4.1.1.481.3', 'RT STRUCTURE SET'],
  ['1.2.840.10008.5.1.4.1.1.481.5', 'RT PLAN'],
  ['1.2.840.10008.5.1.4.1.1.481.8', 'RT PLAN'],
  ['1.2.840.10008.5.1.4.1.1.481.4', 'RT TREAT RECORD'],
  ['1.2.840.10008.5.1.4.1.1.481.6', 'RT TREAT RECORD'],
  ['1.2.840.10008.5.1.4.1.1.481.7', 'RT TREAT RECORD'],
  ['1.2.840.10008.5.1.4.1.1.481.9', 'RT TREAT RECORD'],
  ['1.2.840.10008.5.1.4.1.1.66.5', 'SURFACE'],
  ['1.2.840.10008.5.1.4.1.1.66.6', 'TRACT'],
  ['1.2.840.10008.5.1.4.1.1.68.', 'SURFACE SCAN'],
  ['1.2.840.10008.5.1.4.1.1.77.1.5.3', 'STEREOMETRIC'],
  ['1.2.840.10008.5.1.4.1.1.78.', 'MEASUREMENT'],
  ['1.2.840.10008.5.1.4.1.1.79.1', 'MEASUREMENT'],
  ['1.2.840.10008.5.1.4.1.1.80.1', 'MEASUREMENT'],
]

/** Directory Record Type of an instance. PS3.3 section F.4; whole UIDs or families that end in a dot. */
export function recordType(sopClassUID: string): string {
  if (sopClassUID === '1.2.840.10008.5.1.4.1.1.66') return 'RAW DATA'
  const found = TYPE_BY_CLASS.find(([uid]) => (uid.endsWith('.') ? sopClassUID.startsWith(uid) : sopClassUID === uid))
  return found?.[1] ?? 'IMAGE'
}
