import { type DicomError, tagText } from '#standards/dicom/errors.ts'
import type { Draft } from '../screened.ts'
import { type Rule, rule } from './rule.ts'

const structureSource = 'PS3.5 section 7; threat catalogue 1.2 and 4'

export const structureRules: readonly Rule[] = [
  rule(
    'M9',
    structureSource,
    'quarantine',
    ['quarantine', 'reject'],
    'The same element stands twice in one data set.',
    'Readers disagree on which one counts: a way to show one thing and hide another.',
  ),
  rule(
    'M10',
    structureSource,
    'keep',
    ['keep', 'quarantine', 'reject'],
    'Elements out of ascending order, or of groups 0000 or 0002, in the data set.',
    'Seen in real files and kept as sent; together with P2 to P6 it is how a program is hidden, and held.',
  ),
  rule(
    'R1',
    structureSource,
    'quarantine',
    ['quarantine', 'reject'],
    'A length reaches beyond what is there.',
    'The data set cannot be read to its end, so nobody can say what it holds.',
  ),
  rule(
    'R2',
    structureSource,
    'quarantine',
    ['quarantine', 'reject'],
    'More sequences, items, elements or time than the limits allow.',
    'What cannot be walked within limits cannot be served either.',
  ),
  rule(
    'R3',
    structureSource,
    'quarantine',
    ['quarantine', 'reject'],
    'The data set breaks off or has something where an item or a delimiter must be.',
    'The data set cannot be read to its end, so nobody can say what it holds.',
  ),
  rule(
    'R6',
    structureSource,
    'quarantine',
    ['quarantine', 'reject'],
    'A deflated data set unpacks to more than the limits allow, or not at all.',
    'A bomb is stopped while it is counted.',
  ),
  rule(
    'odd',
    structureSource,
    'keep',
    ['keep', 'quarantine'],
    'Odd lengths, unknown value representations, stray or missing delimiters that were read past.',
    'Seen in real files; kept as sent and told.',
  ),
]

const own = new Set(['M9', 'M10', 'B8'])

/** A problem of the walk as a finding. */
export function draftOfProblem(rule: string, detail: string, offset: number, tag: number): Draft {
  const at = { offset, tag: tagText(tag) }
  if (rule === 'M9') return { rule, severity: 'quarantine', detail, ...at }
  if (rule === 'M10') return { rule, severity: 'warning', detail, ...at }
  if (rule === 'B8') return { rule, severity: 'warning', detail, ...at }
  return { rule: own.has(rule) ? rule : 'odd', severity: 'info', detail: `${rule}: ${detail}`, ...at }
}

/** Why a data set could not be walked, as a finding. Limits are R2, or R6 while inflating. */
export function draftOfError(error: DicomError): Draft {
  const detail = plainDetail(error)
  const at = { offset: error.offset, tag: error.tag }
  switch (error.rule) {
    case 'M2':
    case 'M4':
    case 'M6':
    case 'P0':
      return { rule: error.rule, severity: 'reject', detail, ...at }
    case 'M3':
    case 'R1':
    case 'R3':
    case 'R6':
      return { rule: error.rule, severity: error.rule === 'M3' ? 'reject' : 'quarantine', detail, ...at }
    default:
      return { rule: error.code === 'dicom.limit' ? 'R2' : 'R3', severity: 'quarantine', detail, ...at }
  }
}

/** The message without rule and offset, which the finding has in fields of their own. */
export function plainDetail(error: DicomError): string {
  const { message, rule } = error
  const text = message.startsWith(`${rule}: `) ? message.slice(rule.length + 2) : message
  return text.replace(/ at byte \d+(, element [0-9A-F]{8})?$/, '')
}
