import { ArchiveError } from '#errors.ts'
import { DimseError } from '#standards/dimse/dimse-error.ts'
import { type ArchiveCommand, action, type Flag, UsageError } from '../command.ts'
import type { PeerAction } from './peer-action.ts'
import { askActions } from './peer-ask.ts'
import { fetchActions } from './peer-fetch.ts'
import { giveActions } from './peer-give.ts'
import { registerActions } from './peer-register.ts'

/** Everything `diptych peer` does, in the order of the help text. */
const ACTIONS: readonly PeerAction[] = [...registerActions, ...askActions, ...fetchActions, ...giveActions]

const flags: { readonly [name: string]: Flag } = Object.assign({}, ...ACTIONS.map((each) => each.flags))

export const peerCommand: ArchiveCommand = {
  runs: 'in-owner',
  name: 'peer',
  summary: 'Application entities (AE titles): register them, and ask them',
  operands: ACTIONS.map(({ name, operands }) => `${name}${operands === '' ? '' : ` ${operands}`}`).join(' | '),
  flags,
  operandCount: [1, 1000],
  more: ACTIONS.map(({ name, summary }) => `${name}: ${summary}.`).join('\n'),
  async run(archive, given, emit, signal) {
    const name = action(
      given,
      ACTIONS.map((each) => each.name),
    )
    const chosen = ACTIONS.find((each) => each.name === name)
    if (chosen === undefined) throw new UsageError(`there is no peer ${name}`)
    const operands = given.positionals.length - 1
    const [least, most] = chosen.operandCount
    if (operands < least) throw new UsageError(`peer ${name}: ${chosen.operands} is missing`)
    if (operands > most) throw new UsageError(`${given.positionals[most + 1] ?? ''} is one operand too many`)
    const foreign = Object.keys(given.flags).find((flag) => flag in flags && !(flag in chosen.flags))
    if (foreign !== undefined) throw new UsageError(`peer ${name} has no flag --${foreign}`)
    try {
      return await chosen.run(archive, given, emit, signal)
    } catch (error) {
      if (!(error instanceof DimseError)) throw error
      const code = error.kind === 'rejected' ? 'peer.refused' : 'peer.unreachable'
      throw new ArchiveError(code, error.message, { cause: error })
    }
  },
}
