import { createHash, hash, subtle } from 'node:crypto'
import { ArchiveError } from '#errors.ts'
import type { StoredInstance } from '#model/archive-object.ts'
import { PREAMBLE_BYTES, readPreamble } from '#standards/dicom/preamble.ts'
import type { RangedReads } from './send.ts'

/** Something stored that is not what was kept: for the alarm, never for the caller. */
export interface Damage {
  readonly objectId: string
  readonly segment: string
  readonly offset: number
  readonly expectedSha256: string
  readonly foundSha256: string
}

/** Up to this length, in bytes, a file is verified before its first byte leaves. */
const VERIFIED_FIRST_MAX = 4 * 1024 * 1024

/**
 * Up to this length, in bytes, the digest is made on this thread, in at most 0.7 ms: the thread pool is given a copy in fresh
 * memory, which costs half as much as the digest itself.
 */
const HASHED_HERE_MAX = 1024 * 1024

async function hashElsewhere(bytes: Uint8Array): Promise<string> {
  return Buffer.from(await subtle.digest('SHA-256', bytes as Uint8Array<ArrayBuffer>)).toString('hex')
}

/**
 * Reads stored Part 10 files whole, each verified against its digest in passing (threats.md K12): a small file before
 * its first byte is given, a larger one before its last piece is. What does not verify is reported and never given
 * whole.
 */
export class StoredFiles {
  readonly #reads: RangedReads
  readonly #report: (damage: Damage) => void

  constructor(reads: RangedReads, report: (damage: Damage) => void) {
    this.#reads = reads
    this.#report = report
  }

  /** @throws ArchiveError 'storage.damaged' */
  async *pieces(instance: StoredInstance): AsyncGenerator<Uint8Array, void, void> {
    if (instance.location.length <= VERIFIED_FIRST_MAX) yield cleared(await this.bytes(instance), instance)
    else yield* this.#large(instance)
  }

  /** A whole file in memory, verified. The caller bounds its length. */
  async bytes(instance: StoredInstance): Promise<Uint8Array> {
    const { location } = instance
    const bytes = await this.#reads.read(location, 0, location.length)
    this.#check(instance, bytes.byteLength <= HASHED_HERE_MAX ? hash('sha256', bytes) : await hashElsewhere(bytes))
    return bytes
  }

  /**
   * Verifies a file of any length without giving it.
   * @throws ArchiveError 'storage.damaged'
   */
  async verify(instance: StoredInstance): Promise<void> {
    const hash = createHash('sha256')
    for await (const piece of this.#reads.pieces(instance.location, 0, instance.location.length)) hash.update(piece)
    this.#check(instance, hash.digest('hex'))
  }

  async *#large(instance: StoredInstance): AsyncGenerator<Uint8Array, void, void> {
    const hash = createHash('sha256')
    let held: Uint8Array | undefined
    let isFirst = true
    for await (const piece of this.#reads.pieces(instance.location, 0, instance.location.length)) {
      hash.update(piece)
      if (held !== undefined) {
        yield isFirst ? cleared(held, instance) : held
        isFirst = false
      }
      held = piece
    }
    this.#check(instance, hash.digest('hex'))
    if (held !== undefined) yield isFirst ? cleared(held, instance) : held
  }

  #check(instance: StoredInstance, found: string): void {
    const expected = instance.digests.kept
    if (found === expected) return
    const { segment, offset } = instance.location
    this.#report({ objectId: instance.objectId, segment, offset, expectedSha256: expected, foundSha256: found })
    throw new ArchiveError('storage.damaged', `the stored bytes of ${instance.sopInstanceUID} are not what was kept`, {
      hint: 'Run `diptych verify`; restore the object from a backup or ask its sender again.',
    })
  }
}

/**
 * What leaves is checked again (threats.md section 1, "Egress"): a preamble is zero, or the TIFF that screening passed
 * in these very bytes, with its directory inside the file. Anything else is zeroed.
 */
function cleared(first: Uint8Array, instance: StoredInstance): Uint8Array {
  if (first.byteLength < PREAMBLE_BYTES) return first
  const preamble = readPreamble(first.subarray(0, PREAMBLE_BYTES))
  if (preamble.kind === 'zero') return first
  if (preamble.kind === 'tiff' && preamble.firstIfdOffset < instance.location.length) return first
  const copy = Uint8Array.from(first)
  copy.fill(0, 0, PREAMBLE_BYTES)
  return copy
}
