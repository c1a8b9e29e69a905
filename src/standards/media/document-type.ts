import { Buffer } from 'node:buffer'
import type { ByteSource } from '../byte-source.ts'
import { isText } from './signatures.ts'
import { readStlShape } from './stl.ts'

/** What a document is, told from its bytes and nothing else. */
export interface DocumentType {
  readonly is:
    | 'pdf'
    | 'cda'
    | 'fhir'
    | 'aecg'
    | 'xml'
    | 'html'
    | 'rtf'
    | 'stl'
    | 'obj'
    | 'mtl'
    | 'jpeg'
    | 'png'
    | 'tiff'
    | 'heic'
    | 'mp4'
    | 'quicktime'
    | 'mpeg'
    | 'text'
  readonly mediaType: string
}

/** How much of the beginning is looked at, in bytes. */
const HEAD_BYTES = 64 * 1024
/** ISO 32000-1 Annex H, implementation note 13: readers take a header within the first 1024 bytes. */
const PDF_HEADER_WITHIN = 1024

const MEDIA_TYPES: { readonly [type in DocumentType['is']]: string } = {
  pdf: 'application/pdf',
  cda: 'text/xml',
  fhir: 'application/fhir+xml',
  aecg: 'text/xml',
  xml: 'text/xml',
  html: 'text/html',
  rtf: 'application/rtf',
  stl: 'model/stl',
  obj: 'model/obj',
  mtl: 'model/mtl',
  jpeg: 'image/jpeg',
  png: 'image/png',
  tiff: 'image/tiff',
  heic: 'image/heic',
  mp4: 'video/mp4',
  quicktime: 'video/quicktime',
  mpeg: 'video/mpeg',
  text: 'text/plain',
}

/**
 * Tells what a document is.
 * @param start zero-based, included; @param end excluded, without padding
 * @returns null for what is none of these
 */
export function tellDocumentType(source: ByteSource, start = 0, end = source.size): DocumentType | null {
  const head = source.read(start, Math.min(end, start + HEAD_BYTES))
  const is = binaryType(head) ?? stlType(source, start, end, head) ?? textType(head)
  if (is === null) return null
  if (is === 'fhir' && decoded(head).trimStart().startsWith('{')) return { is, mediaType: 'application/fhir+json' }
  return { is, mediaType: MEDIA_TYPES[is] }
}

function binaryType(head: Uint8Array): DocumentType['is'] | null {
  const bytes = Buffer.from(head.buffer, head.byteOffset, head.byteLength)
  const mark = bytes.length >= 4 ? bytes.readUInt32BE(0) : 0
  if (mark >>> 8 === 0xffd8ff) return 'jpeg'
  if (mark === 0x89504e47) return 'png'
  if (mark === 0x49492a00 || mark === 0x4d4d002a || mark === 0x49492b00 || mark === 0x4d4d002b) return 'tiff'
  // Pack header of a program stream, sequence header of an elementary stream. ISO/IEC 13818-1 2.5, 13818-2 6.2.
  if (mark === 0x000001ba || mark === 0x000001b3) return 'mpeg'
  if (bytes[0] === 0x47 && bytes[188] === 0x47 && bytes[376] === 0x47) return 'mpeg'
  if (bytes.toString('latin1', 4, 8) === 'ftyp') return brandType(bytes)
  const pdf = bytes.indexOf('%PDF-')
  if (pdf < 0 || pdf >= PDF_HEADER_WITHIN) return null
  // A PDF header in a comment does not make a CDA a PDF.
  const other = pdf === 0 ? null : textType(head)
  return other === 'cda' || other === 'fhir' || other === 'aecg' ? other : 'pdf'
}

/** By the brands of the file type box. ISO/IEC 14496-12 section 4.3. */
function brandType(bytes: Buffer): DocumentType['is'] | null {
  const length = Math.min(bytes.readUInt32BE(0), bytes.length)
  const brands: string[] = []
  for (let at = 8; at + 4 <= length; at += 4) if (at !== 12) brands.push(bytes.toString('latin1', at, at + 4))
  if (brands.some((brand) => /^(?:hei[cxms]|hev[cxms]|mif1|msf1)$/.test(brand))) return 'heic'
  if (brands.some((brand) => /^(?:iso[m2-9]|mp4[12]|avc1|M4V |dash|hvc1)$/.test(brand))) return 'mp4'
  return brands[0] === 'qt  ' ? 'quicktime' : null
}

function stlType(source: ByteSource, start: number, end: number, head: Uint8Array): 'stl' | null {
  const shape = readStlShape(source, start, end)
  if (shape !== null && shape.expectedLength === shape.length) return 'stl'
  const text = Buffer.from(head.buffer, head.byteOffset, Math.min(head.byteLength, 4096)).toString('latin1')
  return /^\s*solid\b/.test(text) && /\bfacet\b|\bendsolid\b/.test(text) ? 'stl' : null
}

function decoded(head: Uint8Array): string {
  const wide = head[0] === 0xff && head[1] === 0xfe
  const wideBig = head[0] === 0xfe && head[1] === 0xff
  if (wide || wideBig) return new TextDecoder(wide ? 'utf-16le' : 'utf-16be').decode(head)
  return new TextDecoder('utf-8').decode(head)
}

function textType(head: Uint8Array): DocumentType['is'] | null {
  const text = decoded(head)
  const begins = text.trimStart().slice(0, 16)
  if (begins.startsWith('<')) return markupType(text)
  if (!isText(head)) return null
  if (begins.startsWith('{\\rtf')) return 'rtf'
  if (begins.startsWith('{') && /"resourceType"\s*:\s*"[A-Z]/.test(text)) return 'fhir'
  return modelType(text) ?? 'text'
}

/** From the first `<` that begins neither a comment nor a processing instruction; each end is looked for once. */
function withoutProlog(text: string): string {
  let at = text.indexOf('<')
  while (at >= 0) {
    const close = text.startsWith('<!--', at) ? '-->' : text.startsWith('<?', at) ? '?>' : null
    if (close === null) return text.slice(at)
    const end = text.indexOf(close, at + 2)
    at = end < 0 ? -1 : text.indexOf('<', end + close.length)
  }
  return ''
}

function markupType(text: string): DocumentType['is'] | null {
  // Comments, processing instructions and declarations may stand before the root element.
  const plain = withoutProlog(text)
  if (/^\s*(?:<!doctype\s+html|<html[\s>])/i.test(plain)) return 'html'
  const root = /<([A-Za-z_][\w.-]*:)?([A-Za-z_][\w.-]*)([^>]*)/.exec(plain)
  if (root === null) return null
  const [, , name, attributes = ''] = root
  if (/["']http:\/\/hl7\.org\/fhir["']/.test(attributes)) return 'fhir'
  if (name === 'ClinicalDocument') return 'cda'
  if (name === 'AnnotatedECG') return 'aecg'
  return 'xml'
}

const OBJ_LINE =
  /^(?:#|v[ntp]?\s+[-+.\d]|f\s+-?\d|o |o$|g |g$|s |l |p |usemtl |mtllib |deg |cstype |curv|surf|parm |end$|trim )/
const MTL_LINE = /^(?:#|newmtl |K[adse] |N[si] |d |Tr |Tf |illum |map_|bump |disp |refl |sharpness |P[rmscs]|decal )/

/** Wavefront text has no mark: every line must be one of its statements. */
function modelType(text: string): 'obj' | 'mtl' | null {
  const lines = text.split(/\r?\n/)
  if (text.length >= HEAD_BYTES / 4) lines.pop() // it may have been cut
  const said = lines.map((line) => line.trim()).filter((line) => line !== '')
  if (said.some((line) => line.startsWith('v ')) && said.every((line) => OBJ_LINE.test(line))) return 'obj'
  if (said.some((line) => line.startsWith('newmtl ')) && said.every((line) => MTL_LINE.test(line))) return 'mtl'
  return null
}
