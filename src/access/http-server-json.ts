import type { IncomingMessage } from 'node:http'
import { ArchiveError } from '#errors.ts'

/**
 * Parses JSON strictly: RFC 8259, no duplicate member names (readers disagree on which one counts), objects without a
 * prototype, so that `__proto__` is a name like any other. threats.md R14.
 *
 * @param depthMax levels of nesting
 * @throws ArchiveError 'request.malformed' with the zero-based character offset
 */
export function parseStrictJson(text: string, depthMax: number): unknown {
  let at = 0
  const wrong = (why: string): ArchiveError => new ArchiveError('request.malformed', `JSON: ${why} at character ${at}`)

  function space(): void {
    for (;;) {
      const code = text.charCodeAt(at)
      if (code !== 0x20 && code !== 0x0a && code !== 0x0d && code !== 0x09) return
      at += 1
    }
  }

  function string(): string {
    const start = at
    at += 1
    for (;;) {
      const code = text.charCodeAt(at)
      if (Number.isNaN(code)) throw wrong('unfinished text')
      if (code === 0x22) break
      if (code < 0x20) throw wrong('control character in text')
      at += code === 0x5c ? 2 : 1
    }
    at += 1
    try {
      return JSON.parse(text.slice(start, at)) as string // escapes are checked by the platform
    } catch {
      at = start
      throw wrong('bad escape')
    }
  }

  function scalar(): unknown {
    const end = /[\s,\]}]/g
    end.lastIndex = at
    const stop = end.exec(text)?.index ?? text.length
    const word = text.slice(at, Math.min(stop, at + 400))
    try {
      const value: unknown = JSON.parse(word)
      at += word.length
      return value
    } catch {
      throw wrong('unexpected character')
    }
  }

  function value(depth: number): unknown {
    if (depth > depthMax) throw wrong(`more than ${depthMax} levels`)
    space()
    const first = text[at]
    if (first === '"') return string()
    if (first === '{') return object(depth)
    if (first === '[') return array(depth)
    return scalar()
  }

  function object(depth: number): unknown {
    const result: Record<string, unknown> = Object.create(null)
    at += 1
    space()
    if (text[at] === '}') {
      at += 1
      return result
    }
    for (;;) {
      space()
      if (text[at] !== '"') throw wrong('expected a member name')
      const name = string()
      if (Object.hasOwn(result, name)) throw wrong('duplicate member name')
      space()
      if (text[at] !== ':') throw wrong('expected ":"')
      at += 1
      result[name] = value(depth + 1)
      space()
      const next = text[at]
      if (next !== ',' && next !== '}') throw wrong('expected "," or "}"')
      at += 1
      if (next === '}') return result
    }
  }

  function array(depth: number): unknown {
    const result: unknown[] = []
    at += 1
    space()
    if (text[at] === ']') {
      at += 1
      return result
    }
    for (;;) {
      result.push(value(depth + 1))
      space()
      const next = text[at]
      if (next !== ',' && next !== ']') throw wrong('expected "," or "]"')
      at += 1
      if (next === ']') return result
    }
  }

  const result = value(1)
  space()
  if (at < text.length) throw wrong('text after the end')
  return result
}

/**
 * Reads a JSON body.
 * @returns undefined when there is no body
 * @throws ArchiveError 'request.media-type', 'request.too-large', 'request.malformed'
 */
export async function readJson(
  request: IncomingMessage,
  limits: { readonly httpJsonBytes: number; readonly jsonDepth: number },
): Promise<unknown> {
  const declared = request.headers['content-length']
  const chunked = request.headers['transfer-encoding'] !== undefined
  if (!chunked && (declared === undefined || declared === '0')) return undefined
  const type = (request.headers['content-type'] ?? '').split(';', 1)[0]?.trim().toLowerCase()
  if (type !== 'application/json') {
    throw new ArchiveError('request.media-type', 'the body must be application/json')
  }
  const coding = request.headers['content-encoding']
  if (coding !== undefined && coding !== 'identity') {
    throw new ArchiveError('request.media-type', 'a compressed body is not taken here')
  }
  const tooLarge = () => new ArchiveError('request.too-large', `a JSON body has at most ${limits.httpJsonBytes} bytes`)
  if (declared !== undefined && Number(declared) > limits.httpJsonBytes) throw tooLarge()
  const chunks: Buffer[] = []
  let size = 0
  // `destroyOnReturn: false`: the answer must still be able to leave on this connection.
  for await (const chunk of request.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
    size += chunk.byteLength
    if (size > limits.httpJsonBytes) throw tooLarge()
    chunks.push(chunk)
  }
  if (size === 0) return undefined
  let text: string
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: false }).decode(Buffer.concat(chunks))
  } catch {
    throw new ArchiveError('request.malformed', 'JSON: not UTF-8')
  }
  return parseStrictJson(text, limits.jsonDepth)
}
