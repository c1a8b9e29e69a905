import { readFileSync, statSync } from 'node:fs'
import { createServer, type SecureContextOptions, type Server, type TLSSocket } from 'node:tls'
import type { Config } from '#config.ts'
import { ArchiveError } from '#errors.ts'

const RELOAD_CHECK_MS = 5000

/**
 * Suites of the BCP 195 RFC 8996, 9325 TLS Secure Transport Connection Profile: TLS 1.3 where both have it, else TLS 1.2
 * with ephemeral keys and authenticated encryption. PS3.15 section B.12; RFC 9325 section 4.2.
 */
const CIPHERS = [
  ...['TLS_AES_256_GCM_SHA384', 'TLS_CHACHA20_POLY1305_SHA256', 'TLS_AES_128_GCM_SHA256'],
  ...['ECDHE-ECDSA-AES256-GCM-SHA384', 'ECDHE-RSA-AES256-GCM-SHA384'],
  ...['ECDHE-ECDSA-CHACHA20-POLY1305', 'ECDHE-RSA-CHACHA20-POLY1305'],
  ...['ECDHE-ECDSA-AES128-GCM-SHA256', 'ECDHE-RSA-AES128-GCM-SHA256'],
  ...['DHE-RSA-AES256-GCM-SHA384', 'DHE-RSA-AES128-GCM-SHA256'],
].join(':')

/** A TLS server that listens later. */
export interface TlsDoor {
  readonly server: Server
  /** Reads certificate, key and authorities again. @throws ArchiveError 'configuration.invalid'; then the old ones stay */
  reload(): void
  /** Stops looking for changed files. */
  stop(): void
}

/**
 * Makes the TLS server of the DICOM door. Every caller is asked for its certificate. With `dimse.tlsAuthorities` it must
 * have one of theirs; without, the certificate only counts where its digest is registered with a peer.
 *
 * @param onSocket called once the handshake is over
 * @throws ArchiveError 'configuration.invalid' when a file cannot be used
 */
export function createTlsDoor(
  config: Config['dimse'],
  handshakeMs: number,
  onSocket: (socket: TLSSocket) => void,
  onError: (error: unknown, what: string) => void,
): TlsDoor {
  const { tlsCertificate, tlsKey, tlsAuthorities } = config
  const paths = [tlsCertificate, tlsKey, tlsAuthorities].flatMap((path) => path ?? [])
  const context = (): SecureContextOptions => ({
    cert: readPem(tlsCertificate, 'dimse.tlsCertificate'),
    key: readPem(tlsKey, 'dimse.tlsKey'),
    ...(tlsAuthorities === undefined ? {} : { ca: readPem(tlsAuthorities, 'dimse.tlsAuthorities') }),
    minVersion: 'TLSv1.2',
    ciphers: CIPHERS,
    honorCipherOrder: true,
    dhparam: 'auto',
  })
  let server: Server
  try {
    server = createServer(
      {
        ...context(),
        requestCert: true,
        rejectUnauthorized: tlsAuthorities !== undefined,
        handshakeTimeout: handshakeMs,
        noDelay: true,
      },
      onSocket,
    )
  } catch (cause) {
    if (cause instanceof ArchiveError) throw cause
    throw unusable('dimse.tlsCertificate, dimse.tlsKey', cause)
  }
  // A handshake that fails is the caller's affair: the socket is closed already.
  server.on('tlsClientError', (_error, socket) => socket.destroy())
  const changedAt = () => paths.map((path) => statSync(path).mtimeMs).join(' ')
  let seen = changedAt()
  const timer = setInterval(() => {
    try {
      const now = changedAt()
      if (now === seen) return
      server.setSecureContext(context())
      seen = now
    } catch (error) {
      // Half-written files are tried again; the certificate in use stays.
      onError(error, 'certificate of the DICOM door not reloaded')
    }
  }, RELOAD_CHECK_MS).unref()
  return { server, reload: () => server.setSecureContext(context()), stop: () => clearInterval(timer) }
}

/** SHA-256 (hex) of the client's certificate; null when it showed none. */
export function certificateOf(socket: TLSSocket): string | null {
  const { fingerprint256 } = socket.getPeerCertificate()
  return typeof fingerprint256 === 'string' ? fingerprint256.replaceAll(':', '').toLowerCase() : null
}

function readPem(path: string | undefined, setting: string): Buffer {
  try {
    return readFileSync(path ?? '')
  } catch (cause) {
    throw unusable(setting, cause)
  }
}

function unusable(setting: string, cause: unknown): ArchiveError {
  const why = cause instanceof Error ? cause.message : 'unreadable'
  return new ArchiveError('configuration.invalid', `${setting}: ${why}`, { cause })
}
