import type { ArchiveCommand } from '../command.ts'

export const verifyCommand: ArchiveCommand = {
  runs: 'in-owner',
  needsData: true,
  name: 'verify',
  summary: 'Read everything kept and compare it with its digests and the index',
  operands: '',
  flags: {},
  operandCount: [0, 0],
  more: 'Changes nothing. May run beside a server.',
  async run({ maintenance }, _given, emit, signal) {
    const started = performance.now()
    const told: (Promise<void> | void)[] = []
    const summary = await maintenance.verify({
      signal,
      onFinding(finding) {
        const { is, sopInstanceUid, segment, offset, detail } = finding
        told.push(
          emit({ json: finding, text: `${is.padEnd(8)} ${segment}:${offset} ${sopInstanceUid ?? ''} ${detail}` }),
        )
      },
      onProgress({ objects, bytes }) {
        const seconds = (performance.now() - started) / 1000
        told.push(emit({ progress: { done: objects, bytes, seconds, counts: {} } }))
      },
    })
    await Promise.all(told)
    const { objects, damaged, missing, orphans, journal, seconds } = summary
    const bad = damaged + missing + orphans
    await emit({
      json: { summary: { objects, damaged, missing, orphans, journal, seconds } },
      text:
        `${objects} objects and ${journal} journal entries read in ${seconds} s: ` +
        (bad === 0 ? 'all as they were kept' : `${damaged} damaged, ${missing} missing, ${orphans} orphans`),
    })
    return bad === 0 ? 0 : 2
  },
}
