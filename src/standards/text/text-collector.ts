import type { PlainText } from './plain-text.ts'

/** Gathers the words of a document up to a number of characters. Blanks are folded, lines kept. */
export class TextCollector {
  readonly #max: number
  readonly #parts: string[] = []
  #length = 0
  #full = false
  /** What stands between the last word and the next: nothing, a blank, or so many line ends. */
  #blank = false
  #breaks = 0

  constructor(max: number) {
    this.#max = max
  }

  /** Nothing more is kept: the reader may stop. */
  get full(): boolean {
    return this.#full
  }

  /** Characters kept so far. */
  get length(): number {
    return this.#length
  }

  /** Running text: white space of every kind counts as one blank. */
  words(text: string): void {
    if (this.#full || text === '') return
    const clean = text.replace(UNSEEN, '').replace(BLANKS, ' ')
    const trimmed = clean.trim()
    if (clean.startsWith(' ')) this.#blank = true
    if (trimmed === '') return
    this.#append(trimmed)
    this.#blank = clean.endsWith(' ')
  }

  /** Text whose line ends mean something. */
  lines(text: string): void {
    let start = 0
    while (start <= text.length && !this.#full) {
      let end = text.indexOf('\n', start)
      if (end < 0) end = text.length
      this.words(text.slice(start, end))
      if (end < text.length) this.break()
      start = end + 1
    }
  }

  /** Ends a line; two in a row make an empty one, more do not. */
  break(): void {
    if (this.#length > 0 && this.#breaks < 2) this.#breaks++
    this.#blank = false
  }

  /** Ends a line unless one has just ended. */
  paragraph(): void {
    if (this.#breaks === 0) this.break()
  }

  finish(more: Partial<PlainText> = {}): PlainText {
    return {
      text: this.#parts.join(''),
      language: languageOf(more.language ?? null),
      title: titleOf(more.title ?? null),
      truncated: this.#full || more.truncated === true,
    }
  }

  #append(text: string): void {
    const between = this.#breaks > 0 ? '\n'.repeat(this.#breaks) : this.#blank && this.#length > 0 ? ' ' : ''
    this.#breaks = 0
    const room = this.#max - this.#length - between.length
    if (text.length > room) {
      this.#full = true
      if (room <= 0) return
      // Never half a character.
      const cut = text.charCodeAt(room - 1) >= 0xd800 && text.charCodeAt(room - 1) < 0xdc00 ? room - 1 : room
      this.#parts.push(between, text.slice(0, cut))
      this.#length = this.#max
      return
    }
    this.#parts.push(between, text)
    this.#length += between.length + text.length
  }
}

/** White space and control characters: each run counts as one blank. */
const BLANKS = /[\s\p{Cc}]+/gu
/** What shows nothing within a word: soft hyphen, zero width space, word joiner, byte order mark. */
const UNSEEN = /[\u00ad\u200b\u2060\ufeff]+/g

/** RFC 5646 as far as it is one: letters, digits and hyphens; null for what is none. */
export function languageOf(value: string | null): string | null {
  const tag = value?.trim().replace(/_/g, '-') ?? ''
  return tag.length <= 35 && /^[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*$/.test(tag) ? tag : null
}

const TITLE_MAX = 500

/** One line, at most 500 characters; null when nothing is left. */
export function titleOf(value: string | null): string | null {
  const title =
    value
      ?.slice(0, TITLE_MAX * 4)
      .replace(BLANKS, ' ')
      .trim()
      .slice(0, TITLE_MAX)
      .trim() ?? ''
  return title === '' ? null : title
}
