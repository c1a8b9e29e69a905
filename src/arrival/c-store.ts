/** The C-STORE door: data sets as they come, in any transfer syntax. PS3.4 annex B. */
import type { Arrival, ArrivedBytes } from '#model/arrival.ts'
import type { DimseCaller, DimseService, DimseSession } from '#model/dimse-service.ts'
import type { Intake } from '#model/intake.ts'
import { transferSyntax } from '#standards/dicom/transfer-syntax.ts'
import { isPrivateSopClass, isUnknownStandardStorageClass, SOP_CLASS, storageClass } from '#standards/dicom/uids.ts'
import { buildHead } from '#standards/dicom/write.ts'
import type { IncomingMessage } from '#standards/dimse/association.ts'
import { COMMAND } from '#standards/dimse/command-set.ts'
import { DimseError } from '#standards/dimse/dimse-error.ts'
import type { SpoolOptions } from '#storage/spool.ts'
import { faultAnswer, STORE_STATUS, type StoreAnswer, storeAnswer } from './c-store-answer.ts'
import { DataSetBuffer } from './c-store-buffer.ts'
import { FairSlots, MemoryBudget } from './c-store-fair.ts'

/** What the site says of objects nobody knows. */
export interface StorePolicy {
  readonly unknownSopClasses: 'keep' | 'reject'
  readonly unknownTransferSyntaxes: 'keep' | 'reject'
}

export interface StoreServices {
  readonly intake: Intake
  readonly spoolDirectory: string
  readonly spool: Pick<SpoolOptions, 'bytesMax' | 'reserveBytes'>
  policy(): StorePolicy
  /** Name of the registered originator a caller is, or null. */
  originatorOf(caller: DimseCaller): string | null
  /** Told of failures that nobody planned; the sender only hears "processing failed". */
  report(error: unknown): void
}

/** Data sets in memory: those that come, and those that are not answered yet. */
const MEMORY_MAX = 96 * 1024 * 1024
const MEMORY_PER_PEER_MAX = 72 * 1024 * 1024
/** Files being written at once; each has 4 MiB of blocks. */
const SPOOLS_MAX = 16
const SPOOLS_PER_PEER_MAX = 12
/** Arrivals in the walk at once. Enough for a whole commit group, too few to keep another peer waiting. */
const WALKS_MAX = 64
const WALKS_PER_PEER_MAX = 48
/** A refused data set is read this far, so that its sender comes to read the answer; then the association ends. */
const DRAIN_BYTES_MAX = 256 * 1024 * 1024

const UID = /^[0-9.]{1,64}$/

/** True for every class whose instances are stored, unknown and private ones when the site keeps those. */
export function isStorageClass(sopClassUID: string, policy: StorePolicy): boolean {
  if (sopClassUID === SOP_CLASS.mediaDirectory || !UID.test(sopClassUID)) return false
  if (storageClass(sopClassUID) !== undefined) return true
  if (policy.unknownSopClasses === 'reject') return false
  return isPrivateSopClass(sopClassUID) || isUnknownStandardStorageClass(sopClassUID)
}

/** Storage Service Class as SCP. */
export function storeService(services: StoreServices): DimseService {
  const tools = {
    spoolDirectory: services.spoolDirectory,
    spool: services.spool,
    budget: new MemoryBudget(MEMORY_MAX, MEMORY_PER_PEER_MAX),
    spools: new FairSlots(SPOOLS_MAX, SPOOLS_PER_PEER_MAX),
  }
  const walks = new FairSlots(WALKS_MAX, WALKS_PER_PEER_MAX)

  async function take(message: IncomingMessage, session: DimseSession): Promise<StoreAnswer> {
    const refused = refusal(message, session)
    if (refused !== null || message.dataSet === null) {
      await drained(message, session)
      return refused ?? { status: STORE_STATUS.cannotUnderstand, errorComment: 'no data set' }
    }
    const { caller, signal } = session
    const claims = claimsOf(message)
    const head = { ...claims, transferSyntaxUID: message.context.transferSyntax }
    const buffer = new DataSetBuffer(tools, {
      peer: keyOf(caller),
      signal,
      headBytes: buildHead(head).byteLength,
    })
    let bytes: ArrivedBytes
    try {
      for await (const fragment of message.dataSet) {
        const written = buffer.write(fragment)
        if (written !== undefined) await written
      }
      bytes = await buffer.finish()
    } catch (error) {
      await buffer.discard()
      if (error instanceof DimseError || signal.aborted) throw error
      await drained(message, session)
      return fault(error)
    }
    try {
      const leave = await walks.enter(keyOf(caller), signal)
      try {
        return storeAnswer(await services.intake.receive({ provenance: provenanceOf(message, session), claims, bytes }))
      } finally {
        leave()
      }
    } catch (error) {
      if (signal.aborted) throw error
      return fault(error)
    } finally {
      buffer.release()
    }
  }

  function fault(error: unknown): StoreAnswer {
    const answer = faultAnswer(error)
    if (answer.status === STORE_STATUS.processingFailure) services.report(error)
    return answer
  }

  function provenanceOf(message: IncomingMessage, { caller }: DimseSession): Arrival['provenance'] {
    return {
      door: 'dimse',
      peer: caller.aeTitle,
      originator: services.originatorOf(caller),
      user: null,
      address: caller.address,
      medium: null,
      path: null,
      time: new Date().toISOString(),
      dataSetIn: message.context.transferSyntax,
    }
  }

  return {
    standard: 'PS3.4 annex B, Storage Service Class (SCP)',
    needs: 'store',
    reversible: true,
    serves: (sopClassUID) => isStorageClass(sopClassUID, services.policy()),
    transferSyntax(_sopClassUID, proposed) {
      const any = services.policy().unknownTransferSyntaxes === 'keep'
      return proposed.find((uid) => UID.test(uid) && (any || transferSyntax(uid) !== undefined))
    },
    async handle(message, session) {
      const { affectedSOPClassUID, affectedSOPInstanceUID, messageId = 0 } = message.command
      const answer = await take(message, session)
      await session.association.send(message.context.id, {
        commandField: COMMAND.C_STORE_RSP,
        messageIdBeingRespondedTo: messageId,
        ...(affectedSOPClassUID === undefined ? {} : { affectedSOPClassUID }),
        ...(affectedSOPInstanceUID === undefined ? {} : { affectedSOPInstanceUID }),
        ...answer,
      })
    },
  }
}

/** What can be told from the command alone. PS3.7 section 9.1.1.1. */
function refusal({ command, context }: IncomingMessage, { caller }: DimseSession): StoreAnswer | null {
  const { commandField, affectedSOPClassUID, affectedSOPInstanceUID } = command
  if (commandField !== COMMAND.C_STORE_RQ) {
    return { status: STORE_STATUS.unrecognisedOperation, errorComment: 'this context takes C-STORE only' }
  }
  if (caller.peer !== null && !caller.peer.allow.includes('store')) {
    return { status: STORE_STATUS.notAuthorised, errorComment: 'not authorised to store' }
  }
  if (affectedSOPClassUID === undefined || affectedSOPClassUID !== context.abstractSyntax) {
    return { status: STORE_STATUS.classNotSupported, errorComment: 'the SOP class is not that of the context' }
  }
  const classes = caller.peer?.sopClasses ?? null
  if (classes !== null && !classes.includes(affectedSOPClassUID)) {
    return { status: STORE_STATUS.classNotSupported, errorComment: 'the SOP class is not one this peer may store' }
  }
  if (affectedSOPInstanceUID === undefined || !UID.test(affectedSOPInstanceUID)) {
    return { status: STORE_STATUS.invalidInstance, errorComment: 'the SOP Instance UID is no UID' }
  }
  return null
}

function claimsOf({ command, context }: IncomingMessage): {
  sopClassUID: string
  sopInstanceUID: string
  transferSyntaxUID: string
} {
  const { affectedSOPClassUID = '', affectedSOPInstanceUID = '' } = command
  return {
    sopClassUID: affectedSOPClassUID,
    sopInstanceUID: affectedSOPInstanceUID,
    transferSyntaxUID: context.transferSyntax,
  }
}

/** Reads what is left of a data set nobody wants. */
async function drained(message: IncomingMessage, { association }: DimseSession): Promise<void> {
  if (message.dataSet === null) return
  let bytes = 0
  for await (const fragment of message.dataSet) {
    bytes += fragment.byteLength
    if (bytes <= DRAIN_BYTES_MAX) continue
    association.abort('a refused data set that does not end')
    return
  }
}

/** Whose quota it is: a registered peer's; all strangers together are one. */
function keyOf({ peer }: DimseCaller): string {
  return peer === null ? '' : peer.aeTitle
}
