import iconv from 'iconv-lite'
import { DocumentError } from '../document-error.ts'
import { isText } from '../media/signatures.ts'

export interface GuessedText {
  /** A name TextDecoder knows. */
  readonly encoding: string
  readonly text: string
}

/**
 * Guesses how a plain text is written: by byte order mark, by the zeros of UTF-16, as UTF-8 when it is, else as
 * Windows-1252, which shows every byte.
 *
 * @param partial the bytes are a beginning: a character may be cut off at the end
 * @returns null when they do not read as text
 */
export function guessEncoding(bytes: Uint8Array, partial = false): GuessedText | null {
  const [a, b, c] = [bytes[0], bytes[1], bytes[2]]
  if (a === 0xff && b === 0xfe) return wide(bytes, 'utf-16le', partial)
  if (a === 0xfe && b === 0xff) return wide(bytes, 'utf-16be', partial)
  const zeros = zerosOf(bytes)
  if (zeros.odd > 0.3 && zeros.even < 0.05) return wide(bytes, 'utf-16le', partial)
  if (zeros.even > 0.3 && zeros.odd < 0.05) return wide(bytes, 'utf-16be', partial)
  const marked = a === 0xef && b === 0xbb && c === 0xbf
  if (!isText(bytes) && !marked) return null
  try {
    return { encoding: 'utf-8', text: new TextDecoder('utf-8', { fatal: true }).decode(bytes, { stream: partial }) }
  } catch (thrown) {
    if (!(thrown instanceof TypeError)) throw thrown
    return { encoding: 'windows-1252', text: new TextDecoder('windows-1252').decode(bytes) }
  }
}

/** Share of zero bytes at even and at odd offsets of the first 4 KiB. */
function zerosOf(bytes: Uint8Array): { even: number; odd: number } {
  const length = Math.min(bytes.byteLength, 4096) & ~1
  if (length < 4) return { even: 0, odd: 0 }
  let even = 0
  let odd = 0
  for (let i = 0; i < length; i += 2) {
    if (bytes[i] === 0) even++
    if (bytes[i + 1] === 0) odd++
  }
  return { even: (even * 2) / length, odd: (odd * 2) / length }
}

function wide(bytes: Uint8Array, encoding: 'utf-16le' | 'utf-16be', partial: boolean): GuessedText | null {
  const text = new TextDecoder(encoding).decode(bytes, { stream: partial })
  let odd = 0
  for (let i = 0; i < text.length && i < 4096; i++) {
    const code = text.charCodeAt(i)
    if (code === 0xfffd || code === 0 || (code < 0x20 && code !== 9 && code !== 10 && code !== 13 && code !== 12)) odd++
  }
  return odd * 50 > Math.min(text.length, 4096) ? null : { encoding, text }
}

/**
 * Decodes by a name that somebody declared.
 * @throws DocumentError `encoding` when no such encoding is known
 */
export function decodeAs(bytes: Uint8Array, label: string): string {
  const name = label.trim().toLowerCase()
  // UTF-7 has been used to hide markup from filters; nobody writes it.
  if (name.length > 40 || name.replace(/[-_]/g, '') === 'utf7' || !iconv.encodingExists(name)) {
    throw new DocumentError('encoding', 'an encoding that is not read here')
  }
  return iconv.decode(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength), name)
}
