import type { FastifyReply } from 'fastify'
import { ArchiveError } from '#errors.ts'
import type { Asked } from '#model/route.ts'
import type { LeavingDocument } from '#operations/leaving-documents.ts'
import { parseAccept } from './dicomweb/accept.ts'
import { isNotModified, parseRange, sendPieces } from './dicomweb/send.ts'
import type { FaceOnTheWay, NativeOnTheWay } from './document-faces.ts'

/** Never to be shown within our own origin. threats.md section 1, "Egress". */
const INERT = {
  'X-Content-Type-Options': 'nosniff',
  'Content-Security-Policy': "sandbox; default-src 'none'",
  'Cache-Control': 'private, no-cache',
} as const

/** Something that is sent as it is: whole, or a range of it. */
interface Content {
  readonly size: number
  readonly etag: string
  readonly headers: { readonly [name: string]: string }
  /** All bytes, verified. */
  whole(): AsyncGenerator<Uint8Array, void, void>
  pieces(start: number, end: number): AsyncGenerator<Uint8Array, void, void>
}

/** @throws ArchiveError 'request.range', and what reading throws before the first byte */
export async function sendContent(asked: Asked<unknown>, reply: FastifyReply, content: Content): Promise<FastifyReply> {
  const { size, etag } = content
  const headers = { ...content.headers, 'Accept-Ranges': 'bytes', ETag: etag }
  if (isNotModified(asked.headers['if-none-match'], etag)) return reply.code(304).headers(headers).send()
  const ifRange = asked.headers['if-range']
  const range = ifRange === undefined || ifRange === etag ? parseRange(asked.headers.range, size) : undefined
  if (range === 'unsatisfiable') {
    reply.header('content-range', `bytes */${size}`)
    throw new ArchiveError('request.range', `the document has ${size} bytes`)
  }
  if (range === undefined) return sendPieces(asked, reply, { status: 200, headers, length: size }, content.whole())
  const { start, end } = range
  const partial = { ...headers, 'Content-Range': `bytes ${start}-${end - 1}/${size}` }
  return sendPieces(asked, reply, { status: 206, headers: partial, length: end - start }, content.pieces(start, end))
}

/** Sends the bytes of a document as they leave, to be saved. */
export function sendDocument(
  asked: Asked<unknown>,
  reply: FastifyReply,
  leaving: LeavingDocument,
): Promise<FastifyReply> {
  const { document } = leaving
  return sendContent(asked, reply, {
    size: leaving.size,
    etag: `"${leaving.sha256}"`,
    headers: {
      ...INERT,
      'Content-Type': document.mediaType,
      'Content-Disposition': `attachment; filename="${document.entryUuid}"`,
      'Last-Modified': new Date(document.created).toUTCString(),
      Vary: 'Accept',
    },
    whole: () => leaving.whole(),
    pieces: (start, end) => leaving.pieces(start, end),
  })
}

/** Sends a document as the DICOM object it can be: a Part 10 file. PS3.18 section 8.7.3.1. */
export async function sendFace(asked: Asked<unknown>, reply: FastifyReply, face: FaceOnTheWay): Promise<FastifyReply> {
  const headers = {
    ...INERT,
    'Content-Type': `application/dicom; transfer-syntax=${face.transferSyntaxUid}`,
    'Content-Disposition': `attachment; filename="${face.sopInstanceUid}.dcm"`,
    'Accept-Ranges': 'none',
    ETag: face.etag,
    Vary: 'Accept',
  }
  if (isNotModified(asked.headers['if-none-match'], face.etag)) return reply.code(304).headers(headers).send()
  return sendPieces(asked, reply, { status: 200, headers, length: face.size }, face.whole())
}

/** Sends what is inside a DICOM object as the bytes it was. */
export function sendNative(asked: Asked<unknown>, reply: FastifyReply, native: NativeOnTheWay): Promise<FastifyReply> {
  return sendContent(asked, reply, {
    size: native.size,
    etag: native.etag,
    headers: {
      ...INERT,
      'Content-Type': native.mediaType,
      'Content-Disposition': `attachment; filename="${native.sopInstanceUid}"`,
      Vary: 'Accept',
    },
    whole: () => native.whole(),
    pieces: (start, end) => native.pieces(start, end),
  })
}

/** True when DICOM is what the caller would rather have than anything else it names. */
export function wantsDicom(accept: string | undefined): boolean {
  if (accept === undefined || !accept.toLowerCase().includes('application/dicom')) return false
  const [first] = parseAccept(accept, null)
  return first?.type === 'application' && first.subtype === 'dicom' && first.q > 0
}
