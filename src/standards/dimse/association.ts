/** What an association is to those who use it. PS3.7 and PS3.8; accept.ts and request.ts make one over a stream. */
import type { CommandSet } from './command-set.ts'

/** A presentation context as proposed. PS3.8 section 9.3.2.2. */
export interface ProposedContext {
  /** Odd, 1 to 255. */
  readonly id: number
  readonly abstractSyntax: string
  readonly transferSyntaxes: readonly string[]
}

/** A presentation context both sides agreed on. */
export interface AcceptedContext {
  readonly id: number
  readonly abstractSyntax: string
  readonly transferSyntax: string
  /** Roles of the requestor after role selection; SCU alone by default. PS3.7 section D.3.3.4. */
  readonly requestorIsScu: boolean
  readonly requestorIsScp: boolean
}

/** SCP/SCU Role Selection of one SOP class, as the requestor proposes it. */
export interface RoleSelection {
  readonly sopClass: string
  readonly scu: boolean
  readonly scp: boolean
}

/** User Identity Negotiation. PS3.7 section D.3.3.7. Secrets: never logged. */
export interface UserIdentity {
  /** 1 name, 2 name and passcode, 3 Kerberos, 4 SAML, 5 JWT. */
  readonly type: number
  readonly responseRequested: boolean
  readonly primary: Uint8Array
  readonly secondary: Uint8Array
}

/** An A-ASSOCIATE-RQ. AE titles without padding. */
export interface AssociationRequest {
  readonly callingAeTitle: string
  readonly calledAeTitle: string
  readonly applicationContext: string
  readonly contexts: readonly ProposedContext[]
  /** Longest P-DATA-TF variable field the requestor takes, in bytes; 0: no limit. */
  readonly pduLengthMax: number
  readonly implementationClassUID: string
  readonly implementationVersionName: string | null
  /** Asynchronous Operations Window; 0 means unlimited. PS3.7 section D.3.3.3. */
  readonly operations: { readonly invoked: number; readonly performed: number } | null
  readonly roles: readonly RoleSelection[]
  /** SOP Class Extended Negotiation: application information by class. */
  readonly extended: ReadonlyMap<string, Uint8Array>
  readonly userIdentity: UserIdentity | null
}

/** What the acceptor answers. Results and reasons by PS3.8 tables 9-18 and 9-21. */
export type AssociationAnswer =
  | {
      readonly accept: true
      /** One per proposed context: 0 acceptance, 1 user rejection, 2 no reason, 3 abstract syntax, 4 transfer syntaxes. */
      readonly contexts: readonly {
        readonly id: number
        readonly result: 0 | 1 | 2 | 3 | 4
        readonly transferSyntax: string | null
      }[]
      readonly operations: { readonly invoked: number; readonly performed: number } | null
      readonly roles: readonly RoleSelection[]
      readonly extended: ReadonlyMap<string, Uint8Array>
      /** Server response to a user identity that asked for one; empty for types 1 and 2. PS3.7 section D.3.3.7.2. */
      readonly userIdentityAnswer?: Uint8Array
    }
  | { readonly accept: false; readonly result: 1 | 2; readonly source: 1 | 2 | 3; readonly reason: number }

/** A data set on its way in: fragments as they arrive, with back-pressure to the socket while nobody takes them. */
export type DataSetStream = AsyncIterable<Uint8Array>

/** One DIMSE message of the peer. */
export interface IncomingMessage {
  readonly context: AcceptedContext
  readonly command: CommandSet
  /** Null when the command says that none follows. Must be read to its end, or `drain` called, before the next message. */
  readonly dataSet: DataSetStream | null
  /** Skips what is left of the data set. */
  drain(): Promise<void>
}

/** How an association ended. */
export type AssociationEnd =
  | { readonly how: 'released' }
  | {
      readonly how: 'aborted'
      readonly by: 'peer' | 'us'
      readonly source: number
      readonly reason: number
      readonly detail: string
    }
  | { readonly how: 'lost'; readonly detail: string }

/** A piece of a data set on its way out. */
export type DataSetPieces = Iterable<Uint8Array> | AsyncIterable<Uint8Array>

/** An established association, seen from either side. */
export interface Association {
  readonly weAre: 'acceptor' | 'requestor'
  readonly request: AssociationRequest
  readonly contexts: ReadonlyMap<number, AcceptedContext>
  /** Contexts that were not accepted, with the result the acceptor gave: 1 to 4, as in `AssociationAnswer`. */
  readonly refused?: ReadonlyMap<number, number>
  /** Negotiated: application information the acceptor answered, by class. */
  readonly extended: ReadonlyMap<string, Uint8Array>
  /** Operations the requestor may have outstanding (1 when not negotiated; 0 unlimited). */
  readonly operationsInvoked: number
  readonly operationsPerformed: number
  /**
   * Requests of the peer in order, and responses nobody waits for; ends with the association. Responses to `call` go to
   * their caller instead. Only one reader.
   */
  messages(): AsyncIterable<IncomingMessage>
  /**
   * Sends one message. Calls queue: one message at a time is on the wire. A message without data set, and a small one with
   * it, leaves in one write. Resolves when the socket took it (back-pressure).
   * @throws DimseError when the association ended
   */
  send(contextId: number, command: CommandSet, dataSet?: DataSetPieces): Promise<void>
  /**
   * Sends a request and yields its responses until one is final (not pending). Message ID is set here.
   * @throws DimseError when the association ends, or nothing comes for the response timeout
   */
  call(contextId: number, command: CommandSet, dataSet?: DataSetPieces): AsyncGenerator<IncomingMessage, void, void>
  /** Orderly release; resolves when the peer agreed or the timeout ran out (then the stream is closed). */
  release(): Promise<void>
  abort(detail: string): void
  readonly ended: Promise<AssociationEnd>
}

/** Bounds of one association; every one from outside has one. */
export interface AssociationLimits {
  /** Longest P-DATA-TF we say we take, in bytes. */
  readonly pduLengthMax: number
  /** Longest PDU other than P-DATA-TF, in bytes. */
  readonly controlPduMax: number
  readonly presentationContextsMax: number
  readonly transferSyntaxesMax: number
  /** Longest command set, in bytes. */
  readonly commandBytesMax: number
  /** ARTIM, and waiting for an A-ASSOCIATE answer or release, in milliseconds. PS3.8 section 9.1.5. */
  readonly artimMs: number
  /** No PDU of the peer for this long while we expect one, in milliseconds. */
  readonly idleMs: number
  /** The peer takes no byte for this long, in milliseconds. */
  readonly stalledMs: number
}

export const DEFAULT_ASSOCIATION_LIMITS: AssociationLimits = {
  pduLengthMax: 131_072,
  controlPduMax: 1_048_576,
  presentationContextsMax: 128,
  transferSyntaxesMax: 64,
  commandBytesMax: 65_536,
  artimMs: 30_000,
  idleMs: 120_000,
  stalledMs: 60_000,
}
