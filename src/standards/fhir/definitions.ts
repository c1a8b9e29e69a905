import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import {
  getSearchParameter,
  type InternalSchemaElement,
  type InternalTypeSchema,
  indexSearchParameter,
  indexStructureDefinitionBundle,
  tryGetDataType,
} from '@medplum/core'
import type { SearchParameter, StructureDefinition } from '@medplum/fhirtypes'

/** Codes of one value set, system by system. */
type Listed = readonly { readonly system: string; readonly codes: readonly string[] }[]

let valueSets: ReadonlyMap<string, Listed> | undefined

/**
 * Reads and indexes the definitions: about 0.1 s and 40 MB, once, when the first request needs them. Everything else
 * here does it by itself.
 */
export function loadDefinitions(): void {
  if (valueSets !== undefined) return
  const read = (name: string): unknown =>
    JSON.parse(readFileSync(join(import.meta.dirname, 'generated', `${name}.json`), 'utf8'))
  indexStructureDefinitionBundle(read('structures') as StructureDefinition[])
  for (const parameter of read('search-parameters') as SearchParameter[]) indexSearchParameter(parameter)
  valueSets = new Map(Object.entries(read('value-sets') as { [url: string]: Listed }))
}

/** Elements of a resource or data type in the order of its definition; undefined for a type that is not known. */
export function typeNamed(name: string): InternalTypeSchema | undefined {
  loadDefinitions()
  return tryGetDataType(name)
}

/** One element as it stands in JSON: choice elements by their concrete name. */
export interface ConcreteElement {
  /** `valueString` */
  readonly name: string
  /** Name of its type: `string`, `Period`, `DocumentReferenceContent`, `Resource`. */
  readonly type: string
  readonly array: boolean
  readonly element: InternalSchemaElement
}

const concrete = new Map<string, ReadonlyMap<string, ConcreteElement>>()

/** Elements of a type by their JSON name, in order; choices stand one after the other. */
export function elementsOf(typeName: string): ReadonlyMap<string, ConcreteElement> | undefined {
  const known = concrete.get(typeName)
  if (known !== undefined) return known
  const schema = typeNamed(typeName)
  if (schema === undefined) return undefined
  const found = new Map<string, ConcreteElement>()
  for (const [key, element] of Object.entries(schema.elements)) {
    const array = element.isArray === true || element.max === undefined || element.max > 1
    for (const { code } of element.type) {
      const type = code.startsWith('http://hl7.org/fhirpath/') ? 'string' : code
      const name = key.endsWith('[x]') ? key.slice(0, -3) + type.charAt(0).toUpperCase() + type.slice(1) : key
      if (!found.has(name)) found.set(name, { name, type, array, element })
    }
  }
  concrete.set(typeName, found)
  return found
}

/** Primitive types are written in lower case. */
export function isPrimitive(typeName: string): boolean {
  return /^[a-z]/.test(typeName)
}

/** True for `Patient`, `Bundle`; false for data types and for what we do not know. */
export function isResourceType(name: string): boolean {
  return typeNamed(name)?.kind === 'resource'
}

/** True for the types of elements in which a whole resource stands: `contained`, `Bundle.entry.resource`. */
export function holdsResource(typeName: string): boolean {
  return typeName === 'Resource' || typeName === 'DomainResource' || isResourceType(typeName)
}

/** Codes of a value set; undefined when the definitions do not list them (media types, units). */
export function codesOf(valueSet: string): Listed | undefined {
  loadDefinitions()
  return valueSets?.get(valueSet.replace(/\|.*$/, ''))
}

/** Parameters of every type, and those of IHE MHD 4.2 and PDQm that FHIR itself does not have. */
const ADDED: readonly { type: SearchParameter['type']; base: string | null; code: string; expression: string }[] = [
  { base: null, code: '_tag', type: 'token', expression: 'meta.tag' },
  { base: null, code: '_security', type: 'token', expression: 'meta.security' },
  { base: null, code: '_profile', type: 'uri', expression: 'meta.profile' },
  {
    ...{ base: 'DocumentReference', code: 'creation', type: 'date' },
    expression: 'DocumentReference.content.attachment.creation',
  },
  {
    ...{ base: 'DiagnosticReport', code: 'imaging-study', type: 'reference' },
    expression: 'DiagnosticReport.imagingStudy',
  },
  {
    ...{ base: 'Patient', code: 'mothersMaidenName', type: 'string' },
    expression:
      "Patient.extension.where(url = 'http://hl7.org/fhir/StructureDefinition/patient-mothersMaidenName').value",
  },
  {
    ...{ base: 'List', code: 'designationType', type: 'token' },
    expression:
      "List.extension.where(url = 'https://profiles.ihe.net/ITI/MHD/StructureDefinition/ihe-designationType').value",
  },
  {
    ...{ base: 'List', code: 'sourceId', type: 'token' },
    expression: "List.extension.where(url = 'https://profiles.ihe.net/ITI/MHD/StructureDefinition/ihe-sourceId').value",
  },
  ...(['DocumentReference', 'List'] as const).flatMap((base) =>
    ['given', 'family'].map((part) => ({
      ...{ base, code: `${base === 'List' ? 'source' : 'author'}.${part}`, type: 'string' as const },
      expression: `${base}.contained.name.${part}`,
    })),
  ),
]

/** A search parameter of a resource type, `_id` and `_lastUpdated` included. */
export function searchParameter(
  resourceType: string,
  code: string,
): Pick<SearchParameter, 'code' | 'type' | 'expression' | 'target'> | undefined {
  loadDefinitions()
  return (
    getSearchParameter(resourceType, code) ??
    ADDED.find((one) => one.code === code && (one.base === null || one.base === resourceType))
  )
}
