import { lookup, tagOf } from './dictionary.ts'

/** One data set of the DICOM JSON Model, as JSON.parse gives it: what writeDicomJson wrote. */
export interface JsonDataSet {
  readonly [tag: string]: JsonElement
}

interface JsonElement {
  readonly vr: string
  readonly Value?: readonly unknown[]
  readonly InlineBinary?: string
  readonly BulkDataURI?: string
}

const NAME_PARTS = ['FamilyName', 'GivenName', 'MiddleName', 'NamePrefix', 'NameSuffix']

/**
 * Writes a data set as a Native DICOM Model document. PS3.19 section A.1.
 * @param dataSet our own DICOM JSON: keys ascending, text already decoded
 */
export function datasetToXml(dataSet: JsonDataSet): string {
  const out = ['<?xml version="1.0" encoding="UTF-8"?>\n']
  out.push('<NativeDicomModel xmlns="http://dicom.nema.org/PS3.19/models/NativeDICOM" xml:space="preserve">')
  writeAttributes(out, dataSet)
  out.push('</NativeDicomModel>')
  return out.join('')
}

function writeAttributes(out: string[], dataSet: JsonDataSet): void {
  // JavaScript puts keys that look like numbers first, so the order of the JSON is lost in its objects.
  for (const tag of Object.keys(dataSet).sort()) {
    const element = dataSet[tag]!
    const creator = privateCreator(dataSet, tag)
    // A private tag is named without its block, which is what the creator's name says. PS3.19 Table A.1.5-2.
    const shown = creator === null ? tag : `${tag.slice(0, 4)}00${tag.slice(6)}`
    out.push(`<DicomAttribute tag="${shown}" vr="${element.vr}"`)
    const keyword = creator === null ? lookup(Number.parseInt(tag, 16))?.keyword : undefined
    if (keyword !== undefined && tagOf(keyword) !== undefined) out.push(` keyword="${keyword}"`)
    if (creator !== null) out.push(` privateCreator="${escapeXml(creator)}"`)
    out.push('>')
    writeContent(out, element)
    out.push('</DicomAttribute>')
  }
}

/** The creator of a private data element; null for standard elements, creators themselves and orphans. */
function privateCreator(dataSet: JsonDataSet, tag: string): string | null {
  const odd = Number.parseInt(tag[3]!, 16) % 2 === 1
  if (!odd || tag.startsWith('00', 4)) return null
  const value = dataSet[`${tag.slice(0, 4)}00${tag.slice(4, 6)}`]?.Value?.[0]
  return typeof value === 'string' ? value : null
}

function writeContent(out: string[], element: JsonElement): void {
  if (element.BulkDataURI !== undefined) out.push(`<BulkData uri="${escapeXml(element.BulkDataURI)}"/>`)
  if (element.InlineBinary !== undefined) out.push(`<InlineBinary>${element.InlineBinary}</InlineBinary>`)
  element.Value?.forEach((value, index) => {
    const number = index + 1
    if (element.vr === 'SQ') {
      out.push(`<Item number="${number}">`)
      writeAttributes(out, (value ?? {}) as JsonDataSet)
      out.push('</Item>')
    } else if (element.vr === 'PN') {
      out.push(`<PersonName number="${number}">`)
      writeName(out, (value ?? {}) as Readonly<Record<string, unknown>>)
      out.push('</PersonName>')
    } else {
      out.push(`<Value number="${number}">${value === null ? '' : escapeXml(String(value))}</Value>`)
    }
  })
}

function writeName(out: string[], name: Readonly<Record<string, unknown>>): void {
  for (const group of ['Alphabetic', 'Ideographic', 'Phonetic']) {
    const text = name[group]
    if (typeof text !== 'string' || text === '') continue
    out.push(`<${group}>`)
    text.split('^', 5).forEach((part, index) => {
      if (part !== '') out.push(`<${NAME_PARTS[index]}>${escapeXml(part)}</${NAME_PARTS[index]}>`)
    })
    out.push(`</${group}>`)
  }
}

/** Escapes text for elements and attributes; what XML 1.0 cannot carry at all becomes U+FFFD. */
function escapeXml(text: string): string {
  let escaped = ''
  for (const character of text) {
    const code = character.codePointAt(0)!
    if (character === '&') escaped += '&amp;'
    else if (character === '<') escaped += '&lt;'
    else if (character === '>') escaped += '&gt;'
    else if (character === '"') escaped += '&quot;'
    else if (code === 0x0d) escaped += '&#13;'
    else if (code === 0x0a || code === 0x09 || (code >= 0x20 && code < 0xd800)) escaped += character
    else if ((code >= 0xe000 && code < 0xfffe) || code >= 0x10000) escaped += character
    else escaped += '\ufffd'
  }
  return escaped
}
