import { decodeAs, guessEncoding } from './encoding.ts'
import { withoutEntities } from './html-entities.ts'
import type { PlainText, TextLimits } from './plain-text.ts'
import { TextCollector } from './text-collector.ts'

/** Elements whose content is no text that a person reads. */
const dropped = new Set([
  'script',
  'style',
  'template',
  'noscript',
  'svg',
  'math',
  'object',
  'iframe',
  'textarea',
  'select',
])
/** Elements within a line; all others end it. */
const inline = new Set(
  'a abbr acronym b bdi bdo big cite code data del dfn em font i img ins kbd label mark q rp rt ruby s samp small span strike strong sub sup time tt u var wbr'.split(
    ' ',
  ),
)

interface Tag {
  readonly name: string
  readonly closing: boolean
  /** Behind its `>`, or the end of the text. */
  readonly end: number
  readonly attributes: ReadonlyMap<string, string>
}

/**
 * The words of an HTML page. A tolerant reader: no tree, one pass; scripts, styles and frames are dropped, nothing is
 * fetched, nothing is run.
 *
 * @throws DocumentError `encoding` when the page names one that is not read here
 */
export function htmlText(bytes: Uint8Array, limits: TextLimits): PlainText {
  return htmlSourceText(decode(bytes), limits)
}

/** @param source the page, decoded */
export function htmlSourceText(source: string, limits: TextLimits): PlainText {
  const collector = new TextCollector(limits.characters)
  let title: string | null = null
  let language: string | null = null
  let at = 0
  while (at < source.length && !collector.full) {
    const open = source.indexOf('<', at)
    if (open < 0) {
      collector.words(withoutEntities(source.slice(at)))
      break
    }
    if (open > at) collector.words(withoutEntities(source.slice(at, open)))
    if (source.startsWith('<!--', open)) {
      at = after(source, '-->', open + 4)
      continue
    }
    if (source[open + 1] === '!' || source[open + 1] === '?') {
      at = after(source, '>', open + 2)
      continue
    }
    const tag = readTag(source, open)
    if (tag === null) {
      collector.words('<')
      at = open + 1
      continue
    }
    at = tag.end
    if (tag.name === 'html' && !tag.closing)
      language ??= tag.attributes.get('lang') ?? tag.attributes.get('xml:lang') ?? null
    if (tag.name === 'title' && !tag.closing && title === null) {
      const close = closing(source, 'title', at)
      title = withoutEntities(source.slice(at, Math.min(close, at + 4000)))
      at = close
    } else if (dropped.has(tag.name) && !tag.closing) at = closing(source, tag.name, at)
    else if (tag.name === 'td' || tag.name === 'th') collector.words(' ')
    else if (tag.name === 'br') collector.break()
    else if (!inline.has(tag.name)) collector.paragraph()
  }
  return collector.finish({ title, language })
}

/** By byte order mark, then by `meta charset` in the first 1,024 bytes, then by guess. */
function decode(bytes: Uint8Array): string {
  const guess = guessEncoding(bytes)
  if (guess?.encoding.startsWith('utf-16') === true) return guess.text
  const head = Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(1024, bytes.byteLength)).toString('latin1')
  const declared = /charset\s*=\s*["']?\s*([A-Za-z0-9_.:-]{2,40})/i.exec(head)?.[1]?.toLowerCase()
  if (guess?.encoding === 'utf-8' || declared === undefined || declared === 'utf-8') {
    return guess?.text ?? new TextDecoder('utf-8').decode(bytes)
  }
  return decodeAs(bytes, declared)
}

function after(source: string, mark: string, from: number): number {
  const found = source.indexOf(mark, from)
  return found < 0 ? source.length : found + mark.length
}

/** Where `</name` begins; the end of the text when it never does. */
function closing(source: string, name: string, from: number): number {
  let at = from
  while (at < source.length) {
    at = source.indexOf('</', at)
    if (at < 0) return source.length
    if (source.slice(at + 2, at + 2 + name.length).toLowerCase() === name) return at
    at += 2
  }
  return source.length
}

const ATTRIBUTES_MAX = 100
const NAME_MAX = 60

/** A tag at `open`, where `<` stands; null when what follows is no letter: then it is a sign of text. */
function readTag(source: string, open: number): Tag | null {
  let at = open + 1
  const slash = source[at] === '/'
  if (slash) at++
  if (!/[A-Za-z]/.test(source[at] ?? '')) return null
  const start = at
  while (at < source.length && !isBoundary(source[at] as string)) at++
  const name = source.slice(start, Math.min(at, start + NAME_MAX)).toLowerCase()
  const attributes = new Map<string, string>()
  while (at < source.length && source[at] !== '>') {
    while (at < source.length && isBlankOrSlash(source[at] as string)) at++
    if (source[at] === '>' || at >= source.length) break
    const from = at
    while (at < source.length && source[at] !== '=' && !isBoundary(source[at] as string)) at++
    const key = source.slice(from, Math.min(at, from + NAME_MAX)).toLowerCase()
    if (at === from) at++
    let ahead = at
    while (ahead < source.length && isBlank(source[ahead] as string)) ahead++
    if (source[ahead] !== '=') continue
    at = ahead + 1
    while (at < source.length && isBlank(source[at] as string)) at++
    const quote = source[at]
    let value: string
    if (quote === '"' || quote === "'") {
      const end = source.indexOf(quote, at + 1)
      value = source.slice(at + 1, Math.min(end < 0 ? source.length : end, at + 1 + 1000))
      at = end < 0 ? source.length : end + 1
    } else {
      const begin = at
      while (at < source.length && source[at] !== '>' && !isBlank(source[at] as string)) at++
      value = source.slice(begin, Math.min(at, begin + 1000))
    }
    if (attributes.size < ATTRIBUTES_MAX && !attributes.has(key)) attributes.set(key, value)
  }
  return { name, closing: slash, end: Math.min(at + 1, source.length), attributes }
}

function isBlank(character: string): boolean {
  return character === ' ' || character === '\n' || character === '\t' || character === '\r' || character === '\f'
}

function isBlankOrSlash(character: string): boolean {
  return character === '/' || isBlank(character)
}

function isBoundary(character: string): boolean {
  return character === '>' || isBlankOrSlash(character)
}
