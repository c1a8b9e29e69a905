import type { Hl7Location } from './errors.ts'
import type { Repetition } from './message.ts'

/** An assigning authority. Data type HD, HL7 v2.8 section 2A.33. */
export interface Authority {
  readonly namespaceId: string
  readonly universalId: string
  readonly universalIdType: string
}

/** An identifier with who assigned it. CX (and EI) as far as they are alike. */
export interface Identifier {
  readonly id: string
  readonly authority: Authority
  /** CX-5, table 0203: `MR`, `SS` ... */
  readonly type: string
  readonly location: Hl7Location
}

/** CX: identifier, authority in component 4, type in component 5. */
export function cx(from: Repetition): Identifier {
  return {
    id: from.text(1),
    authority: { namespaceId: from.text(4, 1), universalId: from.text(4, 2), universalIdType: from.text(4, 3) },
    type: from.text(5),
    location: from.location,
  }
}

/** EI: identifier, namespace, universal id, its type, in components 1 to 4. */
export function ei(from: Repetition | undefined): Omit<Identifier, 'type' | 'location'> {
  const part = (n: number) => from?.text(n) ?? ''
  return { id: part(1), authority: { namespaceId: part(2), universalId: part(3), universalIdType: part(4) } }
}

/** A coded value. CE, CWE, CNE: code, text, scheme, then the same again as alternate. */
export interface Coded {
  readonly code: string
  readonly text: string
  readonly scheme: string
}

/** @param alternate components 4 to 6 in place of 1 to 3 */
export function coded(from: Repetition | undefined, alternate = false): Coded {
  const first = alternate ? 4 : 1
  const part = (n: number) => from?.text(first + n) ?? ''
  return { code: part(0), text: part(1), scheme: part(2) }
}

/** Words of a person's name as DICOM has them. PS3.5 section 6.2.1. */
interface NameWords {
  readonly family: string
  readonly given: string
  readonly middle: string
  readonly prefix: string
  readonly suffix: string
}

/** XPN: family, given, middle, suffix, prefix, degree. @param first number of the family name's component (2 in XCN) */
function nameWords(from: Repetition, first: number): NameWords {
  const suffix = [from.text(first + 3), from.text(first + 5)].filter((part) => part !== '').join(' ')
  return {
    family: from.text(first),
    given: from.text(first + 1),
    middle: from.text(first + 2),
    prefix: from.text(first + 4),
    suffix,
  }
}

function nameText({ family, given, middle, prefix, suffix }: NameWords): string {
  return [family, given, middle, prefix, suffix].map(nameWord).join('^').replace(/\^+$/, '')
}

/** A word must not hold what structures a name; control characters become spaces. */
function nameWord(word: string): string {
  return word
    .replace(/[\\^=\p{Cc}]+/gu, ' ')
    .replace(/ +/g, ' ')
    .trim()
}

/** XPN repetitions as one DICOM PN: alphabetic=ideographic=phonetic, by XPN-8 (table 0465). Empty when there is none. */
export function personName(repetitions: readonly Repetition[]): string {
  const groups: [string, string, string] = ['', '', '']
  for (const repetition of repetitions) {
    const group = { I: 1, P: 2 }[repetition.text(8).toUpperCase()] ?? 0
    if (groups[group] === '') groups[group] = nameText(nameWords(repetition, 1))
  }
  return groups.join('=').replace(/=+$/, '')
}

/** XCN as a DICOM PN; a name that is a single text without components stays one. Empty when there is none. */
export function providerName(from: Repetition | undefined): string {
  return from === undefined ? '' : nameText(nameWords(from, 2))
}

/** XAD: street, other designation, city, state, postal code, country, in one line. */
export function address(from: Repetition | undefined): string {
  if (from === undefined) return ''
  return [1, 2, 3, 4, 5, 6]
    .map((n) => from.text(n))
    .filter((part) => part !== '')
    .join(', ')
}

/** XTN: the number as one text: component 1, else 12, else country, area, local, extension. */
export function telephone(from: Repetition | undefined): string {
  if (from === undefined) return ''
  const whole = from.text(1) || from.text(12)
  if (whole !== '') return whole
  const parts = [from.text(5), from.text(6), from.text(7)].filter((part) => part !== '')
  const extension = from.text(8)
  return parts.join(' ') + (parts.length > 0 && extension !== '' ? ` x${extension}` : '')
}

/** PL as one line: point of care, room, bed, facility. */
export function place(from: Repetition | undefined): string {
  if (from === undefined) return ''
  return [1, 2, 3, 4]
    .map((n) => from.text(n))
    .filter((part) => part !== '')
    .join(' ')
}

/** A point in time with the precision it was sent with. DTM, TS: `YYYY[MM[DD[HH[MM[SS[.S]]]]]][+/-ZZZZ]`. */
export interface DateTime {
  /** 8 digits; null for a year or a month alone. */
  readonly date: string | null
  /** 6 digits, seconds 00 when not sent; null without an hour. */
  readonly time: string | null
  /** `+0215`; null when not sent. */
  readonly offset: string | null
  /** As DICOM DT: the digits and the offset. */
  readonly text: string
}

/** @returns null for what is no point in time, also for days and hours that do not exist */
export function dateTime(text: string): DateTime | null {
  const match = /^(\d{4})(?:(\d{2})(?:(\d{2})(?:(\d{2})(\d{2})?(\d{2})?(?:\.\d{1,9})?)?)?)?([+-]\d{4})?$/.exec(text)
  if (match === null) return null
  const [, year = '', month, day, hour, minute, second, offset = null] = match
  if (month !== undefined && (Number(month) < 1 || Number(month) > 12)) return null
  if (day !== undefined && (Number(day) < 1 || Number(day) > daysIn(Number(year), Number(month)))) return null
  // Some senders write the end of a day as hour 24; the standard does not know it.
  if (Number(hour ?? 0) > 23 || Number(minute ?? 0) > 59 || Number(second ?? 0) > 60) return null
  const digits = [year, month, day, hour, minute, second].filter((part) => part !== undefined).join('')
  return {
    date: day === undefined ? null : `${year}${month}${day}`,
    time: hour === undefined ? null : `${hour}${minute ?? '00'}${second ?? '00'}`,
    offset,
    text: digits + (offset ?? ''),
  }
}

function daysIn(year: number, month: number): number {
  return new Date(Date.UTC(year, month, 0)).getUTCDate()
}
