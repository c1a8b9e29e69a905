import { type ArchiveCommand, action, text, UsageError, wholeNumber } from '../command.ts'

const STATES = ['open', 'waiting', 'leased', 'done', 'parked'] as const

export const jobsCommand: ArchiveCommand = {
  runs: 'in-owner',
  name: 'jobs',
  summary: 'Work in the background',
  operands: 'list',
  flags: {
    state: { type: 'string', value: 'STATE', about: `one of ${STATES.join(', ')}; open is all but done` },
    kind: { type: 'string', value: 'KIND', about: 'only jobs of this kind' },
    limit: { type: 'string', value: 'N', about: 'at most so many (default 100)' },
  },
  operandCount: [0, 1],
  async run({ jobs }, given, emit) {
    if (given.positionals.length > 0) action(given, ['list'])
    const asked = text(given, 'state') ?? 'open'
    const state = STATES.find((each) => each === asked)
    if (state === undefined) throw new UsageError(`--state wants one of: ${STATES.join(', ')}`)
    const kind = text(given, 'kind')
    const { items } = jobs.list({
      state,
      limit: wholeNumber(given, 'limit', 100, 1),
      ...(kind === undefined ? {} : { kind }),
    })
    if (items.length > 0) await emit({ heading: `ID  ${'KIND'.padEnd(16)} ${'STATE'.padEnd(8)} TRIES  SUBJECT  ERROR` })
    for (const job of items) {
      const { id, kind: what, subject, attempts, error } = job
      const failure = error === null ? '' : `  ${error}`
      await emit({
        json: job,
        text: `${id}  ${what.padEnd(16)} ${job.state.padEnd(8)} ${attempts}  ${subject}${failure}`,
      })
    }
    if (items.length === 0) await emit({ note: `No job is ${state}.` })
    return 0
  },
}
