/** Metadata with their overlay: rendered on read while they are stale, and brought level by a job. */
import { promisify } from 'node:util'
import { constants, crc32, deflateRaw, inflateRaw } from 'node:zlib'
import type {
  ArchiveReader,
  MetadataRead,
  RenderedMetadata,
  Scope,
  StaleChunk,
  StaleStudies,
} from '#model/archive-index.ts'
import type { MetadataChunk, StoredOverlayEvent } from '#model/archive-object.ts'
import type { Job, JobQueue } from '#model/job-queue.ts'
import type { Visibility } from '#model/visibility.ts'
import { overlayFrom } from '#standards/dicom/overlay.ts'
import { overlayJson } from '#standards/dicom/overlay-json.ts'
import { instancePath } from '../intake/extract.ts'

const inflated = promisify(inflateRaw)
const deflated = promisify(deflateRaw)

type Uids = Pick<StaleChunk, 'studyInstanceUID' | 'seriesInstanceUID' | 'sopInstanceUID'>

/** Chunks inflated, overlaid and deflated at once: the thread pool has four threads. */
const AT_ONCE = 4
/** Chunks of one transaction of the job. */
const BATCH = 200

/**
 * One chunk with its overlay. Inflating and deflating happen on the thread pool; what is left is a copy of the text.
 * @returns the chunk itself when the overlay changes nothing of this instance
 */
export async function renderChunk(
  chunk: MetadataChunk,
  overlay: readonly StoredOverlayEvent[],
  uids: Uids,
): Promise<MetadataChunk> {
  const finishFlush = constants.Z_SYNC_FLUSH
  const json = await inflated(chunk.deflated, { finishFlush, maxOutputLength: Math.max(1, chunk.rawLength) })
  const base = `${instancePath(uids)}/bulkdata/`
  const rendered = overlayJson(json, overlayFrom(overlay), (path) => base + path)
  if (rendered === null) return chunk
  // As intake/extract.ts deflates: ends with a flush, so that it joins others into one gzip member.
  const options = { level: 1, memLevel: 6, windowBits: 13, finishFlush }
  return { crc32: crc32(rendered), rawLength: rendered.length, deflated: await deflated(rendered, options) }
}

/** The chunks of a read, each with its overlay. Nothing is copied when none is stale. */
export async function renderedChunks(read: MetadataRead): Promise<readonly MetadataChunk[]> {
  const { stale } = read
  if (stale === undefined || stale.length === 0) return read.chunks
  const chunks = [...read.chunks]
  await eachOf(stale, async ({ index, overlay, ...uids }) => {
    chunks[index] = await renderChunk(chunks[index]!, overlay, uids)
  })
  return chunks
}

/** Current metadata of a scope; undefined when it does not exist for the caller. */
export async function currentMetadata(
  reader: Pick<ArchiveReader, 'metadata'>,
  scope: Scope,
  visibility: Visibility,
): Promise<readonly MetadataChunk[] | undefined> {
  const read = await reader.metadata(scope, visibility)
  return read === undefined ? undefined : renderedChunks(read)
}

/**
 * Brings the rendered metadata of a study level: job `render-metadata`. A decision that comes meanwhile leaves the
 * study stale, and its own job renders it again.
 */
export async function renderStudy(
  store: RenderedMetadata,
  studyInstanceUID: string,
  commit: (fn: () => void) => void,
  signal: AbortSignal,
): Promise<void> {
  for (;;) {
    signal.throwIfAborted()
    const batch = store.unrendered(studyInstanceUID, BATCH)
    if (batch.length === 0) return
    const rendered: { objectId: string; overlayVersion: number; chunk: MetadataChunk }[] = []
    await eachOf(batch, async ({ objectId, overlayVersion, chunk, overlay, ...uids }) => {
      rendered.push({ objectId, overlayVersion, chunk: await renderChunk(chunk, overlay, uids) })
    })
    commit(() => store.putRendered(rendered))
  }
}

export const RENDER_METADATA = 'render-metadata'

export interface RenderingTools {
  readonly store: RenderedMetadata
  readonly stale: StaleStudies
  readonly jobs: Pick<JobQueue, 'enqueue'>
  /** Runs `fn` in one transaction. */
  commit(fn: () => void): void
  /** A job was added; the transaction it is part of has not ended yet. */
  wake(): void
}

/** What keeps rendered metadata level: noticing what became stale, and the job. */
export interface Rendering {
  /** Part of the transaction of whatever was just decided or stored. */
  follow(): void
  readonly handlers: { readonly [RENDER_METADATA]: (job: Job, signal: AbortSignal) => Promise<undefined> }
}

export function createRendering({ store, stale, jobs, commit, wake }: RenderingTools): Rendering {
  return {
    follow() {
      const studies = stale.take()
      const now = Date.now()
      for (const subject of studies) jobs.enqueue({ kind: RENDER_METADATA, subject }, now)
      if (studies.length > 0) wake()
    },
    handlers: {
      async [RENDER_METADATA](job, signal) {
        await renderStudy(store, job.subject, commit, signal)
        return undefined
      },
    },
  }
}

async function eachOf<T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
  const left = items[Symbol.iterator]()
  const workers = Array.from({ length: Math.min(AT_ONCE, items.length) }, async () => {
    for (const item of left) await work(item)
  })
  await Promise.all(workers)
}
