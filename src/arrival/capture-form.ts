/** What is said of photographs and films taken at the point of care, and what that is as document metadata. */
import { z } from 'zod'
import { ArchiveError } from '#errors.ts'
import type { CaptureMedium } from '#model/capture-link.ts'
import type { DocumentKindWord } from '#model/document.ts'
import type { ByteSource } from '#standards/byte-source.ts'
import { documentKindOf } from '#standards/media/document-kind.ts'
import { readExif } from '#standards/media/exif.ts'
import { type Described, describedBy } from './document-form.ts'

const name = z.string().trim().min(1).max(1000)
const code = z.union([
  z.string().trim().min(1).max(500),
  z.strictObject({ code: name, system: name, display: z.string().trim().max(1000).optional() }),
])
const person = z.union([
  name,
  z.strictObject({
    person: name,
    identifier: z.strictObject({ issuer: z.string().max(1000).default(''), id: name }).optional(),
    institution: name.optional(),
    role: name.optional(),
  }),
])
const device = z.union([
  name,
  z.strictObject({ manufacturer: name.optional(), model: name, serialNumber: name.optional() }),
])

/** Fixed by whoever makes a link; at the point of care said with the picture. */
export const captureAbout = z.strictObject({
  patient: z.strictObject({ issuer: z.string().max(1000).default(''), id: name }).optional(),
  studyInstanceUid: z
    .string()
    .regex(/^[0-9.]{1,64}$/, 'expected a UID')
    .optional(),
  encounter: name.optional(),
  /** Accession number. */
  order: name.optional(),
  bodyPart: code.optional(),
  laterality: z.enum(['left', 'right', 'both']).optional(),
  department: name.optional(),
  specialty: code.optional(),
  facility: code.optional(),
  confidentiality: z.array(code).max(10).optional(),
  language: z
    .string()
    .regex(/^[A-Za-z]{2,3}(-[A-Za-z0-9]{1,8})*$/, 'expected a language such as de-DE')
    .optional(),
  title: name.optional(),
  author: person.optional(),
})

export const captured = captureAbout.extend({
  device: device.optional(),
  comments: z.string().max(10_000).optional(),
  /** When it was taken; else what the camera wrote, else now. */
  taken: z.string().max(40).optional(),
  originator: name.max(64).optional(),
})

export type CaptureAbout = z.output<typeof captureAbout>
export type Captured = z.output<typeof captured>

/** @throws ArchiveError 'request.malformed' naming the wrong member */
export function capturedBy(given: unknown): Captured {
  const result = captured.safeParse(given)
  if (result.success) return result.data
  const issue = result.error.issues[0]
  const why =
    issue?.code === 'unrecognized_keys' ? `there is no "${issue.keys[0] ?? ''}"` : (issue?.message ?? 'not valid')
  throw new ArchiveError('request.malformed', `metadata: ${[...(issue?.path ?? []), why].join(': ')}`)
}

/** Parameters of a capture whose file is the body. */
export const CAPTURE_QUERY = {
  patient: 'Patient number.',
  issuer: 'Its issuer.',
  study: 'Study Instance UID: it belongs to whoever owns the study.',
  encounter: 'Number of the visit.',
  order: 'Accession number.',
  bodyPart: 'A code of the site, or `system|code`.',
  laterality: 'left, right or both.',
  department: 'Department by its local name.',
  specialty: 'A code of the site.',
  facility: 'Type of facility: a code of the site.',
  device: 'Maker and model of the camera.',
  author: 'As `Family^Given`.',
  title: 'Title.',
  comments: 'Words about it.',
  taken: 'When it was taken.',
  language: 'As `de-DE`.',
  originator: 'Registered originator.',
  name: 'Name of the file, kept as a label.',
} as const

/** @throws ArchiveError 'request.malformed' */
export function capturedByQuery(query: URLSearchParams): Captured {
  const unknown = [...query.keys()].find((key) => !Object.hasOwn(CAPTURE_QUERY, key))
  if (unknown !== undefined) {
    throw new ArchiveError('request.malformed', `query: there is no parameter "${unknown.slice(0, 64)}"`, {
      hint: `There are ${Object.keys(CAPTURE_QUERY).join(', ')}.`,
    })
  }
  const given: { [key: string]: unknown } = {}
  for (const [key, value] of query) if (value.trim() !== '' && key !== 'name') given[key] = value.trim()
  const { patient, issuer, study, ...rest } = given
  return capturedBy({
    ...rest,
    ...(patient === undefined ? {} : { patient: { id: patient, ...(issuer === undefined ? {} : { issuer }) } }),
    ...(study === undefined ? {} : { studyInstanceUid: study }),
  })
}

const PHOTOGRAPHS: ReadonlySet<DocumentKindWord> = new Set(['jpeg', 'png', 'heic', 'tiff'])
const FILMS: ReadonlySet<DocumentKindWord> = new Set(['mp4', 'quicktime', 'mpeg'])

export interface Medium {
  readonly medium: CaptureMedium
  /** ISO 8601; null where the camera says nothing. */
  readonly taken: string | null
  readonly camera: string | null
}

/** What a file is, told from its bytes; undefined for anything but a photograph or film. */
export function mediumOf(source: ByteSource): Medium | undefined {
  const word = documentKindOf(source)?.word
  if (word === undefined) return undefined
  if (FILMS.has(word)) return { medium: 'video', taken: null, camera: null }
  if (word !== 'jpeg' && word !== 'png' && word !== 'tiff' && word !== 'heic') return undefined
  if (!PHOTOGRAPHS.has(word)) return undefined
  const exif = readExif(word, source)
  const camera = [exif?.make, exif?.model].filter((part) => part != null && part !== '').join(' ')
  return { medium: 'photo', taken: exif?.taken ?? null, camera: camera === '' ? null : camera }
}

const SNOMED = 'http://snomed.info/sct'
const LOINC = 'http://loinc.org'
/** PS3.16 CID 244. */
const SIDES = {
  left: { code: '7771000', system: SNOMED, display: 'Left' },
  right: { code: '24028007', system: SNOMED, display: 'Right' },
  both: { code: '51440002', system: SNOMED, display: 'Right and left' },
} as const
const CAMERA = {
  code: 'XC',
  system: 'http://dicom.nema.org/resources/ontology/DCM',
  display: 'External-camera Photography',
}
const TYPES = {
  photo: { code: '72170-4', system: LOINC, display: 'Photographic image' },
  video: { code: '85449-7', system: LOINC, display: 'Video' },
} as const

/** A capture as a document: of its encounter, with department, body part and author. docs/reference/placement.md rule 8. */
export function describedCapture(capture: Captured, { medium, taken, camera }: Medium, now: string): Described {
  const { author, device: said } = capture
  const who = author === undefined ? [] : [typeof author === 'string' ? { person: author } : author]
  const what =
    said === undefined
      ? camera
      : typeof said === 'string'
        ? said
        : [said.manufacturer, said.model, said.serialNumber].filter((part) => part !== undefined).join(' ')
  const references = [
    ...(capture.order === undefined ? [] : [{ type: 'accession', id: capture.order }]),
    ...(capture.encounter === undefined ? [] : [{ type: 'encounter', id: capture.encounter }]),
  ]
  const side = capture.laterality === undefined ? [] : [SIDES[capture.laterality]]
  const region = capture.bodyPart === undefined ? [] : [capture.bodyPart]
  const when = capture.taken ?? taken ?? now
  const some = (values: { readonly [key: string]: unknown }) =>
    Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined))
  return describedBy(
    some({
      metadata: some({
        ...{ classCode: TYPES[medium], typeCode: TYPES[medium], title: capture.title, comments: capture.comments },
        ...{ practiceSetting: capture.specialty, facilityType: capture.facility, department: capture.department },
        ...{ confidentiality: capture.confidentiality, language: capture.language },
        eventCodes: [...region, ...side, CAMERA],
        authors: [...who, ...(what === null ? [] : [{ device: what }])],
        references,
        ...{ creationTime: when, serviceStart: when },
      }),
      ...{ patient: capture.patient, studyInstanceUid: capture.studyInstanceUid, originator: capture.originator },
    }),
  )
}
