/** STOW-RS and QIDO-RS over bare node:http with kept-alive connections: cheap enough to measure a server beside it. */
import http from 'node:http'

export interface Answer {
  readonly status: number
  readonly headers: http.IncomingHttpHeaders
  readonly body: Buffer
}

export function request(
  agent: http.Agent,
  url: string,
  options: { method?: string; headers?: http.OutgoingHttpHeaders; body?: readonly Uint8Array[] } = {},
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const asked = http.request(
      url,
      { agent, method: options.method ?? 'GET', headers: options.headers ?? {} },
      (answer) => {
        const chunks: Buffer[] = []
        answer.on('data', (chunk: Buffer) => chunks.push(chunk))
        answer.on('end', () =>
          resolve({ status: answer.statusCode ?? 0, headers: answer.headers, body: Buffer.concat(chunks) }),
        )
        answer.on('error', reject)
      },
    )
    asked.on('error', reject)
    for (const piece of options.body ?? []) asked.write(piece)
    asked.end()
  })
}

const BOUNDARY = 'diptych-test-boundary'

/** One STOW-RS request with Part 10 parts. */
export function stow(
  agent: http.Agent,
  root: string,
  objects: readonly Uint8Array[],
  headers: http.OutgoingHttpHeaders = {},
): Promise<Answer> {
  const head = Buffer.from(`--${BOUNDARY}\r\nContent-Type: application/dicom\r\n\r\n`)
  const between = Buffer.from('\r\n')
  const last = Buffer.from(`--${BOUNDARY}--\r\n`)
  const body = [...objects.flatMap((object) => [head, object, between]), last]
  return request(agent, `${root}/studies`, {
    method: 'POST',
    headers: {
      'Content-Type': `multipart/related; type="application/dicom"; boundary=${BOUNDARY}`,
      'Content-Length': body.reduce((sum, piece) => sum + piece.length, 0),
      Accept: 'application/dicom+json',
      ...headers,
    },
    body,
  })
}
