import type { FastifyReply } from 'fastify'
import { ArchiveError } from '#errors.ts'
import type { ArchiveReader, Scope } from '#model/archive-index.ts'
import type { StoredInstance } from '#model/archive-object.ts'
import type { Asked, Route } from '#model/route.ts'
import { EXPLICIT_LITTLE_ENDIAN } from '#standards/dicom/transfer-syntax.ts'
import { closing, multipartType, newBoundary, partHead } from '#standards/dicomweb/multipart.ts'
import { parseAccept } from './accept.ts'
import { bestEncoding, type Candidate, type Encoding, instanceCandidates, notAcceptable } from './negotiate.ts'
import { leavesAsStored, type Recoder } from './recode.ts'
import { instanceOf, type PathOf, scopeOf, shown } from './scope.ts'
import { isNotModified, parseRange, type RangedReads, sendPieces } from './send.ts'
import type { StoredFiles } from './stored-files.ts'
import type { VirtualFaces } from './virtual-faces.ts'
import { type ZipEntry, zipStream } from './zip-stream.ts'

/** What retrieving instances needs. */
export interface InstanceServices {
  readonly reader: ArchiveReader
  readonly reads: RangedReads
  readonly files: StoredFiles
  readonly recoder: Recoder
  /** Both faces of originals. */
  readonly faces?: VirtualFaces
}

const OFFERED =
  'instances are given as stored (transfer-syntax=*), or in explicit VR little endian where they are not compressed'
/** Objects from this length on, in bytes, may pass 4 GiB once rewritten. */
const LARGE_BYTES = 3 * 1024 ** 3

/** Studies, series and instances as DICOM files. PS3.18 section 10.4, Instance Resources. */
export function instanceRoutes(services: InstanceServices): Route<PathOf>[] {
  const standard = 'PS3.18 section 10.4, Retrieve Transaction, Instance Resources'
  const series = '/dicom-web/studies/:study/series/:series'
  const many = ['/dicom-web/studies/:study', series].map(
    (url): Route<PathOf> => ({
      method: 'GET',
      url,
      standard,
      needs: 'object.read',
      handle: (asked, reply) => retrieveMany(services, asked, reply),
    }),
  )
  const one: Route<PathOf> = {
    method: 'GET',
    url: `${series}/instances/:instance`,
    standard,
    needs: 'object.read',
    handle: (asked, reply) => retrieveOne(services, asked, reply),
  }
  return [...many, one]
}

/** Transfer Syntax UID under which an instance leaves. */
function leavesAs(instance: StoredInstance, encoding: Encoding): string {
  return encoding === 'stored' ? instance.transferSyntaxUID : EXPLICIT_LITTLE_ENDIAN
}

function partType(syntax: string): string {
  return `application/dicom; transfer-syntax=${syntax}`
}

async function retrieveOne(services: InstanceServices, asked: Asked<PathOf>, reply: FastifyReply) {
  const scope = instanceOf(asked.params)
  const ranges = parseAccept(asked.headers.accept, asked.query.get('accept'))
  if (services.faces?.asksNative(ranges)) return services.faces.native(scope, ranges, asked, reply)
  const candidates = instanceCandidates(ranges, true)
  const instance = await services.reader.instance(scope, asked.visibility)
  if (instance === undefined) {
    if (services.faces !== undefined) return services.faces.dicom(scope, candidates, asked, reply)
    throw new ArchiveError('request.not-found', `no ${shown(scope)}`)
  }
  const choice = firstContainer(candidates, (ways) => bestEncoding(instance.transferSyntaxUID, ways) !== undefined)
  if (choice === undefined) throw notAcceptable(OFFERED)
  const encoding = bestEncoding(instance.transferSyntaxUID, choice.ways) as Encoding
  const syntax = leavesAs(instance, encoding)

  // The digest of the stored file and the version of its overlay name the bytes: a rewritten form is made of nothing else.
  const recoded = encoding === 'stored' ? '' : '-le'
  const etag = `"${instance.digests.kept}-${instance.overlayVersion}${recoded}"`
  const headers: { [name: string]: string } = {
    'Cache-Control': 'private, no-cache',
    Vary: 'Accept',
  }
  if (choice.container === 'single') {
    headers['ETag'] = etag
    if (isNotModified(asked.headers['if-none-match'], etag)) return reply.code(304).headers(headers).send()
  }
  await asked.audit('read', { studyInstanceUID: scope.studyInstanceUID, count: 1 })
  if (choice.container === 'zip') {
    return sendZip(services, asked, reply, scope, choice.ways, single(instance))
  }
  const location = `${asked.baseUrl}/dicom-web/${shown(scope)}`
  if (choice.container === 'multipart') {
    const boundary = newBoundary()
    const head = partHead(boundary, { 'Content-Type': partType(syntax), 'Content-Location': location }, true)
    const end = closing(boundary)
    const whole = await services.recoder.leaving(instance, encoding)
    headers['Content-Type'] = multipartType('application/dicom', boundary)
    async function* body() {
      // A file that does not verify is told before the part begins.
      const first = await whole.pieces.next()
      yield head
      if (first.done !== true) yield first.value
      yield* whole.pieces
      yield end
    }
    const around = head.byteLength + end.byteLength
    const length = whole.length === null ? {} : { length: around + whole.length }
    return sendPieces(asked, reply, { status: 200, headers, ...length }, body())
  }
  headers['Content-Type'] = partType(syntax)
  headers['Content-Location'] = location
  if (!leavesAsStored(instance, encoding)) {
    const { pieces, length } = await services.recoder.leaving(instance, encoding)
    // What is written on the way out has no fixed place for a byte: whole or not at all.
    headers['Accept-Ranges'] = 'none'
    return sendPieces(asked, reply, { status: 200, headers, ...(length === null ? {} : { length }) }, pieces)
  }
  return sendFile(services, asked, reply, instance, etag, headers)
}

async function* single(instance: StoredInstance): AsyncGenerator<StoredInstance> {
  yield instance
}

/** A stored file as a single part, whole or a range of it. Ranges are not verified: only the whole has a digest. */
async function sendFile(
  services: InstanceServices,
  asked: Asked<PathOf>,
  reply: FastifyReply,
  instance: StoredInstance,
  etag: string,
  headers: { readonly [name: string]: string },
): Promise<FastifyReply> {
  const size = instance.location.length
  const ifRange = asked.headers['if-range']
  const range = ifRange === undefined || ifRange === etag ? parseRange(asked.headers.range, size) : undefined
  const all = { ...headers, 'Accept-Ranges': 'bytes' }
  if (range === 'unsatisfiable') {
    reply.header('content-range', `bytes */${size}`)
    throw new ArchiveError('request.range', `the instance has ${size} bytes`)
  }
  if (range === undefined) {
    return sendPieces(asked, reply, { status: 200, headers: all, length: size }, services.files.pieces(instance))
  }
  const { start, end } = range
  const partial = { ...all, 'Content-Range': `bytes ${start}-${end - 1}/${size}` }
  const pieces = services.reads.pieces(instance.location, start, end)
  return sendPieces(asked, reply, { status: 206, headers: partial, length: end - start }, pieces)
}

/** The container the caller wants most among those that work, with all its ways of being filled. */
function firstContainer(
  candidates: readonly Candidate[],
  works: (ways: readonly Candidate[]) => boolean,
): { readonly container: Candidate['container']; readonly ways: readonly Candidate[] } | undefined {
  for (const { container } of candidates) {
    const ways = candidates.filter((candidate) => candidate.container === container)
    if (works(ways)) return { container, ways }
  }
  return undefined
}

async function retrieveMany(services: InstanceServices, asked: Asked<PathOf>, reply: FastifyReply) {
  const scope = scopeOf(asked.params)
  const candidates = instanceCandidates(parseAccept(asked.headers.accept, asked.query.get('accept')), false)
  const { count, syntaxes } = await survey(services.reader, scope, asked)
  if (count === 0) throw new ArchiveError('request.not-found', `no ${shown(scope)}`)
  const given = (ways: readonly Candidate[]): number => {
    let sum = 0
    for (const [syntax, n] of syntaxes) if (bestEncoding(syntax, ways) !== undefined) sum += n
    return sum
  }
  const choice = firstContainer(candidates, (ways) => given(ways) > 0)
  if (choice === undefined) throw notAcceptable(OFFERED)
  const available = given(choice.ways)
  await asked.audit('read', { studyInstanceUID: scope.studyInstanceUID, count: available })

  if (available < count) {
    const text = `${count - available} of ${count} instances cannot be given in an acceptable transfer syntax`
    reply.header('warning', `299 diptych "${text}"`)
  }
  const status = available < count ? 206 : 200
  const instances = services.reader.instances(scope, asked.visibility)
  if (choice.container === 'zip') return sendZip(services, asked, reply, scope, choice.ways, instances, status)
  const boundary = newBoundary()
  const headers = {
    'Content-Type': multipartType('application/dicom', boundary),
    'Cache-Control': 'private, no-cache',
    Vary: 'Accept',
  }
  const parts = multipartOf(services, asked, instances, choice.ways, boundary)
  return sendPieces(asked, reply, { status, headers }, parts)
}

/** How many instances there are, by transfer syntax: known before the first byte leaves, and cheap. */
async function survey(reader: ArchiveReader, scope: Scope, asked: Asked<PathOf>) {
  const syntaxes = new Map<string, number>()
  let count = 0
  for await (const { transferSyntaxUID } of reader.instances(scope, asked.visibility)) {
    count++
    syntaxes.set(transferSyntaxUID, (syntaxes.get(transferSyntaxUID) ?? 0) + 1)
  }
  return { count, syntaxes }
}

async function* multipartOf(
  services: InstanceServices,
  asked: Asked<PathOf>,
  instances: AsyncIterable<StoredInstance>,
  ways: readonly Candidate[],
  boundary: string,
): AsyncGenerator<Uint8Array, void, void> {
  let first = true
  for await (const instance of instances) {
    const encoding = bestEncoding(instance.transferSyntaxUID, ways)
    if (encoding === undefined) continue
    const pieces = services.recoder.pieces(instance, encoding)
    const start = await pieces.next()
    const headers = {
      'Content-Type': partType(leavesAs(instance, encoding)),
      'Content-Location': `${asked.baseUrl}/dicom-web/${shown(instance)}`,
    }
    yield partHead(boundary, headers, first)
    if (start.done !== true) yield start.value
    yield* pieces
    first = false
  }
  yield closing(boundary)
}

async function sendZip(
  services: InstanceServices,
  asked: Asked<PathOf>,
  reply: FastifyReply,
  scope: Scope,
  ways: readonly Candidate[],
  instances: AsyncIterable<StoredInstance>,
  status = 200,
): Promise<FastifyReply> {
  async function* entries(): AsyncGenerator<ZipEntry> {
    for await (const instance of instances) {
      const encoding = bestEncoding(instance.transferSyntaxUID, ways)
      if (encoding === undefined) continue
      yield {
        name: `${clean(instance.studyInstanceUID)}/${clean(instance.seriesInstanceUID)}/${clean(instance.sopInstanceUID)}.dcm`,
        pieces: services.recoder.pieces(instance, encoding),
        large: instance.location.length >= LARGE_BYTES,
      }
    }
  }
  const name = clean(scope.sopInstanceUID ?? scope.seriesInstanceUID ?? scope.studyInstanceUID)
  const headers = {
    'Content-Type': 'application/zip',
    'Content-Disposition': `attachment; filename="${name}.zip"`,
    'Cache-Control': 'private, no-cache',
    Vary: 'Accept',
  }
  return sendPieces(asked, reply, { status, headers }, zipStream(entries()))
}

/** A UID as a file name: digits and dots only, and never `..` (threats.md R8). */
function clean(uid: string): string {
  return uid.replace(/[^0-9.]/g, '_').replace(/^\.+/, '_')
}
