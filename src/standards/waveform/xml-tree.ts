import { type SaxesAttributeNS, SaxesParser } from 'saxes'
import { ConversionError } from '../dicom/wrap/conversion-error.ts'
import { decodeXml } from '../media/xml-probe.ts'

/** An element of an XML document, read without DTD, entities of its own or any fetch. */
export interface XmlElement {
  readonly name: string
  readonly namespace: string
  /** By local name; `xsi:type` is `type` of XML Schema instance, kept as `xsi:type`. */
  readonly attributes: ReadonlyMap<string, string>
  readonly children: readonly XmlElement[]
  readonly text: string
}

export interface XmlLimits {
  readonly bytesMax: number
  readonly elementsMax: number
  readonly depthMax: number
}

const XSI = 'http://www.w3.org/2001/XMLSchema-instance'

/**
 * Reads a whole XML document into a tree.
 * @throws ConversionError `conversion.limit` beyond `limits`; `conversion.malformed` for a document type declaration,
 *   an encoding that is not read here, and what is not well-formed
 */
export function readXmlTree(bytes: Uint8Array, limits: XmlLimits): XmlElement {
  if (bytes.length > limits.bytesMax)
    throw new ConversionError('conversion.limit', `XML above ${limits.bytesMax} bytes`)
  const decoded = decodeXml(bytes)
  if ('refused' in decoded) throw new ConversionError('conversion.malformed', 'an encoding that is not read')
  interface Open {
    readonly element: XmlElement & { readonly children: XmlElement[] }
    readonly parts: string[]
  }
  const open: Open[] = []
  let root: XmlElement | undefined
  let count = 0
  const parser = new SaxesParser({ xmlns: true })
  parser.on('doctype', () => {
    throw new ConversionError('conversion.malformed', 'a document type declaration')
  })
  parser.on('error', (problem) => {
    throw new ConversionError('conversion.malformed', 'not well-formed XML', { cause: problem })
  })
  parser.on('opentag', (tag) => {
    count += 1
    if (count > limits.elementsMax || open.length >= limits.depthMax) {
      throw new ConversionError('conversion.limit', 'more or deeper elements than are read')
    }
    const attributes = new Map<string, string>()
    for (const { local, uri, value } of Object.values(tag.attributes) as SaxesAttributeNS[]) {
      if (uri === '') attributes.set(local, value)
      else if (uri === XSI) attributes.set(`xsi:${local}`, value)
    }
    open.push({ element: { name: tag.local, namespace: tag.uri, attributes, children: [], text: '' }, parts: [] })
  })
  parser.on('text', (text) => {
    open.at(-1)?.parts.push(text)
  })
  parser.on('cdata', (text) => {
    open.at(-1)?.parts.push(text)
  })
  parser.on('closetag', () => {
    const { element, parts } = open.pop()!
    const closed = { ...element, text: parts.join('') }
    const above = open.at(-1)
    if (above === undefined) root = closed
    else above.element.children.push(closed)
  })
  parser.write(decoded.text).close()
  if (root === undefined) throw new ConversionError('conversion.malformed', 'an XML document without an element')
  return root
}

/** The elements that a path of local names leads to; every branch is followed. */
export function select(from: XmlElement, ...path: readonly string[]): readonly XmlElement[] {
  let found: readonly XmlElement[] = [from]
  for (const name of path) found = found.flatMap(({ children }) => children.filter((child) => child.name === name))
  return found
}

/** The first of them. */
export function first(from: XmlElement, ...path: readonly string[]): XmlElement | undefined {
  return select(from, ...path)[0]
}

/** An attribute of the first element a path leads to. */
export function attribute(from: XmlElement, name: string, ...path: readonly string[]): string | undefined {
  return first(from, ...path)?.attributes.get(name)
}
