import { ArchiveError, type ErrorCode, failures } from '#errors.ts'
import type { Receipt } from '#model/arrival.ts'

/** Statuses of C-STORE. PS3.4 table B.2-1, PS3.7 annex C. */
export const STORE_STATUS = {
  success: 0x0000,
  processingFailure: 0x0110,
  invalidInstance: 0x0117,
  classNotSupported: 0x0122,
  notAuthorised: 0x0124,
  unrecognisedOperation: 0x0211,
  elementsDiscarded: 0xb006,
  /** Data set does not match SOP Class: what the command says contradicts it. */
  mismatch: 0xa900,
  cannotUnderstand: 0xc000,
} as const

/** Status and Error Comment of one C-STORE response. */
export interface StoreAnswer {
  readonly status: number
  readonly errorComment?: string
}

const SEVERITIES = ['reject', 'quarantine', 'alert', 'sanitise', 'warning', 'info']

/** What a C-STORE is answered: success only for what is flushed and committed. contract.md, DIMSE and HL7. */
export function storeAnswer(receipt: Receipt): StoreAnswer {
  if (receipt.stored) {
    if (!receipt.elementsDiscarded) return { status: STORE_STATUS.success }
    return { status: STORE_STATUS.elementsDiscarded, errorComment: 'private or unsafe elements were discarded' }
  }
  const [worst] = receipt.findings.toSorted((a, b) => SEVERITIES.indexOf(a.severity) - SEVERITIES.indexOf(b.severity))
  const code = codeOf(receipt)
  const rule = worst?.rule ?? code
  // Without File Meta only the command can name another class or instance than the data set does.
  const contradicts = rule === 'M5' && code === 'screening.held'
  const status = contradicts ? STORE_STATUS.mismatch : failures[code].dimse
  if (receipt.quarantineId !== null)
    return { status, errorComment: comment(`quarantine ${receipt.quarantineId}: ${rule}`) }
  return { status, errorComment: comment(`${receipt.verdict === 'reject' ? 'refused' : 'not stored'}: ${rule}`) }
}

function codeOf({ failure, verdict }: Receipt): ErrorCode {
  if (failure !== null) return failure
  if (verdict === 'quarantine') return 'screening.held'
  if (verdict === 'reject') return 'screening.rejected'
  return verdict === 'skip' ? 'dicom.malformed' : 'archive.failed'
}

/** What a fault is told as: a failure by its code; what nobody planned as a processing failure. */
export function faultAnswer(error: unknown): StoreAnswer {
  if (!(error instanceof ArchiveError)) {
    return { status: STORE_STATUS.processingFailure, errorComment: 'processing failed' }
  }
  return { status: failures[error.code].dimse, errorComment: comment(error.code) }
}

/** Error Comment is LO: 64 characters, no backslash, no control characters. PS3.7 section C.4. */
export function comment(text: string): string {
  return text.replace(/[^\x20-\x7e]|\\/g, '?').slice(0, 64)
}
