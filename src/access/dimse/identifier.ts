import { memorySource } from '#standards/byte-source.ts'
import { type DataSet, readDataSet, string } from '#standards/dicom/data-set.ts'
import { inflateDataSet } from '#standards/dicom/deflate.ts'
import { encodingOf } from '#standards/dicom/encoding.ts'
import { DEFAULT_LIMITS } from '#standards/dicom/limits.ts'
import { transferSyntax } from '#standards/dicom/transfer-syntax.ts'
import type { IncomingMessage } from '#standards/dimse/association.ts'
import type { QueryLevel, QueryModel } from './query-models.ts'
import { DimseRefusal, STATUS } from './refusal.ts'

/** Query/Retrieve Level (0008,0052). */
export const QUERY_LEVEL = 0x00080052

/** Limits of what a query or a normalised operation may carry. */
const LIMITS = { ...DEFAULT_LIMITS, depth: 16, elements: 100_000, itemsPerSequence: 100_000, timeMs: 5_000 }

/** Bytes of a data set that must be small. The rest of one that is not is skipped. */
async function collected(message: IncomingMessage, bytesMax: number): Promise<Uint8Array | undefined> {
  if (message.dataSet === null) return new Uint8Array(0)
  const pieces: Uint8Array[] = []
  let length = 0
  for await (const piece of message.dataSet) {
    length += piece.byteLength
    if (length > bytesMax) continue
    pieces.push(piece)
  }
  if (length > bytesMax) return undefined
  const [only] = pieces
  // Copied: what comes off the wire is a view of a buffer that is used again.
  return pieces.length === 1 && only !== undefined ? Uint8Array.from(only) : Buffer.concat(pieces)
}

/**
 * Reads the data set of a message into memory.
 * @param tooLong status for one of more than `bytesMax` bytes
 * @throws DimseRefusal; DicomError for what is no data set
 */
export async function readMessage(
  message: IncomingMessage,
  bytesMax: number,
  tooLong: number = STATUS.outOfResources,
): Promise<DataSet> {
  const bytes = await collected(message, bytesMax)
  if (bytes === undefined) throw new DimseRefusal(tooLong, `a data set of more than ${bytesMax} bytes`)
  return parseMessage(bytes, message.context.transferSyntax)
}

/** @throws DicomError for what is no data set in this transfer syntax */
export function parseMessage(bytes: Uint8Array, transferSyntaxUID: string): DataSet {
  const syntax = transferSyntax(transferSyntaxUID)
  if (syntax === undefined) throw new RangeError(`nobody negotiated ${transferSyntaxUID}`)
  const source = memorySource(bytes)
  const dataSet = syntax.deflated ? inflateDataSet(source, 0, source.size, LIMITS).source : source
  return readDataSet(dataSet, encodingOf(syntax), 0, dataSet.size, LIMITS)
}

/** Transfer syntaxes of identifiers, the one we like best first. */
const IDENTIFIER_SYNTAXES: ReadonlySet<string> = new Set([
  '1.2.840.10008.1.2.1',
  '1.2.840.10008.1.2',
  '1.2.840.10008.1.2.2',
])

/** Any uncompressed transfer syntax, by the proposer's order. */
export function identifierSyntax(proposed: readonly string[]): string | undefined {
  return proposed.find((uid) => IDENTIFIER_SYNTAXES.has(uid))
}

/** @throws DimseRefusal when it names no level of the model */
export function levelOf(dataSet: DataSet, model: QueryModel): QueryLevel {
  const named = string(dataSet, QUERY_LEVEL)
  const level = model.levels.find((each) => each === named)
  if (level !== undefined) return level
  throw new DimseRefusal(STATUS.identifierMismatch, `Query/Retrieve Level is ${model.levels.join(', ')}`, [QUERY_LEVEL])
}
