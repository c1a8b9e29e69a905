import { randomBytes } from 'node:crypto'
import type { FastifyReply } from 'fastify'
import { ArchiveError, type ErrorCode, failures } from '#errors.ts'
import { RetryLater } from '#security/accounts.ts'
import { errorTitles } from './http-server-titles.ts'

/** A problem document, RFC 9457, with the code of the error catalogue. */
export interface Problem {
  readonly type: string
  readonly title: string
  readonly status: number
  readonly code: ErrorCode
  readonly detail: string
  readonly hint?: string
}

/** The one text of every 404: what exists but must not be seen reads exactly like what does not exist. */
const NOT_FOUND_DETAIL = 'There is nothing here, or nothing that you may see.'

export interface ErrorLog {
  error(about: object, message: string): void
}

/**
 * What a caller is told of a failure. Only an ArchiveError speaks for itself; anything else is a fault of ours: it is
 * logged under an incident number, and the number is all that leaves.
 */
export function problemOf(error: unknown, log: ErrorLog | undefined): Problem {
  if (error instanceof ArchiveError) {
    const { http } = failures[error.code]
    if (http >= 500) log?.error({ err: error, code: error.code }, 'request failed')
    const detail = error.code === 'request.not-found' ? NOT_FOUND_DETAIL : error.message
    const hint = error.code === 'request.not-found' ? undefined : error.hint
    return problem(error.code, http, detail, hint)
  }
  const status = statusOf(error)
  if (status !== undefined) return problem(CODES[status] ?? 'request.malformed', status, 'The request was refused.')
  const incident = randomBytes(6).toString('hex')
  log?.error({ err: error, incident }, 'request failed')
  return problem('archive.failed', 500, `Incident ${incident}: the log of the server has the cause.`)
}

/** Statuses of refusals that the HTTP framework makes itself. */
const CODES: { readonly [status: number]: ErrorCode } = {
  408: 'request.timeout',
  413: 'request.too-large',
  414: 'request.too-large',
  415: 'request.media-type',
  431: 'request.too-large',
}

function statusOf(error: unknown): number | undefined {
  if (!(error instanceof Error) || !('statusCode' in error)) return undefined
  const { statusCode } = error
  return typeof statusCode === 'number' && statusCode >= 400 && statusCode < 500 ? statusCode : undefined
}

export function problem(code: ErrorCode, status: number, detail: string, hint?: string): Problem {
  const base = { type: `urn:diptych:error:${code}`, title: errorTitles[code], status, code, detail }
  return hint === undefined ? base : { ...base, hint }
}

/** Seconds after which a refusal that passes may be tried again. */
export function retryAfterSeconds(error: unknown): number | undefined {
  if (error instanceof RetryLater) return error.retryAfterSeconds
  if (!(error instanceof ArchiveError)) return undefined
  const { http, retry } = failures[error.code]
  return retry && (http === 429 || http === 503) ? 2 : undefined
}

/** Sends a failure as a problem document. */
export function sendProblem(reply: FastifyReply, error: unknown, log: ErrorLog | undefined): FastifyReply {
  const told = problemOf(error, log)
  const wait = retryAfterSeconds(error)
  if (wait !== undefined) reply.header('retry-after', String(wait))
  return reply
    .code(told.status)
    .header('content-type', 'application/problem+json')
    .send(Buffer.from(JSON.stringify(told)))
}

/** The same for a connection whose request could not even be parsed. */
export function rawProblem(code: ErrorCode, status: number, reason: string, detail: string): string {
  const body = JSON.stringify(problem(code, status, detail))
  return (
    `HTTP/1.1 ${status} ${reason}\r\nContent-Type: application/problem+json\r\nContent-Length: ${Buffer.byteLength(body)}\r\n` +
    `Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\nConnection: close\r\n\r\n${body}`
  )
}
