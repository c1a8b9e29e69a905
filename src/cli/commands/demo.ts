import { importDemo } from '#arrival/demo-import.ts'
import type { ArchiveCommand } from '../command.ts'

export const demoCommand: ArchiveCommand = {
  runs: 'in-owner',
  name: 'demo',
  summary: 'Load a small synthetic patient',
  operands: '',
  flags: {},
  operandCount: [0, 0],
  more: 'One of its files is held on purpose, so that there is something to decide.',
  async run({ intake }, _given, emit, signal) {
    const lines = importDemo(intake, null)
    for (let next = await lines.next(); !signal.aborted; next = await lines.next()) {
      if (next.done) {
        const { stored, duplicates, quarantined } = next.value
        const known = duplicates > 0 ? `, ${duplicates} already there` : ''
        await emit({
          json: { summary: next.value },
          text: `${stored} objects stored${known}, ${quarantined} held on purpose`,
        })
        return stored + duplicates > 0 ? 0 : 2
      }
      const { line } = next.value
      await emit({ json: line, text: `${line.verdict.padEnd(10)} ${line.path}  ${line.reason}` })
    }
    return 1
  },
}
