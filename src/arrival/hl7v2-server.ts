import { createServer, type Server, type Socket } from 'node:net'
import type { TLSSocket } from 'node:tls'
import type { Config } from '#config.ts'
import { ArchiveError } from '#errors.ts'
import type { MessageDesk } from '#model/message.ts'
import { shareConnections } from '#security/address-share.ts'
import { Hl7Connection } from './hl7v2-connection.ts'
import { MessageRoom } from './hl7v2-room.ts'
import { certificateOf, createTlsListener, type TlsListener } from './hl7v2-tls.ts'

export interface Hl7ServerOptions {
  readonly config: Pick<Config, 'hl7' | 'limits'>
  readonly desk: MessageDesk
  onFault(error: unknown, what: string): void
}

/** The HL7 v2 door, open. */
export interface Hl7Server {
  /** Null when only the TLS port is open. */
  readonly port: number | null
  readonly tlsPort: number | null
  readonly host: string
  /** Messages that have arrived are answered within `drainMs`; then what is left is closed. */
  close(drainMs?: number): Promise<void>
}

/** A peer must take an answer within this long. */
const ANSWER_MS = 30_000

/**
 * Opens the MLLP listeners.
 * @returns null when both ports are off
 * @throws ArchiveError 'configuration.invalid' for a port that is taken or a certificate that cannot be used
 */
export async function startHl7({ config, desk, onFault }: Hl7ServerOptions): Promise<Hl7Server | null> {
  const { hl7, limits } = config
  if (hl7.port === 'off' && hl7.tlsPort === 'off') return null
  const connections = new Set<Hl7Connection>()
  // Messages of all connections together: a few of the largest size, whatever the number of connections.
  const room = new MessageRoom(limits.hl7MessageBytes * 4)
  const tools = {
    desk,
    limits: {
      messageBytes: limits.hl7MessageBytes,
      idleMs: limits.hl7IdleSeconds * 1000,
      messageMs: limits.hl7MessageSeconds * 1000,
      answerMs: ANSWER_MS,
    },
    onFault: (error: unknown) => onFault(error, 'an HL7 v2 connection failed'),
  }
  const take = (socket: Socket, certificate: string | null): void => {
    const address = plainAddress(socket.remoteAddress)
    if (connections.size >= limits.hl7Connections) {
      socket.destroy()
      return
    }
    const connection = new Hl7Connection(socket, { address, certificate }, { ...tools, room: room.of(address) })
    connections.add(connection)
    void connection.closed.then(() => connections.delete(connection))
  }

  const servers: Server[] = []
  let tls: TlsListener | undefined
  try {
    const options = { allowHalfOpen: true, noDelay: true, pauseOnConnect: false }
    const plain = hl7.port === 'off' ? null : createServer(options, (socket) => take(socket, null))
    if (plain !== null) servers.push(plain)
    if (hl7.tlsPort !== 'off') {
      tls = createTlsListener(hl7, (error) => onFault(error, 'the certificate of the HL7 v2 door was not reloaded'))
      const mutual = hl7.tlsAuthorities !== undefined
      tls.server.on('secureConnection', (socket: TLSSocket) => take(socket, certificateOf(socket, mutual)))
      tls.server.on('tlsClientError', (_error, socket) => socket.destroy()) // a handshake that failed: theirs to see
      servers.push(tls.server)
    }
    for (const server of servers) {
      server.maxConnections = limits.hl7Connections
      shareConnections(server, limits.hl7ConnectionsPerAddress)
    }
    if (plain !== null) await listen(plain, hl7.host, hl7.port, 'hl7.port')
    if (tls !== undefined) await listen(tls.server, hl7.host, hl7.tlsPort, 'hl7.tlsPort')
    return {
      host: hl7.host,
      port: portOf(plain),
      tlsPort: portOf(tls?.server ?? null),
      async close(drainMs = 8000) {
        tls?.stop()
        const ended = servers.map((server) => new Promise<void>((resolve) => server.close(() => resolve())))
        for (const connection of connections) connection.finish()
        const late = setTimeout(() => {
          for (const connection of connections) connection.destroy()
        }, drainMs)
        await Promise.all([...ended, ...[...connections].map(({ closed }) => closed)])
        clearTimeout(late)
      },
    }
  } catch (error) {
    tls?.stop()
    for (const server of servers) server.close()
    throw error
  }
}

function listen(server: Server, host: string, port: number | 'off', setting: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (cause) => {
      reject(new ArchiveError('configuration.invalid', `${setting}: ${cause.message}`, { cause }))
    })
    server.listen({ host, port: port === 'off' ? 0 : port }, () => resolve())
  })
}

function portOf(server: Server | null): number | null {
  const address = server?.address()
  return typeof address === 'object' && address !== null ? address.port : null
}

/** An IPv4 address that came over an IPv6 socket, as it is registered. */
function plainAddress(address: string | undefined): string | null {
  return address?.replace(/^::ffff:/, '') ?? null
}
