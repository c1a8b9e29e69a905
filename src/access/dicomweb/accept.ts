import { ArchiveError } from '#errors.ts'

/** One media range of an Accept header. RFC 9110 section 12.5.1, PS3.18 section 8.7.5. */
export interface AcceptRange {
  /** Lower case; `*` for any. */
  readonly type: string
  readonly subtype: string
  /** Names in lower case, values as sent and without quotes; `q` is not among them. */
  readonly params: ReadonlyMap<string, string>
  /** 0 to 1. 0 refuses: such ranges stand last. */
  readonly q: number
}

/** Longest header or `accept` parameter looked at, in characters. */
const LENGTH_MAX = 8192
const RANGES_MAX = 64
const PARAMS_MAX = 16

const TOKEN = /[!#$%&'*+.^_`|~0-9A-Za-z-]/

/** Cuts at `separator` outside quoted strings. Linear. */
function split(text: string, separator: string): string[] {
  const parts: string[] = []
  let start = 0
  let quoted = false
  for (let i = 0; i < text.length; i++) {
    const char = text[i]
    if (quoted) {
      if (char === '\\') i++
      else if (char === '"') quoted = false
    } else if (char === '"') quoted = true
    else if (char === separator) {
      parts.push(text.slice(start, i))
      start = i + 1
    }
  }
  parts.push(text.slice(start))
  return parts
}

function isToken(text: string): boolean {
  for (const char of text) if (!TOKEN.test(char)) return false
  return text.length > 0
}

function unquote(text: string): string {
  if (!text.startsWith('"')) return text
  let plain = ''
  for (let i = 1; i < text.length; i++) {
    if (text[i] === '"') break
    if (text[i] === '\\' && i + 1 < text.length) i++
    plain += text[i]
  }
  return plain
}

/** A range that cannot be read says nothing about what the caller takes: it is left out, the others count. */
function parseRange(text: string): AcceptRange | undefined {
  const [mediaType = '', ...rest] = split(text, ';')
  const slash = mediaType.indexOf('/')
  if (slash < 0) return undefined
  const type = mediaType.slice(0, slash).trim().toLowerCase()
  const subtype = mediaType
    .slice(slash + 1)
    .trim()
    .toLowerCase()
  if (!isToken(type) || !isToken(subtype) || (type === '*' && subtype !== '*')) return undefined
  if (rest.length > PARAMS_MAX) throw new ArchiveError('request.malformed', 'too many media type parameters')
  const params = new Map<string, string>()
  let q = 1
  for (const param of rest) {
    const equals = param.indexOf('=')
    if (equals < 0) continue
    const name = param.slice(0, equals).trim().toLowerCase()
    const value = unquote(param.slice(equals + 1).trim())
    if (name === 'q') {
      const weight = Number(value)
      q = value !== '' && weight >= 0 && weight <= 1 ? weight : 1
    } else if (isToken(name) && !params.has(name)) params.set(name, value)
  }
  return { type, subtype, params, q }
}

function specificity(range: AcceptRange): number {
  if (range.type === '*') return 0
  return range.subtype === '*' ? 1 : 2 + range.params.size
}

/**
 * What the caller takes, most wanted first: by weight, and by order where weights are equal. The `accept` query
 * parameter is used instead of the header when it is there (PS3.18 section 8.3.3.1).
 *
 * @returns empty when the caller said nothing: anything will do
 * @throws ArchiveError 'request.malformed' when over the limits, or when something was said and none of it can be read
 */
export function parseAccept(header: string | undefined, query: string | null): AcceptRange[] {
  // In a query string a bare `+` means a space, and nobody escapes the one in `application/dicom+json`.
  const text = query === null ? (header ?? '') : query.replace(/([a-z0-9-]) (?=[a-z])/gi, '$1+')
  if (text.length > LENGTH_MAX) throw new ArchiveError('request.malformed', `Accept has over ${LENGTH_MAX} characters`)
  if (text.trim() === '') return []
  const parts = split(text, ',')
  if (parts.length > RANGES_MAX) throw new ArchiveError('request.malformed', `Accept has over ${RANGES_MAX} ranges`)
  const ranges = parts.map(parseRange).filter((range) => range !== undefined)
  if (ranges.length === 0) throw new ArchiveError('request.malformed', 'Accept cannot be read')
  return ranges.sort((a, b) => b.q - a.q)
}

/** Says whether a range takes `type/subtype`, its own parameters left aside. */
export function takes(range: AcceptRange, type: string, subtype: string): boolean {
  return (range.type === '*' || range.type === type) && (range.subtype === '*' || range.subtype === subtype)
}

/** Weight the caller gives to a media type: of the most specific range that takes it; 0 when none does. */
export function weightOf(ranges: readonly AcceptRange[], type: string, subtype: string): number {
  let best: AcceptRange | undefined
  for (const range of ranges) {
    if (takes(range, type, subtype) && (best === undefined || specificity(range) > specificity(best))) best = range
  }
  return best?.q ?? 0
}

/** Form of a search or metadata answer. JSON types differ only in name. */
export type AnswerForm =
  | { readonly is: 'json'; readonly contentType: 'application/dicom+json' | 'application/json' }
  | { readonly is: 'xml' }

/** A range of `multipart/related` has to name its root type. PS3.18 section 8.6.1.2; services.md A.5. */
function takesXml(range: AcceptRange): boolean {
  if (takes(range, 'application', 'dicom+xml') && range.subtype === 'dicom+xml') return true
  if (range.type !== 'multipart' || !takes(range, 'multipart', 'related')) return false
  const root = range.params.get('type')?.toLowerCase()
  return root === '*/*' || root === 'application/dicom+xml'
}

/**
 * Chooses between DICOM JSON (the default) and native DICOM XML. PS3.18 sections 10.6.4 and 8.7.3.
 * @returns undefined when neither is taken: 406
 */
export function chooseJsonOrXml(ranges: readonly AcceptRange[]): AnswerForm | undefined {
  if (ranges.length === 0) return { is: 'json', contentType: 'application/dicom+json' }
  const refused = (subtype: string): boolean => weightOf(ranges, 'application', subtype) === 0
  for (const range of ranges) {
    if (range.q === 0) break
    if (range.type === 'application' && range.subtype === 'json') return { is: 'json', contentType: 'application/json' }
    if (takes(range, 'application', 'dicom+json')) {
      if (!refused('dicom+json')) return { is: 'json', contentType: 'application/dicom+json' }
      if (!refused('json')) return { is: 'json', contentType: 'application/json' }
    }
    if (takesXml(range)) return { is: 'xml' }
  }
  return undefined
}
