import type { FastifyReply } from 'fastify'
import { ArchiveError } from '#errors.ts'
import type { Asked } from '#model/route.ts'
import { closing, multipartType, newBoundary, partHead } from '#standards/dicomweb/multipart.ts'
import { type BulkCandidate, chooseBulk, notAcceptable } from './negotiate.ts'
import { isNotModified, parseRange, sendBytes, sendPieces } from './send.ts'

/** A bulk value or a frame that may be sent. */
export interface BulkPart {
  /** Media types it may have, the most telling first. */
  readonly types: readonly string[]
  /** Transfer Syntax UID in which it is written. */
  readonly syntax: string
  /** Host-absolute path it has as a resource. */
  readonly location: string
  /** In bytes. */
  readonly length: number
  /** Bytes `start` to `end` of it. */
  pieces(start: number, end: number): AsyncGenerator<Uint8Array, void, void>
}

/** Up to this length, in bytes, an answer is put together before it is sent, in one write. */
const ONE_WRITE_MAX = 4 * 1024 * 1024

interface Chosen {
  readonly part: BulkPart
  readonly type: string
}

function choose(parts: readonly BulkPart[], ways: readonly BulkCandidate[]): Chosen[] {
  return parts.flatMap((part) => {
    const type = typeFor(part, ways)
    return type === undefined ? [] : [{ part, type }]
  })
}

/** The type the caller wants most among those a part may have. */
function typeFor(part: BulkPart, ways: readonly BulkCandidate[]): string | undefined {
  for (const way of ways) {
    const type = part.types.find((candidate) => chooseBulk([way], candidate, part.syntax) !== undefined)
    if (type !== undefined) return type
  }
  return undefined
}

/**
 * Sends bulk data as the caller takes it: a part for each value, or one value alone. Ranges are of a single part.
 *
 * @param etag of the one part; quoted
 * @param all true when every part was asked for by name: then none may be left out
 */
export async function sendParts(
  asked: Asked<unknown>,
  reply: FastifyReply,
  parts: readonly BulkPart[],
  ways: readonly BulkCandidate[],
  options: { readonly etag: string; readonly all: boolean },
): Promise<FastifyReply> {
  const offered = `given as ${[...new Set(parts.flatMap(({ types }) => types))].join(', ')}`
  for (const { container } of ways) {
    const chosen = choose(
      parts,
      ways.filter((way) => way.container === container),
    )
    if (chosen.length === 0 || (options.all && chosen.length < parts.length)) continue
    const [first] = chosen
    if (container === 'single') {
      if (parts.length > 1 || first === undefined) continue
      return sendSingle(asked, reply, first, options.etag)
    }
    return sendMultipart(asked, reply, chosen, chosen.length < parts.length)
  }
  throw notAcceptable(offered)
}

function typeWithSyntax({ part, type }: Chosen): string {
  return `${type}; transfer-syntax=${part.syntax}`
}

async function sendSingle(asked: Asked<unknown>, reply: FastifyReply, chosen: Chosen, etag: string) {
  const { part } = chosen
  const headers = {
    'Content-Type': typeWithSyntax(chosen),
    'Content-Location': `${asked.baseUrl}${part.location}`,
    'Cache-Control': 'private, no-cache',
    'Accept-Ranges': 'bytes',
    // Only a PDF is shown where it was asked for: a browser would take XML for a page.
    'Content-Disposition': chosen.type === 'application/pdf' ? 'inline' : 'attachment',
    ETag: etag,
    Vary: 'Accept',
  }
  if (isNotModified(asked.headers['if-none-match'], etag)) return reply.code(304).headers(headers).send()
  const ifRange = asked.headers['if-range']
  const range = ifRange === undefined || ifRange === etag ? parseRange(asked.headers.range, part.length) : undefined
  if (range === 'unsatisfiable') {
    reply.header('content-range', `bytes */${part.length}`)
    throw new ArchiveError('request.range', `the value has ${part.length} bytes`)
  }
  const { start, end } = range ?? { start: 0, end: part.length }
  const status = range === undefined ? 200 : 206
  const partial = range === undefined ? {} : { 'Content-Range': `bytes ${start}-${end - 1}/${part.length}` }
  const head = { status, headers: { ...headers, ...partial }, length: end - start }
  return sendPieces(asked, reply, head, part.pieces(start, end))
}

async function sendMultipart(asked: Asked<unknown>, reply: FastifyReply, chosen: readonly Chosen[], some: boolean) {
  const boundary = newBoundary()
  const heads = chosen.map((each, i) => {
    const headers = {
      'Content-Type': typeWithSyntax(each),
      'Content-Location': `${asked.baseUrl}${each.part.location}`,
    }
    return partHead(boundary, headers, i === 0)
  })
  const end = closing(boundary)
  let length = end.byteLength
  chosen.forEach(({ part }, i) => {
    length += heads[i]!.byteLength + part.length
  })
  const root = chosen[0]?.type ?? 'application/octet-stream'
  const headers = {
    'Content-Type': multipartType(root, boundary),
    'Cache-Control': 'private, no-cache',
    Vary: 'Accept',
  }
  const status = some ? 206 : 200
  async function* body(): AsyncGenerator<Uint8Array, void, void> {
    for (const [i, { part }] of chosen.entries()) {
      yield heads[i]!
      yield* part.pieces(0, part.length)
    }
    yield end
  }
  if (length > ONE_WRITE_MAX) return sendPieces(asked, reply, { status, headers, length }, body())
  const whole: Uint8Array[] = []
  for await (const piece of body()) whole.push(piece)
  return sendBytes(asked, reply, { status, headers }, whole)
}
