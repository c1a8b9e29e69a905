import { type FileHandle, mkdir, open, readdir, readFile, rename, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { ImportLine } from './import-line.ts'
import type { ReconciledSummary } from './import-reconciliation.ts'

/** One upload as it is kept beside its bytes, so that a restart knows it. */
export interface UploadState {
  readonly id: string
  /** A label for people; never a path. */
  readonly name: string
  readonly sizeBytes: number
  readonly originator: string | null
  readonly medium: string | null
  /** Kind and name of the subject that began it: nobody else sees it. */
  readonly owner: string
  readonly user: string
  /** True when who began it may say who somebody is: only then HL7 v2 messages in it are carried out. */
  readonly messages?: boolean
  /** True when they may read whose a study is: only then the summary says how its studies stand. */
  readonly readsIdentity?: boolean
  readonly address: string | null
  /** Instants, ISO 8601 UTC. */
  readonly createdAt: string
  readonly state: 'receiving' | 'running' | 'done'
  readonly summary: ReconciledSummary | null
}

/** The files of uploads: `<id>.json` its state, `<id>.bytes` what came, `<id>.lines` what was told. */
export class UploadFiles {
  readonly #directory: string

  constructor(directory: string) {
    this.#directory = directory
  }

  async states(): Promise<readonly UploadState[]> {
    await mkdir(this.#directory, { recursive: true, mode: 0o700 })
    const states: UploadState[] = []
    for (const name of await readdir(this.#directory)) {
      if (name.endsWith('.json')) states.push(JSON.parse(await readFile(join(this.#directory, name), 'utf8')))
      else if (name.endsWith('.new')) await rm(join(this.#directory, name))
    }
    return states
  }

  bytesPath(id: string): string {
    return this.#path(id, 'bytes')
  }

  /** Written beside and renamed: a crash leaves the old state or the new one. Flushed before it is renamed. */
  async writeState(state: UploadState): Promise<void> {
    const fresh = this.#path(state.id, 'new')
    const file = await open(fresh, 'w', 0o600)
    try {
      await file.writeFile(JSON.stringify(state))
      await file.datasync()
    } finally {
      await file.close()
    }
    await rename(fresh, this.#path(state.id, 'json'))
  }

  /** Bytes that have arrived: the length of the file is the truth, not a counter that a crash may have lost. */
  async receivedBytes(id: string): Promise<number> {
    try {
      return (await stat(this.bytesPath(id))).size
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return 0
      throw error
    }
  }

  openBytes(id: string): Promise<FileHandle> {
    return open(this.bytesPath(id), 'a', 0o600)
  }

  async flushBytes(id: string): Promise<void> {
    const file = await open(this.bytesPath(id), 'a', 0o600)
    try {
      await file.datasync()
    } finally {
      await file.close()
    }
  }

  openLines(id: string): Promise<FileHandle> {
    return open(this.#path(id, 'lines'), 'a', 0o600)
  }

  /** Lines told so far, oldest first, as JSON texts. A torn last line is left out. */
  async *lines(id: string, from = 0): AsyncGenerator<string> {
    let file: FileHandle
    try {
      file = await open(this.#path(id, 'lines'), 'r')
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return
      throw error
    }
    try {
      let index = 0
      for await (const line of file.readLines()) {
        if (index >= from && line.endsWith('}')) yield line
        index += 1
      }
    } finally {
      await file.close()
    }
  }

  /** After a crash: drops a torn last line, so that numbering goes on where it was. */
  async repairLines(id: string): Promise<readonly ImportLine[]> {
    const texts: string[] = []
    for await (const text of this.lines(id)) texts.push(text)
    const file = await open(this.#path(id, 'lines'), 'w', 0o600)
    try {
      await file.writeFile(texts.map((text) => `${text}\n`).join(''))
    } finally {
      await file.close()
    }
    return texts.map((text) => JSON.parse(text) as ImportLine)
  }

  async removeBytes(id: string): Promise<void> {
    await rm(this.bytesPath(id), { force: true })
  }

  async remove(id: string): Promise<void> {
    for (const kind of ['bytes', 'lines', 'new', 'json'] as const) await rm(this.#path(id, kind), { force: true })
  }

  /** `id` is ours: checked by whoever looks it up in the table of uploads, never taken from a request as it is. */
  #path(id: string, kind: 'json' | 'bytes' | 'lines' | 'new'): string {
    return join(this.#directory, `${id}.${kind}`)
  }
}
