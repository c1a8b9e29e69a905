import { randomUUID } from 'node:crypto'
import { open, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { ZipArchive } from '#standards/media/zip.ts'
import { ZipError, type ZipLimits } from '#standards/media/zip-limits.ts'
import { isZipContainer } from './media-import-load.ts'

/** What proving a container needs. */
export interface Proof {
  readonly limits: ZipLimits
  /** Containers within containers; the one on the medium is the first. */
  readonly depthMax: number
  /** Where containers found inside are unpacked to, one file at a time for each depth. */
  readonly directory: string
  readonly signal: AbortSignal
}

/** Why a container is refused whole: the member that is at fault, told as its own import line would be. */
export class ContainerFault extends Error {
  override readonly name = 'ContainerFault'
  readonly rule: string
  /** In bytes from the start of the container the member stands in; null when no place is at fault. */
  readonly offset: number | null

  constructor(rule: string, message: string, offset: number | null) {
    super(message)
    this.rule = rule
    this.offset = offset
  }
}

/**
 * Unpacks every member and every container inside, to nowhere: sizes, ratios, checksums and names in both headers
 * are proven before anybody looks at the first member. threats.md E1, E2.
 *
 * @returns false when it was broken off by the signal
 * @throws ContainerFault naming the first member at fault; what the operating system throws
 */
export async function proveZip(archive: ZipArchive, label: string, proof: Proof, depth = 1): Promise<boolean> {
  for await (const member of archive.members()) {
    if (member.kind !== 'file') continue
    const memberLabel = `${label}!/${member.name}`
    try {
      if (!(await proveMember(memberLabel, member.open(), proof, depth))) return false
    } catch (error) {
      if (!(error instanceof ZipError)) throw error
      throw new ContainerFault(error.rule, `${memberLabel}: ${error.message}`, error.offset)
    }
  }
  return !proof.signal.aborted
}

async function proveMember(
  label: string,
  chunks: AsyncGenerator<Uint8Array>,
  proof: Proof,
  depth: number,
): Promise<boolean> {
  const first = await chunks.next()
  if (first.done === true) return true
  if (!isZipContainer(first.value)) {
    for await (const _ of chunks) if (proof.signal.aborted) return false
    return true
  }
  if (depth >= proof.depthMax) {
    await chunks.return(undefined)
    const why = `archives are opened ${proof.depthMax} deep and not deeper`
    throw new ContainerFault('E2', `${label}: ${why}`, null)
  }
  const path = join(proof.directory, `container-${randomUUID()}.tmp`)
  try {
    if (!(await copied(path, first.value, chunks, proof.signal))) return false
    const inner = await ZipArchive.open(path, proof.limits)
    try {
      return await proveZip(inner, label, proof, depth + 1)
    } finally {
      await inner.close()
    }
  } finally {
    await rm(path, { force: true })
  }
}

async function copied(
  path: string,
  first: Uint8Array,
  rest: AsyncGenerator<Uint8Array>,
  signal: AbortSignal,
): Promise<boolean> {
  const file = await open(path, 'wx', 0o600)
  try {
    await file.writeFile(first)
    for await (const chunk of rest) {
      if (signal.aborted) return false
      await file.writeFile(chunk)
    }
    return true
  } finally {
    await file.close()
  }
}
