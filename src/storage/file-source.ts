import fs from 'node:fs'
import { join } from 'node:path'
import type { Location } from '#model/archive-object.ts'
import { type ByteSource, READ_BYTES_MAX } from '#standards/byte-source.ts'

const WINDOW_BYTES = 256 * 1024

/** A part of a file as a source for parsers in a worker: synchronous, by windows, so any size costs the same memory. */
export function openFileSource(path: string, offset: number, length: number): ByteSource & { close(): void } {
  const fd = fs.openSync(path, 'r')
  const window = Buffer.allocUnsafeSlow(Math.min(WINDOW_BYTES, Math.max(1, length)))
  let from = 0
  let to = 0
  return {
    size: length,
    read(start, end) {
      const first = Math.max(0, start)
      const last = Math.min(end, length)
      if (last <= first) return new Uint8Array(0)
      if (last - first > READ_BYTES_MAX) throw new RangeError(`a read of ${last - first} bytes at once`)
      if (last - first > window.byteLength) {
        const whole = Buffer.allocUnsafeSlow(last - first)
        return whole.subarray(0, readFully(fd, whole, offset + first))
      }
      if (first < from || last > to) {
        from = first
        to = first + readFully(fd, window.subarray(0, Math.min(window.byteLength, length - first)), offset + first)
      }
      return window.subarray(first - from, Math.max(first, Math.min(last, to)) - from)
    },
    close: () => fs.closeSync(fd),
  }
}

/** A stored object as a source for parsers. Close it when done. */
export function openSegmentSource(directory: string, at: Location): ByteSource & { close(): void } {
  return openFileSource(join(directory, at.segment), at.offset, at.length)
}

function readFully(fd: number, into: Uint8Array, at: number): number {
  let done = 0
  while (done < into.byteLength) {
    const n = fs.readSync(fd, into, done, into.byteLength - done, at + done)
    if (n === 0) break
    done += n
  }
  return done
}
