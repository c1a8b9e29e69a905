import {
  entropyBits,
  findMarkup,
  isText,
  markupAt,
  type Signature,
  signatureAt,
  withArticle,
} from '#standards/media/signatures.ts'
import type { Draft } from '../screened.ts'
import { type Rule, rule } from './rule.ts'

const preambleSource = 'PS3.10 section 7.1; threat catalogue 1.1'

export const preambleRules: readonly Rule[] = [
  rule(
    'P0',
    preambleSource,
    'reject',
    ['reject', 'quarantine'],
    'No preamble, no `DICM`, or no group 0002 behind it.',
    'A bare data set can hold these letters by chance; it is taken only under the named option.',
  ),
  rule('P1', preambleSource, 'keep', [], 'The preamble is all zero.', 'This is what an unused preamble looks like.'),
  rule(
    'P2',
    'CVE-2019-11687; threat catalogue 1.1',
    'quarantine',
    ['quarantine', 'reject'],
    'The file begins like a program (Windows, Linux, macOS, script, shell link, bytecode).',
    'One file must not be an image to a viewer and a program to an operating system.',
  ),
  rule(
    'P3',
    preambleSource,
    'quarantine',
    ['quarantine', 'reject', 'sanitise'],
    'The file begins like an archive or compound file.',
    'Sanitising is allowed for bare compressed streams only.',
  ),
  rule(
    'P4',
    preambleSource,
    'quarantine',
    ['quarantine', 'reject'],
    '`%PDF` stands in the first 1,024 bytes, outside an encapsulated document.',
    'PDF readers accept a late header, so the file opens as a PDF.',
  ),
  rule(
    'P5',
    preambleSource,
    'quarantine',
    ['quarantine', 'reject', 'sanitise'],
    'The preamble holds markup, a script, or text of several lines.',
    'Interpreters skip what they do not know; sanitising is allowed when no interpreter marker is there.',
  ),
  rule(
    'P6',
    preambleSource,
    'quarantine',
    ['quarantine', 'reject', 'sanitise'],
    'The file begins like another image format.',
    'A second image that no DICOM reader shows is a hiding place.',
  ),
  rule(
    'P8',
    preambleSource,
    'sanitise',
    ['sanitise', 'quarantine', 'reject', 'keep'],
    'The preamble holds other bytes.',
    'One real file in twenty-five has harmless bytes here: they are zeroed and kept as evidence.',
  ),
  rule(
    'P8-entropy',
    preambleSource,
    'sanitise',
    ['sanitise', 'quarantine', 'reject', 'keep'],
    'The preamble looks like random bytes.',
    'Encrypted or packed content has no harmless reason to be there.',
  ),
]

/** 128 random bytes have at least this many distinct values' worth of entropy, in bits per byte. */
const RANDOM_BITS = 6.2

const hex = (bytes: Uint8Array): string => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('hex')

/**
 * Judges the 128 bytes by themselves. TIFF is left to dual-personality.ts, the header chain of a program to
 * program-chain.ts, and `%PDF` behind the preamble to carriers.ts.
 *
 * @param preamble 128 bytes, known not to be all zero
 */
export function checkPreamble(preamble: Uint8Array): readonly Draft[] {
  const mark = signatureAt(preamble)
  if (mark !== null) {
    const found = byMark(mark, preamble)
    if (found !== null) return [found]
  }
  const pdf = Buffer.from(preamble.buffer, preamble.byteOffset, preamble.byteLength).indexOf('%PDF')
  if (pdf >= 0) return [draft('P4', 'quarantine', 'a PDF header in the preamble', pdf)]
  const markup = markupIn(preamble)
  if (markup !== null) return [draft('P5', 'quarantine', `${markup.name} in the preamble`, markup.offset, true)]
  let end = preamble.byteLength
  while (end > 0 && preamble[end - 1] === 0) end--
  let first = 0
  while (preamble[first] === 0) first++
  const body = preamble.subarray(first, end)
  if (isText(body) && (body.includes(10) || body.includes(13))) {
    return [draft('P5', 'quarantine', 'text of several lines in the preamble', first)]
  }
  if (end === preamble.byteLength && entropyBits(preamble) >= RANDOM_BITS) {
    return [draft('P8-entropy', 'sanitise', 'random-looking bytes in the preamble', 0)]
  }
  const sample = body.byteLength > 16 ? `${hex(body.subarray(0, 16))}...` : hex(body)
  return [draft('P8', 'sanitise', `${body.byteLength} unexplained bytes in the preamble (${sample})`, first)]
}

function byMark(mark: Signature, preamble: Uint8Array): Draft | null {
  switch (mark.family) {
    case 'executable':
    case 'script':
      return draft('P2', 'quarantine', `the file begins like ${withArticle(mark.name)}`, 0, true)
    case 'archive':
      return draft('P3', 'quarantine', `the file begins like ${withArticle(mark.name)}`, 0, true)
    case 'compressed':
      return draft('P3', 'quarantine', `the file begins like ${withArticle(mark.name)}`, 0)
    case 'image':
      if (mark.name === 'GIF image') return draft('P5', 'quarantine', 'the file begins like a GIF image', 0, true)
      // `BM` and `RIFF` may be text; `BM` followed by a file size that fits nothing is noise.
      if (mark.name === 'BMP image' && !looksLikeBmp(preamble)) return null
      return draft('P6', 'quarantine', `the file begins like ${withArticle(mark.name)}`, 0)
    default:
      return null
  }
}

/** Reserved words of a BMP header are zero and its pixel offset is small. */
function looksLikeBmp(bytes: Uint8Array): boolean {
  return bytes[6] === 0 && bytes[7] === 0 && bytes[8] === 0 && bytes[9] === 0 && bytes[13] === 0
}

/** Markup anywhere; what only counts at the beginning is looked for behind blanks and a byte order mark. */
function markupIn(bytes: Uint8Array): (Signature & { offset: number }) | null {
  let start = 0
  if (bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf) start = 3
  while (start < bytes.byteLength && (bytes[start] === 32 || (bytes[start] as number) - 9 < 5) && bytes[start] !== 0)
    start++
  if (bytes[start] === 0x2f && bytes[start + 1] === 0x2a)
    return { family: 'script', name: 'a script comment (/*)', offset: start }
  if (bytes[start] === 0x23 && bytes[start + 1] === 0x21)
    return { family: 'script', name: 'script (#!)', offset: start }
  const here = markupAt(bytes, start)
  if (here !== null) return { ...here, offset: start }
  return findMarkup(bytes, 0, bytes.byteLength)
}

function draft(rule: string, severity: Draft['severity'], detail: string, offset: number, firm = false): Draft {
  return { rule, severity, detail, offset, tag: null, ...(firm ? { firm: true } : {}) }
}
