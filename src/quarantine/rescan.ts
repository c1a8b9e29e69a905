/** Objects that were held only because the virus scanner did not answer: judged again once it does. threats.md section 1. */
import type { Arrival, Receipt } from '#model/arrival.ts'
import type { NewJob } from '#model/job-queue.ts'
import type { HeldItem, QuarantineDecision, QuarantineStore } from '#model/quarantine.ts'

export const RESCAN_JOB = 'rescan'
/** Who lets in what was only waiting for the scanner: no account has such a name, and no release by a person is meant. */
export const BY_RESCAN = 'rule:scan-pending'
/** Between two looks whether the scanner answers, in milliseconds. */
const LOOK_MS = 15_000
const PAGE = 100

export interface RescanTools {
  readonly store: QuarantineStore
  /** The original as it arrived; a large one is decrypted to the spool. */
  reopen(item: HeldItem): Promise<Arrival>
  /** Removes a spooled original that was only judged. */
  drop(arrival: Arrival): Promise<void>
  judge(arrival: Arrival): Promise<Receipt>
  /** The ordinary walk: what is clean now is stored. */
  receive(arrival: Arrival): Promise<Receipt>
  /** Journals a decision, then applies it and audits it in one transaction. */
  decide(item: HeldItem, decision: QuarantineDecision): Promise<void>
  commit(fn: () => void): void
  now(): Date
}

/** The next look; one job for all that are held within the same while. */
export function nextRescan(now: number): NewJob {
  const runAfter = (Math.floor(now / LOOK_MS) + 1) * LOOK_MS
  return { kind: RESCAN_JOB, subject: new Date(runAfter).toISOString(), runAfter }
}

/**
 * Judges again every held object whose scan is pending. Clean: it walks in by the ordinary verdict. Infected, or held for
 * another reason: its findings say so from now on.
 * @returns whether some are pending still
 */
export async function rescan(tools: RescanTools, signal: AbortSignal): Promise<boolean> {
  const { store } = tools
  let cursor: string | undefined
  do {
    const page = store.list({ state: 'held', limit: PAGE, ...(cursor === undefined ? {} : { cursor }) })
    for (const { id, scan } of page.items) {
      if (scan.status !== 'pending') continue
      signal.throwIfAborted()
      const item = store.get(id)
      if (item?.state === 'held' && (await again(tools, item))) return true
    }
    cursor = page.next ?? undefined
  } while (cursor !== undefined)
  return false
}

/** @returns true when the scanner did not answer */
async function again(tools: RescanTools, item: HeldItem): Promise<boolean> {
  const { store } = tools
  const arrival = await tools.reopen(item)
  let receipt = await tools.judge(arrival)
  if (receipt.scan.status === 'pending' || (receipt.verdict !== 'accept' && receipt.verdict !== 'sanitise')) {
    await tools.drop(arrival)
  } else receipt = await tools.receive(arrival)
  const { findings, scan } = receipt
  if (scan.status === 'pending') return true
  if (receipt.stored) {
    const reason = 'the virus scanner answered: clean, and nothing else held it'
    const time = tools.now().toISOString()
    await tools.decide(item, { action: 'release', reason, by: BY_RESCAN, time, objectId: receipt.objectId })
  } else tools.commit(() => store.reassess(item.id, findings, scan))
  return false
}
