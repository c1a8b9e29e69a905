import { type DataSet, number, sequence, string } from '#standards/dicom/data-set.ts'
import { encodingOf } from '#standards/dicom/encoding.ts'
import { joinPieces } from '#standards/dicom/pieces.ts'
import { transferSyntax } from '#standards/dicom/transfer-syntax.ts'
import { encodeDataSet, type WriteDataSet, type WriteValue } from '#standards/dicom/write.ts'
import { DimseRefusal, STATUS } from './refusal.ts'

/** Storage Commitment Push Model and its well-known instance. PS3.4 section J.3.5. */
export const COMMITMENT_CLASS = '1.2.840.10008.1.20.1'
export const COMMITMENT_INSTANCE = '1.2.840.10008.1.20.1.1'
/** Request Storage Commitment. PS3.4 section J.3.2.1.1. */
export const ACTION_REQUEST = 1
export const EVENT = { allCommitted: 1, failuresExist: 2 } as const

const TRANSACTION_UID = 0x00081195
const REFERENCED_SOP_SEQUENCE = 0x00081199
const FAILED_SOP_SEQUENCE = 0x00081198
const SOP_CLASS = 0x00081150
const SOP_INSTANCE = 0x00081155
const FAILURE_REASON = 0x00081197
const RETRIEVE_AE_TITLE = 0x00080054

export interface Reference {
  readonly sopClassUID: string
  readonly sopInstanceUID: string
}

export interface FailedReference extends Reference {
  /** Failure Reason (0008,1197). PS3.3 section C.14.1.1. */
  readonly reason: number
}

export interface CommitmentRequest {
  readonly transactionUID: string
  readonly references: readonly Reference[]
}

export interface CommitmentReport {
  readonly transactionUID: string
  readonly committed: readonly Reference[]
  readonly failed: readonly FailedReference[]
}

const UID = /^[0-9.]{1,64}$/

function referencesOf(dataSet: DataSet, tag: number): (Reference & { readonly item: DataSet })[] {
  return sequence(dataSet, tag).map((item) => ({
    sopClassUID: string(item, SOP_CLASS) ?? '',
    sopInstanceUID: string(item, SOP_INSTANCE) ?? '',
    item,
  }))
}

function transactionOf(dataSet: DataSet): string {
  const transactionUID = string(dataSet, TRANSACTION_UID) ?? ''
  if (UID.test(transactionUID)) return transactionUID
  throw new DimseRefusal(0x0115, 'Transaction UID is missing or no UID', [TRANSACTION_UID])
}

/** @throws DimseRefusal for a request without transaction or references. PS3.4 table J.3-1 */
export function readCommitmentRequest(dataSet: DataSet): CommitmentRequest {
  const transactionUID = transactionOf(dataSet)
  const references = referencesOf(dataSet, REFERENCED_SOP_SEQUENCE).map(({ sopClassUID, sopInstanceUID }) => ({
    sopClassUID,
    sopInstanceUID,
  }))
  if (references.length === 0 || references.some(({ sopInstanceUID }) => !UID.test(sopInstanceUID))) {
    throw new DimseRefusal(0x0115, 'Referenced SOP Sequence names no instances', [REFERENCED_SOP_SEQUENCE])
  }
  return { transactionUID, references }
}

/** @throws DimseRefusal for a report without transaction. PS3.4 table J.3-2 */
export function readCommitmentReport(dataSet: DataSet): CommitmentReport {
  const plain = ({ sopClassUID, sopInstanceUID }: Reference): Reference => ({ sopClassUID, sopInstanceUID })
  return {
    transactionUID: transactionOf(dataSet),
    committed: referencesOf(dataSet, REFERENCED_SOP_SEQUENCE).map(plain),
    failed: referencesOf(dataSet, FAILED_SOP_SEQUENCE).map((reference) => ({
      ...plain(reference),
      reason: number(reference.item, FAILURE_REASON) ?? STATUS.processingFailure,
    })),
  }
}

function text(value: string): WriteValue {
  return { is: 'bytes', bytes: Buffer.from(value, 'latin1') }
}

function itemOf({ sopClassUID, sopInstanceUID }: Reference): WriteDataSet {
  return new Map([
    [SOP_CLASS, { tag: SOP_CLASS, vr: 'UI', value: text(sopClassUID) }],
    [SOP_INSTANCE, { tag: SOP_INSTANCE, vr: 'UI', value: text(sopInstanceUID) }],
  ])
}

function failedItemOf(reference: FailedReference): WriteDataSet {
  const item = itemOf(reference)
  const bytes = Uint8Array.of(reference.reason & 0xff, reference.reason >>> 8)
  return item.set(FAILURE_REASON, { tag: FAILURE_REASON, vr: 'US', value: { is: 'bytes', bytes } })
}

function encode(dataSet: WriteDataSet, transferSyntaxUID: string): Uint8Array {
  const syntax = transferSyntax(transferSyntaxUID)
  if (syntax === undefined) throw new RangeError(`nobody negotiated ${transferSyntaxUID}`)
  return joinPieces(encodeDataSet(dataSet, encodingOf(syntax)))
}

function start(transactionUID: string): WriteDataSet {
  return new Map([[TRANSACTION_UID, { tag: TRANSACTION_UID, vr: 'UI', value: text(transactionUID) }]])
}

function putItems(dataSet: WriteDataSet, tag: number, items: WriteDataSet[]): void {
  if (items.length > 0) dataSet.set(tag, { tag, vr: 'SQ', value: { is: 'items', items } })
}

/** The Action Information of a request. */
export function encodeCommitmentRequest(request: CommitmentRequest, transferSyntaxUID: string): Uint8Array {
  const dataSet = start(request.transactionUID)
  putItems(dataSet, REFERENCED_SOP_SEQUENCE, request.references.map(itemOf))
  return encode(dataSet, transferSyntaxUID)
}

/** The Event Information of a report. */
export function encodeCommitmentReport(
  report: CommitmentReport,
  retrieveAeTitle: string,
  transferSyntaxUID: string,
): Uint8Array {
  const dataSet = start(report.transactionUID)
  if (report.committed.length > 0) {
    dataSet.set(RETRIEVE_AE_TITLE, { tag: RETRIEVE_AE_TITLE, vr: 'AE', value: text(retrieveAeTitle) })
  }
  putItems(dataSet, REFERENCED_SOP_SEQUENCE, report.committed.map(itemOf))
  putItems(dataSet, FAILED_SOP_SEQUENCE, report.failed.map(failedItemOf))
  return encode(dataSet, transferSyntaxUID)
}
