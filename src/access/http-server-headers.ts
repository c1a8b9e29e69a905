import type { IncomingMessage, ServerResponse } from 'node:http'
import { ArchiveError } from '#errors.ts'

/** `default-src 'self'`, nothing inline, nothing from elsewhere; images may come from memory (decoded frames). */
export const CONTENT_SECURITY_POLICY = [
  "default-src 'self'",
  "img-src 'self' blob: data:",
  "worker-src 'self' blob:",
  "object-src 'none'",
  "base-uri 'none'",
  "form-action 'self'",
  "frame-ancestors 'none'",
].join('; ')

/**
 * A header value that cannot become another header: CR, LF, NUL and whatever Latin-1 lacks are refused.
 * threats.md R10. Values from input pass through here.
 * @throws ArchiveError 'request.malformed'
 */
export function headerValue(value: string): string {
  for (let at = 0; at < value.length; at += 1) {
    const code = value.charCodeAt(at)
    if ((code < 0x20 && code !== 0x09) || code === 0x7f || code > 0xff) {
      throw new ArchiveError('request.malformed', 'a header value holds a character that headers cannot carry')
    }
  }
  return value
}

/**
 * Sets what every answer carries, on the raw response: also routes that write it themselves cannot forget. A route
 * that sets one of these itself has the last word.
 */
export function setCommonHeaders(
  response: ServerResponse,
  about: { readonly secure: boolean; readonly public: boolean },
): void {
  response.setHeader('content-security-policy', CONTENT_SECURITY_POLICY)
  response.setHeader('x-content-type-options', 'nosniff')
  response.setHeader('x-frame-options', 'DENY')
  response.setHeader('referrer-policy', 'no-referrer')
  response.setHeader('cross-origin-opener-policy', 'same-origin')
  response.setHeader('cross-origin-resource-policy', 'same-origin')
  response.setHeader('permissions-policy', 'camera=(), geolocation=(), microphone=()')
  response.setHeader('cache-control', about.public ? 'no-cache' : 'no-store')
  if (about.secure) response.setHeader('strict-transport-security', 'max-age=31536000')
}

/** Headers a listed origin may send and read. */
const CORS_REQUEST_HEADERS = 'Accept, Authorization, Content-Type, If-None-Match, Range, Upload-Offset, X-CSRF-Token'
const CORS_RESPONSE_HEADERS =
  'Content-Location, Content-Range, ETag, Link, Location, Retry-After, Upload-Offset, Warning, WWW-Authenticate'

/**
 * CORS for listed origins; for all others the headers are simply absent. Never `*`.
 * @returns true when the request is a preflight: it has to be answered here, before anybody signs in
 */
export function setCorsHeaders(
  request: IncomingMessage,
  response: ServerResponse,
  origins: readonly string[],
  methods: string,
): boolean {
  if (origins.length > 0) response.setHeader('vary', 'Origin')
  const { origin } = request.headers
  const preflight =
    request.method === 'OPTIONS' && origin !== undefined && 'access-control-request-method' in request.headers
  if (origin === undefined || !origins.includes(origin)) return preflight
  response.setHeader('access-control-allow-origin', origin)
  response.setHeader('access-control-allow-credentials', 'true')
  response.setHeader('cross-origin-resource-policy', 'cross-origin')
  if (preflight) {
    response.setHeader('access-control-allow-methods', methods)
    response.setHeader('access-control-allow-headers', CORS_REQUEST_HEADERS)
    response.setHeader('access-control-max-age', '600')
  } else {
    response.setHeader('access-control-expose-headers', CORS_RESPONSE_HEADERS)
  }
  return preflight
}

/** Fields of which a second one would let two readers of the request disagree. */
const ONCE = new Set([
  'authorization',
  'content-encoding',
  'content-length',
  'content-type',
  'cookie',
  'host',
  'transfer-encoding',
  'x-csrf-token',
])

/**
 * @param headersMax fields allowed
 * @throws ArchiveError 'request.malformed' for what two readers could understand differently
 */
export function checkRequestHead(request: IncomingMessage, headersMax: number): void {
  const { rawHeaders } = request
  if (rawHeaders.length / 2 > headersMax) {
    throw new ArchiveError('request.malformed', `more than ${headersMax} header fields`)
  }
  let seen: Set<string> | undefined
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const name = rawHeaders[at]?.toLowerCase() ?? ''
    if (!ONCE.has(name)) continue
    seen ??= new Set()
    if (seen.has(name)) throw new ArchiveError('request.malformed', `${name} stands twice`)
    seen.add(name)
  }
  const coding = request.headers['transfer-encoding']
  if (coding !== undefined && (coding.toLowerCase() !== 'chunked' || request.headers['content-length'] !== undefined)) {
    throw new ArchiveError('request.malformed', 'transfer-encoding: only "chunked", and not beside content-length')
  }
}

/** @returns value of the first cookie of that name */
export function cookieOf(header: string | undefined, name: string): string | undefined {
  if (header === undefined) return undefined
  for (const pair of header.split(';')) {
    const at = pair.indexOf('=')
    if (at > 0 && pair.slice(0, at).trim() === name) return pair.slice(at + 1).trim()
  }
  return undefined
}

/** `__Host-` binds the cookie to this host and to HTTPS; over plain loopback the prefix is not possible. */
export function sessionCookieName(secure: boolean): string {
  return secure ? '__Host-diptych_session' : 'diptych_session'
}

export function sessionCookie(value: string, maxAgeSeconds: number, secure: boolean): string {
  const attributes = `Path=/; Max-Age=${maxAgeSeconds}; HttpOnly; SameSite=Lax${secure ? '; Secure' : ''}`
  return `${sessionCookieName(secure)}=${headerValue(value)}; ${attributes}`
}
