/** The DICOM door: listens, lets associations in or says why not, and serves them. PS3.8 section 9. */
import { createServer, type Server, type Socket } from 'node:net'
import type { TLSSocket } from 'node:tls'
import type { Config } from '#config.ts'
import { ArchiveError } from '#errors.ts'
import type { DimseCaller, DimseService } from '#model/dimse-service.ts'
import type { Subject } from '#model/permission.ts'
import type { Withholding } from '#model/visibility.ts'
import type { Auditor } from '#security/audit.ts'
import { IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME } from '#standards/dicom/write.ts'
import { acceptAssociation } from '#standards/dimse/accept.ts'
import {
  type AssociationAnswer,
  type AssociationLimits,
  type AssociationRequest,
  DEFAULT_ASSOCIATION_LIMITS,
} from '#standards/dimse/association.ts'
import { authorise, hasRight, plainAddress, type Register } from './authorise.ts'
import { certificateOf, createTlsDoor, type TlsDoor } from './dimse-tls.ts'
import { APPLICATION_CONTEXT, negotiate, REJECT } from './negotiate.ts'
import { ServedAssociation } from './session.ts'

export interface DimseOptions {
  readonly config: Pick<Config, 'dimse' | 'limits'>
  /** First of the list that serves a class serves it. */
  readonly services: readonly DimseService[]
  readonly peers: Register
  /** Site setting `dimse.strangers`, as it is now. */
  strangers(): 'loopback' | 'refuse'
  /** What is withheld from a subject now; absent: nothing. */
  withholdingFrom?(subject: Subject): Withholding | undefined
  readonly auditor: Pick<Auditor, 'record' | 'note'>
  /** Told of failures that nobody planned. */
  report(error: unknown, what: string): void
}

/** The door, open. */
export interface DimseServer {
  readonly aeTitle: string
  /** Null when only TLS is listened for. */
  readonly port: number | null
  readonly tlsPort: number | null
  /** Associations that are open now. */
  associations(): number
  /** Lets nobody in any more, lets operations under way end within `drainMs`, then aborts what is left. */
  close(drainMs?: number): Promise<void>
}

/** Connections of one address that have not asked for an association yet. */
const UNASKED_PER_ADDRESS_MAX = 64
const DRAIN_MS = 8_000

/**
 * Opens the door on `dimse.port` and, with TLS, on `dimse.tlsPort`.
 * @returns null when both are off
 * @throws ArchiveError 'configuration.invalid' for a port that is taken or a certificate that cannot be used
 */
export async function startDimse(options: DimseOptions): Promise<DimseServer | null> {
  const { dimse } = options.config
  if (dimse.port === 'off' && dimse.tlsPort === 'off') return null
  const door = new DimseDoor(options)
  try {
    if (dimse.port !== 'off') await door.listen(dimse.port)
    if (dimse.tlsPort !== 'off') await door.listenTls(dimse.tlsPort)
  } catch (error) {
    await door.close(0)
    throw error
  }
  return door
}

class DimseDoor implements DimseServer {
  readonly aeTitle: string
  port: number | null = null
  tlsPort: number | null = null
  readonly #options: DimseOptions
  readonly #limits: AssociationLimits
  readonly #servers: Server[] = []
  #tls: TlsDoor | null = null
  #closing = false
  readonly #sockets = new Set<Socket>()
  readonly #unasked = new Map<string, number>()
  readonly #served = new Set<ServedAssociation>()
  /** Associations let in, by peer; those that are being answered included. */
  readonly #open = new Map<string, number>()
  #openAll = 0

  constructor(options: DimseOptions) {
    const { limits, dimse } = options.config
    this.aeTitle = dimse.aeTitle.trim()
    this.#options = options
    this.#limits = {
      ...DEFAULT_ASSOCIATION_LIMITS,
      pduLengthMax: limits.dimsePduBytes,
      artimMs: limits.dimseArtimSeconds * 1000,
      idleMs: limits.dimseIdleSeconds * 1000,
    }
  }

  associations(): number {
    return this.#served.size
  }

  async listen(port: number): Promise<void> {
    this.port = await this.#listen(
      createServer({ noDelay: true }, (socket) => this.#connected(socket, null)),
      port,
      'dimse.port',
    )
  }

  async listenTls(port: number): Promise<void> {
    const { config, report } = this.#options
    const onSocket = (socket: TLSSocket) => this.#connected(socket, certificateOf(socket))
    this.#tls = createTlsDoor(config.dimse, this.#limits.artimMs, onSocket, report)
    this.tlsPort = await this.#listen(this.#tls.server, port, 'dimse.tlsPort')
  }

  async close(drainMs = DRAIN_MS): Promise<void> {
    this.#closing = true
    this.#tls?.stop()
    const closed = this.#servers.map((server) => new Promise<void>((resolve) => server.close(() => resolve())))
    const until = Date.now() + drainMs
    while (this.#served.size > 0 && Date.now() < until) {
      for (const served of this.#served) if (served.running === 0) served.association.abort('the archive stops')
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
    for (const socket of this.#sockets) socket.destroy()
    await Promise.all(closed)
  }

  #listen(server: Server, port: number, setting: string): Promise<number> {
    const { limits, dimse } = this.#options.config
    // More than may be let in: those above hear why not.
    server.maxConnections = 2 * limits.dimseAssociations + UNASKED_PER_ADDRESS_MAX
    return new Promise((resolve, reject) => {
      server.once('error', (cause) => {
        reject(new ArchiveError('configuration.invalid', `${setting}: ${cause.message}`, { cause }))
      })
      server.listen(port, dimse.host, () => {
        server.on('error', (error) => this.#options.report(error, 'the DICOM door failed'))
        this.#servers.push(server)
        const address = server.address()
        resolve(typeof address === 'object' && address !== null ? address.port : port)
      })
    })
  }

  #connected(socket: Socket, certificate: string | null): void {
    const address = plainAddress(socket.remoteAddress ?? '')
    const unasked = this.#unasked.get(address) ?? 0
    if (this.#closing || unasked >= UNASKED_PER_ADDRESS_MAX) {
      socket.destroy()
      return
    }
    this.#unasked.set(address, unasked + 1)
    this.#sockets.add(socket)
    socket.once('close', () => this.#sockets.delete(socket))
    this.#serve(socket, address, certificate).catch((error: unknown) => {
      this.#options.report(error, 'an association failed')
      socket.destroy()
    })
  }

  async #serve(socket: Socket, address: string, certificate: string | null): Promise<void> {
    let caller: DimseCaller | null = null
    let leave: (() => void) | null = null
    try {
      const decide = async (request: AssociationRequest) => {
        const answered = await this.#answer(request, address, certificate)
        caller = answered.caller
        leave = answered.leave
        return answered.answer
      }
      const association = await acceptAssociation(socket, decide, {
        limits: this.#limits,
        implementationClassUID: IMPLEMENTATION_CLASS_UID,
        implementationVersionName: IMPLEMENTATION_VERSION_NAME,
      }).finally(() => this.#asked(address))
      if (association === null || caller === null) return
      const { services, auditor, config, report } = this.#options
      const served = new ServedAssociation(association, caller, {
        services,
        auditor,
        operationsMax: config.limits.dimseOperations,
        report: (error) => report(error, 'a DIMSE operation failed'),
      })
      this.#served.add(served)
      await served.serve().finally(() => this.#served.delete(served))
    } finally {
      ;(leave as (() => void) | null)?.()
    }
  }

  #asked(address: string): void {
    const left = (this.#unasked.get(address) ?? 1) - 1
    if (left === 0) this.#unasked.delete(address)
    else this.#unasked.set(address, left)
  }

  async #answer(request: AssociationRequest, address: string, certificate: string | null): Promise<Answered> {
    const refused = (answer: AssociationAnswer): Answered => ({ answer, caller: null, leave: null })
    if (request.applicationContext !== APPLICATION_CONTEXT) return refused(REJECT.applicationContext)
    if (request.calledAeTitle !== this.aeTitle) {
      await this.#refusedIs(address, 'association refused: called AE title not recognised')
      return refused(REJECT.calledAeTitle)
    }
    const { peers, strangers, services, config } = this.#options
    const authorised = await authorise(
      request.callingAeTitle,
      { address, certificate },
      peers,
      strangers(),
      this.#options.withholdingFrom,
    )
    if (!authorised.in) {
      await this.#refusedIs(address, `association refused: calling AE title is ${authorised.why}`)
      return refused(REJECT.callingAeTitle)
    }
    const { caller } = authorised
    const key = caller.peer === null ? '' : caller.aeTitle
    const most = caller.peer?.associationsMax ?? config.limits.dimseAssociationsPerPeer
    if (this.#closing || this.#openAll >= config.limits.dimseAssociations || (this.#open.get(key) ?? 0) >= most) {
      return refused(REJECT.congestion)
    }
    const answer = negotiate(request, services, {
      has: (right) => hasRight(caller, right),
      operationsMax: config.limits.dimseOperations,
    })
    return answer.accept ? { answer, caller, leave: this.#enter(key) } : refused(answer)
  }

  #enter(key: string): () => void {
    this.#openAll++
    this.#open.set(key, (this.#open.get(key) ?? 0) + 1)
    return () => {
      this.#openAll--
      const left = (this.#open.get(key) ?? 1) - 1
      if (left === 0) this.#open.delete(key)
      else this.#open.set(key, left)
    }
  }

  /** Counted over a window, so that a storm of refusals is a few entries. */
  #refusedIs(address: string, detail: string): Promise<void> {
    return this.#options.auditor.note('unknown peer', { kind: 'alert', outcome: 'denied', address, detail })
  }
}

interface Answered {
  readonly answer: AssociationAnswer
  readonly caller: DimseCaller | null
  readonly leave: (() => void) | null
}
