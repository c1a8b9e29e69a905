import type { IncomingMessage, ServerResponse } from 'node:http'
import { ArchiveError } from '#errors.ts'
import { rawProblem } from './http-server-problem.ts'

/** Places for requests that are served at once: for all, and of these for one subject. threats.md R22. */
export class Places {
  readonly #all: number
  readonly #perSubject: number
  readonly #bySubject = new Map<string, number>()
  #taken = 0

  constructor(all: number, perSubject: number) {
    this.#all = all
    this.#perSubject = perSubject
  }

  get taken(): number {
    return this.#taken
  }

  /**
   * @returns gives the place back; may be called more than once
   * @throws ArchiveError 'archive.busy'
   */
  enter(): () => void {
    if (this.#taken >= this.#all) throw new ArchiveError('archive.busy', 'too many requests at once')
    this.#taken += 1
    let left = false
    return () => {
      if (left) return
      left = true
      this.#taken -= 1
    }
  }

  /** @throws ArchiveError 'request.too-many' */
  enterAs(subject: string): () => void {
    const taken = this.#bySubject.get(subject) ?? 0
    if (taken >= this.#perSubject) throw new ArchiveError('request.too-many', 'too many requests of yours at once')
    this.#bySubject.set(subject, taken + 1)
    let left = false
    return () => {
      if (left) return
      left = true
      const now = (this.#bySubject.get(subject) ?? 1) - 1
      if (now <= 0) this.#bySubject.delete(subject)
      else this.#bySubject.set(subject, now)
    }
  }
}

interface Watched {
  readonly request: IncomingMessage
  readonly response: ServerResponse
  bytesAtStart: number
  startedAt: number
}

/**
 * Ends requests whose body arrives too slowly. Only the sender's slowness counts: while we push back ourselves, the
 * window starts anew. threats.md section 4: 1 KiB/s over 30 s.
 */
export class BodyRate {
  readonly #watched = new Set<Watched>()
  readonly #bytesPerSecond: number
  readonly #windowMs: number
  readonly #timer: NodeJS.Timeout

  constructor(bytesPerSecond: number, windowSeconds: number) {
    this.#bytesPerSecond = bytesPerSecond
    this.#windowMs = windowSeconds * 1000
    this.#timer = setInterval(() => this.#check(), Math.min(5000, this.#windowMs / 3)).unref()
  }

  /** Watches a request until its body has arrived. */
  watch(request: IncomingMessage, response: ServerResponse): void {
    if (request.complete) return
    const entry = { request, response, bytesAtStart: request.socket.bytesRead, startedAt: performance.now() }
    this.#watched.add(entry)
    const forget = () => this.#watched.delete(entry)
    request.once('close', forget)
    request.once('end', forget)
  }

  stop(): void {
    clearInterval(this.#timer)
    this.#watched.clear()
  }

  #check(): void {
    const now = performance.now()
    for (const entry of this.#watched) {
      const { request } = entry
      const arrived = request.socket?.bytesRead ?? 0
      if (request.complete) {
        this.#watched.delete(entry)
        continue
      }
      // Whoever reads slowly here fills this buffer first: an empty one means that the sender is the slow one.
      const pushedBack = request.readableLength >= request.readableHighWaterMark
      if (pushedBack) {
        entry.bytesAtStart = arrived
        entry.startedAt = now
        continue
      }
      const elapsed = now - entry.startedAt
      if (elapsed < this.#windowMs) continue
      if (arrived - entry.bytesAtStart < (this.#bytesPerSecond * elapsed) / 1000) {
        this.#watched.delete(entry)
        endSlow(request, entry.response)
        continue
      }
      entry.bytesAtStart = arrived
      entry.startedAt = now
    }
  }
}

/** Answers 408 if nothing was answered yet, then ends the request, whoever reads its body. */
function endSlow(request: IncomingMessage, response: ServerResponse): void {
  const why = 'The body arrived too slowly.'
  const end = () => request.destroy(new ArchiveError('request.timeout', why))
  if (response.headersSent) end()
  else request.socket.write(rawProblem('request.timeout', 408, 'Request Timeout', why), end)
}

/** Bytes and time given to a body that is refused, so that its sender can read the answer instead of a reset. */
const DISCARD_BYTES_MAX = 4 * 1024 * 1024
const DISCARD_MS_MAX = 1000

/**
 * Reads away the rest of a refused body, within bounds.
 * @returns false when there is more: the connection has to be closed after the answer
 */
export function discardBody(request: IncomingMessage): Promise<boolean> {
  if (request.readableEnded || (request.complete && request.readableLength === 0)) return Promise.resolve(true)
  const declared = Number(request.headers['content-length'] ?? Number.NaN)
  if (declared > DISCARD_BYTES_MAX) return Promise.resolve(false)
  return new Promise((resolve) => {
    let bytes = 0
    const done = (complete: boolean) => {
      clearTimeout(timer)
      request.off('data', onData)
      request.off('end', onEnd)
      request.off('close', onClose)
      if (!complete) request.pause()
      resolve(complete)
    }
    const onData = (chunk: Buffer) => {
      bytes += chunk.byteLength
      if (bytes > DISCARD_BYTES_MAX) done(false)
    }
    const onEnd = () => done(true)
    const onClose = () => done(request.complete)
    const timer = setTimeout(() => done(false), DISCARD_MS_MAX)
    request.on('data', onData)
    request.once('end', onEnd)
    request.once('close', onClose)
    request.resume()
  })
}
