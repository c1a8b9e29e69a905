import { promisify } from 'node:util'
import { gzip } from 'node:zlib'
import type { FastifyReply } from 'fastify'
import type { ArchiveReader } from '#model/archive-index.ts'
import type { Asked, Route } from '#model/route.ts'
import type { Query, SearchPage, SearchRow } from '#model/search.ts'
import { datasetToXml } from '#standards/dicom/xml.ts'
import { closing, multipartType, newBoundary, partHead } from '#standards/dicomweb/multipart.ts'
import { type AnswerForm, chooseJsonOrXml, parseAccept } from './accept.ts'
import { acceptsGzip } from './metadata.ts'
import { notAcceptable } from './negotiate.ts'
import { scopeOf } from './scope.ts'
import { parseSearch } from './search-query.ts'

interface PathUids {
  readonly study?: string
  readonly series?: string
}

interface Resource {
  readonly path: string
  readonly level: Query['level']
  readonly name: string
}

/** Search resources. PS3.18 Table 10.6.1-5. */
const RESOURCES: readonly Resource[] = [
  { path: '/dicom-web/studies', level: 'study', name: 'All Studies' },
  { path: '/dicom-web/studies/:study/series', level: 'series', name: "Study's Series" },
  { path: '/dicom-web/studies/:study/instances', level: 'instance', name: "Study's Instances" },
  { path: '/dicom-web/studies/:study/series/:series/instances', level: 'instance', name: "Series' Instances" },
  { path: '/dicom-web/series', level: 'series', name: 'All Series' },
  { path: '/dicom-web/instances', level: 'instance', name: 'All Instances' },
]

/** Answers shorter than this are not worth compressing, in bytes. */
const GZIP_MIN = 2048

const compressed = promisify(gzip)

/** QIDO-RS: every search resource, and a count beside each. */
export function searchRoutes(reader: ArchiveReader): Route[] {
  return RESOURCES.flatMap(({ path, level, name }): Route[] => [
    {
      method: 'GET',
      url: path,
      standard: `PS3.18 section 10.6, Search Transaction, ${name}`,
      needs: 'object.read',
      handle: (asked, reply) => search(reader, path, level, asked, reply),
    },
    {
      method: 'GET',
      url: `${path}/count`,
      standard: `extension of PS3.18 section 10.6: number of matches, ${name}`,
      needs: 'object.read',
      handle: (asked, reply) => count(reader, level, asked, reply),
    },
  ])
}

function searchScope(params: unknown): Query['scope'] {
  const { study, series } = params as PathUids
  return study === undefined ? {} : scopeOf({ study, ...(series === undefined ? {} : { series }) })
}

async function search(
  reader: ArchiveReader,
  path: string,
  level: Query['level'],
  asked: Asked,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const form = chooseJsonOrXml(parseAccept(asked.headers.accept, asked.query.get('accept')))
  if (form === undefined) throw notAcceptable('a search is answered as application/dicom+json or application/dicom+xml')
  const scope = searchScope(asked.params)
  const { query, warnings } = parseSearch(level, scope, asked.query)
  const page = await reader.search(query, asked.visibility)
  await asked.audit('query', {
    ...(scope.studyInstanceUID === undefined ? {} : { studyInstanceUID: scope.studyInstanceUID }),
    detail: `${level} ${asked.query}`.slice(0, 2000),
    count: page.rows.length,
  })
  const told = [...warnings, ...page.warnings]
  if (page.more) told.push('There are additional results that can be requested')
  if (told.length > 0) reply.header('warning', told.slice(0, 16).map(warningOf))
  if (page.next !== null) reply.header('link', `<${nextUrl(asked, path, page.next)}>; rel="next"`)
  reply.header('cache-control', 'private, no-cache')
  if (page.rows.length === 0) return reply.code(204).send()
  return send(asked, reply, form, page)
}

/** RFC 7234 section 5.5: code, agent, quoted text. */
function warningOf(text: string): string {
  return `299 diptych "${text.replace(/[^\x20-\x7e]|["\\]/g, ' ')}"`
}

/** The same question, from where this page ended. */
function nextUrl(asked: Asked, path: string, next: string): string {
  const query = new URLSearchParams(asked.query)
  query.delete('offset')
  query.set('after', next)
  const { study = '', series = '' } = asked.params as PathUids
  const here = path
    .replace(':study', () => encodeURIComponent(study))
    .replace(':series', () => encodeURIComponent(series))
  return `${asked.baseUrl}${here}?${query}`
}

async function send(asked: Asked, reply: FastifyReply, form: AnswerForm, page: SearchPage): Promise<FastifyReply> {
  const base = `${asked.baseUrl}/dicom-web/studies/`
  const rows = page.rows.map((row) => withUrl(row, base))
  if (form.is === 'xml') {
    const boundary = newBoundary()
    const pieces = rows.flatMap((row, i) => [
      partHead(boundary, { 'Content-Type': 'application/dicom+xml; charset=utf-8' }, i === 0),
      Buffer.from(datasetToXml(JSON.parse(row))),
    ])
    const body = Buffer.concat([...pieces, closing(boundary)])
    return compress(asked, reply.header('content-type', multipartType('application/dicom+xml', boundary)), body)
  }
  return compress(asked, reply.header('content-type', form.contentType), Buffer.from(`[${rows.join()}]`))
}

async function compress(asked: Asked, reply: FastifyReply, body: Buffer): Promise<FastifyReply> {
  const varies = reply.raw.getHeader('vary')
  reply.header('vary', `${typeof varies === 'string' ? `${varies}, ` : ''}Accept, Accept-Encoding`)
  if (body.length < GZIP_MIN || !acceptsGzip(asked.headers['accept-encoding'])) return reply.send(body)
  return reply.header('content-encoding', 'gzip').send(await compressed(body, { level: 1 }))
}

/** Retrieve URL (0008,1190) of what a row stands for. PS3.18 section 10.6.3.3. */
function withUrl(
  { json, urlAt, studyInstanceUID, seriesInstanceUID, sopInstanceUID }: SearchRow,
  base: string,
): string {
  const series = seriesInstanceUID === null ? '' : `/series/${seriesInstanceUID}`
  const instance = sopInstanceUID === null ? '' : `/instances/${sopInstanceUID}`
  const url = JSON.stringify(`${base}${studyInstanceUID}${series}${instance}`)
  return `${json.slice(0, urlAt)}"00081190":{"vr":"UR","Value":[${url}]},${json.slice(urlAt)}`
}

async function count(
  reader: ArchiveReader,
  level: Query['level'],
  asked: Asked,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const { query } = parseSearch(level, searchScope(asked.params), asked.query)
  const found = await reader.count(query, asked.visibility)
  await asked.audit('query', { detail: `count ${level} ${asked.query}`.slice(0, 2000) })
  return reply.header('cache-control', 'private, no-cache').type('application/json').send({ count: found })
}
