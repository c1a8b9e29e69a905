import type { OwnCommand } from '../command.ts'

/** Commands of the contract that this version does not have yet; each says so instead of being unknown. */
const LATER: { readonly [name: string]: string } = {
  probe: 'Ask another system what it can do',
  conformance: 'Print the conformance statement',
  migrate: 'Take over another archive',
  bench: 'Measure this installation',
}

export const laterCommands: readonly OwnCommand[] = Object.entries(LATER).map(([name, summary]) => ({
  runs: 'here',
  name,
  summary: `${summary} (not in this version)`,
  operands: '',
  flags: {},
  operandCount: [0, Number.POSITIVE_INFINITY],
  async run(_dataDirectory, _given, emit) {
    await emit({
      json: { error: 'not-in-this-version', command: name },
      note: `diptych ${name} is not in this version.`,
    })
    return 1
  },
}))
