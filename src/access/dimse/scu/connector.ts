import type { Peer } from '#model/peer.ts'
import type { Association, ProposedContext, RoleSelection } from '#standards/dimse/association.ts'

/** What we propose to a peer. */
export interface Proposal {
  readonly contexts: readonly ProposedContext[]
  readonly roles?: readonly RoleSelection[]
  readonly extended?: ReadonlyMap<string, Uint8Array>
  /** Ends the attempt. */
  readonly signal?: AbortSignal
}

/** Opens associations to registered peers. */
export interface Connector {
  /**
   * @throws ArchiveError 'request.malformed' for a peer without host and port
   * @throws DimseError when nobody answers, or the peer refuses
   */
  connect(peer: Peer, proposal: Proposal): Promise<Association>
  /** Ours, as this peer knows us. */
  callingAeTitle(peer: Peer): string
}

export const EXPLICIT = '1.2.840.10008.1.2.1'
export const IMPLICIT = '1.2.840.10008.1.2'
/** Proposed for everything that is no stored object. */
export const UNCOMPRESSED: readonly string[] = [EXPLICIT, IMPLICIT]

/** Contexts numbered as they have to be: odd, from 1. PS3.8 section 9.3.2.2. */
export function numbered(
  proposals: readonly { readonly abstractSyntax: string; readonly transferSyntaxes: readonly string[] }[],
): ProposedContext[] {
  return proposals.map((proposal, index) => ({ id: index * 2 + 1, ...proposal }))
}
