import type { DimseService } from '#model/dimse-service.ts'
import { COMMAND } from '#standards/dimse/command-set.ts'
import { UNCOMPRESSED } from './negotiate.ts'
import { DimseRefusal, refusalFields, STATUS } from './refusal.ts'

const VERIFICATION = '1.2.840.10008.1.1'

/** Are you there? PS3.4 annex A. */
export const echoService: DimseService = {
  standard: 'PS3.4 annex A, Verification Service Class (SCP)',
  needs: 'echo',
  serves: (sopClassUID) => sopClassUID === VERIFICATION,
  transferSyntax: (_sopClassUID, proposed) => proposed.find((uid) => UNCOMPRESSED.includes(uid)),
  async handle(message, { association }) {
    await message.drain()
    const { commandField, messageId = 0 } = message.command
    const answer =
      commandField === COMMAND.C_ECHO_RQ
        ? { status: STATUS.success }
        : refusalFields(new DimseRefusal(STATUS.unrecognisedOperation, 'this context takes C-ECHO only'))
    await association.send(message.context.id, {
      commandField: commandField | 0x8000,
      messageIdBeingRespondedTo: messageId,
      affectedSOPClassUID: VERIFICATION,
      ...answer,
    })
  },
}
