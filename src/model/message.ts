import type { BrokenFrame } from '#standards/hl7v2/mllp.ts'
import type { Location } from './archive-object.ts'
import type { LedgerDecision } from './identity.ts'
import type { ReportWithdrawal } from './report.ts'

/** A kept HL7 v2 message with its answer. Stored verbatim; services.md E.1. */
export interface MessageRecord {
  /** `<journal sequence>`: the same after a rebuild. */
  readonly id: string
  readonly time: string
  /** MSH-3 and MSH-4 of the sender. */
  readonly application: string
  readonly facility: string
  /** Address, and certificate digest where there is one. */
  readonly address: string | null
  readonly originator: string | null
  /** MSH-10. */
  readonly controlId: string
  /** MSH-9 as `ADT^A08`. */
  readonly type: string
  /** SHA-256 (hex) of the message without MLLP framing. */
  readonly sha256: string
  readonly size: number
  readonly acknowledgement: 'AA' | 'AE' | 'AR' | 'CA' | 'CE' | 'CR'
  /** Text of ERR and MSA-3; null for success. */
  readonly error: string | null
  /** Identifiers the message names, for the search: patient ids, accession, order numbers. */
  readonly identifiers: readonly string[]
  /** What was done with each Z-segment: `ZDS honoured`, `ZXX inert`. */
  readonly zSegments: readonly {
    readonly name: string
    readonly index: number
    readonly done: 'honoured' | 'inert' | 'refused'
  }[]
  /** What was let through although it is not as it should be, and what was seen: for whoever looks at the message. */
  readonly notes: readonly string[]
  /** How often the same message arrived. */
  readonly arrivals: number
  /** Ledger entries it made. */
  readonly entries: readonly string[]
}

/** What a message came with, before it is read. */
export interface MessageEnvelope {
  readonly bytes: Uint8Array
  readonly door: 'mllp' | 'import'
  /** Account or token that brought a file of messages; null or absent for the local owner and for MLLP. */
  readonly user?: string | null
  readonly address: string | null
  /** SHA-256 (hex) of the client certificate. */
  readonly certificate: string | null
  readonly time: string
  /** A registered originator that a person named at the import; it speaks for the messages in the file. */
  readonly originator?: string | null
  /** Only the first bytes: it was cut off or too large. It is answered as what that says, never acted on. */
  readonly broken?: BrokenFrame
}

/** How a message was answered: the acknowledgements as they go on the wire, without framing. */
export interface MessageAnswer {
  /** None when the sender asked for none (MSH-15/16); in enhanced mode the accept acknowledgement first. */
  readonly acknowledgements: readonly Uint8Array[]
  readonly record: MessageRecord | null
}

/** A message that was answered before: the same sender, control id and bytes. */
export interface AnsweredMessage {
  readonly id: string
  readonly acknowledgements: readonly Uint8Array[]
  readonly record: MessageRecord
}

/** Writes and look-ups of the message archive, inside the writer worker; writes are part of the caller's transaction. */
export interface MessageStore {
  /** The newest message of this sender with this control id and these bytes. */
  answered(sender: MessageSender, sha256: string): AnsweredMessage | undefined
  /** True when this sender used the control id for another message. */
  usedForAnother(sender: MessageSender, sha256: string): boolean
  /** Idempotent by sequence: a rebuild may meet an entry twice. */
  add(sequence: number, payload: MessageJournalPayload, entries: readonly string[], location: Location): void
  arrivedAgain(id: string): void
  /** Entries of the journal stand elsewhere now; those that are no messages are passed over. */
  moved(moves: readonly { readonly sequence: number; readonly to: Location }[]): void
}

export interface MessageSender {
  readonly application: string
  readonly facility: string
  readonly controlId: string
}

/** Journal kind of a message; its payload is a MessageJournalPayload. */
export const MESSAGE_KIND = 'message'

/** Runs in the writer worker: parse, ledger of control ids, journal, decisions, answer. One effect per message. */
export interface MessageDesk {
  receive(envelope: MessageEnvelope): Promise<MessageAnswer>
}

/** Reads of the message archive. */
export interface MessageReader {
  message(id: string): MessageRecord | undefined
  /** The message as it came. */
  messageBytes(id: string): Promise<Uint8Array | undefined>
  messages(filter: {
    readonly controlId?: string
    readonly type?: string
    readonly application?: string
    readonly identifier?: string
    readonly acknowledgement?: string
    readonly since?: string
    readonly limit: number
    readonly cursor?: string
  }): { readonly items: readonly MessageRecord[]; readonly next: string | null }
}

/** What the journal keeps of a message: verbatim bytes (base64), answer, and the decisions it led to. */
export interface MessageJournalPayload {
  readonly record: Omit<MessageRecord, 'id' | 'entries' | 'arrivals'>
  readonly bytes: string
  /** Base64 of each acknowledgement: a resend gets the same. */
  readonly acknowledgements: readonly string[]
  readonly decisions: readonly LedgerDecision[]
  /** Reports it took back. */
  readonly withdrawals?: readonly ReportWithdrawal[]
}
