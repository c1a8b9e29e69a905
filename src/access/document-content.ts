import { createHash } from 'node:crypto'
import type { FastifyReply } from 'fastify'
import { ArchiveError } from '#errors.ts'
import type { StoredDocument } from '#model/document.ts'
import type { Asked } from '#model/route.ts'
import { isNotModified, parseRange, type RangedReads, sendPieces } from './dicomweb/send.ts'

/** Up to this length, in bytes, a document is verified before its first byte leaves. */
const VERIFIED_FIRST_MAX = 4 * 1024 * 1024

/** Where the bytes of a document begin within its entry. */
function startOf({ content }: StoredDocument): number {
  return content.in === 'object' ? content.start : 0
}

/**
 * The whole of a document in memory, verified.
 * @throws ArchiveError 'request.too-large', 'storage.damaged'
 */
export async function documentBytes(
  reads: RangedReads,
  document: StoredDocument,
  bytesMax: number,
): Promise<Uint8Array> {
  if (document.size > bytesMax) {
    throw new ArchiveError(
      'request.too-large',
      `a document of more than ${bytesMax} bytes is not given inside an answer`,
      {
        hint: 'Ask for its bytes: Accept */*.',
      },
    )
  }
  const start = startOf(document)
  const bytes = await reads.read(document.location, start, start + document.size)
  check(document, createHash('sha256').update(bytes).digest('hex'))
  return bytes
}

function check(document: StoredDocument, found: string): void {
  if (found === document.sha256) return
  throw new ArchiveError('storage.damaged', `the stored bytes of document ${document.objectId} are not what was kept`, {
    hint: 'Run `diptych verify`; restore the document from a backup or ask its sender again.',
  })
}

/** All bytes, verified in passing: the last piece is given only when the digest is right. */
async function* verified(reads: RangedReads, document: StoredDocument): AsyncGenerator<Uint8Array, void, void> {
  if (document.size <= VERIFIED_FIRST_MAX) {
    yield await documentBytes(reads, document, VERIFIED_FIRST_MAX)
    return
  }
  const start = startOf(document)
  const hash = createHash('sha256')
  let held: Uint8Array | undefined
  for await (const piece of reads.pieces(document.location, start, start + document.size)) {
    hash.update(piece)
    if (held !== undefined) yield held
    held = piece
  }
  check(document, hash.digest('hex'))
  if (held !== undefined) yield held
}

/**
 * Sends the bytes of a document exactly as they are kept: by range when one is asked for, never to be shown within our own
 * origin (threats.md section 1, "Egress").
 */
export async function sendDocument(
  asked: Asked<unknown>,
  reply: FastifyReply,
  reads: RangedReads,
  document: StoredDocument,
): Promise<FastifyReply> {
  const etag = `"${document.sha256}"`
  const { size, mediaType } = document
  const headers = {
    'Content-Type': mediaType,
    'Content-Disposition': `attachment; filename="${document.entryUuid}"`,
    'X-Content-Type-Options': 'nosniff',
    'Content-Security-Policy': "sandbox; default-src 'none'",
    'Cache-Control': 'private, no-cache',
    'Accept-Ranges': 'bytes',
    ETag: etag,
    'Last-Modified': new Date(document.created).toUTCString(),
  }
  if (isNotModified(asked.headers['if-none-match'], etag)) return reply.code(304).headers({ ETag: etag }).send()
  const ifRange = asked.headers['if-range']
  const range = ifRange === undefined || ifRange === etag ? parseRange(asked.headers.range, size) : undefined
  if (range === 'unsatisfiable') {
    reply.header('content-range', `bytes */${size}`)
    throw new ArchiveError('request.range', `the document has ${size} bytes`)
  }
  if (range === undefined)
    return sendPieces(asked, reply, { status: 200, headers, length: size }, verified(reads, document))
  const start = startOf(document)
  return sendPieces(
    asked,
    reply,
    {
      status: 206,
      headers: { ...headers, 'Content-Range': `bytes ${range.start}-${range.end - 1}/${size}` },
      length: range.end - range.start,
    },
    reads.pieces(document.location, start + range.start, start + range.end),
  )
}
