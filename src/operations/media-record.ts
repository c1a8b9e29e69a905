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
}

/** Reads the first values of the kept metadata (DICOM JSON) of an instance. */
export function metadataText(chunk: MetadataChunk): (tag: string) => string {
  const json = inflateRawSync(chunk.deflated, {
    finishFlush: constants.Z_SYNC_FLUSH,
    maxOutputLength: 64 * 1024 * 1024,
  })
  const attributes = JSON.parse(json.toString('utf8')) as Record<string, JsonAttribute>
  return (tag) => {
    const value = attributes[tag]?.Value?.[0]
    if (typeof value === 'string') return value
    if (typeof value === 'number') return String(value)
    if (typeof value !== 'object' || value === null) return ''
    const name = value as { Alphabetic?: string; Ideographic?: string; Phonetic?: string }
    return [name.Alphabetic ?? '', name.Ideographic ?? '', name.Phonetic ?? ''].join('=').replace(/=+$/, '')
  }
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
]

/** Directory Record Type of an instance. PS3.3 section F.4; whole UIDs or families that end in a dot. */
export function recordType(sopClassUID: string): string {
  if (sopClassUID === '1.2.840.10008.5.1.4.1.1.66') return 'RAW DATA'
  const found = TYPE_BY_CLASS.find(([uid]) => (uid.endsWith('.') ? sopClassUID.startsWith(uid) : sopClassUID === uid))
  return found?.[1] ?? 'IMAGE'
}
