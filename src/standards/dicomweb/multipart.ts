import { randomBytes } from 'node:crypto'

/** Bounds on one multipart body. Defaults of threats.md section 4. */
export interface MultipartLimits {
  readonly partsMax: number
  /** Header block of one part, in bytes. */
  readonly headerBytesMax: number
  /** Text before the first boundary, in bytes. It is skipped. */
  readonly preambleBytesMax: number
}

export const MULTIPART_LIMITS: MultipartLimits = {
  partsMax: 20_000,
  headerBytesMax: 8 * 1024,
  preambleBytesMax: 64 * 1024,
}

/** Part headers by lower-case name; values without the white space around them. */
export type PartHeaders = ReadonlyMap<string, string>

/** What a multipart body consists of, in order. A part is only whole once its `end` came. */
export type MultipartEvent =
  | { readonly is: 'begin'; readonly part: number; readonly headers: PartHeaders }
  /** A view of the chunk it came in: copy what is kept. Never empty. */
  | { readonly is: 'data'; readonly part: number; readonly bytes: Buffer }
  | { readonly is: 'end'; readonly part: number }

/**
 * A body that is not what RFC 2046 section 5.1 says. Parts that ended before it are whole and keep their own outcome.
 * `no-boundary`: the boundary never came; `unfinished`: the body ended before the closing boundary.
 */
export class MultipartError extends Error {
  override readonly name = 'MultipartError'
  readonly kind: 'no-boundary' | 'unfinished' | 'header' | 'limit'
  /** Zero-based number of the part that was not finished. */
  readonly part: number
  /** Zero-based byte offset in the body. */
  readonly offset: number

  constructor(kind: MultipartError['kind'], detail: string, part: number, offset: number) {
    super(`${detail} (part ${part + 1}, byte ${offset})`)
    this.kind = kind
    this.part = part
    this.offset = offset
  }
}

const CR = 0x0d
const LF = 0x0a
const SPACE = 0x20
const TAB = 0x09
const DASH = 0x2d
const CRLF = Buffer.from('\r\n')
const BLANK_LINE = Buffer.from('\r\n\r\n')
/** White space a sender may put behind a boundary, in bytes (RFC 2046 `transport-padding`). */
const PADDING_MAX = 256
const BOUNDARY_MAX = 256

/**
 * Cuts a multipart body into parts, chunk by chunk, without copying part bytes. Pure: bytes in, events out.
 * One `Buffer.indexOf` per part and chunk; at most a boundary and one header block are held back.
 *
 * @throws RangeError for a boundary no body can have
 */
export class MultipartSplitter {
  readonly #delimiter: Buffer
  readonly #limits: MultipartLimits
  #state: 'preamble' | 'headers' | 'body' | 'done' = 'preamble'
  /** The first boundary may stand at the very start: a line break before it is imagined. */
  #carry: Buffer | undefined = CRLF
  #part = -1
  /** The body was taken to begin with its header's own line break; see #headers(). */
  #sharedBreak = false
  #offset = -CRLF.byteLength
  #failure: MultipartError | undefined

  constructor(boundary: string, limits: MultipartLimits = MULTIPART_LIMITS) {
    if (boundary === '' || boundary.length > BOUNDARY_MAX || /[\r\n\0]/.test(boundary)) {
      throw new RangeError('a multipart boundary has 1 to 256 characters and no line break')
    }
    this.#delimiter = Buffer.from(`\r\n--${boundary}`, 'latin1')
    this.#limits = limits
  }

  /** True once the closing boundary came; what follows it is ignored. */
  get done(): boolean {
    return this.#state === 'done'
  }

  /** Set when the body went wrong: deliver the events of the last push() first, then throw this. */
  get failure(): MultipartError | undefined {
    return this.#failure
  }

  /** Takes the next bytes of the body and says what they completed. */
  push(chunk: Uint8Array): MultipartEvent[] {
    const events: MultipartEvent[] = []
    if (this.#failure !== undefined || this.done || chunk.byteLength === 0) return events
    const view = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength)
    const bytes = this.#carry === undefined ? view : Buffer.concat([this.#carry, view])
    this.#carry = undefined
    let position = 0
    while (this.#failure === undefined && !this.done) {
      const next =
        this.#state === 'headers' ? this.#headers(bytes, position, events) : this.#body(bytes, position, events)
      if (next < 0) break
      position = next
    }
    this.#offset += bytes.byteLength - this.#carried()
    return events
  }

  /** Says that no more bytes come; afterwards `failure` is set unless the body was complete. */
  end(): void {
    if (this.#failure !== undefined || this.#state === 'done') return
    const at = this.#offset + this.#carried()
    if (this.#state === 'preamble') this.#noBoundary(this.#carried())
    else {
      const part = this.#state === 'body' ? this.#part : this.#part + 1
      this.#fail('unfinished', 'the body ended before its closing boundary', part, at)
    }
  }

  #carried(): number {
    return this.#carry?.byteLength ?? 0
  }

  #fail(kind: MultipartError['kind'], detail: string, part: number, offset: number): number {
    this.#failure = new MultipartError(kind, detail, part, Math.max(0, offset))
    return -1
  }

  /** Keeps the bytes from `position` on for the next push. */
  #wait(bytes: Buffer, position: number): number {
    if (position < bytes.byteLength) this.#carry = bytes.subarray(position)
    return -1
  }

  #emit(bytes: Buffer, start: number, end: number, events: MultipartEvent[]): void {
    if (this.#state === 'body' && end > start) {
      events.push({ is: 'data', part: this.#part, bytes: bytes.subarray(start, end) })
    }
  }

  /** `position` is at the line break that ends the boundary line. */
  #headers(bytes: Buffer, position: number, events: MultipartEvent[]): number {
    const end = bytes.indexOf(BLANK_LINE, position)
    // While the blank line is not here yet, its first three bytes may be.
    const length = (end < 0 ? bytes.byteLength - 3 : end) - position - CRLF.byteLength
    if (length > this.#limits.headerBytesMax) {
      const detail = `part headers over ${this.#limits.headerBytesMax} bytes`
      return this.#fail('limit', detail, this.#part + 1, this.#offset + position)
    }
    if (end < 0) return this.#wait(bytes, position)
    // A part without a body may end in its header's own line break (RFC 2046 `body-part`): look before taking it.
    const after = bytes.subarray(end + 2, end + 2 + this.#delimiter.byteLength)
    const empty = this.#delimiter.subarray(0, after.byteLength).equals(after)
    if (empty && after.byteLength < this.#delimiter.byteLength) return this.#wait(bytes, position)

    if (this.#part + 1 >= this.#limits.partsMax) {
      return this.#fail('limit', `more than ${this.#limits.partsMax} parts`, this.#part + 1, this.#offset + position)
    }
    const headers = parseHeaders(bytes.toString('latin1', Math.min(position + 2, end), end))
    if (headers === undefined) {
      return this.#fail('header', 'a part header cannot be read', this.#part + 1, this.#offset + position)
    }
    this.#part++
    this.#state = 'body'
    this.#sharedBreak = empty
    events.push({ is: 'begin', part: this.#part, headers })
    return empty ? end + 2 : end + 4
  }

  #body(bytes: Buffer, position: number, events: MultipartEvent[]): number {
    const delimiter = this.#delimiter
    let start = position
    let from = position
    for (;;) {
      const at = bytes.indexOf(delimiter, from)
      if (at < 0) {
        const tail = possibleStart(bytes, Math.max(start, bytes.byteLength - delimiter.byteLength + 1), delimiter)
        return this.#keepBody(bytes, start, tail, events)
      }
      if (this.#isPreambleTooLong(at)) return this.#noBoundary(at)
      let after = at + delimiter.byteLength
      if (bytes[after] === DASH && bytes[after + 1] === DASH) {
        this.#endPart(bytes, start, at, events)
        this.#state = 'done'
        return bytes.byteLength
      }
      const padded = after + PADDING_MAX
      while (after < padded && (bytes[after] === SPACE || bytes[after] === TAB)) after++
      if (bytes[after] === CR && bytes[after + 1] === LF) {
        this.#endPart(bytes, start, at, events)
        this.#state = 'headers'
        return after
      }
      // Either more bytes are needed to know, or the data happen to hold the boundary's text.
      const undecided =
        after >= bytes.byteLength ||
        (after + 1 === bytes.byteLength &&
          (bytes[after] === CR || (bytes[after] === DASH && after === at + delimiter.byteLength)))
      if (undecided) return this.#keepBody(bytes, start, at, events)
      from = at + delimiter.byteLength
      if (this.#sharedBreak) start += CRLF.byteLength
      this.#sharedBreak = false
    }
  }

  #keepBody(bytes: Buffer, position: number, tail: number, events: MultipartEvent[]): number {
    this.#emit(bytes, position, tail, events)
    return this.#isPreambleTooLong(tail) ? this.#noBoundary(tail) : this.#wait(bytes, tail)
  }

  /** Whatever the chunks are: what counts is where in the body the first boundary may be. */
  #isPreambleTooLong(position: number): boolean {
    return this.#state === 'preamble' && this.#offset + position > this.#limits.preambleBytesMax
  }

  #noBoundary(position: number): number {
    return this.#fail('no-boundary', 'the boundary named in Content-Type never came', 0, this.#offset + position)
  }

  #endPart(bytes: Buffer, start: number, end: number, events: MultipartEvent[]): void {
    if (this.#state !== 'body') return
    this.#emit(bytes, start, end, events)
    events.push({ is: 'end', part: this.#part })
  }
}

/** Where, from `start` on, the delimiter may have begun without its end being here; the end of `bytes` when nowhere. */
function possibleStart(bytes: Buffer, start: number, delimiter: Buffer): number {
  let at = bytes.indexOf(CR, start)
  while (at >= 0) {
    const tail = bytes.subarray(at)
    if (delimiter.subarray(0, tail.byteLength).equals(tail)) return at
    at = bytes.indexOf(CR, at + 1)
  }
  return bytes.byteLength
}

/** Field names of RFC 9110 section 5.6.2. */
function isFieldName(text: string): boolean {
  if (text === '') return false
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i)
    if (code <= 0x20 || code >= 0x7f || '()<>@,;:\\"/[]?={}'.includes(text[i] as string)) return false
  }
  return true
}

function parseHeaders(block: string): PartHeaders | undefined {
  const headers = new Map<string, string>()
  if (block === '') return headers
  // Folded lines (RFC 5322 section 2.2.3) still come from mail libraries.
  const lines: string[] = []
  for (const line of block.split('\r\n')) {
    if (/^[ \t]/.test(line) && lines.length > 0) lines[lines.length - 1] += ` ${line.trim()}`
    else lines.push(line)
  }
  for (const line of lines) {
    const colon = line.indexOf(':')
    const name = line.slice(0, Math.max(0, colon)).trimEnd().toLowerCase()
    const value = line.slice(colon + 1).trim()
    if (!isFieldName(name) || headers.has(name) || /[\r\n\0]/.test(value)) return undefined
    headers.set(name, value)
  }
  return headers
}

/**
 * Cuts a multipart body that comes as a stream. The source is only read on while the consumer asks for events, so a
 * slow consumer slows the sender. The source is left unread behind the closing boundary.
 *
 * @throws MultipartError after the events of everything that was whole
 */
export async function* readMultipart(
  chunks: AsyncIterable<Uint8Array>,
  boundary: string,
  limits: MultipartLimits = MULTIPART_LIMITS,
): AsyncGenerator<MultipartEvent, void, void> {
  const splitter = new MultipartSplitter(boundary, limits)
  for await (const chunk of chunks) {
    for (const event of splitter.push(chunk)) yield event
    if (splitter.failure !== undefined) throw splitter.failure
    if (splitter.done) return
  }
  splitter.end()
  if (splitter.failure !== undefined) throw splitter.failure
}

/** A boundary that no data hold by accident: 128 random bits. */
export function newBoundary(): string {
  return `diptych-${randomBytes(16).toString('hex')}`
}

/**
 * The boundary line and headers that stand before a part; each part but the first is preceded by a line break.
 * @throws RangeError for a header value with a line break: a mistake of the caller, never sent (threats.md R10)
 */
export function partHead(boundary: string, headers: { readonly [name: string]: string }, first: boolean): Buffer {
  let text = `${first ? '' : '\r\n'}--${boundary}\r\n`
  for (const [name, value] of Object.entries(headers)) {
    if (/[^\t\x20-\x7e]/.test(value)) throw new RangeError(`header ${name} would carry a control character`)
    text += `${name}: ${value}\r\n`
  }
  return Buffer.from(`${text}\r\n`, 'latin1')
}

/** What ends a multipart body. */
export function closing(boundary: string): Buffer {
  return Buffer.from(`\r\n--${boundary}--\r\n`, 'latin1')
}

/** Content-Type of a multipart answer; `type` is quoted as PS3.18 section 8.7.3.5 wants. */
export function multipartType(root: string, boundary: string): string {
  return `multipart/related; type="${root}"; boundary=${boundary}`
}
