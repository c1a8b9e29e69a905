import type { FastifyReply } from 'fastify'
import { ArchiveError } from '#errors.ts'
import type { ArchiveReader, Scope } from '#model/archive-index.ts'
import type { Asked } from '#model/route.ts'
import { visibilityOf } from '#security/decide.ts'
import { closing, multipartType, newBoundary, partHead } from '#standards/dicomweb/multipart.ts'
import { sendFace, sendNative } from '../document-content.ts'
import type { DocumentFaces } from '../document-faces.ts'
import type { AcceptRange } from './accept.ts'
import { bestEncoding, type Candidate, notAcceptable } from './negotiate.ts'
import { shown } from './scope.ts'
import { sendPieces } from './send.ts'

/** Media types by which an instance is asked for as the original inside it. */
const NATIVE = /^(?:application\/pdf|text\/xml|video\/(?:mp4|mpeg|mp2t)|image\/jpeg|model\/(?:stl|obj|mtl))$/

/** Both faces at the instance resource of WADO-RS: documents by the UIDs of their face, objects as their originals. */
export class VirtualFaces {
  readonly #reader: Pick<ArchiveReader, 'instance'>
  readonly #faces: DocumentFaces

  constructor(reader: Pick<ArchiveReader, 'instance'>, faces: DocumentFaces) {
    this.#reader = reader
    this.#faces = faces
  }

  /** True when what the caller wants most is the media type of an original. */
  asksNative([first]: readonly AcceptRange[]): boolean {
    return first !== undefined && first.q > 0 && NATIVE.test(`${first.type}/${first.subtype}`)
  }

  /**
   * The native original inside a stored instance.
   * @throws ArchiveError 'request.not-found', 'request.forbidden', 'request.not-acceptable', 'document.withheld'
   */
  async native(
    scope: Required<Scope>,
    ranges: readonly AcceptRange[],
    asked: Asked<unknown>,
    reply: FastifyReply,
  ): Promise<FastifyReply> {
    const instance = await this.#reader.instance(scope, asked.visibility)
    if (instance === undefined) throw new ArchiveError('request.not-found', `no ${shown(scope)}`)
    const native = await this.#faces.native(instance)
    const wanted = ranges.some(({ type, subtype, q }) => q > 0 && `${type}/${subtype}` === native?.mediaType)
    if (native === undefined || !wanted) {
      throw notAcceptable(
        native === undefined ? 'this object is made of nothing but DICOM' : `inside is ${native.mediaType}`,
      )
    }
    if (native.group === 'document' && visibilityOf(asked.subject, 'document.read') === 'forbidden') {
      throw new ArchiveError('request.forbidden', 'This needs the right "document.read", which the role does not hold.')
    }
    const { studyInstanceUID } = scope
    await asked.audit('read', { studyInstanceUID, count: 1, detail: `native bytes of ${scope.sopInstanceUID}` })
    return sendNative(asked, reply, native)
  }

  /**
   * The DICOM face of a document that is kept only as that.
   * @throws ArchiveError 'request.not-found' for callers who may not see the document too
   */
  async dicom(
    scope: Required<Scope>,
    candidates: readonly Candidate[],
    asked: Asked<unknown>,
    reply: FastifyReply,
  ): Promise<FastifyReply> {
    const visibility = visibilityOf(asked.subject, 'document.read')
    const found = visibility === 'forbidden' ? undefined : await this.#faces.named(scope, visibility)
    if (found === undefined) throw new ArchiveError('request.not-found', `no ${shown(scope)}`)
    const { document, face } = found
    const way = candidates.find((candidate) => {
      const asIs = bestEncoding(face.transferSyntaxUid, [candidate]) === 'stored'
      return candidate.container !== 'zip' && asIs
    })
    if (way === undefined) throw notAcceptable(`this face is given as ${face.transferSyntaxUid}`)
    const { patientId, objectId } = document
    await asked.audit('read', {
      studyInstanceUID: scope.studyInstanceUID,
      ...(patientId === null ? {} : { patientId }),
      ...{ count: 1, detail: `document ${objectId} as DICOM` },
    })
    if (way.container === 'single') return sendFace(asked, reply, face)
    const boundary = newBoundary()
    const type = `application/dicom; transfer-syntax=${face.transferSyntaxUid}`
    const location = `${asked.baseUrl}/dicom-web/${shown(scope)}`
    const head = partHead(boundary, { 'Content-Type': type, 'Content-Location': location }, true)
    const end = closing(boundary)
    async function* body(): AsyncGenerator<Uint8Array, void, void> {
      const whole = face.whole()
      const first = await whole.next()
      yield head
      if (first.done !== true) yield first.value
      yield* whole
      yield end
    }
    const headers = {
      'Content-Type': multipartType('application/dicom', boundary),
      'Cache-Control': 'private, no-cache',
      Vary: 'Accept',
    }
    const length = head.byteLength + face.size + end.byteLength
    return sendPieces(asked, reply, { status: 200, headers, length }, body())
  }
}
