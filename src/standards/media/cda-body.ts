import { Buffer } from 'node:buffer'
import { createHash } from 'node:crypto'
import { memorySource } from '../byte-source.ts'
import { ConversionError } from '../dicom/wrap/conversion-error.ts'
import { first, readXmlTree, type XmlElement, type XmlLimits } from '../waveform/xml-tree.ts'
import { tellDocumentType } from './document-type.ts'

/** The document inside a CDA of level 1. */
export interface CdaBody {
  readonly bytes: Uint8Array
  /** Told from the bytes; what the CDA says when the bytes do not tell. */
  readonly mediaType: string
  readonly declaredMediaType: string
  /** False for text that stood in the XML as text: its line ends and encoding are those of the XML reader. */
  readonly exact: boolean
}

/** threats.md section 4. A structured CDA may have many elements; the longest real ones have some ten thousand. */
const LIMITS: XmlLimits = { bytesMax: 64 * 1024 * 1024, elementsMax: 500_000, depthMax: 256 }

/**
 * Takes out the document that a CDA carries in its nonXMLBody (IHE XDS-SD and C-CDA Unstructured Document), as base64
 * or as text. The CDA itself stays the signed source: what comes out is a transformation of it, not a replacement.
 *
 * @returns undefined for a CDA with a structured body, or one that only refers to a file elsewhere
 * @throws ConversionError `conversion.type` for another document; `conversion.malformed` for what is not well-formed
 *   (a DTD included), no base64, or not what its integrity check says; `conversion.unsupported` for a compressed body;
 *   `conversion.limit` above 64 MiB
 */
export function cdaBody(cda: Uint8Array): CdaBody | undefined {
  const root = readXmlTree(cda, LIMITS)
  if (root.name !== 'ClinicalDocument') throw new ConversionError('conversion.type', 'not a CDA document')
  const body = first(root, 'component', 'nonXMLBody', 'text')
  if (body === undefined) return undefined
  if (body.attributes.has('compression')) {
    throw new ConversionError('conversion.unsupported', 'the body of the CDA is compressed')
  }
  const exact = body.attributes.get('representation') === 'B64'
  const bytes = exact ? decodeBase64(body.text) : new Uint8Array(Buffer.from(body.text.trim(), 'utf8'))
  if (bytes.length === 0) return undefined
  if (exact) checkIntegrity(body, bytes)
  const told = tellDocumentType(memorySource(bytes))
  // ED without a media type is plain text. HL7 V3 data types, ED.mediaType.
  const declared = body.attributes.get('mediaType')?.trim().toLowerCase() ?? 'text/plain'
  return { bytes, mediaType: told?.mediaType ?? declared, declaredMediaType: declared, exact }
}

function decodeBase64(text: string): Uint8Array {
  const base64 = text.replace(/\s+/g, '')
  if (base64.length % 4 !== 0 || !/^[A-Za-z0-9+/]*={0,2}$/.test(base64)) {
    throw new ConversionError('conversion.malformed', 'the body of the CDA is no base64')
  }
  return new Uint8Array(Buffer.from(base64, 'base64'))
}

/** The digest the author put beside the body. HL7 V3 data types, ED.integrityCheck: SHA-1 when none is named. */
function checkIntegrity({ attributes }: XmlElement, bytes: Uint8Array): void {
  const claimed = attributes.get('integrityCheck')?.replace(/\s+/g, '')
  if (claimed === undefined || claimed === '') return
  const algorithm = attributes.get('integrityCheckAlgorithm') === 'SHA-256' ? 'sha256' : 'sha1'
  if (createHash(algorithm).update(bytes).digest('base64') !== claimed) {
    throw new ConversionError('conversion.malformed', 'the body of the CDA is not what its integrity check says')
  }
}
