import { type SaxesAttributeNS, SaxesParser } from 'saxes'
import { DocumentError } from '../document-error.ts'
import { type DecodedXml, decodeXml } from './decode.ts'

/** Bounds on one XML document. threats.md section 4. */
export interface XmlLimits {
  readonly bytes: number
  /** Elements within elements. */
  readonly depth: number
  /** Of one element. */
  readonly attributes: number
  /** Of the whole document. */
  readonly elements: number
}

export const DEFAULT_XML_LIMITS: XmlLimits = {
  bytes: 64 * 1024 * 1024,
  depth: 256,
  attributes: 512,
  elements: 1_000_000,
}

export interface XmlTag {
  /** Without prefix. */
  readonly name: string
  readonly namespace: string
  /** By local name; those with a namespace as `{namespace}name`. */
  readonly attributes: ReadonlyMap<string, string>
}

export interface XmlHandler {
  /** @param depth 1 for the root. Return `stop` to read no further. */
  open(tag: XmlTag, depth: number): 'stop' | undefined
  text?(text: string): void
  /** @param depth of the element that ends */
  close?(name: string, depth: number): 'stop' | undefined
}

class Stop extends Error {}

/** Where the parser is, in UTF-16 units of the text: behind the `>` of a tag while it is told. */
export interface XmlPosition {
  at(): number
}

/**
 * Reads an XML document once. Nothing is fetched, no document type is processed, no entity expanded but the five of XML.
 *
 * @param start told the decoded text and the position before anything is read
 * @throws DocumentError `doctype`, `malformed`, `limit`, `encoding`
 */
export function readXml(
  bytes: Uint8Array,
  handler: XmlHandler,
  limits: XmlLimits = DEFAULT_XML_LIMITS,
  options: { readonly partial?: boolean; readonly start?: (decoded: DecodedXml, position: XmlPosition) => void } = {},
): void {
  if (bytes.byteLength > limits.bytes) throw new DocumentError('limit', `XML of more than ${limits.bytes} bytes`)
  const decoded = decodeXml(bytes, options.partial === true)
  const parser = new SaxesParser({ xmlns: true })
  let depth = 0
  let elements = 0
  parser.on('doctype', () => {
    throw new DocumentError('doctype', 'XML with a document type declaration')
  })
  parser.on('error', (problem) => {
    // A declaration that never ends is told as not well-formed, but it is a declaration all the same.
    if (/<!(DOCTYPE|ENTITY)/i.test(decoded.text)) {
      throw new DocumentError('doctype', 'XML with a document type declaration')
    }
    throw new DocumentError('malformed', 'XML that is not well-formed', { cause: problem })
  })
  parser.on('opentag', (tag) => {
    depth++
    if (depth > limits.depth) throw new DocumentError('limit', `XML nested deeper than ${limits.depth}`)
    if (++elements > limits.elements) throw new DocumentError('limit', `XML of more than ${limits.elements} elements`)
    const attributes = new Map<string, string>()
    for (const attribute of Object.values(tag.attributes) as SaxesAttributeNS[]) {
      attributes.set(attribute.uri === '' ? attribute.local : `{${attribute.uri}}${attribute.local}`, attribute.value)
      if (attributes.size > limits.attributes) {
        throw new DocumentError('limit', `an XML element with more than ${limits.attributes} attributes`)
      }
    }
    if (handler.open({ name: tag.local, namespace: tag.uri, attributes }, depth) === 'stop') throw new Stop()
  })
  const { text } = handler
  if (text !== undefined) {
    parser.on('text', (value) => text.call(handler, value))
    parser.on('cdata', (value) => text.call(handler, value))
  }
  parser.on('closetag', (tag) => {
    if (handler.close?.(tag.local, depth) === 'stop') throw new Stop()
    depth--
  })
  options.start?.(decoded, { at: () => parser.position })
  try {
    parser.write(withoutPadding(decoded.text))
    if (options.partial !== true) parser.close()
  } catch (thrown) {
    if (!(thrown instanceof Stop)) throw thrown
  }
}

/** A value of even length may end in one NUL; a UTF-16 text may then end in half a character. */
function withoutPadding(text: string): string {
  let end = text.length
  while (end > 0 && (text.charCodeAt(end - 1) === 0 || text.charCodeAt(end - 1) === 0xfffd)) end--
  return end === text.length ? text : text.slice(0, end)
}
