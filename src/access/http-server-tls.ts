import { readFileSync, statSync } from 'node:fs'
import { createServer as createHttp, type RequestListener, type Server, type ServerOptions } from 'node:http'
import { createServer as createHttps, type Server as HttpsServer } from 'node:https'
import type { Config } from '#config.ts'
import { ArchiveError } from '#errors.ts'
import { shareConnections } from '#security/address-share.ts'
import { proxyReader } from './http-server-origin.ts'
import type { ErrorLog } from './http-server-problem.ts'

const RELOAD_CHECK_MS = 5000
const KEEP_ALIVE_MS = 65_000

/** A server that listens later, and how to make it read its certificate again. */
export interface Listener {
  readonly server: Server | HttpsServer
  readonly secure: boolean
  /** Reads certificate and key again. @throws ArchiveError 'configuration.invalid'; then the old ones stay */
  reload(): void
  /** Stops looking for a changed certificate. */
  stop(): void
}

/**
 * Makes the HTTP or HTTPS server with strict parsing and the time limits of threats.md section 4. Bodies have no time
 * limit as a whole: a large study may take hours, its minimum rate is watched elsewhere.
 *
 * @throws ArchiveError 'configuration.invalid' when certificate or key cannot be used
 */
export function createListener(
  config: Pick<Config, 'http' | 'limits'>,
  handler: RequestListener,
  onExpectContinue: RequestListener,
  log: ErrorLog | undefined,
): Listener {
  const { limits } = config
  const isProxy = proxyReader(config.http)
  const options: ServerOptions = {
    maxHeaderSize: limits.httpHeaderBytes,
    headersTimeout: limits.httpHeaderSeconds * 1000,
    requestTimeout: 0,
    keepAliveTimeout: KEEP_ALIVE_MS,
    connectionsCheckingInterval: Math.min(1000, limits.httpHeaderSeconds * 500),
    requireHostHeader: true,
    insecureHTTPParser: false,
    noDelay: true,
  }
  const { tlsCertificate, tlsKey } = config.http
  if (tlsCertificate === undefined || tlsKey === undefined) {
    const server = configure(createHttp(options, handler), limits, onExpectContinue, isProxy)
    return { server, secure: false, reload: () => undefined, stop: () => undefined }
  }
  const files = { certificate: tlsCertificate, key: tlsKey }
  const secureServer = createHttps({ ...options, ...readPair(files), minVersion: 'TLSv1.2' }, handler)
  const server = configure(secureServer, limits, onExpectContinue, isProxy)
  const reload = () => secureServer.setSecureContext({ ...readPair(files), minVersion: 'TLSv1.2' })
  let seen = changedAt(files)
  const timer = setInterval(() => {
    try {
      const now = changedAt(files)
      if (now === seen) return
      reload()
      seen = now
    } catch (error) {
      // Half-written files are tried again; the certificate in use stays.
      log?.error({ err: error }, 'certificate not reloaded')
    }
  }, RELOAD_CHECK_MS).unref()
  return { server, secure: true, reload, stop: () => clearInterval(timer) }
}

function configure<S extends Server | HttpsServer>(
  server: S,
  limits: Config['limits'],
  onExpectContinue: RequestListener,
  isProxy: (address: string) => boolean,
): S {
  server.maxHeadersCount = limits.httpHeaders + 1 // one more, so that an excess is seen and refused, not cut off
  server.maxConnections = limits.httpConnections
  shareConnections(server, limits.httpConnectionsPerAddress, isProxy)
  server.timeout = limits.httpStalledSeconds * 1000
  // With a listener Node leaves the decision to it: only a caller who does not take what was sent is cut off, a
  // quiet one may wait (an import that runs, an event stream without events).
  server.on('timeout', (socket) => {
    if (socket.writableLength > 0) socket.destroy()
  })
  server.on('checkContinue', onExpectContinue)
  return server
}

function readPair(files: { certificate: string; key: string }): { cert: Buffer; key: Buffer } {
  try {
    return { cert: readFileSync(files.certificate), key: readFileSync(files.key) }
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : 'unreadable'
    throw new ArchiveError('configuration.invalid', `http.tlsCertificate, http.tlsKey: ${why}`, { cause })
  }
}

function changedAt(files: { certificate: string; key: string }): string {
  return `${statSync(files.certificate).mtimeMs} ${statSync(files.key).mtimeMs}`
}
