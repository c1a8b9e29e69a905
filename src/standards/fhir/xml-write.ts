import { elementsOf, holdsResource, isPrimitive } from './definitions.ts'

/** A resource or data type as JSON. */
export interface Json {
  readonly [name: string]: unknown
}

const FHIR = 'http://hl7.org/fhir'

/**
 * FHIR XML of a resource: elements in the order of the definitions. Members that no definition names are left out; validation
 * has told them before. https://hl7.org/fhir/R4/xml.html
 *
 * @throws RangeError for a resource of a type that is not known, or nested deeper than 100
 */
export function toXml(resource: Json): string {
  return `<?xml version="1.0" encoding="UTF-8"?>\n${resourceXml(resource, ` xmlns="${FHIR}"`, 0)}`
}

const DEPTH_MAX = 100

function resourceXml(resource: Json, attributes: string, depth: number): string {
  const type = resource['resourceType']
  if (typeof type !== 'string') throw new RangeError('a resource without resourceType')
  return `<${type}${attributes}>${membersXml(type, resource, depth + 1)}</${type}>`
}

function membersXml(type: string, value: Json, depth: number): string {
  if (depth > DEPTH_MAX) throw new RangeError(`FHIR nested deeper than ${DEPTH_MAX}`)
  const elements = elementsOf(type)
  if (elements === undefined) throw new RangeError(`no definition of ${type}`)
  const inResource = typeof value['resourceType'] === 'string'
  let xml = ''
  for (const { name, type: elementType } of elements.values()) {
    if (name === 'id' && !inResource) continue // an attribute
    if (type === 'Extension' && name === 'url') continue
    const own = value[name]
    const beside = value[`_${name}`]
    if (own === undefined && beside === undefined) continue
    const values: readonly unknown[] = Array.isArray(own) ? own : [own]
    const besides: readonly unknown[] = Array.isArray(beside) ? beside : [beside]
    const count = Math.max(
      Array.isArray(own) || own !== undefined ? values.length : 0,
      beside === undefined ? 0 : besides.length,
    )
    for (let i = 0; i < count; i++) xml += elementXml(name, elementType, values[i], besides[i], depth)
  }
  return xml
}

function elementXml(name: string, type: string, value: unknown, beside: unknown, depth: number): string {
  if (type === 'xhtml') return typeof value === 'string' ? value : ''
  if (isPrimitive(type)) {
    const text = value === undefined || value === null ? '' : ` value="${attribute(String(value))}"`
    if (!isJson(beside)) return text === '' ? '' : `<${name}${text}/>`
    const extensions = beside['extension']
    const inner = Array.isArray(extensions)
      ? extensions
          .filter(isJson)
          .map((one) => elementXml('extension', 'Extension', one, undefined, depth + 1))
          .join('')
      : ''
    return `<${name}${idAttribute(beside)}${text}>${inner}</${name}>`
  }
  if (!isJson(value)) return ''
  if (holdsResource(type)) return `<${name}>${resourceXml(value, '', depth)}</${name}>`
  const url = type === 'Extension' && typeof value['url'] === 'string' ? ` url="${attribute(value['url'])}"` : ''
  return `<${name}${idAttribute(value)}${url}>${membersXml(type, value, depth + 1)}</${name}>`
}

function idAttribute(value: Json): string {
  const { id } = value
  return typeof id === 'string' ? ` id="${attribute(id)}"` : ''
}

export function isJson(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

const REFERENCES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  '\n': '&#10;',
  '\r': '&#13;',
  '\t': '&#9;',
}

/** Text for an attribute: line ends survive, and characters that XML cannot carry are left out. XML 1.0 section 2.2. */
export function attribute(text: string): string {
  return text.replace(/[\p{Cc}\ufffe\uffff&<>"]/gu, (character) => REFERENCES[character] ?? '')
}
