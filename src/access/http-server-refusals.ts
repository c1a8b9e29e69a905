import type { IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Config } from '#config.ts'
import { ArchiveError } from '#errors.ts'
import { isLoopback, type RequestOrigin } from './http-server-origin.ts'
import { rawProblem } from './http-server-problem.ts'

/** threats.md section 5, safe defaults. @throws ArchiveError 'configuration.invalid' */
export function refuseUnsafe({
  config: { http },
  open,
  authenticationReady,
}: {
  readonly config: Pick<Config, 'http'>
  readonly open: boolean
  readonly authenticationReady: boolean
}): void {
  if (isLoopback(http.host)) return
  if (open) {
    throw new ArchiveError('configuration.invalid', `http.host: --open serves loopback only, not ${http.host}`)
  }
  if (http.insecure) return
  if (!authenticationReady) {
    throw new ArchiveError('configuration.invalid', `http.host: ${http.host} is not served before an account exists`, {
      hint: 'Start on loopback and use the set-up link, or make a token: diptych token create --role administrator.',
    })
  }
  if (http.tlsCertificate === undefined && http.trustedProxies.length === 0) {
    throw new ArchiveError('configuration.invalid', `http.host: ${http.host} is not served without TLS`, {
      hint: 'Set http.tlsCertificate and http.tlsKey, or http.trustedProxies for a proxy that does TLS, or http.insecure.',
    })
  }
}

/** A body nobody asked for is read away when it is small; a large one is refused before it is sent. */
export function refuseLargeBody(raw: IncomingMessage): void {
  const declared = Number(raw.headers['content-length'] ?? 0)
  if (declared > 65_536 || (raw.headers['transfer-encoding'] !== undefined && raw.method !== 'GET')) {
    throw new ArchiveError('request.too-large', 'this request takes no body')
  }
}

/** With `--open` nobody signs in, so a page elsewhere must not be able to write with the user's browser. */
export function refuseCrossSite(
  headers: FastifyRequest['headers'],
  origin: RequestOrigin,
  config: Pick<Config, 'http'>,
): void {
  const from = headers.origin
  const own = from === undefined || from === new URL(origin.baseUrl).origin || config.http.corsOrigins.includes(from)
  const site = headers['sec-fetch-site']
  if (!own || site === 'cross-site') throw new ArchiveError('request.forbidden', 'requests of other sites are refused')
}

/** HEAD: the headers of GET; a stream that GET would have sent is closed unread. */
export async function withoutBody(_request: FastifyRequest, reply: FastifyReply, payload: unknown): Promise<unknown> {
  if (typeof payload === 'string' || payload instanceof Uint8Array) {
    if (!reply.hasHeader('content-length')) reply.header('content-length', String(Buffer.byteLength(payload)))
    return null
  }
  if (
    typeof payload === 'object' &&
    payload !== null &&
    'destroy' in payload &&
    typeof payload.destroy === 'function'
  ) {
    payload.destroy()
  }
  return null
}

export function answerClientError(error: Error & { code?: string }, socket: Socket): void {
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy()
    return
  }
  const told =
    error.code === 'HPE_HEADER_OVERFLOW'
      ? rawProblem('request.too-large', 431, 'Request Header Fields Too Large', 'The request head is too large.')
      : error.code === 'ERR_HTTP_REQUEST_TIMEOUT'
        ? rawProblem('request.timeout', 408, 'Request Timeout', 'The request head arrived too slowly.')
        : rawProblem('request.malformed', 400, 'Bad Request', 'The request breaks the rules of HTTP.')
  socket.end(told)
}
