/** Who is told of which change: rules, the delivery ledger, and what brings copies elsewhere level. */
import { randomBytes } from 'node:crypto'
import { ArchiveError } from '#errors.ts'
import type {
  DeliveriesMade,
  Delivery,
  DeliveryDesk,
  DeliverySettled,
  DeliveryStore,
  NewDelivery,
  NoticeDestination,
  NoticeEvent,
  NoticePolicy,
  NoticeRule,
} from '#model/delivery.ts'
import type { StoredDocument } from '#model/document.ts'
import type { DecisionCause } from '#model/document-desk.ts'
import type { Journal, PlacedEntry } from '#storage/journal.ts'
import { type NoticeTerms, noticeMessage } from './notice-message.ts'

/** Journal kinds. */
export const DELIVERY_KIND = 'delivery'
export const DELIVERY_SETTLED_KIND = 'delivery-settled'

/** Documents that changed and were not looked at yet: durable, so that a crash forgets none. */
export interface PendingNotices {
  add(objectIds: readonly string[]): void
  take(limit: number): readonly string[]
  done(objectIds: readonly string[]): void
}

export interface NoticeTools {
  readonly store: DeliveryStore
  readonly pending: PendingNotices
  readonly journal: Pick<Journal, 'append'>
  document(objectId: string): StoredDocument | undefined
  /** Name of the registered originator it came from. */
  originatorOf(objectId: string): string | null
  policy(): NoticePolicy
  terms(): NoticeTerms
  /** One transaction that also writes the flushed position. */
  commit(fn: () => void): void
  exclusively<T>(fn: () => Promise<T>): Promise<T>
  /** In the transaction it is called in. */
  audit(cause: DecisionCause, detail: string): void
  onFault(error: unknown, what: string): void
  now?(): Date
}

export interface Notices {
  readonly desk: DeliveryDesk
  /** Part of the transaction that changes them. */
  documents(objectIds: readonly string[]): void
  /** Takes up what an earlier process left. */
  begin(): void
}

/** Documents looked at in one flush. */
const GROUP_MAX = 50
/** Versions of a chain that are looked at. */
const CHAIN_MAX = 200
/** Copies brought level in one call. */
const LEVEL_MAX = 1000

export function createNotices(tools: NoticeTools): Notices {
  const { store, pending, journal } = tools
  const now = () => (tools.now?.() ?? new Date()).toISOString()
  let looking = false

  function documents(objectIds: readonly string[]): void {
    const { destinations } = tools.policy()
    if (destinations.length === 0 || objectIds.length === 0) return
    pending.add(objectIds)
    begin()
  }

  function begin(): void {
    if (looking) return
    looking = true
    setImmediate(() => {
      look()
        .catch((error: unknown) => tools.onFault(error, 'notices could not be made; tried again with the next change'))
        .finally(() => {
          looking = false
        })
    })
  }

  async function look(): Promise<void> {
    for (let left = true; left; ) {
      left = await tools.exclusively(async () => {
        const objectIds = pending.take(GROUP_MAX)
        if (objectIds.length === 0) return false
        await make(
          objectIds.flatMap((objectId) => noticesOf(objectId)),
          () => pending.done(objectIds),
        )
        return true
      })
    }
  }

  /** Journals, flushed, and queues what is to be told. */
  async function make(deliveries: readonly NewDelivery[], also: () => void): Promise<readonly string[]> {
    const queued = bounded(deliveries)
    const payload: DeliveriesMade = { deliveries: queued }
    const [written] = queued.length === 0 ? [] : await journal.append([{ kind: DELIVERY_KIND, payload }])
    let ids: readonly string[] = []
    tools.commit(() => {
      if (written !== undefined) ids = store.add(written.sequence, written.time, queued)
      also()
    })
    return ids
  }

  /** A queue has an end: what does not fit is a dead letter that everybody sees. */
  function bounded(deliveries: readonly NewDelivery[]): readonly NewDelivery[] {
    const { queueMax } = tools.policy()
    const room = new Map<string, number>()
    return deliveries.map((one) => {
      const left = room.get(one.destination) ?? queueMax - store.waiting(one.destination)
      room.set(one.destination, left - 1)
      return left > 0 ? one : { ...one, failed: `more than ${queueMax} notices wait for it` }
    })
  }

  function noticesOf(objectId: string): readonly NewDelivery[] {
    const document = tools.document(objectId)
    if (document === undefined) return []
    const { destinations, rules } = tools.policy()
    return destinations.flatMap((destination): NewDelivery[] => {
      const event = eventFor(destination.name, document)
      if (event === null) return []
      const rule = rules.find((one) => one.destination === destination.name && matches(one, event, document))
      if (rule !== undefined) return [written(destination, document, event, rule, rule.name)]
      const follows = event === 'withdrawn' || event === 'replaced'
      if (!follows || destination.level !== 'automatic') return []
      return [written(destination, document, event, formAt(destination.name, document), null)]
    })
  }

  /** What a destination does not know yet of a document; null when it knows everything. */
  function eventFor(destination: string, document: StoredDocument): NoticeEvent | null {
    const last = store.last(destination, document.objectId)
    const holds = last !== undefined && last.event !== 'withdrawn'
    if (document.status === 'entered-in-error') return holds && !laterAt(destination, document) ? 'withdrawn' : null
    if (document.status !== 'current') return null
    if (holds) return last.version < document.version ? 'changed' : null
    return parentAt(destination, document) === null ? 'kept' : 'replaced'
  }

  /** The newest earlier version that the destination holds. */
  function parentAt(destination: string, document: StoredDocument): StoredDocument | null {
    return (
      earlier(document).find(({ objectId }) => {
        const last = store.last(destination, objectId)
        return last !== undefined && last.event !== 'withdrawn'
      }) ?? null
    )
  }

  /** True when it was told of what took its place: that is what is withdrawn there. */
  function laterAt(destination: string, document: StoredDocument): boolean {
    return document.relatedBy.some(
      ({ kind, from }) => kind.endsWith('replaces') && store.last(destination, from) !== undefined,
    )
  }

  /** Versions it replaced, nearest first. */
  function earlier(document: StoredDocument): StoredDocument[] {
    const found = new Map<string, StoredDocument>()
    const waiting = [document]
    for (let one = waiting.shift(); one !== undefined && found.size < CHAIN_MAX; one = waiting.shift()) {
      for (const { kind, to } of one.relations) {
        const before = kind.endsWith('replaces') && !found.has(to) ? tools.document(to) : undefined
        if (before === undefined || before.objectId === document.objectId) continue
        found.set(to, before)
        waiting.push(before)
      }
    }
    return [...found.values()]
  }

  function matches(rule: NoticeRule, event: NoticeEvent, document: StoredDocument): boolean {
    const { metadata, phase, objectId } = document
    const among = (list: readonly string[], value: string | null | undefined) =>
      list.length === 0 || (value != null && list.includes(value))
    const final = !rule.finalOnly || event === 'withdrawn' || phase !== 'preliminary'
    return (
      rule.on &&
      rule.events.includes(event) &&
      final &&
      among(rule.classCodes, metadata.classCode?.code) &&
      among(rule.typeCodes, metadata.typeCode?.code) &&
      among(rule.departments, metadata.department) &&
      (rule.originators.length === 0 || among(rule.originators, tools.originatorOf(objectId)))
    )
  }

  /** As it was told before; else in full. */
  function formAt(destination: string, document: StoredDocument): Pick<NoticeRule, 'message' | 'content'> {
    for (const { objectId } of [document, ...earlier(document)]) {
      const last = store.last(destination, objectId)
      if (last !== undefined) return last.body.form
    }
    return { message: 'MDM', content: 'embedded' }
  }

  function written(
    destination: NoticeDestination,
    document: StoredDocument,
    event: NoticeEvent,
    { message, content }: Pick<NoticeRule, 'message' | 'content'>,
    rule: string | null,
  ): NewDelivery {
    const controlId = `N${randomBytes(9).toString('hex')}`
    const chain = earlier(document)
    const body = noticeMessage(
      {
        ...{ document, event, destination, controlId, time: now(), form: { message, content } },
        parent: event === 'replaced' ? parentAt(destination.name, document) : null,
        root: chain.at(-1) ?? document,
        patient: document.patientId === null ? null : (store.patient(document.patientId) ?? null),
      },
      tools.terms(),
    )
    const { objectId, version } = document
    return { destination: destination.name, objectId, version, event, controlId, rule, body }
  }

  function destinationOf(name: string): NoticeDestination {
    const found = tools.policy().destinations.find((one) => one.name === name)
    if (found === undefined) throw new ArchiveError('request.malformed', `notices.policy has no destination ${name}`)
    return found
  }

  async function settle(settled: DeliverySettled): Promise<void> {
    const known = store.delivery(settled.id)
    if (known === undefined || known.state !== 'waiting') return
    const [entry] = await journal.append([{ kind: DELIVERY_SETTLED_KIND, payload: settled }])
    if (entry === undefined) throw new ArchiveError('archive.failed', 'the journal gave no entry')
    tools.commit(() => {
      store.settle(settled, entry.time)
      tools.audit(
        { by: `notice ${known.destination}`, reason: settled.state },
        `delivery ${settled.id} of document ${known.objectId} to ${known.destination}: ${settled.state}`,
      )
    })
  }

  async function resend(id: string, cause: DecisionCause): Promise<Delivery> {
    const known = store.delivery(id)
    const document = known === undefined ? undefined : tools.document(known.objectId)
    if (known === undefined || document === undefined) throw new ArchiveError('request.not-found', 'delivery')
    const destination = destinationOf(known.destination)
    const gone = document.status === 'entered-in-error'
    const event = gone ? 'withdrawn' : known.event === 'withdrawn' ? 'kept' : known.event
    const [made] = await told([written(destination, document, event, known.body.form, null)], cause, `resend of ${id}`)
    if (made === undefined) throw new ArchiveError('archive.failed', 'what was written cannot be found')
    return made
  }

  async function level(
    about: { readonly objectId?: string; readonly destination?: string },
    cause: DecisionCause,
  ): Promise<readonly Delivery[]> {
    if (about.destination !== undefined) destinationOf(about.destination)
    const names = new Set(tools.policy().destinations.map(({ name }) => name))
    const made: NewDelivery[] = []
    for (const { destination, objectId, current } of store.holdings({ ...about, behind: true, limit: LEVEL_MAX })) {
      if (!names.has(destination)) continue
      const document = tools.document(current ?? objectId)
      if (document === undefined) continue
      if (made.some((one) => one.destination === destination && one.objectId === document.objectId)) continue
      const event = current === null ? 'withdrawn' : 'replaced'
      made.push(written(destinationOf(destination), document, event, formAt(destination, document), null))
    }
    return told(made, cause, 'level')
  }

  async function told(
    deliveries: readonly NewDelivery[],
    cause: DecisionCause,
    what: string,
  ): Promise<readonly Delivery[]> {
    if (deliveries.length === 0) return []
    const ids = await make(deliveries, () => {
      const to = deliveries.map(({ objectId, destination }) => `${objectId} to ${destination}`).join(', ')
      tools.audit(cause, `delivery: ${what}: ${to}`.slice(0, 2000))
    })
    return ids.flatMap((id) => {
      const one = store.delivery(id)
      if (one === undefined) return []
      const { body: _, ...delivery } = one
      return [delivery]
    })
  }

  return {
    documents,
    begin,
    desk: {
      settle: (settled) => tools.exclusively(() => settle(settled)),
      tried: async (id, error) => tools.commit(() => store.tried(id, error.slice(0, 500), now())),
      resend: (id, cause) => tools.exclusively(() => resend(id, cause)),
      level: (about, cause) => tools.exclusively(() => level(about, cause)),
    },
  }
}

/** Carries out again what the journal says of deliveries. */
export function replayDeliveries(store: Pick<DeliveryStore, 'add' | 'settle'>, entry: PlacedEntry): void {
  if (entry.kind === DELIVERY_KIND) {
    store.add(entry.sequence, entry.time, (entry.payload as DeliveriesMade).deliveries)
  } else if (entry.kind === DELIVERY_SETTLED_KIND) store.settle(entry.payload as DeliverySettled, entry.time)
}
