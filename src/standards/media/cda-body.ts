import { Buffer } from 'node:buffer'
import { memorySource } from '../byte-source.ts'
import { ConversionError } from '../dicom/wrap/conversion-error.ts'
import { tellDocumentType } from './document-type.ts'
import { probeXml } from './xml-probe.ts'

/** The document inside a CDA of level 1. */
export interface CdaBody {
  readonly bytes: Uint8Array
  /** Told from the bytes; what the CDA says when the bytes do not tell. */
  readonly mediaType: string
  readonly declaredMediaType: string
}

/** Largest CDA that is read, in bytes: threats.md section 4. */
const CDA_BYTES_MAX = 64 * 1024 * 1024

/**
 * Takes out the document that a CDA carries as base64 in its nonXMLBody (IHE XDS-SD and C-CDA Unstructured Document).
 * The CDA itself stays the signed source: what comes out is a transformation of it, not a replacement.
 *
 * @returns undefined for a CDA with a structured body, or one that only refers to a file elsewhere
 * @throws ConversionError `conversion.malformed` for what is no well-formed CDA (a DTD included) or no base64;
 *   `conversion.limit` above 64 MiB
 */
export function cdaBody(cda: Uint8Array): CdaBody | undefined {
  if (cda.length > CDA_BYTES_MAX) throw new ConversionError('conversion.limit', 'a CDA above 64 MiB')
  const probe = probeXml(cda)
  if (probe.refusedEncoding !== null || probe.doctype || probe.error !== null) {
    throw new ConversionError('conversion.malformed', 'not well-formed XML without a document type')
  }
  if (probe.root?.name !== 'ClinicalDocument') throw new ConversionError('conversion.type', 'not a CDA document')
  const body = probe.bodies.find(({ path }) => path.endsWith('component/nonXMLBody/text'))
  if (body === undefined) return undefined
  const base64 = body.base64.replace(/\s+/g, '')
  if (base64.length === 0 || base64.length % 4 !== 0 || !/^[A-Za-z0-9+/]+={0,2}$/.test(base64)) {
    throw new ConversionError('conversion.malformed', 'the body of the CDA is no base64')
  }
  const bytes = new Uint8Array(Buffer.from(base64, 'base64'))
  const told = tellDocumentType(memorySource(bytes))
  return { bytes, mediaType: told?.mediaType ?? body.mediaType, declaredMediaType: body.mediaType }
}
