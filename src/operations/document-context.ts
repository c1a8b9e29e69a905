/** What is known about a document besides what its sender says: who says it, in the order in which they count. */
import type { Provenance } from '#model/arrival.ts'
import type { Code, DocumentMetadata, DocumentOwner, DocumentReferenceId, MetadataField } from '#model/document.ts'
import type { DocumentStatement } from '#model/document-desk.ts'
import type { StudyFacts, StudyFactsReader } from '#model/document-store.ts'
import type { Order, PatientKey, Visit } from '#model/identity.ts'
import type { IdentityReader } from '#model/identity-ledger.ts'
import type { Originator } from '#model/settings.ts'
import type { Voice } from '#placement/complete-metadata.ts'
import { type ContentVoice, contentVoice } from '#placement/content-voice.ts'
import type { ValueSetTable } from '#placement/value-sets.ts'
import type { Issuers } from '#security/issuers.ts'
import type { ByteSource } from '#standards/byte-source.ts'
import { systemUri } from '#standards/code-systems.ts'

/** Policies of the site, as they are in force now. */
export interface DocumentTerms {
  readonly values: ValueSetTable
  readonly defaults: {
    readonly practiceSetting: string | null
    readonly facilityType: string | null
    readonly confidentiality: string | null
    readonly language: string | null
  }
  readonly issuers: Issuers
  readonly siteIssuer: string
}

export interface ContextTools {
  readonly ledger: Pick<IdentityReader, 'orders' | 'patient'>
  readonly studies: StudyFactsReader
  terms(): DocumentTerms
  originatorOf(provenance: Provenance): Originator | null
  /** Opaque id of who an owner lives on as; null when nobody knows them. */
  survivorOf(owner: DocumentOwner): string | null
}

/** What surrounds one document. */
export interface DocumentContext {
  readonly voices: readonly Voice[]
  /** Whose it is, where the sender does not say. */
  readonly owner: DocumentOwner | null
}

export type ContextOf = (said: DocumentStatement, provenance: Provenance, source: ByteSource) => DocumentContext

/** @returns the context of a document: its bytes, its order, its encounter, its study, its originator, the site */
export function createDocumentContext(tools: ContextTools): ContextOf {
  return (said, provenance, source) => {
    const terms = tools.terms()
    const originator = tools.originatorOf(provenance)
    const nameIssuer = (authority: string) =>
      terms.issuers.resolve({ namespaceId: '', universalId: authority })?.issuer ?? authority
    const content = contentVoice(source, nameIssuer)
    const references = [...(said.metadata.references ?? []), ...(content.says.references ?? [])]
    const order = mine(tools, said.owner, orderOf(tools, references, said.studyInstanceUID), ({ patient }) =>
      by(patient),
    )
    const study = mine(tools, said.owner, studyOf(tools, said, references, order), ({ studyInstanceUID }) => ({
      by: 'study',
      studyInstanceUID,
    }))
    const owner = said.owner ?? ownerOf(tools, terms, said, content, order, study, originator)
    const visit = visitOf(tools, owner, references, order)
    const voices: Voice[] = [
      { source: 'content', says: content.says },
      ...(order === null ? [] : [{ source: 'order' as const, says: orderSays(order) }]),
      ...(visit === null ? [] : [{ source: 'encounter' as const, says: visitSays(visit) }]),
      ...(study === null ? [] : [{ source: 'study' as const, says: studySays(study, terms.values) }]),
    ]
    const known = [{ source: 'sender' as const, says: said.metadata }, ...voices]
    const origin = originatorSays(originator, terms.values)
    return {
      owner,
      voices: [
        ...voices,
        { source: 'site', says: derived([...known, { source: 'originator', says: origin }], terms.values, known) },
        { source: 'originator', says: origin },
        { source: 'site', says: { ...siteSays(terms), title: titleOf(provenance) } },
      ],
    }
  }
}

const by = ({ issuer, id }: PatientKey, issuerAssumed = false): DocumentOwner => ({
  by: 'identifier',
  issuer,
  id,
  issuerAssumed,
})

/** Where the sender says whose a document is, an order or study of somebody else says nothing about it. */
function mine<T>(
  { survivorOf }: ContextTools,
  owner: DocumentOwner | undefined,
  found: T | null,
  whose: (found: T) => DocumentOwner,
): T | null {
  if (found === null || owner?.by !== 'identifier') return found
  const other = whose(found)
  if (other.by === 'identifier' && other.issuer === owner.issuer && other.id === owner.id) return found
  const theirs = survivorOf(other)
  return theirs === null || theirs === survivorOf(owner) ? found : null
}

/** An owner without an issuer gets the originator's, else the site's: assumed, and told so. */
export function namedOwner(
  owner: DocumentOwner,
  originator: Originator | null,
  terms: Pick<DocumentTerms, 'issuers' | 'siteIssuer'>,
): DocumentOwner {
  if (owner.by === 'study') return owner
  if (owner.issuer !== '') return { ...owner, issuer: terms.issuers.canonical(owner.issuer) }
  return { ...owner, issuer: originator?.issuer ?? terms.siteIssuer, issuerAssumed: true }
}

function orderOf(
  { ledger }: ContextTools,
  references: readonly DocumentReferenceId[],
  studyInstanceUID: string | undefined,
): Order | null {
  for (const { type, id, issuer } of references) {
    if (type !== 'accession' && type !== 'order') continue
    const { items } = ledger.orders({ accessionNumber: id, limit: 10 })
    const meant = items.filter(
      ({ accessionIssuer }) => issuer === '' || accessionIssuer === null || accessionIssuer === issuer,
    )
    if (meant.length === 1 && meant[0] !== undefined) return meant[0]
  }
  if (studyInstanceUID === undefined) return null
  const { items } = ledger.orders({ studyInstanceUID, limit: 2 })
  return items.length === 1 ? (items[0] ?? null) : null
}

function studyOf(
  { studies }: ContextTools,
  said: DocumentStatement,
  references: readonly DocumentReferenceId[],
  order: Order | null,
): StudyFacts | null {
  const named = said.studyInstanceUID ?? references.find(({ type }) => type === 'study')?.id
  if (named !== undefined) return studies.study(named) ?? null
  const accession = references.find(({ type }) => type === 'accession')?.id
  const ordered = order === null ? undefined : studies.study(order.studyInstanceUID)
  return ordered ?? (accession === undefined ? null : (studies.ofAccession(accession) ?? null))
}

function ownerOf(
  { ledger }: ContextTools,
  terms: DocumentTerms,
  said: DocumentStatement,
  content: ContentVoice,
  order: Order | null,
  study: StudyFacts | null,
  originator: Originator | null,
): DocumentOwner | null {
  const { sourcePatient } = said.metadata
  if (sourcePatient != null && sourcePatient.id !== '') {
    return namedOwner(by({ issuer: sourcePatient.issuer, id: sourcePatient.id }), originator, terms)
  }
  const written = content.patients.map(({ authority, id }) => {
    const named = terms.issuers.resolve({ namespaceId: '', universalId: authority })
    return { key: { issuer: named?.issuer ?? authority, id }, known: named?.known === true }
  })
  const best =
    written.find(({ key }) => ledger.patient(key) !== undefined) ?? written.find(({ known }) => known) ?? written[0]
  if (best !== undefined) return by(best.key)
  if (order !== null) return by(order.patient)
  return study === null ? null : { by: 'study', studyInstanceUID: study.studyInstanceUID }
}

function visitOf(
  { ledger }: ContextTools,
  owner: DocumentOwner | null,
  references: readonly DocumentReferenceId[],
  order: Order | null,
): Visit | null {
  const key = owner?.by === 'identifier' ? owner : (order?.patient ?? null)
  const number = references.find(({ type }) => type === 'encounter')?.id ?? order?.admissionId
  if (key === null || number === undefined || number === null) return null
  const visits = ledger.patient({ issuer: key.issuer, id: key.id })?.visits ?? []
  return visits.find(({ admissionId }) => admissionId === number) ?? null
}

function orderSays(order: Order): Partial<DocumentMetadata> {
  const references: DocumentReferenceId[] = []
  const add = (type: DocumentReferenceId['type'], id: string | null, issuer: string | null) => {
    if (id !== null && id !== '') references.push({ type, id, issuer: issuer ?? '' })
  }
  add('accession', order.accessionNumber, order.accessionIssuer)
  add('order', order.placerOrderNumber, order.placerIssuer)
  add('study', order.studyInstanceUID, null)
  add('encounter', order.admissionId, null)
  return {
    references,
    ...(order.department === null ? {} : { department: order.department }),
    ...(order.confidentiality === null
      ? {}
      : {
          confidentiality: [
            {
              code: order.confidentiality,
              system: 'http://terminology.hl7.org/CodeSystem/v3-Confidentiality',
              display: order.confidentiality,
            },
          ],
        }),
    eventCodes: order.codes.map(({ value, scheme, meaning }) => ({
      code: value,
      system: scheme === 'DCM' ? 'http://dicom.nema.org/resources/ontology/DCM' : systemUri(scheme),
      display: meaning || value,
    })),
  }
}

function visitSays(visit: Visit): Partial<DocumentMetadata> {
  return {
    references: [{ type: 'encounter', id: visit.admissionId, issuer: visit.issuer ?? '' }],
    ...(visit.location === null ? {} : { department: visit.location.split('^')[0] ?? visit.location }),
  }
}

function studySays(study: StudyFacts, values: ValueSetTable): Partial<DocumentMetadata> {
  const references: DocumentReferenceId[] = [{ type: 'study', id: study.studyInstanceUID, issuer: '' }]
  if (study.accessionNumber !== null) references.push({ type: 'accession', id: study.accessionNumber, issuer: '' })
  const day = /^(\d{4})(\d{2})(\d{2})$/.exec(study.date ?? '')
  const events = study.modalities.flatMap((modality): Code[] => {
    const found = values.find('eventCodes', modality)
    return found === undefined ? [] : [found]
  })
  return {
    references,
    eventCodes: events,
    serviceStart: study.instant ?? (day === null ? null : `${day[1]}-${day[2]}-${day[3]}`),
  }
}

function originatorSays(originator: Originator | null, values: ValueSetTable): Partial<DocumentMetadata> {
  if (originator === null) return {}
  const { department, specialty, facilityType, confidentiality, language } = originator
  const label = confidentiality == null ? undefined : values.find('confidentiality', confidentiality)
  return {
    department,
    practiceSetting: specialty === null ? null : (values.find('practiceSetting', specialty) ?? null),
    facilityType: facilityType == null ? null : (values.find('facilityType', facilityType) ?? null),
    confidentiality: label === undefined ? [] : [label],
    language: language ?? null,
  }
}

/** What follows from what was said: the class of a type, the specialty of a department. */
function derived(voices: readonly Voice[], values: ValueSetTable, stated: readonly Voice[]): Partial<DocumentMetadata> {
  const first = <Field extends MetadataField>(field: Field, among: readonly Voice[]) =>
    among.map(({ says }) => says[field]).find((value) => value !== undefined && value !== null && value !== '')
  const type = first('typeCode', voices)
  const department = first('department', stated)
  return {
    classCode: type == null ? null : (values.classOf(type) ?? null),
    practiceSetting: department == null ? null : (values.specialtyOf(department) ?? null),
  }
}

/** The name of the file without its ending: better than none. */
function titleOf({ path }: Provenance): string | null {
  const name = (path ?? '').split(/[/\\]/).at(-1) ?? ''
  const title = name
    .replace(/\.[A-Za-z0-9]{1,5}$/, '')
    .replace(/[_]+/g, ' ')
    .trim()
  return title === '' || title === 'document' ? null : title.slice(0, 200)
}

function siteSays({ defaults, values }: DocumentTerms): Partial<DocumentMetadata> {
  const find = (field: 'practiceSetting' | 'facilityType' | 'confidentiality', code: string | null) =>
    code === null ? null : (values.find(field, code) ?? null)
  const label = find('confidentiality', defaults.confidentiality)
  return {
    practiceSetting: find('practiceSetting', defaults.practiceSetting),
    facilityType: find('facilityType', defaults.facilityType),
    confidentiality: label === null ? [] : [label],
    language: defaults.language,
  }
}
