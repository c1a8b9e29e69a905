import { ArchiveError } from '#errors.ts'
import type { LedgerEntry } from '#model/identity.ts'
import type { MessageRecord } from '#model/message.ts'
import { type ArchiveCommand, action, operand, text, wholeNumber } from '../command.ts'
import { entryText } from '../ledger-text.ts'
import { paged } from '../paged.ts'
import { oneLine, sizeText } from '../terminal.ts'

const ACTIONS = ['list', 'show', 'raw'] as const

export const messagesCommand: ArchiveCommand = {
  runs: 'in-owner',
  needsData: true,
  name: 'messages',
  summary: 'See HL7 v2 messages and how they were answered',
  operands: 'list | show ID | raw ID',
  flags: {
    control: { type: 'string', value: 'ID', about: 'only this control id (MSH-10)' },
    type: { type: 'string', value: 'TYPE', about: 'only this type: ADT^A08, or ADT' },
    application: { type: 'string', value: 'NAME', about: 'only this sender (MSH-3)' },
    identifier: { type: 'string', value: 'ID', about: 'only messages that name this patient, visit, order or study' },
    answer: { type: 'string', value: 'CODE', about: 'only these answers: AA, AE, AR, CA, CE or CR' },
    limit: { type: 'string', value: 'N', about: 'at most so many (default 100)' },
  },
  operandCount: [1, 2],
  more: 'A refused message is sent again by its sender once the reason is gone; nothing is replayed from here.',
  async run({ messages, ledger }, given, emit) {
    const what = action(given, ACTIONS)
    if (what === 'list') {
      const limit = wholeNumber(given, 'limit', 100, 1)
      const filter = {
        ...chosen('controlId', text(given, 'control')),
        ...chosen('type', text(given, 'type')),
        ...chosen('application', text(given, 'application')),
        ...chosen('identifier', text(given, 'identifier')),
        ...chosen('acknowledgement', text(given, 'answer')),
      }
      let shown = 0
      for await (const record of paged(limit, (page) => messages.messages({ ...filter, ...page }))) {
        if (shown === 0) await emit({ heading: HEADING })
        await emit({ json: record, text: shortText(record) })
        shown += 1
      }
      if (shown === 0) await emit({ note: 'There are no such messages.' })
      return 0
    }
    const id = operand(given, 1, 'the number of the message')
    const record = messages.message(id)
    if (record === undefined) throw new ArchiveError('request.not-found', `there is no message ${id}`)
    if (what === 'show') {
      await emit({ json: record, text: longText(record, (id) => ledger.entry(id)) })
      return 0
    }
    const bytes = Buffer.from((await messages.messageBytes(id)) ?? new Uint8Array())
    await emit({ json: { id, base64: bytes.toString('base64') }, text: printable(bytes) })
    return 0
  },
}

function chosen<Name extends string>(name: Name, value: string | undefined): { readonly [name in Name]?: string } {
  const made: { [name in Name]?: string } = {}
  if (value !== undefined) made[name] = value
  return made
}

const HEADING = `  NUMBER  ARRIVED${' '.repeat(17)}  ANSWER  TYPE  SENDER  CONTROL ID  ERROR`

function shortText(record: MessageRecord): string {
  const { id, time, type, application, facility, controlId, acknowledgement, error } = record
  const why = error === null ? '' : `  ${error}`
  return oneLine(
    `${id.padStart(8)}  ${time}  ${acknowledgement}  ${type.padEnd(8)} ${application}|${facility} ${controlId}${why}`,
  )
}

function longText(record: MessageRecord, entry: (id: string) => LedgerEntry | undefined): string {
  const rows = [
    ['number', record.id],
    ['arrived', `${record.time}, ${record.arrivals} times`],
    ['type', record.type],
    ['control id', record.controlId],
    ['sender', `${record.application}|${record.facility}`],
    ['originator', record.originator ?? 'none'],
    ['address', record.address ?? 'none'],
    ['size', sizeText(record.size)],
    ['SHA-256', record.sha256],
    ['answer', record.acknowledgement],
    ['error', record.error ?? 'none'],
    ['identifiers', record.identifiers.join(' ') || 'none'],
    ['Z-segments', record.zSegments.map(({ name, done }) => `${name} ${done}`).join(', ') || 'none'],
    ['notes', record.notes.join('; ') || 'none'],
  ]
  const decided = record.entries.map((id) => {
    const known = entry(id)
    return known === undefined ? id : entryText(known)
  })
  const [first = 'none', ...others] = decided
  rows.push(['decisions', first], ...others.map((text) => ['', text]))
  return rows.map(([name = '', value = '']) => oneLine(`${name.padEnd(14)}${value}`)).join('\n')
}

/** Segments as lines; control characters of a message do not reach the terminal. */
function printable(bytes: Buffer): string {
  return bytes
    .toString('utf8')
    .split(/\r\n|\r|\n/)
    .map(oneLine)
    .join('\n')
}
