import { connect, type Socket } from 'node:net'
import type { PieceVerdict, Scanner, ScannerIdentity, ScanPiece } from './scanner.ts'

export interface ClamdOptions {
  /** Connections at a time; more wait. */
  readonly connections?: number
  readonly connectTimeoutMs?: number
  /** Longest silence of the daemon. */
  readonly answerTimeoutMs?: number
  /** Longest time one piece may take. */
  readonly pieceTimeoutMs?: number
  /** How long an answer to VERSION is believed. */
  readonly identityTtlMs?: number
}

const CHUNK_BYTES_MAX = 64 * 1024
const ANSWER_BYTES_MAX = 8 * 1024

class ClamdTrouble extends Error {
  /** The connection broke while a piece was being sent: the answer may have been lost on the way. */
  readonly midway: boolean

  constructor(message: string, midway = false) {
    super(message)
    this.midway = midway
  }
}

/** How often a piece is sent again when the connection broke midway. */
const ATTEMPTS_MAX = 3

/**
 * A client of the ClamAV daemon: commands PING, VERSION and INSTREAM in their `z` form (ended by NUL).
 *
 * Nothing here throws at the caller: a daemon that is down or talks nonsense is a verdict of its own. clamd(8).
 *
 * @param address `host:port`, `[v6]:port`, or the path of a Unix socket
 */
export function createClamd(address: string, options: ClamdOptions = {}): Scanner {
  return new Clamd(address, options)
}

class Clamd implements Scanner {
  private readonly address: string
  private readonly options: Required<ClamdOptions>
  private readonly open = new Set<Socket>()
  private readonly waiting: (() => void)[] = []
  private busy = 0
  private closed = false
  private known: { readonly identity: ScannerIdentity; readonly until: number } | null = null

  constructor(address: string, options: ClamdOptions) {
    this.address = address
    this.options = {
      connections: 4,
      connectTimeoutMs: 5_000,
      answerTimeoutMs: 120_000,
      pieceTimeoutMs: 600_000,
      identityTtlMs: 60_000,
      ...options,
    }
  }

  async identity(): Promise<ScannerIdentity | null> {
    const now = performance.now()
    if (this.known !== null && this.known.until > now) return this.known.identity
    try {
      const answer = await this.command('zVERSION\0', null)
      const identity = identityOf(answer)
      if (identity === null) return null
      this.known = { identity, until: now + this.options.identityTtlMs }
      return identity
    } catch (thrown) {
      if (!(thrown instanceof ClamdTrouble)) throw thrown
      this.known = null
      return null
    }
  }

  async scan(piece: ScanPiece): Promise<PieceVerdict> {
    for (let attempt = 1; ; attempt++) {
      try {
        return verdictOf(await this.command('zINSTREAM\0', piece))
      } catch (thrown) {
        if (!(thrown instanceof ClamdTrouble)) throw thrown
        if (thrown.midway && attempt < ATTEMPTS_MAX) continue
        // The next identity() must find out whether it is still there.
        this.known = null
        return { is: 'error', detail: thrown.message }
      }
    }
  }

  /** Answers PONG when the daemon is well. */
  async ping(): Promise<boolean> {
    try {
      return (await this.command('zPING\0', null)) === 'PONG'
    } catch (thrown) {
      if (thrown instanceof ClamdTrouble) return false
      throw thrown
    }
  }

  async close(): Promise<void> {
    this.closed = true
    for (const socket of this.open) socket.destroy()
    for (const wake of this.waiting.splice(0)) wake()
  }

  private async command(words: string, piece: ScanPiece | null): Promise<string> {
    while (this.busy >= this.options.connections) await new Promise<void>((resolve) => this.waiting.push(resolve))
    if (this.closed) throw new ClamdTrouble('the virus scanner client was closed')
    this.busy++
    try {
      return await this.converse(words, piece)
    } finally {
      this.busy--
      this.waiting.shift()?.()
    }
  }

  private async converse(words: string, piece: ScanPiece | null): Promise<string> {
    const socket = this.dial()
    this.open.add(socket)
    const { options } = this
    const answer = Promise.withResolvers<string>()
    // Someone always listens: an error while nobody awaits must not end the process.
    answer.promise.catch(() => {})
    let text = ''
    let connected = false
    const deadline = setTimeout(() => fail('the virus scanner took too long'), options.pieceTimeoutMs)
    const fail = (detail: string) => {
      answer.reject(new ClamdTrouble(detail))
      socket.destroy()
    }
    socket.setTimeout(options.connectTimeoutMs, () => {
      fail(connected ? 'the virus scanner did not answer' : 'the virus scanner cannot be reached')
    })
    socket.once('connect', () => {
      connected = true
      socket.setTimeout(options.answerTimeoutMs)
    })
    socket.on('data', (chunk: Buffer) => {
      text += chunk.toString('latin1')
      const end = text.indexOf('\0')
      if (end >= 0) answer.resolve(text.slice(0, end))
      else if (text.length > ANSWER_BYTES_MAX) fail('the virus scanner answered at too great length')
    })
    socket.once('error', (error: NodeJS.ErrnoException) => {
      const detail = `the virus scanner cannot be reached (${error.code ?? error.message})`
      answer.reject(new ClamdTrouble(detail, connected && piece !== null))
      socket.destroy()
    })
    socket.once('end', () => {
      if (text === '') fail('the virus scanner closed the connection without an answer')
      else answer.resolve(text.trim())
    })
    socket.once('close', () => answer.reject(new ClamdTrouble('the virus scanner closed the connection')))
    try {
      socket.write(words)
      if (piece !== null) await Promise.race([this.stream(socket, piece), answer.promise])
      return await answer.promise
    } finally {
      clearTimeout(deadline)
      this.open.delete(socket)
      socket.destroy()
    }
  }

  private dial(): Socket {
    if (this.address.startsWith('/')) return connect({ path: this.address })
    const colon = this.address.lastIndexOf(':')
    const host = this.address.slice(0, colon).replace(/^\[|\]$/g, '')
    return connect({ host, port: Number(this.address.slice(colon + 1)) })
  }

  private async stream(socket: Socket, piece: ScanPiece): Promise<void> {
    for (const chunk of piece.chunks()) {
      for (let at = 0; at < chunk.byteLength; at += CHUNK_BYTES_MAX) {
        const part = chunk.subarray(at, Math.min(chunk.byteLength, at + CHUNK_BYTES_MAX))
        // Copied: the source may reuse its buffer while the socket still holds this one.
        const frame = Buffer.allocUnsafe(4 + part.byteLength)
        frame.writeUInt32BE(part.byteLength, 0)
        frame.set(part, 4)
        // What the daemon said is read before the next write can fail: one that refuses a long stream answers and closes.
        await new Promise<void>((resolve) => setImmediate(resolve))
        if (socket.destroyed || socket.readableEnded) return
        if (!socket.write(frame)) await drained(socket)
      }
    }
    if (!socket.destroyed) socket.write(Buffer.alloc(4))
  }
}

function drained(socket: Socket): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      socket.off('drain', done)
      socket.off('close', done)
      resolve()
    }
    socket.on('drain', done)
    socket.on('close', done)
  })
}

/** `ClamAV 1.0.7/27123/Mon Nov 23 09:12:00 2026`; without public signatures only the first part. */
function identityOf(answer: string): ScannerIdentity | null {
  if (!answer.startsWith('ClamAV ')) return null
  const [engine = '', version, date] = answer.split('/')
  const signatures = version === undefined ? 'local signatures' : `${version} of ${date ?? 'unknown date'}`
  return { engine, signatures }
}

/** `stream: OK`, `stream: NAME FOUND`, `INSTREAM size limit exceeded. ERROR`, `... ERROR`. */
export function verdictOf(answer: string): PieceVerdict {
  const text = answer.replace(/^stream: /, '').trim()
  if (text === 'OK') return { is: 'clean' }
  if (text.endsWith(' FOUND')) {
    const signature = text.slice(0, -' FOUND'.length)
    // With AlertExceedsMax a limit is told as a finding of this name: it means not scanned.
    if (signature.startsWith('Heuristics.Limits.Exceeded')) return { is: 'limit', detail: signature }
    return { is: 'infected', signature }
  }
  if (/size limit exceeded/i.test(text))
    return { is: 'limit', detail: 'larger than the scanner accepts (StreamMaxLength)' }
  return { is: 'error', detail: `the virus scanner answered ${JSON.stringify(text.slice(0, 120))}` }
}
