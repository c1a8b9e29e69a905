import type { CodedValue } from '../code-systems.ts'
import { systemUri } from '../code-systems.ts'
import { DocumentError } from '../document-error.ts'
import { languageOf, titleOf } from '../text/text-collector.ts'
import { byteOffset, type DecodedXml } from '../xml/decode.ts'
import { at, attribute, childrenOf, readXmlTree, textOf, type XmlElement } from '../xml/tree.ts'
import { cdaFormatCode } from './format-code.ts'
import { hl7Time } from './time.ts'

/** An instance identifier: OID or UUID, and what it qualifies. HL7 v3 Data Types, II. */
export interface InstanceId {
  readonly root: string
  /** Empty when the root alone identifies. */
  readonly extension: string
}

/** A person, organisation or device that took part. */
export interface CdaAuthor {
  readonly ids: readonly InstanceId[]
  /** `Family^Given^Middle^Prefix^Suffix`. */
  readonly person: string | null
  readonly institution: string | null
  readonly institutionIds: readonly InstanceId[]
  /** functionCode of the author. */
  readonly role: CodedValue | null
  /** Code of the assigned author. */
  readonly specialty: CodedValue | null
  readonly telecom: string | null
  /** Manufacturer and model, when a device made it. */
  readonly device: string | null
  readonly time: string | null
}

export interface CdaPatient {
  readonly ids: readonly InstanceId[]
  readonly name: string | null
  /** `YYYYMMDD`, or shorter as given. */
  readonly birthDate: string | null
  /** DICOM CS: M, F, O. */
  readonly sex: 'M' | 'F' | 'O' | null
}

export interface CdaEncounter {
  readonly ids: readonly InstanceId[]
  readonly start: string | null
  readonly stop: string | null
  readonly facilityType: CodedValue | null
  readonly facility: string | null
}

export interface CdaService {
  readonly ids: readonly InstanceId[]
  readonly code: CodedValue | null
  readonly start: string | null
  readonly stop: string | null
  readonly performers: readonly CdaAuthor[]
}

export interface CdaBody {
  readonly mediaType: string
  /** Base64 in the document: zero-based offsets in bytes, `start` included, `end` excluded; null when it is not inline. */
  readonly base64: { readonly start: number; readonly end: number } | null
  /** Name it refers to instead; never fetched. */
  readonly reference: string | null
}

/** The header of a CDA document. HL7 CDA R2 section 4.2. Times as hl7Time tells them. */
export interface CdaHeader {
  readonly id: InstanceId | null
  readonly setId: InstanceId | null
  readonly version: number | null
  readonly templates: readonly string[]
  readonly formatCode: CodedValue
  readonly related: readonly {
    readonly type: 'RPLC' | 'APND' | 'XFRM'
    readonly id: InstanceId | null
    readonly setId: InstanceId | null
  }[]
  readonly code: CodedValue | null
  readonly title: string | null
  readonly created: string | null
  readonly confidentiality: CodedValue | null
  readonly language: string | null
  readonly patients: readonly CdaPatient[]
  readonly authors: readonly CdaAuthor[]
  readonly legalAuthenticator: CdaAuthor | null
  readonly custodian: { readonly ids: readonly InstanceId[]; readonly name: string | null } | null
  readonly encounter: CdaEncounter | null
  readonly services: readonly CdaService[]
  readonly orders: readonly InstanceId[]
  /** Of a document whose body is not XML. */
  readonly body: CdaBody | null
}

/** More of one kind than any header has are left out. */
const MANY = 100

/**
 * Reads the header of a CDA document; its structured body is checked for form and passed over.
 *
 * @throws DocumentError `malformed` when it is no CDA; as readXml
 */
export function readCdaHeader(bytes: Uint8Array): CdaHeader {
  const { root, decoded } = readXmlTree(bytes, { skip: (name, depth) => depth === 3 && name === 'structuredBody' })
  if (root === null || root.name !== 'ClinicalDocument' || root.namespace !== 'urn:hl7-org:v3') {
    throw new DocumentError('malformed', 'no CDA document')
  }
  const templates = childrenOf(root, 'templateId')
    .slice(0, MANY)
    .flatMap((one) => {
      const id = idOf(one)
      return id === null ? [] : [id.extension === '' ? id.root : `${id.root}:${id.extension}`]
    })
  const body = bodyOf(at(root, 'component', 'nonXMLBody', 'text'), decoded)
  const version = Number(attribute(at(root, 'versionNumber'), 'value') ?? Number.NaN)
  const legal = at(root, 'legalAuthenticator')
  const custodian = at(root, 'custodian', 'assignedCustodian', 'representedCustodianOrganization')
  return {
    id: idOf(at(root, 'id')),
    setId: idOf(at(root, 'setId')),
    version: Number.isSafeInteger(version) && version >= 0 ? version : null,
    templates,
    formatCode: cdaFormatCode({
      templates,
      body: body === null ? 'structured' : 'unstructured',
      bodyMediaType: body?.mediaType ?? null,
    }),
    related: childrenOf(root, 'relatedDocument').slice(0, MANY).flatMap(relatedOf),
    code: codeOf(at(root, 'code')),
    title: titleOf(textOf(at(root, 'title'))),
    created: timeOf(at(root, 'effectiveTime')),
    confidentiality: codeOf(at(root, 'confidentialityCode')),
    language: languageOf(attribute(at(root, 'languageCode'), 'code')),
    patients: childrenOf(root, 'recordTarget').slice(0, MANY).flatMap(patientOf),
    authors: childrenOf(root, 'author').slice(0, MANY).map(authorOf),
    legalAuthenticator: legal === undefined ? null : authorOf(legal),
    custodian: custodian === undefined ? null : { ids: idsOf(custodian), name: textOf(at(custodian, 'name')) },
    encounter: encounterOf(at(root, 'componentOf', 'encompassingEncounter')),
    services: childrenOf(root, 'documentationOf').slice(0, MANY).flatMap(serviceOf),
    orders: childrenOf(root, 'inFulfillmentOf')
      .slice(0, MANY)
      .flatMap((one) => idsOf(at(one, 'order'))),
    body,
  }
}

function idOf(element: XmlElement | undefined): InstanceId | null {
  const root = attribute(element, 'root')
  if (root === null || element?.attributes.has('nullFlavor')) return null
  return { root: root.slice(0, 128), extension: (attribute(element, 'extension') ?? '').slice(0, 256) }
}

function idsOf(element: XmlElement | undefined): InstanceId[] {
  return childrenOf(element, 'id')
    .slice(0, MANY)
    .flatMap((one) => idOf(one) ?? [])
}

/** A code, or the first translation of one that has none. HL7 v3 Data Types, CD. */
function codeOf(element: XmlElement | undefined): CodedValue | null {
  if (element === undefined) return null
  const code = attribute(element, 'code')
  if (code === null) return codeOf(at(element, 'translation'))
  return {
    code: code.slice(0, 256),
    system: systemUri(attribute(element, 'codeSystem')),
    display: titleOf(attribute(element, 'displayName') ?? textOf(at(element, 'originalText'))) ?? '',
  }
}

function timeOf(element: XmlElement | undefined): string | null {
  return hl7Time(attribute(element, 'value'))
}

/** An interval, or a point in time which is its own beginning. HL7 v3 Data Types, IVL_TS. */
function periodOf(element: XmlElement | undefined): { start: string | null; stop: string | null } {
  return { start: timeOf(at(element, 'low')) ?? timeOf(element), stop: timeOf(at(element, 'high')) }
}

/** `^`, `=` and `\` divide names in DICOM: within a part they are blanks. */
function namePart(value: string | null): string {
  return (value ?? '')
    .replace(/[\^=\\]/g, ' ')
    .trim()
    .slice(0, 64)
}

/** `Family^Given^Middle^Prefix^Suffix` of the legal name, else of the first. HL7 v3 Data Types, PN; DICOM PS3.5 6.2.1. */
function personName(element: XmlElement | undefined): string | null {
  const names = childrenOf(element, 'name')
  const name = names.find((one) => (attribute(one, 'use') ?? '').split(' ').includes('L')) ?? names[0]
  if (name === undefined) return null
  const parts = (kind: string) =>
    childrenOf(name, kind)
      .slice(0, 10)
      .map((one) => namePart(textOf(one)))
      .filter((part) => part !== '')
  const [given = '', ...middle] = parts('given')
  const all = [parts('family').join(' '), given, middle.join(' '), parts('prefix').join(' '), parts('suffix').join(' ')]
  if (all.every((part) => part === '')) return namePart(textOf(name)) || null
  return all.join('^').replace(/\^+$/, '')
}

function relatedOf(element: XmlElement): CdaHeader['related'] {
  const type = attribute(element, 'typeCode')
  if (type !== 'RPLC' && type !== 'APND' && type !== 'XFRM') return []
  const parent = at(element, 'parentDocument')
  return [{ type, id: idOf(at(parent, 'id')), setId: idOf(at(parent, 'setId')) }]
}

function patientOf(target: XmlElement): CdaPatient[] {
  const role = at(target, 'patientRole')
  if (role === undefined) return []
  const person = at(role, 'patient')
  const birth = attribute(at(person, 'birthTime'), 'value')
  const sex = attribute(at(person, 'administrativeGenderCode'), 'code')
  return [
    {
      ids: idsOf(role),
      name: personName(person),
      birthDate: birth !== null && hl7Time(birth) !== null ? birth.slice(0, 8) : null,
      sex: sex === 'M' || sex === 'F' ? sex : sex === 'UN' || sex === 'O' ? 'O' : null,
    },
  ]
}

/** Of an author, a legal authenticator or a performer: who is assigned, and for whom. */
function authorOf(element: XmlElement): CdaAuthor {
  const assigned = at(element, 'assignedAuthor') ?? at(element, 'assignedEntity')
  const organisation = at(assigned, 'representedOrganization')
  const device = at(assigned, 'assignedAuthoringDevice')
  const model = [at(device, 'manufacturerModelName'), at(device, 'softwareName')]
    .map(textOf)
    .filter((one) => one !== null)
  const telecom = childrenOf(assigned, 'telecom').map((one) => attribute(one, 'value'))
  return {
    ids: idsOf(assigned),
    person: personName(at(assigned, 'assignedPerson')),
    institution: titleOf(textOf(at(organisation, 'name'))),
    institutionIds: idsOf(organisation),
    role: codeOf(at(element, 'functionCode')),
    specialty: codeOf(at(assigned, 'code')),
    telecom: telecom.find((one) => one !== null)?.slice(0, 256) ?? null,
    device: device === undefined ? null : titleOf(model.join(' ')),
    time: timeOf(at(element, 'time')),
  }
}

function encounterOf(encounter: XmlElement | undefined): CdaEncounter | null {
  if (encounter === undefined) return null
  const place = at(encounter, 'location', 'healthCareFacility')
  return {
    ids: idsOf(encounter),
    ...periodOf(at(encounter, 'effectiveTime')),
    facilityType: codeOf(at(place, 'code')),
    facility: titleOf(
      textOf(at(place, 'location', 'name')) ?? textOf(at(place, 'serviceProviderOrganization', 'name')),
    ),
  }
}

function serviceOf(documentation: XmlElement): CdaService[] {
  const event = at(documentation, 'serviceEvent')
  if (event === undefined) return []
  return [
    {
      ids: idsOf(event),
      code: codeOf(at(event, 'code')),
      ...periodOf(at(event, 'effectiveTime')),
      performers: childrenOf(event, 'performer').slice(0, MANY).map(authorOf),
    },
  ]
}

/** The place of the base64 between the tags of `text`; what is in child elements is a reference or a thumbnail. */
function bodyOf(text: XmlElement | undefined, decoded: DecodedXml): CdaBody | null {
  if (text === undefined) return null
  const mediaType = (attribute(text, 'mediaType') ?? 'text/plain').toLowerCase().slice(0, 100)
  const reference = attribute(at(text, 'reference'), 'value')?.slice(0, 2000) ?? null
  if (attribute(text, 'representation')?.toUpperCase() !== 'B64' || text.children.length > 0) {
    return { mediaType, base64: null, reference }
  }
  const close = decoded.text.lastIndexOf('</', text.end - 1)
  // Character references and CDATA sections are legal within; then the bytes are not the base64 itself.
  const inline = close >= text.start && !/[&<]/.test(decoded.text.slice(text.start, close))
  const range = { start: byteOffset(decoded, text.start), end: byteOffset(decoded, close) }
  return { mediaType, base64: inline ? range : null, reference }
}

/**
 * The bytes in the body of a document that is not XML.
 *
 * @returns null when nothing is inline, or it is no base64
 */
export function cdaBodyBytes(document: Uint8Array, header: CdaHeader): Uint8Array | null {
  const range = header.body?.base64 ?? null
  if (range === null) return null
  const raw = Buffer.from(document.buffer, document.byteOffset + range.start, range.end - range.start)
  // UTF-16 has a zero beside each character of base64.
  const text = raw.toString('latin1').replace(/[\s\0]+/g, '')
  if (!/^[A-Za-z0-9+/]*={0,2}$/.test(text) || text.length % 4 === 1) return null
  return new Uint8Array(Buffer.from(text, 'base64'))
}
