import { DocumentError } from '../document-error.ts'

/** Text of an XML document, and how its characters lie in the bytes. */
export interface DecodedXml {
  readonly text: string
  /** `utf-8`, `utf-16le`, `utf-16be`, or a single-byte encoding. */
  readonly encoding: string
  /** Bytes of the byte order mark, which is not part of `text`. */
  readonly markBytes: number
}

/** Encodings of one byte per character that are read when they are declared. */
const singleByte = new Set([
  'iso-8859-1',
  'latin1',
  'windows-1252',
  'windows-1250',
  'windows-1251',
  'iso-8859-2',
  'iso-8859-15',
])

/** The encoding the XML declaration names, lower case; null when there is none. XML 1.0 section 4.3.3. */
export function declaredEncoding(bytes: Uint8Array): string | null {
  const head = Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(bytes.byteLength, 200)).toString('latin1')
  const close = head.indexOf('?>')
  const at = head.startsWith('<?xml') ? head.indexOf('encoding') : -1
  if (at < 0 || at > close) return null
  const quote = head.slice(at + 8).search(/["']/)
  if (quote < 0) return null
  const from = at + 8 + quote + 1
  const end = head.indexOf(head[from - 1] as string, from)
  return end < 0 ? null : head.slice(from, end).toLowerCase()
}

/**
 * Decodes by byte order mark, then by declaration. Bytes that claim UTF-8 and are not are read as Windows-1252, which
 * they usually are.
 *
 * @param partial the bytes are a beginning: a character may be cut off at the end
 * @throws DocumentError `encoding` for UTF-7, EBCDIC and others: never guessed
 */
export function decodeXml(bytes: Uint8Array, partial = false): DecodedXml {
  const [a, b, c] = [bytes[0], bytes[1], bytes[2]]
  const wide = (encoding: 'utf-16le' | 'utf-16be', markBytes: number) => ({
    text: new TextDecoder(encoding).decode(bytes, { stream: partial }),
    encoding,
    markBytes,
  })
  if (a === 0xff && b === 0xfe) return wide('utf-16le', 2)
  if (a === 0xfe && b === 0xff) return wide('utf-16be', 2)
  if (a === 0x3c && b === 0) return wide('utf-16le', 0)
  if (a === 0 && b === 0x3c) return wide('utf-16be', 0)
  const markBytes = a === 0xef && b === 0xbb && c === 0xbf ? 3 : 0
  const declared = markBytes === 3 ? 'utf-8' : (declaredEncoding(bytes) ?? 'utf-8')
  if (declared === 'utf-8' || declared === 'us-ascii' || declared === 'ascii') {
    try {
      const text = new TextDecoder('utf-8', { fatal: true }).decode(bytes, { stream: partial })
      return { text, encoding: 'utf-8', markBytes }
    } catch (thrown) {
      if (!(thrown instanceof TypeError)) throw thrown
      return { text: new TextDecoder('windows-1252').decode(bytes), encoding: 'windows-1252', markBytes: 0 }
    }
  }
  if (!singleByte.has(declared)) throw new DocumentError('encoding', 'XML in an encoding that is not read here')
  return { text: new TextDecoder(declared).decode(bytes), encoding: declared, markBytes: 0 }
}

/** Where a character of the text begins in the bytes. @param index zero-based, in UTF-16 units of `text` */
export function byteOffset(decoded: DecodedXml, index: number): number {
  if (decoded.encoding === 'utf-8') {
    return decoded.markBytes + Buffer.byteLength(decoded.text.slice(0, index), 'utf8')
  }
  if (decoded.encoding.startsWith('utf-16')) return decoded.markBytes + index * 2
  return index
}
