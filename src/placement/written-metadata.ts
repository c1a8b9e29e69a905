/** Document metadata as people and scripts write it. */
import { z } from 'zod'
import type { Code, DocumentMetadata } from '#model/document.ts'
import type { CodedField, ValueSetTable } from './value-sets.ts'

const short = z.string().trim().min(1).max(1000)
/** A code by itself (of a value set of the site), as `system|code`, or whole. */
const code = z.union([
  z.string().trim().min(1).max(500),
  z.strictObject({ code: short, system: short, display: z.string().trim().max(1000).optional() }),
])
const time = z
  .string()
  .regex(
    /^\d{4}(-\d\d(-\d\d(T\d\d:\d\d(:\d\d(\.\d{1,9})?)?(Z|[+-]\d\d:\d\d)?)?)?)?$/,
    'expected a time such as 2026-05-02 or 2026-05-02T10:00:00Z',
  )
const author = z.strictObject({
  person: short.nullable().default(null),
  identifier: z
    .strictObject({ issuer: z.string().max(1000), id: short })
    .nullable()
    .default(null),
  institution: short.nullable().default(null),
  role: short.nullable().default(null),
  specialty: short.nullable().default(null),
  telecom: short.nullable().default(null),
  device: short.nullable().default(null),
})

/** Metadata as people and scripts write it. */
export const metadataSchema = z.strictObject({
  title: short.nullable().optional(),
  comments: z.string().max(10_000).nullable().optional(),
  classCode: code.nullable().optional(),
  typeCode: code.nullable().optional(),
  formatCode: code.nullable().optional(),
  practiceSetting: code.nullable().optional(),
  facilityType: code.nullable().optional(),
  department: short.nullable().optional(),
  authors: z.array(author).max(100).optional(),
  eventCodes: z.array(code).max(200).optional(),
  confidentiality: z.array(code).max(50).optional(),
  language: z
    .string()
    .regex(/^[A-Za-z]{2,3}(-[A-Za-z0-9]{1,8})*$/, 'expected a language such as de-DE')
    .nullable()
    .optional(),
  creationTime: time.nullable().optional(),
  serviceStart: time.nullable().optional(),
  serviceStop: time.nullable().optional(),
  legalAuthenticator: author.nullable().optional(),
  sourcePatient: z
    .strictObject({
      issuer: z.string().max(1000).default(''),
      id: short,
      name: short.nullable().default(null),
      birthDate: z
        .string()
        .regex(/^\d{4,8}$/)
        .nullable()
        .default(null),
      sex: z.enum(['M', 'F', 'O']).nullable().default(null),
    })
    .nullable()
    .optional(),
  references: z
    .array(
      z.strictObject({
        type: z.enum(['accession', 'study', 'order', 'encounter', 'unique-id', 'referral', 'workflow', 'other']),
        id: short,
        issuer: z.string().max(1000).default(''),
      }),
    )
    .max(200)
    .optional(),
})

export type WrittenMetadata = z.output<typeof metadataSchema>

const CODED = ['classCode', 'typeCode', 'formatCode', 'practiceSetting', 'facilityType'] as const
const CODED_LISTS = ['eventCodes', 'confidentiality'] as const

/**
 * Written metadata with whole codes.
 * @returns or the path of a short code that no value set has
 */
export function readMetadata(
  written: WrittenMetadata,
  values: ValueSetTable,
): { readonly metadata: Partial<DocumentMetadata> } | { readonly unknown: string } {
  const metadata: { [field: string]: unknown } = { ...written }
  const whole = (field: CodedField, value: z.output<typeof code>): Code | undefined => {
    if (typeof value !== 'string')
      return { code: value.code, system: value.system, display: value.display || value.code }
    const found = values.find(field, value)
    if (found !== undefined) return found
    const [system, bare] = value.split('|')
    return bare === undefined || bare === '' || !system ? undefined : { code: bare, system, display: bare }
  }
  for (const field of CODED) {
    const value = written[field]
    if (value === undefined || value === null) continue
    const found = whole(field, value)
    if (found === undefined) return { unknown: `metadata.${field}` }
    metadata[field] = found
  }
  for (const field of CODED_LISTS) {
    const list = written[field]
    if (list === undefined) continue
    const found = list.map((value) => whole(field, value))
    if (found.some((one) => one === undefined)) return { unknown: `metadata.${field}` }
    metadata[field] = found
  }
  for (const field of ['creationTime', 'serviceStart', 'serviceStop'] as const) {
    const value = written[field]
    if (typeof value === 'string') metadata[field] = inUtc(value)
  }
  return { metadata: metadata as Partial<DocumentMetadata> }
}

/** A time of day with an offset as UTC; what has none stays as it is. */
function inUtc(value: string): string {
  return /T.*[+-]\d\d:\d\d$/.test(value) ? new Date(value).toISOString() : value
}
