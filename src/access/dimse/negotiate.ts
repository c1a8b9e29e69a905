/** What of a requested association is agreed to. Pure: a request in, an answer out. PS3.8 section 9.3.3, PS3.7 annex D. */
import type { DimseService } from '#model/dimse-service.ts'
import type { PeerRight } from '#model/peer.ts'
import {
  EXPLICIT_BIG_ENDIAN,
  EXPLICIT_LITTLE_ENDIAN,
  IMPLICIT_LITTLE_ENDIAN,
} from '#standards/dicom/transfer-syntax.ts'
import type { AssociationAnswer, AssociationRequest, RoleSelection } from '#standards/dimse/association.ts'

export const APPLICATION_CONTEXT = '1.2.840.10008.3.1.1.1'

/** What a service without pixels takes. */
export const UNCOMPRESSED: readonly string[] = [EXPLICIT_LITTLE_ENDIAN, IMPLICIT_LITTLE_ENDIAN, EXPLICIT_BIG_ENDIAN]

/** Refusals of an association. PS3.8 table 9-21. */
export const REJECT = {
  noReason: { accept: false, result: 1, source: 1, reason: 1 },
  applicationContext: { accept: false, result: 1, source: 1, reason: 2 },
  callingAeTitle: { accept: false, result: 1, source: 1, reason: 3 },
  calledAeTitle: { accept: false, result: 1, source: 1, reason: 7 },
  congestion: { accept: false, result: 2, source: 3, reason: 1 },
} as const satisfies { readonly [name: string]: AssociationAnswer }

/** What the caller was found to be allowed. */
export interface Grant {
  has(right: PeerRight): boolean
  /** Most asynchronous operations outstanding. */
  readonly operationsMax: number
}

/** The service of a class: the first of the list that serves it. */
export function serviceFor(services: readonly DimseService[], sopClassUID: string): DimseService | undefined {
  return services.find((service) => service.serves(sopClassUID))
}

/**
 * Answers contexts, roles, extended negotiation and operations window. A context is refused with 3 when nobody serves the
 * class, 1 when the caller may not use it, 4 when none of its transfer syntaxes is taken. No context at all in common
 * refuses the association.
 */
export function negotiate(
  request: AssociationRequest,
  services: readonly DimseService[],
  grant: Grant,
): AssociationAnswer {
  const roles = new Map<string, RoleSelection>()
  for (const role of request.roles) {
    const service = serviceFor(services, role.sopClass)
    if (service === undefined) continue
    roles.set(role.sopClass, {
      sopClass: role.sopClass,
      scu: role.scu && grant.has(service.needs),
      scp: role.scp && service.reversible === true && grant.has(service.reversedNeeds ?? 'get'),
    })
  }
  const extended = new Map<string, Uint8Array>()
  const contexts = request.contexts.map(({ id, abstractSyntax, transferSyntaxes }) => {
    const refused = (result: 1 | 3 | 4) => ({ id, result, transferSyntax: null })
    const service = serviceFor(services, abstractSyntax)
    if (service === undefined) return refused(3)
    const role = roles.get(abstractSyntax)
    if (!(role === undefined ? grant.has(service.needs) : role.scu || role.scp)) return refused(1)
    const transferSyntax = service.transferSyntax(abstractSyntax, transferSyntaxes)
    if (transferSyntax === undefined) return refused(4)
    const asked = request.extended.get(abstractSyntax)
    const answered = asked === undefined ? undefined : service.extended?.(abstractSyntax, asked)
    if (answered !== undefined) extended.set(abstractSyntax, answered)
    return { id, result: 0 as const, transferSyntax }
  })
  if (contexts.every(({ result }) => result !== 0)) return REJECT.noReason
  return {
    accept: true,
    contexts,
    roles: [...roles.values()],
    extended,
    operations: window(request.operations, grant.operationsMax),
  }
}

/** Never more than was asked for, never more than we take. 0 asks for no limit. PS3.7 section D.3.3.3. */
function window(asked: AssociationRequest['operations'], most: number): AssociationRequest['operations'] {
  if (asked === null) return null
  const bounded = (count: number) => (count === 0 ? most : Math.min(count, most))
  return { invoked: bounded(asked.invoked), performed: bounded(asked.performed) }
}
