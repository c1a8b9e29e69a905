import { type CharacterSet, characterSetOf, type Undeclared, withoutByteOrderMark } from './character-set.ts'
import { type Delimiters, readDelimiters } from './delimiters.ts'
import { Hl7Error, type Hl7Location } from './errors.ts'
import { unescapeText } from './escapes.ts'
import { DEFAULT_HL7_LIMITS, type Hl7Limits } from './limits.ts'

/** One segment, split into fields; what is in a field is split when it is asked for. */
export class Segment {
  /** Three characters. */
  readonly name: string
  /** 1 for the first segment of this name in the message, and so on. */
  readonly sequence: number
  /** Position in the message, 0 for MSH. */
  readonly index: number
  readonly #fields: readonly string[]
  readonly #delimiters: Delimiters
  readonly #limits: Hl7Limits

  /** @param fields `fields[n]` is field n as it stands, `fields[0]` the name; MSH-1 and MSH-2 are fields 1 and 2 */
  constructor(
    place: { name: string; sequence: number; index: number },
    fields: readonly string[],
    delimiters: Delimiters,
    limits: Hl7Limits,
  ) {
    this.name = place.name
    this.sequence = place.sequence
    this.index = place.index
    this.#fields = fields
    this.#delimiters = delimiters
    this.#limits = limits
  }

  /** Number of the last field. */
  get length(): number {
    return this.#fields.length - 1
  }

  /** A field as it stands, escape sequences and all; empty when absent. */
  raw(field: number): string {
    return this.#fields[field] ?? ''
  }

  /** True when the sender says `""`: what is known is to be deleted. HL7 v2.8 section 2.5.3. */
  isNull(field: number): boolean {
    return this.raw(field) === '""'
  }

  /** @throws Hl7Error AE 102 for more repetitions than are read */
  repetitions(field: number): readonly Repetition[] {
    const raw = this.raw(field)
    if (raw === '' || raw === '""') return []
    // MSH-2 is what it is: its own delimiters do not split it.
    const asIs = this.name === 'MSH' && field <= 2
    const texts = asIs ? [raw] : this.#split(raw, this.#delimiters.repetition, field)
    return texts.map((text, i) => new Repetition(text, this.at(field, i + 1), this.#delimiters, this.#limits))
  }

  /** First repetition, unescaped and trimmed; empty when absent or null. Component and subcomponent count from 1. */
  text(field: number, component = 1, subcomponent = 1): string {
    return this.repetitions(field)[0]?.text(component, subcomponent) ?? ''
  }

  /** The whole field as text: delimiters stay, escapes are taken out. For free text. */
  whole(field: number): string {
    return unescapeText(this.raw(field), this.#delimiters, this.#limits.escapes).trim()
  }

  at(field: number, repetition?: number): Hl7Location {
    return { segment: this.name, sequence: this.sequence, field, ...(repetition === undefined ? {} : { repetition }) }
  }

  /** The segment as it stands. */
  get source(): string {
    const { field } = this.#delimiters
    if (this.name !== 'MSH') return this.#fields.join(field)
    return `MSH${field}${this.#fields.slice(2).join(field)}`
  }

  #split(text: string, by: string | null, field: number): readonly string[] {
    return splitAtMost(text, by, this.#limits.parts, () => this.at(field))
  }
}

/** One repetition of a field. */
export class Repetition {
  readonly location: Hl7Location
  readonly #text: string
  readonly #delimiters: Delimiters
  readonly #limits: Hl7Limits
  #components: readonly string[] | undefined

  constructor(text: string, location: Hl7Location, delimiters: Delimiters, limits: Hl7Limits) {
    this.#text = text
    this.location = location
    this.#delimiters = delimiters
    this.#limits = limits
  }

  get raw(): string {
    return this.#text
  }

  /** Unescaped and trimmed; empty when absent or `""`. @throws Hl7Error AE 102 for more parts than are read */
  text(component: number, subcomponent = 1): string {
    this.#components ??= splitAtMost(this.#text, this.#delimiters.component, this.#limits.parts, () => this.location)
    const part = this.#components[component - 1] ?? ''
    if (part === '' || part === '""') return ''
    const parts = splitAtMost(part, this.#delimiters.subcomponent, this.#limits.parts, () => this.location)
    const value = parts[subcomponent - 1] ?? ''
    return value === '""' ? '' : unescapeText(value, this.#delimiters, this.#limits.escapes).trim()
  }

  /** Where a component is. */
  at(component: number): Hl7Location {
    return { ...this.location, component }
  }
}

function splitAtMost(text: string, by: string | null, most: number, at: () => Hl7Location): readonly string[] {
  if (by === null || !text.includes(by)) return [text]
  const parts = text.split(by, most + 1)
  if (parts.length > most) throw new Hl7Error('AE', 102, `a field has more than ${most} parts`, at())
  return parts
}

/** A message, parsed. */
export interface Hl7Message {
  readonly delimiters: Delimiters
  readonly characterSet: CharacterSet
  readonly segments: readonly Segment[]
  readonly header: Segment
  /** What was let through although it is not as the standard says. */
  readonly notes: readonly string[]
  all(name: string): readonly Segment[]
  first(name: string): Segment | undefined
}

export interface ParseOptions {
  readonly limits?: Hl7Limits
  readonly undeclared?: Undeclared
}

/**
 * Parses one message: segments, then fields; parts of a field later, and escape sequences last. HL7 v2.8 section 2.6.
 *
 * Segments may end with CR, LF or CRLF, mixed. A line that is no segment goes on with the OBX or NTE before it, as the
 * text of some senders does; anywhere else it is an error.
 *
 * @param given without MLLP framing
 * @throws Hl7Error with the location of the fault
 */
export function parseMessage(given: Uint8Array, options: ParseOptions = {}): Hl7Message {
  const { limits = DEFAULT_HL7_LIMITS, undeclared } = options
  if (given.byteLength > limits.messageBytes) {
    throw new Hl7Error('AR', 207, `a message may have ${limits.messageBytes} bytes`)
  }
  const bytes = leadingSpaceOff(withoutByteOrderMark(given))
  const nul = bytes.indexOf(0)
  if (nul !== -1) throw new Hl7Error('AR', 102, `a NUL at byte ${nul}`)
  const header = firstLine(bytes)
  const delimiters = readDelimiters(header)
  const characterSet = characterSetOf(declaredSets(header, delimiters), bytes, undeclared)
  const notes = characterSet.note === null ? [] : [characterSet.note]
  const lines = linesOf(bytes, characterSet, delimiters, limits, notes)
  const counts = new Map<string, number>()
  const segments = lines.map((line, index) => {
    const name = line.slice(0, 3)
    const sequence = (counts.get(name) ?? 0) + 1
    counts.set(name, sequence)
    if (name === 'MSH' && index > 0)
      throw new Hl7Error('AR', 100, 'a second MSH in one message', { segment: 'MSH', sequence })
    const fields = line.split(delimiters.field, limits.fields + 2)
    if (fields.length > limits.fields + 1) {
      throw new Hl7Error('AR', 102, `a segment has more than ${limits.fields} fields`, { segment: name, sequence })
    }
    if (name === 'MSH') fields.splice(1, 0, delimiters.field)
    return new Segment({ name, sequence, index }, fields, delimiters, limits)
  })
  const [first] = segments
  if (first === undefined) throw new Hl7Error('AR', 100, 'the message does not begin with MSH')
  return {
    delimiters,
    characterSet,
    segments,
    header: first,
    notes,
    all: (name) => segments.filter((segment) => segment.name === name),
    first: (name) => segments.find((segment) => segment.name === name),
  }
}

/** Line ends and blanks before MSH: left over from the message before. */
function leadingSpaceOff(bytes: Uint8Array): Uint8Array {
  let at = 0
  while (at < bytes.length && (bytes[at] === 0x0d || bytes[at] === 0x0a || bytes[at] === 0x20 || bytes[at] === 0x09))
    at++
  return at === 0 ? bytes : bytes.subarray(at)
}

/** Most bytes of MSH that are looked at before its character set is known. */
const HEADER_BYTES_MAX = 65_536

function firstLine(bytes: Uint8Array): string {
  const head = bytes.subarray(0, HEADER_BYTES_MAX)
  const end = head.findIndex((byte) => byte === 0x0d || byte === 0x0a)
  return Buffer.from(end === -1 ? head : head.subarray(0, end)).toString('latin1')
}

/** MSH-18 is ASCII by its own definition, so it can be read before the rest. */
function declaredSets(header: string, { field, repetition }: Delimiters): readonly string[] {
  const value = header.split(field, 19)[17]?.trim() ?? ''
  if (value === '' || value === '""') return []
  return repetition === null ? [value] : value.split(repetition, 10).map((name) => name.trim())
}

function linesOf(
  bytes: Uint8Array,
  characterSet: CharacterSet,
  { field }: Delimiters,
  limits: Hl7Limits,
  notes: string[],
): readonly string[] {
  const lines: string[] = []
  let pieces: string[] | null = null
  let joined = 0
  const settle = () => {
    if (pieces !== null) lines[lines.length - 1] = pieces.join('\n')
    pieces = null
  }
  for (let start = 0; start < bytes.length; ) {
    const end = lineEnd(bytes, start)
    if (end > start) {
      const line = characterSet.decode(bytes.subarray(start, end))
      if (isSegment(line, field)) {
        settle()
        if (lines.length >= limits.segments)
          throw new Hl7Error('AR', 100, `a message may have ${limits.segments} segments`)
        lines.push(line)
      } else if (line.trim() !== '') {
        const last = lines.at(-1) ?? ''
        if (!CONTINUED.has(last.slice(0, 3))) {
          const at = lines.length + 1
          throw new Hl7Error('AR', 100, `line ${at} of the message is no segment`)
        }
        pieces ??= [last]
        pieces.push(line)
        joined++
      }
    }
    start = end + 1
  }
  settle()
  if (joined > 0) notes.push(`${joined} lines without a segment name taken as text of the OBX or NTE before them`)
  return lines
}

/** Segments whose text senders break over lines. */
const CONTINUED: ReadonlySet<string> = new Set(['OBX', 'NTE'])

function lineEnd(bytes: Uint8Array, from: number): number {
  let at = from
  while (at < bytes.length && bytes[at] !== 0x0d && bytes[at] !== 0x0a) at++
  return at
}

/** Three characters, capital letter first, then the field separator or nothing. */
function isSegment(line: string, field: string): boolean {
  if (line.length > 3 ? line[3] !== field : line.length < 3 || line.trimEnd().length !== 3) return false
  for (let i = 0; i < 3; i++) {
    const code = line.charCodeAt(i)
    const letter = code >= 0x41 && code <= 0x5a
    if (!letter && !(i > 0 && code >= 0x30 && code <= 0x39)) return false
  }
  return true
}
