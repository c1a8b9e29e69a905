import { memorySource } from '#standards/byte-source.ts'
import { type PdfProbe, probePdf } from '#standards/media/pdf.ts'
import { findHidden, findMarkup, type Signature, signatureAt, withArticle } from '#standards/media/signatures.ts'
import type { Draft } from '../screened.ts'
import { type Rule, rule } from './rule.ts'

const pdfSource = 'ISO 32000-1 12.6.4; threat catalogue 3'

export const pdfRules: readonly Rule[] = [
  rule(
    'D1',
    pdfSource,
    'quarantine',
    ['quarantine', 'reject'],
    'A PDF with JavaScript, Launch, ImportData, SubmitForm, RichMedia, a script in an XFA form, a remote GoTo, or a program as attachment.',
    'Names are compared after decoding, in object streams and in every revision.',
  ),
  rule(
    'D2',
    pdfSource,
    'keep',
    ['keep', 'quarantine', 'reject'],
    'A PDF with links, a page to open at, or attachments that are no programs.',
    'Harmless in a viewer without scripts; attachments go to the scanner.',
  ),
  rule(
    'D4',
    pdfSource,
    'quarantine',
    ['quarantine', 'reject', 'keep'],
    'A PDF with another format before it, or more than 1 KiB or such a format behind its end.',
    'Readers disagree on what such a file is.',
  ),
  rule(
    'D5',
    pdfSource,
    'quarantine',
    ['quarantine', 'reject', 'keep'],
    'A PDF that cannot be inspected: encrypted, too large, or with object streams that do not unpack.',
    'What cannot be looked into may hold anything; a site may accept it as an attachment only.',
  ),
]

/** A piece that exists only unpacked. */
export interface DecodedPiece {
  readonly label: string
  readonly bytes: Uint8Array
}

const AFTER_END_BYTES_MAX = 1024

/**
 * Judges a PDF.
 *
 * @param base offset of its first byte in the source findings speak of; @param tag its host element, or null
 */
export function checkPdf(
  bytes: Uint8Array,
  base: number,
  tag: string | null,
): { drafts: Draft[]; pieces: DecodedPiece[] } {
  const drafts: Draft[] = []
  const pieces: DecodedPiece[] = []
  const add = (rule: string, severity: Draft['severity'], detail: string, offset: number) => {
    drafts.push({ rule, severity, detail, offset: base + offset, tag })
  }
  const probe = probePdf(bytes)
  if (probe.headerOffset === null) {
    const mark = signatureAt(bytes)
    add(
      'D3',
      'quarantine',
      `no PDF header; the bytes are ${mark === null ? 'something else' : withArticle(mark.name)}`,
      0,
    )
    return { drafts, pieces }
  }
  const names = [...new Set(probe.active.map(({ name }) => name))]
  if (names.length > 0) add('D1', 'quarantine', `a PDF with ${names.join(', ')}`, probe.active[0]?.offset ?? 0)
  if (probe.xfaScript) add('D1', 'quarantine', 'a PDF form (XFA) with a script', 0)
  attachments(probe, add, pieces)
  surroundings(bytes, probe, add)
  if (probe.encrypted) add('D5', 'quarantine', 'an encrypted PDF cannot be inspected', 0)
  else if (probe.uninspected.length > 0)
    add('D5', 'quarantine', `a PDF that cannot be inspected: ${probe.uninspected[0]}`, 0)
  const harmless = [
    probe.openAction ? 'a page to open at' : '',
    probe.uriLinks > 0 ? `${probe.uriLinks} links` : '',
  ].filter(Boolean)
  if (harmless.length > 0 && names.length === 0) add('D2', 'info', `a PDF with ${harmless.join(' and ')}`, 0)
  return { drafts, pieces }
}

type Add = (rule: string, severity: Draft['severity'], detail: string, offset: number) => void

function attachments(probe: PdfProbe, add: Add, pieces: DecodedPiece[]): void {
  for (const [index, { offset, bytes, declared }] of probe.attachments.entries()) {
    if (bytes === null) {
      if (!probe.encrypted) add('D5', 'quarantine', `attachment ${index + 1} cannot be unpacked`, offset)
      continue
    }
    const program = programIn(bytes, declared)
    if (program !== null) add('D1', 'quarantine', `a PDF with an embedded ${program.name}`, offset)
    else if (declared) {
      add('D2', 'info', `a PDF with an attachment of ${bytes.byteLength} bytes`, offset)
      pieces.push({ label: `PDF attachment ${index + 1}`, bytes })
    }
  }
}

/** An archive is no program by itself, but one declared as an attachment goes to the scanner. */
function programIn(bytes: Uint8Array, declared: boolean): Signature | null {
  const found = findHidden(memorySource(bytes), 0, bytes.byteLength, declared)
  if (found === null || found.family === 'compressed') return null
  if (found.family === 'archive') return declared ? null : found
  return found.offset === 0 ? found : null
}

function surroundings(bytes: Uint8Array, probe: PdfProbe, add: Add): void {
  const before = probe.headerOffset as number
  if (before > 0) {
    const head = bytes.subarray(0, before)
    const mark = signatureAt(bytes) ?? findMarkup(head, 0, before)
    if (mark !== null) add('D4', 'quarantine', `${withArticle(mark.name)} before the PDF header`, 0)
  }
  if (probe.endOffset === null) return
  let after = probe.endOffset
  while (after < bytes.byteLength && isBlank(bytes[after])) after++
  const spare = bytes.byteLength - after
  if (spare <= 0) return
  const hidden = findHidden(memorySource(bytes), after, bytes.byteLength)
  if (hidden !== null) add('D4', 'quarantine', `${withArticle(hidden.name)} behind the end of the PDF`, hidden.offset)
  else if (spare > AFTER_END_BYTES_MAX) add('D4', 'quarantine', `${spare} bytes behind the end of the PDF`, after)
}

const isBlank = (byte: number | undefined): boolean =>
  byte === 0 || byte === 9 || byte === 10 || byte === 12 || byte === 13 || byte === 32
