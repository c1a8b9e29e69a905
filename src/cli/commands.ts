import type { ArchiveCommand, Command } from './command.ts'
import { auditCommand } from './commands/audit.ts'
import { demoCommand } from './commands/demo.ts'
import { importCommand, screenCommand } from './commands/import.ts'
import { laterCommands } from './commands/later.ts'
import { originatorCommand } from './commands/originator.ts'
import { quarantineCommand } from './commands/quarantine.ts'
import { serveCommand } from './commands/serve.ts'
import { settingsCommand } from './commands/settings.ts'
import { tokenCommand } from './commands/token.ts'
import { userCommand } from './commands/user.ts'

/** Commands that the owner of a data directory runs for others too. */
export const archiveCommands: readonly ArchiveCommand[] = [
  importCommand,
  screenCommand,
  quarantineCommand,
  originatorCommand,
  userCommand,
  tokenCommand,
  settingsCommand,
  auditCommand,
  demoCommand,
]

/** Every command, in the order of the help text. */
export const commands: readonly Command[] = [serveCommand, ...archiveCommands, ...laterCommands]
