import { type Filter, prefixed, spanOf, tokenOf, unescaped, unescapedSplit } from './search-syntax.ts'
import { type SearchValue, searchValues } from './search-values.ts'
import type { Json } from './xml-write.ts'

/** @returns undefined when the parameter or its modifier means nothing for this type */
export function matches(resource: Json, filter: Filter): boolean | undefined {
  const found = searchValues(resource, filter.code)
  if (found === undefined) return undefined
  if (filter.modifier === 'missing') return filter.values.includes(String(found.length === 0))
  if (filter.modifier === 'not') {
    return !filter.values.some((wanted) => found.some((value) => same(value, wanted, null)))
  }
  return filter.values.some((wanted) => found.some((value) => same(value, wanted, filter.modifier)))
}

/** For names and texts: case, accents and repeated spaces do not count. */
export function plain(text: string): string {
  return text
    .normalize('NFKD')
    .replace(/[\u0300-\u036f]/g, '')
    .toLowerCase()
    .replace(/\s+/g, ' ')
    .trim()
}

function same(value: SearchValue, wanted: string, modifier: string | null): boolean {
  switch (value.is) {
    case 'token': {
      if (modifier === 'text') return plain(value.text).startsWith(plain(unescaped(wanted)))
      const { system, code } = tokenOf(wanted)
      if (system !== null && system !== value.system) return false
      return code === null || code === value.code || code.toLowerCase() === value.code.toLowerCase()
    }
    case 'string': {
      const asked = unescaped(wanted)
      if (modifier === 'exact') return value.text === asked
      return modifier === 'contains'
        ? plain(value.text).includes(plain(asked))
        : plain(value.text).startsWith(plain(asked)) ||
            plain(value.text)
              .split(' ')
              .some((word) => word.startsWith(plain(asked)))
    }
    case 'reference':
      return sameReference(value, wanted, modifier)
    case 'date':
      return sameDate(value, wanted)
    case 'uri': {
      const asked = unescaped(wanted)
      if (modifier === 'below') return value.uri.startsWith(asked)
      return modifier === 'above' ? asked.startsWith(value.uri) : value.uri === asked
    }
    case 'number':
      return sameNumber(value, wanted)
  }
}

function sameReference(value: SearchValue & { is: 'reference' }, wanted: string, modifier: string | null): boolean {
  if (modifier === 'identifier') {
    const { system, code } = tokenOf(wanted)
    return (
      value.identifier !== '' &&
      (system === null || system === value.system) &&
      (code === null || code === value.identifier)
    )
  }
  const asked = unescaped(wanted)
  const to = value.to.replace(/\/_history\/[^/]+$/, '')
  if (to === '') return false
  if (to === asked) return true
  // What we serve refers to what we serve by `Type/id`; absolute addresses are compared by their end.
  const local = /(?:^|\/)([A-Z][A-Za-z]+\/[A-Za-z0-9.-]{1,64})$/
  const own = local.exec(to)?.[1] ?? to
  if (asked.includes('/')) return own === (local.exec(asked)?.[1] ?? asked)
  return own.endsWith(`/${asked}`) && (modifier === null || own.startsWith(`${modifier}/`))
}

function sameDate(value: SearchValue & { is: 'date' }, wanted: string): boolean {
  const { prefix, value: date } = prefixed(wanted)
  const span = spanOf(date)
  if (span === undefined) return false
  switch (prefix) {
    case 'ne':
      return !(value.from >= span.from && value.to <= span.to)
    case 'gt':
      return value.to > span.to
    case 'lt':
      return value.from < span.from
    case 'ge':
      return value.to > span.from
    case 'le':
      return value.from < span.to
    case 'sa':
      return value.from >= span.to
    case 'eb':
      return value.to <= span.from
    case 'ap':
      return value.from < span.to + 86_400_000 && value.to > span.from - 86_400_000
    default:
      return value.from >= span.from && value.to <= span.to
  }
}

function sameNumber(value: SearchValue & { is: 'number' }, wanted: string): boolean {
  const [head = '', system = '', unit = ''] = unescapedSplit(wanted, '|')
  const { prefix, value: digits } = prefixed(head)
  const asked = Number(digits)
  if (Number.isNaN(asked) || (system !== '' && system !== value.system) || (unit !== '' && unit !== value.unit))
    return false
  // 100 means 99.5 to 100.5: the precision that was written counts. https://hl7.org/fhir/R4/search.html#number
  const half = 0.5 * 10 ** -(digits.split('.')[1]?.length ?? 0)
  switch (prefix) {
    case 'ne':
      return Math.abs(value.value - asked) >= half
    case 'gt':
    case 'sa':
      return value.value > asked
    case 'lt':
    case 'eb':
      return value.value < asked
    case 'ge':
      return value.value >= asked
    case 'le':
      return value.value <= asked
    default:
      return value.value >= asked - half && value.value < asked + half
  }
}
