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
import { type ExportedFile, exportedFile } from './export-bytes.ts'

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
    if (run.summary().files === 0 && (await fs.readdir(out)).length === 0)
      await fs.rmdir(out) // nothing was written
    else await nodeDisk.flushDirectory(out)
  } catch (error) {
    throw systemCode(error) === '' ? error : writeFailure(error, 'the exported files')
  }
  return run.summary()
}

/**
 * The same files as one ZIP, written while they are read. `finished` has its counts once the stream has ended.
 * @param beside further files, behind those of the images
 */
export function exportZip(
  tools: ExportTools,
  options: ExportOptions = {},
  beside: AsyncIterable<ZipEntry> | null = null,
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
    if (beside !== null) yield* beside
  }
  return { stream: zipStream(entries()), finished: () => run.summary() }
}

class ExportRun {
  readonly #tools: ExportTools
  readonly #options: ExportOptions
  readonly #started = performance.now()
  readonly #counts = { files: 0, bytes: 0, failed: 0 }
  readonly #used = new Set<string>()

  constructor(tools: ExportTools, options: ExportOptions) {
    this.#tools = tools
    this.#options = options
  }

  async *plan(): AsyncGenerator<{ readonly path: readonly string[]; readonly instance: StoredInstance }> {
    const { reader, visibility, signal } = this.#tools
    for await (const studyInstanceUID of studiesOf(this.#tools, this.#options.studies)) {
      let any = false
      for await (const instance of reader.instances({ studyInstanceUID }, visibility)) {
        signal?.throwIfAborted()
        any = true
        yield { path: this.#plain(instance), instance }
      }
      if (!any && this.#options.studies !== undefined) this.#absent(studyInstanceUID)
    }
  }

  done(path: readonly string[], instance: StoredInstance, failure: string | null, bytes = 0): void {
    if (failure === null) {
      this.#counts.files++
      this.#counts.bytes += bytes
    } else this.#counts.failed++
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
}

function clean(uid: string): string {
  if (/^[0-9A-Za-z-]+(\.[0-9A-Za-z-]+)*$/.test(uid) && uid.length <= 64) return uid
  return createHash('sha256').update(uid).digest('hex').slice(0, 32)
}

/** Study Instance UIDs to export: those asked for, else all that are visible. */
export async function* studiesOf(
  { reader, visibility }: Pick<ExportTools, 'reader' | 'visibility'>,
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
