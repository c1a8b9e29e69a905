import { createHash } from 'node:crypto'
import { createWriteStream } from 'node:fs'
import fs from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { ArchiveError } from '#errors.ts'
import type { ArchiveReader } from '#model/archive-index.ts'
import type { StoredInstance } from '#model/archive-object.ts'
import type { SegmentStore } from '#model/segment-store.ts'
import type { Visibility } from '#model/visibility.ts'
import { nodeDisk, systemCode, writeFailure } from '#storage/disk.ts'
import { type ZipEntry, zipStream } from '#storage/zip-writer.ts'
import { buildDicomdir } from './dicomdir.ts'
import { type ExportedFile, exportedFile } from './export-bytes.ts'
import { type MediaInstance, metadataText } from './media-record.ts'
import { currentMetadata } from './render-metadata.ts'

export interface ExportTools {
  readonly reader: Pick<ArchiveReader, 'search' | 'instances' | 'metadata'>
  readonly segments: Pick<SegmentStore, 'read'>
  readonly visibility: Visibility
  onItem?(item: ExportItem): void
  readonly signal?: AbortSignal
}

export interface ExportItem {
  readonly path: string
  /** Null for a study that was asked for and is not there. */
  readonly sopInstanceUid: string | null
  readonly bytes: number
  /** Null when it was written; else why not. */
  readonly failure: string | null
}

export interface ExportOptions {
  /** Study Instance UIDs; everything visible when absent. */
  readonly studies?: readonly string[]
  /** Names of at most eight characters and a DICOMDIR, as media demand. PS3.10 section 8. */
  readonly media?: boolean
}

export interface ExportSummary {
  readonly files: number
  readonly bytes: number
  readonly failed: number
  readonly seconds: number
}

/**
 * Writes plain Part 10 files into an empty or absent folder.
 * @throws ArchiveError 'request.conflict' (folder not empty), 'storage.full'
 */
export async function exportFolder(
  tools: ExportTools,
  out: string,
  options: ExportOptions = {},
): Promise<ExportSummary> {
  await fs.mkdir(out, { recursive: true })
  if ((await fs.readdir(out)).length > 0) throw new ArchiveError('request.conflict', `${out} is not empty`)
  const run = new ExportRun(tools, options)
  try {
    for await (const { path, instance } of run.plan()) {
      const target = join(out, ...path)
      await fs.mkdir(dirname(target), { recursive: true })
      try {
        const { content, length } = await exportedFile(tools, instance)
        await pipeline(Readable.from(content), createWriteStream(target, { flags: 'wx' }))
        run.done(path, instance, null, length)
      } catch (error) {
        await fs.rm(target, { force: true })
        if (systemCode(error) !== '' || !(error instanceof ArchiveError)) throw error
        run.done(path, instance, error.message)
      }
    }
    if (options.media === true) await fs.writeFile(join(out, 'DICOMDIR'), buildDicomdir(run.listed), { flag: 'wx' })
    await nodeDisk.flushDirectory(out)
  } catch (error) {
    throw systemCode(error) === '' ? error : writeFailure(error, 'the exported files')
  }
  return run.summary()
}

/** The same files as one ZIP, written while they are read. `finished` has its counts once the stream has ended. */
export function exportZip(
  tools: ExportTools,
  options: ExportOptions = {},
): { readonly stream: AsyncGenerator<Uint8Array>; finished(): ExportSummary } {
  const run = new ExportRun(tools, options)
  async function* entries(): AsyncGenerator<ZipEntry> {
    for await (const { path, instance } of run.plan()) {
      const file = await readable(tools, instance)
      if (typeof file === 'string') {
        run.done(path, instance, file)
        continue
      }
      yield { name: path.join('/'), size: file.length, time: new Date(), content: file.content }
      run.done(path, instance, null, file.length)
    }
    if (options.media !== true) return
    const directory = buildDicomdir(run.listed)
    yield { name: 'DICOMDIR', size: directory.byteLength, time: new Date(), content: [directory] }
  }
  return { stream: zipStream(entries()), finished: () => run.summary() }
}

class ExportRun {
  readonly listed: MediaInstance[] = []
  readonly #tools: ExportTools
  readonly #options: ExportOptions
  readonly #started = performance.now()
  readonly #counts = { files: 0, bytes: 0, failed: 0 }
  readonly #used = new Set<string>()
  readonly #texts = new Map<string, (tag: string) => string>()

  constructor(tools: ExportTools, options: ExportOptions) {
    this.#tools = tools
    this.#options = options
  }

  async *plan(): AsyncGenerator<{ readonly path: readonly string[]; readonly instance: StoredInstance }> {
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
        const path = this.#options.media === true ? media(study, series.get(key) ?? 0, image) : this.#plain(instance)
        if (this.#options.media === true) await this.#describe(instance)
        yield { path, instance }
      }
      if (image === 0 && this.#options.studies !== undefined) this.#absent(studyInstanceUID)
    }
  }

  done(path: readonly string[], instance: StoredInstance, failure: string | null, bytes = 0): void {
    if (failure === null) {
      this.#counts.files++
      this.#counts.bytes += bytes
      const text = this.#texts.get(instance.objectId)
      if (text !== undefined) this.listed.push({ stored: instance, fileId: path, text })
    } else this.#counts.failed++
    this.#texts.delete(instance.objectId)
    const sopInstanceUid = instance.sopInstanceUID
    this.#tools.onItem?.({ path: path.join('/'), sopInstanceUid, bytes, failure })
  }

  /** A study asked for by its UID and not kept is told: an empty export must not look like a whole one. */
  #absent(studyInstanceUID: string): void {
    this.#counts.failed++
    this.#tools.onItem?.({ path: studyInstanceUID, sopInstanceUid: null, bytes: 0, failure: 'there is no such study' })
  }

  summary(): ExportSummary {
    return { ...this.#counts, seconds: Number(((performance.now() - this.#started) / 1000).toFixed(3)) }
  }

  /** Named by UIDs; what is not a plain UID is named by its digest, and nothing overwrites anything. */
  #plain({
    studyInstanceUID,
    seriesInstanceUID,
    sopInstanceUID,
    digests,
    objectId,
  }: StoredInstance): readonly string[] {
    const path = [clean(studyInstanceUID), clean(seriesInstanceUID), `${clean(sopInstanceUID)}.dcm`]
    const taken = this.#used.has(path.join('/')) || clean(sopInstanceUID) !== sopInstanceUID
    if (taken) path[2] = `${digests.kept.slice(0, 32)}-${clean(objectId)}.dcm`
    this.#used.add(path.join('/'))
    return path
  }

  async #describe(instance: StoredInstance): Promise<void> {
    const { studyInstanceUID, seriesInstanceUID, sopInstanceUID, objectId } = instance
    const scope = { studyInstanceUID, seriesInstanceUID, sopInstanceUID }
    const chunk = (await currentMetadata(this.#tools.reader, scope, this.#tools.visibility))?.[0]
    const whole = chunk === undefined ? () => '' : metadataText(chunk)
    // A medium may hold many instances: only what a directory says of them stays in memory.
    const kept = new Map(DIRECTORY_TAGS.map((tag) => [tag, whole(tag)]))
    this.#texts.set(objectId, (tag) => kept.get(tag) ?? '')
  }
}

const DIRECTORY_TAGS: readonly string[] = [
  ...['00080020', '00080021', '00080023', '00080030', '00080031', '00080033', '00080050', '00080060', '00081030'],
  ...['0008103E', '00100010', '00100020', '00100030', '00100040', '00200010', '00200011', '00200013', '0040A491'],
  ...['0040A493', '00420010', '00420012'],
]

/** Components of at most eight characters A-Z, 0-9. PS3.10 section 8.5. */
function media(study: number, series: number, image: number): readonly string[] {
  const numbered = (letters: string, n: number) => `${letters}${String(n).padStart(8 - letters.length, '0')}`
  return ['DICOM', numbered('ST', study), numbered('SE', series), numbered('I', image)]
}

function clean(uid: string): string {
  if (/^[0-9A-Za-z-]+(\.[0-9A-Za-z-]+)*$/.test(uid) && uid.length <= 64) return uid
  return createHash('sha256').update(uid).digest('hex').slice(0, 32)
}

async function* studiesOf(
  { reader, visibility }: ExportTools,
  studies: readonly string[] | undefined,
): AsyncGenerator<string> {
  if (studies !== undefined) {
    yield* studies
    return
  }
  let after: string | null = null
  do {
    const page = await reader.search(
      {
        level: 'study',
        scope: {},
        match: [],
        include: [],
        fuzzy: false,
        order: null,
        limit: 100,
        offset: 0,
        after,
      },
      visibility,
    )
    for (const { studyInstanceUID } of page.rows) yield studyInstanceUID
    after = page.next
  } while (after !== null)
}

/** @returns the file, or why it cannot be exported */
async function readable(tools: ExportTools, instance: StoredInstance): Promise<ExportedFile | string> {
  try {
    return await exportedFile(tools, instance)
  } catch (error) {
    if (error instanceof ArchiveError) return error.message
    throw error
  }
}
