/** A member of a submission, and what is told of it: record of its arrival, receipt, held row. */
import { createHash, hash, randomUUID } from 'node:crypto'
import { ArchiveError } from '#errors.ts'
import type { ArrivalRecord, Receipt } from '#model/arrival.ts'
import type { DocumentOwner } from '#model/document.ts'
import type { SubmittedDocument } from '#model/document-desk.ts'
import type { HeldRow } from '#model/quarantine.ts'
import type { Screened } from '#screening/screened.ts'
import type { ByteSource } from '#standards/byte-source.ts'

export interface Member {
  readonly submitted: SubmittedDocument
  readonly source: ByteSource & { close(): void }
  readonly screened: Screened
  readonly sha256: string
  readonly sha1: string
  readonly arrivalId: string
}

export const NOT_ALONE = 'refused together with the rest of its submission'

export function arrivalOf(
  member: Member,
  objectId: string | null,
  quarantineId: string | null,
  reason: string | null,
): ArrivalRecord {
  const { provenance } = member.submitted.arrival
  const { path, time, door, peer, originator, user, address, medium } = provenance
  return {
    ...{ id: member.arrivalId, sha256: member.sha256, size: member.source.size },
    ...{ door, peer, originator, user, address, medium, path, time },
    verdict: reason === NOT_ALONE ? 'reject' : member.screened.verdict,
    reason: reason ?? member.screened.reason,
    findings: member.screened.findings,
    scan: member.screened.scan,
    sopInstanceUid: null,
    objectId,
    quarantineId,
  }
}

export function receiptOf(
  member: Member,
  arrival: ArrivalRecord,
  stored: boolean,
  duplicate: boolean,
  failure: Receipt['failure'] = arrival.quarantineId !== null ? 'screening.held' : stored ? null : 'screening.rejected',
): Receipt {
  return {
    ...{ arrivalId: member.arrivalId, sha256: member.sha256, size: member.source.size },
    ...{
      verdict: arrival.verdict,
      stored,
      duplicate,
      reason: arrival.reason,
      findings: arrival.findings,
      scan: arrival.scan,
    },
    ...{ sopClassUID: null, sopInstanceUID: null, seriesInstanceUID: null, studyInstanceUID: null },
    ...{ objectId: arrival.objectId, quarantineId: arrival.quarantineId, failure, elementsDiscarded: false },
  }
}

export function heldRow(member: Member): HeldRow {
  const { provenance } = member.submitted.arrival
  return {
    id: randomUUID(),
    state: 'held',
    sha256: member.sha256,
    size: member.source.size,
    sopInstanceUid: null,
    arrivedAt: provenance.time,
    door: provenance.door,
    peer: provenance.peer,
    findings: member.screened.findings,
    preambleHex: member.screened.preambleHex,
    scan: member.screened.scan,
    patient: null,
    decision: null,
    provenance,
  }
}

const SHA1_CHUNK_BYTES = 1024 * 1024

/** SHA-1 (hex) of a document that is too large to be hashed at once. */
export async function sha1Of(source: ByteSource): Promise<string> {
  const sha1 = createHash('sha1')
  for (let at = 0; at < source.size; at += SHA1_CHUNK_BYTES) {
    sha1.update(source.read(at, Math.min(at + SHA1_CHUNK_BYTES, source.size)))
    // Other arrivals have their turn while a large one is hashed.
    await new Promise<void>((resolve) => setImmediate(resolve))
  }
  return sha1.digest('hex')
}

export function isClean({ verdict }: Screened): boolean {
  return verdict === 'accept'
}

/** The same bytes of the same owner are the same document, however often they come. */
export function derivedId(sha256: string, owner: DocumentOwner | null): string {
  const whose = owner === null ? '' : owner.by === 'study' ? owner.studyInstanceUID : `${owner.issuer}\u0000${owner.id}`
  const digest = hash('sha256', `${sha256}\u0000${whose}`, 'hex')
  return `urn:oid:2.25.${BigInt(`0x${digest.slice(0, 32)}`)}`
}

export function needed<T>(value: T | undefined): T {
  if (value === undefined) throw new ArchiveError('archive.failed', 'what was written cannot be found')
  return value
}
