/** Storing: every row in rounds, the peers in turn, so that whatever else the machine does meets each of them alike. */
import { cStoreRow } from './dimse-rows.ts'
import type { Peer } from './orthanc.ts'
import { corpus, type Figures, storeRow } from './rows.ts'

const ROUNDS = 4
const KINDS = ['tiny', 'mixed'] as const
/** Associations and operations under way on each. */
const C_STORE = [
  [1, 1],
  [4, 1],
  [1, 16],
] as const

type Work = (peer: Peer) => Promise<Figures>

/**
 * @param wanted whether a row is asked for, by its short name
 * @param scale 1 for a full run
 */
export async function storeFigures(
  peers: readonly Peer[],
  scale: number,
  wanted: (row: string) => boolean,
  keep: (figures: Figures) => void,
): Promise<void> {
  const rows: { readonly name: string; readonly work: Work }[] = []
  for (const kind of KINDS) {
    const count = Math.round(((kind === 'tiny' ? 4000 : 1600) * scale) / ROUNDS / 10) * 10
    rows.push({ name: `store ${kind}`, work: (peer) => storeRow(kind, peer, corpus(kind, count)) })
  }
  for (const [associations, window] of C_STORE) {
    for (const kind of KINDS) {
      const weight = Math.max(associations, window / 4)
      const count = Math.round(((kind === 'tiny' ? 1200 : 800) * weight * scale) / ROUNDS)
      const work: Work = (peer) => cStoreRow(kind, peer, corpus(kind, count), associations, window)
      rows.push({ name: `c-store ${kind}`, work })
    }
  }
  const asked = rows.filter(({ name }) => wanted(name))
  if (asked.length === 0) return
  // First use of memory and code is slow everywhere.
  for (const peer of peers) {
    for (const kind of KINDS) {
      await storeRow(kind, peer, corpus(kind, 200))
      await cStoreRow(kind, peer, corpus(kind, 200), 2)
    }
  }
  for (const { work } of asked) {
    const taken = new Map<Peer, Figures[]>(peers.map((peer) => [peer, []]))
    for (let round = 0; round < ROUNDS; round++) {
      for (const [peer, figures] of taken) figures.push(await work(peer))
    }
    for (const figures of taken.values()) keep(together(figures))
  }
}

/** Rounds of one row as one. */
function together(rounds: readonly Figures[]): Figures {
  const [first] = rounds
  if (first === undefined) throw new TypeError('a row without rounds')
  const sum = (of: (one: Figures) => number) => rounds.reduce((all, one) => all + of(one), 0)
  const items = sum((one) => one.items)
  const seconds = sum((one) => one.seconds)
  const middle = (of: (one: Figures) => number | null) => {
    const sorted = rounds.map((one) => of(one) ?? 0).sort((a, b) => a - b)
    return sorted[Math.floor(sorted.length / 2)] ?? null
  }
  return {
    ...first,
    items,
    seconds,
    perSecond: items / seconds,
    cpuMsPerItem: sum((one) => one.cpuMsPerItem * one.items) / items,
    p50Ms: middle((one) => one.p50Ms),
    p95Ms: middle((one) => one.p95Ms),
    memoryGrowthMB: Math.max(...rounds.map((one) => one.memoryGrowthMB)),
    failed: sum((one) => one.failed),
  }
}
