/** The upper layer protocol machine over one stream; every step goes through the state table. PS3.8 section 9.2. */
import type { Duplex } from 'node:stream'
import {
  type DecodedAccept,
  type DecodedRequest,
  decodeAssociateAccept,
  decodeAssociateRequest,
} from './associate-pdu.ts'
import type { AssociationEnd, AssociationLimits } from './association.ts'
import { ABORT_REASON, abortWords, ProtocolError } from './dimse-error.ts'
import { encodeAbort, encodeReject, PDU, RELEASE_REQUEST, RELEASE_RESPONSE } from './pdu.ts'
import { PduReader, type PduSink } from './pdu-reader.ts'
import { ACTIONS, type Action, actionOf, type Event, type State } from './state-table.ts'

/** A rejection: PS3.8 table 9-21. */
export interface Rejection {
  readonly result: number
  readonly source: number
  readonly reason: number
}

/** What the machine tells the one who uses it. */
export interface UpperLayerUser {
  /** AE-6. A rejection given back is sent at once. */
  requested(decoded: DecodedRequest): Rejection | null
  /** AE-3. @throws ProtocolError when the answer does not fit the request */
  accepted(decoded: DecodedAccept): void
  /** AE-4. */
  rejected(rejection: Rejection): void
  /** @throws ProtocolError when such a value cannot come now */
  pdv(contextId: number, control: number): void
  /** @throws ProtocolError when what it completes is no message */
  fragment(bytes: Uint8Array, last: boolean): void
  /** A chunk of the stream was taken in: time to decide on back-pressure. */
  heard(): void
  /** The peer asks for the release; call `answerRelease` when ready. */
  releaseAsked(): void
  /** The association, or the attempt, is over. Called once; not for a rejection. */
  ended(end: AssociationEnd): void
}

/** What comes with an event. */
interface Given {
  readonly bytes?: Uint8Array
  readonly request?: DecodedRequest
  readonly accept?: DecodedAccept
  readonly rejection?: Rejection
  readonly source?: number
  readonly reason?: number
  readonly detail?: string
}

/** P-DATA-TF up to this length are taken although longer than what we asked for: nothing of them is kept. In bytes. */
const TOLERATED_PDU_BYTES = 1_048_576

export class UpperLayer implements PduSink {
  readonly #stream: Duplex
  readonly #limits: AssociationLimits
  readonly #weAre: 'acceptor' | 'requestor'
  readonly #user: UpperLayerUser
  readonly #reader: PduReader
  #state: State = 'Sta1'
  #timer: NodeJS.Timeout | null = null
  #over = false
  #lostWhy = 'the connection was closed'
  /** True when a timer of ours ended the association. */
  timedOut = false

  constructor(stream: Duplex, limits: AssociationLimits, weAre: 'acceptor' | 'requestor', user: UpperLayerUser) {
    this.#stream = stream
    this.#limits = limits
    this.#weAre = weAre
    this.#user = user
    this.#reader = new PduReader(this, limits.controlPduMax, Math.max(limits.pduLengthMax, TOLERATED_PDU_BYTES))
  }

  get state(): State {
    return this.#state
  }

  get betweenPdus(): boolean {
    return this.#reader.atBoundary
  }

  /** Begins to listen: as acceptor for a request, as requestor after sending `request`. */
  start(request?: Uint8Array): void {
    this.#stream.on('data', (chunk: Uint8Array) => this.#take(chunk))
    this.#stream.on('end', () => this.#closed())
    this.#stream.on('close', () => this.#closed())
    this.#stream.on('error', (error) => {
      this.#lostWhy = `the connection failed: ${error.message}`
      this.#closed()
    })
    if (request === undefined) this.event('Evt5')
    else {
      this.event('Evt1')
      this.event('Evt2', { bytes: request })
    }
    if (this.#stream.destroyed || this.#stream.readableEnded) this.#closed()
  }

  #take(chunk: Uint8Array): void {
    this.#reader.push(chunk)
    this.#user.heard()
  }

  #closed(): void {
    this.event('Evt17')
    this.#close()
  }

  /** @returns false when the standard foresees no such event in this state, and nothing was done */
  event(event: Event, given: Given = {}): boolean {
    const action = actionOf(this.#state, event)
    if (action === undefined) return false
    const [first, second] = ACTIONS[action] as readonly [State, State?]
    const before = this.#state
    this.#state = first
    this.#perform(action, given, second)
    // Whoever waits for an answer of the peer does not wait for ever, although the standard has no timer there.
    if (this.#state !== before && (this.#state === 'Sta5' || this.#state === 'Sta7')) {
      this.#startTimer(() => this.timeout(`no answer within ${this.#limits.artimMs} ms`))
    }
    return true
  }

  #perform(action: Action, given: Given, second: State | undefined): void {
    switch (action) {
      case 'AE-1':
      case 'AA-6':
        return
      case 'AE-2':
      case 'AR-7':
      case 'DT-1':
      case 'AE-7':
        if (given.bytes !== undefined) this.#write(given.bytes)
        return
      case 'AE-3':
        this.#stopTimer()
        this.#guarded(() => given.accept !== undefined && this.#user.accepted(given.accept))
        return
      case 'AE-4':
        this.#stopTimer()
        this.#over = true
        if (given.rejection !== undefined) this.#user.rejected(given.rejection)
        this.#close()
        return
      case 'AE-5':
        this.#startArtim()
        return
      case 'AE-6': {
        this.#stopTimer()
        const rejection = given.request === undefined ? null : this.#user.requested(given.request)
        if (rejection === null) return
        this.#state = second ?? this.#state
        this.#reject(rejection)
        return
      }
      case 'AE-8':
        if (given.rejection !== undefined) this.#reject(given.rejection)
        return
      case 'DT-2':
      case 'AR-6':
        return // fragments are handed on as they come, see pdv and fragment
      case 'AR-1':
        this.#write(RELEASE_REQUEST)
        return
      case 'AR-2':
        this.#user.releaseAsked()
        return
      case 'AR-3':
        this.#stopTimer()
        this.#end({ how: 'released' })
        this.#close()
        return
      case 'AR-4':
        this.#write(RELEASE_RESPONSE)
        this.#end({ how: 'released' })
        this.#startArtim()
        return
      case 'AR-8':
        if (this.#weAre === 'acceptor') this.#state = second ?? this.#state
        this.#user.releaseAsked()
        return
      case 'AR-9':
        this.#write(RELEASE_RESPONSE)
        return
      case 'AR-10':
        this.#user.releaseAsked()
        return
      case 'AR-5':
      case 'AA-5':
      case 'AA-4':
        this.#stopTimer()
        this.#end({ how: 'lost', detail: given.detail ?? this.#lostWhy })
        return
      case 'AA-2':
      case 'AA-3':
        this.#stopTimer()
        this.#end(this.#endByPeer(given))
        this.#close()
        return
      case 'AA-1':
        this.#abort(0, 0, given.detail)
        return
      case 'AA-7':
        this.#sendAbort(2, given.reason ?? ABORT_REASON.unexpectedPdu)
        return
      case 'AA-8':
        this.#abort(2, given.reason ?? ABORT_REASON.unexpectedPdu, given.detail)
        return
    }
  }

  #endByPeer({ source, reason, detail }: Given): AssociationEnd {
    if (source === undefined || reason === undefined) {
      return { how: 'lost', detail: detail ?? `no association was asked for within ${this.#limits.artimMs} ms` }
    }
    return { how: 'aborted', by: 'peer', source, reason, detail: `aborted ${abortWords(source, reason)}` }
  }

  #abort(source: number, reason: number, detail = 'aborted'): void {
    this.#sendAbort(source, reason)
    this.#startArtim()
    this.#end({ how: 'aborted', by: 'us', source, reason, detail })
    this.#stream.resume() // what still comes is read and thrown away, so that the peer sees the abort before a reset
  }

  #sendAbort(source: number, reason: number): void {
    this.#write(encodeAbort(source, reason))
    if (!this.#stream.writableEnded) this.#stream.end()
  }

  #reject({ result, source, reason }: Rejection): void {
    this.#over = true
    this.#write(encodeReject(result, source, reason))
    this.#startArtim()
  }

  #end(end: AssociationEnd): void {
    if (this.#over) return
    this.#over = true
    this.#user.ended(end)
  }

  #write(bytes: Uint8Array): void {
    if (this.#stream.writable) this.#stream.write(bytes)
  }

  #startArtim(): void {
    this.#startTimer(() => {
      this.timedOut = true
      this.event('Evt18')
      this.#stream.destroy()
    })
  }

  #startTimer(expired: () => void): void {
    this.#stopTimer()
    this.#timer = setTimeout(expired, this.#limits.artimMs)
  }

  #stopTimer(): void {
    if (this.#timer !== null) clearTimeout(this.#timer)
    this.#timer = null
  }

  /** Something we wait for did not come, or what we sent was not taken. */
  timeout(detail: string): void {
    this.timedOut = true
    this.event('Evt15', { detail })
  }

  /** Closes after what was written is out, or at once when that takes too long. */
  #close(): void {
    this.#stopTimer()
    const stream = this.#stream
    if (stream.destroyed) return
    if (stream.writableFinished || !stream.writable) {
      stream.destroy()
      return
    }
    const overdue = setTimeout(() => stream.destroy(), this.#limits.artimMs)
    stream.once('close', () => clearTimeout(overdue))
    stream.once('finish', () => stream.destroy())
    stream.resume()
    stream.end()
  }

  /** Gives up the connection without waiting for anybody. */
  destroy(): void {
    this.#stream.destroy()
  }

  /** Runs what may find the peer's bytes wrong. @returns false when it did, and the association is aborted */
  #guarded(step: () => unknown): void {
    try {
      step()
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error
      this.invalid(error.reason, error.message)
    }
  }

  // What the PDU reader found.

  control(type: number, body: Buffer): void {
    this.#guarded(() => {
      const [source, reason] = [body.readUInt8(2), body.readUInt8(3)]
      switch (type) {
        case PDU.associateRequest:
          if (this.#state !== 'Sta2') return this.event('Evt6', { detail: 'a second A-ASSOCIATE-RQ' })
          return this.event('Evt6', { request: decodeAssociateRequest(body, this.#limits) })
        case PDU.associateAccept:
          if (this.#state !== 'Sta5') return this.event('Evt3', { detail: 'an A-ASSOCIATE-AC nobody waits for' })
          return this.event('Evt3', { accept: decodeAssociateAccept(body) })
        case PDU.associateReject:
          return this.event('Evt4', {
            rejection: { result: body.readUInt8(1), source, reason },
            detail: 'an A-ASSOCIATE-RJ nobody waits for',
          })
        case PDU.releaseRequest:
          return this.event('Evt12', { detail: 'an A-RELEASE-RQ that cannot come now' })
        case PDU.releaseResponse:
          return this.event('Evt13', { detail: 'an A-RELEASE-RP nobody waits for' })
        default:
          return this.event('Evt16', { source, reason })
      }
    })
  }

  #mayReceive(): boolean {
    return this.#state === 'Sta6' || this.#state === 'Sta7'
  }

  data(): boolean {
    this.event('Evt10', { detail: 'a P-DATA-TF that cannot come now' })
    return this.#mayReceive()
  }

  pdv(contextId: number, control: number): boolean {
    if (this.#mayReceive()) this.#guarded(() => this.#user.pdv(contextId, control))
    return this.#mayReceive()
  }

  fragment(bytes: Uint8Array, last: boolean): void {
    if (this.#mayReceive()) this.#guarded(() => this.#user.fragment(bytes, last))
  }

  invalid(reason: number, detail: string): void {
    this.event('Evt19', { reason, detail })
  }
}
