import type { Claims, Door } from '#model/arrival.ts'
import type { ScreeningPolicy } from '#model/settings.ts'
import { type ScreenTools, screen, screenSync } from '#screening/screen.ts'
import type { Screened } from '#screening/screened.ts'
import { memorySource } from '#standards/byte-source.ts'
import { DEFAULT_LIMITS } from '#standards/dicom/limits.ts'

/** What a new site has: no override, nobody known. */
export const PLAIN_POLICY: ScreeningPolicy = {
  rules: {},
  privateElements: 'keep',
  tiffSopClasses: [],
  unknownSopClasses: 'keep',
  unknownTransferSyntaxes: 'reject',
  trust: 'unknown',
}

export interface Judging {
  readonly door?: Door
  readonly path?: string
  readonly claims?: Claims
  readonly policy?: Partial<ScreeningPolicy>
}

function arrivalOf(bytes: Uint8Array, { door = 'stow', path = 'I1', claims = {} }: Judging) {
  return {
    source: memorySource(bytes),
    bytes: { in: 'memory', bytes } as const,
    claims,
    provenance: {
      door,
      peer: null,
      originator: null,
      user: null,
      address: null,
      medium: null,
      path,
      time: '2026-11-24T00:00:00.000Z',
    },
  }
}

/** Judges bytes as a door would have them judged, without a scanner. */
export function judge(bytes: Uint8Array, how: Judging = {}): Screened {
  return screenSync(arrivalOf(bytes, how), { ...PLAIN_POLICY, ...how.policy }, { limits: DEFAULT_LIMITS })
}

/** The same from a source that reuses one buffer for every read, as a spooled file's does: nothing may be kept. */
export function judgeSpooled(bytes: Uint8Array, how: Judging = {}): Screened {
  const arrival = arrivalOf(bytes, how)
  let shared = new Uint8Array(0)
  const source = {
    size: bytes.byteLength,
    read(start: number, end: number) {
      const part = bytes.subarray(Math.max(0, start), Math.max(0, Math.min(end, bytes.byteLength)))
      shared.fill(0xdd)
      if (shared.byteLength < part.byteLength) shared = new Uint8Array(part.byteLength)
      shared.set(part)
      return shared.subarray(0, part.byteLength)
    },
  }
  return screenSync({ ...arrival, source }, { ...PLAIN_POLICY, ...how.policy }, { limits: DEFAULT_LIMITS })
}

/** The same with what the archive has besides: a scanner, a thread for large documents. */
export function judgeWith(
  bytes: Uint8Array,
  tools: Partial<ScreenTools>,
  how: Judging = {},
): Screened | Promise<Screened> {
  const policy = { ...PLAIN_POLICY, ...how.policy }
  return screen(arrivalOf(bytes, how), policy, { scanner: null, limits: DEFAULT_LIMITS, ...tools })
}

/** The same with a scanner. */
export async function judgeScanned(
  bytes: Uint8Array,
  tools: Pick<ScreenTools, 'scanner' | 'clean'>,
  how: Judging = {},
): Promise<Screened> {
  return judgeWith(bytes, tools, how)
}

/** One row of a verdict table: what arrives, what must be said. */
export interface VerdictRow {
  readonly name: string
  readonly bytes: () => Uint8Array
  readonly verdict: Screened['verdict']
  /** The rule that decides; for `accept`, a rule that must not have decided anything graver than a remark. */
  readonly rule?: string
  readonly how?: Judging
}
