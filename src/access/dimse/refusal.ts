import { ArchiveError, failures } from '#errors.ts'
import { DicomError } from '#standards/dicom/errors.ts'

/** Statuses of the query, retrieve and commitment services. PS3.4 C.4, PS3.7 annex C. */
export const STATUS = {
  success: 0x0000,
  pending: 0xff00,
  /** Pending; some optional keys were not supported. */
  pendingKeysUnsupported: 0xff01,
  cancelled: 0xfe00,
  processingFailure: 0x0110,
  noSuchInstance: 0x0112,
  noSuchEventType: 0x0113,
  noSuchSopClass: 0x0118,
  classInstanceConflict: 0x0119,
  noSuchAction: 0x0123,
  notAuthorised: 0x0124,
  duplicateTransaction: 0x0131,
  unrecognisedOperation: 0x0211,
  resourceLimitation: 0x0213,
  outOfResources: 0xa700,
  cannotCount: 0xa701,
  cannotPerform: 0xa702,
  destinationUnknown: 0xa801,
  identifierMismatch: 0xa900,
  subOperationFailures: 0xb000,
  unableToProcess: 0xc001,
} as const

/** A request that is answered with a failure: status, a comment without patient data, the elements at fault. */
export class DimseRefusal extends Error {
  override readonly name = 'DimseRefusal'
  readonly status: number
  readonly offendingElements: readonly number[]

  constructor(status: number, comment: string, offendingElements: readonly number[] = []) {
    super(comment)
    this.status = status
    this.offendingElements = offendingElements
  }
}

/** How a failure is told in a response; undefined for one that nobody planned, which is the server's to report. */
export function refusalOf(error: unknown): DimseRefusal | undefined {
  if (error instanceof DimseRefusal) return error
  if (error instanceof DicomError) return new DimseRefusal(STATUS.identifierMismatch, `the identifier: ${error.code}`)
  if (error instanceof ArchiveError) return new DimseRefusal(failures[error.code].dimse, error.message)
  return undefined
}

/** Fields of a response that tell a refusal. Error Comment is LO: 64 characters. PS3.7 section C.4. */
export function refusalFields(refusal: DimseRefusal): {
  readonly status: number
  readonly errorComment: string
  readonly offendingElements?: readonly number[]
} {
  const { status, message, offendingElements } = refusal
  const errorComment = message.slice(0, 64)
  return offendingElements.length === 0 ? { status, errorComment } : { status, errorComment, offendingElements }
}
