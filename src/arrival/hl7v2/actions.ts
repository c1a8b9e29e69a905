import { Hl7Error } from '#standards/hl7v2/errors.ts'
import { ADT_EVENTS, type AdtAction } from './adt.ts'
import { MDM_EVENTS } from './mdm.ts'
import { RESULT_EVENTS } from './oru.ts'

/** What is done with a kind of message. */
export type MessageAction =
  | { readonly is: 'adt'; readonly action: AdtAction }
  | { readonly is: 'order' }
  /** Reports and documents are filed. */
  | { readonly is: 'results' }
  | { readonly is: 'document' }
  /** Accepted and kept as it came, with its identifiers searchable; nothing else happens. */
  | { readonly is: 'keep' }
  /** An acknowledgement of somebody: never answered, or two servers would thank each other for ever. */
  | { readonly is: 'acknowledgement' }

/** Order messages that become orders of the worklist. services.md E.4. */
export const ORDER_MESSAGES: readonly string[] = ['ORM^O01', 'OMI^O23', 'OMG^O19']

/**
 * Types that are accepted and kept although nothing is done with them yet. Everything else is refused, because an `AA`
 * would tell the sender that something was done: among others ADT events that move visits or accounts, and queries.
 */
export const KEPT_MESSAGES: { readonly [type: string]: string } = {
  ORU: 'results of other events than are filed',
  MDM: 'documents of other events than are filed',
  SIU: 'appointments',
  DFT: 'charges',
  BAR: 'accounts',
  REF: 'referrals',
  RDE: 'pharmacy orders',
  VXU: 'vaccinations',
  PPR: 'problems',
  OML: 'laboratory orders',
  ORR: 'answers to orders',
  ORG: 'answers to orders',
  ORI: 'answers to orders',
  'ADT^A09': 'patient departing',
  'ADT^A14': 'pending admit',
  'ADT^A15': 'pending transfer',
  'ADT^A16': 'pending discharge',
  'ADT^A20': 'bed status',
  'ADT^A21': 'leave of absence',
  'ADT^A22': 'return from leave',
  'ADT^A25': 'cancel pending discharge',
  'ADT^A26': 'cancel pending transfer',
  'ADT^A27': 'cancel pending admit',
  'ADT^A29': 'delete person: images are never deleted by a message',
  'ADT^A32': 'cancel arriving',
  'ADT^A33': 'cancel departing',
  'ADT^A54': 'change attending doctor',
  'ADT^A60': 'allergies',
}

/**
 * What is done with a message of this type and event.
 * @param site `hl7.messages`: the event's own row, else its type's, else `*`
 * @throws Hl7Error AR 200 for a type, AR 201 for an event that is refused
 */
export function actionOf(
  type: string,
  event: string,
  site: { readonly [name: string]: 'act' | 'keep' | 'refuse' },
): MessageAction {
  if (type === 'ACK' || type === 'MCF') return { is: 'acknowledgement' }
  const name = event === '' ? type : `${type}^${event}`
  const own = (key: string) => (Object.hasOwn(site, key) ? site[key] : undefined)
  const said = own(name) ?? own(type) ?? own('*')
  const acts = actsOn(type, event)
  if (said === 'keep') return { is: 'keep' }
  if (said !== 'refuse') {
    if (acts !== null) return acts
    if (Object.hasOwn(KEPT_MESSAGES, name) || Object.hasOwn(KEPT_MESSAGES, type)) return { is: 'keep' }
  }
  const knownType = type === 'ADT' || ORDER_MESSAGES.some((order) => order.startsWith(`${type}^`))
  if (knownType) {
    throw new Hl7Error('AR', 201, 'this event is not supported', {
      segment: 'MSH',
      sequence: 1,
      field: 9,
      repetition: 1,
      component: 2,
    })
  }
  throw new Hl7Error('AR', 200, 'this message type is not supported', {
    segment: 'MSH',
    sequence: 1,
    field: 9,
    repetition: 1,
    component: 1,
  })
}

/**
 * Why `act` could never take effect for a name of `hl7.messages`: nothing is known to be done with such a message.
 * @returns undefined when it acts, or some event of its type does
 */
export function cannotAct(name: string): string | undefined {
  const [type = '', event] = name.split('^')
  if (name === '*') return undefined
  const events = [...Object.keys(ADT_EVENTS), ...ORDER_MESSAGES.map((order) => order.split('^')[1] ?? ''), '']
  const acts = event === undefined ? events.some((each) => actsOn(type, each) !== null) : actsOn(type, event) !== null
  return acts ? undefined : 'cannot be act: nothing is known that such a message would do; it may be keep or refuse'
}

function actsOn(type: string, event: string): MessageAction | null {
  if (type === 'ADT') {
    const row = Object.hasOwn(ADT_EVENTS, event) ? ADT_EVENTS[event] : undefined
    return row === undefined ? null : { is: 'adt', action: row.action }
  }
  if (type === 'ORU') return event === '' || RESULT_EVENTS.includes(event) ? { is: 'results' } : null
  if (type === 'MDM') return MDM_EVENTS.some((row) => row.event === event) ? { is: 'document' } : null
  return ORDER_MESSAGES.includes(`${type}^${event}`) ? { is: 'order' } : null
}
