/** Discs: the tree of IHE Portable Data for Imaging as a folder, a ZIP or an ISO 9660 image. services.md D.6. */
import { createHash } from 'node:crypto'
import { createWriteStream } from 'node:fs'
import fs from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { ArchiveError } from '#errors.ts'
import type { StoredInstance } from '#model/archive-object.ts'
import type { SegmentStore } from '#model/segment-store.ts'
import { type ByteSource, copyOf, memorySource, READ_BYTES_MAX } from '#standards/byte-source.ts'
import { readDataSet } from '#standards/dicom/data-set.ts'
import { type Egress, planEgress } from '#standards/dicom/egress.ts'
import { DicomError } from '#standards/dicom/errors.ts'
import { openPart10 } from '#standards/dicom/open.ts'
import { PREAMBLE_BYTES } from '#standards/dicom/preamble.ts'
import { EXPLICIT_LITTLE_ENDIAN, transferSyntax } from '#standards/dicom/transfer-syntax.ts'
import { nodeDisk, systemCode, writeFailure } from '#storage/disk.ts'
import { type ZipEntry, zipStream } from '#storage/zip-writer.ts'
import { buildDicomdir } from './dicomdir.ts'
import { egressOptions } from './egress-options.ts'
import { type ExportSummary, type ExportTools, studiesOf } from './export.ts'
import { ISO_FILE_BYTES_MAX, IsoWriter } from './iso-image.ts'
import { DIRECTORY_TAGS, type MediaInstance, metadataCodes, metadataText } from './media-record.ts'
import { type DiscFacts, discPages, readmeText } from './pdi-pages.ts'
import { currentMetadata } from './render-metadata.ts'

export interface MediaTools extends ExportTools {
  readonly segments: Pick<SegmentStore, 'read'>
  /** An object as a source for looking into its headers; closed when done. */
  open(instance: StoredInstance): ByteSource & { close(): void }
}

export interface MediaOptions {
  /** Study Instance UIDs; everything visible when absent. */
  readonly studies?: readonly string[]
  readonly form: 'folder' | 'zip' | 'iso'
  /** Who makes the disc; stands in README.TXT and on the pages. */
  readonly site: string
  /** File-set ID and name of the volume: at most 16 of A-Z, 0-9, `_`. Absent: `DIPTYCH_` and the date. */
  readonly label?: string
  /** Of the disc; now when absent. */
  readonly time?: Date
}

/** A file of the disc; its content is given once. */
interface DiscFile {
  readonly path: readonly string[]
  readonly size: number
  readonly content: AsyncIterable<Uint8Array>
}

/** Up to this length, in bytes, an object is read once and verified in memory; above, it is read twice. */
const IN_MEMORY_MAX = 4 * 1024 * 1024
const PIECE_BYTES = 1024 * 1024

/**
 * Writes a disc: an empty or absent folder, or a file that does not exist yet. What ends early leaves no file behind,
 * and a folder without DICOMDIR.
 * @throws ArchiveError 'request.conflict' (it is there already), 'request.malformed' (label), 'storage.full'
 */
export async function exportMedia(tools: MediaTools, out: string, options: MediaOptions): Promise<ExportSummary> {
  const time = options.time ?? new Date()
  const label = options.label ?? `DIPTYCH_${time.toISOString().slice(0, 10).replaceAll('-', '')}`
  if (!/^[A-Z0-9_]{1,16}$/.test(label)) {
    throw new ArchiveError(
      'request.malformed',
      `a disc label has at most 16 characters A-Z, 0-9 and _, unlike ${label}`,
    )
  }
  const run = new MediaRun(tools, options, { site: options.site, label, time })
  try {
    if (options.form === 'folder') await toFolder(run, out)
    else await toFile(run, out, options.form, tools.signal)
  } catch (error) {
    if (systemCode(error) === 'EEXIST') throw new ArchiveError('request.conflict', `${out} exists`)
    throw systemCode(error) === '' ? error : writeFailure(error, 'the exported files')
  }
  return run.summary()
}

async function toFolder(run: MediaRun, out: string): Promise<void> {
  await fs.mkdir(out, { recursive: true })
  if ((await fs.readdir(out)).length > 0) throw new ArchiveError('request.conflict', `${out} is not empty`)
  for await (const { path, content } of run.files()) {
    const target = join(out, ...path)
    await fs.mkdir(dirname(target), { recursive: true })
    try {
      await pipeline(Readable.from(content), createWriteStream(target, { flags: 'wx', flush: true }))
    } catch (error) {
      await fs.rm(target, { force: true })
      throw error
    }
  }
  await nodeDisk.flushDirectory(out)
}

async function toFile(run: MediaRun, out: string, form: 'zip' | 'iso', signal: AbortSignal | undefined): Promise<void> {
  const handle = await fs.open(out, 'wx')
  try {
    try {
      if (form === 'iso') {
        const { label: volume, time } = run.facts
        const image = new IsoWriter(handle, { volume, time, application: 'DIPTYCH' })
        for await (const { path, size, content } of run.files()) await image.add(path, size, content)
        await image.finish()
      } else {
        const { time } = run.facts
        async function* entries(): AsyncGenerator<ZipEntry> {
          for await (const { path, size, content } of run.files()) yield { name: path.join('/'), size, time, content }
        }
        for await (const piece of zipStream(entries())) {
          signal?.throwIfAborted()
          await handle.writeFile(piece)
        }
      }
      await handle.sync()
    } finally {
      await handle.close()
    }
  } catch (error) {
    await fs.rm(out, { force: true })
    throw error
  }
  await nodeDisk.flushDirectory(dirname(out))
}

class MediaRun {
  readonly facts: DiscFacts
  readonly #tools: MediaTools
  readonly #options: MediaOptions
  readonly #listed: MediaInstance[] = []
  readonly #started = performance.now()
  readonly #counts = { files: 0, bytes: 0, failed: 0 }

  constructor(tools: MediaTools, options: MediaOptions, facts: DiscFacts) {
    this.#tools = tools
    this.#options = options
    this.facts = facts
  }

  /** Objects, then what describes them. An object counts when the next file is asked for: then it is written. */
  async *files(): AsyncGenerator<DiscFile> {
    const { reader, visibility, signal } = this.#tools
    let study = 0
    for await (const studyInstanceUID of studiesOf(this.#tools, this.#options.studies)) {
      study++
      const series = new Map<string, number>()
      let image = 0
      for await (const instance of reader.instances({ studyInstanceUID }, visibility)) {
        signal?.throwIfAborted()
        image++
        const key = instance.seriesInstanceUID
        series.set(key, series.get(key) ?? series.size + 1)
        yield* this.#object(instance, fileId(study, series.get(key) ?? 0, image))
      }
      if (image === 0 && this.#options.studies !== undefined) {
        this.#told(studyInstanceUID, null, 0, 'there is no such study')
      }
    }
    signal?.throwIfAborted()
    const text = (content: string) => Buffer.from(content, 'utf8')
    yield whole(['README.TXT'], text(readmeText(this.facts, this.#listed)))
    for (const { path, text: content } of discPages(this.facts, this.#listed)) yield whole(path, text(content))
    // Last: a tree with a DICOMDIR is a whole one.
    yield whole(['DICOMDIR'], buildDicomdir(this.#listed, this.facts.label))
  }

  async *#object(instance: StoredInstance, path: readonly string[]): AsyncGenerator<DiscFile> {
    let leaving: Leaving
    try {
      leaving = await prepare(this.#tools, instance)
    } catch (error) {
      if (!(error instanceof ArchiveError || error instanceof DicomError)) throw error
      this.#told(path.join('/'), instance.sopInstanceUID, 0, error.message)
      return
    }
    try {
      const { length } = leaving.egress
      if (length === null || (this.#options.form === 'iso' && length > ISO_FILE_BYTES_MAX)) {
        const failure = 'a file of an ISO 9660 image is shorter than 4 GiB; use --zip or a folder'
        this.#told(path.join('/'), instance.sopInstanceUID, 0, failure)
        return
      }
      const described = await this.#describe(instance, path, leaving.egress.transferSyntaxUID)
      yield { path, size: length, content: zeroed(leaving.egress, this.#tools.signal) }
      this.#listed.push(described)
      this.#told(path.join('/'), instance.sopInstanceUID, length, null)
    } finally {
      leaving.close()
    }
  }

  #told(path: string, sopInstanceUid: string | null, bytes: number, failure: string | null): void {
    this.#counts[failure === null ? 'files' : 'failed']++
    this.#counts.bytes += bytes
    this.#tools.onItem?.({ path, sopInstanceUid, bytes, failure })
  }

  async #describe(instance: StoredInstance, path: readonly string[], syntax: string): Promise<MediaInstance> {
    const { studyInstanceUID, seriesInstanceUID, sopInstanceUID, sopClassUID, patientId } = instance
    const scope = { studyInstanceUID, seriesInstanceUID, sopInstanceUID }
    const chunk = (await currentMetadata(this.#tools.reader, scope, this.#tools.visibility))?.[0]
    const all = chunk === undefined ? () => '' : metadataText(chunk)
    const codes = chunk === undefined ? () => null : metadataCodes(chunk)
    // A disc may hold many instances: only what its directory says of them stays in memory.
    const kept = new Map(DIRECTORY_TAGS.map((tag) => [tag, all(tag)] as const).filter(([, value]) => value !== ''))
    return {
      stored: { ...scope, sopClassUID, patientId, transferSyntaxUID: syntax },
      fileId: path,
      text: (tag) => kept.get(tag) ?? '',
      title: codes('0040A043'),
    }
  }

  summary(): ExportSummary {
    return { ...this.#counts, seconds: Number(((performance.now() - this.#started) / 1000).toFixed(3)) }
  }
}

interface Leaving {
  readonly egress: Egress
  close(): void
}

/**
 * An object as it goes on a disc: current values, native pixels in explicit VR little endian, compressed ones as they
 * are. Verified against its digest before a byte leaves.
 * @throws ArchiveError 'storage.damaged'; DicomError
 */
async function prepare(tools: MediaTools, instance: StoredInstance): Promise<Leaving> {
  const { location, digests, transferSyntaxUID } = instance
  const hash = createHash('sha256')
  const small = location.length <= IN_MEMORY_MAX
  const pieces: Uint8Array[] = []
  for (let start = 0; start < location.length; start += PIECE_BYTES) {
    tools.signal?.throwIfAborted()
    const piece = await read(tools, instance, start, Math.min(start + PIECE_BYTES, location.length))
    hash.update(piece)
    if (small) pieces.push(piece)
  }
  if (hash.digest('hex') !== digests.kept) {
    throw new ArchiveError('storage.damaged', 'its bytes do not have the digest they were kept with')
  }
  const syntax = transferSyntax(transferSyntaxUID)
  const options = egressOptions(instance, syntax?.encapsulated === false ? EXPLICIT_LITTLE_ENDIAN : undefined)
  if (small) {
    return { egress: planEgress({ source: alone(memorySource(Buffer.concat(pieces))) }, options), close: () => {} }
  }
  const source = tools.open(instance)
  try {
    const ranged = async (start: number, end: number) => {
      const parts: Uint8Array[] = []
      for (let at = start; at < end; at += READ_BYTES_MAX) {
        parts.push(await read(tools, instance, at, Math.min(end, at + READ_BYTES_MAX)))
      }
      return parts.length === 1 && parts[0] !== undefined ? parts[0] : Buffer.concat(parts)
    }
    return { egress: planEgress({ source: alone(source), read: ranged }, options), close: () => source.close() }
  } catch (error) {
    source.close()
    throw error
  }
}

/**
 * The object without a second format: a preamble of zeros, and without the Data Set Trailing Padding in which a TIFF
 * keeps what does not fit its preamble.
 */
export function alone(source: ByteSource): ByteSource {
  if (source.read(0, PREAMBLE_BYTES).every((byte) => byte === 0)) return source
  const { base, encoding } = openPart10(source)
  const padding = base === null ? undefined : readDataSet(source, encoding, base, source.size).get(TRAILING_PADDING)
  const size = padding?.headerOffset ?? source.size
  return {
    size,
    read(start, end) {
      const bytes = source.read(start, Math.min(end, size))
      return start >= PREAMBLE_BYTES ? bytes : copyOf(bytes).fill(0, 0, Math.max(0, PREAMBLE_BYTES - start))
    },
  }
}

const TRAILING_PADDING = 0xfffcfffc

async function read(tools: MediaTools, { location }: StoredInstance, start: number, end: number): Promise<Uint8Array> {
  const bytes = await tools.segments.read(location, { start, end })
  if (bytes?.byteLength !== end - start) {
    throw new ArchiveError('storage.damaged', `segment ${location.segment} is gone or too short`)
  }
  return bytes
}

/** The bytes with a preamble of zeros: a disc keeps no second format in them. PS3.10 section 7.1. */
async function* zeroed(egress: Egress, signal: AbortSignal | undefined): AsyncGenerator<Uint8Array> {
  let at = 0
  for await (const chunk of egress.chunks()) {
    signal?.throwIfAborted()
    const zeros = Math.min(PREAMBLE_BYTES - at, chunk.byteLength)
    at += chunk.byteLength
    yield zeros > 0 ? Uint8Array.from(chunk).fill(0, 0, zeros) : chunk
  }
}

function whole(path: readonly string[], bytes: Uint8Array): DiscFile {
  return {
    path,
    size: bytes.byteLength,
    content: (async function* () {
      yield bytes
    })(),
  }
}

/** Components of at most eight characters A-Z, 0-9. PS3.10 section 8.5. */
function fileId(study: number, series: number, image: number): readonly string[] {
  const numbered = (letters: string, n: number) => `${letters}${String(n).padStart(8 - letters.length, '0')}`
  return ['DICOM', numbered('ST', study), numbered('SE', series), numbered('I', image)]
}
