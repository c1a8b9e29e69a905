import { type SaxesAttributeNS, SaxesParser } from 'saxes'

/** What an XML document holds that a careless reader would act on. Facts; screening/checks/cda.ts judges. */
export interface XmlProbe {
  /** `utf-8`, `utf-16le` ...; null when the encoding is none that is read here. */
  readonly encoding: string | null
  /** Declared encoding that is not read here (UTF-7, EBCDIC ...), or null. */
  readonly refusedEncoding: string | null
  /** A document type or entity declaration: nothing behind it was read. */
  readonly doctype: boolean
  /** Why it is not well-formed, or null. */
  readonly error: string | null
  readonly root: { readonly name: string; readonly namespace: string } | null
  readonly stylesheets: number
  /** `on...` attributes, e.g. `td/@onclick`. */
  readonly eventAttributes: readonly string[]
  /** References that would fetch from a network when shown. */
  readonly remoteReferences: readonly string[]
  /** References with `javascript:`, `data:` or `vbscript:`. */
  readonly activeReferences: readonly string[]
  /** Base64 bodies with the type they claim. CDA `nonXMLBody/text` and `observationMedia/value`. */
  readonly bodies: readonly { readonly mediaType: string; readonly base64: string; readonly path: string }[]
}

/** threats.md section 4: depth, attributes per element, size. */
const DEPTH_MAX = 256
const ATTRIBUTES_MAX = 512
const NOTES_MAX = 50

class Stop extends Error {}

/** Decodes by byte order mark, then by declaration. UTF-7 and other encodings are refused, never guessed. */
export function decodeXml(bytes: Uint8Array): { text: string; encoding: string } | { refused: string } {
  const [a, b, c] = [bytes[0], bytes[1], bytes[2]]
  if (a === 0xff && b === 0xfe) return { text: new TextDecoder('utf-16le').decode(bytes), encoding: 'utf-16le' }
  if (a === 0xfe && b === 0xff) return { text: new TextDecoder('utf-16be').decode(bytes), encoding: 'utf-16be' }
  if (a === 0x3c && b === 0) return { text: new TextDecoder('utf-16le').decode(bytes), encoding: 'utf-16le' }
  if (a === 0 && b === 0x3c) return { text: new TextDecoder('utf-16be').decode(bytes), encoding: 'utf-16be' }
  if (a === 0xef && b === 0xbb && c === 0xbf) return { text: new TextDecoder('utf-8').decode(bytes), encoding: 'utf-8' }
  const head = Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(bytes.byteLength, 200)).toString('latin1')
  const close = head.indexOf('?>')
  const at = head.startsWith('<?xml') ? head.indexOf('encoding') : -1
  let declared = 'utf-8'
  if (at > 0 && at < close) {
    const quote = head.slice(at + 8).search(/["']/)
    const from = at + 8 + quote + 1
    const mark = head[from - 1] as string
    declared = head.slice(from, head.indexOf(mark, from)).toLowerCase()
  }
  if (declared === 'utf-8' || declared === 'us-ascii' || declared === 'ascii') {
    return { text: new TextDecoder('utf-8').decode(bytes), encoding: 'utf-8' }
  }
  if (declared === 'iso-8859-1' || declared === 'latin1' || declared === 'windows-1252') {
    return {
      text: Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1'),
      encoding: declared,
    }
  }
  if (declared === 'iso-8859-15' || declared === 'iso-8859-2') {
    return { text: new TextDecoder(declared).decode(bytes), encoding: declared }
  }
  return { refused: declared }
}

/**
 * Reads an XML document once, without DTD, entities, inclusion or any fetch. threats.md D6 to D8.
 *
 * @param bytes the document; trailing NUL padding is ignored; at most 64 MiB
 */
export function probeXml(bytes: Uint8Array): XmlProbe {
  const decoded = decodeXml(bytes)
  const stylesheet = { count: 0 }
  const eventAttributes: string[] = []
  const remoteReferences: string[] = []
  const activeReferences: string[] = []
  const bodies: { mediaType: string; base64: string; path: string }[] = []
  let root: XmlProbe['root'] = null
  let doctype = false
  let error: string | null = null
  const result = (encoding: string | null, refusedEncoding: string | null): XmlProbe => ({
    encoding,
    refusedEncoding,
    doctype,
    error,
    root,
    stylesheets: stylesheet.count,
    eventAttributes,
    remoteReferences,
    activeReferences,
    bodies,
  })
  if ('refused' in decoded) return result(null, decoded.refused)

  const parser = new SaxesParser({ xmlns: true })
  const path: string[] = []
  let body: { mediaType: string; parts: string[]; depth: number } | null = null
  const note = (list: string[], value: string) => {
    if (list.length < NOTES_MAX) list.push(value.slice(0, 200))
  }
  parser.on('doctype', () => {
    doctype = true
    throw new Stop()
  })
  parser.on('error', (problem) => {
    error ??= problem.message
    throw new Stop()
  })
  parser.on('processinginstruction', ({ target }) => {
    if (target.toLowerCase() === 'xml-stylesheet') stylesheet.count++
  })
  parser.on('opentag', (tag) => {
    root ??= { name: tag.local, namespace: tag.uri }
    path.push(tag.local)
    if (path.length > DEPTH_MAX) {
      error = `elements nested deeper than ${DEPTH_MAX}`
      throw new Stop()
    }
    const attributes = Object.values(tag.attributes) as SaxesAttributeNS[]
    if (attributes.length > ATTRIBUTES_MAX) {
      error = `more than ${ATTRIBUTES_MAX} attributes on one element`
      throw new Stop()
    }
    let mediaType = ''
    let base64 = false
    for (const attribute of attributes) {
      const name = attribute.local.toLowerCase()
      const value = attribute.value.trim()
      if (name.length > 2 && name.startsWith('on') && attribute.uri === '')
        note(eventAttributes, `${tag.local}/@${attribute.local}`)
      if (name === 'mediatype') mediaType = value.toLowerCase()
      if (name === 'representation' && value.toUpperCase() === 'B64') base64 = true
      if (attribute.uri === 'http://www.w3.org/2000/xmlns/' || name === 'schemalocation' || name === 'xmlns') continue
      const scheme = schemeOf(value)
      if (scheme === 'javascript' || scheme === 'vbscript' || scheme === 'data') {
        note(activeReferences, `${tag.local}/@${attribute.local}: ${value.slice(0, 60)}`)
      } else if (
        (scheme === 'http' || scheme === 'https' || scheme === 'ftp' || scheme === 'file') &&
        isFetched(tag.local, name)
      ) {
        note(remoteReferences, `${tag.local}/@${attribute.local}: ${value.slice(0, 120)}`)
      }
    }
    if (body === null && base64) body = { mediaType, parts: [], depth: path.length }
  })
  parser.on('text', (text) => {
    if (body !== null && path.length === body.depth) body.parts.push(text)
  })
  parser.on('closetag', () => {
    if (body !== null && path.length === body.depth) {
      if (bodies.length < NOTES_MAX)
        bodies.push({ mediaType: body.mediaType, base64: body.parts.join(''), path: path.join('/') })
      body = null
    }
    path.pop()
  })
  try {
    parser.write(withoutPadding(decoded.text)).close()
  } catch (thrown) {
    if (!(thrown instanceof Stop)) error ??= (thrown as Error).message
  }
  // A declaration that never ends is told as not well-formed, but it is a declaration all the same.
  if (error !== null && /<!(DOCTYPE|ENTITY)/i.test(decoded.text)) doctype = true
  return result(decoded.encoding, null)
}

/** A value of even length may end in one NUL; a UTF-16 text may then end in half a character. */
function withoutPadding(text: string): string {
  let end = text.length
  while (end > 0 && (text.charCodeAt(end - 1) === 0 || text.charCodeAt(end - 1) === 0xfffd)) end--
  return text.slice(0, end)
}

/** Scheme of a reference, lower case, control characters and blanks removed as browsers do; '' when there is none. */
function schemeOf(value: string): string {
  let clean = ''
  for (const character of value.slice(0, 64)) if (character > ' ') clean += character
  const colon = clean.indexOf(':')
  if (colon <= 0 || colon > 12) return ''
  const scheme = clean.slice(0, colon).toLowerCase()
  for (const character of scheme) if (character < 'a' || character > 'z') return ''
  return scheme
}

/** References that a stylesheet turns into something the browser loads by itself (images, frames), not links to click. */
function isFetched(element: string, attribute: string): boolean {
  if (attribute === 'src' || attribute === 'background') return true
  return element === 'reference' && attribute === 'value'
}
