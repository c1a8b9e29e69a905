/** Where audit messages go: a syslog server by TLS (RFC 5425), TCP (RFC 6587) or UDP (RFC 5426). */
import dgram from 'node:dgram'
import net from 'node:net'
import tls from 'node:tls'
import { octetCounted } from '#standards/syslog/message.ts'

export interface SyslogTarget {
  readonly transport: 'tls' | 'tcp' | 'udp'
  readonly host: string
  readonly port: number
  /** PEM, for TLS: authorities the server must come from (default: those of the system), our certificate and key. */
  readonly authorities?: string
  readonly certificate?: string
  readonly key?: string
}

export interface SyslogSink {
  /**
   * Resolves when all were handed to the network and the connection still stood a moment later. Syslog has no
   * acknowledgement: what was under way when a server died may be sent twice, and at worst that moment is lost.
   * @throws when it could not be sent; the next call connects anew
   */
  send(messages: readonly Uint8Array[]): Promise<void>
  close(): void
}

/** Time to connect, and for the network to take a batch, in milliseconds. */
const CONNECT_MS = 10_000
const WRITE_MS = 30_000
/** A server that is gone says so within this after the last byte, in milliseconds. */
const PROOF_MS = 100
/** Largest datagram, in bytes: what one of IPv4 holds. */
const DATAGRAM_BYTES_MAX = 65_507

/** @returns undefined for text that names no target; `tls://host:6514`, `tcp://host:601`, `udp://[::1]:514` */
export function parseTarget(url: string): Pick<SyslogTarget, 'transport' | 'host' | 'port'> | undefined {
  const parts = /^(tls|tcp|udp):\/\/(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]+):(\d{1,5})$/.exec(url)
  const [, transport, host = '', port] = parts ?? []
  if (transport !== 'tls' && transport !== 'tcp' && transport !== 'udp') return undefined
  if (Number(port) < 1 || Number(port) > 65_535) return undefined
  return { transport, host: host.replace(/^\[|\]$/g, ''), port: Number(port) }
}

export function openSink(target: SyslogTarget): SyslogSink {
  return target.transport === 'udp' ? datagrams(target) : stream(target)
}

function stream(target: SyslogTarget): SyslogSink {
  let socket: net.Socket | undefined

  function connect(): Promise<net.Socket> {
    return new Promise((resolve, reject) => {
      const { host, port, authorities, certificate, key } = target
      const opened =
        target.transport === 'tls'
          ? tls.connect({
              ...{ host, port, minVersion: 'TLSv1.2' as const },
              ...(net.isIP(host) === 0 ? { servername: host } : {}),
              ...(authorities === undefined ? {} : { ca: authorities }),
              ...(certificate === undefined || key === undefined ? {} : { cert: certificate, key }),
            })
          : net.connect({ host, port })
      const timer = setTimeout(() => opened.destroy(new Error('it does not answer')), CONNECT_MS)
      const settled = () => clearTimeout(timer)
      opened.once(target.transport === 'tls' ? 'secureConnect' : 'connect', () => {
        settled()
        resolve(opened)
      })
      opened.once('error', (error) => {
        settled()
        reject(error)
      })
      opened.once('close', () => {
        settled()
        if (socket === opened) socket = undefined
        reject(new Error('the connection was closed'))
      })
      // What a syslog server says is not asked for; unread it would fill up.
      opened.resume()
      opened.on('error', () => opened.destroy())
      opened.once('end', () => opened.destroy())
    })
  }

  return {
    async send(messages) {
      socket ??= await connect()
      const used = socket
      await new Promise<void>((resolve, reject) => {
        const timer = setTimeout(() => fail(new Error('it does not take what is sent')), WRITE_MS)
        const gone = () => fail(new Error('the connection was closed'))
        const done = () => {
          clearTimeout(timer)
          used.off('close', gone)
        }
        const fail = (error: Error) => {
          done()
          used.destroy()
          reject(error)
        }
        used.once('close', gone)
        used.write(Buffer.concat(messages.map(octetCounted)), (error) => {
          if (error) return fail(error)
          setTimeout(() => {
            if (used.destroyed) return fail(new Error('the connection was closed'))
            done()
            resolve()
          }, PROOF_MS)
        })
      })
    },
    close: () => void socket?.destroy(),
  }
}

function datagrams({ host, port }: SyslogTarget): SyslogSink {
  const socket = dgram.createSocket(net.isIP(host) === 6 ? 'udp6' : 'udp4')
  socket.unref()
  // An answer that nobody listens (ICMP) comes with the next send.
  socket.on('error', () => undefined)
  return {
    async send(messages) {
      for (const message of messages) {
        const part = message.length > DATAGRAM_BYTES_MAX ? message.subarray(0, DATAGRAM_BYTES_MAX) : message
        await new Promise<void>((resolve, reject) => {
          socket.send(part, port, host, (error) => (error === null ? resolve() : reject(error)))
        })
      }
    },
    close: () => socket.close(),
  }
}
