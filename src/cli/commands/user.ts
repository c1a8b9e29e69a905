import { newSecret } from '#security/secrets.ts'
import { type ArchiveCommand, action, isSet, operand, text } from '../command.ts'
import { roleOf } from './token.ts'

export const userCommand: ArchiveCommand = {
  runs: 'in-owner',
  name: 'user',
  summary: 'Accounts of people',
  operands: 'add NAME | list | change NAME | disable NAME | enable NAME | password NAME',
  flags: {
    role: { type: 'string', value: 'ROLE', about: 'for add and change' },
    'display-name': { type: 'string', value: 'NAME', about: 'name shown to others' },
    password: {
      type: 'string',
      value: 'TEXT',
      about: 'seen by who can list processes: better leave it out, then one is made and printed once',
    },
    generate: { type: 'boolean', about: 'make a password and print it once (the default without --password)' },
  },
  operandCount: [1, 2],
  async run({ accounts }, given, emit) {
    const what = action(given, ['add', 'list', 'change', 'disable', 'enable', 'password'])
    if (what === 'list') {
      for (const account of accounts.list()) {
        const { name, role, disabled, displayName } = account
        await emit({
          json: account,
          text: `${name.padEnd(20)} ${role.padEnd(13)} ${disabled ? 'disabled' : 'active'}  ${displayName}`,
        })
      }
      return 0
    }
    const name = operand(given, 1, 'the name of the account')
    const chosen = isSet(given, 'generate') ? undefined : text(given, 'password')
    const displayName = text(given, 'display-name')
    const shown = displayName === undefined ? {} : { displayName }
    if (what === 'add' || what === 'password') {
      const password = chosen ?? newSecret().slice(0, 24)
      const account =
        what === 'add'
          ? await accounts.create({ name, password, role: roleOf(given), ...shown }, 'local', null)
          : await accounts.change(name, { password }, 'local', null)
      const made = chosen === undefined ? { password } : {}
      await emit({
        json: { ...account, ...made },
        text: chosen === undefined ? `${account.name} ${password}` : account.name,
      })
      return 0
    }
    const change =
      what === 'change'
        ? { ...shown, ...(text(given, 'role') === undefined ? {} : { role: roleOf(given) }) }
        : { disabled: what === 'disable' }
    const account = await accounts.change(name, change, 'local', null)
    await emit({ json: account, text: `${account.name} ${account.role} ${account.disabled ? 'disabled' : 'active'}` })
    return 0
  },
}
