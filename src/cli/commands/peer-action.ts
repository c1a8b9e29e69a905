import type { ArchiveCommand, Flag } from '../command.ts'

/** One thing `diptych peer` does: its first operand is the name, e.g. `peer add`. */
export interface PeerAction {
  readonly name: string
  /** What follows the name, e.g. `TITLE`. */
  readonly operands: string
  readonly summary: string
  /** Flags of its own; one that two actions share has one meaning. */
  readonly flags: { readonly [name: string]: Flag }
  /** Smallest and largest number of operands, its name not counted. */
  readonly operandCount: readonly [least: number, most: number]
  /** `given.positionals[0]` is its name. */
  readonly run: ArchiveCommand['run']
}
