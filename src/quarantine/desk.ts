import { rm } from 'node:fs/promises'
import { ArchiveError } from '#errors.ts'
import type { Arrival, ArrivedBytes, Receipt } from '#model/arrival.ts'
import type { QuarantineDesk } from '#model/intake.ts'
import {
  conflictingStudy,
  type HeldItem,
  type QuarantineDecision,
  type QuarantineItem,
  type QuarantineStore,
  type StudyJoin,
  studyConflict,
} from '#model/quarantine.ts'
import type { Journal } from '#storage/journal.ts'
import { ArrivalBuffer } from '#storage/spool.ts'
import { type RescanTools, rescan } from './rescan.ts'
import type { Vault } from './vault.ts'

/** Larger originals are handed out as a stream, not in one piece. Bytes. */
const ORIGINAL_BYTES_MAX = 64 * 1024 * 1024
const REASON_CHARACTERS_MAX = 2000

export interface DeskTools {
  readonly store: QuarantineStore
  readonly vault: Vault
  readonly journal: Journal
  /** Originals too large for memory are decrypted to here on their way back in. */
  readonly spoolDirectory: string
  /** Walks the original again with a person's decision in place of the policy's. */
  restore(arrival: Arrival, how: 'release' | 'sanitise', released: ReleasedItem): Promise<Receipt>
  /** What releasing it would do besides storing it. */
  joins?(item: QuarantineItem): StudyJoin | undefined
  /** The ordinary walk, and the same without keeping anything. */
  readonly walk?: Pick<RescanTools, 'judge' | 'receive'>
  /** Runs `fn` in one transaction that also writes the flushed position of the segments (the journal's). */
  commit(fn: () => void): void
  /** Audit entry of a decision, within that transaction. */
  audit(item: QuarantineItem, decision: QuarantineDecision): void
  /** Originals are kept this long after a decision, in days; as the site has it now. threats.md G5. */
  retentionDays(): number
  readonly now?: () => Date
}

/** The decision with which an item comes back in. */
export interface ReleasedItem {
  readonly item: string
  readonly by: string
  readonly reason: string
  /** The study whose patient it contradicts, as whoever decides could read. */
  readonly conflictsWith: string | undefined
}

/** Decisions on held objects, and what becomes of their originals. */
export interface Desk extends QuarantineDesk {
  /** As `original`, of any size. */
  originalStream(id: string): AsyncGenerator<Uint8Array>
  /** Removes originals whose retention is over. @returns their digests */
  purge(): Promise<readonly string[]>
  /** Judges again what was held because the scanner did not answer. @returns whether some are pending still */
  rescan(signal: AbortSignal): Promise<boolean>
}

export function createDesk(tools: DeskTools): Desk {
  const { store, vault } = tools
  const now = tools.now ?? (() => new Date())
  /** Decisions under way, by item: the last one asked for. */
  const deciding = new Map<string, Promise<unknown>>()

  function told(item: QuarantineItem): QuarantineItem {
    const joins = tools.joins?.(item)
    return joins === undefined ? item : { ...item, joins }
  }

  function mustGet(id: string): HeldItem {
    const item = store.get(id)
    if (item !== undefined) return item
    throw new ArchiveError('request.not-found', 'no such quarantine item')
  }

  async function decide(
    item: HeldItem,
    action: QuarantineDecision['action'],
    reason: string,
    by: string,
  ): Promise<QuarantineItem> {
    const objectId = action === 'discard' ? null : await bringBack(item, action, reason, by)
    const decision: QuarantineDecision = { action, reason, by, time: now().toISOString(), objectId }
    await settle(item, decision)
    return publicItem(mustGet(item.id))
  }

  async function settle(item: HeldItem, decision: QuarantineDecision): Promise<void> {
    const { action } = decision
    const { id, sha256 } = item
    await tools.journal.append([{ kind: `quarantine.${action}`, payload: { id, sha256, ...decision } }])
    tools.commit(() => {
      if (!store.decide(id, decision)) throw decided(mustGet(id))
      tools.audit(publicItem(item), decision)
    })
  }

  /** @returns id of the object that is in the archive now */
  async function bringBack(
    item: HeldItem,
    how: 'release' | 'sanitise',
    reason: string,
    by: string,
  ): Promise<string | null> {
    const conflictsWith = conflictingStudy(item.findings)
    let receipt: Receipt
    try {
      receipt = await tools.restore(await reopen(item), how, { item: item.id, by, reason, conflictsWith })
    } catch (error) {
      throw explained(error, item, conflictsWith)
    }
    if (receipt.stored) return receipt.objectId
    throw new ArchiveError(receipt.failure ?? 'screening.held', receipt.reason, { hint: 'It stays in quarantine.' })
  }

  /** Whoever decides is told what is in the way, and the item says it from now on. */
  function explained(error: unknown, item: HeldItem, known: string | undefined): unknown {
    if (!(error instanceof ArchiveError) || error.code !== 'identity.conflict') return error
    const study = /^study ([0-9.]+) is kept under another patient$/.exec(error.message)?.[1]
    if (study !== undefined) {
      if (known !== study) {
        tools.commit(() => store.reassess(item.id, [...item.findings, studyConflict(study)], item.scan))
      }
      return error
    }
    return new ArchiveError('identity.conflict', error.message, {
      hint: 'An object with this UID and other content is kept: it can only be discarded, or released once the kept one is deleted.',
    })
  }

  async function reopen(item: HeldItem): Promise<Arrival> {
    const buffer = new ArrivalBuffer(tools.spoolDirectory)
    let bytes: ArrivedBytes
    try {
      for await (const piece of vault.read(item.sha256)) await buffer.write(piece)
      bytes = await buffer.finish()
    } catch (error) {
      await buffer.discard()
      throw error
    }
    return { provenance: item.provenance, claims: {}, bytes }
  }

  return {
    async list(filter) {
      const { items, next } = store.list(filter)
      return { items: items.map(told), next }
    },
    async item(id) {
      const item = store.get(id)
      return item === undefined ? undefined : told(publicItem(item))
    },
    async decide(id, action, reason, by) {
      if (reason.trim() === '') {
        throw new ArchiveError('request.malformed', 'a decision needs a reason', { hint: 'Say why, in a sentence.' })
      }
      if (reason.length > REASON_CHARACTERS_MAX) {
        throw new ArchiveError('request.malformed', `a reason has at most ${REASON_CHARACTERS_MAX} characters`)
      }
      mustGet(id)
      // Behind a decision that is under way: it may fail, and then this one is the first.
      const before = deciding.get(id)
      const turn = (async () => {
        await before?.catch(() => undefined) // whoever asked for it is told
        const item = mustGet(id)
        if (item.state !== 'held') throw decided(item)
        return decide(item, action, reason.trim(), by)
      })()
      deciding.set(id, turn)
      try {
        return await turn
      } finally {
        if (deciding.get(id) === turn) deciding.delete(id)
      }
    },
    async original(id) {
      const { sha256, size } = mustGet(id)
      if (size > ORIGINAL_BYTES_MAX) {
        throw new ArchiveError('request.too-large', `this original has ${size} bytes`, {
          hint: 'It is in quarantine/ of the data directory under its SHA-256, encrypted with keys/key.',
        })
      }
      const pieces: Uint8Array[] = []
      for await (const piece of vault.container(sha256)) pieces.push(piece)
      return Buffer.concat(pieces)
    },
    originalStream(id) {
      return vault.container(mustGet(id).sha256)
    },
    async rescan(signal) {
      if (tools.walk === undefined) return false
      const drop = async ({ bytes }: Arrival) => {
        if (bytes.in === 'spool') await rm(bytes.path, { force: true })
      }
      return await rescan({ ...tools.walk, store, reopen, drop, decide: settle, commit: tools.commit, now }, signal)
    },
    async purge() {
      const before = new Date(now().getTime() - tools.retentionDays() * 24 * 3600 * 1000)
      const removed: string[] = []
      for await (const { sha256, since } of vault.list()) {
        if (since >= before || store.needsOriginal(sha256, before.toISOString())) continue
        // Without any row the register is what is lost, not the reason to keep it.
        if (store.list({ sha256, limit: 1 }).items.length === 0) continue
        await vault.remove(sha256)
        removed.push(sha256)
      }
      return removed
    },
  }
}

function decided({ decision, state }: HeldItem): ArchiveError {
  const told = decision === null ? state : `${state} by ${decision.by} at ${decision.time}`
  return new ArchiveError('quarantine.decided', `this item was ${told}`)
}

/** Without the sender's account and address, which belong to provenance. */
function publicItem({ provenance: _, ...item }: HeldItem): QuarantineItem {
  return item
}
