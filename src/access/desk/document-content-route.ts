import { ArchiveError } from '#errors.ts'
import type { DocumentKindWord, StoredDocument } from '#model/document.ts'
import type { DocumentReader } from '#model/document-desk.ts'
import type { Route } from '#model/route.ts'
import { isNotModified, parseRange, RangedReads, type SegmentReads, sendPieces } from '../dicomweb/send.ts'
import { pathParameter } from './ask.ts'

export interface ContentServices {
  readonly documents: Pick<DocumentReader, 'document'>
  readonly segments: SegmentReads
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

/** The bytes of a document exactly as they came. */
export function documentContentRoute({ documents, segments }: ContentServices): Route {
  const reads = new RangedReads(segments)
  return {
    method: 'GET',
    url: '/api/v1/documents/:any/content',
    standard: 'Diptych pages; RFC 9110 section 14',
    needs: 'document.read',
    describes: {
      answers: 'The bytes with their media type; 206 for a range.',
      summary: 'The bytes of a document exactly as they came; ranges are taken.',
    },
    async handle(asked, reply) {
      const document = await documents.document(pathParameter(asked, 'any'), asked.visibility)
      if (document === undefined) throw new ArchiveError('request.not-found', 'document')
      const { objectId, patientId, studyInstanceUID, size } = document
      await asked.audit('read', {
        ...(studyInstanceUID === null ? {} : { studyInstanceUID }),
        ...(patientId === null ? {} : { patientId }),
        detail: `document ${objectId}`,
      })
      const etag = `"${document.sha256}"`
      const headers = {
        'Content-Type': contentType(document),
        'Content-Disposition': disposition(document),
        'Content-Security-Policy': document.kind === 'pdf' ? PDF_POLICY : SANDBOX,
        'X-Frame-Options': 'SAMEORIGIN',
        'Cache-Control': 'private, no-cache',
        'Accept-Ranges': 'bytes',
        ETag: etag,
      }
      if (isNotModified(asked.headers['if-none-match'], etag)) return reply.code(304).headers(headers).send()
      const ifRange = asked.headers['if-range']
      const range = ifRange === undefined || ifRange === etag ? parseRange(asked.headers.range, size) : undefined
      if (range === 'unsatisfiable') {
        reply.header('content-range', `bytes */${size}`)
        throw new ArchiveError('request.range', `the document has ${size} bytes`)
      }
      const { start, end } = range ?? { start: 0, end: size }
      const partial = range === undefined ? {} : { 'Content-Range': `bytes ${start}-${end - 1}/${size}` }
      const head = { status: range === undefined ? 200 : 206, headers: { ...headers, ...partial }, length: end - start }
      const base = document.content.in === 'own' ? 0 : document.content.start
      return sendPieces(asked, reply, head, reads.pieces(document.location, base + start, base + end))
    },
  }
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
