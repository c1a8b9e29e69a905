/**
 * Values of HL7 v2 data types as XDS writes them: CX, CXi, XCN, XON, DTM. ITI TF-3 table 4.2.3.1.7-2. Delimiters are `^`
 * and `&`; what is said never breaks out of its component.
 */
import { isOid } from '../code-systems.ts'

/** An identifier with its authority: an OID, or a name where nobody registered an OID. */
export interface XdsIdentifier {
  readonly id: string
  /** OID or URI; empty for none. */
  readonly universalId: string
  /** Local name; XDS allows none beside an OID. */
  readonly namespaceId: string
}

const ESCAPES: readonly (readonly [character: string, letter: string])[] = [
  ['\\', 'E'],
  ['|', 'F'],
  ['^', 'S'],
  ['&', 'T'],
  ['~', 'R'],
]

/** HL7 v2 chapter 2, section 2.7. */
export function escaped(text: string): string {
  return text.replace(/[\\|^&~]/g, (character) => {
    const found = ESCAPES.find(([one]) => one === character)
    return found === undefined ? character : `\\${found[1]}\\`
  })
}

export function unescaped(text: string): string {
  return text.replace(
    /\\([EFSTR])\\/g,
    (whole, letter: string) => ESCAPES.find(([, one]) => one === letter)?.[0] ?? whole,
  )
}

/** Components of a value, unescaped; absent ones are empty. */
export function components(value: string): readonly string[] {
  return value.split('^').map((part) => part.trim())
}

function authorityOf(part: string): Pick<XdsIdentifier, 'universalId' | 'namespaceId'> {
  const [namespaceId = '', universalId = ''] = part.split('&').map(unescaped)
  return { namespaceId: namespaceId.trim(), universalId: universalId.trim() }
}

function authorityText({ namespaceId, universalId }: Pick<XdsIdentifier, 'universalId' | 'namespaceId'>): string {
  if (universalId !== '') return `&${escaped(universalId)}&${isOid(universalId) ? 'ISO' : 'URI'}`
  return escaped(namespaceId)
}

/** CX: `id^^^&oid&ISO`. */
export function cx(identifier: XdsIdentifier): string {
  return `${escaped(identifier.id)}^^^${authorityText(identifier)}`.replace(/\^+$/, '')
}

/** null for a value without a number. */
export function readCx(value: string): XdsIdentifier | null {
  const parts = components(value)
  const id = unescaped(parts[0] ?? '')
  return id === '' ? null : { id, ...authorityOf(parts[3] ?? '') }
}

/** CXi: a CX whose fifth component is the type of the reference. ITI TF-3 section 4.2.3.2.28. */
export function cxi(identifier: XdsIdentifier, type: string): string {
  return `${escaped(identifier.id)}^^^${authorityText(identifier)}^${escaped(type)}`
}

export function readCxi(value: string): { readonly identifier: XdsIdentifier; readonly type: string } | null {
  const identifier = readCx(value)
  return identifier === null ? null : { identifier, type: unescaped(components(value)[4] ?? '') }
}

/**
 * XCN of a person whose name is a DICOM PN without groups: `id^Family^Given^Middle^Suffix^Prefix^^^&oid&ISO`. PN has the
 * prefix before the suffix, XCN behind it.
 */
export function xcn(person: string, identifier: XdsIdentifier | null): string {
  const [family = '', given = '', middle = '', prefix = '', suffix = ''] = person.split('^').map(escaped)
  const id = identifier === null ? '' : escaped(identifier.id)
  const authority = identifier === null ? '' : authorityText(identifier)
  return [id, family, given, middle, suffix, prefix, '', '', authority].join('^').replace(/\^+$/, '')
}

export function readXcn(value: string): { readonly person: string | null; readonly identifier: XdsIdentifier | null } {
  const parts = components(value)
  const [id = '', family = '', given = '', middle = '', suffix = '', prefix = ''] = parts.map(unescaped)
  // The family name may have parts of its own: FN.
  const person = [family.split('&')[0] ?? '', given, middle, prefix, suffix].join('^').replace(/\^+$/, '')
  return {
    person: person === '' ? null : person,
    identifier: id === '' ? null : { id, ...authorityOf(parts[8] ?? '') },
  }
}

/** XPN of PID-5 from a DICOM PN, and back. */
export function xpn(person: string): string {
  return xcn(person, null).slice(1)
}

export function readXpn(value: string): string | null {
  return readXcn(`^${value}`).person
}

/** The name of an organisation: XON.1. */
export function readXon(value: string): string {
  return unescaped(components(value)[0] ?? '')
}

/** ISO 8601 with the precision it has as DTM in UTC; null when it is no time. */
export function dtm(iso: string | null): string | null {
  if (iso === null) return null
  const match = /^(\d{4})(?:-(\d\d)(?:-(\d\d)(?:T(\d\d):(\d\d)(?::(\d\d)(?:\.\d+)?)?(Z|[+-]\d\d:\d\d)?)?)?)?$/.exec(iso)
  if (match === null) return null
  const [, year = '', month = '', day = '', hour, minute = '', second = '', zone] = match
  if (hour === undefined) return `${year}${month}${day}`
  if (zone === undefined || zone === 'Z') return `${year}${month}${day}${hour}${minute}${second}`
  const instant = new Date(iso)
  if (Number.isNaN(instant.getTime())) return null
  return instant
    .toISOString()
    .replace(/[-:T]/g, '')
    .slice(0, second === '' ? 12 : 14)
}

/** DTM (UTC) as ISO 8601 with the precision it has; null when it is none. */
export function readDtm(value: string | null): string | null {
  const match = /^(\d{4})(?:(\d\d)(?:(\d\d)(?:(\d\d)(?:(\d\d)(\d\d)?)?)?)?)?/.exec(value ?? '')
  if (match === null) return null
  const [, year = '', month, day, hour, minute = '00', second = '00'] = match
  const date = [year, month, day].filter((part) => part !== undefined).join('-')
  if (hour === undefined) return date
  const iso = `${date}T${hour}:${minute}:${second}Z`
  return Number.isNaN(new Date(iso).getTime()) ? date : iso
}
