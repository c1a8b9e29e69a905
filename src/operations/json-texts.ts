import { constants, inflateRawSync } from 'node:zlib'
import type { MetadataChunk } from '#model/archive-object.ts'

/** One attribute of DICOM JSON. PS3.18 section F.2.2. */
export interface JsonAttribute {
  readonly vr?: string
  readonly Value?: readonly unknown[]
}

const METADATA_BYTES_MAX = 64 * 1024 * 1024

/** The DICOM JSON of one chunk. */
export function jsonTexts(chunk: MetadataChunk): { readonly [tag: string]: JsonAttribute } {
  const finishFlush = constants.Z_SYNC_FLUSH
  const json = inflateRawSync(chunk.deflated, { finishFlush, maxOutputLength: METADATA_BYTES_MAX })
  return JSON.parse(json.toString('utf8')) as { readonly [tag: string]: JsonAttribute }
}

/** The attribute at a path (`00100010`, `00400275/0/00400009`); undefined when it is not there. */
export function jsonAt(dataSet: unknown, path: string): JsonAttribute | undefined {
  let within: unknown = dataSet
  const parts = path.split('/')
  for (let i = 0; i < parts.length; i += 2) {
    if (typeof within !== 'object' || within === null) return undefined
    const attribute = Reflect.get(within, parts[i]!) as JsonAttribute | undefined
    const item = parts[i + 1]
    if (attribute === undefined || item === undefined) return attribute
    within = attribute.Value?.[Number(item)]
  }
  return undefined
}
