import type { Delimiters } from './delimiters.ts'

/**
 * Takes the escape sequences out of one part of a message. Called on parts that were already split: what an escape
 * sequence stands for is text, never structure, so `\X0D\` makes no segment and `\F\` no field. HL7 v2.8 section 2.7.
 *
 * `\F\ \S\ \T\ \R\ \E\ \P\` are the delimiters, `\Xhh..\` characters by their code below 80H (others become U+FFFD:
 * their character set is not said), `\.br\` and `\.sp\` a line end, `\H\ \N\` and the other formatting commands nothing.
 * `\C..\ \M..\ \Z..\` and what is none of these stay as they stand. Never throws, never recurses.
 *
 * @param sequencesMax most sequences that are looked at; the rest stays as it stands
 */
export function unescapeText(text: string, delimiters: Delimiters, sequencesMax = 1_000_000): string {
  const { escapeCharacter: mark } = delimiters
  if (mark === null || !text.includes(mark)) return text
  let out = ''
  let at = 0
  for (let count = 0; count < sequencesMax; count++) {
    const start = text.indexOf(mark, at)
    if (start === -1) break
    const end = text.indexOf(mark, start + 1)
    if (end === -1) break
    const meant = end - start - 1 > SEQUENCE_MAX ? null : sequence(text.slice(start + 1, end), delimiters)
    if (meant === null) {
      // No sequence of ours: its closing character may open the next one.
      out += text.slice(at, end)
      at = end
      continue
    }
    out += text.slice(at, start) + meant
    at = end + 1
  }
  return out + text.slice(at)
}

/** Longest sequence that is read, in characters: 32 KiB written as `\X..\`. */
const SEQUENCE_MAX = 65_538

function sequence(body: string, delimiters: Delimiters): string | null {
  switch (body) {
    case 'F':
      return delimiters.field
    case 'S':
      return delimiters.component
    case 'R':
      return delimiters.repetition ?? ''
    case 'E':
      return delimiters.escapeCharacter ?? ''
    case 'T':
      return delimiters.subcomponent ?? ''
    case 'P':
      return delimiters.truncation ?? ''
    case 'H':
    case 'N':
      return ''
  }
  if (body.startsWith('X')) return hexadecimal(body.slice(1))
  if (!body.startsWith('.')) return null
  const command = body.slice(1, 3)
  if (command === 'br' || command === 'sp' || command === 'ce') return '\n'
  return FORMATTING.has(command) ? '' : null
}

/** Indents, fill and skip: layout, which nothing of ours keeps. Section 2.7.7. */
const FORMATTING: ReadonlySet<string> = new Set(['fi', 'nf', 'in', 'ti', 'sk'])

function hexadecimal(digits: string): string | null {
  if (digits.length === 0 || digits.length % 2 !== 0 || !isHex(digits)) return null
  let text = ''
  for (const byte of Buffer.from(digits, 'hex')) text += byte < 0x80 ? String.fromCharCode(byte) : '\ufffd'
  return text
}

function isHex(text: string): boolean {
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i)
    const hex = (code >= 0x30 && code <= 0x39) || (code >= 0x41 && code <= 0x46) || (code >= 0x61 && code <= 0x66)
    if (!hex) return false
  }
  return true
}

/** Writes text as one part of a message: delimiters as escape sequences, control characters as `\Xhh\`. */
export function escapeText(text: string, delimiters: Delimiters): string {
  const { field, component, repetition, escapeCharacter: mark, subcomponent } = delimiters
  let out = ''
  for (const character of text) {
    const letter =
      character === field
        ? 'F'
        : character === component
          ? 'S'
          : character === repetition
            ? 'R'
            : character === mark
              ? 'E'
              : character === subcomponent
                ? 'T'
                : character < ' ' || character === '\x7f'
                  ? `X${character.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`
                  : null
    // Without an escape character a delimiter cannot be written at all.
    out += letter === null ? character : mark === null ? ' ' : `${mark}${letter}${mark}`
  }
  return out
}
