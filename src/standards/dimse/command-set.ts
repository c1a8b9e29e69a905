/** Command sets: group 0000 in implicit VR little endian. PS3.7 section 6.3 and annex E. */

export const COMMAND = {
  C_STORE_RQ: 0x0001,
  C_STORE_RSP: 0x8001,
  C_GET_RQ: 0x0010,
  C_GET_RSP: 0x8010,
  C_FIND_RQ: 0x0020,
  C_FIND_RSP: 0x8020,
  C_MOVE_RQ: 0x0021,
  C_MOVE_RSP: 0x8021,
  C_ECHO_RQ: 0x0030,
  C_ECHO_RSP: 0x8030,
  N_EVENT_REPORT_RQ: 0x0100,
  N_EVENT_REPORT_RSP: 0x8100,
  N_GET_RQ: 0x0110,
  N_GET_RSP: 0x8110,
  N_SET_RQ: 0x0120,
  N_SET_RSP: 0x8120,
  N_ACTION_RQ: 0x0130,
  N_ACTION_RSP: 0x8130,
  N_CREATE_RQ: 0x0140,
  N_CREATE_RSP: 0x8140,
  N_DELETE_RQ: 0x0150,
  N_DELETE_RSP: 0x8150,
  C_CANCEL_RQ: 0x0fff,
} as const

/** The fields of a command that anybody uses, by their keyword in PS3.6; absent ones are not sent. */
export interface CommandSet {
  /** Command Field (0000,0100). */
  readonly commandField: number
  readonly affectedSOPClassUID?: string
  readonly requestedSOPClassUID?: string
  /** Message ID (0000,0110): of a request. */
  readonly messageId?: number
  /** Message ID Being Responded To (0000,0120). */
  readonly messageIdBeingRespondedTo?: number
  readonly moveDestination?: string
  readonly priority?: number
  readonly status?: number
  readonly offendingElements?: readonly number[]
  /** At most 64 characters; longer ones are cut when written. */
  readonly errorComment?: string
  readonly errorId?: number
  readonly affectedSOPInstanceUID?: string
  readonly requestedSOPInstanceUID?: string
  readonly eventTypeId?: number
  readonly attributeIdentifierList?: readonly number[]
  readonly actionTypeId?: number
  readonly remainingSubOperations?: number
  readonly completedSubOperations?: number
  readonly failedSubOperations?: number
  readonly warningSubOperations?: number
  readonly moveOriginatorAeTitle?: string
  readonly moveOriginatorMessageId?: number
  /** True when a data set follows: Command Data Set Type (0000,0800) other than 0101H. Set by `send` when it writes. */
  readonly hasDataSet?: boolean
}
