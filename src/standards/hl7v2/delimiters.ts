import { Hl7Error } from './errors.ts'

/** The characters that structure one message, from MSH-1 and MSH-2. HL7 v2.8 section 2.5.4. */
export interface Delimiters {
  readonly field: string
  readonly component: string
  /** Null: the message says that it does not use it. */
  readonly repetition: string | null
  readonly escapeCharacter: string | null
  readonly subcomponent: string | null
  /** Version 2.7 and later. */
  readonly truncation: string | null
  /** MSH-2 as it stands. */
  readonly encodingCharacters: string
}

/** What the standard recommends; used to answer what could not be read. */
export const STANDARD_DELIMITERS: Delimiters = {
  field: '|',
  component: '^',
  repetition: '~',
  escapeCharacter: '\\',
  subcomponent: '&',
  truncation: null,
  encodingCharacters: '^~\\&',
}

/**
 * Reads MSH-1 and MSH-2.
 *
 * A delimiter that is a letter, a digit, a control character, or used twice would let one text be read in two ways, so
 * such a message is refused instead of guessed at.
 *
 * @param header the first segment, decoded
 * @throws Hl7Error AR 100 when it is no MSH, AR 102 for delimiters that cannot be
 */
export function readDelimiters(header: string): Delimiters {
  if (!header.startsWith('MSH')) throw new Hl7Error('AR', 100, 'the message does not begin with MSH')
  const field = header[3]
  if (field === undefined || !isDelimiter(field)) throw wrong(1, 'MSH-1 is no character that can separate fields')
  const end = header.indexOf(field, 4)
  const encodingCharacters = header.slice(4, end === -1 ? undefined : end)
  if (encodingCharacters.length === 0 || encodingCharacters.length > 5) {
    throw wrong(2, 'MSH-2 has one to five encoding characters')
  }
  const all = [field, ...encodingCharacters]
  if (!all.every(isDelimiter)) throw wrong(2, 'MSH-2 holds a character that cannot be a delimiter')
  if (new Set(all).size !== all.length) throw wrong(2, 'a delimiter stands twice in MSH-1 and MSH-2')
  const [component = '^', repetition = null, escapeCharacter = null, subcomponent = null, truncation = null] =
    encodingCharacters
  return { field, component, repetition, escapeCharacter, subcomponent, truncation, encodingCharacters }
}

function wrong(field: number, detail: string): Hl7Error {
  return new Hl7Error('AR', 102, detail, { segment: 'MSH', sequence: 1, field })
}

/** Printable ASCII that is neither letter nor digit. */
function isDelimiter(character: string): boolean {
  const code = character.charCodeAt(0)
  if (character.length !== 1 || code <= 0x20 || code >= 0x7f) return false
  return !((code >= 0x30 && code <= 0x39) || (code >= 0x41 && code <= 0x5a) || (code >= 0x61 && code <= 0x7a))
}
