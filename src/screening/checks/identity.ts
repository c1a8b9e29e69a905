import type { Claims } from '#model/arrival.ts'
import type { ByteSource } from '#standards/byte-source.ts'
import { tagText } from '#standards/dicom/errors.ts'
import type { FileMeta } from '#standards/dicom/file-meta.ts'
import type { BodyFacts } from '../body-facts.ts'
import type { Draft } from '../screened.ts'
import { type Rule, rule } from './rule.ts'

const uidSource = 'PS3.5 section 9.1; threat catalogue 1.2'

export const identityRules: readonly Rule[] = [
  rule(
    'M5',
    'PS3.10 section 7.1; threat catalogue 1.2',
    'quarantine',
    ['quarantine', 'reject'],
    'SOP Class differs between File Meta and data set, or the C-STORE command names another class or instance.',
    'Identity cannot be guessed. Only (0002,0003) differing is seen in real files: the data set wins and the finding says so.',
  ),
  rule(
    'M7',
    uidSource,
    'quarantine',
    ['quarantine', 'reject'],
    'SOP Class, SOP Instance, Series or Study Instance UID is missing or empty.',
    'Nothing can be kept under no name; a person may assign one.',
  ),
  rule(
    'M8',
    uidSource,
    'quarantine',
    ['quarantine', 'reject', 'keep'],
    'A UID has other characters than digits and dots, or more than 64 bytes.',
    'A UID is used as a name everywhere. Leading zeros and one trailing blank or NUL are accepted with a finding.',
  ),
]

const SOP_CLASS = 0x00080016
const SOP_INSTANCE = 0x00080018
const STUDY = 0x0020000d
const SERIES = 0x0020000e

const names: Readonly<Record<number, string>> = {
  [SOP_CLASS]: 'SOP Class UID',
  [SOP_INSTANCE]: 'SOP Instance UID',
  [STUDY]: 'Study Instance UID',
  [SERIES]: 'Series Instance UID',
}

const UID_BYTES_MAX = 64

/** Checks one UI value, which may hold several UIDs. PS3.5 section 9.1 and table 6.2-1. */
export function checkUid(source: ByteSource, tag: number, at: number, length: number, depth: number): Draft | null {
  const bytes = source.read(at, at + Math.min(length, 64 * 1024))
  let end = bytes.byteLength
  // One trailing blank or NUL is padding (a blank is wrong, and common).
  const last = bytes[end - 1]
  if (end > 0 && (last === 0 || last === 0x20)) end--
  let start = 0
  let component = 0
  let zeroLed = false
  for (let i = 0; i <= end; i++) {
    const byte = i < end ? (bytes[i] as number) : 0x5c
    if (byte >= 0x30 && byte <= 0x39) {
      if (component > 0 && bytes[i - component] === 0x30) zeroLed = true
      component++
      continue
    }
    if (byte === 0x2e) {
      component = 0
      continue
    }
    if (byte === 0x5c) {
      if (i - start > UID_BYTES_MAX) return bad(tag, at + start, depth, `a UID of ${i - start} bytes`)
      start = i + 1
      component = 0
      continue
    }
    return bad(tag, at + i, depth, `a UID with the character ${printable(byte)}`)
  }
  if (!zeroLed) return null
  return {
    rule: 'M8',
    severity: 'info',
    detail: 'a UID with a leading zero in a component',
    offset: at,
    tag: tagText(tag),
  }
}

/** Elsewhere than in the instance's own identity a bad UID names nothing here: it is told and kept as sent. */
function bad(tag: number, offset: number, depth: number, detail: string): Draft {
  const own = depth === 0 && names[tag] !== undefined
  return { rule: 'M8', severity: own ? 'quarantine' : 'info', detail, offset, tag: tagText(tag) }
}

function printable(byte: number): string {
  return byte > 0x20 && byte < 0x7f
    ? `"${String.fromCharCode(byte)}"`
    : `${byte.toString(16).toUpperCase().padStart(2, '0')}H`
}

/** Compares what names the instance: data set, File Meta, and what the door was told. */
export function checkIdentity(facts: BodyFacts, meta: FileMeta | null, claims: Claims): Draft[] {
  const drafts: Draft[] = []
  const add = (rule: string, severity: Draft['severity'], detail: string, tag: number) => {
    drafts.push({ rule, severity, detail, offset: null, tag: tagText(tag) })
  }
  const required = [SOP_CLASS, SOP_INSTANCE, STUDY, SERIES]
  for (const tag of required) {
    const value = facts.text.get(tag)
    if (value === undefined || value === '')
      add('M7', 'quarantine', `${names[tag]} is ${value === undefined ? 'missing' : 'empty'}`, tag)
  }
  const sopClass = facts.text.get(SOP_CLASS) ?? ''
  const instance = facts.text.get(SOP_INSTANCE) ?? ''
  const metaClass = meta?.mediaStorageSOPClassUID ?? ''
  const metaInstance = meta?.mediaStorageSOPInstanceUID ?? ''
  if (metaClass !== '' && sopClass !== '' && metaClass !== sopClass) {
    add('M5', 'quarantine', `File Meta says class ${metaClass}, the data set ${sopClass}`, SOP_CLASS)
  }
  if (metaInstance !== '' && instance !== '' && metaInstance !== instance) {
    add('M5', 'info', `File Meta says instance ${metaInstance}; the data set's own UID is used`, SOP_INSTANCE)
  }
  if (claims.sopClassUID !== undefined && sopClass !== '' && claims.sopClassUID !== sopClass) {
    add(
      'M5',
      'quarantine',
      `the sender announced class ${claims.sopClassUID}, the data set says ${sopClass}`,
      SOP_CLASS,
    )
  }
  if (claims.sopInstanceUID !== undefined && instance !== '' && claims.sopInstanceUID !== instance) {
    add(
      'M5',
      'quarantine',
      `the sender announced instance ${claims.sopInstanceUID}, the data set says ${instance}`,
      SOP_INSTANCE,
    )
  }
  return drafts
}
