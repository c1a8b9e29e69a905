import { ask, call } from './api.js'

/** Bytes of one PATCH: small enough to repeat after a break, large enough to be fast. */
const PIECE_BYTES = 8 * 1024 * 1024
const TRIES = 6

/**
 * Sends one file in pieces, goes on where it was after a break, and follows what becomes of it.
 *
 * @param {{ name: string, body: Blob, originator?: string, medium?: string }} what
 * @param {{ sent(bytes: number): void, line(line: object): void, signal: AbortSignal }} tell
 * @returns the summary
 */
export async function upload({ name, body, originator, medium }, tell) {
  const json = { name, size: body.size, ...(originator ? { originator } : {}), ...(medium ? { medium } : {}) }
  const { id } = await ask('/api/v1/uploads', { method: 'POST', json })
  const path = `/api/v1/uploads/${id}`
  let offset = 0
  let failures = 0
  while (offset < body.size) {
    tell.signal.throwIfAborted()
    const piece = body.slice(offset, offset + PIECE_BYTES)
    try {
      const answer = await call(path, {
        method: 'PATCH',
        body: piece,
        headers: { 'upload-offset': String(offset), 'content-type': 'application/offset+octet-stream' },
      })
      const at = Number(answer.headers.get('upload-offset'))
      tell.sent(at - offset)
      offset = at
      failures = 0
    } catch (error) {
      const hopeless = error.status >= 400 && error.status < 500 && error.status !== 409 && error.status !== 429
      failures += 1
      if (hopeless || failures > TRIES) throw error
      await new Promise((resolve) => setTimeout(resolve, 250 * 2 ** failures))
      const answer = await call(path, { method: 'HEAD' })
      const at = Number(answer.headers.get('upload-offset'))
      tell.sent(at - offset)
      offset = at
    }
  }
  await ask(`${path}/finish`, { method: 'POST' })
  return follow(path, tell)
}

/** Reads the lines as they come; the browser takes the stream up again by itself after a break. */
function follow(path, tell) {
  return new Promise((resolve, reject) => {
    const events = new EventSource(`${path}/events`)
    events.onmessage = ({ data }) => tell.line(JSON.parse(data))
    events.addEventListener('done', ({ data }) => {
      events.close()
      resolve(JSON.parse(data).summary)
    })
    events.onerror = () => {
      if (events.readyState !== EventSource.CLOSED) return
      ask(`${path}/result`).then((result) => {
        if (result.state === 'done') resolve(result.summary)
        else reject(new Error('The archive stopped telling what becomes of the files; they are not lost.'))
      }, reject)
    }
  })
}
