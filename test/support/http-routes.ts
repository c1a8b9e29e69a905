/** Routes and raw bytes for tests of the HTTP server. */
import { connect, type Socket } from 'node:net'
import type { Route } from '#model/route.ts'

export function route(more: Partial<Route> & Pick<Route, 'url'>): Route {
  return { method: 'GET', standard: 'test', needs: 'public', handle: async () => ({ ok: true }), ...more }
}

export const OPEN = route({ url: '/open' })
export const THINGS = route({ url: '/things/:id', needs: 'object.read' })
export const STORE = route({
  method: 'POST',
  url: '/things',
  needs: 'object.store',
  body: 'stream',
  async handle(asked) {
    let bytes = 0
    for await (const chunk of asked.raw) bytes += (chunk as Buffer).byteLength
    return { bytes }
  },
})
export const ECHO = route({ method: 'POST', url: '/echo', body: 'json', handle: async ({ body }) => ({ body }) })

/** Sends bytes as they are and returns everything that comes back until the peer closes. */
export function raw(port: number, bytes: string, onSocket: (socket: Socket) => void = () => {}): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = ''
    const socket = connect(port, '127.0.0.1', () => {
      socket.write(bytes)
      onSocket(socket)
    })
    socket.setTimeout(5000, () => socket.destroy(new Error(`no end: ${text}`)))
    socket.on('data', (chunk) => {
      text += chunk.toString('latin1')
    })
    socket.on('close', () => resolve(text))
    socket.on('error', reject)
  })
}
