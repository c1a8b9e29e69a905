import { DocumentError } from '../document-error.ts'
import { isRecord, type JsonRecord } from './json-access.ts'

/** threats.md section 4: JSON depth. */
const DEPTH_MAX = 64
const BYTES_MAX = 64 * 1024 * 1024

/**
 * Parses a JSON document whose outermost value is an object, after its depth was counted.
 *
 * @throws DocumentError `malformed`, `limit`, `encoding`
 */
export function parseFhirJson(bytes: Uint8Array): JsonRecord {
  if (bytes.byteLength > BYTES_MAX) throw new DocumentError('limit', `JSON of more than ${BYTES_MAX} bytes`)
  checkDepth(bytes)
  let text: string
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch (thrown) {
    throw new DocumentError('encoding', 'JSON that is not UTF-8', { cause: thrown })
  }
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (thrown) {
    throw new DocumentError('malformed', 'JSON that does not parse', { cause: thrown })
  }
  if (!isRecord(value)) throw new DocumentError('malformed', 'JSON whose outermost value is no object')
  return value
}

function checkDepth(bytes: Uint8Array): void {
  let depth = 0
  let inString = false
  for (let i = 0; i < bytes.byteLength; i++) {
    const byte = bytes[i] as number
    if (inString) {
      if (byte === 0x5c) i++
      else if (byte === 0x22) inString = false
    } else if (byte === 0x22) inString = true
    else if (byte === 0x7b || byte === 0x5b) {
      if (++depth > DEPTH_MAX) throw new DocumentError('limit', `JSON nested deeper than ${DEPTH_MAX}`)
    } else if (byte === 0x7d || byte === 0x5d) depth--
  }
}
