/** A C-STORE sender written by hand: it shares no code with what it tries, and is lean enough to feed a server. PS3.8, PS3.7. */
import { connect, type Socket } from 'node:net'

/** A presentation context to propose. */
export interface Proposed {
  readonly sopClass: string
  readonly transferSyntaxes: readonly string[]
}

export interface StoreResponse {
  readonly status: number
  readonly comment: string
  readonly sopInstanceUID: string
}

export interface StoreOptions {
  readonly port: number
  readonly host?: string
  readonly called?: string
  readonly calling?: string
  readonly contexts: readonly Proposed[]
  /** Asynchronous operations to ask for. */
  readonly invoked?: number
}

/** The server ended the association, or never began it. */
export class StoreClientError extends Error {
  override readonly name = 'StoreClientError'
  /** Result, source and reason of an A-ASSOCIATE-RJ; source and reason of an A-ABORT. */
  readonly told: readonly number[]

  constructor(message: string, told: readonly number[] = []) {
    super(message)
    this.told = told
  }
}

const text = (value: string) => Buffer.from(value, 'latin1')

function item(type: number, ...content: readonly Uint8Array[]): Buffer {
  const body = Buffer.concat(content)
  return Buffer.concat([Buffer.from([type, 0, body.length >> 8, body.length & 255]), body])
}

function pdu(type: number, ...content: readonly Uint8Array[]): Buffer {
  const body = Buffer.concat(content)
  const head = Buffer.alloc(6)
  head[0] = type
  head.writeUInt32BE(body.length, 2)
  return Buffer.concat([head, body])
}

function uint16(value: number): Buffer {
  return Buffer.from([value >> 8, value & 255])
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(value)
  return bytes
}

export function associateRequest(options: StoreOptions): Buffer {
  const title = (name: string) => text(name.padEnd(16))
  const contexts = options.contexts.map(({ sopClass, transferSyntaxes }, i) =>
    item(
      0x20,
      Buffer.from([2 * i + 1, 0, 0, 0]),
      item(0x30, text(sopClass)),
      ...transferSyntaxes.map((uid) => item(0x40, text(uid))),
    ),
  )
  const window = options.invoked === undefined ? [] : [item(0x53, uint16(options.invoked), uint16(1))]
  const user = item(0x50, item(0x51, uint32(65_536)), item(0x52, text('2.25.99')), ...window, item(0x55, text('TRIAL')))
  const fixed = [
    uint16(1),
    uint16(0),
    title(options.called ?? 'DIPTYCH'),
    title(options.calling ?? 'TRIAL'),
    Buffer.alloc(32),
  ]
  return pdu(1, ...fixed, item(0x10, text('1.2.840.10008.3.1.1.1')), ...contexts, user)
}

function element(number: number, value: Buffer): Buffer {
  const padded = value.length % 2 === 0 ? value : Buffer.concat([value, Buffer.alloc(1)])
  const head = Buffer.alloc(8)
  head.writeUInt16LE(number, 2)
  head.writeUInt32LE(padded.length, 4)
  return Buffer.concat([head, padded])
}

function us(value: number): Buffer {
  return Buffer.from([value & 255, value >> 8])
}

/** A C-STORE-RQ command set. PS3.7 section 9.3.1.1. */
function storeCommand(messageId: number, sopClass: string, instance: string): Buffer {
  const elements = Buffer.concat([
    element(0x0002, text(sopClass)),
    element(0x0100, us(1)),
    element(0x0110, us(messageId)),
    element(0x0700, us(0)),
    element(0x0800, us(0)),
    element(0x1000, text(instance)),
  ])
  const length = Buffer.alloc(4)
  length.writeUInt32LE(elements.length)
  return Buffer.concat([element(0x0000, length), elements])
}

interface Waiter {
  resolve(response: StoreResponse): void
  reject(error: Error): void
}

/** One association. */
export class StoreClient {
  readonly #socket: Socket
  /** Context id by class and transfer syntax, of those accepted. */
  readonly contexts = new Map<string, number>()
  #pduMax = 16_384
  #buffered: Buffer = Buffer.alloc(0)
  readonly #waiting = new Map<number, Waiter>()
  #messageId = 0
  #command: Buffer[] = []
  #opened: { resolve(): void; reject(error: Error): void } | null = null
  #released: (() => void) | null = null
  #failed: StoreClientError | null = null
  invoked = 1

  private constructor(socket: Socket) {
    this.#socket = socket
    socket.setNoDelay(true)
    socket.on('data', (chunk: Buffer) => this.#take(chunk))
    socket.on('error', (error) => this.#fail(new StoreClientError(error.message)))
    socket.on('close', () => this.#fail(new StoreClientError('the connection was closed')))
  }

  /** @throws StoreClientError with what a rejection said */
  static async open(options: StoreOptions): Promise<StoreClient> {
    const socket = connect(options.port, options.host ?? '127.0.0.1')
    const client = new StoreClient(socket)
    await new Promise<void>((resolve, reject) => {
      client.#opened = { resolve, reject }
      socket.write(associateRequest(options))
    })
    options.contexts.forEach(({ sopClass }, i) => {
      const syntax = client.#accepted.get(2 * i + 1)
      if (syntax !== undefined) client.contexts.set(`${sopClass} ${syntax}`, 2 * i + 1)
    })
    return client
  }

  readonly #accepted = new Map<number, string>()

  /** Sends one instance; several may be under way when that was negotiated. */
  store(sopClass: string, transferSyntax: string, instance: string, dataSet: Uint8Array): Promise<StoreResponse> {
    if (this.#failed !== null) return Promise.reject(this.#failed)
    const context = this.contexts.get(`${sopClass} ${transferSyntax}`)
    if (context === undefined)
      return Promise.reject(new StoreClientError(`no context for ${sopClass} ${transferSyntax}`))
    this.#messageId = (this.#messageId % 65_535) + 1
    const id = this.#messageId
    this.#socket.cork()
    this.#value(context, 3, storeCommand(id, sopClass, instance))
    const most = this.#pduMax - 6
    for (let at = 0; at < dataSet.length || at === 0; at += most) {
      this.#value(context, at + most >= dataSet.length ? 2 : 0, dataSet.subarray(at, at + most))
    }
    this.#socket.uncork()
    return new Promise((resolve, reject) => this.#waiting.set(id, { resolve, reject }))
  }

  async release(): Promise<void> {
    const released = new Promise<void>((resolve) => {
      this.#released = resolve
    })
    this.#socket.write(pdu(5, Buffer.alloc(4)))
    await released
    this.#socket.destroy()
  }

  destroy(): void {
    this.#socket.destroy()
  }

  #value(context: number, control: number, bytes: Uint8Array): void {
    const head = Buffer.alloc(12)
    head[0] = 4
    head.writeUInt32BE(bytes.length + 6, 2)
    head.writeUInt32BE(bytes.length + 2, 6)
    head[10] = context
    head[11] = control
    this.#socket.write(head)
    this.#socket.write(bytes)
  }

  #take(chunk: Buffer): void {
    this.#buffered = this.#buffered.length === 0 ? chunk : Buffer.concat([this.#buffered, chunk])
    while (this.#buffered.length >= 6) {
      const end = 6 + this.#buffered.readUInt32BE(2)
      if (this.#buffered.length < end) return
      const body = this.#buffered.subarray(6, end)
      const type = this.#buffered[0]
      this.#buffered = this.#buffered.subarray(end)
      this.#pdu(type ?? 0, body)
    }
  }

  #pdu(type: number, body: Buffer): void {
    if (type === 2) this.#associated(body)
    else if (type === 3) this.#fail(new StoreClientError('rejected', [...body.subarray(1, 4)]))
    else if (type === 7) this.#fail(new StoreClientError('aborted', [...body.subarray(2, 4)]))
    else if (type === 6) this.#released?.()
    else this.#data(body)
  }

  #data(body: Buffer): void {
    for (let at = 0; at + 6 <= body.length; ) {
      const length = body.readUInt32BE(at)
      this.#command.push(body.subarray(at + 6, at + 4 + length))
      if (((body[at + 5] ?? 0) & 3) === 3) {
        this.#response(Buffer.concat(this.#command))
        this.#command = []
      }
      at += 4 + length
    }
  }

  #associated(body: Buffer): void {
    for (let at = 68; at + 4 <= body.length; ) {
      const [type, length] = [body[at], body.readUInt16BE(at + 2)]
      const content = body.subarray(at + 4, at + 4 + length)
      if (type === 0x21 && content[2] === 0) {
        this.#accepted.set(content[0] ?? 0, content.subarray(8).toString('latin1').replace(/\0$/, ''))
      }
      for (let sub = 0; type === 0x50 && sub + 4 <= content.length; ) {
        const size = content.readUInt16BE(sub + 2)
        if (content[sub] === 0x51) this.#pduMax = content.readUInt32BE(sub + 4) || 131_072
        if (content[sub] === 0x53) this.invoked = content.readUInt16BE(sub + 4)
        sub += 4 + size
      }
      at += 4 + length
    }
    this.#opened?.resolve()
    this.#opened = null
  }

  #response(command: Buffer): void {
    const values = new Map<number, Buffer>()
    for (let at = 0; at + 8 <= command.length; ) {
      const length = command.readUInt32LE(at + 4)
      values.set(command.readUInt16LE(at + 2), command.subarray(at + 8, at + 8 + length))
      at += 8 + length
    }
    const plain = (number: number) => (values.get(number)?.toString('latin1') ?? '').replace(/[\0 ]+$/, '')
    const id = values.get(0x0120)?.readUInt16LE() ?? 0
    const waiter = this.#waiting.get(id)
    this.#waiting.delete(id)
    waiter?.resolve({
      status: values.get(0x0900)?.readUInt16LE() ?? -1,
      comment: plain(0x0902),
      sopInstanceUID: plain(0x1000),
    })
  }

  #fail(error: StoreClientError): void {
    this.#failed ??= error
    this.#opened?.reject(this.#failed)
    this.#opened = null
    for (const { reject } of this.#waiting.values()) reject(this.#failed)
    this.#waiting.clear()
    this.#released?.()
    this.#socket.destroy()
  }
}
