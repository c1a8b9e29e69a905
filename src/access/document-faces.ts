/** Both faces of one original, on their way out: documents as DICOM objects, and DICOM objects as the bytes they were. */
import { createHash } from 'node:crypto'
import { ArchiveError } from '#errors.ts'
import type { ArchiveReader, Scope } from '#model/archive-index.ts'
import type { StoredInstance } from '#model/archive-object.ts'
import type { StoredDocument } from '#model/document.ts'
import type { DocumentReader } from '#model/document-desk.ts'
import type { LeavingPiece, LeavingReader } from '#model/leaving.ts'
import type { Asked } from '#model/route.ts'
import type { Visibility } from '#model/visibility.ts'
import { type FaceSurroundings, faceNames, faceOrder } from '#operations/document-face.ts'
import type { FaceThread } from '#operations/face-thread.ts'
import type { FaceResult } from '#operations/face-work.ts'
import type { LeavingDocument, LeavingDocuments } from '#operations/leaving-documents.ts'
import { piecesBetween } from '#operations/leaving-pieces.ts'
import { visibilityOf } from '#security/decide.ts'
import { Recoder } from './dicomweb/recode.ts'
import type { RangedReads } from './dicomweb/send.ts'
import { type Damage, StoredFiles } from './dicomweb/stored-files.ts'

export interface FaceServices {
  readonly leaving: LeavingDocuments
  readonly forms: Pick<LeavingReader, 'documentsOfFace'>
  readonly documents: Pick<DocumentReader, 'document'>
  readonly reader: Pick<ArchiveReader, 'find'>
  readonly reads: RangedReads
  readonly thread: FaceThread
  /** Told when stored bytes are not what was kept. */
  readonly damaged: (damage: Damage) => void
  surroundings(document: StoredDocument): Omit<FaceSurroundings, 'modelUnit'>
  modelUnit(): FaceSurroundings['modelUnit']
  removesLocation(): boolean
}

/** A DICOM object that a document leaves as. Of these bytes nothing is kept, or it was kept as an object of its own. */
export interface FaceOnTheWay {
  readonly sopClassUid: string
  readonly sopInstanceUid: string
  readonly seriesInstanceUid: string
  readonly studyInstanceUid: string
  readonly transferSyntaxUid: string
  /** Of the Part 10 file, in bytes. */
  readonly size: number
  /** Quoted. */
  readonly etag: string
  /** The document it is of is verified before the last piece. @throws ArchiveError 'storage.damaged' */
  whole(): AsyncGenerator<Uint8Array, void, void>
}

/** The native original inside a DICOM object. */
export interface NativeOnTheWay {
  readonly sopInstanceUid: string
  readonly group: 'document' | 'photograph' | 'video'
  readonly mediaType: string
  readonly size: number
  readonly etag: string
  whole(): AsyncGenerator<Uint8Array, void, void>
  pieces(start: number, end: number): AsyncGenerator<Uint8Array, void, void>
}

export class DocumentFaces {
  readonly #services: FaceServices
  readonly #files: StoredFiles
  readonly #recoder: Recoder

  constructor(services: FaceServices) {
    this.#services = services
    this.#files = new StoredFiles(services.reads, services.damaged)
    this.#recoder = new Recoder(services.reads, this.#files)
  }

  /**
   * A document as DICOM: the object it stands in or was kept as, where the caller may see that, else made now.
   * @throws ArchiveError 'document.no-face', 'document.incomplete', 'document.withheld', 'request.too-large'
   */
  async dicom(document: StoredDocument, asked: Pick<Asked, 'subject'>): Promise<FaceOnTheWay> {
    return (await this.#kept(document, asked)) ?? (await this.made(document))
  }

  /** The DICOM object by its UIDs, when a document that the caller may see has it as a face that is not kept. */
  async named(scope: Required<Scope>, visibility: Visibility): Promise<FaceNamed | undefined> {
    const { forms, documents, leaving } = this.#services
    for (const objectId of forms.documentsOfFace(scope.sopInstanceUID)) {
      const document = await documents.document(objectId, visibility)
      if (document === undefined) continue
      const { leaving: out } = await leaving.cleaned(document)
      const names = faceNames(document, out.sha256)
      if (names?.sopInstanceUid !== scope.sopInstanceUID) continue
      if (names.seriesInstanceUid !== scope.seriesInstanceUID) continue
      if (names.studyInstanceUid === scope.studyInstanceUID) return { document, face: await this.made(document) }
    }
    return undefined
  }

  /** The native original inside a stored object; undefined when it is made of nothing but DICOM. */
  async native(instance: StoredInstance): Promise<NativeOnTheWay | undefined> {
    const { thread, reads } = this.#services
    const { location, digests, sopInstanceUID: sopInstanceUid } = instance
    const removeLocation = this.#services.removesLocation()
    const result = await thread.run({ do: 'unwrap', location, removeLocation })
    if (result.is !== 'native') return undefined
    const { pieces, size, group, mediaType, removed, doubt } = result
    if (doubt !== null) {
      throw new ArchiveError('document.withheld', `what is inside may tell where it was made: ${doubt}`, {
        hint: 'The object itself is given as DICOM.',
      })
    }
    const some = (start: number, end: number) =>
      stretches(pieces, start, end, (from, to) => reads.pieces(location, from, to))
    const files = this.#files
    return {
      ...{ sopInstanceUid, group, mediaType, size, pieces: some },
      etag: `"${digests.kept}-native${removed > 0 ? '-1' : ''}"`,
      async *whole() {
        // What leaves is a part of the file, which has a digest only as a whole.
        await files.verify(instance)
        yield* some(0, size)
      },
    }
  }

  /** A picture to look at: upright, without metadata, a JPEG. @throws ArchiveError 'document.no-face' */
  async picture(document: StoredDocument, edgeMax: number): Promise<Uint8Array> {
    const { location, content } = document
    const of = { location, content, pieces: null }
    const result = await this.#services.thread.run({ do: 'picture', of, edgeMax })
    if (result.is !== 'picture') throw new ArchiveError('archive.failed', 'no picture was made')
    return result.bytes
  }

  async #kept(document: StoredDocument, { subject }: Pick<Asked, 'subject'>): Promise<FaceOnTheWay | undefined> {
    const visibility = visibilityOf(subject, 'object.read')
    if (visibility === 'forbidden') return undefined
    const { content, relatedBy } = document
    const ids = relatedBy.flatMap(({ kind, from }) => (kind === 'face' ? [from] : []))
    for (const id of content.in === 'object' ? [content.objectId, ...ids] : ids) {
      const instance = await this.#services.reader.find(id, visibility)
      if (instance !== undefined) return this.#stored(instance)
    }
    return undefined
  }

  async #stored(instance: StoredInstance): Promise<FaceOnTheWay> {
    const { pieces, length } = await this.#recoder.leaving(instance, 'stored')
    if (length === null) throw new ArchiveError('document.no-face', 'this object is only given by DICOMweb')
    const { sopClassUID, sopInstanceUID, seriesInstanceUID, studyInstanceUID, transferSyntaxUID } = instance
    return {
      ...{ sopClassUid: sopClassUID, sopInstanceUid: sopInstanceUID, seriesInstanceUid: seriesInstanceUID },
      ...{ studyInstanceUid: studyInstanceUID, transferSyntaxUid: transferSyntaxUID, size: length },
      etag: `"${instance.digests.kept}-${instance.overlayVersion}"`,
      whole: () => pieces,
    }
  }

  /** The face made now, whatever is kept. @throws ArchiveError as `dicom` */
  async made(document: StoredDocument): Promise<FaceOnTheWay> {
    const { thread, surroundings, modelUnit } = this.#services
    const { leaving, doubt } = await this.#services.leaving.cleaned(document)
    const names = faceNames(document, leaving.sha256)
    if (names === undefined) {
      throw new ArchiveError('document.no-face', `a document of kind ${document.kind} is never given as DICOM`, {
        hint: 'Ask for its own media type.',
      })
    }
    const around = { ...surroundings(document), modelUnit: modelUnit() }
    const order = faceOrder(document, around, leaving.sha256, doubt !== null)
    const { location, content } = document
    const result = await thread.run({ do: 'wrap', of: { location, content, pieces: leaving.form }, order })
    if (result.is !== 'face') throw new ArchiveError('archive.failed', 'no face was made')
    const { sopClassUid, sopInstanceUid, seriesInstanceUid, transferSyntaxUid, size, pieces } = result
    return {
      ...{ sopClassUid, sopInstanceUid, seriesInstanceUid, transferSyntaxUid, size },
      studyInstanceUid: names.studyInstanceUid,
      // The bytes follow from these alone.
      etag: `"${createHash('sha256').update(JSON.stringify(order)).digest('hex')}-face"`,
      whole: () => wrapped(leaving, pieces),
    }
  }

  close(): Promise<void> {
    return this.#services.thread.close()
  }
}

export interface FaceNamed {
  readonly document: StoredDocument
  readonly face: FaceOnTheWay
}

async function* stretches(
  pieces: readonly LeavingPiece[],
  start: number,
  end: number,
  read: (from: number, to: number) => AsyncGenerator<Uint8Array, void, void>,
): AsyncGenerator<Uint8Array, void, void> {
  for (const piece of piecesBetween(pieces, start, end)) {
    if ('bytes' in piece) yield piece.bytes
    else yield* read(piece.from, piece.from + piece.length)
  }
}

/** A face whose document is verified in passing, or beforehand where it stands in the pieces already. */
async function* wrapped(
  leaving: LeavingDocument,
  pieces: Extract<FaceResult, { is: 'face' }>['pieces'],
): AsyncGenerator<Uint8Array, void, void> {
  const carried = pieces.reduce((sum, piece) => sum + ('bytes' in piece ? 0 : piece.length), 0)
  if (carried !== leaving.size) {
    for await (const _ of leaving.whole());
    for (const piece of pieces) {
      if ('bytes' in piece) yield piece.bytes
      else yield* leaving.pieces(piece.from, piece.from + piece.length)
    }
    return
  }
  const hash = createHash('sha256')
  let held: Uint8Array | undefined
  for (const piece of pieces) {
    const chunks = 'bytes' in piece ? [piece.bytes] : leaving.pieces(piece.from, piece.from + piece.length)
    for await (const chunk of chunks) {
      if (!('bytes' in piece)) hash.update(chunk)
      if (held !== undefined) yield held
      held = chunk
    }
  }
  if (hash.digest('hex') !== leaving.sha256) {
    throw new ArchiveError('storage.damaged', `document ${leaving.document.objectId} is not what was kept`, {
      hint: 'Run `diptych verify`; restore the document from a backup or ask its sender again.',
    })
  }
  if (held !== undefined) yield held
}
