import type { ByteSource } from '../byte-source.ts'
import { cdaFormatCode, MIME_TYPE_SUFFICIENT } from '../cda/format-code.ts'
import type { CodedValue } from '../code-systems.ts'
import { guessEncoding } from '../text/encoding.ts'
import { readJsonHead } from './json-head.ts'
import { mpegForm } from './mpeg.ts'
import { signatureAt } from './signatures.ts'
import { readStlShape } from './stl.ts'
import { readTiffHeader } from './tiff.ts'
import { type XmlKind, xmlKind } from './xml-kind.ts'

/** A stable word for each kind of document; also the archive's own (model/document.ts), which knows `other` besides. */
export type DocumentWord =
  | 'pdf'
  | 'cda'
  | 'fhir-document'
  | 'jpeg'
  | 'png'
  | 'gif'
  | 'tiff'
  | 'heic'
  | 'mp4'
  | 'quicktime'
  | 'mpeg'
  | 'text'
  | 'rtf'
  | 'html'
  | 'xml'
  | 'stl'
  | 'obj'
  | 'mtl'
  | 'aecg'

/** What a document is by its bytes. A fact about its beginning: whether all of it is sound, screening says. */
export interface DocumentKind {
  readonly word: DocumentWord
  /** As registered with IANA, without parameters: for Content-Type. */
  readonly mediaType: string
  /** DocumentEntry.mimeType. CDA is `text/xml` there: ITI TF-3 section 4.2.3.2.17. */
  readonly mimeType: string
  readonly formatCode: CodedValue
  /** `utf-8`, `utf-16le`, `utf-16be`, `windows-1252` ...; null for what is no text. */
  readonly encoding: string | null
  /** Of CDA: `root` or `root:extension`. */
  readonly templates: readonly string[]
  /** Within the kind: `heif` or `avif`, `binary` or `ascii`, `json` or `xml`, the form of an MPEG stream. */
  readonly form: string | null
}

/** How much of a text is looked at. */
const WINDOW_BYTES = 1024 * 1024

const latin = (bytes: Uint8Array, from: number, to: number): string =>
  String.fromCharCode(...bytes.subarray(from, Math.min(to, bytes.byteLength)))

function kind(word: DocumentWord, mediaType: string, more: Partial<DocumentKind> = {}): DocumentKind {
  return {
    word,
    mediaType,
    mimeType: more.mimeType ?? mediaType,
    formatCode: more.formatCode ?? MIME_TYPE_SUFFICIENT,
    encoding: more.encoding ?? null,
    templates: more.templates ?? [],
    form: more.form ?? null,
  }
}

/**
 * Tells what a document is from its bytes, never from a name.
 *
 * @returns null for what is no document: programs, archives, DICOM, messages, JSON and FHIR resources other than
 *   document Bundles, SVG, and bytes nothing is known of
 */
export function documentKindOf(source: ByteSource): DocumentKind | null {
  const head = Uint8Array.from(source.read(0, Math.min(source.size, 1024)))
  if (head.byteLength === 0 || latin(head, 128, 132) === 'DICM') return null
  return binaryKind(source, head) ?? textKind(source)
}

function binaryKind(source: ByteSource, head: Uint8Array): DocumentKind | null {
  const mark = signatureAt(head)
  if (mark?.family === 'executable' || mark?.family === 'archive' || mark?.family === 'compressed') {
    return mark.family === 'executable' && (head[0] === 0x4d || head[0] === 0x5a) ? modelKind(source) : null
  }
  switch (mark?.name) {
    case 'PNG image':
      return kind('png', 'image/png')
    case 'GIF image':
      return head[4] === 0x37 || head[4] === 0x39 ? kind('gif', 'image/gif') : null
    case 'JPEG image':
      return isJpegMarker(head[3]) ? kind('jpeg', 'image/jpeg') : null
    case 'TIFF image':
    case 'BigTIFF image':
      return readTiffHeader(head) === null ? null : kind('tiff', 'image/tiff')
    default:
  }
  // Readers find the header anywhere in the first 1,024 bytes: ISO 32000-1 annex H.3. Before it only blanks count here.
  const pdf = latin(head, 0, 1024).indexOf('%PDF-')
  if (pdf >= 0 && latin(head, 0, pdf).replace('\u00ef\u00bb\u00bf', '').trim() === '')
    return kind('pdf', 'application/pdf')
  if (latin(head, 0, 5) === '{\\rtf') return kind('rtf', 'application/rtf')
  const boxes = boxKind(source, head)
  if (boxes !== undefined) return boxes
  const mpeg = mpegForm(source)
  if (mpeg !== null) return kind('mpeg', mpeg === 'transport-stream' ? 'video/mp2t' : 'video/mpeg', { form: mpeg })
  return modelKind(source)
}

/** APPn, SOF, DQT, DHT, DRI, COM: what may follow SOI; F7 begins JPEG-LS. ISO/IEC 10918-1 annex B. */
function isJpegMarker(byte: number | undefined): boolean {
  return byte !== undefined && byte >= 0xc0 && byte !== 0xff && byte !== 0xf7 && byte !== 0xd8 && byte !== 0xd9
}

/** A binary STL has no mark: its length is its proof. */
function modelKind(source: ByteSource): DocumentKind | null {
  const shape = readStlShape(source)
  if (shape === null || shape.triangles === 0) return null
  const spare = shape.length - shape.expectedLength
  return spare === 0 || spare === 1 ? kind('stl', 'model/stl', { form: 'binary' }) : null
}

const heifBrands = new Map([
  ['heic', 'heic'],
  ['heix', 'heic'],
  ['heim', 'heic'],
  ['heis', 'heic'],
  ['hevc', 'heic'],
  ['hevx', 'heic'],
  ['avif', 'avif'],
  ['avis', 'avif'],
  ['mif1', 'heif'],
  ['msf1', 'heif'],
])
const mp4Brands = new Set([
  'isom',
  'iso2',
  'iso3',
  'iso4',
  'iso5',
  'iso6',
  'iso7',
  'iso8',
  'iso9',
  'mp41',
  'mp42',
  'avc1',
  'M4V ',
  'M4A ',
  'MSNV',
  'dash',
  'mp71',
  'f4v ',
  'hvc1',
])

/** By brands: ISO/IEC 14496-12 section 4.3, 23008-12 annex B. undefined: no boxes at all; null: boxes of something else. */
function boxKind(source: ByteSource, head: Uint8Array): DocumentKind | null | undefined {
  const type = latin(head, 4, 8)
  if (type === 'moov' || type === 'wide' || type === 'mdat' || type === 'skip') {
    const view = new DataView(head.buffer, head.byteOffset, head.byteLength)
    const length = view.byteLength >= 8 ? view.getUint32(0) : 0
    // QuickTime files of old have no brand. QuickTime File Format Specification, "File Type Compatibility Atom".
    return (length === 1 || length >= 8) && length <= source.size ? kind('quicktime', 'video/quicktime') : undefined
  }
  if (type !== 'ftyp') return undefined
  const length = new DataView(head.buffer, head.byteOffset, 4).getUint32(0)
  if (length < 16 || length > source.size || length > 1024) return null
  const brands = [latin(head, 8, 12)]
  for (let at = 16; at + 4 <= length; at += 4) brands.push(latin(head, at, at + 4))
  // `mif1` only says "an image": the codec is named by the other brands.
  const heif = brands.map((brand) => heifBrands.get(brand)).filter((form) => form !== undefined)
  if (heifBrands.has(brands[0] ?? '')) {
    const form = heif.find((one) => one !== 'heif') ?? 'heif'
    return kind('heic', `image/${form}`, { form })
  }
  if (brands[0] === 'qt  ') return kind('quicktime', 'video/quicktime')
  if (brands.some((brand) => mp4Brands.has(brand) || brand.startsWith('3gp'))) return kind('mp4', 'video/mp4')
  return null
}

function textKind(source: ByteSource): DocumentKind | null {
  const window = Uint8Array.from(source.read(0, Math.min(source.size, WINDOW_BYTES)))
  const guess = guessEncoding(window, source.size > window.byteLength)
  if (guess === null) return null
  const { encoding } = guess
  const text = guess.text.slice(0, 65_536)
  const start = text.trimStart()
  if (start === '') return null
  if (start.startsWith('<')) {
    const markup = markupKind(window, start, encoding)
    if (markup !== undefined) return markup
  }
  if (start.startsWith('#!') || /^(MSH|FHS|BHS)\|\^~\\&/.test(start) || /^<\?php/i.test(start)) return null
  if (start.startsWith('{') || start.startsWith('[')) {
    const json = jsonKind(source, guess.text, start)
    if (json !== undefined) return json
  }
  if (isAsciiStl(start)) return kind('stl', 'model/stl', { form: 'ascii', encoding })
  const model = waveFront(text)
  if (model !== null) return kind(model, `model/${model}`, { encoding })
  return kind('text', 'text/plain', { encoding })
}

function markupKind(window: Uint8Array, start: string, encoding: string): DocumentKind | null | undefined {
  const lower = start.slice(0, 4096).toLowerCase()
  if (lower.startsWith('<!doctype html') || lower.startsWith('<html')) return kind('html', 'text/html', { encoding })
  if (lower.startsWith('<?php') || lower.startsWith('<script')) return null
  const xml = xmlKind(window)
  if (xml !== null) {
    const found = fromXml(xml)
    // Without a declaration or a namespace a tag is as likely HTML: `<p>`, `<!-- ... --><table>`.
    if (found?.word !== 'xml' || lower.startsWith('<?xml') || !hasHtmlTag(lower)) return found
  }
  return hasHtmlTag(lower) ? kind('html', 'text/html', { encoding }) : undefined
}

function hasHtmlTag(lower: string): boolean {
  return /<(html|head|body|table|p|div|br|h1|pre|meta|title|span)[\s/>]/.test(lower)
}

function fromXml(xml: XmlKind): DocumentKind | null {
  switch (xml.is) {
    case 'cda':
      return kind('cda', 'text/xml', {
        encoding: xml.encoding,
        templates: xml.templates,
        formatCode: cdaFormatCode(xml),
      })
    case 'fhir-document':
      return kind('fhir-document', 'application/fhir+xml', { encoding: xml.encoding, form: 'xml' })
    case 'aecg':
      return kind('aecg', 'text/xml', { encoding: xml.encoding })
    case 'html':
      return kind('html', 'text/html', { encoding: xml.encoding })
    case 'xml':
      return kind('xml', 'text/xml', { encoding: xml.encoding })
    case 'fhir-other':
    case 'svg':
      return null
  }
}

/** undefined: no JSON, so perhaps a text that begins with a bracket. */
function jsonKind(source: ByteSource, text: string, start: string): DocumentKind | null | undefined {
  const head = readJsonHead(source, ['resourceType', 'type'])
  if (head?.strings.get('resourceType') === 'Bundle' && head.strings.get('type') === 'document') {
    return kind('fhir-document', 'application/fhir+json', { encoding: 'utf-8', form: 'json' })
  }
  if (source.size > WINDOW_BYTES) return /^[{[]\s*["{[\d]/.test(start) ? null : undefined
  try {
    JSON.parse(text)
    return null
  } catch (thrown) {
    if (thrown instanceof SyntaxError) return undefined
    throw thrown
  }
}

function isAsciiStl(start: string): boolean {
  return /^solid\b/i.test(start) && /\bfacet\s+normal\b/i.test(start.slice(0, 8192))
}

const objLine =
  /^(v|vn|vt|vp)( +-?[\d.]+([eE][-+]?\d+)?){2,4}$|^f( +-?\d+(\/-?\d*){0,2}){3,}$|^(o|g|usemtl|mtllib)( .*)?$|^s (\d+|off)$|^l( +-?\d+)+$/
const mtlLine = /^(newmtl .*|K[adse] .*|N[si] .*|d .*|Tr .*|Tf .*|illum \d+|map_\w+ .*|(bump|disp|decal|refl) .*)$/
const LINES = 200

/** Almost every line of an OBJ or MTL is a statement of its own, and vertices or a material must be there. */
function waveFront(text: string): 'obj' | 'mtl' | null {
  const lines = text.slice(0, 32_768).split('\n', LINES + 1)
  if (lines.length > 1) lines.pop()
  let seen = 0
  let obj = 0
  let mtl = 0
  let vertices = 0
  let materials = 0
  for (const raw of lines) {
    const line = raw.trim().replace(/[ \t]+/g, ' ')
    if (line === '' || line.startsWith('#') || line.length > 500) continue
    seen++
    if (objLine.test(line)) obj++
    if (mtlLine.test(line)) mtl++
    if (line.startsWith('v ')) vertices++
    if (line.startsWith('newmtl ')) materials++
  }
  if (vertices >= 3 && obj * 10 >= seen * 9) return 'obj'
  return materials > 0 && mtl * 10 >= seen * 9 && seen > 1 ? 'mtl' : null
}
