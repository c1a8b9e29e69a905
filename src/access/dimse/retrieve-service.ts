import type { ArchiveReader } from '#model/archive-index.ts'
import type { StoredInstance } from '#model/archive-object.ts'
import type { DimseService, DimseSession } from '#model/dimse-service.ts'
import type { IncomingMessage } from '#standards/dimse/association.ts'
import { COMMAND, type CommandSet } from '#standards/dimse/command-set.ts'
import { identifierSyntax, readMessage } from './identifier.ts'
import { answerExtended, negotiated, queryModel } from './query-models.ts'
import { DimseRefusal, STATUS } from './refusal.ts'
import { answering } from './respond.ts'
import type { InstanceData } from './retrieve-data.ts'
import { type RetrieveRequest, readRetrieve } from './retrieve-scope.ts'

/** What both ways of retrieving need. */
export interface RetrieveOptions {
  readonly reader: Pick<ArchiveReader, 'search' | 'instance' | 'instances' | 'find'>
  readonly data: InstanceData
  readonly identifierBytesMax: number
  readonly failed: (instance: StoredInstance, why: string) => void
}

/** A retrieval that was understood. */
export interface Retrieval {
  readonly message: IncomingMessage
  readonly session: DimseSession
  readonly response: CommandSet
  readonly request: RetrieveRequest
  /** Ends when the caller cancels it, or the association does. */
  readonly cancelled: AbortSignal
}

const OPERATIONS = {
  get: { standard: 'PS3.4 section C.4.3, C-GET SCP: Patient Root and Study Root', answer: COMMAND.C_GET_RSP },
  move: { standard: 'PS3.4 section C.4.2, C-MOVE SCP: Patient Root and Study Root', answer: COMMAND.C_MOVE_RSP },
} as const

/** The service of C-GET or C-MOVE for both information models; `run` sends what the request names. */
export function retrieveService(
  operation: keyof typeof OPERATIONS,
  { identifierBytesMax }: Pick<RetrieveOptions, 'identifierBytesMax'>,
  run: (retrieval: Retrieval) => Promise<void>,
): DimseService {
  const { standard, answer } = OPERATIONS[operation]
  return {
    standard,
    needs: operation,
    serves: (sopClassUID) => queryModel(sopClassUID)?.operation === operation,
    transferSyntax: (_sopClassUID, proposed) => identifierSyntax(proposed),
    extended: answerExtended,
    handle(message, session) {
      const { context, command } = message
      const response: CommandSet = {
        commandField: answer,
        affectedSOPClassUID: context.abstractSyntax,
        messageIdBeingRespondedTo: command.messageId ?? 0,
      }
      return answering(message, session, response, async () => {
        const model = queryModel(context.abstractSyntax)
        if (model === undefined) throw new DimseRefusal(STATUS.noSuchSopClass, 'SOP class not supported')
        const cancelled = AbortSignal.any([session.cancelled(command.messageId ?? 0), session.signal])
        const dataSet = await readMessage(message, identifierBytesMax)
        const { relational } = negotiated(session.association.extended.get(context.abstractSyntax))
        const request = readRetrieve(dataSet, model, relational)
        await run({ message, session, response, request, cancelled })
      })
    },
  }
}
