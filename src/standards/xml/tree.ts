import type { DecodedXml } from './decode.ts'
import { DEFAULT_XML_LIMITS, readXml, type XmlLimits, type XmlPosition } from './reader.ts'

/** An element of a small XML document, whole in memory. */
export interface XmlElement {
  readonly name: string
  readonly namespace: string
  readonly attributes: ReadonlyMap<string, string>
  readonly children: readonly XmlElement[]
  /** Its own character data, joined; that of its children is with them. */
  readonly text: string
  /** Of its content in the decoded text, in UTF-16 units; `end` is behind the end tag. */
  readonly start: number
  readonly end: number
}

interface Growing extends XmlElement {
  readonly children: Growing[]
  text: string
  end: number
}

export interface XmlTree {
  readonly root: XmlElement | null
  readonly decoded: DecodedXml
}

export interface TreeOptions {
  readonly limits?: XmlLimits
  /** Elements for which this is true are left out with all that is in them. */
  readonly skip?: (name: string, depth: number) => boolean
}

/** @throws DocumentError as readXml */
export function readXmlTree(bytes: Uint8Array, options: TreeOptions = {}): XmlTree {
  let root: Growing | null = null
  let decoded: DecodedXml | null = null
  let position: XmlPosition = { at: () => 0 }
  const open: Growing[] = []
  let skippedFrom = 0
  readXml(
    bytes,
    {
      open(tag, depth) {
        if (skippedFrom > 0) return undefined
        if (options.skip?.(tag.name, depth) === true) {
          skippedFrom = depth
          return undefined
        }
        const element: Growing = { ...tag, children: [], text: '', start: position.at(), end: 0 }
        const parent = open.at(-1)
        if (parent === undefined) root ??= element
        else parent.children.push(element)
        open.push(element)
        return undefined
      },
      text(value) {
        const element = open.at(-1)
        if (element !== undefined && skippedFrom === 0) element.text += value
      },
      close(_name, depth) {
        if (skippedFrom > 0) {
          if (depth === skippedFrom) skippedFrom = 0
          return undefined
        }
        const element = open.pop()
        if (element !== undefined) element.end = position.at()
        return undefined
      },
    },
    options.limits ?? DEFAULT_XML_LIMITS,
    {
      start(text, at) {
        decoded = text
        position = at
      },
    },
  )
  return { root, decoded: decoded ?? { text: '', encoding: 'utf-8', markBytes: 0 } }
}

/** The children with a name. */
export function childrenOf(element: XmlElement | undefined, name: string): readonly XmlElement[] {
  return element?.children.filter((one) => one.name === name) ?? []
}

/** The element at the end of a path of first children; undefined when a step is missing. */
export function at(element: XmlElement | undefined, ...path: readonly string[]): XmlElement | undefined {
  let one = element
  for (const name of path) one = one?.children.find((child) => child.name === name)
  return one
}

/** Trimmed value of an attribute; null when it is absent or empty. */
export function attribute(element: XmlElement | undefined, name: string): string | null {
  const value = element?.attributes.get(name)?.trim()
  return value === undefined || value === '' ? null : value
}

/** All character data of an element and what is in it, blanks folded; null when there is none. */
export function textOf(element: XmlElement | undefined): string | null {
  if (element === undefined) return null
  const parts: string[] = []
  gather(element, parts)
  const text = parts.join(' ').replace(/\s+/g, ' ').trim()
  return text === '' ? null : text
}

/** As deep as the tree was read: XmlLimits.depth. */
function gather(element: XmlElement, parts: string[]): void {
  if (element.text.trim() !== '') parts.push(element.text)
  for (const child of element.children) gather(child, parts)
}
