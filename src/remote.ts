/** Calls to objects that live in the writer worker: one message per turn of the event loop, however many calls. */
import type { MessagePort, Transferable } from 'node:worker_threads'
import { ArchiveError, type ErrorCode } from '#errors.ts'

interface Call {
  readonly id: number
  readonly service: string
  readonly method: string
  readonly args: readonly unknown[]
}

type Answer =
  | { readonly id: number; readonly ok: true; readonly value: unknown }
  | { readonly id: number; readonly ok: false; readonly error: Told }

interface Told {
  readonly code: ErrorCode | null
  readonly message: string
  readonly hint: string | null
  readonly stack: string | null
}

/** An object whose methods all answer with promises and take structured-cloneable arguments. */
export type RemoteService = object

/** Something that can be asked: a worker from outside, or the parent port from inside. */
export type Line = Pick<MessagePort, 'postMessage'> & {
  on(event: 'message', listener: (value: unknown) => void): unknown
}

/** Answers calls that come over a line with the services given. Runs in the writer worker. */
export function serveRemote(line: Line, services: { readonly [name: string]: RemoteService }): void {
  const answers: Answer[] = []
  const say = (answer: Answer) => {
    answers.push(answer)
    if (answers.length === 1) setImmediate(() => line.postMessage(answers.splice(0)))
  }
  line.on('message', (message) => {
    for (const call of message as Call[]) {
      const service = services[call.service] as
        | { [method: string]: (...args: readonly unknown[]) => unknown }
        | undefined
      Promise.resolve()
        .then(() => {
          if (service === undefined || typeof service[call.method] !== 'function') {
            throw new TypeError(`no ${call.service}.${call.method} in the writer`)
          }
          return service[call.method]?.(...call.args)
        })
        .then(
          (value) => say({ id: call.id, ok: true, value }),
          (error: unknown) => say({ id: call.id, ok: false, error: told(error) }),
        )
    }
  })
}

/** The caller's end of a line. */
export interface Caller {
  service<T extends RemoteService>(name: string): T
  /** Calls under way. */
  pending(): number
  /** Fails every call under way and every later one: the worker is gone. */
  fail(reason: Error): void
}

/** Makes proxies whose method calls travel over a line. */
export function callRemote(line: Line): Caller {
  const waiting = new Map<number, { resolve(value: unknown): void; reject(error: Error): void }>()
  let calls: Call[] = []
  let transfers: Transferable[] = []
  let nextId = 1
  let gone: Error | null = null

  line.on('message', (message) => {
    for (const answer of message as Answer[]) {
      const waiter = waiting.get(answer.id)
      waiting.delete(answer.id)
      if (answer.ok) waiter?.resolve(answer.value)
      else waiter?.reject(retold(answer.error))
    }
  })

  function call(service: string, method: string, args: readonly unknown[]): Promise<unknown> {
    if (gone !== null) return Promise.reject(gone)
    return new Promise((resolve, reject) => {
      const id = nextId++
      waiting.set(id, { resolve, reject })
      const sent = args.map((arg) => handedOver(arg, transfers))
      calls.push({ id, service, method, args: sent })
      if (calls.length > 1) return
      setImmediate(() => {
        const [batch, moved] = [calls, transfers]
        calls = []
        transfers = []
        line.postMessage(batch, moved)
      })
    })
  }

  return {
    service<T extends RemoteService>(name: string): T {
      return new Proxy({} as T, {
        get: (_, method) =>
          // A proxy that looks thenable would be called by `await`.
          typeof method !== 'string' || method === 'then'
            ? undefined
            : (...args: unknown[]) => call(name, method, args),
      })
    },
    pending: () => waiting.size,
    fail(reason) {
      gone = reason
      for (const { reject } of waiting.values()) reject(reason)
      waiting.clear()
    },
  }
}

/** An arrival's buffer is transferred, not copied; a part of a larger one is copied once, so nothing else moves; shared
 * memory stays where it is, and is not written to before the answer. */
function handedOver(arg: unknown, transfers: Transferable[]): unknown {
  if (!isArrivalInMemory(arg)) return arg
  const { bytes } = arg.bytes
  if (bytes.buffer instanceof SharedArrayBuffer) return arg
  const whole = bytes.byteOffset === 0 && bytes.byteLength === bytes.buffer.byteLength
  const own = whole ? new Uint8Array(bytes.buffer) : new Uint8Array(bytes)
  transfers.push(own.buffer as ArrayBuffer)
  return { ...arg, bytes: { ...arg.bytes, bytes: own } }
}

function isArrivalInMemory(arg: unknown): arg is { bytes: { in: 'memory'; bytes: Uint8Array } } {
  if (typeof arg !== 'object' || arg === null || !('bytes' in arg)) return false
  const { bytes } = arg
  return typeof bytes === 'object' && bytes !== null && 'in' in bytes && bytes.in === 'memory'
}

function told(error: unknown): Told {
  if (error instanceof ArchiveError) {
    return { code: error.code, message: error.message, hint: error.hint ?? null, stack: error.stack ?? null }
  }
  const known = error instanceof Error ? error : new Error(String(error))
  return { code: null, message: known.message, hint: null, stack: known.stack ?? null }
}

function retold(error: Told): Error {
  const made =
    error.code === null
      ? new Error(error.message)
      : new ArchiveError(error.code, error.message, error.hint === null ? {} : { hint: error.hint })
  if (error.stack !== null) made.stack = error.stack
  return made
}
