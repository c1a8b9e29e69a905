import type { FastifyReply } from 'fastify'
import { z } from 'zod'
import { ArchiveError } from '#errors.ts'
import type { ArchiveReader } from '#model/archive-index.ts'
import type { DocumentKindWord, StoredDocument } from '#model/document.ts'
import type { DocumentReader } from '#model/document-desk.ts'
import type { Asked, Route } from '#model/route.ts'
import type { FaceDesk } from '#operations/keep-face.ts'
import type { LeavingDocuments } from '#operations/leaving-documents.ts'
import { visibilityOf } from '#security/decide.ts'
import { isNotModified, sendBytes } from '../dicomweb/send.ts'
import { sendContent, sendDocument, sendFace, sendNative, wantsDicom } from '../document-content.ts'
import type { DocumentFaces } from '../document-faces.ts'
import { bodyAsked, jsonSchema, pathParameter } from './ask.ts'

export interface ContentServices {
  readonly documents: Pick<DocumentReader, 'document'>
  readonly reader: Pick<ArchiveReader, 'find'>
  readonly onTheWay: { readonly documents: LeavingDocuments; readonly faces: DocumentFaces }
  readonly faceDesk: FaceDesk
}

/** Kinds a browser may show where they were asked for; all others are saved. threats.md section 3. */
const INLINE: ReadonlySet<DocumentKindWord> = new Set(['pdf', 'jpeg', 'png', 'gif', 'text', 'mp4'])
/** Nothing in a document runs, is fetched, or is of our origin. A PDF is drawn by the viewer of the browser, which no sandbox lets in. */
const SANDBOX =
  "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src 'self'; media-src 'self'; frame-ancestors 'self'"
const PDF_POLICY = "default-src 'none'; style-src 'unsafe-inline'; object-src 'self'; frame-ancestors 'self'"

const ENDINGS: { readonly [kind in DocumentKindWord]: string } = {
  ...{
    pdf: 'pdf',
    cda: 'xml',
    'fhir-document': 'fhir',
    jpeg: 'jpg',
    png: 'png',
    gif: 'gif',
    tiff: 'tif',
    heic: 'heic',
  },
  ...{ mp4: 'mp4', quicktime: 'mov', mpeg: 'mpg', text: 'txt', rtf: 'rtf', html: 'html', xml: 'xml', stl: 'stl' },
  ...{ obj: 'obj', mtl: 'mtl', aecg: 'xml', other: 'bin' },
}

/** Documents as bytes: as they leave, as they were kept, as DICOM, as a picture to look at. */
export function documentContentRoutes(services: ContentServices): readonly Route[] {
  const { documents, onTheWay } = services
  const { faces } = onTheWay

  async function found(asked: Asked): Promise<StoredDocument | undefined> {
    const document = await documents.document(pathParameter(asked, 'any'), asked.visibility)
    if (document !== undefined) await audited(asked, document)
    return document
  }

  async function needed(asked: Asked): Promise<StoredDocument> {
    const document = await found(asked)
    if (document === undefined) throw new ArchiveError('request.not-found', 'document')
    return document
  }

  /** What is inside a DICOM object nobody listed as a document: for callers who may see both. */
  async function inside(asked: Asked, reply: FastifyReply): Promise<FastifyReply> {
    const visibility = visibilityOf(asked.subject, 'object.read')
    const instance =
      visibility === 'forbidden' ? undefined : await services.reader.find(pathParameter(asked, 'any'), visibility)
    const native = instance === undefined ? undefined : await faces.native(instance)
    if (instance === undefined || native === undefined) throw new ArchiveError('request.not-found', 'document')
    const { studyInstanceUID, sopInstanceUID } = instance
    await asked.audit('read', { studyInstanceUID, count: 1, detail: `native bytes of ${sopInstanceUID}` })
    return sendNative(asked, reply, native)
  }

  return [
    {
      method: 'GET',
      url: '/api/v1/documents/:any/content',
      standard: 'Diptych pages; RFC 9110 section 14',
      needs: 'document.read',
      describes: {
        answers: 'The bytes with their media type; 206 for a range. `Accept: application/dicom`: a DICOM file.',
        summary:
          'The bytes of a document as they leave: exactly as they came, without the place a photograph was made where the site removes it. Ranges are taken. With `Accept: application/dicom` its DICOM face; of a DICOM object the native bytes in it.',
      },
      async handle(asked, reply) {
        const document = await found(asked)
        if (document === undefined) return inside(asked, reply)
        if (wantsDicom(asked.headers.accept)) return sendFace(asked, reply, await faces.dicom(document, asked))
        const leaving = await onTheWay.documents.of(document)
        return sendContent(asked, reply, {
          size: leaving.size,
          etag: `"${leaving.sha256}"`,
          headers: {
            'Content-Type': contentType(document),
            'Content-Disposition': disposition(document),
            'Content-Security-Policy': document.kind === 'pdf' ? PDF_POLICY : SANDBOX,
            'X-Frame-Options': 'SAMEORIGIN',
            'Cache-Control': 'private, no-cache',
            Vary: 'Accept',
          },
          whole: () => leaving.whole(),
          pieces: (start, end) => leaving.pieces(start, end),
        })
      },
    },
    {
      method: 'GET',
      url: '/api/v1/documents/:any/original',
      standard: 'Diptych pages; RFC 9110 section 14',
      needs: 'document.original',
      describes: {
        answers: 'The bytes with their media type; 206 for a range.',
        summary: 'The bytes of a document exactly as they came, the place where a photograph was made included.',
      },
      async handle(asked, reply) {
        const document = await documents.document(pathParameter(asked, 'any'), asked.visibility)
        if (document === undefined) throw new ArchiveError('request.not-found', 'document')
        const { objectId, patientId, studyInstanceUID } = document
        await asked.audit('export', {
          ...(studyInstanceUID === null ? {} : { studyInstanceUID }),
          ...(patientId === null ? {} : { patientId }),
          ...{ count: 1, detail: `original of document ${objectId}` },
        })
        return sendDocument(asked, reply, onTheWay.documents.original(document))
      },
    },
    {
      method: 'GET',
      url: '/api/v1/documents/:any/display',
      standard: 'Diptych pages',
      needs: 'document.read',
      describes: {
        answers: '`image/jpeg`.',
        summary: 'A photograph to look at: turned upright, without metadata, a JPEG.',
        query: { size: 'Longest side in pixels, 16 to 4096; 1600 when it is left out.' },
      },
      async handle(asked, reply) {
        const document = await needed(asked)
        const edge = edgeAsked(asked)
        const etag = `"${document.sha256}-${edge}"`
        const headers = {
          'Content-Type': 'image/jpeg',
          'Content-Security-Policy': SANDBOX,
          'Cache-Control': 'private, no-cache',
          ETag: etag,
        }
        if (isNotModified(asked.headers['if-none-match'], etag)) return reply.code(304).headers(headers).send()
        if (!PICTURES.has(document.kind)) {
          throw new ArchiveError('document.no-face', `a document of kind ${document.kind} is no picture`)
        }
        return sendBytes(asked, reply, { status: 200, headers }, [await faces.picture(document, edge)])
      },
    },
    {
      method: 'POST',
      url: '/api/v1/documents/:any/face',
      standard: 'Diptych pages',
      needs: 'document.write',
      body: 'json',
      describes: {
        summary: 'Keeps the DICOM face of a document as an object of its study: listed, found and sent like any other.',
        request: jsonSchema(keeping),
        response: FACE,
        status: 201,
        example: { reason: 'read beside the images' },
      },
      async handle(asked, reply) {
        const { reason } = bodyAsked(asked, keeping)
        const { objectId } = await needed(asked)
        const cause = { by: asked.subject.name, address: asked.address, reason }
        const { duplicate, ...kept } = await services.faceDesk.keep(objectId, cause)
        return reply.code(duplicate ? 200 : 201).send(kept)
      },
    },
  ]
}

/** Kinds a decoder turns into a picture. */
const PICTURES: ReadonlySet<DocumentKindWord> = new Set(['jpeg', 'png', 'gif', 'tiff', 'heic'])
const keeping = z.strictObject({
  reason: z.string().trim().min(1).max(2000).default('a system that reads only DICOM asks for it'),
})
const FACE = {
  type: 'object',
  properties: Object.fromEntries(
    ['objectId', 'sopInstanceUid', 'seriesInstanceUid', 'studyInstanceUid', 'sopClassUid'].map((name) => [
      name,
      { type: 'string' },
    ]),
  ),
}

/** @throws ArchiveError 'request.malformed' */
function edgeAsked({ query }: Asked): number {
  const text = query.get('size') ?? '1600'
  const size = /^\d{2,4}$/.test(text) ? Number(text) : 0
  if (size < 16 || size > 4096) throw new ArchiveError('request.malformed', 'size: 16 to 4096 pixels')
  return size
}

function audited(asked: Asked, { objectId, patientId, studyInstanceUID }: StoredDocument): Promise<void> {
  return asked.audit('read', {
    ...(studyInstanceUID === null ? {} : { studyInstanceUID }),
    ...(patientId === null ? {} : { patientId }),
    detail: `document ${objectId}`,
  })
}

/** Text is UTF-8 unless it says otherwise; a browser guesses when nothing is said, so nothing is said. */
function contentType({ kind, mediaType }: StoredDocument): string {
  return kind === 'html' || kind === 'other' ? 'application/octet-stream' : mediaType
}

function disposition({ kind, objectId, metadata }: StoredDocument): string {
  const way = INLINE.has(kind) ? 'inline' : 'attachment'
  const ending = ENDINGS[kind]
  const title = (metadata.title ?? '')
    .replace(/[^\p{L}\p{N} ._-]/gu, '')
    .trim()
    .slice(0, 100)
  const plain = `filename="${objectId}.${ending}"`
  // RFC 6266 section 4.3; the title may be in any script.
  return title === ''
    ? `${way}; ${plain}`
    : `${way}; ${plain}; filename*=UTF-8''${encodeURIComponent(`${title}.${ending}`)}`
}
