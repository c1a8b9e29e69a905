import { type ByteSource, slice } from '#standards/byte-source.ts'
import { documentKindOf } from '#standards/media/document-kind.ts'
import { findHidden, markupAt, signatureAt, withArticle } from '#standards/media/signatures.ts'
import { type Inspect, inspectHere } from '../document-inspection.ts'
import type { Draft } from '../screened.ts'
import { appended, boxDrafts, imageDrafts, pdfDrafts, tiffDrafts } from './native-file.ts'
import { type Rule, rule } from './rule.ts'

export const sentDocumentRules: readonly Rule[] = [
  rule(
    'document-type',
    'threat catalogue 3',
    'reject',
    ['reject', 'quarantine', 'keep'],
    'Sent as a document, and not a kind of document that is known here.',
    'Kept by policy, it leaves as an attachment only, byte for byte.',
  ),
  rule(
    'D15',
    'RTF 1.9.1 “Objects”; threat catalogue 3',
    'quarantine',
    ['quarantine', 'reject', 'keep'],
    'An RTF with an embedded object, a remote template or a field that includes or starts something.',
    'Word processors run or fetch what such places name.',
  ),
]

const XML_BYTES_MAX = 64 * 1024 * 1024

/**
 * Judges what somebody sent as a document, by its bytes and by what they are said to be. threats.md section 3.
 *
 * @param said media type as the sender says it; empty or a general one (`application/octet-stream`) says nothing
 * @throws InspectionNeeded when `inspect` does
 */
export function checkSentDocument(
  source: ByteSource,
  said: string | undefined,
  inspect: Inspect = inspectHere,
): Draft[] {
  const one = (rule: string, severity: Draft['severity'], detail: string, firm = false): Draft[] => [
    { rule, severity, detail, offset: 0, tag: null, ...(firm ? { firm } : {}) },
  ]
  if (source.size === 0) return one('document-type', 'reject', 'an empty document', true)
  const head = source.read(0, 4096).slice()
  const claimed = essence(said)
  if (isDicom(source)) return one('document-type', 'reject', 'a DICOM file: its doors are those of instances', true)
  const kind = documentKindOf(source)
  const mark = signatureAt(head)
  const office = officeName(source, head)
  if (office !== null) return one('D12', 'reject', `${withArticle(office)} as a document`)
  if (kind === null && mark !== null && isDangerous(mark.family)) {
    return one('D3', 'quarantine', `sent as ${claimed || 'a document'}, the bytes are ${withArticle(mark.name)}`, true)
  }
  const markup = markupAt(head, textStart(head))
  if (kind?.word === 'html') return one('D12', 'reject', 'an HTML page as a document')
  if (markup?.name === 'SVG image' || (kind === null && hasSvgRoot(head))) {
    return [...one('D12', 'reject', 'an SVG image as a document'), ...inspect(place(source, 'xml')).drafts]
  }
  if (markup?.family === 'script') return one('D3', 'quarantine', `the bytes are ${withArticle(markup.name)}`, true)
  if (kind === null) {
    const xml = markup?.name === 'XML document' ? xmlDrafts(source, inspect) : []
    return [...one('document-type', 'reject', 'not a kind of document that is known here'), ...xml]
  }
  const lie = claimed !== '' && !isSame(claimed, kind.mediaType, kind.word, kind.encoding !== null)
  const drafts: Draft[] = lie ? one('D3', 'quarantine', `sent as ${claimed}, the bytes are ${kind.mediaType}`) : []
  switch (kind.word) {
    case 'pdf':
      drafts.push(...pdfDrafts(source, inspect))
      break
    case 'cda':
    case 'xml':
    case 'aecg':
      drafts.push(...xmlDrafts(source, inspect))
      break
    case 'fhir-document':
      if (kind.form === 'xml') drafts.push(...xmlDrafts(source, inspect))
      break
    case 'jpeg':
      drafts.push(...imageDrafts(source, 'JPEG image'))
      break
    case 'png':
      drafts.push(...imageDrafts(source, 'PNG image'))
      break
    case 'tiff':
      drafts.push(...tiffDrafts(source))
      break
    case 'heic':
    case 'mp4':
    case 'quicktime':
      drafts.push(...boxDrafts(source))
      break
    case 'gif':
      drafts.push(...gifDrafts(source))
      break
    case 'rtf':
      drafts.push(...rtfDrafts(source))
      break
    case 'text':
    case 'mpeg':
    case 'stl':
    case 'obj':
    case 'mtl':
      break
  }
  const hidden = kind.encoding === null ? null : findHidden(slice(source, 0, source.size), 0, source.size)
  if (hidden !== null && hidden.family === 'executable') {
    drafts.push(...one('D3', 'quarantine', `the document holds ${withArticle(hidden.name)}`, true))
  }
  return drafts
}

function place(source: ByteSource, type: 'pdf' | 'xml') {
  return { source, start: 0, end: source.size, type, tag: null } as const
}

function xmlDrafts(source: ByteSource, inspect: Inspect): readonly Draft[] {
  if (source.size <= XML_BYTES_MAX) return inspect(place(source, 'xml')).drafts
  return [{ rule: 'D5', severity: 'quarantine', detail: 'an XML too large to be inspected', offset: 0, tag: null }]
}

/** `TEXT/XML; charset=x` as `text/xml`; what says nothing as an empty string. */
function essence(said: string | undefined): string {
  const type = (said ?? '').toLowerCase().split(';')[0]?.trim() ?? ''
  return type === 'application/octet-stream' || type === 'binary/octet-stream' || type === '*/*' ? '' : type
}

/** Names by which senders call a kind besides its own; text kinds may be called plain text. */
const ALSO: { readonly [word: string]: readonly string[] } = {
  pdf: ['application/x-pdf', 'text/pdf'],
  cda: [
    'application/xml',
    'application/hl7-cda+xml',
    'text/hl7-cda+xml',
    'application/hl7-sda+xml',
    'text/x-hl7-text+xml',
  ],
  'fhir-document': ['application/xml', 'text/xml', 'application/json', 'application/fhir+json', 'application/fhir+xml'],
  aecg: ['application/xml', 'application/aecg+xml', 'text/x-aecg+xml'],
  xml: ['application/xml'],
  jpeg: ['image/jpg', 'image/pjpeg'],
  tiff: ['image/tif'],
  heic: ['image/heif', 'image/heic', 'image/avif'],
  mp4: ['audio/mp4', 'application/mp4', 'video/quicktime', 'video/3gpp', 'video/x-m4v'],
  quicktime: ['video/mp4'],
  mpeg: ['video/mp2t', 'video/mpeg', 'video/mp2p'],
  rtf: ['text/rtf', 'application/x-rtf', 'text/richtext', 'application/msword'],
  stl: ['application/sla', 'model/x.stl-binary', 'model/x.stl-ascii', 'application/vnd.ms-pki.stl'],
}

function isSame(said: string, told: string, word: string, isText: boolean): boolean {
  if (said === told || ALSO[word]?.includes(said) === true) return true
  if (said === 'text/plain' || said === 'text/csv' || said === 'text/markdown') return isText && word !== 'rtf'
  // `image/*`, and an XML that says which: `application/something+xml`.
  if (said.endsWith('/*')) return told.startsWith(said.slice(0, -1))
  return word === 'xml' && said.endsWith('+xml')
}

function isDangerous(family: string): boolean {
  return family === 'executable' || family === 'script' || family === 'archive' || family === 'compressed'
}

function isDicom(source: ByteSource): boolean {
  return source.size >= 132 && Buffer.from(source.read(128, 132)).toString('latin1') === 'DICM'
}

function textStart(head: Uint8Array): number {
  let at = head[0] === 0xef && head[1] === 0xbb && head[2] === 0xbf ? 3 : 0
  while (at < head.byteLength && [32, 9, 10, 13].includes(head[at] ?? 0)) at++
  return at
}

function hasSvgRoot(head: Uint8Array): boolean {
  return /<(?:[\w.-]+:)?svg[\s>]/i.test(Buffer.from(head.buffer, head.byteOffset, head.byteLength).toString('latin1'))
}

/** Office documents: OLE compound files, and ZIP archives of the two families. */
function officeName(source: ByteSource, head: Uint8Array): string | null {
  const mark = signatureAt(head)
  if (mark?.name === 'OLE compound file') return 'Office document (OLE)'
  if (mark?.name !== 'ZIP archive') return null
  const start = Buffer.from(head.buffer, head.byteOffset, head.byteLength).toString('latin1')
  if (/mimetypeapplication\/vnd\.oasis\.opendocument/.test(start)) return 'OpenDocument file'
  if (start.includes('[Content_Types].xml')) return 'Office document (Open XML)'
  const tail = Buffer.from(source.read(Math.max(0, source.size - 65_536), source.size)).toString('latin1')
  return tail.includes('[Content_Types].xml') ? 'Office document (Open XML)' : null
}

/** Control words by which an RTF carries or fetches what is not text. */
const RTF_ACTIVE =
  /\\(objdata|objocx|objupdate|objautlink|object\b)|\\\*\\template|\\field[^}]{0,200}?(INCLUDEPICTURE|INCLUDETEXT|DDEAUTO|DDE|MACROBUTTON)/i
const RTF_CHUNK = 1024 * 1024
const RTF_OVERLAP = 512

function rtfDrafts(source: ByteSource): readonly Draft[] {
  for (let at = 0; at < source.size; at += RTF_CHUNK) {
    const text = Buffer.from(source.read(at, Math.min(at + RTF_CHUNK + RTF_OVERLAP, source.size))).toString('latin1')
    const found = RTF_ACTIVE.exec(text)
    if (found === null) continue
    const what = found[1] ?? found[2] ?? 'template'
    return [{ rule: 'D15', severity: 'quarantine', detail: `an RTF with ${what}`, offset: at + found.index, tag: null }]
  }
  return []
}

/** Walks the blocks of a GIF to its trailer; what follows is looked at. GIF89a sections 17 to 27. */
function gifDrafts(source: ByteSource): readonly Draft[] {
  const byte = (at: number) => source.read(at, at + 1)[0] ?? 0
  const table = (flags: number) => ((flags & 0x80) === 0 ? 0 : 3 * 2 ** ((flags & 7) + 1))
  const skipBlocks = (from: number): number => {
    let at = from
    while (at < source.size && byte(at) !== 0) at += byte(at) + 1
    return at + 1
  }
  let at = 13 + table(byte(10))
  while (at < source.size) {
    const introducer = byte(at)
    if (introducer === 0x3b) return appended(source, at + 1)
    if (introducer === 0x21) at = skipBlocks(at + 2)
    else if (introducer === 0x2c) at = skipBlocks(at + 11 + table(byte(at + 9)))
    else
      return [
        {
          rule: 'D13',
          severity: 'quarantine',
          detail: 'a GIF whose blocks do not lead to its end',
          offset: at,
          tag: null,
        },
      ]
  }
  return []
}
