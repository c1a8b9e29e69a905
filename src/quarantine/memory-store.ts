import { cursorText, keyBehind } from '#model/cursor.ts'
import type { HeldItem, QuarantineItem, QuarantineStore } from '#model/quarantine.ts'

/** Quarantine rows in memory, for tests of what stands above. Same answers as the database's. */
export function memoryQuarantineStore(): QuarantineStore {
  const rows: HeldItem[] = []
  const at = (id: string) => rows.findIndex((row) => row.id === id)
  return {
    hold(row) {
      const again = rows.findLastIndex(({ sha256, state }) => sha256 === row.sha256 && state !== 'released')
      const known = rows[again]
      if (known !== undefined) {
        rows[again] = { ...known, arrivals: known.arrivals + 1 }
        return known.id
      }
      rows.push({ ...row, arrivals: 1 })
      return row.id
    },
    get: (id) => rows[at(id)],
    list({ state, sha256, sopInstanceUid, limit, cursor }) {
      const before = keyBehind('quarantine', cursor) ?? rows.length
      const found: { readonly item: QuarantineItem; readonly index: number }[] = []
      for (let index = Math.min(before, rows.length) - 1; index >= 0 && found.length <= limit; index--) {
        const row = rows[index]
        if (row === undefined) continue
        const { provenance: _, ...item } = row
        if (state !== undefined && item.state !== state) continue
        if (sha256 !== undefined && item.sha256 !== sha256) continue
        if (sopInstanceUid !== undefined && item.sopInstanceUid !== sopInstanceUid) continue
        found.push({ item, index })
      }
      const page = found.slice(0, limit)
      const last = page.at(-1)
      return {
        items: page.map(({ item }) => item),
        next: found.length > limit && last !== undefined ? cursorText('quarantine', [last.index]) : null,
      }
    },
    decide(id, decision) {
      const index = at(id)
      const row = rows[index]
      if (row?.state !== 'held') return false
      rows[index] = { ...row, state: decision.action === 'discard' ? 'discarded' : 'released', decision }
      return true
    },
    reassess(id, findings, scan) {
      const index = at(id)
      const row = rows[index]
      if (row?.state === 'held') rows[index] = { ...row, findings, scan }
    },
    wasReleased: (sha256) =>
      rows.some(
        (row) => row.sha256 === sha256 && row.state === 'released' && row.decision?.by.startsWith('rule:') !== true,
      ),
    needsOriginal: (sha256, after) =>
      rows.some((row) => row.sha256 === sha256 && (row.decision === null || row.decision.time >= after)),
    count() {
      const of = (state: string) => rows.filter((row) => row.state === state).length
      return { held: of('held'), released: of('released'), discarded: of('discarded') }
    },
  }
}
