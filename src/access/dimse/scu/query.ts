import { ArchiveError } from '#errors.ts'
import type { Peer } from '#model/peer.ts'
import type { AcceptedContext, Association, IncomingMessage } from '#standards/dimse/association.ts'
import { COMMAND, type CommandSet } from '#standards/dimse/command-set.ts'
import type { QueryLevel } from '../query-models.ts'
import { STATUS } from '../refusal.ts'
import { type Connector, numbered, UNCOMPRESSED } from './connector.ts'
import { encodeIdentifier, identifierJson, type Key, queryClass, type Root } from './identifiers.ts'

/** Verification. PS3.4 annex A. */
const VERIFICATION = '1.2.840.10008.1.1'
const IDENTIFIER_BYTES_MAX = 4 * 1024 * 1024

/** The context of a class, or the error that tells that there is none. */
export function contextOf(association: Association, sopClassUID: string): AcceptedContext {
  for (const context of association.contexts.values()) if (context.abstractSyntax === sopClassUID) return context
  throw new ArchiveError('peer.refused', `the peer does not take ${sopClassUID}`)
}

/** A status of a peer that means failure. */
export function failureOf({ status, errorComment }: CommandSet): ArchiveError {
  const text = (status ?? 0).toString(16).padStart(4, '0').toUpperCase()
  const comment = errorComment === undefined || errorComment === '' ? '' : `: ${errorComment}`
  return new ArchiveError('peer.refused', `the peer answered ${text}${comment}`)
}

/** The small data set of a response; null when it has none. */
export async function dataSetOf(message: IncomingMessage): Promise<Uint8Array | null> {
  if (message.dataSet === null) return null
  const pieces: Uint8Array[] = []
  let length = 0
  for await (const piece of message.dataSet) {
    length += piece.byteLength
    if (length <= IDENTIFIER_BYTES_MAX) pieces.push(Uint8Array.from(piece))
  }
  if (length > IDENTIFIER_BYTES_MAX) throw new ArchiveError('peer.refused', 'the peer answers with too much at once')
  return Buffer.concat(pieces)
}

/**
 * C-ECHO.
 * @throws DimseError, ArchiveError 'peer.refused'
 */
export async function echo(connector: Connector, peer: Peer, signal: AbortSignal): Promise<void> {
  const association = await connector.connect(peer, {
    contexts: numbered([{ abstractSyntax: VERIFICATION, transferSyntaxes: UNCOMPRESSED }]),
    signal,
  })
  try {
    const context = contextOf(association, VERIFICATION)
    const request = { commandField: COMMAND.C_ECHO_RQ, affectedSOPClassUID: VERIFICATION }
    for await (const { command } of association.call(context.id, request)) {
      if (command.status !== STATUS.success) throw failureOf(command)
    }
  } finally {
    await association.release()
  }
}

export interface FindQuestion {
  readonly root: Root
  readonly level: QueryLevel
  readonly keys: readonly Key[]
  /** Keys of the levels above may be left out, when the peer agrees. */
  readonly relational: boolean
  readonly fuzzy: boolean
  /** Cancels after this many. */
  readonly limit: number
  /** False: only the keys that are given. */
  readonly usual?: boolean
}

/**
 * C-FIND: the matches as DICOM JSON, as they come.
 * @throws DimseError, ArchiveError 'peer.refused' when the peer refuses
 */
export async function* find(
  connector: Connector,
  peer: Peer,
  question: FindQuestion,
  signal: AbortSignal,
): AsyncGenerator<{ readonly [tag: string]: unknown }, void, void> {
  const sopClass = queryClass(question.root, 'find')
  const extended = question.relational || question.fuzzy
  const association = await connector.connect(peer, {
    contexts: numbered([{ abstractSyntax: sopClass, transferSyntaxes: UNCOMPRESSED }]),
    ...(extended
      ? { extended: new Map([[sopClass, Uint8Array.of(question.relational ? 1 : 0, 0, question.fuzzy ? 1 : 0)]]) }
      : {}),
    signal,
  })
  try {
    yield* findOn(association, question, signal)
  } finally {
    await association.release()
  }
}

/** C-FIND on an association that is open. */
export async function* findOn(
  association: Association,
  { root, level, keys, limit, usual }: FindQuestion,
  signal: AbortSignal,
): AsyncGenerator<{ readonly [tag: string]: unknown }, void, void> {
  const sopClass = queryClass(root, 'find')
  const context = contextOf(association, sopClass)
  const identifier = encodeIdentifier(level, keys, context.transferSyntax, usual)
  const request = { commandField: COMMAND.C_FIND_RQ, affectedSOPClassUID: sopClass, priority: 0 }
  let count = 0
  let cancelling = false
  for await (const message of association.call(context.id, request, [identifier])) {
    const { status = -1, messageIdBeingRespondedTo = 0 } = message.command
    const bytes = await dataSetOf(message)
    if (status === STATUS.pending || status === STATUS.pendingKeysUnsupported) {
      if (count < limit && bytes !== null) yield identifierJson(bytes, context.transferSyntax)
      count++
      if (!cancelling && (count >= limit || signal.aborted)) {
        cancelling = true
        await association.send(context.id, { commandField: COMMAND.C_CANCEL_RQ, messageIdBeingRespondedTo })
      }
    } else if (status !== STATUS.success && status !== STATUS.cancelled) throw failureOf(message.command)
  }
  signal.throwIfAborted()
}
