/** What a peer may ask for. threats.md section 5, contract.md "DIMSE and HL7". */
export const PEER_RIGHTS = ['echo', 'store', 'find', 'move', 'get', 'worklist', 'mpps', 'commit'] as const

export type PeerRight = (typeof PEER_RIGHTS)[number]

/** A registered application entity. An AE title alone proves nothing: address or certificate bind it. */
export interface Peer {
  readonly aeTitle: string
  /** Where it listens: for C-MOVE destinations, commitment reports, and what we ask of it. Null: it only calls us. */
  readonly host: string | null
  readonly port: number | null
  readonly allow: readonly PeerRight[]
  /** Addresses or CIDR blocks it may call from; empty: the host's, when one is named. */
  readonly addresses: readonly string[]
  /** SHA-256 (hex) of client certificates; when any is named, TLS with one of them is required. */
  readonly certificates: readonly string[]
  /** Call it over TLS. */
  readonly tls: boolean
  /** AE title we call it by and under; null: its own, and ours of the configuration. */
  readonly callingAeTitle: string | null
  /** Originator its objects are screened under; null: found by AE title and address. */
  readonly originator: string | null
  /** SOP classes it may store; null: all that site policy takes. */
  readonly sopClasses: readonly string[] | null
  /** AE titles it may move to; null: itself only. */
  readonly moveDestinations: readonly string[] | null
  /** Open associations at once. */
  readonly associationsMax: number
}
