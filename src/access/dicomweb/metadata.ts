import { Readable } from 'node:stream'
import { promisify } from 'node:util'
import { constants, createGunzip, gunzip, inflateRaw } from 'node:zlib'
import type { FastifyReply } from 'fastify'
import { ArchiveError } from '#errors.ts'
import type { ArchiveReader, Scope } from '#model/archive-index.ts'
import type { MetadataChunk } from '#model/archive-object.ts'
import type { Asked, Route } from '#model/route.ts'
import { renderedChunks } from '#operations/render-metadata.ts'
import { datasetToXml } from '#standards/dicom/xml.ts'
import { closing, multipartType, newBoundary, partHead } from '#standards/dicomweb/multipart.ts'
import { chooseJsonOrXml, parseAccept } from './accept.ts'
import { joinAsGzip, joinedLength } from './metadata-join.ts'
import { notAcceptable } from './negotiate.ts'
import { type PathOf, scopeOf, shown } from './scope.ts'
import { coalesced, isNotModified, sendBytes, sendPieces } from './send.ts'

const gunzipped = promisify(gunzip)
const inflated = promisify(inflateRaw)

/** Up to this length, in bytes, an answer is inflated in one call; above, as a stream. */
const ONE_CALL_MAX = 4 * 1024 * 1024
/** Deflated bytes given to the thread pool at once. */
const INFLATE_BYTES = 256 * 1024

/** True when the caller takes gzip. RFC 9110 section 12.5.3. */
export function acceptsGzip(header: string | string[] | undefined): boolean {
  let star = false
  for (const part of String(header ?? '')
    .slice(0, 1024)
    .split(',')) {
    const [coding = '', ...params] = part.split(';').map((text) => text.trim().toLowerCase())
    const refused = params.some((param) => /^q\s*=\s*0(\.0*)?$/.test(param))
    if (coding === 'gzip' || coding === 'x-gzip') return !refused
    if (coding === '*') star = !refused
  }
  return star
}

/** Metadata of a study, series or instance. PS3.18 section 10.4, Metadata Resources. */
export function metadataRoutes(reader: ArchiveReader): Route<PathOf>[] {
  const paths = [
    '/dicom-web/studies/:study',
    '/dicom-web/studies/:study/series/:series',
    '/dicom-web/studies/:study/series/:series/instances/:instance',
  ]
  return paths.map((path) => ({
    method: 'GET',
    url: `${path}/metadata`,
    standard: 'PS3.18 section 10.4, Retrieve Transaction, Metadata Resources',
    needs: 'object.read',
    handle: (asked, reply) => metadata(reader, asked, reply),
  }))
}

async function metadata(reader: ArchiveReader, asked: Asked<PathOf>, reply: FastifyReply): Promise<FastifyReply> {
  const scope = scopeOf(asked.params)
  const form = chooseJsonOrXml(parseAccept(asked.headers.accept, asked.query.get('accept')))
  if (form === undefined) throw notAcceptable('metadata is given as application/dicom+json or application/dicom+xml')
  const found = await reader.metadata(scope, asked.visibility)
  if (found === undefined) throw new ArchiveError('request.not-found', `no ${shown(scope)}`)
  const count = found.chunks.length
  await asked.audit('read', { studyInstanceUID: scope.studyInstanceUID, count, detail: 'metadata' })

  const gzip = form.is === 'json' && acceptsGzip(asked.headers['accept-encoding'])
  // Strong tags name exact bytes, so each form has its own.
  const etag = `"${found.etag.replace(/"/g, '')}${gzip ? '-gzip' : form.is === 'xml' ? '-xml' : ''}"`
  const headers = { ETag: etag, 'Cache-Control': 'private, no-cache', Vary: 'Accept, Accept-Encoding' }
  if (isNotModified(asked.headers['if-none-match'], etag)) return reply.code(304).headers(headers).send()
  const chunks = await renderedChunks(found)
  if (form.is === 'xml') return xmlAnswer(chunks, scope, asked, reply, headers)

  const pieces = joinAsGzip(chunks)
  const json = { ...headers, 'Content-Type': form.contentType }
  if (gzip) return sendBytes(asked, reply, { status: 200, headers: { ...json, 'Content-Encoding': 'gzip' } }, pieces)
  const length = joinedLength(chunks)
  // Both ways inflate on the thread pool.
  if (length <= ONE_CALL_MAX) {
    return sendBytes(asked, reply, { status: 200, headers: json }, [await gunzipped(Buffer.concat(pieces))])
  }
  return sendPieces(asked, reply, { status: 200, headers: json, length }, inflatedPieces(pieces))
}

async function* inflatedPieces(pieces: readonly Uint8Array[]): AsyncGenerator<Uint8Array, void, void> {
  const stream = createGunzip({ chunkSize: 256 * 1024 })
  const source = Readable.from(coalesced(pieces, INFLATE_BYTES), { objectMode: false })
  source.on('error', (error) => stream.destroy(error))
  try {
    yield* source.pipe(stream) as AsyncIterable<Buffer>
  } finally {
    source.destroy()
    stream.destroy()
  }
}

/** One instance's DICOM JSON, inflated. */
export async function inflateChunk(chunk: MetadataChunk): Promise<string> {
  const json = await inflated(chunk.deflated, { finishFlush: constants.Z_SYNC_FLUSH, maxOutputLength: chunk.rawLength })
  return json.toString()
}

/** One part per instance. PS3.18 section 10.4.4, PS3.19 section A.1. */
function xmlAnswer(
  chunks: readonly MetadataChunk[],
  scope: Scope,
  asked: Asked<PathOf>,
  reply: FastifyReply,
  headers: { readonly [name: string]: string },
): Promise<FastifyReply> {
  const boundary = newBoundary()
  async function* parts(): AsyncGenerator<Uint8Array, void, void> {
    let first = true
    for (const chunk of chunks) {
      yield partHead(boundary, { 'Content-Type': 'application/dicom+xml; charset=utf-8' }, first)
      yield Buffer.from(datasetToXml(JSON.parse(await inflateChunk(chunk))))
      first = false
    }
    yield closing(boundary)
  }
  const type = multipartType('application/dicom+xml', boundary)
  const location = `${asked.baseUrl}/dicom-web/${shown(scope)}`
  const head = {
    status: 200,
    headers: { ...headers, 'Content-Type': type, 'Content-Location': `${location}/metadata` },
  }
  return sendPieces(asked, reply, head, parts())
}
