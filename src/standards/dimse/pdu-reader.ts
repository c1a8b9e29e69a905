/**
 * Cuts a byte stream into PDUs as bytes arrive. A control PDU is collected, up to a bound; of a P-DATA-TF nothing is kept:
 * fragments are handed on as views of the bytes that came. PS3.8 section 9.3.
 */
import { ABORT_REASON } from './dimse-error.ts'
import { PDU, PDU_HEADER_BYTES, PDV_HEADER_BYTES } from './pdu.ts'

/** Who is told. After `invalid` nothing more is told: where the next PDU begins is not known any more. */
export interface PduSink {
  /** A whole PDU other than P-DATA-TF: what stands behind its header. */
  control(type: number, body: Buffer): void
  /** A P-DATA-TF begins. False: its content is skipped. */
  data(): boolean
  /** A presentation data value begins. False: what is left of the PDU is skipped. */
  pdv(contextId: number, control: number): boolean
  /** Bytes of the presentation data value, a view; `last` with the end of the value, then possibly empty. */
  fragment(bytes: Uint8Array, last: boolean): void
  /** @param reason of an A-ABORT by the service provider */
  invalid(reason: number, detail: string): void
}

/** Length of the fixed part of A-ASSOCIATE-RQ and -AC, in bytes behind the header. */
const ASSOCIATE_BYTES_MIN = 68
const GROWTH_START_BYTES = 4096

type Mode = 'header' | 'control' | 'pdv-header' | 'pdv' | 'skip' | 'deaf'

export class PduReader {
  readonly #sink: PduSink
  readonly #controlMax: number
  readonly #dataMax: number
  #mode: Mode = 'header'
  readonly #head = Buffer.alloc(PDU_HEADER_BYTES)
  #headFilled = 0
  #type = 0
  #body: Buffer = Buffer.alloc(0)
  #bodyFilled = 0
  /** Bytes of the PDU not seen yet. */
  #pduLeft = 0
  /** Bytes of the fragment not seen yet. */
  #pdvLeft = 0

  /**
   * @param controlMax longest PDU taken other than P-DATA-TF, in bytes
   * @param dataMax longest P-DATA-TF taken, in bytes
   */
  constructor(sink: PduSink, controlMax: number, dataMax: number) {
    this.#sink = sink
    this.#controlMax = controlMax
    this.#dataMax = dataMax
  }

  /** True between PDUs. */
  get atBoundary(): boolean {
    return this.#mode === 'header' && this.#headFilled === 0
  }

  push(chunk: Uint8Array): void {
    let at = 0
    while (at < chunk.length) {
      switch (this.#mode) {
        case 'deaf':
          return
        case 'header':
          at = this.#fillHead(chunk, at)
          if (this.#headFilled === PDU_HEADER_BYTES) this.#begin()
          break
        case 'pdv-header':
          at = this.#fillHead(chunk, at)
          if (this.#headFilled === PDV_HEADER_BYTES) this.#beginPdv()
          break
        case 'control':
          at = this.#fillBody(chunk, at)
          break
        case 'pdv': {
          const length = Math.min(this.#pdvLeft, chunk.length - at)
          this.#pdvLeft -= length
          this.#pduLeft -= length
          const last = this.#pdvLeft === 0
          this.#sink.fragment(chunk.subarray(at, at + length), last)
          at += length
          if (last) this.#nextPdv()
          break
        }
        case 'skip': {
          const length = Math.min(this.#pduLeft, chunk.length - at)
          this.#pduLeft -= length
          at += length
          if (this.#pduLeft === 0) this.#mode = 'header'
          break
        }
      }
    }
  }

  #fillHead(chunk: Uint8Array, at: number): number {
    const length = Math.min(PDU_HEADER_BYTES - this.#headFilled, chunk.length - at)
    for (let i = 0; i < length; i++) this.#head[this.#headFilled + i] = chunk[at + i] ?? 0
    this.#headFilled += length
    return at + length
  }

  #begin(): void {
    this.#headFilled = 0
    const type = this.#head[0] ?? 0
    const length = this.#head.readUInt32BE(2)
    if (type < PDU.associateRequest || type > PDU.abort) {
      this.#invalid(ABORT_REASON.unrecognizedPdu, `PDU type ${type} does not exist`)
      return
    }
    if (type === PDU.data) {
      this.#beginData(length)
      return
    }
    const isAssociate = type === PDU.associateRequest || type === PDU.associateAccept
    if (isAssociate ? length < ASSOCIATE_BYTES_MIN || length > this.#controlMax : length !== 4) {
      this.#invalid(ABORT_REASON.invalidParameter, `a PDU of type ${type} cannot have ${length} bytes`)
      return
    }
    this.#type = type
    this.#pduLeft = length
    // A claimed length is no reason to allocate it: the buffer grows with what really comes.
    this.#body = Buffer.allocUnsafe(Math.min(length, GROWTH_START_BYTES))
    this.#bodyFilled = 0
    this.#mode = 'control'
  }

  #fillBody(chunk: Uint8Array, at: number): number {
    const length = Math.min(this.#pduLeft, chunk.length - at)
    const needed = this.#bodyFilled + length
    if (needed > this.#body.length) {
      const grown = Buffer.allocUnsafe(
        Math.min(this.#bodyFilled + this.#pduLeft, Math.max(needed, this.#body.length * 2)),
      )
      this.#body.copy(grown, 0, 0, this.#bodyFilled)
      this.#body = grown
    }
    this.#body.set(chunk.subarray(at, at + length), this.#bodyFilled)
    this.#bodyFilled = needed
    this.#pduLeft -= length
    if (this.#pduLeft === 0) {
      const body = this.#body.subarray(0, this.#bodyFilled)
      this.#body = Buffer.alloc(0)
      this.#mode = 'header'
      this.#sink.control(this.#type, body)
    }
    return at + length
  }

  #beginData(length: number): void {
    if (length < PDV_HEADER_BYTES || length > this.#dataMax) {
      this.#invalid(ABORT_REASON.invalidParameter, `a P-DATA-TF cannot have ${length} bytes here`)
      return
    }
    this.#pduLeft = length
    this.#mode = this.#sink.data() ? 'pdv-header' : 'skip'
  }

  #beginPdv(): void {
    this.#headFilled = 0
    this.#pduLeft -= PDV_HEADER_BYTES
    const length = this.#head.readUInt32BE(0)
    // The item length counts context id and message control header, which are read already.
    if (length < 2 || length - 2 > this.#pduLeft) {
      this.#invalid(ABORT_REASON.invalidParameter, `a presentation data value of ${length} bytes does not fit`)
      return
    }
    this.#pdvLeft = length - 2
    if (!this.#sink.pdv(this.#head[4] ?? 0, this.#head[5] ?? 0)) {
      this.#skipRest()
      return
    }
    if (this.#pdvLeft > 0) {
      this.#mode = 'pdv'
      return
    }
    this.#sink.fragment(this.#head.subarray(0, 0), true)
    this.#nextPdv()
  }

  #nextPdv(): void {
    if (this.#pduLeft === 0) this.#mode = 'header'
    else if (this.#pduLeft >= PDV_HEADER_BYTES) this.#mode = 'pdv-header'
    else {
      const detail = `${this.#pduLeft} bytes are left in a P-DATA-TF, too few for another value`
      this.#invalid(ABORT_REASON.invalidParameter, detail)
    }
  }

  #skipRest(): void {
    this.#mode = this.#pduLeft === 0 ? 'header' : 'skip'
  }

  #invalid(reason: number, detail: string): void {
    this.#mode = 'deaf'
    this.#sink.invalid(reason, detail)
  }
}
