import { DocumentError } from '../document-error.ts'
import { DEFAULT_XML_LIMITS } from '../xml/reader.ts'
import { at, attribute, childrenOf, readXmlTree, type XmlElement } from '../xml/tree.ts'
import { ASSOCIATION, DOCUMENT, FOLDER, NAMESPACE, OBJECT, REFERENCE_ID_LIST, SUBMISSION_SET } from './ebrim-names.ts'
import type {
  ExtraSlots,
  XdsAssociation,
  XdsAssociationType,
  XdsAuthor,
  XdsCode,
  XdsDocumentEntry,
  XdsFolder,
  XdsMetadata,
  XdsSubmissionSet,
} from './types.ts'

const OBJECTS_MAX = 10_000
/** Values of a slot, classifications and identifiers of an object. */
const PARTS_MAX = 1000
const LIMITS = { ...DEFAULT_XML_LIMITS, depth: 64, elements: 500_000 }

/**
 * Reads the registry objects of a SubmitObjectsRequest, a ProvideAndRegister request or a query response: the first
 * RegistryObjectList there is. ITI TF-3 section 4.2.1. What is required and absent is null or empty: who takes the
 * metadata judges it.
 *
 * @throws DocumentError `malformed` when there is no such list, `limit` for more objects than 10,000; as readXmlTree
 */
export function readEbrim(bytes: Uint8Array): XdsMetadata {
  const { root } = readXmlTree(bytes, { limits: LIMITS, skip: (name) => name === 'Document' })
  const list = root === null ? undefined : findList(root)
  if (list === undefined) throw new DocumentError('malformed', 'no list of registry objects')
  if (list.children.length > OBJECTS_MAX) throw new DocumentError('limit', `more than ${OBJECTS_MAX} registry objects`)
  const nodes = new Map<string, string>()
  for (const one of childrenOf(list, 'Classification')) noteNode(one, attribute(one, 'classifiedObject'), nodes)
  const documents: XdsDocumentEntry[] = []
  const submissionSets: XdsSubmissionSet[] = []
  const folders: XdsFolder[] = []
  const associations: XdsAssociation[] = []
  for (const object of list.children) {
    const id = attribute(object, 'id')
    if (object.name === 'ExtrinsicObject') documents.push(documentOf(object))
    else if (object.name === 'RegistryPackage') {
      for (const one of childrenOf(object, 'Classification')) noteNode(one, id, nodes)
      const node = nodes.get(id ?? '')
      if (node === OBJECT.submissionSet) submissionSets.push(submissionSetOf(object))
      else if (node === OBJECT.folder) folders.push(folderOf(object))
    } else if (object.name === 'Association') {
      const association = associationOf(object)
      if (association !== null) associations.push(association)
    }
  }
  return { documents, submissionSets, folders, associations }
}

function findList(root: XmlElement): XmlElement | undefined {
  const waiting: XmlElement[] = [root]
  for (let element = waiting.shift(); element !== undefined; element = waiting.shift()) {
    if (element.name === 'RegistryObjectList' && element.namespace === NAMESPACE.rim) return element
    waiting.push(...element.children.slice(0, PARTS_MAX))
  }
  return undefined
}

function noteNode(classification: XmlElement, object: string | null, nodes: Map<string, string>): void {
  const node = uuid(attribute(classification, 'classificationNode'))
  if (object !== null && (node === OBJECT.submissionSet || node === OBJECT.folder)) nodes.set(object, node)
}

/** Line breaks within an identifier come from pretty printers. */
function uuid(value: string | null): string {
  return (value ?? '').replace(/\s+/g, '').toLowerCase()
}

/** The slots of an object, each taken once: what is left over is extra. */
class Slots {
  readonly #values = new Map<string, readonly string[]>()

  constructor(element: XmlElement) {
    for (const slot of childrenOf(element, 'Slot').slice(0, PARTS_MAX)) {
      const name = attribute(slot, 'name')
      const values = childrenOf(at(slot, 'ValueList'), 'Value')
        .slice(0, PARTS_MAX)
        .map((value) => value.text.trim())
        .filter((value) => value !== '')
      if (name !== null && !this.#values.has(name)) this.#values.set(name, values)
    }
  }

  all(...names: readonly string[]): readonly string[] {
    for (const name of names) {
      const values = this.#values.get(name)
      this.#values.delete(name)
      if (values !== undefined) return values
    }
    return []
  }

  one(...names: readonly string[]): string | null {
    return this.all(...names)[0] ?? null
  }

  /** A URI longer than 128 characters comes in numbered pieces: `1|http://...`, `2|...`. ITI TF-3 section 4.2.3.2.27. */
  uri(): string | null {
    const values = this.all('URI')
    const first = values[0]
    if (first === undefined || !/^\d+\|/.test(first)) return first ?? null
    const pieces = values.map((value) => [Number.parseInt(value, 10), value.slice(value.indexOf('|') + 1)] as const)
    return pieces
      .sort(([a], [b]) => a - b)
      .map(([, piece]) => piece)
      .join('')
  }

  rest(): ExtraSlots {
    return Object.fromEntries(this.#values)
  }
}

/** Classifications and external identifiers of an object, by scheme. */
class Parts {
  readonly #element: XmlElement

  constructor(element: XmlElement) {
    this.#element = element
  }

  #classifications(scheme: string): readonly XmlElement[] {
    return childrenOf(this.#element, 'Classification')
      .slice(0, PARTS_MAX)
      .filter((one) => uuid(attribute(one, 'classificationScheme')) === scheme)
  }

  codes(scheme: string): readonly XdsCode[] {
    return this.#classifications(scheme).map((one) => ({
      code: attribute(one, 'nodeRepresentation') ?? '',
      scheme: new Slots(one).one('codingScheme') ?? '',
      display: nameOf(one) ?? '',
    }))
  }

  code(scheme: string): XdsCode | null {
    return this.codes(scheme)[0] ?? null
  }

  authors(scheme: string): readonly XdsAuthor[] {
    return this.#classifications(scheme).map((one) => {
      const slots = new Slots(one)
      return {
        person: slots.one('authorPerson'),
        institutions: slots.all('authorInstitution'),
        roles: slots.all('authorRole'),
        // Spelled with an i in early editions of the profile.
        specialties: slots.all('authorSpecialty', 'authorSpeciality'),
        telecommunications: slots.all('authorTelecommunication'),
      }
    })
  }

  identifier(scheme: string): string | null {
    for (const one of childrenOf(this.#element, 'ExternalIdentifier').slice(0, PARTS_MAX)) {
      if (uuid(attribute(one, 'identificationScheme')) === scheme) return attribute(one, 'value')
    }
    return null
  }
}

function nameOf(element: XmlElement, name: 'Name' | 'Description' = 'Name'): string | null {
  return attribute(at(element, name, 'LocalizedString'), 'value')
}

function statusOf(element: XmlElement): 'Approved' | 'Deprecated' | null {
  const status = attribute(element, 'status') ?? ''
  if (status.endsWith('Approved')) return 'Approved'
  return status.endsWith('Deprecated') ? 'Deprecated' : null
}

function documentOf(object: XmlElement): XdsDocumentEntry {
  const slots = new Slots(object)
  const parts = new Parts(object)
  const size = slots.one('size')
  const availability = slots.one('documentAvailability') ?? ''
  return {
    entryUUID: attribute(object, 'id') ?? '',
    uniqueId: parts.identifier(DOCUMENT.uniqueId) ?? '',
    objectType: uuid(attribute(object, 'objectType')) === OBJECT.onDemand ? 'on-demand' : 'stable',
    availabilityStatus: statusOf(object),
    mimeType: attribute(object, 'mimeType') ?? '',
    title: nameOf(object),
    comments: nameOf(object, 'Description'),
    author: parts.authors(DOCUMENT.author),
    classCode: parts.code(DOCUMENT.classCode),
    typeCode: parts.code(DOCUMENT.typeCode),
    formatCode: parts.code(DOCUMENT.formatCode),
    practiceSettingCode: parts.code(DOCUMENT.practiceSettingCode),
    healthcareFacilityTypeCode: parts.code(DOCUMENT.healthcareFacilityTypeCode),
    confidentialityCode: parts.codes(DOCUMENT.confidentialityCode),
    eventCodeList: parts.codes(DOCUMENT.eventCodeList),
    languageCode: slots.one('languageCode'),
    creationTime: slots.one('creationTime'),
    serviceStartTime: slots.one('serviceStartTime'),
    serviceStopTime: slots.one('serviceStopTime'),
    legalAuthenticator: slots.one('legalAuthenticator'),
    patientId: parts.identifier(DOCUMENT.patientId),
    sourcePatientId: slots.one('sourcePatientId'),
    sourcePatientInfo: slots.all('sourcePatientInfo'),
    referenceIdList: slots.all(REFERENCE_ID_LIST),
    hash: slots.one('hash')?.toLowerCase() ?? null,
    size: size !== null && /^\d{1,15}$/.test(size) ? Number(size) : null,
    repositoryUniqueId: slots.one('repositoryUniqueId'),
    homeCommunityId: attribute(object, 'home'),
    documentAvailability: availability.endsWith('Online')
      ? 'Online'
      : availability.endsWith('Offline')
        ? 'Offline'
        : null,
    URI: slots.uri(),
    extra: slots.rest(),
  }
}

function submissionSetOf(object: XmlElement): XdsSubmissionSet {
  const slots = new Slots(object)
  const parts = new Parts(object)
  return {
    entryUUID: attribute(object, 'id') ?? '',
    uniqueId: parts.identifier(SUBMISSION_SET.uniqueId) ?? '',
    sourceId: parts.identifier(SUBMISSION_SET.sourceId),
    patientId: parts.identifier(SUBMISSION_SET.patientId),
    submissionTime: slots.one('submissionTime'),
    title: nameOf(object),
    comments: nameOf(object, 'Description'),
    author: parts.authors(SUBMISSION_SET.author),
    contentTypeCode: parts.code(SUBMISSION_SET.contentTypeCode),
    intendedRecipient: slots.all('intendedRecipient'),
    availabilityStatus: statusOf(object),
    homeCommunityId: attribute(object, 'home'),
    extra: slots.rest(),
  }
}

function folderOf(object: XmlElement): XdsFolder {
  const slots = new Slots(object)
  const parts = new Parts(object)
  return {
    entryUUID: attribute(object, 'id') ?? '',
    uniqueId: parts.identifier(FOLDER.uniqueId) ?? '',
    patientId: parts.identifier(FOLDER.patientId),
    lastUpdateTime: slots.one('lastUpdateTime'),
    title: nameOf(object),
    comments: nameOf(object, 'Description'),
    codeList: parts.codes(FOLDER.codeList),
    availabilityStatus: statusOf(object),
    homeCommunityId: attribute(object, 'home'),
    extra: slots.rest(),
  }
}

const typeByName = new Map(Object.entries(ASSOCIATION).map(([type, name]) => [name, type as XdsAssociationType]))

/** null for a type that is none of XDS. Older senders write the bare word. */
function associationOf(object: XmlElement): XdsAssociation | null {
  const name = attribute(object, 'associationType') ?? ''
  const type = typeByName.get(name) ?? (Object.hasOwn(ASSOCIATION, name) ? (name as XdsAssociationType) : undefined)
  if (type === undefined) return null
  const status = new Slots(object).one('SubmissionSetStatus')
  return {
    entryUUID: attribute(object, 'id') ?? '',
    type,
    source: attribute(object, 'sourceObject') ?? '',
    target: attribute(object, 'targetObject') ?? '',
    submissionSetStatus: status === 'Original' || status === 'Reference' ? status : null,
  }
}
