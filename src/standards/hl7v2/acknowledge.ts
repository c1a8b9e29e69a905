import { Buffer } from 'node:buffer'
import { type Delimiters, STANDARD_DELIMITERS } from './delimiters.ts'
import { CONDITIONS, Hl7Error, locationText } from './errors.ts'
import { escapeText } from './escapes.ts'
import { type Hl7Message, parseMessage } from './message.ts'

/** What is said of a message before its form is chosen. */
export type Outcome = { readonly ok: true } | { readonly ok: false; readonly error: Hl7Error }

/** MSA-1. Table 0008. */
export type AcknowledgementCode = 'AA' | 'AE' | 'AR' | 'CA' | 'CE' | 'CR'

/** How answers are wanted. MSH-15 and MSH-16, table 0155. HL7 v2.8 section 2.9. */
export interface Wanted {
  readonly mode: 'original' | 'enhanced'
  readonly accept: 'AL' | 'NE' | 'ER' | 'SU'
  readonly application: 'AL' | 'NE' | 'ER' | 'SU'
}

/**
 * Reads MSH-15 and MSH-16. Both empty: original mode. When only MSH-15 says something, an application acknowledgement
 * follows unless the accept acknowledgement already comes always: a sender that waits is never left without answer, and
 * one that reads a single answer gets a single one. Unknown values mean `AL`.
 */
export function wantedOf(message: Hl7Message): Wanted {
  const [accept, application] = [message.header.text(15).toUpperCase(), message.header.text(16).toUpperCase()]
  if (accept === '' && application === '') return { mode: 'original', accept: 'NE', application: 'AL' }
  const read = (value: string) => (value === 'NE' || value === 'ER' || value === 'SU' ? value : 'AL')
  return {
    mode: 'enhanced',
    accept: accept === '' ? 'NE' : read(accept),
    application: application === '' ? (accept === 'AL' ? 'NE' : 'AL') : read(application),
  }
}

/**
 * Which acknowledgements an outcome leads to, in order. A failure is told once: by the accept acknowledgement when the
 * sender wants one, else by the application acknowledgement.
 */
export function codesFor(wanted: Wanted, outcome: Outcome): readonly AcknowledgementCode[] {
  const comes = (when: Wanted['accept']) => when === 'AL' || when === (outcome.ok ? 'SU' : 'ER')
  if (outcome.ok) {
    const codes: AcknowledgementCode[] = []
    if (comes(wanted.accept)) codes.push('CA')
    if (comes(wanted.application)) codes.push('AA')
    return codes
  }
  const { answer } = outcome.error
  if (comes(wanted.accept)) return [answer === 'AE' ? 'CE' : 'CR']
  return comes(wanted.application) ? [answer] : []
}

/** Who answers, and when. */
export interface Answerer {
  readonly application: string
  readonly facility: string
  /** Of the answer: ISO 8601 UTC. */
  readonly time: string
  /** MSH-10 of the answer, at most 20 characters. */
  readonly controlId: string
}

/** What is known of a message's header although it could not be parsed. */
interface Header {
  readonly sendingApplication: string
  readonly sendingFacility: string
  readonly event: string
  readonly controlId: string
  readonly processingId: string
  readonly version: string
  readonly characterSets: string
}

const NOTHING: Header = {
  sendingApplication: '',
  sendingFacility: '',
  event: '',
  controlId: '',
  processingId: 'P',
  version: '2.5.1',
  characterSets: '',
}

/**
 * Writes one acknowledgement in the sender's own delimiters, character set and version: ERR in the form of 2.5 and later
 * (ERR-2 to ERR-8) or of older versions (ERR-1), MSA-3 before 2.7, MSH-9 with its structure from 2.3.1 on.
 *
 * @param message null when not even MSH could be read: then standard delimiters, and no control id to echo
 */
export function acknowledge(
  message: Hl7Message | null,
  code: AcknowledgementCode,
  error: Hl7Error | null,
  by: Answerer,
): Buffer {
  const delimiters = message?.delimiters ?? STANDARD_DELIMITERS
  const header = message === null ? NOTHING : headerOf(message)
  const { field, component } = delimiters
  const version = versionNumber(header.version)
  const say = (text: string) => escapeText(text, delimiters)
  const type = ['ACK', ...(header.event === '' ? [] : [header.event]), ...(version >= 2.31 ? ['ACK'] : [])]
  // Without an event the structure still stands third.
  if (header.event === '' && version >= 2.31) type.splice(1, 0, '')
  const msh: string[] = [
    `MSH${field}${delimiters.encodingCharacters}`,
    say(by.application),
    say(by.facility),
    header.sendingApplication,
    header.sendingFacility,
    `${by.time.replace(/\D/g, '').slice(0, 14)}+0000`,
    '',
    type.join(component),
    say(by.controlId),
    header.processingId === '' ? 'P' : header.processingId,
    header.version === '' ? NOTHING.version : header.version,
  ]
  if (header.characterSets !== '') msh.push('', '', '', '', '', header.characterSets)
  const text = error === null || version >= 2.7 ? '' : say(error.message)
  const msa = ['MSA', code, header.controlId, ...(text === '' ? [] : [text])]
  const segments = [msh.join(field), msa.join(field)]
  if (error !== null) segments.push(errorSegment(error, version, delimiters, say))
  const written = `${segments.join('\r')}\r`
  return message === null ? Buffer.from(written, 'latin1') : message.characterSet.encode(written)
}

function errorSegment(
  error: Hl7Error,
  version: number,
  { field, component, subcomponent }: Delimiters,
  say: (text: string) => string,
): string {
  const { condition, location } = error
  const code = [String(condition), CONDITIONS[condition], 'HL70357'].map(say)
  if (version < 2.5) {
    // ERR-1: segment, sequence, field, then the code as subcomponents of the fourth component.
    const at = location === null ? ['', '', ''] : [location.segment, location.sequence, location.field ?? '']
    return ['ERR', [...at, code.join(subcomponent ?? ' ')].join(component)].join(field)
  }
  const at = location === null ? '' : locationText(location, component)
  return ['ERR', '', at, code.join(component), 'E', '', '', '', say(error.message)].join(field)
}

function headerOf({ header }: Hl7Message): Header {
  return {
    sendingApplication: header.raw(3),
    sendingFacility: header.raw(4),
    // Taken out of their escapes, these could be anything: only what they may be is repeated.
    event: /^[A-Za-z0-9]{1,3}$/.exec(header.text(9, 2))?.[0] ?? '',
    controlId: header.raw(10),
    processingId: header.raw(11),
    version: /^[0-9.]{1,8}$/.exec(header.text(12))?.[0] ?? '',
    characterSets: header.raw(18),
  }
}

/** `2.3.1` as 2.31, so that versions compare; what is no version counts as 2.5.1. */
export function versionNumber(version: string): number {
  const match = /^2\.(\d)(?:\.(\d))?/.exec(version)
  return match === null ? 2.51 : Number(`2.${match[1]}${match[2] ?? ''}`)
}

/**
 * Reads what can be read of a header whose message cannot: for its sender and the answer only. Wrong delimiters and an
 * unknown character set are passed over, so that the control id is echoed all the same.
 *
 * @returns null when the first line is no MSH at all
 */
export function readHeader(bytes: Uint8Array): Hl7Message | null {
  const start = bytes[0] === 0xef ? 3 : 0
  const line = Buffer.from(bytes.subarray(start, start + HEADER_BYTES_MAX))
  const end = line.findIndex((byte) => byte === 0x0d || byte === 0x0a)
  const header = end === -1 ? line : line.subarray(0, end)
  const read = tryParse(header)
  if (read !== null) return read
  const text = header.toString('latin1')
  const separator = text[3]
  if (!text.startsWith('MSH') || separator === undefined) return null
  const fields = text.split(separator, 17).map((field) => field.replace(/[^ -{}~]/g, '?'))
  return tryParse(Buffer.from(['MSH', STANDARD_DELIMITERS.encodingCharacters, ...fields.slice(2)].join('|'), 'latin1'))
}

const HEADER_BYTES_MAX = 4096

function tryParse(bytes: Uint8Array): Hl7Message | null {
  try {
    return parseMessage(bytes)
  } catch (error) {
    if (error instanceof Hl7Error) return null
    throw error
  }
}
