import { evalFhirPathTyped, toTypedValue } from '@medplum/core'
import type { Resource, SearchParameter } from '@medplum/fhirtypes'
import { searchParameter } from './definitions.ts'
import { spanOf } from './search-syntax.ts'
import { isJson, type Json } from './xml-write.ts'

/** A value that searches compare. https://hl7.org/fhir/R4/search.html#ptypes */
export type SearchValue =
  | { readonly is: 'token'; readonly system: string; readonly code: string; readonly text: string }
  | { readonly is: 'string'; readonly text: string }
  /** `Patient/1`, an absolute address, or only the identifier of what is meant. */
  | { readonly is: 'reference'; readonly to: string; readonly system: string; readonly identifier: string }
  /** Milliseconds since 1970, `to` excluded; an open end is infinite. */
  | { readonly is: 'date'; readonly from: number; readonly to: number }
  | { readonly is: 'uri'; readonly uri: string }
  | { readonly is: 'number'; readonly value: number; readonly system: string; readonly unit: string }

const expressions = new Map<string, string>()

/** The part of an expression that is about this type: a parameter of many resources is the union of all of theirs. */
function expressionOf(resourceType: string, parameter: Pick<SearchParameter, 'code' | 'expression'>): string {
  const key = `${resourceType}.${parameter.code}`
  const known = expressions.get(key)
  if (known !== undefined) return known
  const whole = parameter.expression ?? ''
  const own = whole.split(' | ').filter((part) => new RegExp(`^\\(?${resourceType}\\b`).test(part.trim()))
  const expression = own.length === 0 ? whole : own.join(' | ')
  expressions.set(key, expression)
  return expression
}

/**
 * Values of a resource for one of its search parameters.
 * @returns undefined for a parameter that the type does not have
 */
export function searchValues(resource: Json, code: string): readonly SearchValue[] | undefined {
  const resourceType = String(resource['resourceType'])
  const parameter = searchParameter(resourceType, code)
  if (parameter === undefined) return undefined
  const found = evalFhirPathTyped(expressionOf(resourceType, parameter), [
    toTypedValue(resource as unknown as Resource),
  ])
  return found.flatMap(({ value }) => valuesOf(parameter.type, value))
}

function valuesOf(type: SearchParameter['type'], value: unknown): readonly SearchValue[] {
  switch (type) {
    case 'token':
      return tokens(value)
    case 'string':
      return strings(value).map((text) => ({ is: 'string', text }))
    case 'reference':
      return references(value)
    case 'date':
      return dates(value)
    case 'uri':
      return typeof value === 'string' ? [{ is: 'uri', uri: value }] : []
    case 'number':
    case 'quantity':
      return numbers(value)
    default:
      return []
  }
}

const text = (value: unknown): string => (typeof value === 'string' ? value : '')
const token = (system: string, code: string, display: string): SearchValue => ({
  is: 'token',
  system,
  code,
  text: display,
})

function tokens(value: unknown): readonly SearchValue[] {
  if (typeof value === 'string') return [token('', value, '')]
  if (typeof value === 'boolean') return [token('http://hl7.org/fhir/special-values', String(value), '')]
  if (!isJson(value)) return []
  if (Array.isArray(value['coding'])) {
    const codings = value['coding'].filter(isJson)
    return codings.map((one) =>
      token(text(one['system']), text(one['code']), text(value['text']) || text(one['display'])),
    )
  }
  if (typeof value['value'] === 'string') return [token(text(value['system']), value['value'], text(value['type']))]
  if (typeof value['code'] === 'string') return [token(text(value['system']), value['code'], text(value['display']))]
  return typeof value['text'] === 'string' ? [token('', '', value['text'])] : []
}

/** Every text of a name, an address, an annotation. */
function strings(value: unknown): readonly string[] {
  if (typeof value === 'string') return [value]
  if (Array.isArray(value)) return value.flatMap(strings)
  if (!isJson(value)) return []
  const parts = [
    'text',
    'family',
    'given',
    'prefix',
    'suffix',
    'line',
    'city',
    'district',
    'state',
    'postalCode',
    'country',
  ]
  return parts.flatMap((part) => strings(value[part]))
}

function references(value: unknown): readonly SearchValue[] {
  if (typeof value === 'string') return [{ is: 'reference', to: value, system: '', identifier: '' }]
  if (!isJson(value)) return []
  const identifier = isJson(value['identifier']) ? value['identifier'] : {}
  const to = text(value['reference'])
  const found = { system: text(identifier['system']), identifier: text(identifier['value']) }
  return to === '' && found.identifier === '' ? [] : [{ is: 'reference', to, ...found }]
}

function dates(value: unknown): readonly SearchValue[] {
  if (typeof value === 'string') {
    const span = spanOf(value)
    return span === undefined ? [] : [{ is: 'date', ...span }]
  }
  if (!isJson(value)) return []
  if (value['start'] === undefined && value['end'] === undefined) return []
  return [
    {
      is: 'date',
      from: spanOf(text(value['start']))?.from ?? Number.NEGATIVE_INFINITY,
      to: spanOf(text(value['end']))?.to ?? Number.POSITIVE_INFINITY,
    },
  ]
}

function numbers(value: unknown): readonly SearchValue[] {
  if (typeof value === 'number') return [{ is: 'number', value, system: '', unit: '' }]
  if (!isJson(value) || typeof value['value'] !== 'number') return []
  const unit = text(value['code']) || text(value['unit'])
  return [{ is: 'number', value: value['value'], system: text(value['system']), unit }]
}
