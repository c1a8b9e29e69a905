import {
  ASSOCIATION,
  DOCUMENT,
  FOLDER,
  NAMESPACE,
  OBJECT,
  REFERENCE_ID_LIST,
  STATUS,
  SUBMISSION_SET,
} from './ebrim-names.ts'
import type {
  ExtraSlots,
  XdsAssociation,
  XdsAuthor,
  XdsCode,
  XdsDocumentEntry,
  XdsFolder,
  XdsMetadata,
  XdsSubmissionSet,
} from './types.ts'

/** Text and attributes alike; what XML 1.0 has no character for becomes U+FFFD. XML 1.0 section 2.2. */
export function xmlText(value: string): string {
  let text = ''
  for (const character of value) {
    const code = character.codePointAt(0) as number
    if (character === '&') text += '&amp;'
    else if (character === '<') text += '&lt;'
    else if (character === '>') text += '&gt;'
    else if (character === '"') text += '&quot;'
    else if (code === 9 || code === 10 || code === 13) text += `&#${code};`
    else if (code < 0x20 || (code >= 0xd800 && code < 0xe000) || code === 0xfffe || code === 0xffff) text += '\ufffd'
    else text += character
  }
  return text
}

function attributes(values: Readonly<Record<string, string | null>>): string {
  let text = ''
  for (const [name, value] of Object.entries(values)) if (value !== null) text += ` ${name}="${xmlText(value)}"`
  return text
}

function slot(name: string, values: readonly (string | null)[]): string {
  const present = values.filter((value) => value !== null && value !== '')
  if (present.length === 0) return ''
  const list = present.map((value) => `<rim:Value>${xmlText(value as string)}</rim:Value>`).join('')
  return `<rim:Slot name="${xmlText(name)}"><rim:ValueList>${list}</rim:ValueList></rim:Slot>`
}

function extraSlots(extra: ExtraSlots): string {
  return Object.entries(extra)
    .map(([name, values]) => slot(name, values))
    .join('')
}

function localized(element: 'Name' | 'Description', value: string | null): string {
  return value === null ? '' : `<rim:${element}><rim:LocalizedString value="${xmlText(value)}"/></rim:${element}>`
}

/** Objects within objects have an identifier of their own; within one request any that is not used twice will do. */
class Writer {
  #count = 0

  #id(): string {
    this.#count++
    return `id_${this.#count}`
  }

  #classification(scheme: string, object: string, node: string, content: string): string {
    const values = { id: this.#id(), classificationScheme: scheme, classifiedObject: object, nodeRepresentation: node }
    return `<rim:Classification${attributes(values)}>${content}</rim:Classification>`
  }

  #code(scheme: string, object: string, code: XdsCode | null): string {
    if (code === null) return ''
    return this.#classification(
      scheme,
      object,
      code.code,
      slot('codingScheme', [code.scheme]) + localized('Name', code.display),
    )
  }

  #codes(scheme: string, object: string, codes: readonly XdsCode[]): string {
    return codes.map((code) => this.#code(scheme, object, code)).join('')
  }

  #authors(scheme: string, object: string, authors: readonly XdsAuthor[]): string {
    return authors
      .map((author) => {
        const slots =
          slot('authorPerson', [author.person]) +
          slot('authorInstitution', author.institutions) +
          slot('authorRole', author.roles) +
          slot('authorSpecialty', author.specialties) +
          slot('authorTelecommunication', author.telecommunications)
        return slots === '' ? '' : this.#classification(scheme, object, '', slots)
      })
      .join('')
  }

  #identifier(scheme: string, object: string, value: string | null, name: string): string {
    if (value === null) return ''
    const values = { id: this.#id(), registryObject: object, identificationScheme: scheme, value }
    return `<rim:ExternalIdentifier${attributes(values)}>${localized('Name', name)}</rim:ExternalIdentifier>`
  }

  document(entry: XdsDocumentEntry): string {
    const id = entry.entryUUID
    const values = {
      id,
      home: entry.homeCommunityId,
      mimeType: entry.mimeType,
      objectType: entry.objectType === 'stable' ? OBJECT.stable : OBJECT.onDemand,
      status: entry.availabilityStatus === null ? null : STATUS + entry.availabilityStatus,
    }
    return `<rim:ExtrinsicObject${attributes(values)}>${[
      slot('creationTime', [entry.creationTime]),
      slot('hash', [entry.hash]),
      slot('languageCode', [entry.languageCode]),
      slot('legalAuthenticator', [entry.legalAuthenticator]),
      slot(REFERENCE_ID_LIST, entry.referenceIdList),
      slot('repositoryUniqueId', [entry.repositoryUniqueId]),
      slot('serviceStartTime', [entry.serviceStartTime]),
      slot('serviceStopTime', [entry.serviceStopTime]),
      slot('size', [entry.size === null ? null : String(entry.size)]),
      slot('sourcePatientId', [entry.sourcePatientId]),
      slot('sourcePatientInfo', entry.sourcePatientInfo),
      slot('URI', [entry.URI]),
      slot('documentAvailability', [
        entry.documentAvailability === null
          ? null
          : `urn:ihe:iti:2010:DocumentAvailability:${entry.documentAvailability}`,
      ]),
      extraSlots(entry.extra),
      localized('Name', entry.title),
      localized('Description', entry.comments),
      this.#authors(DOCUMENT.author, id, entry.author),
      this.#code(DOCUMENT.classCode, id, entry.classCode),
      this.#codes(DOCUMENT.confidentialityCode, id, entry.confidentialityCode),
      this.#codes(DOCUMENT.eventCodeList, id, entry.eventCodeList),
      this.#code(DOCUMENT.formatCode, id, entry.formatCode),
      this.#code(DOCUMENT.healthcareFacilityTypeCode, id, entry.healthcareFacilityTypeCode),
      this.#code(DOCUMENT.practiceSettingCode, id, entry.practiceSettingCode),
      this.#code(DOCUMENT.typeCode, id, entry.typeCode),
      this.#identifier(DOCUMENT.patientId, id, entry.patientId, 'XDSDocumentEntry.patientId'),
      this.#identifier(DOCUMENT.uniqueId, id, entry.uniqueId, 'XDSDocumentEntry.uniqueId'),
    ].join('')}</rim:ExtrinsicObject>`
  }

  #package(object: XdsSubmissionSet | XdsFolder, node: string, content: string): string {
    const status = object.availabilityStatus === null ? null : STATUS + object.availabilityStatus
    const values = { id: object.entryUUID, home: object.homeCommunityId, objectType: OBJECT.registryPackage, status }
    const marked = { id: this.#id(), classifiedObject: object.entryUUID, classificationNode: node }
    return `<rim:RegistryPackage${attributes(values)}>${content}<rim:Classification${attributes(marked)}/></rim:RegistryPackage>`
  }

  submissionSet(set: XdsSubmissionSet): string {
    const id = set.entryUUID
    const content = [
      slot('submissionTime', [set.submissionTime]),
      slot('intendedRecipient', set.intendedRecipient),
      extraSlots(set.extra),
      localized('Name', set.title),
      localized('Description', set.comments),
      this.#authors(SUBMISSION_SET.author, id, set.author),
      this.#code(SUBMISSION_SET.contentTypeCode, id, set.contentTypeCode),
    ]
    const identifiers = [
      this.#identifier(SUBMISSION_SET.patientId, id, set.patientId, 'XDSSubmissionSet.patientId'),
      this.#identifier(SUBMISSION_SET.sourceId, id, set.sourceId, 'XDSSubmissionSet.sourceId'),
      this.#identifier(SUBMISSION_SET.uniqueId, id, set.uniqueId, 'XDSSubmissionSet.uniqueId'),
    ]
    return this.#withIdentifiers(this.#package(set, OBJECT.submissionSet, content.join('')), identifiers.join(''))
  }

  folder(folder: XdsFolder): string {
    const id = folder.entryUUID
    const content = [
      slot('lastUpdateTime', [folder.lastUpdateTime]),
      extraSlots(folder.extra),
      localized('Name', folder.title),
      localized('Description', folder.comments),
      this.#codes(FOLDER.codeList, id, folder.codeList),
    ]
    const identifiers = [
      this.#identifier(FOLDER.patientId, id, folder.patientId, 'XDSFolder.patientId'),
      this.#identifier(FOLDER.uniqueId, id, folder.uniqueId, 'XDSFolder.uniqueId'),
    ]
    return this.#withIdentifiers(this.#package(folder, OBJECT.folder, content.join('')), identifiers.join(''))
  }

  /** The schema wants classifications before external identifiers. ebRIM 3.0, RegistryObjectType. */
  #withIdentifiers(object: string, identifiers: string): string {
    return object.replace(/<\/rim:RegistryPackage>$/, () => `${identifiers}</rim:RegistryPackage>`)
  }

  association({ entryUUID, type, source, target, submissionSetStatus }: XdsAssociation): string {
    const values = { id: entryUUID, associationType: ASSOCIATION[type], sourceObject: source, targetObject: target }
    return `<rim:Association${attributes(values)}>${slot('SubmissionSetStatus', [submissionSetStatus])}</rim:Association>`
  }
}

/**
 * Metadata as ebRIM 3.0: METADATA.XML of an XDM package, and the body of ITI-41 and ITI-42.
 * @returns `lcm:SubmitObjectsRequest`, UTF-8 when encoded, without an XML declaration
 */
export function submitObjectsRequest(metadata: XdsMetadata): string {
  const writer = new Writer()
  const objects = [
    ...metadata.documents.map((entry) => writer.document(entry)),
    ...metadata.submissionSets.map((set) => writer.submissionSet(set)),
    ...metadata.folders.map((folder) => writer.folder(folder)),
    ...metadata.associations.map((association) => writer.association(association)),
  ]
  return `<lcm:SubmitObjectsRequest xmlns:lcm="${NAMESPACE.lcm}" xmlns:rim="${NAMESPACE.rim}"><rim:RegistryObjectList>${objects.join('\n')}</rim:RegistryObjectList></lcm:SubmitObjectsRequest>`
}
