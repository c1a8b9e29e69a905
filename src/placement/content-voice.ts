/** What the bytes of a document say of it: headers of CDA and FHIR documents, its format. */
import type { Code, DocumentAuthor, DocumentMetadata, DocumentReferenceId } from '#model/document.ts'
import type { ByteSource } from '#standards/byte-source.ts'
import type { CdaAuthor, CdaHeader, InstanceId } from '#standards/cda/header.ts'
import { readCdaHeader } from '#standards/cda/header.ts'
import type { CodedValue } from '#standards/code-systems.ts'
import { DocumentError } from '#standards/document-error.ts'
import { documentKindOf } from '#standards/media/document-kind.ts'

/** An identifier as a document writes it: its authority is an OID, a UUID or a URI. */
export interface WrittenId {
  readonly authority: string
  readonly id: string
}

export interface ContentVoice {
  readonly says: Partial<DocumentMetadata>
  /** Whose it is, as the document says it. */
  readonly patients: readonly WrittenId[]
}

/** Names assigning authorities as the site's register does. */
export type NameIssuer = (authority: string) => string

const HEADER_BYTES_MAX = 64 * 1024 * 1024

/** @returns the format alone where a document says nothing about itself, or cannot be read */
export function contentVoice(source: ByteSource, nameIssuer: NameIssuer): ContentVoice {
  const kind = documentKindOf(source)
  if (kind === null) return { says: {}, patients: [] }
  const format = { formatCode: kind.formatCode }
  if (source.size > HEADER_BYTES_MAX || (kind.word !== 'cda' && kind.word !== 'fhir-document')) {
    return { says: format, patients: [] }
  }
  try {
    const bytes = Uint8Array.from(source.read(0, source.size))
    if (kind.word === 'cda') return cdaVoice(readCdaHeader(bytes), nameIssuer)
    const told = kind.form === 'json' ? fhirVoice(JSON.parse(Buffer.from(bytes).toString('utf8'))) : undefined
    return told === undefined ? { says: format, patients: [] } : { ...told, says: { ...format, ...told.says } }
  } catch (error) {
    // A header that does not read is no reason to lose the document: what it does not say, others say.
    if (error instanceof DocumentError || error instanceof SyntaxError) return { says: format, patients: [] }
    throw error
  }
}

function cdaVoice(header: CdaHeader, nameIssuer: NameIssuer): ContentVoice {
  const [patient] = header.patients
  const [service] = header.services
  const references: DocumentReferenceId[] = [
    ...header.orders.map((id) => referenceOf('order', id, nameIssuer)),
    ...(header.encounter?.ids ?? []).map((id) => referenceOf('encounter', id, nameIssuer)),
  ]
  const patients = (patient?.ids ?? []).flatMap(({ root, extension }) =>
    extension === '' ? [] : [{ authority: root, id: extension }],
  )
  const [first] = patients
  return {
    patients,
    says: {
      formatCode: header.formatCode,
      title: header.title,
      typeCode: coded(header.code),
      creationTime: header.created,
      language: header.language,
      confidentiality: header.confidentiality === null ? [] : [codeOf(header.confidentiality)],
      authors: header.authors.map((author) => authorOf(author, nameIssuer)),
      legalAuthenticator: header.legalAuthenticator === null ? null : authorOf(header.legalAuthenticator, nameIssuer),
      facilityType: coded(header.encounter?.facilityType ?? null),
      serviceStart: service?.start ?? header.encounter?.start ?? null,
      serviceStop: service?.stop ?? header.encounter?.stop ?? null,
      eventCodes: header.services.flatMap(({ code }) => (code === null ? [] : [codeOf(code)])),
      references: references.filter(({ id }) => id !== ''),
      sourcePatient:
        patient === undefined || first === undefined
          ? null
          : {
              ...{ issuer: nameIssuer(first.authority), id: first.id, name: patient.name },
              ...{ birthDate: patient.birthDate, sex: patient.sex },
            },
    },
  }
}

function referenceOf(
  type: DocumentReferenceId['type'],
  { root, extension }: InstanceId,
  nameIssuer: NameIssuer,
): DocumentReferenceId {
  return extension === '' ? { type, id: root, issuer: '' } : { type, id: extension, issuer: nameIssuer(root) }
}

function coded(code: CodedValue | null): Code | null {
  return code === null || code.code === '' ? null : codeOf(code)
}

function codeOf({ code, system, display }: CodedValue): Code {
  return { code, system, display: display || code }
}

function authorOf(author: CdaAuthor, nameIssuer: NameIssuer): DocumentAuthor {
  const id = author.ids.find(({ extension }) => extension !== '')
  return {
    person: author.person,
    identifier: id === undefined ? null : { issuer: nameIssuer(id.root), id: id.extension },
    institution: author.institution,
    role: author.role?.display ?? null,
    specialty: author.specialty?.display ?? null,
    telecom: author.telecom,
    device: author.device,
  }
}

type Json = { readonly [name: string]: unknown }

const isJson = (value: unknown): value is Json => typeof value === 'object' && value !== null && !Array.isArray(value)
const textOf = (value: unknown): string | null => (typeof value === 'string' && value !== '' ? value : null)
const listOf = (value: unknown): readonly Json[] => (Array.isArray(value) ? value.filter(isJson) : [])

/** The Composition a document Bundle begins with, and the patient it is about. FHIR R4 section 3.3.1. */
function fhirVoice(bundle: unknown): ContentVoice | undefined {
  if (!isJson(bundle)) return undefined
  const resources = listOf(bundle['entry']).flatMap(({ fullUrl, resource }) =>
    isJson(resource) ? [{ fullUrl: textOf(fullUrl), resource }] : [],
  )
  const composition = resources[0]?.resource
  if (composition?.['resourceType'] !== 'Composition') return undefined
  const referred = (reference: unknown): Json | undefined => {
    const name = isJson(reference) ? textOf(reference['reference']) : null
    if (name === null) return undefined
    return resources.find(
      ({ fullUrl, resource }) =>
        fullUrl === name ||
        fullUrl?.endsWith(`/${name}`) === true ||
        `${resource['resourceType']}/${resource['id']}` === name,
    )?.resource
  }
  const patient = referred(composition['subject'])
  const patients = listOf(patient?.['identifier']).flatMap(({ system, value }) => {
    const [authority, id] = [textOf(system), textOf(value)]
    return authority === null || id === null ? [] : [{ authority, id }]
  })
  const label = textOf(composition['confidentiality'])
  return {
    patients,
    says: {
      title: textOf(composition['title']),
      typeCode: concept(composition['type']),
      classCode: concept(listOf(composition['category'])[0]),
      creationTime: textOf(composition['date']),
      language: textOf(composition['language']) ?? textOf(bundle['language']),
      confidentiality:
        label === null
          ? []
          : [{ code: label, system: 'http://terminology.hl7.org/CodeSystem/v3-Confidentiality', display: label }],
      authors: listOf(composition['author']).flatMap((author) => {
        const person = humanName(referred(author)) ?? textOf(author['display'])
        return person === null ? [] : [{ ...NOBODY, person }]
      }),
    },
  }
}

const NOBODY: DocumentAuthor = {
  person: null,
  identifier: null,
  institution: null,
  role: null,
  specialty: null,
  telecom: null,
  device: null,
}

function concept(value: unknown): Code | null {
  if (!isJson(value)) return null
  const [coding] = listOf(value['coding'])
  const [code, system] = [textOf(coding?.['code']), textOf(coding?.['system'])]
  if (code === null || system === null) return null
  return { code, system, display: textOf(coding?.['display']) ?? textOf(value['text']) ?? code }
}

/** `Family^Given Middle` of the first name of a person. */
function humanName(resource: Json | undefined): string | null {
  const [name] = listOf(resource?.['name'])
  const family = textOf(name?.['family'])
  if (name === undefined || family === null) return null
  const given = Array.isArray(name['given']) ? name['given'].filter((one) => typeof one === 'string') : []
  return [family, ...given].join('^')
}
