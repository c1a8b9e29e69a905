import type { FastifyReply } from 'fastify'
import { ArchiveError } from '#errors.ts'
import type { Scope } from '#model/archive-index.ts'
import type { StoredInstance } from '#model/archive-object.ts'
import type { Asked, Route } from '#model/route.ts'
import { currentMetadata } from '#operations/render-metadata.ts'
import { EXPLICIT_LE } from '#standards/dicom/encoding.ts'
import { frameCount, frameRanges } from '#standards/dicom/frames.ts'
import { jsonToDataSet } from '#standards/dicom/json.ts'
import { joinPieces } from '#standards/dicom/pieces.ts'
import { EXPLICIT_LITTLE_ENDIAN } from '#standards/dicom/transfer-syntax.ts'
import { hasLongForm, swapUnit } from '#standards/dicom/value-representation.ts'
import { encodeDataSet } from '#standards/dicom/write.ts'
import { parseMediaType } from '#standards/dicomweb/media-type.ts'
import { parseAccept } from './accept.ts'
import { findValues, parseBulkPath } from './bulk-path.ts'
import { type DataSetBytes, openDataSet } from './data-set-bytes.ts'
import { framePart, scopeOfInstance, type ValueServices } from './frames.ts'
import { inflateChunk } from './metadata.ts'
import { bulkCandidates, notAcceptable } from './negotiate.ts'
import { type BulkPart, sendParts } from './parts.ts'
import { instanceOf, type PathOf, scopeOf, shown } from './scope.ts'

/** Pixel Data, Float Pixel Data, Double Float Pixel Data. PS3.3 section C.7.6.24 and C.7.6.3. */
const PIXEL_PATHS = new Set(['7FE00010', '7FE00008', '7FE00009'])
const ENCAPSULATED_DOCUMENT = '00420011'
/**
 * Types in which documents leave; all others leave as bytes. What a page of ours would run as a script must never come
 * from here under its own type (threats.md R16).
 */
const DOCUMENT_TYPES: ReadonlySet<string> = new Set([
  'application/pdf',
  'text/xml',
  'application/xml',
  'application/hl7-cda+xml',
  'application/sla',
  'model/stl',
  'model/x.stl-binary',
  'model/obj',
  'model/mtl',
  'model/gltf-binary',
])
/** Values one answer may have; a larger study is asked for by series or instance. */
const PARTS_MAX = 20_000

interface JsonElement {
  readonly vr: string
  readonly Value?: readonly unknown[]
  readonly BulkDataURI?: string
}

type JsonDataSet = { readonly [tag: string]: JsonElement }

const LEVELS = [
  '/dicom-web/studies/:study',
  '/dicom-web/studies/:study/series/:series',
  '/dicom-web/studies/:study/series/:series/instances/:instance',
]

/** Bulk data and pixel data. PS3.18 section 10.4, Bulkdata and Pixel Data Resources. */
export function bulkdataRoutes(services: ValueServices): Route<PathOf & { readonly '*'?: string }>[] {
  const all = LEVELS.flatMap((level) =>
    (['bulkdata', 'pixeldata'] as const).map(
      (which): Route<PathOf> => ({
        method: 'GET',
        url: `${level}/${which}`,
        standard: `PS3.18 section 10.4, Retrieve Transaction, ${which === 'bulkdata' ? 'Bulkdata' : 'Pixel Data'} Resources`,
        needs: 'object.read',
        handle: (asked, reply) => retrieveAll(services, which, asked, reply),
      }),
    ),
  )
  return [
    ...all,
    {
      method: 'GET',
      url: `${LEVELS[2]}/bulkdata/*`,
      standard: 'PS3.18 section 10.4, Retrieve Transaction, Bulkdata Resources: BulkDataURI',
      needs: 'object.read',
      handle: (asked, reply) => retrieveOne(services, asked, reply),
    },
  ]
}

/** One value by its path; also one that the metadata hold in full. */
async function retrieveOne(
  services: ValueServices,
  asked: Asked<PathOf & { readonly '*'?: string }>,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const scope = instanceOf(asked.params)
  const path = parseBulkPath(asked.params['*'] ?? '')
  const ways = bulkCandidates(parseAccept(asked.headers.accept, asked.query.get('accept')))
  const instance = await services.reader.instance(scope, asked.visibility)
  const json = instance === undefined ? undefined : await jsonOf(services, scope, asked)
  // Asked before the object is looked into: what is not there costs nothing.
  if (path === undefined || instance === undefined || json === undefined || elementAt(json, path) === undefined) {
    throw new ArchiveError('request.not-found', `no such value in ${shown(scope)}`)
  }
  const dataSet = await openDataSet(services.reads, services.files, instance)
  const parts = await valueParts(instance, json, dataSet, new Set([path]))
  if (parts.length === 0) throw new ArchiveError('request.not-found', `${path} of ${shown(scope)} is no bulk value`)
  await asked.audit('read', { studyInstanceUID: scope.studyInstanceUID, count: 1, detail: `bulk data ${path}` })
  const etag = `"${instance.digests.kept}-${instance.overlayVersion}-${path}"`
  return sendParts(asked, reply, parts, ways, { etag, all: true })
}

/** Every bulk value, or the top-level pixel data, of a study, series or instance. */
async function retrieveAll(
  services: ValueServices,
  which: 'bulkdata' | 'pixeldata',
  asked: Asked<PathOf>,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const scope = scopeOf(asked.params)
  const ways = bulkCandidates(parseAccept(asked.headers.accept, asked.query.get('accept')))
  const parts: BulkPart[] = []
  let count = 0
  let digest = ''
  for await (const instance of services.reader.instances(scope, asked.visibility)) {
    count++
    digest = `${instance.digests.kept}-${instance.overlayVersion}`
    const json = await jsonOf(services, scopeOfInstance(instance), asked)
    if (json === undefined) continue // deleted in between
    const paths = new Set(bulkPaths(json, '').filter((path) => which === 'bulkdata' || PIXEL_PATHS.has(path)))
    const dataSet = await openDataSet(services.reads, services.files, instance)
    parts.push(...(await valueParts(instance, json, dataSet, paths)))
    if (parts.length > PARTS_MAX) throw new ArchiveError('request.too-large', `more than ${PARTS_MAX} bulk values`)
  }
  if (count === 0) throw new ArchiveError('request.not-found', `no ${shown(scope)}`)
  if (parts.length === 0) throw new ArchiveError('request.not-found', `${shown(scope)} has no ${which}`)
  await asked.audit('read', { studyInstanceUID: scope.studyInstanceUID, count, detail: which })
  if (ways.length === 0) throw notAcceptable('bulk data is given as multipart/related')
  return sendParts(asked, reply, parts, ways, { etag: `"${digest}-${which}"`, all: false })
}

async function jsonOf(
  services: ValueServices,
  scope: Required<Scope>,
  asked: Asked<unknown>,
): Promise<JsonDataSet | undefined> {
  const chunk = (await currentMetadata(services.reader, scope, asked.visibility))?.[0]
  return chunk === undefined ? undefined : (JSON.parse(await inflateChunk(chunk)) as JsonDataSet)
}

/** Paths of everything the metadata leave out. */
function bulkPaths(json: JsonDataSet, prefix: string): string[] {
  const paths: string[] = []
  for (const [tag, element] of Object.entries(json)) {
    if (element.BulkDataURI !== undefined) paths.push(prefix + tag)
    else if (element.vr === 'SQ') {
      element.Value?.forEach((item, i) => {
        if (item !== null) paths.push(...bulkPaths(item as JsonDataSet, `${prefix}${tag}/${i}/`))
      })
    }
  }
  return paths
}

function elementAt(json: JsonDataSet, path: string): JsonElement | undefined {
  const parts = path.split('/')
  let dataSet: JsonDataSet | undefined = json
  for (let i = 0; i + 2 < parts.length; i += 2) {
    dataSet = dataSet?.[parts[i]!]?.Value?.[Number(parts[i + 1])] as JsonDataSet | undefined
  }
  return dataSet?.[parts.at(-1)!]
}

/** Values as parts, in the order of their paths; encapsulated pixel data as one part per frame. */
async function valueParts(
  instance: StoredInstance,
  json: JsonDataSet,
  dataSet: DataSetBytes,
  paths: ReadonlySet<string>,
): Promise<BulkPart[]> {
  const isFramed = (path: string) => PIXEL_PATHS.has(path) && instance.frames?.kind === 'encapsulated'
  const overlaid = instance.overlay.length > 0
  const isInline = (path: string) => overlaid && elementAt(json, path)?.BulkDataURI === undefined
  const stored = [...paths].filter((path) => !isFramed(path) && !isInline(path))
  const wanted = new Set(stored.flatMap((path) => (overlaid ? [path, storedPath(path)] : [path])))
  const found =
    wanted.size === 0 ? new Map() : await dataSet.look((opened) => findValues(opened.dataSet, opened.encoding, wanted))
  const parts: BulkPart[] = []
  for (const path of paths) {
    if (isFramed(path)) parts.push(...frameParts(instance, dataSet))
    else if (isInline(path)) parts.push(...inlinePart(instance, json, path))
    const value = found.get(path) ?? (overlaid ? found.get(storedPath(path)) : undefined)
    if (value === undefined) continue
    const document = path === ENCAPSULATED_DOCUMENT ? documentOf(json, value.length) : undefined
    const unit = value.bigEndian ? swapUnit(value.vr) : 1
    parts.push({
      types: document === undefined ? ['application/octet-stream'] : [document.type, 'application/octet-stream'],
      syntax: EXPLICIT_LITTLE_ENDIAN,
      location: `/dicom-web/${shown(scopeOfInstance(instance))}/bulkdata/${path}`,
      length: document?.length ?? value.length,
      pieces: (start, end) => cut(dataSet, value.offset, value.length, unit, start, end),
    })
  }
  return parts
}

/** A value that the record of changes names as it was before stands in the object where it always stood. */
function storedPath(path: string): string {
  return path.replace(/^04000561\/\d+\/04000550\/0\//, '')
}

/** A current value that the metadata hold in full: text is UTF-8, as they say. */
function* inlinePart(instance: StoredInstance, json: JsonDataSet, path: string): Generator<BulkPart> {
  const element = elementAt(json, path)
  const tag = path.slice(-8)
  if (element === undefined || element.vr === 'SQ') return
  const held = jsonToDataSet(JSON.stringify({ [tag]: element }), () => undefined).get(Number.parseInt(tag, 16))
  if (held === undefined) return
  const headerBytes = hasLongForm(held.vr) ? 12 : 8
  const bytes = joinPieces(encodeDataSet(new Map([[held.tag, held]]), EXPLICIT_LE)).subarray(headerBytes)
  yield {
    types: ['application/octet-stream'],
    syntax: EXPLICIT_LITTLE_ENDIAN,
    location: `/dicom-web/${shown(scopeOfInstance(instance))}/bulkdata/${path}`,
    length: bytes.byteLength,
    async *pieces(start, end) {
      yield bytes.subarray(start, end)
    },
  }
}

function frameParts(instance: StoredInstance, dataSet: DataSetBytes): BulkPart[] {
  const table = instance.frames
  if (table === null) return []
  const parts: BulkPart[] = []
  for (let number = 1; number <= frameCount(table) && number <= PARTS_MAX; number++) {
    const place = frameRanges(table, number)
    if (place !== undefined) parts.push(framePart(instance, table, dataSet, number, place))
  }
  return parts
}

/** Media type and true length of an encapsulated document: its padding is not part of it. PS3.3 section C.24.2. */
function documentOf(json: JsonDataSet, valueLength: number): { type: string; length: number } | undefined {
  const declared = json['00420012']?.Value?.[0]
  const type = typeof declared === 'string' ? parseMediaType(declared)?.essence : undefined
  if (type === undefined || !DOCUMENT_TYPES.has(type)) return undefined
  const exact = json['00420015']?.Value?.[0]
  return { type, length: exact === valueLength - 1 ? valueLength - 1 : valueLength }
}

/** Bytes `start` to `end` of a value, its units reversed whole. */
async function* cut(
  dataSet: DataSetBytes,
  offset: number,
  length: number,
  unit: number,
  start: number,
  end: number,
): AsyncGenerator<Uint8Array, void, void> {
  let skip = start % unit
  let left = end - start
  const last = Math.min(length, Math.ceil(end / unit) * unit)
  for await (const piece of dataSet.pieces(offset + start - skip, offset + last, unit)) {
    const part = piece.subarray(skip, skip + left)
    skip = 0
    left -= part.byteLength
    if (part.byteLength > 0) yield part
  }
}
