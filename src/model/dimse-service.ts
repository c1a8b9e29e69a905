import type { Association, IncomingMessage } from '#standards/dimse/association.ts'
import type { Peer, PeerRight } from './peer.ts'
import type { Subject } from './permission.ts'
import type { AuditedThing } from './route.ts'
import type { Visibility } from './visibility.ts'

/** Who is at the other end of an association, as far as it was proved. */
export interface DimseCaller {
  /** Calling AE title, trimmed. */
  readonly aeTitle: string
  /** The registered peer; null for a stranger that was let in on loopback. */
  readonly peer: Peer | null
  readonly address: string | null
  /** SHA-256 (hex) of the client certificate; null without TLS or without one. */
  readonly certificate: string | null
  readonly provedBy: 'certificate' | 'address' | 'loopback'
  readonly subject: Subject
  readonly visibility: Visibility
}

/** One association being served. */
export interface DimseSession {
  readonly association: Association
  readonly caller: DimseCaller
  /** Aborted when the association ends, however it ends. */
  readonly signal: AbortSignal
  /** Aborted by a C-CANCEL of this message id. PS3.7 section 9.3.2.3. */
  cancelled(messageId: number): AbortSignal
  audit(kind: 'query' | 'read' | 'export' | 'store' | 'decide', what: AuditedThing): Promise<void>
}

/** A DIMSE service as SCP: one file each, like a route. It sends its own responses. */
export interface DimseService {
  /** Name in the conformance statement, with part and section of the standard. */
  readonly standard: string
  readonly needs: PeerRight
  /** True for the SOP classes it serves. */
  serves(sopClassUID: string): boolean
  /**
   * Transfer syntax to accept among those proposed for one context, by the proposer's order; undefined refuses it.
   * Most services take any uncompressed one; storage takes every one it can keep.
   */
  transferSyntax(sopClassUID: string, proposed: readonly string[]): string | undefined
  /** Answer to SOP Class Extended Negotiation (application information); undefined when the class has none. PS3.7 D.3.3.5. */
  extended?(sopClassUID: string, information: Uint8Array): Uint8Array | undefined
  /** True when it takes part in role selection: the peer may become SCP of the class (C-GET). */
  readonly reversible?: boolean
  /** Right a peer needs to be SCP of it; `get` when absent. */
  readonly reversedNeeds?: PeerRight
  handle(message: IncomingMessage, session: DimseSession): Promise<void>
}
