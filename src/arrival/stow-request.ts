import { ArchiveError } from '#errors.ts'
import type { Arrival, ArrivedBytes, Provenance } from '#model/arrival.ts'
import type { Intake } from '#model/intake.ts'
import { MultipartError } from '#standards/dicomweb/multipart.ts'
import { withDigests } from '#storage/arrival-digests.ts'
import { arrivalMemory } from '#storage/arrival-memory.ts'
import { ArrivalBuffer, type SpoolOptions } from '#storage/spool.ts'
import { failedOutcome, type Outcome } from './stow-answer.ts'
import type { Flight } from './stow-flight.ts'

/** What the door needs. */
export interface StowServices {
  readonly intake: Intake
  /** Where parts above 4 MiB wait. */
  readonly spoolDirectory: string
  /** Largest instance taken, bytes left free on the volume. */
  readonly spool?: Pick<SpoolOptions, 'bytesMax' | 'reserveBytes' | 'limits'>
  /** Told of failures that nobody planned; the sender only hears "processing failure". */
  readonly report: (error: unknown) => void
}

/** One request while it is taken in. */
export interface StowRequest {
  readonly services: StowServices
  readonly provenance: Provenance
  /** The study of the path. */
  readonly study: string | undefined
  readonly flight: Flight<Outcome>
}

export function newBuffer({ services }: StowRequest): ArrivalBuffer {
  return new ArrivalBuffer(services.spoolDirectory, services.spool)
}

/** Hands a whole part to the walk, in memory that is used again once it is answered. */
export async function handOverPart(request: StowRequest, part: number, buffer: ArrivalBuffer): Promise<void> {
  const bytes = await buffer.finish((length) => arrivalMemory.take(length))
  await handOver(request, part, withDigests(bytes, false))
}

/**
 * Hands whole bytes to the walk, which are its own from here on. Its answer is true for this part and says nothing of
 * the others.
 */
export async function handOver(request: StowRequest, part: number, bytes: ArrivedBytes): Promise<void> {
  const { services, provenance, study } = request
  const arrival: Arrival = {
    provenance,
    claims: { mediaType: 'application/dicom', ...(study === undefined ? {} : { studyInstanceUID: study }) },
    bytes,
  }
  const size = bytes.in === 'memory' ? bytes.bytes.byteLength : bytes.head.byteLength
  await request.flight.start(size, async () => {
    try {
      return { is: 'received', part, receipt: await services.intake.receive(arrival) }
    } catch (error) {
      if (!(error instanceof ArchiveError)) services.report(error)
      return failedOutcome(part, error)
    } finally {
      if (bytes.in === 'memory') arrivalMemory.give(bytes.bytes)
    }
  })
}

/** Why the taking in ended early. Nothing of an unfinished part is stored (threats.md R19). */
export function told(request: StowRequest, part: number, error: unknown): Outcome {
  if (error instanceof MultipartError) {
    const code = error.kind === 'limit' ? 'request.too-large' : 'request.malformed'
    return { is: 'failed', part, code, detail: error.message }
  }
  if (isGone(error)) return { is: 'failed', part, code: 'request.malformed', detail: 'the sender went away' }
  if (!(error instanceof ArchiveError)) request.services.report(error)
  return failedOutcome(part, error)
}

/** A connection that ended in the middle is the sender's affair. */
export function isGone(error: unknown): boolean {
  const code = error instanceof Error && 'code' in error ? error.code : undefined
  return code === 'ECONNRESET' || code === 'ABORT_ERR' || code === 'ERR_STREAM_PREMATURE_CLOSE'
}
