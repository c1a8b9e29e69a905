/** Documents on their way out of any door: with the place where they were made only where the site's policy keeps it. */
import { createHash } from 'node:crypto'
import { ArchiveError } from '#errors.ts'
import type { Location } from '#model/archive-object.ts'
import type { StoredDocument } from '#model/document.ts'
import { type LeavingPiece, type LeavingReader, LOCATION_KINDS } from '#model/leaving.ts'
import { piecesBetween } from './leaving-pieces.ts'

/** Ranged reads of stored entries: offsets zero-based, `end` excluded. */
export interface EntryReads {
  pieces(at: Location, start: number, end: number): AsyncGenerator<Uint8Array, void, void>
}

export interface LeavingTools {
  readonly forms: Pick<LeavingReader, 'form'>
  readonly reads: EntryReads
  /** The site's policy now: `documents.location`. */
  policy(): 'keep' | 'remove'
  /** Looks for places in a document nobody has looked at yet. */
  look(objectId: string): Promise<void>
}

/** What a document is said to be where it is only described; null while nobody knows, or when it does not leave. */
export interface StatedForm {
  readonly size: number
  readonly sha1: string
  readonly sha256: string
  readonly location: 'as-kept' | 'removed'
}

/** A document as it leaves. Digests are of these bytes. */
export interface LeavingDocument extends StatedForm {
  readonly document: StoredDocument
  /** What stands where, for who parses it; null: all of it as it is kept. */
  readonly form: readonly LeavingPiece[] | null
  /** Bytes `start` (included) to `end` (excluded), not verified. */
  pieces(start: number, end: number): AsyncGenerator<Uint8Array, void, void>
  /** All bytes: the last piece is given only when the digest is right. @throws ArchiveError 'storage.damaged' */
  whole(): AsyncGenerator<Uint8Array, void, void>
}

/** Up to this length, in bytes, a document is verified before its first byte leaves. */
const VERIFIED_FIRST_MAX = 4 * 1024 * 1024

export class LeavingDocuments {
  readonly #tools: LeavingTools

  constructor(tools: LeavingTools) {
    this.#tools = tools
  }

  /** What can be told of the form in which a document leaves, without looking at its bytes. */
  stated(document: StoredDocument): StatedForm | null {
    const { size, sha1, sha256 } = document
    const asKept: StatedForm = { size, sha1, sha256, location: 'as-kept' }
    if (!this.#concerns(document)) return asKept
    const form = this.#tools.forms.form(document.objectId)
    if (form === undefined || form.doubt !== null) return null
    if (form.changed === null) return asKept
    const { changed } = form
    return { size: changed.size, sha1: changed.sha1, sha256: changed.sha256, location: 'removed' }
  }

  /**
   * A document as the policy lets it leave.
   * @throws ArchiveError 'document.withheld' when it may tell a place that cannot be taken out
   */
  async of(document: StoredDocument): Promise<LeavingDocument> {
    const { doubt, leaving } = await this.cleaned(document)
    if (doubt === null) return leaving
    throw new ArchiveError('document.withheld', `it may tell where it was made: ${doubt}`, {
      hint: `A picture can be looked at without its metadata: /api/v1/documents/${document.objectId}/display. The original is given to administrators and archivists, at /original.`,
    })
  }

  /** The same without a refusal: what is left to be doubted is told instead. */
  async cleaned(
    document: StoredDocument,
  ): Promise<{ readonly leaving: LeavingDocument; readonly doubt: string | null }> {
    if (!this.#concerns(document)) return { leaving: this.original(document), doubt: null }
    const { forms } = this.#tools
    if (forms.form(document.objectId) === undefined) await this.#tools.look(document.objectId)
    const form = forms.form(document.objectId)
    if (form === undefined) throw new ArchiveError('archive.failed', 'what was looked at cannot be found')
    const { changed, doubt } = form
    if (changed === null) return { leaving: this.original(document), doubt }
    const { size, sha1, sha256, pieces } = changed
    return { leaving: this.#leaving(document, { size, sha1, sha256, location: 'removed' }, pieces), doubt }
  }

  /** Exactly as it was kept, whatever it tells: who may have it is decided by whoever asks. */
  original(document: StoredDocument): LeavingDocument {
    const { size, sha1, sha256 } = document
    return this.#leaving(document, { size, sha1, sha256, location: 'as-kept' }, null)
  }

  #concerns({ kind }: StoredDocument): boolean {
    return LOCATION_KINDS.has(kind) && this.#tools.policy() === 'remove'
  }

  #leaving(document: StoredDocument, stated: StatedForm, form: readonly LeavingPiece[] | null): LeavingDocument {
    const { reads } = this.#tools
    const { location, content } = document
    const base = content.in === 'own' ? 0 : content.start
    async function* pieces(start: number, end: number): AsyncGenerator<Uint8Array, void, void> {
      if (form === null) {
        yield* reads.pieces(location, base + start, base + end)
        return
      }
      for (const piece of piecesBetween(form, start, end)) {
        if ('bytes' in piece) yield piece.bytes
        else yield* reads.pieces(location, base + piece.from, base + piece.from + piece.length)
      }
    }
    return { document, ...stated, form, pieces, whole: () => verified(document, stated, pieces(0, stated.size)) }
  }
}

async function* verified(
  { objectId }: StoredDocument,
  { size, sha256 }: StatedForm,
  pieces: AsyncGenerator<Uint8Array, void, void>,
): AsyncGenerator<Uint8Array, void, void> {
  const hash = createHash('sha256')
  const held: Uint8Array[] = []
  for await (const piece of pieces) {
    hash.update(piece)
    // A small one is held back whole, of a longer one the last piece.
    if (size > VERIFIED_FIRST_MAX) yield* held.splice(0)
    held.push(piece)
  }
  if (hash.digest('hex') !== sha256) {
    throw new ArchiveError('storage.damaged', `the stored bytes of document ${objectId} are not what was kept`, {
      hint: 'Run `diptych verify`; restore the document from a backup or ask its sender again.',
    })
  }
  yield* held
}

/** The whole of a document in memory, verified. @throws ArchiveError 'request.too-large', 'storage.damaged' */
export async function leavingBytes(leaving: LeavingDocument, bytesMax: number): Promise<Uint8Array> {
  if (leaving.size > bytesMax) {
    throw new ArchiveError(
      'request.too-large',
      `a document of more than ${bytesMax} bytes is not given inside an answer`,
      {
        hint: 'Ask for its bytes: Accept */*.',
      },
    )
  }
  const pieces: Uint8Array[] = []
  for await (const piece of leaving.whole()) pieces.push(piece)
  return Buffer.concat(pieces)
}
