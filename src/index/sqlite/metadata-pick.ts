import { constants, inflateRawSync } from 'node:zlib'
import type { StoredOverlayEvent } from '#model/archive-object.ts'
import { overlayFrom } from '#standards/dicom/overlay.ts'
import { overlayJson } from '#standards/dicom/overlay-json.ts'

/** JSON of attributes found in an instance's metadata, by key. */
export type Picked = readonly (readonly [key: string, json: string])[]

/** Metadata of an object with very many frames is not opened for a search, in bytes of JSON. */
const RAW_MAX = 4 * 1024 * 1024

/**
 * Takes attributes out of a metadata chunk. A private attribute brings its private creator along (services.md A.3).
 * @param chunk raw deflate ended by a flush
 * @param rawLength bytes of the JSON text, believed as an upper limit only
 * @param tags eight uppercase hexadecimal digits each
 * @param overlay what is served otherwise than stored
 */
export function pickFromChunk(
  chunk: Uint8Array,
  rawLength: number,
  tags: readonly string[],
  overlay: readonly StoredOverlayEvent[],
): Picked {
  if (rawLength > RAW_MAX || rawLength <= 0) return []
  const arrived = inflateRawSync(chunk, { finishFlush: constants.Z_SYNC_FLUSH, maxOutputLength: rawLength })
  const json = overlay.length === 0 ? arrived : (overlayJson(arrived, overlayFrom(overlay), (path) => path) ?? arrived)
  const dataSet = JSON.parse(Buffer.from(json).toString()) as Readonly<Record<string, unknown>>
  const keys = new Set<string>()
  for (const tag of tags) {
    if (dataSet[tag] === undefined) continue
    keys.add(tag)
    const odd = (Number.parseInt(tag.slice(3, 4), 16) & 1) === 1
    const creator = `${tag.slice(0, 4)}00${tag.slice(4, 6)}`
    if (odd && !tag.startsWith('00', 4) && dataSet[creator] !== undefined) keys.add(creator)
  }
  return [...keys].map((key) => [key, JSON.stringify(dataSet[key])])
}
