import type { OwnCommand } from '../command.ts'
import { lockDataDirectory } from '../data-lock.ts'

export const rebuildIndexCommand: OwnCommand = {
  runs: 'here',
  name: 'rebuild-index',
  summary: 'Make the index anew from segments and journal alone',
  operands: '',
  flags: {},
  operandCount: [0, 0],
  more: 'The archive must be stopped. The old index stays beside the new one under another name.',
  async run(dataDirectory, _given, emit, signal) {
    const started = performance.now()
    const lock = lockDataDirectory(dataDirectory)
    try {
      const { rebuildArchive } = await import('../../app-maintenance.ts')
      const report = await rebuildArchive(lock.dataDirectory, {
        signal,
        onFinding: (finding) => {
          void emit({ json: finding, text: `damaged  ${finding.segment}:${finding.offset} ${finding.detail}` })
        },
        onProgress: ({ objects, bytes }) => {
          const seconds = (performance.now() - started) / 1000
          void emit({ progress: { done: objects, bytes, seconds, counts: {} } })
        },
      })
      const { objects, deleted, damaged, seconds, old } = report
      await emit({
        json: { summary: report },
        text: `${objects} objects, ${deleted} deleted ones, ${damaged} damaged in ${seconds} s`,
        ...(old === null ? {} : { note: `The old index is ${old}` }),
      })
      return damaged === 0 ? 0 : 2
    } finally {
      lock.release()
    }
  },
}
