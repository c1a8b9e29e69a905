import { type ByteSource, READ_BYTES_MAX } from '../byte-source.ts'
import { DocumentError } from '../document-error.ts'
import type { DocumentWord } from '../media/document-kind.ts'
import { cdaText } from './cda-text.ts'
import { guessEncoding } from './encoding.ts'
import { fhirText } from './fhir-text.ts'
import { htmlText } from './html.ts'
import { pdfText } from './pdf-text.ts'
import { rtfText } from './rtf.ts'
import { structuredReportText } from './sr-text.ts'
import { TextCollector } from './text-collector.ts'
import { xmlText } from './xml-text.ts'

export interface TextLimits {
  /** Characters (UTF-16 units) of text that are kept; what is beyond is left out and told as `truncated`. */
  readonly characters: number
  /** Bytes of a document that are read at all. */
  readonly bytes: number
  /** For a PDF, in its own thread. */
  readonly timeMs: number
  /** Heap of that thread, and as much again for unpacked streams, in MiB. */
  readonly memoryMib: number
  readonly pages: number
}

export const DEFAULT_TEXT_LIMITS: TextLimits = {
  characters: 2_000_000,
  bytes: READ_BYTES_MAX,
  timeMs: 30_000,
  memoryMib: 256,
  pages: 2000,
}

/** What a document says, for search and for previews. */
export interface PlainText {
  /** Paragraphs on lines of their own; without control characters but tab and line feed. */
  readonly text: string
  /** RFC 5646, when the document says it. */
  readonly language: string | null
  readonly title: string | null
  /** Words were left out: of a limit, or because a part of the document could not be read. */
  readonly truncated: boolean
}

/** Kinds of document that hold text; `sr`: a structured report, as a DICOM Part 10 file. */
export type TextualKind = Extract<
  DocumentWord,
  'pdf' | 'cda' | 'fhir-document' | 'text' | 'rtf' | 'html' | 'xml' | 'aecg' | 'obj' | 'mtl'
>

const textual = new Set<string>(['pdf', 'cda', 'fhir-document', 'text', 'rtf', 'html', 'xml', 'aecg', 'sr'])

/** True when there may be words in a document of this kind. */
export function hasText(word: DocumentWord | 'sr'): boolean {
  return textual.has(word)
}

/**
 * The words of a document. Pictures, films and models have none: an empty text.
 *
 * @throws DocumentError when the bytes are not what their kind promises, or a limit other than the length of the text
 *   is met
 */
export async function plainText(
  word: DocumentWord | 'sr',
  source: ByteSource,
  limits: TextLimits = DEFAULT_TEXT_LIMITS,
): Promise<PlainText> {
  if (!hasText(word)) return { text: '', language: null, title: null, truncated: false }
  if (word === 'sr') return structuredReportText(source, limits)
  if (word === 'text') return plain(source, limits)
  if (source.size > Math.min(limits.bytes, READ_BYTES_MAX)) {
    throw new DocumentError('limit', `a document of more than ${limits.bytes} bytes`)
  }
  const bytes = Uint8Array.from(source.read(0, source.size))
  switch (word) {
    case 'pdf':
      return (await pdfText(bytes, limits)).text
    case 'cda':
      return cdaText(bytes, limits)
    case 'fhir-document':
      return fhirText(bytes, limits)
    case 'rtf':
      return rtfText(bytes, limits)
    case 'html':
      return htmlText(bytes, limits)
    default:
      return xmlText(bytes, limits)
  }
}

/** Only as many bytes are read as can become text that is kept. */
function plain(source: ByteSource, limits: TextLimits): PlainText {
  const end = Math.min(source.size, limits.bytes, limits.characters * 4 + 4, READ_BYTES_MAX)
  const bytes = Uint8Array.from(source.read(0, end))
  const guess = guessEncoding(bytes, end < source.size)
  if (guess === null) throw new DocumentError('malformed', 'bytes that do not read as text')
  const collector = new TextCollector(limits.characters)
  collector.lines(guess.text)
  return collector.finish({ truncated: end < source.size })
}
