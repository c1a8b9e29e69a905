import { readFileSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { type ConnectionOptions, connect as connectTls } from 'node:tls'
import type { Config } from '#config.ts'
import type { NoticeDestination } from '#model/delivery.ts'
import { Hl7Error } from '#standards/hl7v2/errors.ts'
import { parseMessage } from '#standards/hl7v2/message.ts'
import { frame, MllpFramer } from '#standards/hl7v2/mllp.ts'

/** What a receiver says: MSA-1, and what it adds for people. */
export interface PeerAnswer {
  readonly code: string
  readonly text: string
}

const CONNECT_MS = 10_000
/** Longest answer that is read, in bytes. */
const ANSWER_BYTES_MAX = 256 * 1024
/** A connection on which nothing was told for so long is closed. */
const IDLE_MS = 60_000

/** A receiver of HL7 v2 messages: one connection, one message at a time. */
export class MllpPeer {
  readonly #destination: NoticeDestination
  readonly #files: Pick<Config['hl7'], 'tlsCertificate' | 'tlsKey' | 'tlsAuthorities'>
  #socket: Socket | null = null

  constructor(
    destination: NoticeDestination,
    files: Pick<Config['hl7'], 'tlsCertificate' | 'tlsKey' | 'tlsAuthorities'>,
  ) {
    this.#destination = destination
    this.#files = files
  }

  /**
   * Sends one message and waits for its answer. Whatever is not the answer to it ends the connection.
   * @throws Error when there is none in time: whether the receiver has the message is unknown
   */
  async ask(message: Uint8Array, controlId: string, signal: AbortSignal): Promise<PeerAnswer> {
    const socket = this.#socket ?? (await this.#open(signal))
    this.#socket = socket
    try {
      const answer = await exchange(socket, message, this.#destination.answerSeconds * 1000, signal)
      const told = read(answer, controlId)
      socket.setTimeout(IDLE_MS, () => this.close())
      return told
    } catch (error) {
      this.close()
      throw error
    }
  }

  close(): void {
    this.#socket?.destroy()
    this.#socket = null
  }

  #open(signal: AbortSignal): Promise<Socket> {
    const { host, port, tls } = this.#destination
    return new Promise((resolve, reject) => {
      const socket = tls ? connectTls({ host, port, ...this.#secure() }) : connect({ host, port })
      const stop = (error: Error) => {
        socket.destroy()
        reject(error)
      }
      const late = setTimeout(() => stop(new Error('no connection in time')), CONNECT_MS)
      const aborted = () => stop(new Error('stopped'))
      signal.addEventListener('abort', aborted, { once: true })
      const settle = () => {
        clearTimeout(late)
        signal.removeEventListener('abort', aborted)
      }
      socket.setNoDelay(true)
      socket.once(tls ? 'secureConnect' : 'connect', () => {
        settle()
        socket.on('close', () => {
          if (this.#socket === socket) this.#socket = null
        })
        resolve(socket)
      })
      socket.on('error', (error) => {
        settle()
        reject(error)
      })
    })
  }

  /** Authorities of the site where it names any; our certificate, for receivers that ask for one. */
  #secure(): ConnectionOptions {
    const { tlsCertificate, tlsKey, tlsAuthorities } = this.#files
    const { host } = this.#destination
    const own = tlsCertificate !== undefined && tlsKey !== undefined
    return {
      minVersion: 'TLSv1.2',
      ...(/^[\d.:]+$/.test(host) ? {} : { servername: host }),
      ...(tlsAuthorities === undefined ? {} : { ca: readFileSync(tlsAuthorities) }),
      ...(own ? { cert: readFileSync(tlsCertificate), key: readFileSync(tlsKey) } : {}),
    }
  }
}

function exchange(socket: Socket, message: Uint8Array, waitMs: number, signal: AbortSignal): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    const framer = new MllpFramer(ANSWER_BYTES_MAX)
    const late = setTimeout(() => settle(new Error('no answer in time')), waitMs)
    const take = (chunk: Buffer) => {
      const [first] = framer.push(chunk)
      if (first === undefined) return
      if (first.is === 'message') settle(null, first.bytes)
      else settle(new Error('the answer is no message'))
    }
    const over = () => settle(new Error('the connection ended without an answer'))
    const failed = (error: Error) => settle(error)
    const aborted = () => settle(new Error('stopped'))
    function settle(error: Error | null, bytes?: Uint8Array): void {
      clearTimeout(late)
      socket.off('data', take).off('close', over).off('error', failed)
      signal.removeEventListener('abort', aborted)
      if (bytes !== undefined) resolve(bytes)
      else reject(error ?? new Error('no answer'))
    }
    socket.on('data', take).on('close', over).on('error', failed)
    signal.addEventListener('abort', aborted, { once: true })
    if (socket.destroyed) over()
    else socket.write(frame(message))
  })
}

function read(answer: Uint8Array, controlId: string): PeerAnswer {
  try {
    const message = parseMessage(answer)
    const msa = message.first('MSA')
    if (msa === undefined) throw new Error('the answer has no MSA')
    if (msa.text(2) !== controlId) throw new Error('the answer is to another message')
    const error = message.first('ERR')
    const text = [msa.text(3), error?.text(3) ?? '', error?.whole(8) ?? ''].filter((part) => part !== '').join(' ')
    return { code: msa.text(1).toUpperCase(), text: text.replace(/[^\P{Cc}]/gu, ' ').slice(0, 500) }
  } catch (error) {
    if (error instanceof Hl7Error) throw new Error('the answer cannot be read', { cause: error })
    throw error
  }
}
