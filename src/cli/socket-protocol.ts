import { closeSync, openSync } from 'node:fs'
import { join } from 'node:path'
import type { Duplex } from 'node:stream'
import type { ExitStatus, Given, Line } from './command.ts'

/** What is asked over the socket of a data directory, one JSON text a line. */
export type Asked = { readonly command: string; readonly given: Given } | { readonly interrupt: true }

/** What the owner answers: lines of the command, then how it ended. */
export type Answered =
  | { readonly line: Line }
  | { readonly exit: ExitStatus }
  | { readonly failed: { readonly name: string; readonly message: string; readonly hint: string | null } }

/** Longest line that is taken from the other side, in bytes. */
const LINE_BYTES_MAX = 16 * 1024 * 1024

/** @throws Error when a line is too long or no JSON: the other side is another version, or none of ours */
export async function* jsonLines(stream: Duplex): AsyncGenerator<unknown> {
  const pieces: Buffer[] = []
  let held = 0
  for await (const chunk of stream as AsyncIterable<Buffer>) {
    let from = 0
    for (let end = chunk.indexOf(10); end >= 0; end = chunk.indexOf(10, from)) {
      pieces.push(chunk.subarray(from, end))
      yield JSON.parse(Buffer.concat(pieces).toString('utf8'))
      pieces.length = 0
      held = 0
      from = end + 1
    }
    if (from < chunk.length) {
      held += chunk.length - from
      if (held > LINE_BYTES_MAX) throw new Error('a line on the socket is longer than 16 MiB')
      pieces.push(chunk.subarray(from))
    }
  }
}

/** Longest path a socket can have on every system we run on, in bytes. sys/un.h. */
const SOCKET_PATH_BYTES_MAX = 100

/**
 * Where to listen or connect. A data directory whose name is too long for a socket address is reached through an
 * open descriptor of it (Linux).
 */
export function socketAddress(dataDirectory: string): { readonly path: string; close(): void } {
  const path = join(dataDirectory, 'socket')
  if (Buffer.byteLength(path) <= SOCKET_PATH_BYTES_MAX) return { path, close: () => {} }
  const descriptor = openSync(dataDirectory, 'r')
  return { path: `/proc/self/fd/${descriptor}/socket`, close: () => closeSync(descriptor) }
}
