import { ArchiveError } from '#errors.ts'
import type { Location, ObjectRecord } from '#model/archive-object.ts'
import type { DocumentRecord } from '#model/document.ts'

/** What stands beside whatever is kept: of an instance, or of a document. */
export type KeptRecord = ObjectRecord | DocumentRecord

export function isDocumentRecord(record: KeptRecord): record is DocumentRecord {
  return 'record' in record && record.record === 'document'
}

/**
 * Reads the record beside an object.
 * @throws ArchiveError 'storage.damaged' when it is gone or not a record, 'archive.newer' when of a later format
 */
export function parseRecord(bytes: Uint8Array | undefined, at: Location): KeptRecord {
  const where = `record at ${at.segment}:${at.offset}`
  if (bytes === undefined) throw new ArchiveError('storage.damaged', `${where} is gone`)
  let record: unknown
  try {
    record = JSON.parse(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8'))
  } catch (error) {
    throw new ArchiveError('storage.damaged', `${where} is not JSON`, { cause: error })
  }
  if (typeof record !== 'object' || record === null || !('format' in record)) {
    throw new ArchiveError('storage.damaged', `${where} is not a record`)
  }
  if (record.format !== 1) throw new ArchiveError('archive.newer', `${where} is of format ${String(record.format)}`)
  if (isRecord(record) || isRecordOfDocument(record)) return record
  throw new ArchiveError('storage.damaged', `${where} lacks what a record has`)
}

function isRecord(value: object): value is ObjectRecord {
  const record: Partial<Record<keyof ObjectRecord, unknown>> = value
  return (
    typeof record.objectId === 'string' &&
    typeof record.version === 'number' &&
    typeof record.sopInstanceUID === 'string' &&
    typeof record.dataSetOffset === 'number' &&
    typeof record.digests === 'object' &&
    typeof record.patient === 'object' &&
    typeof record.arrival === 'object'
  )
}

function isRecordOfDocument(value: object): value is DocumentRecord {
  const record: Partial<Record<keyof DocumentRecord, unknown>> = value
  return (
    record.record === 'document' &&
    typeof record.objectId === 'string' &&
    typeof record.uniqueId === 'string' &&
    typeof record.entryUuid === 'string' &&
    typeof record.sha256 === 'string' &&
    typeof record.metadata === 'object' &&
    typeof record.arrival === 'object'
  )
}
