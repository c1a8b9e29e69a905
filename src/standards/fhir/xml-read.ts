import { DocumentError } from '../document-error.ts'
import { DEFAULT_XML_LIMITS, readXml, type XmlLimits, type XmlTag } from '../xml/reader.ts'
import { type ConcreteElement, elementsOf, holdsResource, isPrimitive, isResourceType } from './definitions.ts'
import { attribute } from './xml-write.ts'

const FHIR = 'http://hl7.org/fhir'
const XHTML = 'http://www.w3.org/1999/xhtml'

/** An element that is being read, and where its value goes. */
interface Open {
  /** `Patient.name[0].given[1]` */
  readonly path: string
  /** What children it may have; undefined within a primitive, which holds extensions only. */
  readonly elements: ReadonlyMap<string, ConcreteElement> | undefined
  /** Expects a resource as its only child. */
  readonly holdsResource: boolean
  readonly value: { [name: string]: unknown }
  /** Which choice of an element was used, so that two are told. */
  readonly chosen: Set<string>
}

/** Where in a resource something is that XML must not have. */
export class FhirXmlError extends Error {
  readonly expression: string

  constructor(expression: string, message: string, options?: { cause?: unknown }) {
    super(message, options)
    this.expression = expression
  }
}

/**
 * Reads a resource in FHIR XML as JSON. Narrative is kept as text and never interpreted.
 *
 * @throws FhirXmlError naming the element that no definition has, that repeats, or that has no value
 * @throws DocumentError `doctype`, `malformed`, `limit`, `encoding`
 */
export function fromXml(bytes: Uint8Array, limits: XmlLimits = DEFAULT_XML_LIMITS): { [name: string]: unknown } {
  const open: Open[] = []
  let root: { [name: string]: unknown } | undefined
  let narrative: Narrative | undefined

  function openResource(tag: XmlTag, path: string): Open {
    if (tag.namespace !== FHIR) throw new FhirXmlError(path, `<${tag.name}> is not in the namespace of FHIR`)
    if (!isResourceType(tag.name)) throw new FhirXmlError(path, `${tag.name} is no resource that is known here`)
    return {
      path: path === '' ? tag.name : path,
      elements: elementsOf(tag.name),
      holdsResource: false,
      value: { resourceType: tag.name },
      chosen: new Set(),
    }
  }

  function openElement(parent: Open, tag: XmlTag): Open {
    const { name } = tag
    const at = `${parent.path}.${name}`
    if (tag.namespace !== FHIR) throw new FhirXmlError(at, `<${name}> is not in the namespace of FHIR`)
    if (parent.holdsResource) {
      if (Object.keys(parent.value).length > 0) throw new FhirXmlError(parent.path, 'more than one resource')
      const child = openResource(tag, parent.path)
      Object.assign(parent.value, child.value)
      return { ...child, value: parent.value }
    }
    const element = parent.elements?.get(name)
    if (element === undefined) throw new FhirXmlError(at, 'no element of that name')
    const choice = element.element.path
    if (choice.endsWith('[x]') && parent.chosen.has(choice)) throw new FhirXmlError(at, 'a second value of a choice')
    parent.chosen.add(choice)
    if (isPrimitive(element.type)) return openPrimitive(parent, element, tag, at)
    const value: { [name: string]: unknown } = {}
    const id = tag.attributes.get('id')
    if (id !== undefined) value['id'] = id
    const url = tag.attributes.get('url')
    if (element.type === 'Extension') {
      if (url === undefined) throw new FhirXmlError(at, 'an extension without url')
      value['url'] = url
    }
    const index = put(parent.value, element, value, at)
    return {
      path: index === undefined ? at : `${at}[${index}]`,
      elements: holdsResource(element.type) ? undefined : elementsOf(element.type),
      holdsResource: holdsResource(element.type),
      value,
      chosen: new Set(),
    }
  }

  function openPrimitive(parent: Open, element: ConcreteElement, tag: XmlTag, at: string): Open {
    const text = tag.attributes.get('value')
    const index = put(parent.value, element, text === undefined ? null : primitive(element.type, text, at), at)
    const beside: { [name: string]: unknown } = {}
    const id = tag.attributes.get('id')
    if (id !== undefined) beside['id'] = id
    return {
      path: index === undefined ? at : `${at}[${index}]`,
      elements: elementsOf('Element'),
      holdsResource: false,
      value: beside,
      chosen: new Set(),
    }
  }

  /** What stands beside a primitive goes into `_name`, once it is known. */
  function closePrimitive(parent: Open, closed: Open): void {
    const name = closed.path.slice(parent.path.length + 1).replace(/\[\d+\]$/, '')
    const element = parent.elements?.get(name)
    if (element === undefined || !isPrimitive(element.type)) return
    const some = Object.keys(closed.value).length > 0
    const values = parent.value[name]
    if (!element.array) {
      if (some) parent.value[`_${name}`] = closed.value
      if (values === null) {
        if (!some) throw new FhirXmlError(closed.path, 'neither a value nor an extension')
        delete parent.value[name]
      }
      return
    }
    const list = values as unknown[]
    const last = list.length - 1
    if (list[last] === null && !some) throw new FhirXmlError(closed.path, 'neither a value nor an extension')
    const besides = parent.value[`_${name}`] as unknown[] | undefined
    if (some) parent.value[`_${name}`] = [...(besides ?? list.slice(0, -1).map(() => null)), closed.value]
    else if (besides !== undefined) besides.push(null)
  }

  readXml(
    bytes,
    {
      open(tag) {
        if (narrative !== undefined) {
          narrative.open(tag)
          return
        }
        const parent = open.at(-1)
        if (parent === undefined) {
          const first = openResource(tag, '')
          root = first.value
          open.push(first)
          return
        }
        if (tag.namespace === XHTML && tag.name === 'div' && parent.elements?.get('div')?.type === 'xhtml') {
          narrative = new Narrative()
          narrative.open(tag)
          return
        }
        open.push(openElement(parent, tag))
      },
      text(text) {
        if (narrative !== undefined) narrative.text(text)
        else if (text.trim() !== '') throw new FhirXmlError(open.at(-1)?.path ?? '', 'text between elements')
      },
      close(name) {
        if (narrative !== undefined) {
          if (!narrative.close(name)) return
          const parent = open.at(-1)
          if (parent !== undefined) parent.value['div'] = narrative.xml
          narrative = undefined
          return
        }
        const closed = open.pop()
        const parent = open.at(-1)
        if (closed !== undefined && parent !== undefined && !parent.holdsResource) closePrimitive(parent, closed)
      },
    },
    limits,
  )
  if (root === undefined) throw new DocumentError('malformed', 'XML without an element')
  return root
}

/** @returns the zero-based place in a list, undefined for a single value */
function put(
  into: { [name: string]: unknown },
  element: ConcreteElement,
  value: unknown,
  at: string,
): number | undefined {
  const { name, array } = element
  if (!array) {
    if (Object.hasOwn(into, name)) throw new FhirXmlError(at, 'an element that may occur once occurs again')
    into[name] = value
    return undefined
  }
  const known = into[name]
  if (Array.isArray(known)) return known.push(value) - 1
  into[name] = [value]
  return 0
}

const NUMBER = /^-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?$/

/** JSON value of a primitive. https://hl7.org/fhir/R4/json.html#primitive */
function primitive(type: string, text: string, at: string): string | number | boolean {
  if (type === 'boolean') {
    if (text === 'true' || text === 'false') return text === 'true'
    throw new FhirXmlError(at, 'a boolean is true or false')
  }
  if (type === 'integer' || type === 'positiveInt' || type === 'unsignedInt' || type === 'decimal') {
    if (!NUMBER.test(text)) throw new FhirXmlError(at, 'not a number')
    return Number(text)
  }
  return text
}

/** Narrative as it stood, written anew without prefixes. */
class Narrative {
  xml = ''
  #depth = 0
  #unclosed = false

  open(tag: XmlTag): void {
    this.#end()
    const attributes = [...tag.attributes]
      .filter(([name]) => !name.includes('xmlns') && !name.startsWith('{http://www.w3.org/2000/'))
      .map(
        ([name, value]) =>
          ` ${name.replace('{http://www.w3.org/XML/1998/namespace}', 'xml:').replace(/\{.*\}/, '')}="${attribute(value)}"`,
      )
      .join('')
    this.xml += `<${tag.name}${this.#depth === 0 ? ` xmlns="${XHTML}"` : ''}${attributes}`
    this.#unclosed = true
    this.#depth++
  }

  text(text: string): void {
    this.#end()
    this.xml += text.replace(
      /[&<>]/g,
      (character) => ({ '&': '&amp;', '<': '&lt;', '>': '&gt;' })[character] ?? character,
    )
  }

  /** @returns true when the narrative has ended */
  close(name: string): boolean {
    if (this.#unclosed) this.xml += '/>'
    else this.xml += `</${name}>`
    this.#unclosed = false
    this.#depth--
    return this.#depth === 0
  }

  #end(): void {
    if (this.#unclosed) this.xml += '>'
    this.#unclosed = false
  }
}
