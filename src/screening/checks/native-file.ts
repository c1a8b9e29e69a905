import type { Door } from '#model/arrival.ts'
import { type ByteSource, slice } from '#standards/byte-source.ts'
import { walkBoxes } from '#standards/media/boxes.ts'
import { findCodestreamEnd, findPngEnd } from '#standards/media/codestream-end.ts'
import { findHidden, findMarkup, isText, markupAt, signatureAt, withArticle } from '#standards/media/signatures.ts'
import { readStlShape } from '#standards/media/stl.ts'
import { readTiffHeader, walkTiff } from '#standards/media/tiff.ts'
import { type Inspect, inspectHere } from '../document-inspection.ts'
import type { Draft } from '../screened.ts'
import { type Rule, rule } from './rule.ts'

export const nativeFileRules: readonly Rule[] = [
  rule(
    'not-an-object',
    'contract',
    'skip',
    [],
    'Text, an empty file, a folder’s help file: nothing the archive keeps.',
    'Media carry much besides objects.',
  ),
  rule(
    'executable-on-medium',
    'threat catalogue E3',
    'skip',
    [],
    'A program or script on a medium: listed, never opened.',
    'Viewers on discs are not ours to run.',
  ),
  rule(
    'autorun-on-medium',
    'threat catalogue E3',
    'skip',
    [],
    'An AUTORUN file: listed, never opened.',
    'It names a program to start.',
  ),
  rule(
    'archive-on-medium',
    'threat catalogue E2',
    'skip',
    [],
    'An archive that the import did not open.',
    'ZIP archives are opened by the import itself, within limits.',
  ),
  rule(
    'dicomdir',
    'PS3.10 section 8',
    'skip',
    [],
    'The index of a file-set: read as a cross-check, not kept.',
    'Its objects are imported by walking the medium.',
  ),
  rule(
    'document-passed-over',
    'contract',
    'skip',
    [],
    'A document in its native format that is no report: part of a viewer, a help file, or at a door of instances.',
    'What makes a disc work is not what it was sent for; a person who names the file, or sends it as a document, gets it kept.',
  ),
  rule(
    'D13',
    'threat catalogue 3',
    'quarantine',
    ['quarantine', 'reject'],
    'An image, sound or film with another format appended, a box loop or a directory cycle.',
    'Readers disagree on what such a file is.',
  ),
]

/** How a file that is no DICOM object turned out. */
export interface NativeFile {
  /** `unknown`: nothing recognisable, so the caller decides (rule P0). */
  readonly is: 'nothing' | 'executable' | 'autorun' | 'archive' | 'document' | 'unknown'
  readonly drafts: readonly Draft[]
  readonly reason: string
}

const HEAD_BYTES = 4096
const DOCUMENT_BYTES_MAX = 64 * 1024 * 1024

/** Says what a file that has no `DICM` is, by its bytes; of its name only `AUTORUN` counts. */
export function classifyNativeFile(
  source: ByteSource,
  path: string | null,
  door: Door,
  inspect: Inspect = inspectHere,
): NativeFile {
  if (source.size === 0) return skip('nothing', 'not-an-object', 'an empty file')
  const head = source.read(0, HEAD_BYTES).slice()
  const name = (path?.split(/[/\\!]/).at(-1) ?? '').toLowerCase()
  if (name.startsWith('autorun.') || startsWith(head, '[autorun'))
    return skip('autorun', 'autorun-on-medium', 'an AUTORUN file')
  const mark = signatureAt(head)
  if (mark !== null) {
    switch (mark.family) {
      case 'executable':
      case 'script':
        return skip('executable', 'executable-on-medium', `${withArticle(mark.name)}`)
      case 'archive':
      case 'compressed':
        return skip('archive', 'archive-on-medium', `${withArticle(mark.name)}`)
      case 'pdf':
        return document('a PDF document', pdfDrafts(source, inspect))
      case 'image':
        return document(`${withArticle(mark.name)}`, imageDrafts(source, mark.name))
      case 'tiff':
        return document('a TIFF image', tiffDrafts(source))
    }
  }
  if (source.size >= 16 && startsWith(head.subarray(4), 'ftyp')) {
    return document('an MP4 or similar file', boxDrafts(source))
  }
  const shape = readStlShape(source)
  if (shape !== null && shape.triangles > 0 && shape.expectedLength === shape.length)
    return document('a binary STL model', [])
  const text = head.byteLength === source.size ? head : head.subarray(0, head.byteLength - 4)
  return isText(text) || isUtf16(text)
    ? textFile(source, head, door, inspect)
    : { is: 'unknown', drafts: [], reason: 'nothing recognisable' }
}

function textFile(source: ByteSource, head: Uint8Array, door: Door, inspect: Inspect): NativeFile {
  let start = head[0] === 0xef && head[1] === 0xbb ? 3 : 0
  while (
    start < head.byteLength &&
    (head[start] === 32 || head[start] === 9 || head[start] === 10 || head[start] === 13)
  )
    start++
  const markup = markupAt(head, start)
  const wide = isUtf16(head)
  if (markup?.name === 'XML document' || wide) {
    if (source.size > DOCUMENT_BYTES_MAX) return skip('nothing', 'not-an-object', 'an XML file too large to read')
    const { drafts } = inspect({ source, start: 0, end: source.size, type: 'xml', tag: null })
    if (drafts.some(({ rule }) => rule === 'D3')) return skip('nothing', 'not-an-object', 'text')
    return document('an XML document', drafts)
  }
  if (markup?.family === 'script') return skip('executable', 'executable-on-medium', `${withArticle(markup.name)}`)
  const web = markup ?? findMarkup(head, 0, Math.min(head.byteLength, 1024))
  if (
    web !== null &&
    (web.name === 'HTML page' ||
      web.name === 'SVG image' ||
      web.name === 'HTML or XML document' ||
      web.name === 'RTF document')
  ) {
    // On a medium such a file belongs to a viewer; as a document somebody sent it is refused (D12).
    if (door === 'media') return skip('nothing', 'not-an-object', `${withArticle(web.name)}`)
    return document(`${withArticle(web.name)}`, [
      { rule: 'D12', severity: 'reject', detail: `${withArticle(web.name)} as a document`, offset: 0, tag: null },
    ])
  }
  return skip('nothing', 'not-an-object', 'text')
}

function startsWith(bytes: Uint8Array, word: string): boolean {
  for (let i = 0; i < word.length; i++) {
    const byte = bytes[i] ?? 0
    if ((byte >= 0x41 && byte <= 0x5a ? byte + 32 : byte) !== word.charCodeAt(i)) return false
  }
  return true
}

function isUtf16(bytes: Uint8Array): boolean {
  return (bytes[0] === 0xff && bytes[1] === 0xfe) || (bytes[0] === 0xfe && bytes[1] === 0xff)
}

export function pdfDrafts(source: ByteSource, inspect: Inspect): readonly Draft[] {
  if (source.size > DOCUMENT_BYTES_MAX) {
    return [{ rule: 'D5', severity: 'quarantine', detail: 'a PDF too large to be inspected', offset: 0, tag: null }]
  }
  return inspect({ source, start: 0, end: source.size, type: 'pdf', tag: null }).drafts
}

export function imageDrafts(source: ByteSource, name: string): readonly Draft[] {
  const end =
    name === 'PNG image'
      ? findPngEnd(source, 0, source.size)
      : name.startsWith('JPEG')
        ? findCodestreamEnd(source, 0, source.size)
        : null
  return end === null ? [] : appended(source, end)
}

export function boxDrafts(source: ByteSource): readonly Draft[] {
  const { end, problem } = walkBoxes(source)
  if (problem !== null) return [{ rule: 'D13', severity: 'quarantine', detail: problem, offset: end, tag: null }]
  return appended(source, end)
}

export function appended(source: ByteSource, end: number): readonly Draft[] {
  if (end >= source.size) return []
  const tail = slice(source, end, source.size)
  const found = findHidden(tail, 0, tail.size)
  if (found === null) return []
  return [
    {
      rule: 'D13',
      severity: 'quarantine',
      detail: `${withArticle(found.name)} behind the end of the image`,
      offset: end + found.offset,
      tag: null,
    },
  ]
}

export function tiffDrafts(source: ByteSource): readonly Draft[] {
  const header = readTiffHeader(source.read(0, 16))
  if (header === null) return []
  const problem = walkTiff(source, header).problems.find(({ is }) => is !== 'stale')
  if (problem === undefined) return []
  return [
    {
      rule: 'D13',
      severity: 'quarantine',
      detail: `TIFF ${problem.is}: ${problem.detail}`,
      offset: problem.offset,
      tag: null,
    },
  ]
}

function skip(is: NativeFile['is'], rule: string, detail: string): NativeFile {
  return { is, drafts: [{ rule, severity: 'info', detail, offset: null, tag: null }], reason: detail }
}

function document(what: string, drafts: readonly Draft[]): NativeFile {
  const kept = {
    rule: 'document-passed-over',
    severity: 'info',
    detail: `${what}, passed over`,
    offset: null,
    tag: null,
  } as const
  return { is: 'document', drafts: [kept, ...drafts], reason: `${what}, passed over` }
}
