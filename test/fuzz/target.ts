/** What can be fuzzed, how a case is judged, and how a failing one is made small. */
import { dimseTarget } from './dimse-target.ts'
import { hl7Target } from './hl7-target.ts'
import { jsonTarget } from './json-target.ts'
import { part10Target } from './part10-target.ts'
import { tiffTarget } from './tiff-target.ts'
import { zipTarget } from './zip-target.ts'

export interface Target {
  /** The bytes of a case: always the same for a seed. */
  make(seed: number): Uint8Array
  /** Throws when an oracle is not met; a refusal by a typed error meets it. */
  check(bytes: Uint8Array): void | Promise<void>
}

/** Longest one case may take, in milliseconds of processor time: other programs do not count. */
export const CASE_MS_MAX = 1000
/** Most memory the process may come to hold, in bytes. */
export const RSS_BYTES_MAX = 1024 * 1024 * 1024

export const TARGETS: { readonly [name: string]: Target } = {
  part10: part10Target,
  json: jsonTarget,
  tiff: tiffTarget,
  zip: zipTarget,
  hl7: hl7Target,
  dimse: dimseTarget,
}

export interface Failure {
  readonly why: string
  readonly error: unknown
}

/** Runs one case. @returns null when every oracle is met */
export async function judgeCase(target: Target, bytes: Uint8Array): Promise<Failure | null> {
  const before = process.cpuUsage()
  try {
    const running = target.check(bytes)
    if (running instanceof Promise) await running
  } catch (error) {
    const why = error instanceof Error ? `${error.name}: ${error.message}` : String(error)
    return { why: why.split('\n').slice(0, 6).join(' ').slice(0, 400), error }
  }
  const { user, system } = process.cpuUsage(before)
  const ms = (user + system) / 1000
  return ms > CASE_MS_MAX ? { why: `took ${Math.round(ms)} ms`, error: null } : null
}

const SHRINK_MS_MAX = 30_000

/** Leaves out bytes, then zeroes them, for as long as the case still fails. */
export async function shrink(target: Target, bytes: Uint8Array): Promise<Buffer> {
  let smallest: Buffer = Buffer.from(bytes)
  const end = Date.now() + SHRINK_MS_MAX
  const fails = async (next: Buffer) => Date.now() < end && (await judgeCase(target, next)) !== null
  for (let length = 2 ** Math.floor(Math.log2(Math.max(1, smallest.length))); length >= 1; length >>= 1) {
    for (let at = 0; at < smallest.length; ) {
      const next = Buffer.concat([smallest.subarray(0, at), smallest.subarray(at + length)])
      if (await fails(next)) smallest = next
      else at += length
    }
  }
  for (let at = 0; at < smallest.length; at++) {
    if (smallest[at] === 0) continue
    const next = Buffer.from(smallest)
    next[at] = 0
    if (await fails(next)) smallest = next
  }
  return smallest
}
