/** Statuses of DIMSE responses: class and meaning. PS3.7 annex C, PS3.4 sections B.2.3, C.4, F.7, J.3, K.4. */

export type StatusClass = 'success' | 'pending' | 'cancel' | 'warning' | 'failure'

/** The services whose statuses have meanings of their own. */
export type StatusService = 'general' | 'store' | 'find' | 'move' | 'get' | 'worklist' | 'mpps'

export const STATUS = {
  success: 0x0000,
  cancel: 0xfe00,
  pending: 0xff00,
  /** One or more optional keys are not supported. */
  pendingOptionalKeys: 0xff01,
  attributeListError: 0x0107,
  attributeValueOutOfRange: 0x0116,
  noSuchAttribute: 0x0105,
  invalidAttributeValue: 0x0106,
  processingFailure: 0x0110,
  duplicateSopInstance: 0x0111,
  noSuchSopInstance: 0x0112,
  noSuchEventType: 0x0113,
  noSuchArgument: 0x0114,
  invalidArgumentValue: 0x0115,
  invalidSopInstance: 0x0117,
  noSuchSopClass: 0x0118,
  classInstanceConflict: 0x0119,
  missingAttribute: 0x0120,
  missingAttributeValue: 0x0121,
  sopClassNotSupported: 0x0122,
  noSuchActionType: 0x0123,
  notAuthorized: 0x0124,
  duplicateInvocation: 0x0210,
  unrecognizedOperation: 0x0211,
  mistypedArgument: 0x0212,
  resourceLimitation: 0x0213,
  outOfResources: 0xa700,
  cannotCountMatches: 0xa701,
  cannotPerformSubOperations: 0xa702,
  invalidPriorRecordKey: 0xa710,
  moveDestinationUnknown: 0xa801,
  doesNotMatchSopClass: 0xa900,
  cannotUnderstand: 0xc000,
  coercionOfElements: 0xb000,
  subOperationsWithFailures: 0xb000,
  matchingRejected: 0xb001,
  elementsDiscarded: 0xb006,
  doesNotMatchSopClassWarning: 0xb007,
  optionalAttributesUnsupported: 0x0001,
} as const

const GENERAL: { readonly [status: number]: readonly [StatusClass, string] } = {
  0: ['success', 'Success'],
  261: ['failure', 'No such attribute'],
  262: ['failure', 'Invalid attribute value'],
  263: ['warning', 'Attribute list error'],
  272: ['failure', 'Processing failure'],
  273: ['failure', 'Duplicate SOP instance'],
  274: ['failure', 'No such SOP instance'],
  275: ['failure', 'No such event type'],
  276: ['failure', 'No such argument'],
  277: ['failure', 'Invalid argument value'],
  278: ['warning', 'Attribute value out of range'],
  279: ['failure', 'Invalid SOP instance'],
  280: ['failure', 'No such SOP class'],
  281: ['failure', 'Class-instance conflict'],
  288: ['failure', 'Missing attribute'],
  289: ['failure', 'Missing attribute value'],
  290: ['failure', 'SOP class not supported'],
  291: ['failure', 'No such action type'],
  292: ['failure', 'Not authorised'],
  528: ['failure', 'Duplicate invocation'],
  529: ['failure', 'Unrecognized operation'],
  530: ['failure', 'Mistyped argument'],
  531: ['failure', 'Resource limitation'],
  65024: ['cancel', 'Cancelled'],
  65280: ['pending', 'Pending'],
}

const QUERY: { readonly [status: number]: readonly [StatusClass, string] } = {
  65280: ['pending', 'Matches are continuing'],
  65281: ['pending', 'Matches are continuing, an optional key is not supported'],
  42752: ['failure', 'Out of resources'],
  43264: ['failure', 'Identifier does not match SOP class'],
}

const RETRIEVE: { readonly [status: number]: readonly [StatusClass, string] } = {
  65280: ['pending', 'Sub-operations are continuing'],
  42753: ['failure', 'Out of resources: unable to count matches'],
  42754: ['failure', 'Out of resources: unable to perform sub-operations'],
  43264: ['failure', 'Identifier does not match SOP class'],
  43520: ['failure', 'None of the frames requested were found in the SOP instance'],
  43521: ['failure', 'Unable to create new object for this SOP class'],
  43522: ['failure', 'Unable to extract frames'],
  43523: ['failure', 'Time-based request received for a non-time-based SOP instance'],
  43524: ['failure', 'Invalid request'],
  45056: ['warning', 'Sub-operations complete, one or more failures or warnings'],
}

const OWN: { readonly [service in StatusService]: { readonly [status: number]: readonly [StatusClass, string] } } = {
  general: {},
  store: {
    45056: ['warning', 'Coercion of data elements'],
    45062: ['warning', 'Elements discarded'],
    45063: ['warning', 'Data set does not match SOP class'],
  },
  find: {
    ...QUERY,
    42768: ['failure', 'Invalid prior record key'],
    45057: ['warning', 'Matching reached the response limit'],
  },
  worklist: QUERY,
  move: { ...RETRIEVE, 43009: ['failure', 'Move destination unknown'] },
  get: RETRIEVE,
  mpps: {
    1: ['warning', 'Requested optional attributes are not supported'],
    272: ['failure', 'Performed procedure step object may no longer be updated'],
  },
}

/** Ranges that a service keeps for several reasons under one meaning; first match. */
const RANGES: readonly (readonly [from: number, to: number, services: readonly StatusService[], meaning: string])[] = [
  [0xa700, 0xa7ff, ['store'], 'Out of resources'],
  [0xa900, 0xa9ff, ['store'], 'Data set does not match SOP class'],
  [0xc000, 0xcfff, ['store'], 'Cannot understand'],
  [0xc000, 0xcfff, ['find', 'worklist', 'move', 'get'], 'Unable to process'],
]

/** True when another response to the same request follows. */
export function isPending(status: number): boolean {
  return status === STATUS.pending || status === STATUS.pendingOptionalKeys
}

/** The class of a status, by its value alone where no service gives it a meaning. PS3.7 section C.1 to C.5. */
export function statusClass(status: number): StatusClass {
  const known = GENERAL[status]?.[0]
  if (known !== undefined) return known
  if (status === 0x0001 || (status >= 0xb000 && status <= 0xbfff)) return 'warning'
  if (isPending(status)) return 'pending'
  return 'failure'
}

/** What a status means in a service, for people; four hexadecimal digits when nobody defined it. */
export function statusName(status: number, service: StatusService = 'general'): string {
  const own = OWN[service][status] ?? GENERAL[status]
  if (own !== undefined) return own[1]
  const range = RANGES.find(([from, to, services]) => status >= from && status <= to && services.includes(service))
  return range?.[3] ?? `status ${status.toString(16).toUpperCase().padStart(4, '0')}`
}
