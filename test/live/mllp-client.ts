/** A sender of HL7 v2 messages that shares no code with the receiver it tests: sockets and bytes only. */
import { connect, type Socket } from 'node:net'
import { type ConnectionOptions, connect as connectTls } from 'node:tls'

export interface MllpClient {
  readonly socket: Socket
  /** Sends a message in its frame and waits for one answer. */
  ask(message: string | Uint8Array): Promise<string>
  /** Bytes as they are. */
  write(bytes: string | Uint8Array): void
  /** The next answer, without its frame; rejects when the connection ends or after `ms`. */
  next(ms?: number): Promise<string>
  close(): void
}

const WAIT_MS = 20_000

export function mllpClient(port: number, tls?: ConnectionOptions): Promise<MllpClient> {
  const socket = tls === undefined ? connect(port, '127.0.0.1') : connectTls({ port, host: '127.0.0.1', ...tls })
  let text = ''
  const answers: string[] = []
  const waiters: { resolve(answer: string): void; reject(error: Error): void }[] = []
  let ended: Error | null = null
  socket.on('data', (chunk: Buffer) => {
    text += chunk.toString('latin1')
    for (let end = text.indexOf('\x1c\r'); end !== -1; end = text.indexOf('\x1c\r')) {
      const answer = Buffer.from(text.slice(text.indexOf('\x0b') + 1, end), 'latin1').toString('utf8')
      text = text.slice(end + 2)
      const waiter = waiters.shift()
      if (waiter === undefined) answers.push(answer)
      else waiter.resolve(answer)
    }
  })
  const over = (error: Error) => {
    ended ??= error
    for (const waiter of waiters.splice(0)) waiter.reject(ended)
  }
  socket.on('error', over)
  socket.on('close', () => over(new Error('the connection ended')))
  const client: MllpClient = {
    socket,
    ask(message) {
      client.write(Buffer.concat([Buffer.of(0x0b), Buffer.from(message as string), Buffer.of(0x1c, 0x0d)]))
      return client.next()
    },
    write: (bytes) => void socket.write(bytes),
    next(ms = WAIT_MS) {
      const ready = answers.shift()
      if (ready !== undefined) return Promise.resolve(ready)
      if (ended !== null) return Promise.reject(ended)
      return new Promise((resolve, reject) => {
        const late = setTimeout(() => reject(new Error(`no answer within ${ms} ms`)), ms)
        waiters.push({
          resolve: (answer) => {
            clearTimeout(late)
            resolve(answer)
          },
          reject: (error) => {
            clearTimeout(late)
            reject(error)
          },
        })
      })
    },
    close: () => socket.destroy(),
  }
  return new Promise((resolve, reject) => {
    socket.once(tls === undefined ? 'connect' : 'secureConnect', () => resolve(client))
    socket.once('error', reject)
  })
}

/** `AA 102` from an answer: MSA-1 and the condition of ERR, if any. */
export function codeOf(answer: string): string {
  const segments = answer.split('\r').map((line) => line.split('|'))
  const find = (name: string) => segments.find(([first]) => first === name)
  const error = find('ERR')
  const condition = error?.[3]?.split('^')[0] ?? error?.[1]?.split('^')[3]?.split('&')[0] ?? ''
  return `${find('MSA')?.[1] ?? 'none'} ${condition}`.trim()
}

let serial = 0

/** A message from a sender of the tests. */
export function message(type: string, segments: readonly string[], head: { id?: string; tail?: string } = {}): string {
  serial++
  const id = head.id ?? `T${serial}`
  return [`MSH|^~\\&|TEST|LAB|DIPTYCH||20260101120000||${type}|${id}|P|2.5${head.tail ?? ''}`, ...segments, ''].join(
    '\r',
  )
}
