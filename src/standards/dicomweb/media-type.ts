/** A media type as it stands in Content-Type. RFC 9110 section 8.3.1. */
export interface MediaType {
  /** `type/subtype` in lower case. */
  readonly essence: string
  /** Names in lower case, values without quotes; the first of a name counts. */
  readonly params: ReadonlyMap<string, string>
}

/** Longest text looked at, in characters. */
const LENGTH_MAX = 4096
const PARAMS_MAX = 16

/** Pieces between `separator`, which does not count inside quotes. One pass. */
function pieces(text: string, separator: string): string[] {
  const found: string[] = []
  let start = 0
  let quoted = false
  for (let i = 0; i < text.length; i++) {
    const char = text[i]
    if (quoted && char === '\\') i++
    else if (char === '"') quoted = !quoted
    else if (!quoted && char === separator) {
      found.push(text.slice(start, i))
      start = i + 1
    }
  }
  found.push(text.slice(start))
  return found
}

function unquoted(text: string): string {
  if (!text.startsWith('"')) return text
  const inner = text.slice(1, text.length > 1 && text.endsWith('"') ? -1 : undefined)
  return inner.replace(/\\(.)/g, '$1')
}

function isToken(text: string): boolean {
  return /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/.test(text)
}

/**
 * Reads a media type with or without quotes and with white space anywhere a sender may have put it.
 * @returns undefined when the text is not one
 */
export function parseMediaType(text: string): MediaType | undefined {
  if (text.length > LENGTH_MAX) return undefined
  const [first = '', ...rest] = pieces(text, ';')
  const slash = first.indexOf('/')
  const type = first.slice(0, Math.max(0, slash)).trim().toLowerCase()
  const subtype = first
    .slice(slash + 1)
    .trim()
    .toLowerCase()
  if (!isToken(type) || !isToken(subtype) || rest.length > PARAMS_MAX) return undefined
  const params = new Map<string, string>()
  for (const param of rest) {
    const equals = param.indexOf('=')
    if (equals < 0) continue
    const name = param.slice(0, equals).trim().toLowerCase()
    if (isToken(name) && !params.has(name)) params.set(name, unquoted(param.slice(equals + 1).trim()))
  }
  return { essence: `${type}/${subtype}`, params }
}

/** Media types of a list such as Accept, most wanted first; what cannot be read, or is refused by `q=0`, is left out. */
export function parseMediaTypes(text: string): MediaType[] {
  if (text.length > LENGTH_MAX) return []
  const weighted: { type: MediaType; q: number }[] = []
  for (const piece of pieces(text, ',')) {
    const type = parseMediaType(piece)
    if (type === undefined) continue
    const q = Number(type.params.get('q') ?? '1')
    if (q !== 0) weighted.push({ type, q: q > 0 && q < 1 ? q : 1 })
  }
  return weighted.sort((a, b) => b.q - a.q).map(({ type }) => type)
}
