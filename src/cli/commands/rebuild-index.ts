import { isSet, type OwnCommand } from '../command.ts'
import { lockDataDirectory } from '../data-lock.ts'

const NOT_REPLACED =
  'The index is as it was: part of what it names is not in storage. Bring the missing segments back, or repeat with --accept-loss.'

export const rebuildIndexCommand: OwnCommand = {
  runs: 'here',
  name: 'rebuild-index',
  summary: 'Make the index anew from segments and journal alone',
  operands: '',
  flags: {
    'accept-loss': { type: 'boolean', about: 'go on although objects of the old index are nowhere in storage' },
  },
  operandCount: [0, 0],
  more: `The archive must be stopped. The old index stays beside the new one under another name. What it promised and
storage has not is listed; then nothing is replaced unless that loss is accepted, which journal and audit trail keep.`,
  async run(dataDirectory, given, emit, signal) {
    const started = performance.now()
    const lock = lockDataDirectory(dataDirectory)
    try {
      const { rebuildArchive } = await import('../../app-maintenance.ts')
      const report = await rebuildArchive(lock.dataDirectory, {
        signal,
        acceptLoss: isSet(given, 'accept-loss'),
        onLost: ({ objectId, sopInstanceUID, studyInstanceUID, patient }) => {
          void emit({
            json: { is: 'lost', objectId, sopInstanceUid: sopInstanceUID, studyInstanceUid: studyInstanceUID, patient },
            text: `lost     ${sopInstanceUID} of study ${studyInstanceUID ?? 'none'}, patient ${patient.id} (${patient.issuer})`,
          })
        },
        onFinding: (finding) => {
          void emit({ json: finding, text: `damaged  ${finding.segment}:${finding.offset} ${finding.detail}` })
        },
        onProgress: ({ objects, bytes }) => {
          const seconds = (performance.now() - started) / 1000
          void emit({ progress: { done: objects, bytes, seconds, counts: {} } })
        },
      })
      const { objects, deleted, damaged, seconds, old, lost, replaced } = report
      const losses =
        lost === null ? '' : `; lost: ${lost.objects} objects, ${lost.decisions} decisions, ${lost.messages} messages`
      await emit({
        json: { summary: report },
        text: `${objects} objects, ${deleted} deleted ones, ${damaged} damaged${losses} in ${seconds} s`,
        ...(replaced ? {} : { note: NOT_REPLACED }),
        ...(old === null ? {} : { note: `The old index is ${old}` }),
      })
      return damaged === 0 && (lost === null || lost.objects + lost.decisions + lost.messages === 0) ? 0 : 2
    } finally {
      lock.release()
    }
  },
}
