import type { OwnCommand } from '../command.ts'
import { lockDataDirectory } from '../data-lock.ts'

/** Makes the index anew from segments and journal. */
export const rebuildIndexCommand: OwnCommand = {
  runs: 'here',
  name: 'rebuild-index',
  summary: 'Make the index anew from what is stored',
  operands: '',
  flags: {},
  operandCount: [0, 0],
  more: 'The server must not run. The old database stays beside the new one; accounts, audit and the quarantine register are taken over from it.',
  async run(dataDirectory, _given, emit, signal) {
    const lock = lockDataDirectory(dataDirectory)
    try {
      const { rebuildArchive } = await import('../../app-maintenance.ts')
      const began = performance.now()
      const told: (void | Promise<void>)[] = []
      const report = await rebuildArchive(lock.dataDirectory, {
        signal,
        onFinding: (finding) =>
          void told.push(emit({ json: finding, text: `${finding.segment}:${finding.offset}  ${finding.detail}` })),
        onProgress({ objects, bytes }) {
          const seconds = (performance.now() - began) / 1000
          told.push(emit({ progress: { done: objects, bytes, seconds, counts: {} } }))
        },
      })
      await Promise.all(told)
      await emit({
        json: { summary: report },
        text: [
          `${report.objects} objects and ${report.journal} decisions brought back in ${report.seconds.toFixed(1)} s, ${report.damaged} damaged.`,
          `Taken over from the old database: ${report.takenOver.join(', ') || 'nothing'}.`,
          report.old === null ? '' : `The old database stays at ${report.old}.`,
        ]
          .filter((line) => line !== '')
          .join('\n'),
      })
      return report.damaged === 0 ? 0 : 2
    } finally {
      lock.release()
    }
  },
}
