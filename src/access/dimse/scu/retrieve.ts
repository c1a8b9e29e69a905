import { ArchiveError } from '#errors.ts'
import type { Peer } from '#model/peer.ts'
import { storageClasses } from '#standards/dicom/uids.ts'
import type { Association, IncomingMessage, ProposedContext } from '#standards/dimse/association.ts'
import { COMMAND, type CommandSet } from '#standards/dimse/command-set.ts'
import type { QueryLevel } from '../query-models.ts'
import { STATUS } from '../refusal.ts'
import { type Connector, EXPLICIT, IMPLICIT, numbered, UNCOMPRESSED } from './connector.ts'
import { encodeIdentifier, type Key, queryClass } from './identifiers.ts'
import { contextOf, failureOf, find } from './query.ts'

/** What is asked for: a study, some of its series, or some instances of one of those. */
export interface Wanted {
  readonly studies: readonly string[]
  readonly series: readonly string[]
  readonly instances: readonly string[]
}

/** Counts of a retrieval as the peer tells them. */
export interface RetrieveCounts {
  readonly remaining: number
  readonly completed: number
  readonly failed: number
  readonly warning: number
}

export interface RetrieveEnd extends RetrieveCounts {
  readonly status: number
}

function levelOf({ series, instances }: Wanted): QueryLevel {
  return instances.length > 0 ? 'IMAGE' : series.length > 0 ? 'SERIES' : 'STUDY'
}

function keysOf({ studies, series, instances }: Wanted): Key[] {
  const keys: Key[] = [{ tag: 0x0020000d, value: studies.join('\\') }]
  if (series.length > 0) keys.push({ tag: 0x0020000e, value: series.join('\\') })
  if (instances.length > 0) keys.push({ tag: 0x00080018, value: instances.join('\\') })
  return keys
}

function countsOf(command: CommandSet): RetrieveCounts {
  return {
    remaining: command.remainingSubOperations ?? 0,
    completed: command.completedSubOperations ?? 0,
    failed: command.failedSubOperations ?? 0,
    warning: command.warningSubOperations ?? 0,
  }
}

/** Sends a retrieval and follows it to its end. */
async function follow(
  association: Association,
  operation: 'move' | 'get',
  wanted: Wanted,
  extra: Partial<CommandSet>,
  progress: (counts: RetrieveCounts) => void,
  signal: AbortSignal,
): Promise<RetrieveEnd> {
  const sopClass = queryClass('study', operation)
  const context = contextOf(association, sopClass)
  const identifier = encodeIdentifier(levelOf(wanted), keysOf(wanted), context.transferSyntax, false)
  const commandField = operation === 'move' ? COMMAND.C_MOVE_RQ : COMMAND.C_GET_RQ
  const request = { commandField, affectedSOPClassUID: sopClass, priority: 0, ...extra }
  let end: RetrieveEnd | undefined
  let cancelling = false
  for await (const message of association.call(context.id, request, [identifier])) {
    const { status = -1, messageIdBeingRespondedTo = 0 } = message.command
    await message.drain()
    if (status === STATUS.pending) {
      progress(countsOf(message.command))
      if (signal.aborted && !cancelling) {
        cancelling = true
        await association.send(context.id, { commandField: COMMAND.C_CANCEL_RQ, messageIdBeingRespondedTo })
      }
    } else {
      const counts = countsOf(message.command)
      const refused = ![STATUS.success, STATUS.cancelled, STATUS.subOperationFailures].some((each) => each === status)
      if (refused && counts.failed + counts.completed === 0) throw failureOf(message.command)
      end = { ...counts, status }
    }
  }
  if (end === undefined) throw new ArchiveError('peer.refused', 'the peer gave no final answer')
  return end
}

/**
 * C-MOVE: the peer sends what is wanted to `destination`, which must know it under that AE title.
 * @throws DimseError, ArchiveError 'peer.refused'
 */
export async function moveFrom(
  connector: Connector,
  peer: Peer,
  wanted: Wanted,
  destination: string,
  progress: (counts: RetrieveCounts) => void,
  signal: AbortSignal,
): Promise<RetrieveEnd> {
  const sopClass = queryClass('study', 'move')
  const association = await connector.connect(peer, {
    contexts: numbered([{ abstractSyntax: sopClass, transferSyntaxes: UNCOMPRESSED }]),
    signal,
  })
  try {
    return await follow(association, 'move', wanted, { moveDestination: destination }, progress, signal)
  } finally {
    await association.release()
  }
}

/** Transfer syntaxes that objects come in, each in a context of its own; the uncompressed ones share one. */
const OBJECT_SYNTAXES: readonly (readonly string[])[] = [
  [EXPLICIT, IMPLICIT],
  ...[
    '1.2.840.10008.1.2.4.50',
    '1.2.840.10008.1.2.4.51',
    '1.2.840.10008.1.2.4.70',
    '1.2.840.10008.1.2.4.80',
    '1.2.840.10008.1.2.4.81',
    '1.2.840.10008.1.2.4.90',
    '1.2.840.10008.1.2.4.91',
    '1.2.840.10008.1.2.4.102',
    '1.2.840.10008.1.2.4.201',
    '1.2.840.10008.1.2.5',
    '1.2.840.10008.1.2.1.99',
  ].map((uid) => [uid]),
]
/** One context of each association is the retrieval's. */
const CONTEXTS_MAX = 127

/** Classes to offer a peer that does not say which it has: all of them, uncompressed. */
function usualClasses(): string[] {
  return storageClasses()
    .filter(({ retired, patientLevel, vendor }) => !retired && patientLevel && vendor === undefined)
    .map(({ uid }) => uid)
}

/** Associations that cover all classes: contexts of each, with the roles that let the peer store to us. */
function proposals(
  classes: readonly string[],
  syntaxes: readonly (readonly string[])[],
): readonly { contexts: ProposedContext[]; classes: readonly string[] }[] {
  const perAssociation = Math.max(1, Math.floor(CONTEXTS_MAX / syntaxes.length))
  const groups: { contexts: ProposedContext[]; classes: readonly string[] }[] = []
  for (let at = 0; at < classes.length; at += perAssociation) {
    const some = classes.slice(at, at + perAssociation)
    const storage = some.flatMap((abstractSyntax) =>
      syntaxes.map((transferSyntaxes) => ({ abstractSyntax, transferSyntaxes })),
    )
    const get = { abstractSyntax: queryClass('study', 'get'), transferSyntaxes: UNCOMPRESSED }
    groups.push({ contexts: numbered([get, ...storage]), classes: some })
  }
  return groups
}

/**
 * SOP classes of what is wanted, as the peer's own answers name them; none when it does not say.
 * @throws ArchiveError 'request.not-found'
 */
async function classesOf(connector: Connector, peer: Peer, wanted: Wanted, signal: AbortSignal): Promise<string[]> {
  const classes = new Set<string>()
  const ask = (level: QueryLevel, keys: readonly Key[]) =>
    find(
      connector,
      peer,
      { root: 'study', level, keys, relational: false, fuzzy: false, limit: 100_000, usual: false },
      signal,
    )
  const [study = ''] = wanted.studies
  const studyKey = { tag: 0x0020000d, value: study }
  let known = 0
  for (const uid of wanted.studies) {
    for await (const row of ask('STUDY', [
      { tag: 0x0020000d, value: uid },
      { tag: 0x00080062, value: '' },
    ])) {
      known++
      for (const sopClass of valuesOf(row, '00080062')) classes.add(sopClass)
    }
  }
  if (known === 0) throw new ArchiveError('request.not-found', 'the peer has no such study')
  if (classes.size > 0) return [...classes]
  for (const uid of wanted.studies) {
    const inStudy = { tag: 0x0020000d, value: uid }
    const series: string[] = []
    for await (const row of ask('SERIES', [inStudy, { tag: 0x0020000e, value: wanted.series.join('\\') }])) {
      series.push(...valuesOf(row, '0020000E'))
    }
    for (const value of series) {
      const keys = [studyKey.value === uid ? studyKey : inStudy, { tag: 0x0020000e, value }]
      for await (const row of ask('IMAGE', [...keys, { tag: 0x00080018, value: '' }, { tag: 0x00080016, value: '' }])) {
        const found = valuesOf(row, '00080016')
        for (const sopClass of found) classes.add(sopClass)
        if (found.length === 0) return []
      }
    }
  }
  return [...classes]
}

function valuesOf(row: { readonly [tag: string]: unknown }, key: string): string[] {
  const member = row[key]
  if (typeof member !== 'object' || member === null || !('Value' in member) || !Array.isArray(member.Value)) return []
  return member.Value.filter((value) => typeof value === 'string')
}

/**
 * C-GET: what is wanted comes back on the same association. The classes are asked for first, because each needs
 * presentation contexts.
 * @param take serves one C-STORE request, answer included
 * @throws DimseError, ArchiveError 'peer.refused', 'request.not-found' when the peer has none of it
 */
export async function getFrom(
  connector: Connector,
  peer: Peer,
  wanted: Wanted,
  take: (message: IncomingMessage, association: Association) => Promise<void>,
  progress: (counts: RetrieveCounts) => void,
  signal: AbortSignal,
): Promise<RetrieveEnd> {
  const classes = await classesOf(connector, peer, wanted, signal)
  let sum: RetrieveEnd = { remaining: 0, completed: 0, failed: 0, warning: 0, status: STATUS.success }
  const groups = classes.length === 0 ? proposals(usualClasses(), [UNCOMPRESSED]) : proposals(classes, OBJECT_SYNTAXES)
  let total = 0
  for (const group of groups) {
    const association = await connector.connect(peer, {
      contexts: group.contexts,
      roles: group.classes.map((sopClass) => ({ sopClass, scu: false, scp: true })),
      signal,
    })
    const serving = serve(association, take)
    serving.catch(() => undefined) // awaited below; until then a failure must not count as unhandled
    let end: RetrieveEnd
    try {
      end = await follow(association, 'get', wanted, {}, progress, signal)
    } finally {
      await association.release()
      await serving
    }
    // With several associations each cannot send the classes of the others: what came is what counts.
    total = Math.max(total, end.completed + end.warning + end.failed)
    const completed = sum.completed + end.completed
    const warning = sum.warning + end.warning
    sum = { remaining: 0, completed, warning, failed: Math.max(0, total - completed - warning), status: end.status }
  }
  if (sum.failed === 0 && sum.status === STATUS.subOperationFailures) return { ...sum, status: STATUS.success }
  return sum
}

async function serve(
  association: Association,
  take: (message: IncomingMessage, association: Association) => Promise<void>,
): Promise<void> {
  for await (const message of association.messages()) {
    if (message.command.commandField === COMMAND.C_STORE_RQ) await take(message, association)
    else await message.drain()
  }
}
