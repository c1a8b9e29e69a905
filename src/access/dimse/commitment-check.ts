import { ArchiveError } from '#errors.ts'
import type { ArchiveReader } from '#model/archive-index.ts'
import { EVERYTHING } from '#model/visibility.ts'
import type { CommitmentReport, CommitmentRequest, FailedReference, Reference } from './commitment-message.ts'
import { STATUS } from './refusal.ts'
import type { InstanceData } from './retrieve-data.ts'

export interface CheckOptions {
  readonly reader: Pick<ArchiveReader, 'find'>
  readonly data: Pick<InstanceData, 'verify'>
}

/**
 * Reads every referenced instance back and compares it with the digest it was kept with. threats.md K11. What is held,
 * deleted or never came is 0112H; another class 0119H; bytes that changed 0110H. It is the sender who asks for what it
 * names by UID, so nothing is hidden from it.
 * @throws what `signal` is aborted with
 */
export async function checkCommitment(
  { reader, data }: CheckOptions,
  { transactionUID, references }: CommitmentRequest,
  signal: AbortSignal,
): Promise<CommitmentReport> {
  const committed: Reference[] = []
  const failed: FailedReference[] = []
  for (const reference of references) {
    signal.throwIfAborted()
    const reason = await reasonAgainst(reader, data, reference)
    if (reason === null) committed.push(reference)
    else failed.push({ ...reference, reason })
  }
  return { transactionUID, committed, failed }
}

async function reasonAgainst(
  reader: CheckOptions['reader'],
  data: CheckOptions['data'],
  { sopClassUID, sopInstanceUID }: Reference,
): Promise<number | null> {
  const found = await reader.find(sopInstanceUID, EVERYTHING)
  if (found === undefined || found.sopInstanceUID !== sopInstanceUID) return STATUS.noSuchInstance
  if (found.sopClassUID !== sopClassUID) return STATUS.classInstanceConflict
  try {
    await data.verify(found)
    return null
  } catch (error) {
    if (error instanceof ArchiveError && error.code === 'storage.damaged') return STATUS.processingFailure
    throw error
  }
}
