/** A receiver of HL7 v2 messages that shares no code with the sender it tests, and behaves as it is told. */
import { createServer, type Server, type Socket } from 'node:net'

/** What becomes of a message: an MSA-1 code, or none: `hang` says nothing, `close` ends the connection, `wrong` answers another. */
export type Behaviour = string | 'hang' | 'close' | 'wrong'

export interface MllpReceiver {
  readonly port: number
  /** Everything that came, in its order, also what came twice. */
  readonly received: readonly string[]
  /** Said of each message before it is answered. */
  behave(how: (message: string, nth: number) => Behaviour | Promise<Behaviour>): void
  /** Waits (at most 20 s) until so many messages came. */
  until(count: number): Promise<readonly string[]>
  close(): Promise<void>
}

export const field = (message: string, segment: string, number: number): string => {
  const line = message.split('\r').find((one) => one.startsWith(`${segment}|`)) ?? ''
  return line.split('|')[segment === 'MSH' ? number - 1 : number] ?? ''
}

export async function mllpReceiver(port = 0): Promise<MllpReceiver> {
  const received: string[] = []
  const sockets = new Set<Socket>()
  let how: (message: string, nth: number) => Behaviour | Promise<Behaviour> = () => 'AA'
  const server: Server = createServer((socket) => {
    sockets.add(socket)
    socket.on('close', () => sockets.delete(socket))
    socket.on('error', () => socket.destroy())
    let buffer = Buffer.alloc(0)
    socket.on('data', async (chunk: Buffer) => {
      buffer = Buffer.concat([buffer, chunk])
      for (let end = buffer.indexOf('\x1c\r'); end !== -1; end = buffer.indexOf('\x1c\r')) {
        const message = buffer.subarray(buffer.indexOf(0x0b) + 1, end).toString('utf8')
        buffer = buffer.subarray(end + 2)
        received.push(message)
        const behaviour = await how(message, received.length)
        if (behaviour === 'hang') return
        if (behaviour === 'close') {
          socket.destroy()
          return
        }
        const id = behaviour === 'wrong' ? 'another' : field(message, 'MSH', 10)
        const code = behaviour === 'wrong' ? 'AA' : behaviour
        socket.write(`\x0bMSH|^~\\&|R|R|||2026||ACK|A${received.length}|P|2.5.1\rMSA|${code}|${id}|said\r\x1c\r`)
      }
    })
  })
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve))
  const address = server.address()
  return {
    port: typeof address === 'object' && address !== null ? address.port : 0,
    received,
    behave(next) {
      how = next
    },
    async until(count) {
      for (let i = 0; i < 400 && received.length < count; i++) await new Promise((resolve) => setTimeout(resolve, 50))
      if (received.length < count) throw new Error(`${received.length} of ${count} messages came`)
      return received
    },
    close: () =>
      new Promise((resolve) => {
        for (const socket of sockets) socket.destroy()
        server.close(() => resolve())
      }),
  }
}
