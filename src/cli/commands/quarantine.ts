import { writeFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import { ArchiveError } from '#errors.ts'
import type { QuarantineItem } from '#model/quarantine.ts'
import { type ArchiveCommand, action, needed, operand, text, wholeNumber } from '../command.ts'
import { paged } from '../paged.ts'
import { sizeText } from '../terminal.ts'

const ACTIONS = ['list', 'show', 'release', 'sanitise', 'discard', 'original'] as const

export const quarantineCommand: ArchiveCommand = {
  runs: 'in-owner',
  name: 'quarantine',
  summary: 'See what is held, and decide about it',
  operands: 'list | show ID | release ID | sanitise ID | discard ID | original ID',
  flags: {
    reason: { type: 'string', value: 'TEXT', about: 'why; needed for every decision' },
    state: { type: 'string', value: 'STATE', about: 'held (default), released or discarded' },
    sha256: { type: 'string', value: 'HEX', about: 'only this file' },
    uid: { type: 'string', value: 'UID', about: 'only this SOP Instance UID' },
    limit: { type: 'string', value: 'N', about: 'at most so many (default 100)' },
    out: { type: 'string', value: 'FILE', about: 'original: where to write it; must not exist' },
  },
  more: 'original writes the held file as it arrived into a ZIP with the password "infected", so that nothing opens it by accident.',
  operandCount: [1, 2],
  async run({ quarantine: desk, auditor }, given, emit) {
    const what = action(given, ACTIONS)
    if (what === 'list') {
      const sha256 = text(given, 'sha256')
      const sopInstanceUid = text(given, 'uid')
      const limit = wholeNumber(given, 'limit', 100, 1)
      const state = text(given, 'state') ?? 'held'
      let shown = 0
      const filter = {
        state,
        ...(sha256 === undefined ? {} : { sha256 }),
        ...(sopInstanceUid === undefined ? {} : { sopInstanceUid }),
      }
      for await (const item of paged(limit, (page) => desk.list({ ...filter, ...page }))) {
        if (shown === 0) await emit({ heading: HEADING })
        await emit({ json: item, text: shortText(item) })
        shown += 1
      }
      if (shown === 0) await emit({ note: `Nothing is ${state}.` })
      return 0
    }
    const id = operand(given, 1, 'the quarantine number')
    if (what === 'show') {
      const item = await desk.item(id)
      if (item === undefined) throw new ArchiveError('request.not-found', `nothing is held under ${id}`)
      await emit({ json: item, text: longText(item) })
      return 0
    }
    if (what === 'original') {
      const out = resolve(given.workingDirectory, needed(given, 'out'))
      const container = await desk.original(id)
      await writeNew(out, container)
      await auditor.note('local', { kind: 'export', detail: `quarantine ${id} original` })
      await emit({
        json: { id, out, bytes: container.byteLength },
        text: `written to ${out}; the password is infected`,
      })
      return 0
    }
    const decided = await desk.decide(id, what, needed(given, 'reason'), 'local')
    await emit({
      json: decided,
      text: `${decided.id} ${decided.decision?.action === 'sanitise' ? 'sanitised' : decided.state}`,
    })
    return 0
  },
}

async function writeNew(path: string, bytes: Uint8Array): Promise<void> {
  try {
    await writeFile(path, bytes, { flag: 'wx', mode: 0o600 })
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') throw new ArchiveError('request.conflict', `${path} exists`)
    throw error
  }
}

const HEADING = `NUMBER  ARRIVED${' '.repeat(17)}  DOOR       SIZE  RULES`

function shortText(item: QuarantineItem): string {
  const rules = [...new Set(item.findings.map(({ rule }) => rule))].join(' ')
  return `${item.id}  ${item.arrivedAt}  ${item.door.padEnd(5)} ${sizeText(item.size).padStart(9)}  ${rules}`
}

function longText(item: QuarantineItem): string {
  const rows = [
    ['number', item.id],
    ['state', item.state],
    [
      'arrived',
      `${item.arrivedAt} by ${item.door}${item.peer === null ? '' : ` from ${item.peer}`}, ${item.arrivals} times`,
    ],
    ['SHA-256', item.sha256],
    ['size', sizeText(item.size)],
    ['SOP Instance UID', item.sopInstanceUid ?? 'none'],
    ['patient', item.patient === null ? 'none' : `${item.patient.name ?? ''} ${item.patient.id ?? ''}`],
    ['scan', item.scan.status],
    ['first 128 bytes', item.preambleHex],
  ]
  if (item.joins !== undefined) {
    const { patient, studyInstanceUid } = item.joins
    rows.push([
      'when released',
      `part of study ${studyInstanceUid}, served as ${patient.name ?? ''} ${patient.id} (${patient.issuer}); can be taken back`,
    ])
  }
  if (item.decision !== null) {
    const { action: decided, by, time, reason } = item.decision
    rows.push(['decision', `${decided} by ${by} at ${time}: ${reason}`])
  }
  const findings = item.findings.map(({ rule, severity, detail, offset }) => {
    return `  ${rule} (${severity}) ${detail}${offset === null ? '' : ` at byte ${offset}`}`
  })
  return [...rows.map(([name = '', value = '']) => `${name.padEnd(18)}${value}`), 'findings', ...findings].join('\n')
}
