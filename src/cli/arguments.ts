import { parseArgs } from 'node:util'
import { type Command, type Flag, type Given, UsageError } from './command.ts'

/** Flags every command has. */
export const COMMON_FLAGS = {
  data: { type: 'string', value: 'DIR', about: 'data directory (default ./data)' },
  json: { type: 'boolean', about: 'JSON lines on stdout; prose goes to stderr' },
  help: { type: 'boolean', about: 'this text' },
} as const satisfies { readonly [name: string]: Flag }

/**
 * Parses what follows the name of a command.
 * @throws UsageError for unknown flags, missing values and a wrong number of operands
 */
export function parseCommandLine(command: Command, argv: readonly string[], workingDirectory: string): Given {
  const flags: { readonly [name: string]: Flag } = { ...COMMON_FLAGS, ...command.flags }
  const options = Object.fromEntries(
    Object.entries(flags).map(([name, { type, multiple }]) => [name, { type, multiple: multiple ?? false }]),
  )
  let values: Given['flags']
  let positionals: string[]
  try {
    const parsed = parseArgs({ args: [...argv], options, allowPositionals: true, strict: true })
    values = parsed.values as Given['flags'] // the options are known at run time only
    positionals = parsed.positionals
  } catch (error) {
    if (error instanceof TypeError) throw new UsageError(firstSentence(error.message))
    throw error
  }
  const [least, most] = command.operandCount
  if (values['help'] !== true) {
    if (positionals.length < least) throw new UsageError(`${command.operands} is missing`)
    if (positionals.length > most) throw new UsageError(`${positionals[most] ?? ''} is one operand too many`)
  }
  return { flags: { ...values }, positionals, workingDirectory }
}

function firstSentence(message: string): string {
  return message.split('. ')[0] ?? message
}

/** What `diptych COMMAND --help` prints. */
export function helpOf(command: Command): string {
  const usage = `diptych ${command.name}${command.operands === '' ? '' : ` ${command.operands}`} [flags]`
  const flags: { readonly [name: string]: Flag } = { ...command.flags, ...COMMON_FLAGS }
  const rows = Object.entries(flags).map(([name, flag]) => [
    `--${name}${flag.value === undefined ? '' : ` ${flag.value}`}${flag.multiple ? ' ...' : ''}`,
    flag.about,
  ])
  const more = command.more === undefined ? '' : `\n\n${command.more}`
  return `${command.summary}\n\nUsage: ${usage}\n\n${table(rows)}${more}`
}

/** What `diptych --help` prints. */
export function helpOfAll(commands: readonly Command[], version: string): string {
  const rows = commands.map(({ name, summary }) => [name, summary])
  return [
    `Diptych ${version}: one archive for medical images and documents.`,
    '',
    'Usage: diptych COMMAND [operands] [--data DIR] [--json] [--help]',
    '',
    table(rows),
    '',
    'Exit status: 0 all done; 2 done, but something was held, refused or damaged; 1 could not run.',
    'diptych COMMAND --help tells the flags of a command.',
  ].join('\n')
}

function table(rows: readonly (readonly string[])[]): string {
  const width = Math.max(...rows.map(([name]) => name?.length ?? 0)) + 2
  return rows.map(([name = '', about = '']) => `  ${name.padEnd(width)}${about}`).join('\n')
}
