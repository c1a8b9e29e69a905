import { type ArchiveCommand, text, wholeNumber } from '../command.ts'

/** Work that goes on behind the answers. */
export const jobsCommand: ArchiveCommand = {
  runs: 'in-owner',
  name: 'jobs',
  summary: 'See the work that goes on behind the answers',
  operands: '',
  flags: {
    state: { type: 'string', value: 'STATE', about: 'open (default), waiting, leased, done or parked' },
    limit: { type: 'string', value: 'N', about: 'at most so many (default 100)' },
  },
  operandCount: [0, 0],
  async run({ jobs }, given, emit) {
    const state = (['open', 'waiting', 'leased', 'done', 'parked'] as const).find(
      (each) => each === (text(given, 'state') ?? 'open'),
    )
    const { items } = jobs.list({
      limit: wholeNumber(given, 'limit', 100, 1),
      ...(state === undefined ? {} : { state }),
    })
    for (const job of items) {
      await emit({
        json: job,
        text: `${job.id}  ${job.kind}  ${job.subject}  ${job.state}  ${job.attempts} tries  ${job.error ?? ''}`,
      })
    }
    if (items.length === 0) await emit({ note: 'No such job.' })
    return 0
  },
}
