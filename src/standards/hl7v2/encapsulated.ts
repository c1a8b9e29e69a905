import { Buffer } from 'node:buffer'
import type { Delimiters } from './delimiters.ts'
import { Hl7Error } from './errors.ts'
import { unescapeText } from './escapes.ts'
import type { Segment } from './message.ts'

/** A document inside a message. Data type ED, HL7 v2.8 section 2A.24. */
export interface Encapsulated {
  readonly bytes: Uint8Array
  /** What the sender calls it, as a media type (`application/pdf`); null when that says nothing. */
  readonly mediaType: string | null
}

/** Media types of the subtypes that senders write without their type. Table 0291, and what is seen. */
const SUBTYPES: { readonly [subtype: string]: string } = {
  pdf: 'application/pdf',
  rtf: 'application/rtf',
  html: 'text/html',
  xml: 'text/xml',
  'x-hl7-cda-level-one': 'text/xml',
  jpeg: 'image/jpeg',
  jpg: 'image/jpeg',
  png: 'image/png',
  gif: 'image/gif',
  tiff: 'image/tiff',
  tif: 'image/tiff',
  plain: 'text/plain',
}

/**
 * Reads the document in OBX-5: `source^type^subtype^encoding^data`. Data that are not encoded (`A`) may hold delimiters
 * that nobody escaped, as XML does: all behind the fourth component is data then.
 *
 * @param obx with `ED` in OBX-2
 * @throws Hl7Error AE 101 without data; AE 102 for an encoding nobody knows and for data that are not in it
 */
export function readEncapsulated(obx: Segment, delimiters: Delimiters): Encapsulated {
  const raw = obx.raw(5)
  const [, type = '', subtype = '', encoding = '', ...rest] = raw.split(delimiters.component)
  const data = rest.join(delimiters.component)
  const at = (component: number) => ({ ...obx.at(5, 1), component })
  const plain = (text: string) => unescapeText(text, delimiters).trim()
  if (data.trim() === '' || data === '""') throw new Hl7Error('AE', 101, 'OBX-5 holds no document', at(5))
  const mediaType = mediaTypeOf(plain(type), plain(subtype))
  switch (plain(encoding).toLowerCase()) {
    case 'base64':
      return { bytes: base64(plain(data), at(5)), mediaType }
    case 'hex':
      return { bytes: hexadecimal(plain(data), at(5)), mediaType }
    case '':
    case 'a':
    case 'ascii':
      return { bytes: new Uint8Array(Buffer.from(unescapeText(data, delimiters), 'utf8')), mediaType }
    default:
      throw new Hl7Error('AE', 102, 'OBX-5 has an encoding that is none of A, Hex, Base64', at(4))
  }
}

function mediaTypeOf(type: string, subtype: string): string | null {
  const said = subtype.toLowerCase()
  if (/^[a-z0-9.+-]+\/[a-z0-9.+-]+$/.test(said)) return said
  const known = SUBTYPES[said]
  if (known !== undefined) return known
  const main = type.toLowerCase()
  const whole = `${main}/${said}`
  return said !== 'octet-stream' && /^(application|image|text|audio|video)\/[a-z0-9.+-]+$/.test(whole) ? whole : null
}

/** Line ends within the data are passed over: some senders break it. */
function base64(text: string, at: Hl7Error['location']): Uint8Array {
  const digits = text.replace(/\s+/g, '')
  if (!/^[A-Za-z0-9+/]+={0,2}$/.test(digits) || digits.replace(/=+$/, '').length % 4 === 1) {
    throw new Hl7Error('AE', 102, 'OBX-5.5 is no Base64', at)
  }
  return new Uint8Array(Buffer.from(digits, 'base64'))
}

function hexadecimal(text: string, at: Hl7Error['location']): Uint8Array {
  const digits = text.replace(/\s+/g, '')
  if (digits.length % 2 !== 0 || !/^[0-9A-Fa-f]+$/.test(digits)) {
    throw new Hl7Error('AE', 102, 'OBX-5.5 is no hexadecimal', at)
  }
  return new Uint8Array(Buffer.from(digits, 'hex'))
}
