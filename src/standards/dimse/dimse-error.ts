/** How an association, or an operation on it, fails. */
import type { AssociationEnd } from './association.ts'

export type DimseErrorKind = 'rejected' | 'aborted' | 'timeout' | 'lost' | 'released' | 'context'

/**
 * `rejected` the peer refused the association; `aborted` one side ended it at once; `timeout` nothing came, or nothing was
 * taken, for too long; `lost` the connection is gone; `released` it was over before; `context` no such presentation
 * context was accepted. `result`, `source` and `reason` are those of the PDU, where there was one (PS3.8 sections 9.3.4
 * and 9.3.8).
 */
export class DimseError extends Error {
  override readonly name = 'DimseError'
  readonly kind: DimseErrorKind
  readonly result: number | null
  readonly source: number | null
  readonly reason: number | null

  constructor(
    kind: DimseErrorKind,
    detail: string,
    pdu: { result?: number; source?: number; reason?: number } = {},
    options?: { cause?: unknown },
  ) {
    super(detail, options)
    this.kind = kind
    this.result = pdu.result ?? null
    this.source = pdu.source ?? null
    this.reason = pdu.reason ?? null
  }
}

/** Bytes of a peer that are no valid PDU or message. `reason` is what an A-ABORT of the provider says, PS3.8 table 9-26. */
export class ProtocolError extends Error {
  override readonly name = 'ProtocolError'
  readonly reason: number

  constructor(reason: number, detail: string) {
    super(detail)
    this.reason = reason
  }
}

/** Reasons of an A-ABORT by the service provider. PS3.8 table 9-26. */
export const ABORT_REASON = {
  notSpecified: 0,
  unrecognizedPdu: 1,
  unexpectedPdu: 2,
  unrecognizedParameter: 4,
  unexpectedParameter: 5,
  invalidParameter: 6,
} as const

const ABORT_REASON_WORDS: { readonly [reason: number]: string } = {
  0: 'no reason given',
  1: 'unrecognized PDU',
  2: 'unexpected PDU',
  4: 'unrecognized PDU parameter',
  5: 'unexpected PDU parameter',
  6: 'invalid PDU parameter value',
}

/** Source and reason of an A-ABORT in words. */
export function abortWords(source: number, reason: number): string {
  if (source === 0) return 'by the service user'
  return `by the service provider: ${ABORT_REASON_WORDS[reason] ?? `reason ${reason}`}`
}

const REJECT_RESULTS: { readonly [result: number]: string } = { 1: 'permanently', 2: 'for now' }
const REJECT_REASONS: { readonly [sourceAndReason: string]: string } = {
  '1.1': 'no reason given',
  '1.2': 'application context name not supported',
  '1.3': 'calling AE title not recognized',
  '1.7': 'called AE title not recognized',
  '2.1': 'no reason given',
  '2.2': 'protocol version not supported',
  '3.1': 'temporary congestion',
  '3.2': 'local limit exceeded',
}

/** An A-ASSOCIATE-RJ in words. PS3.8 table 9-21. */
export function rejectWords(result: number, source: number, reason: number): string {
  const why = REJECT_REASONS[`${source}.${reason}`] ?? `source ${source}, reason ${reason}`
  return `rejected ${REJECT_RESULTS[result] ?? `with result ${result}`}: ${why}`
}

/** What an operation fails with after its association ended so. */
export function errorOfEnd(end: AssociationEnd, timedOut: boolean): DimseError {
  if (end.how === 'released') return new DimseError('released', 'the association was released')
  if (end.how === 'lost') return new DimseError(timedOut ? 'timeout' : 'lost', end.detail)
  const { source, reason, detail } = end
  return new DimseError(timedOut ? 'timeout' : 'aborted', detail, { source, reason })
}
