import type { AuditEntry, AuditKind } from './ports.ts'

/** A coded value of the DICOM code set (DCM). */
interface Code {
  readonly code: string
  readonly codeSystemName: 'DCM' | 'RFC-3881'
  readonly originalText: string
}

interface Participant {
  readonly id: string
  /** 1 person, 2 system object. */
  readonly typeCode: 1 | 2
  /** 1 patient, 3 report (studies), 13 security resource, 24 query. */
  readonly role: 1 | 3 | 13 | 24
  readonly idType: Code
  readonly query?: string
  readonly detail?: string
}

/** A DICOM audit message. PS3.15 A.5; the names are those of its schema. */
export interface AuditMessage {
  readonly eventId: Code
  readonly eventType: Code | null
  /** C create, R read, U update, D delete, E execute. */
  readonly action: 'C' | 'R' | 'U' | 'D' | 'E'
  readonly dateTime: string
  /** 0 success, 4 minor failure, 8 serious failure. */
  readonly outcome: 0 | 4 | 8
  readonly user: { readonly id: string; readonly requestor: boolean; readonly networkAccessPoint: string | null }
  readonly source: string
  readonly objects: readonly Participant[]
}

const dcm = (code: string, originalText: string): Code => ({ code, codeSystemName: 'DCM', originalText })

const ALERT = dcm('110113', 'Security Alert')

/** Event, type and action for each kind. PS3.15 A.5.3; PS3.16 CID 400 to 403. */
const EVENTS: { readonly [kind in AuditKind]: readonly [Code, Code | null, AuditMessage['action']] } = {
  start: [dcm('110100', 'Application Activity'), dcm('110120', 'Application Start'), 'E'],
  stop: [dcm('110100', 'Application Activity'), dcm('110121', 'Application Stop'), 'E'],
  'sign-in': [dcm('110114', 'User Authentication'), dcm('110122', 'Login'), 'E'],
  'sign-out': [dcm('110114', 'User Authentication'), dcm('110123', 'Logout'), 'E'],
  query: [dcm('110112', 'Query'), null, 'E'],
  read: [dcm('110103', 'DICOM Instances Accessed'), null, 'R'],
  export: [dcm('110106', 'Export'), null, 'R'],
  store: [dcm('110107', 'Import'), null, 'C'],
  delete: [dcm('110105', 'DICOM Study Deleted'), null, 'D'],
  decide: [dcm('110103', 'DICOM Instances Accessed'), null, 'U'],
  account: [ALERT, dcm('110137', 'User security Attributes Changed'), 'E'],
  token: [ALERT, dcm('110137', 'User security Attributes Changed'), 'E'],
  settings: [ALERT, dcm('110129', 'Security Configuration'), 'E'],
  originator: [ALERT, dcm('110129', 'Security Configuration'), 'E'],
  peer: [ALERT, dcm('110129', 'Security Configuration'), 'E'],
  'audit-log': [dcm('110101', 'Audit Log Used'), null, 'R'],
  alert: [ALERT, dcm('110132', 'Use of Restricted Function'), 'E'],
}

/** An entry of the trail as a DICOM audit message. */
export function auditMessage(entry: AuditEntry): AuditMessage {
  const [eventId, eventType, action] = EVENTS[entry.kind]
  const objects: Participant[] = []
  if (entry.patientId !== null) {
    objects.push({
      id: entry.patientId,
      typeCode: 1,
      role: 1,
      idType: { code: '2', codeSystemName: 'RFC-3881', originalText: 'Patient Number' },
    })
  }
  if (entry.studyInstanceUID !== null) {
    objects.push({ id: entry.studyInstanceUID, typeCode: 2, role: 3, idType: dcm('110180', 'Study Instance UID') })
  }
  if (entry.detail !== null) {
    const query = entry.kind === 'query'
    objects.push({
      id: `${entry.node}/${entry.sequence}`,
      typeCode: 2,
      role: query ? 24 : 13,
      idType: query
        ? { code: '10', codeSystemName: 'RFC-3881', originalText: 'Search Criteria' }
        : { code: '12', codeSystemName: 'RFC-3881', originalText: 'URI' },
      ...(query ? { query: entry.detail } : { detail: entry.detail }),
    })
  }
  return {
    eventId,
    eventType,
    action,
    dateTime: entry.time,
    outcome: entry.outcome === 'success' ? 0 : entry.outcome === 'denied' ? 4 : 8,
    user: { id: entry.who, requestor: true, networkAccessPoint: entry.address },
    source: entry.node,
    objects,
  }
}

/** The message as XML, in the schema of PS3.15 A.5.1. */
export function auditMessageXml(message: AuditMessage): string {
  const { user } = message
  const network =
    user.networkAccessPoint === null
      ? ''
      : ` NetworkAccessPointID="${inXml(user.networkAccessPoint)}" NetworkAccessPointTypeCode="2"`
  const type = message.eventType === null ? '' : coded('EventTypeCode', message.eventType)
  return (
    `<AuditMessage><EventIdentification EventActionCode="${message.action}" EventDateTime="${inXml(message.dateTime)}"` +
    ` EventOutcomeIndicator="${message.outcome}">${coded('EventID', message.eventId)}${type}</EventIdentification>` +
    `<ActiveParticipant UserID="${inXml(user.id)}" UserIsRequestor="${user.requestor}"${network}/>` +
    `<AuditSourceIdentification AuditSourceID="${inXml(message.source)}"/>` +
    `${message.objects.map(participant).join('')}</AuditMessage>`
  )
}

function participant({ id, typeCode, role, idType, query, detail }: Participant): string {
  const text = (value: string) => Buffer.from(value, 'utf8').toString('base64')
  return (
    `<ParticipantObjectIdentification ParticipantObjectID="${inXml(id)}" ParticipantObjectTypeCode="${typeCode}"` +
    ` ParticipantObjectTypeCodeRole="${role}">${coded('ParticipantObjectIDTypeCode', idType)}` +
    (query === undefined ? '' : `<ParticipantObjectQuery>${text(query)}</ParticipantObjectQuery>`) +
    (detail === undefined ? '' : `<ParticipantObjectDetail type="detail" value="${text(detail)}"/>`) +
    '</ParticipantObjectIdentification>'
  )
}

function coded(element: string, { code, codeSystemName, originalText }: Code): string {
  return `<${element} csd-code="${code}" codeSystemName="${codeSystemName}" originalText="${inXml(originalText)}"/>`
}

const ENTITIES: { readonly [character: string]: string } = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' }

/** Escapes for an attribute; characters that XML 1.0 cannot hold become U+FFFD. */
function inXml(text: string): string {
  return text
    .replace(/[^\t\n\r\u{20}-\u{d7ff}\u{e000}-\u{fffd}\u{10000}-\u{10ffff}]/gu, '\ufffd')
    .replace(/[&<>"]/g, (character) => ENTITIES[character] ?? character)
    .replace(/[\t\n\r]/g, (character) => `&#${character.charCodeAt(0)};`)
}
