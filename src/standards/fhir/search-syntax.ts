/** How conditions of a search are written; needs no definitions. https://hl7.org/fhir/R4/search.html */

/** One condition of a search; one of its values is enough. https://hl7.org/fhir/R4/search.html */
export interface Filter {
  readonly code: string
  /** Without the colon; for references also the name of a type. */
  readonly modifier: string | null
  /** Alternatives as they were written, still escaped. */
  readonly values: readonly string[]
}

/** Splits at a separator that is not escaped. https://hl7.org/fhir/R4/search.html#escaping */
export function unescapedSplit(text: string, separator: ',' | '|' | '$'): string[] {
  const parts: string[] = ['']
  for (let i = 0; i < text.length; i++) {
    const character = text.charAt(i)
    if (character === '\\' && i + 1 < text.length) {
      parts[parts.length - 1] += character + text.charAt(++i)
    } else if (character === separator) parts.push('')
    else parts[parts.length - 1] += character
  }
  return parts
}

export const unescaped = (text: string): string => text.replace(/\\([\\,|$])/g, '$1')

/** `system|code`, `|code`, `system|`, `code`: null where nothing is said. */
export function tokenOf(wanted: string): { readonly system: string | null; readonly code: string | null } {
  const [first = '', second] = unescapedSplit(wanted, '|')
  if (second === undefined) return { system: null, code: unescaped(first) }
  return { system: unescaped(first), code: second === '' ? null : unescaped(second) }
}

const PREFIX = /^(eq|ne|gt|lt|ge|le|sa|eb|ap)(?=[\d-])/

/** `ge2020` as its prefix and value. */
export function prefixed(wanted: string): { readonly prefix: string; readonly value: string } {
  const prefix = PREFIX.exec(wanted)?.[1] ?? 'eq'
  return { prefix, value: PREFIX.test(wanted) ? wanted.slice(2) : wanted }
}

const DATE = /^(\d{4})(?:-(\d{2})(?:-(\d{2})(?:T(\d{2}):(\d{2})(?::(\d{2})(\.\d+)?)?(Z|[+-]\d{2}:\d{2})?)?)?)?$/

/**
 * The time a date stands for, by its precision: `2019-05` is the whole of May. What has no zone is read as UTC.
 * @returns milliseconds since 1970, `to` excluded; undefined for what is no date
 */
export function spanOf(date: string): { readonly from: number; readonly to: number } | undefined {
  const match = DATE.exec(date)
  if (match === null) return undefined
  const [, year = '', month, day, hour, minute, second, fraction, zone] = match
  const at = Date.UTC(Number(year), Number(month ?? 1) - 1, Number(day ?? 1))
  if (Number(month ?? 1) > 12 || new Date(at).getUTCMonth() !== Number(month ?? 1) - 1) return undefined
  if (month === undefined) return { from: at, to: Date.UTC(Number(year) + 1, 0, 1) }
  if (day === undefined) return { from: at, to: Date.UTC(Number(year), Number(month), 1) }
  if (hour === undefined || minute === undefined) return { from: at, to: at + 86_400_000 }
  const east = zone === undefined || zone === 'Z' ? 0 : zoneMs(zone)
  const from = at + (Number(hour) * 60 + Number(minute)) * 60_000 - east + Number(second ?? 0) * 1000
  if (second === undefined) return { from, to: from + 60_000 }
  const milliseconds = fraction === undefined ? 0 : Math.floor(Number(fraction) * 1000)
  return { from: from + milliseconds, to: from + milliseconds + (fraction === undefined ? 1000 : 1) }
}

function zoneMs(zone: string): number {
  const sign = zone.startsWith('-') ? -1 : 1
  return sign * (Number(zone.slice(1, 3)) * 60 + Number(zone.slice(4, 6))) * 60_000
}
