import type { ByteSource } from '../byte-source.ts'

/** What the outermost object of a JSON text says of itself; values other than strings are not kept. */
export interface JsonHead {
  /** String members of the outermost object, of those asked for. */
  readonly strings: ReadonlyMap<string, string>
}

const CHUNK_BYTES = 256 * 1024
const SCAN_BYTES_MAX = 64 * 1024 * 1024
const STRING_BYTES_MAX = 1024

const OPEN_BRACE = 0x7b
const QUOTE = 0x22
const BACKSLASH = 0x5c

/**
 * Reads the strings of the outermost object without building anything: one pass, no recursion. It does not validate:
 * who reads the document does.
 *
 * @param wanted member names; the scan ends when all were met
 * @returns null when the text does not begin as a JSON object, or strings and brackets do not pair
 */
export function readJsonHead(source: ByteSource, wanted: readonly string[]): JsonHead | null {
  const strings = new Map<string, string>()
  let depth = 0
  let inString = false
  let escaped = false
  let held: number[] = []
  let key: string | null = null
  let last: string | null = null
  let begun = false
  const end = Math.min(source.size, SCAN_BYTES_MAX)
  for (let at = 0; at < end; at += CHUNK_BYTES) {
    const chunk = source.read(at, Math.min(end, at + CHUNK_BYTES))
    for (let i = 0; i < chunk.byteLength; i++) {
      const byte = chunk[i] as number
      if (inString) {
        if (escaped) escaped = false
        else if (byte === BACKSLASH) escaped = true
        else if (byte === QUOTE) {
          inString = false
          if (depth === 1) last = textOf(held)
          continue
        }
        if (depth === 1 && held.length < STRING_BYTES_MAX) held.push(byte)
        continue
      }
      if (!begun) {
        if (byte === 0xef || byte === 0xbb || byte === 0xbf || isBlank(byte)) continue
        if (byte !== OPEN_BRACE) return null
        begun = true
        depth = 1
        continue
      }
      if (byte === QUOTE) {
        inString = true
        held = []
      } else if (byte === OPEN_BRACE || byte === 0x5b) {
        depth++
        key = null
      } else if (byte === 0x7d || byte === 0x5d) {
        if (depth === 1 && key !== null && last !== null && wanted.includes(key)) strings.set(key, last)
        depth--
        if (depth === 0) return { strings }
        last = null
      } else if (depth === 1 && byte === 0x3a) {
        key = last
        last = null
      } else if (depth === 1 && byte === 0x2c) {
        if (key !== null && last !== null && wanted.includes(key)) strings.set(key, last)
        key = null
        last = null
        if (strings.size === wanted.length) return { strings }
      }
    }
  }
  return begun && source.size > SCAN_BYTES_MAX ? { strings } : null
}

function isBlank(byte: number): boolean {
  return byte === 0x20 || byte === 9 || byte === 10 || byte === 13
}

/** Escapes other than those of plain ASCII are left as they are: the words looked for have none. */
function textOf(bytes: readonly number[]): string {
  return Buffer.from(bytes).toString('utf8')
}
