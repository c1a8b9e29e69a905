import { DicomError } from './errors.ts'

/** Longest metadata text, in UTF-16 units. threats.md section 4, JSON size. */
const TEXT_MAX = 64 * 1024 * 1024
/** Arrays and objects within each other: three for each of 64 sequences, and the outermost. */
const NESTING_MAX = 64 * 3 + 4

/** A number as it was written: DICOM needs its digits, not what a double makes of them. */
export class JsonNumber {
  readonly text: string

  constructor(text: string) {
    this.text = text
  }
}

/** A JSON value. Objects are maps, so that no key of theirs can mean anything to JavaScript. */
export type JsonValue = string | JsonNumber | boolean | null | JsonValue[] | Map<string, JsonValue>

/**
 * Parses JSON from outside: nesting and size bounded, a duplicate key is an error, numbers keep their text.
 * @throws DicomError with the offset of the UTF-16 unit at fault; `dicom.limit` for size and nesting
 */
export function parseJson(json: string | Uint8Array): JsonValue {
  const text = typeof json === 'string' ? json : decodeUtf8(json)
  if (text.length > TEXT_MAX) {
    throw new DicomError('dicom.limit', 'R14', `JSON of more than ${TEXT_MAX} characters`, TEXT_MAX)
  }
  return new JsonParser(text).document()
}

function decodeUtf8(bytes: Uint8Array): string {
  if (bytes.length > TEXT_MAX) {
    throw new DicomError('dicom.limit', 'R14', `JSON of more than ${TEXT_MAX} bytes`, TEXT_MAX)
  }
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch (error) {
    if (error instanceof TypeError) throw new DicomError('dicom.malformed', 'R14', 'JSON that is not UTF-8', 0)
    throw error
  }
}

const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y

class JsonParser {
  readonly #text: string
  #at = 0
  #nesting = 0

  constructor(text: string) {
    this.#text = text
  }

  document(): JsonValue {
    const value = this.#value()
    this.#space()
    if (this.#at < this.#text.length) throw this.#wrong('something behind the JSON value')
    return value
  }

  #wrong(detail: string): DicomError {
    return new DicomError('dicom.malformed', 'R14', detail, this.#at)
  }

  #space(): void {
    for (;;) {
      const code = this.#text.charCodeAt(this.#at)
      if (code !== 0x20 && code !== 0x0a && code !== 0x0d && code !== 0x09) return
      this.#at++
    }
  }

  #value(): JsonValue {
    this.#space()
    switch (this.#text[this.#at]) {
      case '{':
        return this.#object()
      case '[':
        return this.#array()
      case '"':
        return this.#string()
      case 't':
        return this.#word('true', true)
      case 'f':
        return this.#word('false', false)
      case 'n':
        return this.#word('null', null)
      default:
        return this.#number()
    }
  }

  #word<T extends boolean | null>(word: string, value: T): T {
    if (!this.#text.startsWith(word, this.#at)) throw this.#wrong('no JSON value')
    this.#at += word.length
    return value
  }

  #number(): JsonNumber {
    NUMBER.lastIndex = this.#at
    const found = NUMBER.exec(this.#text)
    if (found === null) throw this.#wrong('no JSON value')
    this.#at += found[0].length
    return new JsonNumber(found[0])
  }

  #string(): string {
    const start = this.#at
    let at = start + 1
    for (;;) {
      const code = this.#text.charCodeAt(at)
      if (code === 0x22) break
      if (Number.isNaN(code) || code < 0x20) throw this.#wrong('a string that does not end')
      at += code === 0x5c ? 2 : 1
    }
    this.#at = at + 1
    const inside = this.#text.slice(start + 1, at)
    return inside.includes('\\') ? this.#unescaped(start, at + 1) : inside
  }

  #unescaped(start: number, end: number): string {
    try {
      return JSON.parse(this.#text.slice(start, end)) as string
    } catch (error) {
      if (error instanceof SyntaxError) throw new DicomError('dicom.malformed', 'R14', 'a broken escape', start)
      throw error
    }
  }

  #enter(): void {
    this.#at++
    if (++this.#nesting > NESTING_MAX) {
      throw new DicomError('dicom.limit', 'R14', `JSON nested deeper than ${NESTING_MAX}`, this.#at)
    }
  }

  #array(): JsonValue[] {
    this.#enter()
    const values: JsonValue[] = []
    this.#space()
    if (this.#text[this.#at] !== ']') {
      do values.push(this.#value())
      while (this.#comma(']'))
    }
    this.#at++
    this.#nesting--
    return values
  }

  #object(): Map<string, JsonValue> {
    this.#enter()
    const members = new Map<string, JsonValue>()
    this.#space()
    if (this.#text[this.#at] !== '}') {
      do {
        this.#space()
        if (this.#text[this.#at] !== '"') throw this.#wrong('no key')
        const key = this.#string()
        if (members.has(key)) throw this.#wrong(`the key ${JSON.stringify(key.slice(0, 64))} a second time`)
        this.#space()
        if (this.#text[this.#at] !== ':') throw this.#wrong('no colon behind a key')
        this.#at++
        members.set(key, this.#value())
      } while (this.#comma('}'))
    }
    this.#at++
    this.#nesting--
    return members
  }

  /** True at a comma, which it passes; false at the closing mark. */
  #comma(closing: string): boolean {
    this.#space()
    const mark = this.#text[this.#at]
    if (mark === closing) return false
    if (mark !== ',') throw this.#wrong(`neither a comma nor ${closing}`)
    this.#at++
    return true
  }
}
