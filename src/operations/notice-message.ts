/** Notices as HL7 v2 messages: MDM and ORU of a document, in UTF-8. HL7 v2.5.1 sections 7.3 and 9.6. */
import type { DeliveryBody, NoticeDestination, NoticeEvent, NoticeRule } from '#model/delivery.ts'
import type { Code, DocumentAuthor, SourcePatient, StoredDocument } from '#model/document.ts'
import type { IssuerEntry } from '#security/issuers.ts'
import { STANDARD_DELIMITERS } from '#standards/hl7v2/delimiters.ts'
import { escapeText } from '#standards/hl7v2/escapes.ts'

/** What one notice tells. */
export interface Notice {
  readonly document: StoredDocument
  readonly event: NoticeEvent
  /** The version it takes the place of, at the destination. */
  readonly parent: StoredDocument | null
  /** The first of its versions: what its number is called by. */
  readonly root: StoredDocument
  readonly patient: SourcePatient | null
  readonly destination: NoticeDestination
  readonly form: Pick<NoticeRule, 'message' | 'content'>
  readonly controlId: string
  /** ISO 8601 UTC. */
  readonly time: string
}

export interface NoticeTerms {
  readonly us: { readonly application: string; readonly facility: string }
  /** Where our own pages are for others; null: pointers are paths. */
  readonly baseUrl: string | null
  issuer(name: string): IssuerEntry | undefined
}

const say = (text: string | null | undefined) =>
  escapeText((text ?? '').replace(/[\ue000\ue001]/g, ' '), STANDARD_DELIMITERS)
const components = (...parts: (string | null | undefined)[]) => parts.map(say).join('^').replace(/\^+$/, '')

/** Writes the segments of a notice; the document's Base64 comes between `before` and `behind` when it is sent. */
export function noticeMessage(notice: Notice, terms: NoticeTerms): DeliveryBody {
  const { document, form, destination } = notice
  const withdrawn = notice.event === 'withdrawn'
  const embeds = !withdrawn && form.content === 'embedded' && document.size <= destination.embedMax
  const points = !withdrawn && form.content !== 'none' && !embeds
  const message = form.message === 'ORU' ? 'ORU^R01^ORU_R01' : mdmType(notice.event, embeds || points)
  const segments = [
    header(notice, terms, message),
    ...(form.message === 'MDM' ? [`EVN|${message.split('^')[1]}|${timeText(notice.time)}`] : []),
    ...patientSegments(notice, terms),
    ...(form.message === 'ORU' ? orderSegments(notice, terms) : [documentSegment(notice, terms)]),
  ]
  const before = `${segments.join('\r')}\r`
  const observed = `OBX|1|${embeds ? 'ED' : 'RP'}|${code(document.metadata.typeCode)}||`
  const status = `||||||${resultStatus(document)}\r`
  const [type = 'application', subtype = 'octet-stream'] = document.mediaType.split('/')
  const shape = { message: message.split('^').slice(0, 2).join('^'), form }
  if (embeds) {
    const data = components(terms.us.application, type, subtype, 'Base64')
    return { ...shape, before: `${before}${observed}${data}^`, behind: status }
  }
  const url = `${terms.baseUrl ?? ''}/api/v1/documents/${document.objectId}/content`
  const pointer = points ? `${observed}${components(url, terms.us.application, type, subtype)}${status}` : ''
  return { ...shape, before: before + pointer, behind: null }
}

function mdmType(event: NoticeEvent, content: boolean): string {
  const types = { kept: ['T01', 'T02'], changed: ['T07', 'T08'], replaced: ['T09', 'T10'], withdrawn: ['T11', 'T11'] }
  const [without = '', with_ = ''] = types[event]
  const type = content ? with_ : without
  return `MDM^${type}^MDM_${content ? 'T02' : 'T01'}`
}

function header({ destination, controlId, time }: Notice, { us }: NoticeTerms, message: string): string {
  return [
    ...['MSH', '^~\\&', say(us.application), say(us.facility), say(destination.application), say(destination.facility)],
    ...[timeText(time), '', message, controlId, 'P', '2.5.1', '', '', '', '', '', 'UNICODE UTF-8'],
  ].join('|')
}

function patientSegments({ document, patient }: Notice, terms: NoticeTerms): string[] {
  const who = patient ?? document.metadata.sourcePatient
  const [alphabetic = ''] = (who?.name ?? '').split('=')
  const [family, given, middle, prefix, suffix] = alphabetic.split('^')
  const id = who === null ? '' : `${say(who.id)}^^^${authority(who.issuer, terms)}^MR`
  const name = components(family, given, middle, suffix, prefix)
  const encounter = document.metadata.references.find(({ type }) => type === 'encounter')
  const pid = ['PID', '1', '', id, '', name, '', say(who?.birthDate), say(who?.sex)].join('|').replace(/\|+$/, '')
  const visit: string[] = new Array(20).fill('')
  Object.assign(visit, ['PV1', '1', 'U'])
  if (encounter !== undefined) visit[19] = `${say(encounter.id)}^^^${authority(encounter.issuer, terms)}`
  return [pid, visit.join('|').replace(/\|+$/, '')]
}

/** HD: namespace, universal id, its type. */
function authority(issuer: string, terms: NoticeTerms): string {
  const entry = terms.issuer(issuer)
  const oid = entry?.oid ?? (/^[0-2](\.\d+)+$/.test(issuer) ? issuer : null)
  const parts = [entry?.namespaceId ?? entry?.name ?? (oid === issuer ? '' : issuer), oid, oid === null ? '' : 'ISO']
  return parts.map(say).join('&').replace(/&+$/, '')
}

function documentSegment({ document, parent, event }: Notice, terms: NoticeTerms): string {
  const { metadata } = document
  const fields: string[] = new Array(26).fill('')
  const orders = metadata.references.filter(({ type }) => type === 'order')
  const number = (one: (typeof orders)[number] | undefined) =>
    one === undefined ? '' : entity(one.id, one.issuer, terms)
  Object.assign(fields, {
    ...{ 0: 'TXA', 1: '1', 2: code(metadata.typeCode), 3: contentKind(document.mediaType) },
    ...{ 4: dateText(metadata.serviceStart), 6: dateText(metadata.creationTime ?? document.created) },
    ...{ 9: person(metadata.authors[0]), 10: person(metadata.legalAuthenticator ?? undefined) },
    ...{ 12: say(bare(document.uniqueId)), 13: parent === null ? '' : say(bare(parent.uniqueId)) },
    ...{
      14: number(orders[0]),
      15: number(orders[1]),
      17: completion(document),
      18: confidentiality(metadata.confidentiality),
    },
    ...{ 19: event === 'withdrawn' ? 'CA' : 'AV', 25: say(metadata.title) },
  })
  return fields.join('|').replace(/\|+$/, '')
}

/** Order numbers of the report; without any the number of its first version, so that all versions have one. */
function orderSegments({ document, root, event }: Notice, terms: NoticeTerms): string[] {
  const { metadata } = document
  const find = (type: string) => metadata.references.filter((one) => one.type === type)
  const [placer, filler] = find('order')
  const [accession] = find('accession')
  const [study] = find('study')
  const number = (one: { id: string; issuer: string } | undefined) =>
    one === undefined ? '' : entity(one.id, one.issuer, terms)
  const own = filler === undefined ? (placer === undefined ? say(bare(root.uniqueId)) : '') : number(filler)
  const fields: string[] = new Array(33).fill('')
  Object.assign(fields, {
    ...{ 0: 'OBR', 1: '1', 2: number(placer), 3: own, 4: code(metadata.eventCodes[0] ?? metadata.typeCode) },
    ...{ 7: dateText(metadata.serviceStart), 18: number(accession), 22: dateText(document.lastUpdated) },
    ...{ 25: event === 'withdrawn' ? 'X' : resultStatus(document), 32: interpreter(metadata.authors[0]) },
  })
  const zds = study === undefined ? [] : [`ZDS|${say(study.id)}^${say(terms.us.application)}^Application^DICOM`]
  return [`ORC|RE|${number(placer)}|${own}`, fields.join('|').replace(/\|+$/, ''), ...zds]
}

/** EI: id, namespace, universal id, type. */
function entity(id: string, issuer: string, terms: NoticeTerms): string {
  return `${say(id)}^${authority(issuer, terms).replaceAll('&', '^')}`.replace(/\^+$/, '')
}

const bare = (uniqueId: string) => uniqueId.replace(/^urn:(oid|uuid):/i, '')

/** Names of schemes in table 0396; others go by their URI. */
const SCHEMES: { readonly [system: string]: string } = {
  'http://loinc.org': 'LN',
  'http://snomed.info/sct': 'SCT',
  'http://dicom.nema.org/resources/ontology/DCM': 'DCM',
  'http://terminology.hl7.org/CodeSystem/v2-0270': 'HL70270',
}

function code(from: Code | null | undefined): string {
  return from == null ? '' : components(from.code, from.display, SCHEMES[from.system] ?? from.system)
}

function person(author: DocumentAuthor | undefined): string {
  if (author === undefined || author.person === null) return ''
  const [family, given, middle, prefix, suffix] = author.person.split('^')
  return components(author.identifier?.id ?? '', family, given, middle, suffix, prefix)
}

function interpreter(author: DocumentAuthor | undefined): string {
  return person(author).replaceAll('^', '&')
}

/** TXA-3, table 0191. */
function contentKind(mediaType: string): string {
  if (mediaType.startsWith('image/')) return 'IM'
  return mediaType.startsWith('text/plain') ? 'TX' : 'AP'
}

const completion = ({ phase }: StoredDocument) => (phase === 'preliminary' ? 'PA' : 'AU')
const resultStatus = ({ phase }: StoredDocument) => (phase === 'preliminary' ? 'P' : phase === 'amended' ? 'C' : 'F')

/** TXA-18, table 0272: usual, restricted, very restricted. */
function confidentiality(labels: readonly Code[]): string {
  if (labels.some((one) => one.code === 'V')) return 'V'
  return labels.some((one) => one.code === 'R') ? 'R' : 'U'
}

const timeText = (iso: string) => `${iso.replace(/\D/g, '').slice(0, 14)}+0000`

/** Precision stays: a day is a day. */
function dateText(iso: string | null): string {
  if (iso === null) return ''
  const instant = iso.includes('T') ? new Date(iso) : null
  if (instant === null) return iso.replaceAll('-', '')
  return Number.isNaN(instant.getTime()) ? '' : timeText(instant.toISOString())
}
