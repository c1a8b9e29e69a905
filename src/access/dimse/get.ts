import type { ArchiveReader } from '#model/archive-index.ts'
import type { StoredInstance } from '#model/archive-object.ts'
import type { DimseService, DimseSession } from '#model/dimse-service.ts'
import type { IncomingMessage } from '#standards/dimse/association.ts'
import { COMMAND, type CommandSet } from '#standards/dimse/command-set.ts'
import { identifierSyntax, readMessage } from './identifier.ts'
import { answerExtended, negotiated, queryModel } from './query-models.ts'
import { DimseRefusal, STATUS } from './refusal.ts'
import { answering } from './respond.ts'
import { pendingTeller, sendFinal } from './retrieve-answer.ts'
import type { InstanceData } from './retrieve-data.ts'
import { contextFor, runSubOperations, storeContexts, storeWindow } from './retrieve-run.ts'
import { readRetrieve, survey } from './retrieve-scope.ts'

export interface GetOptions {
  readonly reader: Pick<ArchiveReader, 'search' | 'instance' | 'instances' | 'find'>
  readonly data: InstanceData
  readonly identifierBytesMax: number
  readonly failed: (instance: StoredInstance, why: string) => void
}

/** C-GET of both information models: store operations come back on the same association. PS3.4 section C.4.3. */
export function getService(options: GetOptions): DimseService {
  return {
    standard: 'PS3.4 section C.4.3, C-GET SCP: Patient Root and Study Root',
    needs: 'get',
    serves: (sopClassUID) => queryModel(sopClassUID)?.operation === 'get',
    transferSyntax: (_sopClassUID, proposed) => identifierSyntax(proposed),
    extended: answerExtended,
    handle(message, session) {
      const { context, command } = message
      const response: CommandSet = {
        commandField: COMMAND.C_GET_RSP,
        affectedSOPClassUID: context.abstractSyntax,
        messageIdBeingRespondedTo: command.messageId ?? 0,
      }
      return answering(message, session, response, () => get(options, message, session, response))
    },
  }
}

async function get(
  { reader, data, identifierBytesMax, failed }: GetOptions,
  message: IncomingMessage,
  session: DimseSession,
  response: CommandSet,
): Promise<void> {
  const { context, command } = message
  const { association, caller, signal } = session
  const model = queryModel(context.abstractSyntax)
  if (model === undefined) throw new DimseRefusal(STATUS.noSuchSopClass, 'SOP class not supported')
  const cancelled = AbortSignal.any([session.cancelled(command.messageId ?? 0), signal])
  const dataSet = await readMessage(message, identifierBytesMax)
  const { relational } = negotiated(association.extended.get(context.abstractSyntax))
  const request = readRetrieve(dataSet, model, relational)
  const found = await survey(request, reader, caller.visibility)
  for (const [studyInstanceUID, count] of found.studies) {
    await session.audit('read', { studyInstanceUID, count, detail: `C-GET ${request.level}` })
  }
  const contexts = storeContexts(association)
  const outcome = await runSubOperations({
    count: found.count,
    instances: found.instances(),
    data,
    window: storeWindow(association),
    cancelled,
    priority: command.priority ?? 0,
    async way(instance) {
      const accepted = contextFor(contexts, instance)
      return accepted === undefined ? undefined : { association, context: accepted }
    },
    progress: pendingTeller(message, session, response),
    failed,
  })
  await sendFinal(message, session, response, outcome)
}
