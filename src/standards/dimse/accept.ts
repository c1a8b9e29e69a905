/** The acceptor's side: an association asked for over a stream. PS3.8 sections 7.1 and 9.2. */
import type { Duplex } from 'node:stream'
import { IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME } from '../dicom/write.ts'
import {
  type DecodedRequest,
  DICOM_APPLICATION_CONTEXT,
  encodeAssociateAccept,
  type OwnUserInformation,
} from './associate-pdu.ts'
import {
  type AcceptedContext,
  type Association,
  type AssociationAnswer,
  type AssociationEnd,
  type AssociationLimits,
  type AssociationRequest,
  DEFAULT_ASSOCIATION_LIMITS,
  type RoleSelection,
} from './association.ts'
import { EstablishedAssociation } from './established.ts'
import { UpperLayer } from './upper-layer.ts'

/** How an attempt ended that became no association. */
export type AttemptEnd =
  | AssociationEnd
  | { readonly how: 'rejected'; readonly result: number; readonly source: number; readonly reason: number }

export interface AcceptOptions {
  readonly limits?: AssociationLimits
  /** Ours when absent. */
  readonly implementationClassUID?: string
  /** At most 16 characters; ours when absent. */
  readonly implementationVersionName?: string
  /** Told why when no association came about, and how it ended when one did. Once. */
  readonly onEnd?: (end: AttemptEnd, request: AssociationRequest | null) => void
}

type Accepting = Extract<AssociationAnswer, { accept: true }>

/** The role of the requestor in a SOP class: what both sides said. PS3.7 section D.3.3.4. */
export function rolesOf(
  sopClass: string,
  proposed: readonly RoleSelection[],
  answered: readonly RoleSelection[],
): { requestorIsScu: boolean; requestorIsScp: boolean } {
  const asked = proposed.find((role) => role.sopClass === sopClass)
  const given = answered.find((role) => role.sopClass === sopClass)
  if (asked === undefined || given === undefined) return { requestorIsScu: true, requestorIsScp: false }
  return { requestorIsScu: asked.scu && given.scu, requestorIsScp: asked.scp && given.scp }
}

function acceptedContexts(request: AssociationRequest, answer: Accepting): Map<number, AcceptedContext> {
  const contexts = new Map<number, AcceptedContext>()
  for (const { id, result, transferSyntax } of answer.contexts) {
    if (result !== 0) continue
    const proposed = request.contexts.find((context) => context.id === id)
    if (proposed === undefined || transferSyntax === null || !proposed.transferSyntaxes.includes(transferSyntax)) {
      throw new TypeError(`presentation context ${id} was not proposed with transfer syntax ${transferSyntax}`)
    }
    const { abstractSyntax } = proposed
    contexts.set(id, { id, abstractSyntax, transferSyntax, ...rolesOf(abstractSyntax, request.roles, answer.roles) })
  }
  return contexts
}

function encodeAnswer(decoded: DecodedRequest, answer: Accepting, own: OwnUserInformation): Uint8Array {
  const given = new Map(answer.contexts.map((context) => [context.id, context]))
  const contexts = decoded.request.contexts.map(({ id, transferSyntaxes }) => ({
    id,
    result: given.get(id)?.result ?? 2,
    // Of a refused context the transfer syntax says nothing, but the item is there: PS3.8 section 9.3.3.2.
    transferSyntax: given.get(id)?.transferSyntax ?? transferSyntaxes[0] ?? '',
  }))
  return encodeAssociateAccept(decoded.echo, contexts, own)
}

/**
 * Waits for an A-ASSOCIATE-RQ on the stream and answers it as `decide` says. Switch Nagle's algorithm off on the socket
 * (`setNoDelay`): messages leave in whole writes.
 *
 * A request for another protocol version or application context is rejected without asking.
 *
 * @returns null when there is no association: rejected, aborted, lost, or what came was no request; `onEnd` says which.
 *   The stream is closed then, or closes within ARTIM.
 * @throws whatever `decide` throws, after a transient rejection
 */
export async function acceptAssociation(
  stream: Duplex,
  decide: (request: AssociationRequest) => Promise<AssociationAnswer>,
  options: AcceptOptions = {},
): Promise<Association | null> {
  const limits = options.limits ?? DEFAULT_ASSOCIATION_LIMITS
  let established: EstablishedAssociation | null = null
  let asked: DecodedRequest | null = null
  let resolveAsked: (decoded: DecodedRequest | null) => void = () => undefined
  const request = new Promise<DecodedRequest | null>((resolve) => {
    resolveAsked = resolve
  })
  const over = (end: AttemptEnd) => {
    resolveAsked(null)
    options.onEnd?.(end, asked?.request ?? null)
  }
  const upper = new UpperLayer(stream, limits, 'acceptor', {
    requested(decoded) {
      asked = decoded
      const refusal = ownRefusal(decoded)
      if (refusal === null) resolveAsked(decoded)
      else over({ how: 'rejected', ...refusal })
      return refusal
    },
    accepted: () => undefined,
    rejected: () => undefined,
    pdv: (contextId, control) => established?.pdv(contextId, control),
    fragment: (bytes, last) => established?.fragment(bytes, last),
    heard: () => established?.heard(),
    releaseAsked: () => established?.releaseAsked(),
    ended(end) {
      established?.finish(end)
      over(end)
    },
  })
  upper.start()
  const decoded = await request
  if (decoded === null) return null
  const reject = (rejection: { result: number; source: number; reason: number }) => {
    if (upper.event('Evt8', { rejection })) over({ how: 'rejected', ...rejection })
  }
  try {
    const answer = await decide(decoded.request)
    if (!answer.accept) {
      reject({ result: answer.result, source: answer.source, reason: answer.reason })
      return null
    }
    if (upper.state !== 'Sta3') return null // aborted or lost meanwhile
    const contexts = acceptedContexts(decoded.request, answer)
    const bytes = encodeAnswer(decoded, answer, {
      pduLengthMax: limits.pduLengthMax,
      implementationClassUID: options.implementationClassUID ?? IMPLEMENTATION_CLASS_UID,
      implementationVersionName: options.implementationVersionName ?? IMPLEMENTATION_VERSION_NAME,
      operations: answer.operations,
      roles: answer.roles,
      extended: answer.extended,
      userIdentity: null,
      userIdentityAnswer: answer.userIdentityAnswer ?? null,
    })
    established = new EstablishedAssociation(stream, upper, limits, 'acceptor', {
      request: decoded.request,
      contexts,
      refused: new Map(answer.contexts.filter(({ result }) => result !== 0).map(({ id, result }) => [id, result])),
      extended: answer.extended,
      operations: answer.operations,
      peerPduLengthMax: decoded.request.pduLengthMax,
    })
    upper.event('Evt7', { bytes })
    return established
  } catch (error) {
    reject({ result: 2, source: 2, reason: 1 })
    throw error
  }
}

function ownRefusal({ versionSupported, request }: DecodedRequest) {
  if (!versionSupported) return { result: 1, source: 2, reason: 2 }
  if (request.applicationContext !== DICOM_APPLICATION_CONTEXT) return { result: 1, source: 1, reason: 2 }
  return null
}
