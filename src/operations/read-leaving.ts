/** Finds out how documents leave: places in photographs and films, and the UIDs of DICOM faces. */
import { createHash } from 'node:crypto'
import { ArchiveError } from '#errors.ts'
import type { JobHandler } from '#jobs/job-runner.ts'
import type { Location } from '#model/archive-object.ts'
import type { StoredDocument } from '#model/document.ts'
import type { JobQueue } from '#model/job-queue.ts'
import { type LeavingDesk, type LeavingForm, type LeavingStore, LOCATION_KINDS } from '#model/leaving.ts'
import { type ByteSource, slice } from '#standards/byte-source.ts'
import type { DocumentWord } from '#standards/media/document-kind.ts'
import { withoutLocation } from '#standards/media/without-location.ts'
import { FACE_KINDS, faceNames } from './document-face.ts'
import { composedSource, piecesSize, plannedPieces } from './leaving-pieces.ts'

/** Raised whenever places are found that were not before: everything is looked at again then. */
export const LOCATION_READER = 1

export const READ_LEAVING = 'read-leaving'
export const READ_LEAVING_ALL = 'read-leaving-all'

/** Metadata that is written anew up to this length, in bytes, is kept in the index; more is a doubt. */
const REPLACED_BYTES_MAX = 4 * 1024 * 1024
const SLICE_BYTES = 4 * 1024 * 1024
const PAGE = 500

export interface ReadLeavingTools {
  readonly store: LeavingStore
  readonly jobs: Pick<JobQueue, 'enqueue'>
  /** The document as it is now; undefined for what is none. */
  document(objectId: string): StoredDocument | undefined
  open(at: Location): ByteSource & { close(): void }
  commit(fn: () => void): void
}

export interface ReadLeaving {
  readonly desk: LeavingDesk
  readonly handlers: { readonly [READ_LEAVING]: JobHandler; readonly [READ_LEAVING_ALL]: JobHandler }
  /** Documents came or changed. Part of the caller's transaction. @returns how many are to be looked at */
  ask(objectIds: readonly string[]): number
  /** At the start: documents this reader has not seen, e.g. after a rebuild. @returns true when there are any */
  begin(): boolean
}

const KINDS = [...new Set([...LOCATION_KINDS, ...FACE_KINDS.keys()])]

export function createReadLeaving(tools: ReadLeavingTools): ReadLeaving {
  const { store, jobs } = tools

  /** UIDs of the faces of a document, of both forms of it. */
  function putFaces(document: StoredDocument, form: LeavingForm | undefined): void {
    const digests = [document.sha256, ...(form?.changed == null ? [] : [form.changed.sha256])]
    const names = digests.flatMap((sha256) => faceNames(document, sha256)?.sopInstanceUid ?? [])
    store.putFaces(document.objectId, names)
  }

  const isUnread = ({ objectId, kind }: StoredDocument) =>
    LOCATION_KINDS.has(kind) && store.form(objectId)?.reader !== LOCATION_READER

  function ask(objectIds: readonly string[]): number {
    let asked = 0
    for (const objectId of objectIds) {
      const document = tools.document(objectId)
      if (document === undefined) continue
      if (FACE_KINDS.has(document.kind)) putFaces(document, store.form(objectId))
      if (!isUnread(document)) continue
      jobs.enqueue({ kind: READ_LEAVING, subject: objectId, attemptsMax: 3 }, Date.now())
      asked++
    }
    return asked
  }

  async function readOne(objectId: string): Promise<(() => void) | undefined> {
    const document = tools.document(objectId)
    if (document === undefined || !LOCATION_KINDS.has(document.kind)) return undefined
    const whole = tools.open(document.location)
    try {
      const { content } = document
      const source = content.in === 'own' ? whole : slice(whole, content.start, content.start + content.length)
      const form = await formOf(document, source)
      return () => {
        const now = tools.document(objectId)
        if (now === undefined) return
        store.put(objectId, form)
        putFaces(now, form)
      }
    } finally {
      whole.close()
    }
  }

  async function readBehind(signal: AbortSignal): Promise<number> {
    let mark = store.seenUpTo(LOCATION_READER)
    for (;;) {
      const { objectIds, last } = store.page(mark, KINDS, PAGE)
      if (last === null) return mark
      const upTo = last
      tools.commit(() => {
        ask(objectIds)
        store.seen(upTo, LOCATION_READER)
      })
      mark = last
      signal.throwIfAborted()
      // Others have their turn between pages.
      await turn()
    }
  }

  return {
    ask,
    begin() {
      const mark = store.seenUpTo(LOCATION_READER)
      if (store.page(mark, KINDS, 1).last === null) return false
      jobs.enqueue({ kind: READ_LEAVING_ALL, subject: `reader ${LOCATION_READER} behind ${mark}` }, Date.now())
      return true
    },
    desk: {
      async look(objectId) {
        const effect = await readOne(objectId)
        if (effect === undefined) throw new ArchiveError('document.unknown', `no photograph or film ${objectId}`)
        tools.commit(effect)
      },
    },
    handlers: {
      [READ_LEAVING]: ({ subject }) => readOne(subject),
      [READ_LEAVING_ALL]: async (_job, signal) => {
        await readBehind(signal)
        return undefined
      },
    },
  }
}

const turn = () => new Promise<void>((resolve) => setImmediate(resolve))

async function formOf(document: StoredDocument, source: ByteSource): Promise<LeavingForm> {
  const { pieces, removed, doubt } = withoutLocation(document.kind as DocumentWord, source)
  const told = { reader: LOCATION_READER, removed, doubt }
  if (removed === 0) return { ...told, changed: null }
  const plan = plannedPieces(pieces, source)
  const replaced = plan.reduce((sum, piece) => sum + ('bytes' in piece ? piece.bytes.byteLength : 0), 0)
  if (replaced > REPLACED_BYTES_MAX) return { ...told, doubt: 'metadata too large to be written anew', changed: null }
  const original = createHash('sha256')
  await through(source, (bytes) => original.update(bytes))
  if (original.digest('hex') !== document.sha256) {
    throw new ArchiveError('storage.damaged', `document ${document.objectId} is not what was kept`)
  }
  const [sha1, sha256] = [createHash('sha1'), createHash('sha256')]
  await through(composedSource(source, plan), (bytes) => {
    sha1.update(bytes)
    sha256.update(bytes)
  })
  const size = piecesSize(plan)
  return { ...told, changed: { size, sha1: sha1.digest('hex'), sha256: sha256.digest('hex'), pieces: plan } }
}

/** In slices, and others have their turn in between: a film may be long. */
async function through(source: ByteSource, take: (bytes: Uint8Array) => void): Promise<void> {
  for (let at = 0; at < source.size; at += SLICE_BYTES) {
    take(source.read(at, Math.min(at + SLICE_BYTES, source.size)))
    await turn()
  }
}
