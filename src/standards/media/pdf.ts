import zlib from 'node:zlib'
import { PdfLexer } from './pdf-lexer.ts'

/** What a PDF holds that a viewer might act on. Facts; screening/checks/pdf.ts judges. */
export interface PdfProbe {
  /** Offset of `%PDF-` in bytes; null when it is not in the first 1,024. */
  readonly headerOffset: number | null
  /** Offset just behind the last `%%EOF`; null when there is none. */
  readonly endOffset: number | null
  /** Names of actions and features found, after `#xx` decoding, in every revision and every object stream. */
  readonly active: readonly { readonly name: string; readonly offset: number }[]
  readonly encrypted: boolean
  readonly openAction: boolean
  readonly uriLinks: number
  /** XFA form with a script in one of the streams. */
  readonly xfaScript: boolean
  readonly attachments: readonly PdfAttachment[]
  /** What could not be looked into, e.g. an object stream that does not inflate; empty when all was seen. */
  readonly uninspected: readonly string[]
}

export interface PdfAttachment {
  /** Offset of the stream's bytes, and how many. */
  readonly offset: number
  readonly length: number
  /** Decoded content, up to 64 MiB; null when its filter is not read here. */
  readonly bytes: Uint8Array | null
  /** Declared `/Type /EmbeddedFile`; otherwise any stream, whose first bytes only are here. */
  readonly declared: boolean
}

/** ISO 32000-1 12.6.4: actions that run code, start programs, fetch or send; keys that hold such. */
const activeNames = new Set([
  'JavaScript',
  'JS',
  'Launch',
  'ImportData',
  'SubmitForm',
  'RichMedia',
  'RichMediaExecute',
  'GoToR',
  'GoToE',
])

const OBJECT_STREAM_BYTES_MAX = 16 * 1024 * 1024
const DECODED_BYTES_MAX = 128 * 1024 * 1024
const ATTACHMENT_BYTES_MAX = 64 * 1024 * 1024
const NOTES_MAX = 100
const ATTACHMENTS_MAX = 200
/** Packed bytes of a stream that are unpacked for a first look. */
const PEEK_BYTES = 128
/** No deflate stream unpacks to more than this many times its size. RFC 1951. */
const DEFLATE_RATIO_MAX = 1040
/** Every byte may be looked at this often, and this many more. */
const WORK_FACTOR = 8
const WORK_BYTES = 16 * 1024 * 1024
const STREAMS_MAX = 200_000

const stopWords = new Set(['stream', 'endobj', 'obj', 'startxref', 'xref', 'endstream'])

interface Dictionary {
  type: string
  subtype: string
  readonly filters: string[]
  predictor: boolean
  length: number | null
}

/**
 * Reads a PDF as a sequence of objects, without its cross-reference table: every revision is seen, also what a table
 * no longer points to. Reading starts anew at each `obj`, so an unbalanced string hides nothing behind it.
 *
 * @param bytes the document; at most 64 MiB
 */
export function probePdf(bytes: Uint8Array): PdfProbe {
  return new Probe(bytes).run()
}

class Probe {
  private readonly bytes: Uint8Array
  private readonly buffer: Buffer
  private readonly active: { name: string; offset: number }[] = []
  private readonly attachments: PdfAttachment[] = []
  private readonly uninspected: string[] = []
  private encrypted = false
  private openAction = false
  private uriLinks = 0
  private xfa = false
  private decoded = 0
  private trailer: number
  private nextEnd = 0
  private work = 0
  private exhausted = false
  private readonly streams: { start: number; end: number; dictionary: Dictionary }[] = []

  constructor(bytes: Uint8Array) {
    this.bytes = bytes
    this.buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    this.trailer = this.buffer.indexOf('trailer')
  }

  run(): PdfProbe {
    const { buffer } = this
    const header = buffer.subarray(0, 1024 + 5).indexOf('%PDF-')
    const lastEnd = buffer.lastIndexOf('%%EOF')
    this.objects()
    this.decodeStreams()
    return {
      headerOffset: header < 0 ? null : header,
      endOffset: lastEnd < 0 ? null : lastEnd + 5,
      active: this.active,
      encrypted: this.encrypted,
      openAction: this.openAction,
      uriLinks: this.uriLinks,
      xfaScript: this.xfa && this.streamsHoldScript(),
      attachments: this.attachments,
      uninspected: this.uninspected,
    }
  }

  /** Every place a reader may start to parse: behind `obj`, and behind `trailer`. */
  private objects(): void {
    const { buffer } = this
    for (let from = this.nextStart(0); from >= 0; from = this.nextStart(from)) {
      const lexer = new PdfLexer(this.bytes, from, buffer.byteLength)
      this.tokens(lexer, from, true)
      if (!this.spend(lexer.at - from)) return
    }
  }

  /** Counts bytes that were looked at. False when the file makes us look too often at the same ones. */
  private spend(bytes: number): boolean {
    if (this.exhausted) return false
    this.work += bytes
    if (this.work <= this.buffer.byteLength * WORK_FACTOR + WORK_BYTES) return true
    this.exhausted = true
    this.miss('the file is so tangled that reading it was stopped')
    return false
  }

  /** The next `endstream`, looked for once however many streams wait for it. */
  private endOfStream(from: number): number {
    if (this.nextEnd >= from || this.nextEnd < 0) return this.nextEnd
    this.nextEnd = this.buffer.indexOf('endstream', from)
    return this.nextEnd
  }

  private nextStart(from: number): number {
    const obj = this.buffer.indexOf('obj', from)
    if (this.trailer >= 0 && this.trailer < from) this.trailer = this.buffer.indexOf('trailer', from)
    if (this.trailer >= 0 && (obj < 0 || this.trailer < obj)) return this.trailer + 7
    return obj < 0 ? -1 : obj + 3
  }

  /**
   * Reads tokens until `endobj`, `stream`, `startxref` or the next `obj`.
   *
   * @param top true in the file itself, where streams may follow; false inside an object stream
   */
  private tokens(lexer: PdfLexer, from: number, top: boolean): void {
    const dictionary: Dictionary = { type: '', subtype: '', filters: [], predictor: false, length: null }
    let key = ''
    let afterKey = false
    let depth = 0
    for (let token = lexer.next(); token.is !== 'end'; token = lexer.next()) {
      if (token.is === 'name') {
        this.name(token.value, lexer.at, from, top)
        if (depth > 1) {
          if (key === 'Filter') dictionary.filters.push(token.value)
          if (token.value === 'Predictor') dictionary.predictor = true
        } else if (afterKey) {
          if (key === 'Filter') dictionary.filters.push(token.value)
          else if (key === 'Type') dictionary.type = token.value
          else if (key === 'Subtype') dictionary.subtype = token.value
          afterKey = false
        } else {
          key = token.value
          afterKey = true
        }
        continue
      }
      if (token.is === 'open') depth++
      else if (token.is === 'close') depth--
      else if (token.is === 'number' && afterKey && key === 'Length') dictionary.length = token.value
      // `12 0 R` is a length elsewhere: then the end is searched for.
      else if (token.is === 'word' && token.value === 'R' && key === 'Length') dictionary.length = null
      else if (token.is === 'word' && top) {
        if (token.value === 'stream') this.stream(lexer.at, dictionary)
        if (stopWords.has(token.value)) return
      }
      afterKey = false
    }
  }

  private name(name: string, at: number, from: number, top: boolean): void {
    if (activeNames.has(name)) {
      if (this.active.length < NOTES_MAX) this.active.push({ name, offset: top ? at - name.length - 1 : from })
    } else if (name === 'Encrypt') this.encrypted = true
    else if (name === 'OpenAction') this.openAction = true
    else if (name === 'URI') this.uriLinks++
    else if (name === 'XFA') this.xfa = true
  }

  /** @param at offset just behind the word `stream` */
  private stream(at: number, dictionary: Dictionary): void {
    if (this.streams.length >= STREAMS_MAX) {
      this.miss(`more than ${STREAMS_MAX} streams`)
      return
    }
    let start = at
    if (this.bytes[start] === 13) start++
    if (this.bytes[start] === 10) start++
    const declared = dictionary.length
    let end = -1
    if (declared !== null && Number.isInteger(declared) && declared >= 0 && start + declared <= this.bytes.byteLength) {
      const tail = this.buffer.toString('latin1', start + declared, start + declared + 12)
      if (tail.trimStart().startsWith('endstream')) end = start + declared
    }
    if (end < 0) end = this.endOfStream(start)
    if (end < 0) end = this.bytes.byteLength
    this.streams.push({ start, end, dictionary })
  }

  private decodeStreams(): void {
    for (const { start, end, dictionary } of this.streams) {
      if (this.exhausted) return
      if (dictionary.type === 'ObjStm') {
        const content = this.decode(start, end, dictionary, OBJECT_STREAM_BYTES_MAX)
        if (content === null) {
          if (!this.encrypted) this.miss(`the object stream at ${start} cannot be decoded`)
          continue
        }
        this.tokens(new PdfLexer(content, 0, content.byteLength), start, false)
      } else if (dictionary.type === 'EmbeddedFile') {
        const content = this.decode(start, end, dictionary, ATTACHMENT_BYTES_MAX)
        this.attach({ offset: start, length: end - start, bytes: content, declared: true })
      } else if (dictionary.subtype !== 'Image' && dictionary.filters.length <= 1) {
        // The /Type of an embedded file is optional, so the first bytes of every other stream are looked at too.
        const content = this.peek(start, end, dictionary)
        if (content !== null && content.byteLength > 64 && startsLikeProgram(content)) {
          this.attach({ offset: start, length: end - start, bytes: content, declared: false })
        }
      }
    }
  }

  private attach(attachment: PdfAttachment): void {
    if (this.attachments.length < ATTACHMENTS_MAX) this.attachments.push(attachment)
    else this.miss(`more than ${ATTACHMENTS_MAX} attachments`)
  }

  private decode(start: number, end: number, dictionary: Dictionary, max: number): Uint8Array | null {
    if (!this.spend(end - start)) return null
    let content: Uint8Array = this.bytes.subarray(start, end)
    if (dictionary.predictor && dictionary.type === 'ObjStm') return null
    for (const filter of dictionary.filters) {
      const room = Math.min(max, DECODED_BYTES_MAX - this.decoded)
      if (room <= 0) return null
      const next = decodeFilter(filter, content, room)
      if (next === null) return null
      content = next
      this.decoded += next.byteLength
    }
    return content
  }

  private peek(start: number, end: number, dictionary: Dictionary): Uint8Array | null {
    const head = this.bytes.subarray(start, Math.min(end, start + PEEK_BYTES))
    const filter = dictionary.filters[0]
    if (filter === undefined) return head
    if (filter !== 'FlateDecode' && filter !== 'Fl') return null
    const content = inflatePart(head, PEEK_BYTES * DEFLATE_RATIO_MAX)
    // Inflating is an eighth of the work of lexing.
    return content !== null && this.spend(content.byteLength / 8) ? content : null
  }

  private streamsHoldScript(): boolean {
    for (const { start, end, dictionary } of this.streams) {
      if (dictionary.subtype === 'Image' || dictionary.type === 'ObjStm' || dictionary.type === 'XRef') continue
      const content = this.decode(start, end, dictionary, OBJECT_STREAM_BYTES_MAX)
      if (content === null) continue
      const text = Buffer.from(content.buffer, content.byteOffset, content.byteLength)
      if (text.includes('<script') || text.includes(':script')) return true
    }
    return this.exhausted
  }

  private miss(what: string): void {
    if (this.uninspected.length < NOTES_MAX && this.uninspected.at(-1) !== what) this.uninspected.push(what)
  }
}

/** ISO 32000-1 7.4; image filters and LZW are not read here. */
function decodeFilter(filter: string, bytes: Uint8Array, max: number): Uint8Array | null {
  if (filter === 'FlateDecode' || filter === 'Fl') return inflatePart(bytes, max)
  if (filter === 'ASCIIHexDecode' || filter === 'AHx') {
    const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1')
    const close = text.indexOf('>')
    const hex = (close < 0 ? text : text.slice(0, close)).replaceAll(/[^0-9a-fA-F]/g, '')
    return Buffer.from(hex.length % 2 === 0 ? hex : `${hex}0`, 'hex')
  }
  if (filter === 'ASCII85Decode' || filter === 'A85') return ascii85(bytes, max)
  return null
}

/** Inflates what is there; a cut stream yields what came before the cut. Null when nothing comes out or too much does. */
function inflatePart(bytes: Uint8Array, max: number): Uint8Array | null {
  try {
    const content = zlib.inflateSync(bytes, { maxOutputLength: max, finishFlush: zlib.constants.Z_SYNC_FLUSH })
    return content.byteLength === 0 ? null : content
  } catch (thrown) {
    if (thrown instanceof Error) return null
    throw thrown
  }
}

function ascii85(bytes: Uint8Array, max: number): Uint8Array | null {
  const out: number[] = []
  let group = 0
  let count = 0
  for (const byte of bytes) {
    if (byte === 0x7e) break
    if (byte <= 0x20) continue
    if (byte === 0x7a && count === 0) {
      out.push(0, 0, 0, 0)
      continue
    }
    if (byte < 0x21 || byte > 0x75) return null
    group = group * 85 + (byte - 0x21)
    if (++count === 5) {
      out.push((group / 0x1000000) & 255, (group >>> 16) & 255, (group >>> 8) & 255, group & 255)
      group = 0
      count = 0
    }
    if (out.length > max) return null
  }
  if (count > 1) {
    for (let i = count; i < 5; i++) group = group * 85 + 84
    const tail = [(group / 0x1000000) & 255, (group >>> 16) & 255, (group >>> 8) & 255]
    out.push(...tail.slice(0, count - 1))
  }
  return Uint8Array.from(out)
}

function startsLikeProgram(bytes: Uint8Array): boolean {
  const [a, b, c, d] = bytes
  if (a === 0x7f && b === 0x45 && c === 0x4c && d === 0x46) return true
  if (a === 0x50 && b === 0x4b && c === 3 && d === 4) return true
  if (a === 0x23 && b === 0x21 && c === 0x2f) return true
  // Two letters are chance in binary data; a DOS header also has its page count in range and a pointer that is even.
  return a === 0x4d && b === 0x5a && bytes.byteLength > 64 && (bytes[0x3f] ?? 1) === 0 && (bytes[0x3e] ?? 1) === 0
}
