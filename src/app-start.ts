/** Starts the writer worker. Loads next to nothing, so that the worker loads beside the rest of this process. */
import { mkdirSync, statfsSync } from 'node:fs'
import { join } from 'node:path'
import { Worker } from 'node:worker_threads'
import type { Config } from '#config.ts'
import { ArchiveError } from '#errors.ts'
import { type Caller, callRemote } from './remote.ts'

export interface WriterOptions {
  /** Owned by this process: the caller holds its lock. */
  readonly dataDirectory: string
  readonly config: Config
}

/** A worker that has recovered the archive and takes calls. */
export interface StartedWriter {
  readonly worker: Worker
  readonly caller: Caller
}

/** The worker that loads already, until somebody starts it. */
let loading: Worker | undefined

/**
 * Begins to load the writer before anything is known of the archive: it takes longer than all the rest of a start. It
 * touches nothing until startWriter says where; a process that never does ends as if it were not there.
 */
export function loadWriter(): void {
  loading ??= newWorker()
  loading.unref()
}

function newWorker(): Worker {
  return new Worker(new URL('./app-writer.ts', import.meta.url), {
    // A small young generation: buffers handed over are given back soon instead of piling up as garbage.
    resourceLimits: { maxYoungGenerationSizeMb: 16 },
  })
}

/**
 * Makes the folders of an archive, starts the worker and waits until it says that it is ready, or why it is not.
 * @throws ArchiveError 'archive.newer', 'storage.damaged', 'archive.failed'
 */
export function startWriter({ dataDirectory, config }: WriterOptions): Promise<StartedWriter> {
  for (const folder of ['segments', 'spool', 'quarantine', 'keys', 'uploads']) {
    mkdirSync(join(dataDirectory, folder), { recursive: true, mode: 0o700 })
  }
  return new Promise((resolve, reject) => {
    const worker = loading ?? newWorker()
    loading = undefined
    worker.ref()
    worker.postMessage({ dataDirectory, config })
    worker.once('message', (first: { ready: true } | { failed: { code: string; message: string } }) => {
      if ('failed' in first) {
        reject(
          new ArchiveError(first.failed.code as ConstructorParameters<typeof ArchiveError>[0], first.failed.message),
        )
        return
      }
      const caller = callRemote(worker)
      worker.once('exit', () => caller.fail(new ArchiveError('archive.failed', 'the writer ended')))
      resolve({ worker, caller })
    })
    worker.once('error', (error) => reject(error))
  })
}

/** Bytes kept free on the volume: as configured, else 2 % of it, at most 1 GiB. contract.md. */
export function reserveBytes(config: Config, dataDirectory: string): number {
  if (config.storage.reserve !== undefined) return config.storage.reserve
  const { blocks, bsize } = statfsSync(dataDirectory)
  return Math.min(2 ** 30, Math.floor(blocks * bsize * 0.02))
}
