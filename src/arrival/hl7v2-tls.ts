import { createHash } from 'node:crypto'
import { readFileSync, statSync } from 'node:fs'
import { createServer, type Server, type TLSSocket, type TlsOptions } from 'node:tls'
import type { Config } from '#config.ts'
import { ArchiveError } from '#errors.ts'

const RELOAD_CHECK_MS = 5000

/** A TLS server that listens later and reads its certificate again when it changes. */
export interface TlsListener {
  readonly server: Server
  /** Stops looking for a changed certificate. */
  stop(): void
}

type Files = Pick<Config['hl7'], 'tlsCertificate' | 'tlsKey' | 'tlsAuthorities'>

/**
 * Makes the TLS server of the HL7 v2 door. With authorities every sender needs a certificate of theirs; without, a
 * certificate is asked for and its digest told, so that it can be registered, but proves nothing by itself.
 *
 * @throws ArchiveError 'configuration.invalid' when certificate, key or authorities cannot be used
 */
export function createTlsListener(files: Files, onFault: (error: unknown) => void): TlsListener {
  const server = makeServer(files)
  let seen = changedAt(files)
  const timer = setInterval(() => {
    try {
      const now = changedAt(files)
      if (now === seen) return
      server.setSecureContext(readFiles(files))
      seen = now
    } catch (error) {
      onFault(error) // half-written files are tried again; the certificate in use stays
    }
  }, RELOAD_CHECK_MS).unref()
  return { server, stop: () => clearInterval(timer) }
}

function makeServer(files: Files): Server {
  const mutual = files.tlsAuthorities !== undefined
  const read = readFiles(files)
  try {
    return createServer({ ...read, requestCert: true, rejectUnauthorized: mutual, handshakeTimeout: 20_000 })
  } catch (cause) {
    throw invalid(cause)
  }
}

function readFiles({ tlsCertificate, tlsKey, tlsAuthorities }: Files): TlsOptions {
  if (tlsCertificate === undefined || tlsKey === undefined) {
    throw new ArchiveError('configuration.invalid', 'hl7.tlsPort needs hl7.tlsCertificate and hl7.tlsKey')
  }
  try {
    return {
      cert: readFileSync(tlsCertificate),
      key: readFileSync(tlsKey),
      ...(tlsAuthorities === undefined ? {} : { ca: readFileSync(tlsAuthorities) }),
      minVersion: 'TLSv1.2',
    }
  } catch (cause) {
    throw invalid(cause)
  }
}

function invalid(cause: unknown): ArchiveError {
  const why = cause instanceof Error ? cause.message : 'unreadable'
  return new ArchiveError('configuration.invalid', `hl7.tlsCertificate, hl7.tlsKey, hl7.tlsAuthorities: ${why}`, {
    cause,
  })
}

function changedAt(files: Files): string {
  const names = [files.tlsCertificate, files.tlsKey, files.tlsAuthorities].filter((name) => name !== undefined)
  return names.map((name) => statSync(name).mtimeMs).join(' ')
}

/** SHA-256 of a sender's certificate, hexadecimal; null when it showed none or one that the authorities do not know. */
export function certificateOf(socket: TLSSocket, mutual: boolean): string | null {
  const raw: Buffer | undefined = socket.getPeerCertificate().raw
  if (raw === undefined || (mutual && !socket.authorized)) return null
  return createHash('sha256').update(raw).digest('hex')
}
