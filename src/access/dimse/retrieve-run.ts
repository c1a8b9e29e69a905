import type { StoredInstance } from '#model/archive-object.ts'
import type { AcceptedContext, Association, DataSetPieces } from '#standards/dimse/association.ts'
import { COMMAND } from '#standards/dimse/command-set.ts'
import { DimseError } from '#standards/dimse/dimse-error.ts'
import { chooseSyntax, type InstanceData } from './retrieve-data.ts'

/** Number of Remaining, Completed, Failed and Warning Sub-operations. PS3.7 section 9.1.4. */
export interface Counts {
  remaining: number
  completed: number
  failed: number
  warning: number
}

export interface Outcome extends Counts {
  readonly cancelled: boolean
  /** SOP Instance UIDs that did not arrive, as many as fit in an answer. */
  readonly failedUids: readonly string[]
}

/** Where an instance goes: a context of an open association. */
export interface Way {
  readonly association: Association
  readonly context: AcceptedContext
}

export interface SubOperations {
  readonly count: number
  readonly instances: AsyncIterable<StoredInstance> | Iterable<StoredInstance>
  readonly data: InstanceData
  /** Store operations under way at once. */
  readonly window: number
  readonly cancelled: AbortSignal
  /** Undefined when the peer does not take it. */
  way(instance: StoredInstance): Promise<Way | undefined>
  readonly priority: number
  /** Set for C-MOVE. */
  readonly originator?: { readonly aeTitle: string; readonly messageId: number }
  /** Told of every change; the caller decides how often the peer is. */
  progress(counts: Counts): Promise<void>
  /** Told why one failed, for the log: ids only. */
  failed(instance: StoredInstance, why: string): void
}

/** Instances made ready while others are on the wire, and what they may hold together, in bytes. */
const AHEAD = 3
const AHEAD_BYTES_MAX = 16 * 1024 * 1024
/** UI values in an explicit VR element have a 16-bit length. */
const FAILED_UIDS_MAX = 65_534
/** Contexts by SOP class and transfer syntax. */
export type ContextIndex = ReadonlyMap<string, ReadonlyMap<string, AcceptedContext>>

/** Contexts on which we may send C-STORE requests. */
export function storeContexts(association: Association): ContextIndex {
  const index = new Map<string, Map<string, AcceptedContext>>()
  for (const context of association.contexts.values()) {
    const ours = association.weAre === 'requestor' ? context.requestorIsScu : context.requestorIsScp
    if (!ours) continue
    const byClass = index.get(context.abstractSyntax) ?? new Map<string, AcceptedContext>()
    if (!byClass.has(context.transferSyntax)) byClass.set(context.transferSyntax, context)
    index.set(context.abstractSyntax, byClass)
  }
  return index
}

/** The context an instance can be sent on, if any. */
export function contextFor(index: ContextIndex, instance: StoredInstance): AcceptedContext | undefined {
  const byClass = index.get(instance.sopClassUID)
  if (byClass === undefined) return undefined
  const syntax = chooseSyntax(instance.transferSyntaxUID, new Set(byClass.keys()))
  return syntax === undefined ? undefined : byClass.get(syntax)
}

/** Store operations an association lets us have outstanding. PS3.7 section D.3.3.3. */
export function storeWindow(association: Association): number {
  const { weAre, operationsInvoked, operationsPerformed } = association
  const granted = weAre === 'requestor' ? operationsInvoked : operationsPerformed
  return granted === 0 ? WINDOW_MAX : Math.min(granted, WINDOW_MAX)
}

const WINDOW_MAX = 16

/** Sends instances as C-STORE requests. Each that cannot be sent counts as failed; the others go on. */
export async function runSubOperations(job: SubOperations): Promise<Outcome> {
  const counts: Counts = { remaining: job.count, completed: 0, failed: 0, warning: 0 }
  const failedUids: string[] = []
  let failedLength = 0
  let lost: DimseError | undefined
  const gate = createGate(job.window)
  const running = new Set<Promise<void>>()
  let held = 0

  function failed(instance: StoredInstance, why: string): void {
    counts.failed++
    job.failed(instance, why)
    failedLength += instance.sopInstanceUID.length + 1
    if (failedLength <= FAILED_UIDS_MAX) failedUids.push(instance.sopInstanceUID)
  }

  async function one(instance: StoredInstance): Promise<void> {
    let result: 'completed' | 'warning' | { readonly why: string }
    try {
      const way = await job.way(instance)
      if (way === undefined) result = { why: 'no presentation context for it was accepted' }
      else {
        const pieces = await job.data.open(instance, way.context.transferSyntax)
        await gate.enter()
        try {
          if (job.cancelled.aborted) return
          result = await store(job, way, instance, pieces)
        } finally {
          gate.leave()
        }
      }
    } catch (error) {
      if (error instanceof DimseError) lost = error
      result = { why: error instanceof Error ? error.message : String(error) }
    }
    counts.remaining = Math.max(0, counts.remaining - 1)
    if (result === 'completed') counts.completed++
    else if (result === 'warning') counts.warning++
    else failed(instance, result.why)
    await job.progress(counts)
  }

  for await (const instance of job.instances) {
    const bytes = Math.min(instance.location.length, AHEAD_BYTES_MAX)
    while (running.size > 0 && (running.size >= job.window + AHEAD || held + bytes > AHEAD_BYTES_MAX)) {
      await Promise.race(running)
    }
    if (job.cancelled.aborted) break
    if (lost !== undefined && job.originator === undefined) break
    held += bytes
    const run: Promise<void> = one(instance).finally(() => {
      held -= bytes
      running.delete(run)
    })
    running.add(run)
  }
  await Promise.all(running)
  return { ...counts, cancelled: job.cancelled.aborted, failedUids }
}

async function store(
  { priority, originator }: SubOperations,
  { association, context }: Way,
  { sopClassUID, sopInstanceUID }: StoredInstance,
  pieces: DataSetPieces,
): Promise<'completed' | 'warning' | { readonly why: string }> {
  const request = {
    commandField: COMMAND.C_STORE_RQ,
    affectedSOPClassUID: sopClassUID,
    affectedSOPInstanceUID: sopInstanceUID,
    priority,
    ...(originator === undefined
      ? {}
      : { moveOriginatorAeTitle: originator.aeTitle, moveOriginatorMessageId: originator.messageId }),
  }
  let status = -1
  for await (const response of association.call(context.id, request, pieces)) {
    status = response.command.status ?? -1
    await response.drain()
  }
  if (status === 0) return 'completed'
  // Coerced, elements discarded, data set does not match: it is there all the same. PS3.4 table B.2-1.
  if (status >>> 12 === 0xb || status === 0x0001 || status === 0x0107 || status === 0x0116) return 'warning'
  return { why: `status ${status < 0 ? 'missing' : status.toString(16).padStart(4, '0').toUpperCase()}` }
}

/** Lets so many in at once, in the order they came. */
function createGate(size: number): { enter(): Promise<void>; leave(): void } {
  let free = size
  const waiting: (() => void)[] = []
  return {
    async enter() {
      if (free > 0) {
        free--
        return
      }
      await new Promise<void>((resolve) => waiting.push(resolve))
    },
    leave() {
      const next = waiting.shift()
      if (next === undefined) free++
      else next()
    },
  }
}
