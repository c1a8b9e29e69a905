/** The requestor's side: asks a peer for an association over a stream. PS3.8 sections 7.1 and 9.2. */
import type { Duplex } from 'node:stream'
import { rolesOf } from './accept.ts'
import { type DecodedAccept, DICOM_APPLICATION_CONTEXT, encodeAssociateRequest } from './associate-pdu.ts'
import {
  type AcceptedContext,
  type Association,
  type AssociationEnd,
  type AssociationLimits,
  type AssociationRequest,
  DEFAULT_ASSOCIATION_LIMITS,
} from './association.ts'
import { DimseError, errorOfEnd, rejectWords } from './dimse-error.ts'
import { EstablishedAssociation } from './established.ts'
import { UpperLayer } from './upper-layer.ts'

/** What a requestor has to say; the rest has defaults. */
export type RequestParts = Pick<
  AssociationRequest,
  'callingAeTitle' | 'calledAeTitle' | 'contexts' | 'implementationClassUID'
> &
  Partial<AssociationRequest>

function complete(parts: RequestParts, limits: AssociationLimits): AssociationRequest {
  const ids = new Set(parts.contexts.map(({ id }) => id))
  if (ids.size !== parts.contexts.length || ids.size === 0 || ids.size > 128) {
    throw new RangeError('an association has 1 to 128 presentation contexts with different ids')
  }
  for (const id of ids) {
    if (id % 2 === 0 || id < 1 || id > 255) throw new RangeError(`${id} is no presentation context id`)
  }
  return {
    applicationContext: DICOM_APPLICATION_CONTEXT,
    pduLengthMax: limits.pduLengthMax,
    implementationVersionName: null,
    operations: null,
    roles: [],
    extended: new Map(),
    userIdentity: null,
    ...parts,
  }
}

function negotiate(request: AssociationRequest, answer: DecodedAccept) {
  const contexts = new Map<number, AcceptedContext>()
  const refused = new Map<number, number>()
  const answers = new Map(answer.contexts.map((context) => [context.id, context]))
  for (const { id, abstractSyntax, transferSyntaxes } of request.contexts) {
    const { result = 2, transferSyntax = null } = answers.get(id) ?? {}
    if (result !== 0) refused.set(id, result)
    // Accepted in a transfer syntax nobody proposed: a context nothing can be sent in. 4: transfer syntaxes.
    else if (transferSyntax === null || !transferSyntaxes.includes(transferSyntax)) refused.set(id, 4)
    else
      contexts.set(id, { id, abstractSyntax, transferSyntax, ...rolesOf(abstractSyntax, request.roles, answer.roles) })
  }
  const operations = request.operations === null ? null : answer.operations
  return {
    request,
    contexts,
    refused,
    extended: answer.extended,
    operations,
    peerPduLengthMax: answer.pduLengthMax,
  }
}

/**
 * Asks for an association. The stream may still be connecting; for a socket, switch Nagle's algorithm off.
 * No context may have been accepted: look at `contexts`.
 *
 * @throws DimseError `rejected` (with result, source, reason), `aborted`, `timeout` when no answer came within ARTIM,
 *   `lost`. The stream is closed then.
 * @throws RangeError for contexts that cannot be proposed: a mistake of the caller
 */
export function requestAssociation(
  stream: Duplex,
  parts: RequestParts,
  limits: AssociationLimits = DEFAULT_ASSOCIATION_LIMITS,
): Promise<Association> {
  const request = complete(parts, limits)
  return new Promise((resolve, reject) => {
    let established: EstablishedAssociation | null = null
    const upper: UpperLayer = new UpperLayer(stream, limits, 'requestor', {
      requested: () => null,
      accepted(answer) {
        established = new EstablishedAssociation(stream, upper, limits, 'requestor', negotiate(request, answer))
        resolve(established)
      },
      rejected({ result, source, reason }) {
        reject(new DimseError('rejected', rejectWords(result, source, reason), { result, source, reason }))
      },
      pdv: (contextId, control) => established?.pdv(contextId, control),
      fragment: (bytes, last) => established?.fragment(bytes, last),
      heard: () => established?.heard(),
      releaseAsked: () => established?.releaseAsked(),
      ended(end: AssociationEnd) {
        if (established !== null) established.finish(end)
        else reject(errorOfEnd(end, upper.timedOut))
      },
    })
    upper.start(encodeAssociateRequest(request))
  })
}
