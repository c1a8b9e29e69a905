import type { DimseSession } from '#model/dimse-service.ts'
import type { IncomingMessage } from '#standards/dimse/association.ts'
import type { CommandSet } from '#standards/dimse/command-set.ts'
import { DimseError } from '#standards/dimse/dimse-error.ts'
import { refusalFields, refusalOf, STATUS } from './refusal.ts'

/**
 * Runs what a request asks for, which sends its own responses; a failure becomes the final one.
 * @throws what nobody planned, after it was answered; never for an association that ended
 */
export async function answering(
  message: IncomingMessage,
  { association }: DimseSession,
  response: CommandSet,
  work: () => Promise<void>,
): Promise<void> {
  try {
    await work()
  } catch (error) {
    // Nobody is there to be told: the association's end says how it went.
    if (error instanceof DimseError) return
    const refusal = refusalOf(error)
    const fields = refusal === undefined ? UNPLANNED : refusalFields(refusal)
    await message.drain()
    try {
      await association.send(message.context.id, { ...response, ...fields })
    } catch (failure) {
      if (!(failure instanceof DimseError)) throw failure
    }
    if (refusal === undefined) throw error
  }
}

const UNPLANNED = { status: STATUS.unableToProcess, errorComment: 'an error of the archive, which was logged' }
