import { randomUUID } from 'node:crypto'
import { open, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { ArchiveError } from '#errors.ts'
import type { ArrivedBytes } from '#model/arrival.ts'
import type { Finding } from '#model/finding.ts'
import { ZipArchive, type ZipMember } from '#standards/media/zip.ts'
import { ZIP_LIMITS, ZIP_NESTING_MAX, ZipError, type ZipLimits } from '#standards/media/zip-limits.ts'
import { type CountedLine, type ImportLine, lineWithoutArrival } from './import-line.ts'
import { FileSetCheck } from './media-import-dicomdir.ts'
import type { Job } from './media-import-flight.ts'
import { isZipContainer, type Spool, spool } from './media-import-load.ts'
import { reasonOf } from './media-import-walk.ts'
import { ContainerFault, proveZip } from './media-import-zip-proof.ts'

/** Bounds on one container and on what is inside it. Names as in the node's configuration. */
export interface ContainerLimits {
  readonly archiveEntries: number
  /** Containers within containers. */
  readonly archiveDepth: number
  /** Unpacked bytes of all members together. */
  readonly archiveBytes: number
  /** Of one member, in bytes. */
  readonly objectSize: number
  readonly inflateRatio: number
}

/** A container with a bad member: what is good of it is taken, or nothing of it. Site setting `media.badZip`. */
export type BadZip = 'keep-good' | 'refuse'

/** What expanding a container needs of the import it belongs to. */
export interface ContainerImport {
  readonly spool: Spool
  readonly containers: ContainerLimits | undefined
  readonly badZip: BadZip
  passesOver(label: string): boolean
  isFileSetIndex(label: string): boolean
  /** Jobs for the messages of a member; null when it holds none. */
  messagesIn(label: string, bytes: ArrivedBytes): AsyncIterable<Job<CountedLine>> | null
  /** True when a member is a document that waits for the images beside it; `told` completes its line. */
  takesAside(
    label: string,
    bytes: ArrivedBytes,
    check: FileSetCheck,
    told: (line: CountedLine) => CountedLine,
  ): Promise<boolean>
  documentsOf(check: FileSetCheck): AsyncIterable<Job<CountedLine>>
  deliver(label: string, bytes: ArrivedBytes, check: FileSetCheck): Promise<CountedLine>
  fileSetIndex(label: string, bytes: ArrivedBytes, check: FileSetCheck): Promise<CountedLine>
}

export interface Container {
  /** What members are told below: `disc.zip` gives `disc.zip!/DICOM/I1`. */
  readonly label: string
  readonly path: Buffer
  /** 1 for a container found on the medium. */
  readonly depth: number
  readonly signal: AbortSignal
}

/**
 * Jobs for the members of a ZIP, unpacked one after the other while earlier ones are judged. A container that cannot
 * be taken has a line of its own. When it turns bad half-way, what was proven good before stays; under `refuse` all of it
 * is proven before its first member is looked at. threats.md E1, E2.
 */
export async function* expandZip(container: Container, into: ContainerImport): AsyncGenerator<Job<CountedLine>> {
  const { label } = container
  let archive: ZipArchive
  try {
    archive = await ZipArchive.open(container.path, zipLimits(into.containers))
  } catch (error) {
    yield told(refusal(label, error))
    return
  }
  const check = new FileSetCheck()
  try {
    yield* expandMembers(archive, container, into, check)
  } catch (error) {
    yield told(refusal(label, error))
  } finally {
    await archive.close()
  }
  yield* into.documentsOf(check)
}

/** @throws what is wrong with the container as a whole */
async function* expandMembers(
  archive: ZipArchive,
  container: Container,
  into: ContainerImport,
  check: FileSetCheck,
): AsyncGenerator<Job<CountedLine>> {
  const { label } = container
  const last: ZipMember[] = []
  let empty = true
  if (into.badZip === 'refuse' && container.depth === 1 && !(await proven(archive, container, into))) return
  for await (const member of archive.members()) {
    if (container.signal.aborted) return
    if (member.kind !== 'directory') empty = false
    const memberLabel = `${label}!/${member.name}`
    if (member.kind === 'directory' || into.passesOver(memberLabel)) continue
    if (into.isFileSetIndex(memberLabel)) last.push(member)
    else if (!(yield* expandMember(memberLabel, member, container, into, check))) return
  }
  if (empty) yield told({ line: lineWithoutArrival(label, 'skip', 'not-an-object', 'an empty container'), bytes: 0 })
  for (const member of last) check.sawIndex(`${label}!/${member.name}`)
  for (const member of last) {
    if (!(yield* expandMember(`${label}!/${member.name}`, member, container, into, check))) return
  }
}

/** @returns false when the import was broken off @throws ContainerFault */
async function proven(archive: ZipArchive, { label, signal }: Container, into: ContainerImport): Promise<boolean> {
  const good = await proveZip(archive, label, {
    limits: zipLimits(into.containers),
    depthMax: into.containers?.archiveDepth ?? ZIP_NESTING_MAX,
    directory: into.spool.directory,
    signal,
  })
  archive.rewind()
  return good
}

/** @returns false when the container as a whole is at fault and nothing more of it is read */
async function* expandMember(
  label: string,
  member: ZipMember,
  container: Container,
  into: ContainerImport,
  check: FileSetCheck,
): AsyncGenerator<Job<CountedLine>, boolean> {
  if (member.kind !== 'file') {
    yield told({ line: lineWithoutArrival(label, 'skip', 'E1', `a ${member.kind} is listed, never opened`), bytes: 0 })
    return true
  }
  let bytes: ArrivedBytes
  try {
    const chunks = member.open()
    const first = await chunks.next()
    if (first.done !== true && isZipContainer(first.value)) {
      yield* expandNested(label, startingWith(first.value, chunks), container, into)
      return true
    }
    bytes = await spool(first.done === true ? chunks : startingWith(first.value, chunks), into.spool)
  } catch (error) {
    yield told(refusal(label, error))
    return !(error instanceof ZipError && (error.reason === 'ratio' || error.reason === 'size'))
  }
  const costBytes = bytes.in === 'memory' ? bytes.bytes.byteLength : 0
  const unsafe = nameFinding(member)
  if (into.isFileSetIndex(label)) {
    yield {
      costBytes,
      run: async () => ({ result: withFinding(await into.fileSetIndex(label, bytes, check), unsafe) }),
    }
    return true
  }
  const messages = into.messagesIn(label, bytes)
  if (messages !== null) {
    yield* messages
    return true
  }
  if (await into.takesAside(label, bytes, check, (line) => withFinding(line, unsafe))) return true
  check.begin()
  yield {
    costBytes,
    run: async () => {
      try {
        return { result: withFinding(await into.deliver(label, bytes, check), unsafe) }
      } finally {
        check.end()
      }
    },
  }
  return true
}

/** A container in a container is unpacked to a file of our own, because a ZIP is read from its end. */
async function* expandNested(
  label: string,
  chunks: AsyncIterable<Uint8Array>,
  container: Container,
  into: ContainerImport,
): AsyncGenerator<Job<CountedLine>> {
  const depthMax = into.containers?.archiveDepth ?? ZIP_NESTING_MAX
  if (container.depth >= depthMax) {
    const why = `archives are opened ${depthMax} deep and not deeper`
    yield told({ line: lineWithoutArrival(label, 'reject', 'E2', why), bytes: 0 })
    return
  }
  const path = join(into.spool.directory, `container-${randomUUID()}.tmp`)
  try {
    await copyTo(path, chunks)
    yield* expandZip({ ...container, label, path: Buffer.from(path), depth: container.depth + 1 }, into)
  } finally {
    await rm(path, { force: true })
  }
}

function zipLimits(limits: ContainerLimits | undefined): ZipLimits {
  if (limits === undefined) return ZIP_LIMITS
  const { archiveEntries, archiveBytes, objectSize, inflateRatio } = limits
  return {
    ...ZIP_LIMITS,
    entries: archiveEntries,
    totalBytes: archiveBytes,
    memberBytes: objectSize,
    ratio: inflateRatio,
  }
}

async function* startingWith(first: Uint8Array, rest: AsyncGenerator<Uint8Array>): AsyncGenerator<Uint8Array> {
  yield first
  yield* rest
}

async function copyTo(path: string, chunks: AsyncIterable<Uint8Array>): Promise<void> {
  const file = await open(path, 'wx', 0o600)
  try {
    for await (const chunk of chunks) await file.writeFile(chunk)
  } finally {
    await file.close()
  }
}

type Told = Omit<CountedLine, 'failed'> & { readonly failed?: boolean }

function told(counted: Told): Job<CountedLine> {
  return { costBytes: 0, run: async () => ({ result: { failed: false, ...counted } }) }
}

/** A bad container is refused by rule; a medium or a disk that fails is a failure, and worth another try. */
function refusal(label: string, error: unknown): Told {
  if (error instanceof ZipError) {
    return { line: lineWithoutArrival(label, 'reject', error.rule, error.message, error.offset), bytes: 0 }
  }
  if (error instanceof ContainerFault) {
    const why = `nothing of it is taken: ${error.message}`
    return { line: lineWithoutArrival(label, 'reject', error.rule, why, error.offset), bytes: 0 }
  }
  if (error instanceof ArchiveError) {
    return { line: lineWithoutArrival(label, 'reject', error.code, error.message), bytes: 0, failed: true }
  }
  return { line: lineWithoutArrival(label, 'reject', 'unreadable', reasonOf(error)), bytes: 0, failed: true }
}

/** A name that would be dangerous as a path stays a label, and the line says so. */
function nameFinding(member: ZipMember): Finding | null {
  if (member.nameProblems.length === 0) return null
  const detail = `the name is a label only (${member.nameProblems.join(', ')})`
  return { rule: 'E1', severity: 'info', detail, offset: null, tag: null }
}

function withFinding(counted: CountedLine, finding: Finding | null): CountedLine {
  if (finding === null) return counted
  const line: ImportLine = { ...counted.line, findings: [...counted.line.findings, finding] }
  return { ...counted, line }
}
