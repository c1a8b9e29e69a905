/** Notices to other systems, and the ledger of which system holds which version, proved by its acknowledgement. */
import type { SourcePatient } from './document.ts'
import type { DecisionCause } from './document-desk.ts'

/** What happened to a document. `changed`: its metadata or state, not its bytes. */
export const NOTICE_EVENTS = ['kept', 'changed', 'replaced', 'withdrawn'] as const
export type NoticeEvent = (typeof NOTICE_EVENTS)[number]

/** An HL7 v2 receiver. */
export interface NoticeDestination {
  readonly name: string
  readonly host: string
  readonly port: number
  readonly tls: boolean
  /** MSH-5 and MSH-6. */
  readonly application: string
  readonly facility: string
  /** What it holds is brought level by itself, also where no rule says so. */
  readonly level: 'automatic' | 'propose'
  /** Seconds without an answer that end a try. */
  readonly answerSeconds: number
  /** Pause before the second try; each is twice as long as the one before, up to five minutes. */
  readonly retrySeconds: number
  /** Hours of tries without an answer before a notice is given up. */
  readonly giveUpHours: number
  /** AR answers to one notice before it is given up. */
  readonly rejectionsMax: number
  /** Larger documents are told by a pointer. Bytes. */
  readonly embedMax: number
}

/** Which changes are told to whom, and how. Empty lists match everything. */
export interface NoticeRule {
  readonly name: string
  readonly destination: string
  readonly on: boolean
  readonly events: readonly NoticeEvent[]
  readonly classCodes: readonly string[]
  readonly typeCodes: readonly string[]
  readonly departments: readonly string[]
  readonly originators: readonly string[]
  /** Only final and amended reports, and what is no report. */
  readonly finalOnly: boolean
  readonly message: 'MDM' | 'ORU'
  readonly content: 'embedded' | 'pointer' | 'none'
}

export interface NoticePolicy {
  readonly destinations: readonly NoticeDestination[]
  readonly rules: readonly NoticeRule[]
  /** Most notices that wait for one destination; what comes beyond is a dead letter at once. */
  readonly queueMax: number
}

/**
 * `refused`: the destination says that the notice is wrong (AE). `failed`: given up. Both are dead letters: they stay
 * until somebody resends them.
 */
export const DELIVERY_STATES = ['waiting', 'acknowledged', 'refused', 'failed'] as const
export type DeliveryState = (typeof DELIVERY_STATES)[number]

/** One notice of one version to one destination. */
export interface Delivery {
  readonly id: string
  readonly destination: string
  readonly objectId: string
  /** Version of the document that is told. */
  readonly version: number
  readonly event: NoticeEvent
  /** MSH-9. */
  readonly message: string
  /** The same however often it is tried. */
  readonly controlId: string
  readonly state: DeliveryState
  /** The rule that said so; null: a person, or the levelling of what the destination holds. */
  readonly rule: string | null
  readonly attempts: number
  readonly made: string
  readonly tried: string | null
  readonly settled: string | null
  /** MSA-1, with what the destination said. */
  readonly answer: string | null
  readonly error: string | null
}

/** A notice as it is sent: the same bytes at every try. */
export interface DeliveryBody {
  readonly message: string
  readonly form: Pick<NoticeRule, 'message' | 'content'>
  /** Segments with CR, before and behind the document's Base64. */
  readonly before: string
  /** Null: nothing is embedded. */
  readonly behind: string | null
}

export interface NewDelivery
  extends Pick<Delivery, 'destination' | 'objectId' | 'version' | 'event' | 'controlId' | 'rule'> {
  readonly body: DeliveryBody
  /** Why it is a dead letter from the start. */
  readonly failed?: string
}

/** Journal payloads. */
export interface DeliveriesMade {
  readonly deliveries: readonly NewDelivery[]
}
export interface DeliverySettled {
  readonly id: string
  readonly state: Exclude<DeliveryState, 'waiting'>
  readonly answer: string | null
  readonly error: string | null
}

/** What a destination holds of a document. */
export interface Holding {
  readonly destination: string
  readonly objectId: string
  /** Version it acknowledged, or that is on its way. */
  readonly version: number
  readonly state: 'acknowledged' | 'waiting'
  /** It holds what is superseded or withdrawn here, and nothing tells it so yet. */
  readonly behind: boolean
  /** What is in force instead; null when nothing is. */
  readonly current: string | null
}

export interface DeliveryReader {
  deliveries(filter: {
    readonly objectId?: string
    readonly destination?: string
    readonly state?: DeliveryState
    readonly controlId?: string
    readonly limit: number
    readonly cursor?: string
  }): { readonly items: readonly Delivery[]; readonly next: string | null }
  delivery(id: string): (Delivery & { readonly body: DeliveryBody }) | undefined
  /** The notice a destination is told next. */
  next(destination: string): (Delivery & { readonly body: DeliveryBody }) | undefined
  /** Per destination and document, newest first. `behind`: only those that must be brought level. */
  holdings(filter: {
    readonly objectId?: string
    readonly destination?: string
    readonly behind?: boolean
    readonly limit: number
  }): readonly Holding[]
}

/** Deliveries in the index of the writer; part of the caller's transaction. */
export interface DeliveryStore extends DeliveryReader {
  /** @param sequence of the journal entry. @returns their ids */
  add(sequence: number, time: string, deliveries: readonly NewDelivery[]): readonly string[]
  settle(settled: DeliverySettled, time: string): void
  tried(id: string, error: string, time: string): void
  /** The newest notice of a document to a destination that is acknowledged or waits. */
  last(destination: string, objectId: string): (Delivery & { readonly body: DeliveryBody }) | undefined
  waiting(destination: string): number
  /** A patient as PID tells one. */
  patient(patientId: string): SourcePatient | undefined
}

/** Runs in the writer worker. */
export interface DeliveryDesk {
  /** A destination answered, or a notice is given up: durable when it resolves. */
  settle(settled: DeliverySettled): Promise<void>
  /** A try without an answer that counts. */
  tried(id: string, error: string): Promise<void>
  /**
   * Tells the present state of the document again, behind what waits.
   * @throws ArchiveError 'request.not-found'; 'request.malformed' when its destination is no longer there
   */
  resend(id: string, cause: DecisionCause): Promise<Delivery>
  /** Brings copies elsewhere level: of one document, of one destination, or all. @returns the notices that were made */
  level(
    about: { readonly objectId?: string; readonly destination?: string },
    cause: DecisionCause,
  ): Promise<readonly Delivery[]>
}
