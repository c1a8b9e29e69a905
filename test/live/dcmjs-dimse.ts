/** dcmjs-dimse, an implementation of DIMSE that shares nothing with ours: as a client, and as an archive of its own. */
import { createServer, type Server, type Socket } from 'node:net'
import { createServer as createTlsServer, type TlsOptions } from 'node:tls'
import dimse, {
  type association,
  type Dataset,
  type requests as requestTypes,
  type responses as responseTypes,
} from 'dcmjs-dimse'

const { Client, Scp, constants, requests, responses } = dimse
const { PresentationContextResult, SopClass, Status, StorageClass, TransferSyntax } = constants

dimse.log.setLevel('silent')

export type Elements = Readonly<Record<string, unknown>>

/** What one request was answered with. */
export interface Answered {
  readonly status: number
  readonly comment: string
  readonly elements: Elements | null
  readonly response: responseTypes.Response
}

export interface AskOptions {
  readonly calling?: string
  readonly called?: string
  /** Operations that may be outstanding. */
  readonly invoked?: number
  readonly securityOptions?: { readonly ca?: string; readonly cert?: string; readonly key?: string }
  /** Answers a C-STORE of a C-GET; the default keeps nothing and says success. */
  readonly onStore?: (dataset: Dataset) => number
  /** Storage classes for which it takes the role of SCP. */
  readonly storeClasses?: readonly string[]
  /** Told of commitment reports; `false` answers them with a failure. */
  readonly onReport?: (elements: Elements, eventTypeId: number) => boolean | undefined
  /** Cancels the request when it says so, after each response. */
  readonly cancelAfter?: number
  /** Milliseconds the association stays open after its last answer. */
  readonly lingerMs?: number
}

type Cancellable = requestTypes.CFindRequest | requestTypes.CMoveRequest | requestTypes.CGetRequest

/**
 * Sends requests on one association and waits for its end, at most half a minute.
 * @returns for each request what was answered, in order
 * @throws Error when the association is rejected, aborted or lost
 */
export function ask(
  port: number,
  what: readonly requestTypes.Request[],
  options: AskOptions = {},
): Promise<Answered[][]> {
  const client = new Client()
  const answers = what.map((): Answered[] => [])
  return new Promise((resolve, reject) => {
    const late = setTimeout(() => {
      reject(new Error('dcmjs-dimse had no answer within 30 s'))
      client.abort()
    }, 30_000)
    const end = (error?: Error) => {
      clearTimeout(late)
      if (error === undefined) resolve(answers)
      else reject(error)
    }
    what.forEach((request, at) => {
      request.on('response', (response: responseTypes.Response) => {
        const own = answers[at] ?? []
        own.push({
          status: response.getStatus(),
          comment: response.getErrorComment(),
          elements: response.getDataset()?.getElements() ?? null,
          response,
        })
        if (own.length === options.cancelAfter) client.cancel(request as Cancellable)
      })
      client.addRequest(request)
    })
    for (const uid of options.storeClasses ?? []) {
      const context = new dimse.association.PresentationContext(0, uid, TransferSyntax.ExplicitVRLittleEndian)
      context.setUserRole?.(false)
      context.setProviderRole?.(true)
      client.addAdditionalPresentationContext(context)
    }
    client.on(
      'cStoreRequest',
      (request: requestTypes.CStoreRequest, told: (response: responseTypes.Response) => void) => {
        const response = responses.CStoreResponse.fromRequest(request)
        const dataset = request.getDataset()
        response.setStatus(dataset === undefined ? Status.ProcessingFailure : (options.onStore?.(dataset) ?? 0))
        told(response)
      },
    )
    client.on(
      'nEventReportRequest',
      (request: requestTypes.NEventReportRequest, told: (response: responseTypes.Response) => void) => {
        const taken = options.onReport?.(request.getDataset()?.getElements() ?? {}, request.getEventTypeId()) ?? true
        const response = responses.NEventReportResponse.fromRequest(request)
        response.setStatus(taken ? Status.Success : Status.ProcessingFailure)
        told(response)
      },
    )
    client.on('associationRejected', (told: { result: number; source: number; reason: number }) =>
      end(new Error(`rejected: ${told.result}, ${told.source}, ${told.reason}`)),
    )
    // Its timer may release a second time, behind the end of its own socket: by then everything has been answered.
    const isDone = () => answers.every((own) => own.some(({ status }) => status !== 0xff00 && status !== 0xff01))
    client.on('networkError', (error: Error) => {
      end(error.message.endsWith('write after end') && isDone() ? undefined : error)
    })
    client.on('closed', () => end())
    client.send('127.0.0.1', port, options.calling ?? 'DCMJS', options.called ?? 'DIPTYCH', {
      associationLingerTimeout: options.lingerMs ?? 0,
      ...(options.invoked === undefined
        ? {}
        : { asyncOps: { maxAsyncOpsInvoked: options.invoked, maxAsyncOpsPerformed: 1 } }),
      ...(options.securityOptions === undefined ? {} : { securityOptions: options.securityOptions }),
    })
  })
}

/** An archive of dcmjs-dimse in this process. */
export interface DcmjsArchive {
  readonly port: number
  /** What it keeps, by SOP Instance UID. */
  readonly kept: Map<string, Dataset>
  /** Calling AE titles of the associations it took. */
  readonly callers: string[]
  /** Requests to cancel that came. */
  readonly cancelled: number[]
  /** Where it sends what is moved, by AE title. */
  readonly destinations: Map<string, number>
  /** Milliseconds before each answer of a query or retrieval, so that there is time to cancel. */
  slowMs: number
  /** Milliseconds before each answer to a C-STORE. */
  storeMs: number
  /** Worklist items, as their elements. */
  readonly worklist: Elements[]
  /** SOP Instance UIDs it does not commit to. */
  readonly lost: Set<string>
  /** Most associations that were open at once. */
  most: number
  close(): Promise<void>
}

type Send<T> = (response: T) => void
const IMPLICIT_FIRST = [TransferSyntax.ExplicitVRLittleEndian, TransferSyntax.ImplicitVRLittleEndian]

const value = (dataset: { getElement(tag: string): unknown } | undefined, name: string): string =>
  String(dataset?.getElement(name) ?? '')

export async function startDcmjsArchive(
  options: { readonly aeTitle?: string; readonly tls?: TlsOptions } = {},
): Promise<DcmjsArchive> {
  const aeTitle = options.aeTitle ?? 'DCMJSSCP'
  const sockets = new Set<Socket>()
  const self: DcmjsArchive = {
    port: 0,
    kept: new Map(),
    callers: [],
    cancelled: [],
    destinations: new Map(),
    slowMs: 0,
    storeMs: 0,
    worklist: [],
    lost: new Set(),
    most: 0,
    async close() {
      for (const socket of sockets) socket.destroy()
      await new Promise((resolve) => server.close(resolve))
    },
  }
  const pause = () => new Promise((resolve) => setTimeout(resolve, self.slowMs))

  class Archive extends Scp {
    override associationRequested(asked: association.Association): void {
      if (asked.getCalledAeTitle().trim() !== aeTitle) {
        const { RejectResult, RejectSource, RejectReason } = constants
        this.sendAssociationReject(RejectResult.Permanent, RejectSource.ServiceUser, RejectReason.CalledAeNotRecognized)
        return
      }
      self.callers.push(asked.getCallingAeTitle().trim())
      for (const { id } of asked.getPresentationContexts()) {
        const context = asked.getPresentationContext(id)
        const offered = context.getTransferSyntaxUids()
        const syntax = IMPLICIT_FIRST.find((uid) => offered.includes(uid))
        if (syntax === undefined) context.setResult(PresentationContextResult.RejectTransferSyntaxesNotSupported)
        else context.setResult(PresentationContextResult.Accept, syntax)
      }
      this.sendAssociationAccept()
    }
    override associationReleaseRequested(): void {
      this.sendAssociationReleaseResponse()
    }
    override abort(): void {}
    override cCancelRequest(request: requestTypes.CCancelRequest): void {
      self.cancelled.push(request.getMessageIdBeingRespondedTo())
    }
    override cEchoRequest(request: requestTypes.CEchoRequest, send: Send<responseTypes.CEchoResponse>): void {
      const response = responses.CEchoResponse.fromRequest(request)
      response.setStatus(Status.Success)
      send(response)
    }
    override cStoreRequest(request: requestTypes.CStoreRequest, send: Send<responseTypes.CStoreResponse>): void {
      const response = responses.CStoreResponse.fromRequest(request)
      const dataset = request.getDataset()
      if (dataset !== undefined) self.kept.set(value(dataset, 'SOPInstanceUID'), dataset)
      response.setStatus(dataset === undefined ? Status.ProcessingFailure : Status.Success)
      if (self.storeMs === 0) send(response)
      else setTimeout(() => send(response), self.storeMs)
    }
    override cFindRequest(request: requestTypes.CFindRequest, send: Send<responseTypes.CFindResponse[]>): void {
      const began = self.cancelled.length
      const find = async () => {
        for (const elements of this.#rows(request)) {
          await pause()
          if (self.cancelled.length > began) break
          const response = responses.CFindResponse.fromRequest(request)
          response.setStatus(Status.Pending)
          response.setDataset(new dimse.Dataset({ ...elements }))
          this.sendResponse(request, response)
        }
        const last = responses.CFindResponse.fromRequest(request)
        last.setStatus(self.cancelled.length > began ? Status.Cancel : Status.Success)
        send([last])
      }
      void find()
    }
    override cMoveRequest(request: requestTypes.CMoveRequest, send: Send<responseTypes.CMoveResponse[]>): void {
      const to = value(request.getCommandDataset(), 'MoveDestination').trim()
      const port = self.destinations.get(to)
      const answer = (status: number, remaining: number, completed: number, failures: number) => {
        const response = responses.CMoveResponse.fromRequest(request)
        response.setStatus(status)
        response.setRemaining(remaining)
        response.setCompleted(completed)
        response.setFailures(failures)
        response.setWarnings(0)
        if (status === Status.Pending) this.sendResponse(request, response)
        else send([response])
      }
      if (port === undefined) {
        answer(Status.MoveDestinationUnknown, 0, 0, 0)
        return
      }
      const found = this.#matching(request)
      const began = self.cancelled.length
      const move = async () => {
        let [completed, failed] = [0, 0]
        for (const [at, dataset] of found.entries()) {
          await pause()
          if (self.cancelled.length > began) return answer(Status.Cancel, found.length - at, completed, failed)
          const [told] = await ask(port, [new requests.CStoreRequest(dataset)], { calling: aeTitle, called: to })
          if (told?.[0]?.status === Status.Success) completed++
          else failed++
          answer(Status.Pending, found.length - at - 1, completed, failed)
        }
        answer(failed === 0 ? Status.Success : 0xb000, 0, completed, failed)
      }
      void move()
    }
    override cGetRequest(request: requestTypes.CGetRequest, send: Send<responseTypes.CGetResponse[]>): void {
      const found = this.#matching(request)
      const began = self.cancelled.length
      const answer = (status: number, remaining: number, completed: number, failures: number) => {
        const response = responses.CGetResponse.fromRequest(request)
        response.setStatus(status)
        response.setRemaining(remaining)
        response.setCompleted(completed)
        response.setFailures(failures)
        response.setWarnings(0)
        if (status === Status.Pending) this.sendResponse(request, response)
        else send([response])
      }
      const get = async () => {
        let [completed, failed] = [0, 0]
        for (const [at, dataset] of found.entries()) {
          await pause()
          if (self.cancelled.length > began) return answer(Status.Cancel, found.length - at, completed, failed)
          const status = await new Promise<number>((resolve) => {
            const store = new requests.CStoreRequest(dataset)
            store.on('response', (response: responseTypes.Response) => resolve(response.getStatus()))
            this.sendRequests(store)
          })
          if (status === Status.Success) completed++
          else failed++
          answer(Status.Pending, found.length - at - 1, completed, failed)
        }
        answer(failed === 0 ? Status.Success : 0xb000, 0, completed, failed)
      }
      void get()
    }
    override nActionRequest(request: requestTypes.NActionRequest, send: Send<responseTypes.NActionResponse>): void {
      const response = responses.NActionResponse.fromRequest(request)
      response.setStatus(Status.Success)
      send(response)
      const elements = request.getDataset()?.getElements() ?? {}
      const listed = [elements['ReferencedSOPSequence']].flat() as Elements[]
      const isKept = (item: Elements) => {
        const uid = String(item['ReferencedSOPInstanceUID'])
        return self.kept.has(uid) && !self.lost.has(uid)
      }
      const failed = listed.filter((item) => !isKept(item))
      const event = new requests.NEventReportRequest(
        SopClass.StorageCommitmentPushModel,
        '1.2.840.10008.1.20.1.1',
        failed.length === 0 ? 1 : 2,
      )
      event.setDataset(
        new dimse.Dataset({
          TransactionUID: elements['TransactionUID'],
          ReferencedSOPSequence: listed.filter(isKept),
          ...(failed.length === 0
            ? {}
            : { FailedSOPSequence: failed.map((item) => ({ ...item, FailureReason: 0x0112 })) }),
        }),
      )
      setTimeout(() => this.sendRequests(event), 50)
    }

    #matching(request: requestTypes.Request): Dataset[] {
      const asked = request.getDataset()
      return [...self.kept.values()].filter((dataset) =>
        ['StudyInstanceUID', 'SeriesInstanceUID', 'SOPInstanceUID'].every((name) => {
          const given = asked?.getElement(name) as unknown
          const wanted = (Array.isArray(given) ? given : String(given ?? '').split('\\')).filter((uid) => uid !== '')
          return wanted.length === 0 || wanted.includes(value(dataset, name))
        }),
      )
    }

    #rows(request: requestTypes.CFindRequest): Elements[] {
      const asked = request.getDataset()
      if (request.getAffectedSopClassUid() === SopClass.ModalityWorklistInformationModelFind) return self.worklist
      const level = value(asked, 'QueryRetrieveLevel')
      const key = { STUDY: 'StudyInstanceUID', SERIES: 'SeriesInstanceUID', IMAGE: 'SOPInstanceUID' }[level] ?? ''
      const rows = new Map<string, Elements>()
      for (const dataset of this.#matching(request)) {
        const names = Object.keys(asked?.getElements() ?? {}).filter((name) => !name.startsWith('_'))
        const held = dataset.getElements()
        const row = Object.fromEntries(names.map((name) => [name, held[name] ?? '']))
        rows.set(value(dataset, key), { ...row, QueryRetrieveLevel: level, SpecificCharacterSet: 'ISO_IR 192' })
      }
      return [...rows.values()]
    }
  }

  const take = (socket: Socket) => {
    sockets.add(socket)
    self.most = Math.max(self.most, sockets.size)
    socket.setNoDelay(true)
    socket.on('close', () => sockets.delete(socket))
    const scp = new Archive(socket, {})
    // The counterpart tells of a connection that went away; that is no fault of the test.
    scp.on('networkError', () => socket.destroy())
  }
  const server: Server =
    options.tls === undefined ? createServer(take) : createTlsServer(options.tls, take).on('tlsClientError', () => {})
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  return Object.assign(self, { port: typeof address === 'object' && address !== null ? address.port : 0 })
}

export { dimse, requests, SopClass, StorageClass }
