import type { DimseService } from '#model/dimse-service.ts'
import { pendingTeller, sendFinal } from './retrieve-answer.ts'
import { contextFor, runSubOperations, storeContexts, storeWindow } from './retrieve-run.ts'
import { survey } from './retrieve-scope.ts'
import { type Retrieval, type RetrieveOptions, retrieveService } from './retrieve-service.ts'

/** C-GET of both information models: store operations come back on the same association. PS3.4 section C.4.3. */
export function getService(options: RetrieveOptions): DimseService {
  return retrieveService('get', options, (retrieval) => get(options, retrieval))
}

async function get(
  { reader, data, failed }: RetrieveOptions,
  { message, session, response, request, cancelled }: Retrieval,
): Promise<void> {
  const { association, caller } = session
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
    priority: message.command.priority ?? 0,
    async way(instance) {
      const accepted = contextFor(contexts, instance)
      return accepted === undefined ? undefined : { association, context: accepted }
    },
    progress: pendingTeller(message, session, response),
    failed,
  })
  await sendFinal(message, session, response, outcome)
}
