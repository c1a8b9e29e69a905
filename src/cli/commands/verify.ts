import { type ArchiveCommand, isSet } from '../command.ts'

/** Reads everything kept and compares it with its digests and with the index, both ways. */
export const verifyCommand: ArchiveCommand = {
  runs: 'in-owner',
  name: 'verify',
  summary: 'Read everything kept and compare it with its digests',
  operands: '',
  flags: { quiet: { type: 'boolean', about: 'the summary only' } },
  operandCount: [0, 0],
  more: 'Changes nothing; may run beside a server. Exit 2 when something is damaged, missing or an orphan.',
  async run({ maintenance }, given, emit, signal) {
    const began = performance.now()
    const told: (void | Promise<void>)[] = []
    const summary = await maintenance.verify({
      signal,
      onFinding(finding) {
        if (isSet(given, 'quiet')) return
        const where = `${finding.segment}:${finding.offset}`
        told.push(
          emit({
            json: finding,
            text: `${finding.is.padEnd(8)} ${where}  ${finding.sopInstanceUid ?? ''}  ${finding.detail}`,
          }),
        )
      },
      onProgress({ bytes, objects }) {
        const seconds = (performance.now() - began) / 1000
        told.push(emit({ progress: { done: objects, bytes, seconds, counts: {} } }))
      },
    })
    await Promise.all(told)
    const { objects, damaged, missing, orphans, journal, seconds } = summary
    await emit({
      json: { summary },
      text: `${objects} objects, ${journal} decisions read in ${seconds.toFixed(1)} s: ${damaged} damaged, ${missing} missing, ${orphans} orphans`,
    })
    return damaged + missing + orphans === 0 ? 0 : 2
  },
}
