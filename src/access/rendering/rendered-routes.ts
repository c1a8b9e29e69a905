import type { FastifyReply } from 'fastify'
import { ArchiveError } from '#errors.ts'
import type { ArchiveReader, Scope } from '#model/archive-index.ts'
import type { StoredInstance } from '#model/archive-object.ts'
import type { Asked, Route } from '#model/route.ts'
import { closing, multipartType, newBoundary, partHead } from '#standards/dicomweb/multipart.ts'
import { type AcceptRange, parseAccept } from '../dicomweb/accept.ts'
import { parseFrameList } from '../dicomweb/frames.ts'
import { notAcceptable, rootOf } from '../dicomweb/negotiate.ts'
import { type PathOf, scopeOf, shown } from '../dicomweb/scope.ts'
import { isNotModified, sendBytes, sendPieces } from '../dicomweb/send.ts'
import type { PictureMaker } from './picture-maker.ts'
import type { PictureType } from './render-job.ts'
import { type RenderedQuery, renderedQuery } from './rendered-query.ts'
import { representativeOf } from './representative.ts'

const STUDY = '/dicom-web/studies/:study'
const SERIES = `${STUDY}/series/:series`
const INSTANCE = `${SERIES}/instances/:instance`
const FRAMES = `${INSTANCE}/frames/:frames`

type Path = PathOf & { readonly frames?: string }

/** The first is given to whoever says nothing. PS3.18 Table 8.7.4-1. */
const TYPES: readonly PictureType[] = ['image/jpeg', 'image/png', 'image/gif', 'image/webp']
const QUALITY = 90
const THUMBNAIL_QUALITY = 80
/** Sides of a thumbnail nobody asked a size for, in pixels. */
const THUMBNAIL_SIDE = 128

export interface RenderedServices {
  readonly reader: ArchiveReader
  readonly pictures: PictureMaker
}

/** Rendered resources and thumbnails. PS3.18 section 10.4, Rendered Resources and Thumbnail Resources. */
export function renderedRoutes(services: RenderedServices): Route<Path>[] {
  return [STUDY, SERIES, INSTANCE, FRAMES].flatMap((level) => [
    {
      method: 'GET',
      url: `${level}/rendered`,
      standard: 'PS3.18 section 10.4, Retrieve Transaction, Rendered Resources',
      needs: 'object.read',
      handle: (asked, reply) => rendered(services, asked, reply),
    } satisfies Route<Path>,
    {
      method: 'GET',
      url: `${level}/thumbnail`,
      standard: 'PS3.18 section 10.4, Retrieve Transaction, Thumbnail Resources',
      needs: 'object.read',
      handle: (asked, reply) => thumbnail(services, asked, reply),
    } satisfies Route<Path>,
  ])
}

async function rendered({ reader, pictures }: RenderedServices, asked: Asked<Path>, reply: FastifyReply) {
  const query = renderedQuery(asked.query, false)
  const way = wayOf(parseAccept(asked.headers.accept, asked.query.get('accept')))
  const scope = scopeOf(asked.params)
  const { frames } = asked.params
  const numbers = frames === undefined ? null : parseFrameList(frames)
  const single = scope.sopInstanceUID !== undefined && (numbers === null || numbers.length === 1)
  const type = way.type
  const wish = { ...query, quality: query.quality ?? QUALITY, type }
  if (single && way.alone) {
    const instance = await needed(reader, scope, asked)
    const frame = numbers?.[0] ?? null
    const etag = etagOf(instance, frame, 'r', asked.query, type)
    const headers = headersOf(asked, etag)
    if (isNotModified(asked.headers['if-none-match'], etag)) return reply.code(304).headers(headers).send()
    await asked.audit('read', { studyInstanceUID: scope.studyInstanceUID, count: 1, detail: 'rendered' })
    const picture = await pictures.picture(instance, frame, wish)
    return sendBytes(asked, reply, { status: 200, headers: { ...headers, 'Content-Type': picture.type } }, [
      picture.bytes,
    ])
  }
  if (!way.multipart) throw notAcceptable('several pictures leave as multipart/related')
  const parts = partsOf({ reader, pictures }, asked, scope, numbers, wish)
  const first = await parts.next()
  if (first.done === true) throw new ArchiveError('request.not-found', `no ${shown(scope)} that can be drawn`)
  await asked.audit('read', { studyInstanceUID: scope.studyInstanceUID, detail: 'rendered' })
  const boundary = newBoundary()
  async function* body(): AsyncGenerator<Uint8Array, void, void> {
    for (let part = first, i = 0; part.done !== true; part = await parts.next(), i++) {
      const { bytes, location } = part.value
      yield partHead(boundary, { 'Content-Type': type, 'Content-Location': `${asked.baseUrl}${location}` }, i === 0)
      yield bytes
    }
    yield closing(boundary)
  }
  const headers = {
    'Content-Type': multipartType(type, boundary),
    'Cache-Control': 'private, no-cache',
    Vary: 'Accept',
  }
  return sendPieces(asked, reply, { status: 200, headers }, body())
}

type Wish = RenderedQuery & { readonly quality: number; readonly type: PictureType }

/** Each frame asked for, or each instance that can be drawn: what cannot is left out among others. */
async function* partsOf(
  { reader, pictures }: RenderedServices,
  asked: Asked<Path>,
  scope: Scope,
  numbers: readonly number[] | null,
  wish: Wish,
): AsyncGenerator<{ bytes: Uint8Array; location: string }, void, void> {
  for await (const instance of reader.instances(scope, asked.visibility)) {
    if (instance.frames === null) continue
    const { studyInstanceUID, seriesInstanceUID, sopInstanceUID } = instance
    const path = `/dicom-web/${shown({ studyInstanceUID, seriesInstanceUID, sopInstanceUID })}`
    for (const number of numbers ?? [null]) {
      const location = number === null ? `${path}/rendered` : `${path}/frames/${number}/rendered`
      yield { bytes: (await pictures.picture(instance, number, wish)).bytes, location }
    }
  }
}

/** One picture, without anything that tells whose it is. PS3.18 section 10.4.3.3.4. */
async function thumbnail({ reader, pictures }: RenderedServices, asked: Asked<Path>, reply: FastifyReply) {
  const query = renderedQuery(asked.query, true)
  const { type, alone } = wayOf(parseAccept(asked.headers.accept, asked.query.get('accept')))
  if (!alone) throw notAcceptable('a thumbnail is one picture')
  const scope = scopeOf(asked.params)
  const frames = asked.params.frames === undefined ? null : parseFrameList(asked.params.frames)
  const instance =
    scope.sopInstanceUID === undefined
      ? await representativeOf(reader, scope, asked.visibility)
      : await needed(reader, scope, asked)
  const frame = frames?.[0] ?? null
  const etag = etagOf(instance, frame, 't', asked.query, type)
  const headers = headersOf(asked, etag)
  if (isNotModified(asked.headers['if-none-match'], etag)) return reply.code(304).headers(headers).send()
  const viewport = query.viewport ?? { width: THUMBNAIL_SIDE, height: THUMBNAIL_SIDE, region: null }
  const wish = { type, viewport, window: null, quality: query.quality ?? THUMBNAIL_QUALITY }
  const picture = await pictures.picture(instance, frame, wish)
  return sendBytes(asked, reply, { status: 200, headers: { ...headers, 'Content-Type': picture.type } }, [
    picture.bytes,
  ])
}

async function needed(reader: ArchiveReader, scope: Scope, asked: Asked<Path>): Promise<StoredInstance> {
  const { seriesInstanceUID = '', sopInstanceUID = '' } = scope
  const instance = await reader.instance({ ...scope, seriesInstanceUID, sopInstanceUID }, asked.visibility)
  if (instance === undefined) throw new ArchiveError('request.not-found', `no ${shown(scope)}`)
  return instance
}

function headersOf(asked: Asked<Path>, etag: string): { [name: string]: string } {
  const location = `${asked.baseUrl}${asked.raw.url ?? ''}`
  return { ETag: etag, 'Cache-Control': 'private, no-cache', Vary: 'Accept', 'Content-Location': location }
}

/** Everything a picture is made of names it. */
function etagOf(instance: StoredInstance, frame: number | null, form: string, query: URLSearchParams, type: string) {
  const asked = ['viewport', 'window', 'quality'].map((name) => query.get(name) ?? '').join(';')
  // A comma would end the tag in a list of tags.
  const safe = asked.replaceAll(',', '_').replace(/[^0-9a-z_;.+-]/gi, '')
  return `"${instance.digests.kept}-${form}${frame ?? ''}-${type.slice(6)}-${safe}"`
}

interface Way {
  readonly type: PictureType
  /** One picture by itself is taken. */
  readonly alone: boolean
  readonly multipart: boolean
}

/** @throws ArchiveError 'request.not-acceptable' when no picture type is taken */
function wayOf(ranges: readonly AcceptRange[]): Way {
  if (ranges.length === 0) return { type: TYPES[0] ?? 'image/jpeg', alone: true, multipart: true }
  const typeOf = (text: string): PictureType | undefined =>
    TYPES.find((type) => text === '*/*' || text === 'image/*' || text === type)
  let best: PictureType | undefined
  let alone = false
  let multipart = false
  for (const range of ranges) {
    if (range.q === 0) continue
    const related = range.type === 'multipart' && (range.subtype === 'related' || range.subtype === '*')
    const type = typeOf(related ? rootOf(range) : `${range.type}/${range.subtype}`)
    if (type === undefined) continue
    best ??= type
    alone ||= !related
    multipart ||= related || range.type === '*'
  }
  if (best === undefined) throw notAcceptable(`pictures leave as ${TYPES.join(', ')}`)
  // A list of single types says what the parts may be, too.
  return { type: best, alone, multipart: multipart || alone }
}
