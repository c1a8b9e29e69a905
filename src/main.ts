/** The command line: finds the command, parses its flags, runs it, and turns the outcome into an exit status. */
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { ArchiveError } from '#errors.ts'
import { loadWriter } from './app-start.ts'
import { helpOf, helpOfAll, parseCommandLine } from './cli/arguments.ts'
import { type Command, type ExitStatus, type Given, isSet, text, UsageError } from './cli/command.ts'
import { Terminal } from './cli/terminal.ts'

/** Runs one command line and ends the process with its exit status. contract.md, Commands. */
export async function main(argv: readonly string[]): Promise<void> {
  process.exitCode = await run(argv)
}

async function run(argv: readonly string[]): Promise<ExitStatus> {
  const [name, ...rest] = argv
  // The server answers sooner when it does not load what only other commands need.
  if (name === 'serve') {
    loadWriter()
    return start((await import('./cli/commands/serve.ts')).serveCommand, rest)
  }
  const { commands } = await import('./cli/commands.ts')
  if (name === undefined || name === '--help' || name === '-h' || name === 'help') {
    process.stdout.write(`${helpOfAll(commands, version())}\n`)
    return name === undefined ? 1 : 0
  }
  if (name === '--version' || name === '-v') {
    process.stdout.write(`${version()}\n`)
    return 0
  }
  const command = commands.find((each) => each.name === name)
  if (command === undefined) {
    process.stderr.write(`diptych: there is no command ${name}. diptych --help lists them.\n`)
    return 1
  }
  return start(command, rest)
}

async function start(command: Command, rest: readonly string[]): Promise<ExitStatus> {
  let given: Given
  try {
    given = parseCommandLine(command, rest, process.cwd())
  } catch (error) {
    return tell(command, error, rest.includes('--json'))
  }
  if (isSet(given, 'help')) {
    process.stdout.write(`${helpOf(command)}\n`)
    return 0
  }
  return execute(command, given)
}

async function execute(command: Command, given: Given): Promise<ExitStatus> {
  const json = isSet(given, 'json')
  const terminal = new Terminal(json)
  const stop = new AbortController()
  const interrupt = (): void => {
    if (stop.signal.aborted) process.exit(130) // asked twice: at once
    stop.abort()
  }
  process.on('SIGINT', interrupt)
  process.on('SIGTERM', interrupt)
  let passing: string | undefined
  try {
    const data = resolve(text(given, 'data') ?? 'data')
    if (command.runs === 'here') return await command.run(data, given, terminal.emit, stop.signal)
    if (command.keepsNothing === true && !existsSync(data)) passing = mkdtempSync(join(tmpdir(), 'diptych-'))
    const [{ archiveCommands }, { runInOwner }] = await Promise.all([
      import('./cli/commands.ts'),
      import('./cli/owner.ts'),
    ])
    return await runInOwner(command, passing ?? data, given, terminal.emit, stop.signal, archiveCommands)
  } catch (error) {
    terminal.end()
    return tell(command, error, json)
  } finally {
    if (passing !== undefined) rmSync(passing, { recursive: true, force: true })
    terminal.end()
    process.off('SIGINT', interrupt)
    process.off('SIGTERM', interrupt)
  }
}

/** Says why a command could not run. A fault of ours is told with its stack, so that it can be reported. */
function tell(command: Command, error: unknown, json: boolean): ExitStatus {
  const code = error instanceof ArchiveError ? error.code : error instanceof UsageError ? 'usage' : 'failed'
  const message = error instanceof Error ? error.message : String(error)
  const hint = error instanceof ArchiveError ? error.hint : undefined
  if (json) process.stdout.write(`${JSON.stringify({ error: code, detail: message, hint: hint ?? null })}\n`)
  process.stderr.write(`diptych ${command.name}: ${message}\n`)
  if (hint !== undefined) process.stderr.write(`${hint}\n`)
  if (error instanceof UsageError) process.stderr.write(`diptych ${command.name} --help tells the flags.\n`)
  if (code === 'failed' && error instanceof Error && error.stack !== undefined) {
    process.stderr.write(`${error.stack}\n`)
  }
  return 1
}

function version(): string {
  const described: unknown = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'))
  return (described as { readonly version: string }).version
}

if (import.meta.main) await main(process.argv.slice(2))
