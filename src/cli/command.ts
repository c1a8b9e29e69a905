import type { Archive } from '../app.ts'

/** 0 all done; 2 done, but something was held, refused or damaged; 1 could not run. contract.md, Commands. */
export type ExitStatus = 0 | 1 | 2

/** Something a command tells. With `--json` stdout carries `json` only; otherwise `text`. `note` is for stderr always. */
export interface Line {
  readonly json?: unknown
  readonly text?: string
  readonly note?: string
  readonly progress?: Progress
  /** What the columns of the lines behind it are: for a person at a terminal, never in a pipe. */
  readonly heading?: string
}

/** How far a long command is; shown on a terminal only. */
export interface Progress {
  readonly done: number
  readonly bytes: number
  readonly seconds: number
  /** Named counts in the order they are shown, e.g. stored, held. */
  readonly counts: { readonly [name: string]: number }
}

/** Awaited by commands, so that a slow reader slows the command and not the memory. */
export type Emit = (line: Line) => Promise<void> | void

/** A flag as `--help` shows it. */
export interface Flag {
  readonly type: 'string' | 'boolean'
  readonly multiple?: boolean
  /** Shown after the name, e.g. `DIR`; none for a boolean. */
  readonly value?: string
  readonly about: string
}

/** What stood on the command line. */
export interface Given {
  readonly flags: { readonly [name: string]: string | boolean | readonly string[] | undefined }
  readonly positionals: readonly string[]
  /** Where relative paths start: the folder of whoever typed the command, not of the process that runs it. */
  readonly workingDirectory: string
}

interface Described {
  readonly name: string
  readonly summary: string
  /** What follows the name, e.g. `PATH...`. */
  readonly operands: string
  readonly flags: { readonly [name: string]: Flag }
  /** Shown under the flags. */
  readonly more?: string
  /** Smallest and largest number of operands. */
  readonly operandCount: readonly [least: number, most: number]
}

/** Runs in the process that owns the data directory: this one, or the one that is reached through its socket. */
export interface ArchiveCommand extends Described {
  readonly runs: 'in-owner'
  /** It is about what is kept: a data directory that is not there is a mistyped one, not an empty archive. */
  readonly needsData?: true
  /** It keeps nothing: without a data directory it runs over an empty one that is gone afterwards. */
  readonly keepsNothing?: true
  run(archive: Archive, given: Given, emit: Emit, signal: AbortSignal): Promise<ExitStatus>
}

/** Runs in the process that was started. */
export interface OwnCommand extends Described {
  readonly runs: 'here'
  run(dataDirectory: string, given: Given, emit: Emit, signal: AbortSignal): Promise<ExitStatus>
}

export type Command = ArchiveCommand | OwnCommand

/** A mistake on the command line: told with the way to help, exit status 1. */
export class UsageError extends Error {
  override readonly name = 'UsageError'
}

/** A string flag, or undefined when it was not given. */
export function text(given: Given, flag: string): string | undefined {
  const value = given.flags[flag]
  return typeof value === 'string' ? value : undefined
}

/** @throws UsageError when the flag is missing */
export function needed(given: Given, flag: string): string {
  const value = text(given, flag)
  if (value === undefined || value === '') throw new UsageError(`--${flag} is needed`)
  return value
}

export function texts(given: Given, flag: string): readonly string[] {
  const value = given.flags[flag]
  return Array.isArray(value) ? value : typeof value === 'string' ? [value] : []
}

export function isSet(given: Given, flag: string): boolean {
  return given.flags[flag] === true
}

/** @throws UsageError when it is not a whole number of at least `least` */
export function wholeNumber(given: Given, flag: string, fallback: number, least = 0): number {
  const value = text(given, flag)
  if (value === undefined) return fallback
  if (!/^\d{1,12}$/.test(value) || Number(value) < least) {
    throw new UsageError(`--${flag} wants a whole number of at least ${least}, not ${value}`)
  }
  return Number(value)
}

/** Takes the first operand as the name of what to do. */
export function action<T extends string>(given: Given, actions: readonly T[]): T {
  const [name] = given.positionals
  const found = actions.find((each) => each === name)
  if (found === undefined) throw new UsageError(`expected one of: ${actions.join(', ')}`)
  return found
}

/** @throws UsageError when the operand is missing */
export function operand(given: Given, index: number, what: string): string {
  const value = given.positionals[index]
  if (value === undefined || value === '') throw new UsageError(`${what} is missing`)
  return value
}
