import type { CodeableConcept, Coding, DocumentReference, Patient, Reference, Resource } from '@medplum/fhirtypes'
import type { Code, DocumentMetadata, DocumentReferenceId, SourcePatient } from '#model/document.ts'
import { issuerOfSystem } from '#security/issuer-systems.ts'
import { extensionsBelow } from '#standards/fhir/extensions.ts'
import type { Json } from '#standards/fhir/xml-write.ts'
import { personName, readAuthor } from './read-author.ts'
import type { StagingContext } from './staged.ts'

/** Where a field of the model stands in a DocumentReference. services.md C.5; IHE MHD 4.2. */
const EXPRESSIONS: { readonly [path: string]: string } = {
  uniqueId: 'masterIdentifier',
  entryUuid: 'id',
  owner: 'subject',
  sha1: 'content[0].attachment.hash',
  size: 'content[0].attachment.size',
  'metadata.title': 'content[0].attachment.title',
  'metadata.comments': 'description',
  'metadata.classCode': 'category',
  'metadata.typeCode': 'type',
  'metadata.formatCode': 'content[0].format',
  'metadata.practiceSetting': 'context.practiceSetting',
  'metadata.facilityType': 'context.facilityType',
  'metadata.authors': 'author',
  'metadata.eventCodes': 'context.event',
  'metadata.confidentiality': 'securityLabel',
  'metadata.language': 'content[0].attachment.language',
  'metadata.creationTime': 'content[0].attachment.creation',
  'metadata.serviceStart': 'context.period.start',
  'metadata.serviceStop': 'context.period.end',
  'metadata.legalAuthenticator': 'authenticator',
  'metadata.sourcePatient': 'context.sourcePatientInfo',
  'metadata.references': 'context.related',
  'metadata.patient': 'subject',
}

/** The FHIR path of a path of the model, below the resource; empty when it is about the whole. */
export function documentExpression(path: string | null): string {
  if (path === null) return ''
  const relation = /^relations\[(\d+)\]/.exec(path)
  if (relation !== null) return `relatesTo[${relation[1]}]`
  const known = path.replace(/\[\d+\].*$/, '')
  return EXPRESSIONS[path] ?? EXPRESSIONS[known] ?? EXPRESSIONS[`metadata.${known}`] ?? ''
}

function codeOf(coding: Coding | undefined): Code | null {
  if (coding?.code === undefined) return null
  return { code: coding.code, system: coding.system ?? '', display: coding.display ?? '' }
}

function conceptCode(concept: CodeableConcept | undefined): Code | null {
  const coded = codeOf(concept?.coding?.[0])
  return coded === null || coded.display !== '' ? coded : { ...coded, display: concept?.text ?? '' }
}

function codesOf(concepts: readonly CodeableConcept[] | undefined): Code[] {
  return (concepts ?? []).flatMap(({ coding }) => (coding ?? []).flatMap((one) => codeOf(one) ?? []))
}

/** Types of identifiers, HL7 v2 table 0203. */
const TYPES: { readonly [code: string]: DocumentReferenceId['type'] } = {
  ACSN: 'accession',
  PLAC: 'order',
  FILL: 'order',
  VN: 'encounter',
  AN: 'encounter',
}

function referenceId(
  { reference, identifier }: Reference,
  encounter: boolean,
  context: StagingContext,
): DocumentReferenceId | undefined {
  const study = /(?:^|\/)ImagingStudy\/([0-9.]+)$/.exec(reference ?? '')?.[1]
  if (study !== undefined) return { type: 'study', id: study, issuer: '' }
  const value = identifier?.value
  if (value === undefined) return undefined
  const issuer = identifier?.system === undefined ? '' : issuerOfSystem(context.issuers, identifier.system)
  if (identifier?.system === 'urn:dicom:uid') return { type: 'study', id: value.replace(/^urn:oid:/, ''), issuer: '' }
  if (encounter) return { type: 'encounter', id: value, issuer }
  const type = identifier?.type?.coding?.flatMap(({ code }) => TYPES[code ?? ''] ?? [])[0]
  if (type !== undefined) return { type, id: value, issuer }
  if (identifier?.system === 'urn:ietf:rfc:3986') return { type: 'unique-id', id: value, issuer: '' }
  return { type: 'other', id: value, issuer }
}

function sourcePatientOf(patient: Patient, context: StagingContext): SourcePatient | null {
  const [identifier] = patient.identifier ?? []
  if (identifier?.value === undefined) return null
  const sexes: Readonly<Record<string, string>> = { male: 'M', female: 'F', other: 'O' }
  return {
    issuer: identifier.system === undefined ? '' : issuerOfSystem(context.issuers, identifier.system),
    id: identifier.value,
    name: personName(patient.name?.[0]),
    birthDate: patient.birthDate?.replaceAll('-', '') ?? null,
    sex: sexes[patient.gender ?? ''] ?? null,
  }
}

/** Only what the resource says: what is absent is found elsewhere, or waits. */
export async function readMetadata(
  document: DocumentReference,
  context: StagingContext,
): Promise<Partial<DocumentMetadata>> {
  const contained: readonly Resource[] = document.contained ?? []
  const [content] = document.content ?? []
  const { attachment, format } = content ?? {}
  const about = document.context
  const authors = await Promise.all((document.author ?? []).map((one) => readAuthor(one, contained, context)))
  const authenticator =
    document.authenticator === undefined ? null : await readAuthor(document.authenticator, contained, context)
  const patient = contained.find(({ id }) => `#${id}` === about?.sourcePatientInfo?.reference)
  const references = [
    ...(about?.related ?? []).map((one) => referenceId(one, false, context)),
    ...(about?.encounter ?? []).map((one) => referenceId(one, true, context)),
  ].filter((one) => one !== undefined)
  const said: { [field in keyof DocumentMetadata]?: DocumentMetadata[field] | null } = {
    title: attachment?.title ?? null,
    comments: document.description ?? null,
    classCode: conceptCode(document.category?.[0]),
    typeCode: conceptCode(document.type),
    formatCode: codeOf(format),
    practiceSetting: conceptCode(about?.practiceSetting),
    facilityType: conceptCode(about?.facilityType),
    authors: authors.filter((author) => author !== null),
    eventCodes: codesOf(about?.event),
    confidentiality: codesOf(document.securityLabel),
    language: attachment?.language ?? null,
    creationTime: attachment?.creation ?? null,
    serviceStart: about?.period?.start ?? null,
    serviceStop: about?.period?.end ?? null,
    legalAuthenticator: authenticator,
    sourcePatient: patient?.resourceType === 'Patient' ? sourcePatientOf(patient, context) : null,
    references,
    extra: extensionsOf(document),
  }
  const isSaid = ([, value]: [string, unknown]) =>
    value !== null && !(Array.isArray(value) && value.length === 0) && !isEmptyObject(value)
  return Object.fromEntries(Object.entries(said).filter(isSaid)) as Partial<DocumentMetadata>
}

/** Extensions nobody here reads, with their places: given back as they came. */
function extensionsOf(document: DocumentReference): { readonly [name: string]: unknown } {
  const below = extensionsBelow(document as unknown as Json)
  return {
    ...(document.extension === undefined ? {} : { fhirExtension: document.extension }),
    ...(below.length === 0 ? {} : { fhirExtensionBelow: below }),
  }
}

function isEmptyObject(value: unknown): boolean {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && Object.keys(value).length === 0
}

/**
 * SHA-1 in hex of FHIR's base64. Some senders write base64 of the hexadecimal text; both are taken.
 * @returns undefined for what is neither
 */
export function readHash(base64: string): string | undefined {
  const bytes = Buffer.from(base64, 'base64')
  if (bytes.byteLength === 20) return bytes.toString('hex')
  const text = bytes.toString('latin1').toLowerCase()
  return /^[0-9a-f]{40}$/.test(text) ? text : undefined
}
