import type { ArchiveCommand, Command } from './command.ts'
import { auditCommand } from './commands/audit.ts'
import { backupCommand, restoreCommand } from './commands/backup.ts'
import { captureLinkCommand } from './commands/capture-link.ts'
import { deleteCommand } from './commands/delete.ts'
import { deliveryCommand } from './commands/delivery.ts'
import { demoCommand } from './commands/demo.ts'
import { documentCommand } from './commands/document.ts'
import { exportCommand } from './commands/export.ts'
import { importCommand, screenCommand } from './commands/import.ts'
import { importWorklistCommand } from './commands/import-worklist.ts'
import { jobsCommand } from './commands/jobs.ts'
import { laterCommands } from './commands/later.ts'
import { messagesCommand } from './commands/messages.ts'
import { originatorCommand } from './commands/originator.ts'
import { patientCommand } from './commands/patient.ts'
import { peerCommand } from './commands/peer.ts'
import { placementCommand } from './commands/placement.ts'
import { quarantineCommand } from './commands/quarantine.ts'
import { rebuildIndexCommand } from './commands/rebuild-index.ts'
import { breakGlassCommand, restrictCommand } from './commands/restrict.ts'
import { serveCommand } from './commands/serve.ts'
import { settingsCommand } from './commands/settings.ts'
import { mendCommand, surveyCommand } from './commands/survey.ts'
import { tokenCommand } from './commands/token.ts'
import { userCommand } from './commands/user.ts'
import { verifyCommand } from './commands/verify.ts'
import { worklistCommand } from './commands/worklist.ts'

/** Commands that the owner of a data directory runs for others too. */
export const archiveCommands: readonly ArchiveCommand[] = [
  importCommand,
  screenCommand,
  exportCommand,
  deleteCommand,
  verifyCommand,
  backupCommand,
  quarantineCommand,
  importWorklistCommand,
  documentCommand,
  placementCommand,
  surveyCommand,
  mendCommand,
  worklistCommand,
  originatorCommand,
  peerCommand,
  patientCommand,
  restrictCommand,
  breakGlassCommand,
  userCommand,
  tokenCommand,
  captureLinkCommand,
  settingsCommand,
  jobsCommand,
  auditCommand,
  messagesCommand,
  deliveryCommand,
  demoCommand,
]

/** Every command, in the order of the help text. */
export const commands: readonly Command[] = [
  serveCommand,
  ...archiveCommands,
  rebuildIndexCommand,
  restoreCommand,
  ...laterCommands,
]
