import { ArchiveError } from '#errors.ts'
import type { Location } from '#model/archive-object.ts'
import { cursorText, keyBehind } from '#model/cursor.ts'
import {
  type AnsweredMessage,
  MESSAGE_KIND,
  type MessageJournalPayload,
  type MessageReader,
  type MessageRecord,
  type MessageSender,
  type MessageStore,
} from '#model/message.ts'
import type { Database, SqlParam } from './database.ts'
import { hex } from './texts.ts'

/** Of cursors. */
const LIST = 'messages'

interface Row {
  readonly sequence: number
  readonly time: string
  readonly application: string
  readonly facility: string
  readonly address: string | null
  readonly originator: string | null
  readonly control_id: string
  readonly type: string
  readonly sha256: Uint8Array
  readonly size: number
  readonly acknowledgement: MessageRecord['acknowledgement']
  readonly error: string | null
  readonly identifiers: string
  readonly z_segments: string
  readonly notes: string
  readonly entries: string
  readonly arrivals: number
  readonly answers: string
  readonly segment: string
  readonly offset: number
  readonly length: number
}

const BY_CONTROL = 'from message where control_id = ? and application = ? and facility = ?'

/** Rows of the message archive. @param db the write connection, migrated */
export function createMessageStore(db: Database): MessageStore {
  return {
    answered({ controlId, application, facility }: MessageSender, sha256): AnsweredMessage | undefined {
      const row = db.get<Row>(
        `select * ${BY_CONTROL} and sha256 = ? order by sequence desc limit 1`,
        ...[controlId, application, facility, Buffer.from(sha256, 'hex')],
      )
      if (row === undefined) return undefined
      const answers = JSON.parse(row.answers) as string[]
      const acknowledgements = answers.map((answer) => new Uint8Array(Buffer.from(answer, 'base64')))
      return { id: String(row.sequence), acknowledgements, record: recordOf(row) }
    },
    usedForAnother({ controlId, application, facility }, sha256) {
      const digest = Buffer.from(sha256, 'hex')
      return (
        db.get(`select 1 ${BY_CONTROL} and sha256 <> ? limit 1`, controlId, application, facility, digest) !== undefined
      )
    },
    add(sequence, { record, acknowledgements }, entries, { segment, offset, length }) {
      const { changes } = db.run(
        `insert into message (sequence, time, application, facility, address, originator, control_id, type, sha256,
           size, acknowledgement, error, identifiers, z_segments, notes, entries, answers, segment, offset, length)
         values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) on conflict (sequence) do nothing`,
        ...[sequence, record.time, record.application, record.facility, record.address, record.originator],
        ...[record.controlId, record.type, Buffer.from(record.sha256, 'hex'), record.size, record.acknowledgement],
        ...[record.error, JSON.stringify(record.identifiers), JSON.stringify(record.zSegments)],
        ...[JSON.stringify(record.notes), JSON.stringify(entries), JSON.stringify(acknowledgements)],
        ...[segment, offset, length],
      )
      if (changes === 0) return
      for (const identifier of record.identifiers) {
        db.run('insert or ignore into message_identifier (identifier, sequence) values (?, ?)', identifier, sequence)
      }
    },
    arrivedAgain(id) {
      db.run('update message set arrivals = arrivals + 1 where sequence = ?', Number(id))
    },
    moved(moves) {
      for (const { sequence, to } of moves) {
        db.run(
          'update message set segment = ?, offset = ?, length = ? where sequence = ?',
          ...[to.segment, to.offset, to.length, sequence],
        )
      }
    },
  }
}

/** What reading a message's bytes needs of the store: whole entries, and where they went when a segment was compacted. */
export interface MessageBytes {
  /** Undefined when the segment is gone. */
  read(at: Location): Promise<Uint8Array | undefined>
  /** Looks for a journal entry by its number in all segments: where an earlier version moved it without noting its place. */
  find(sequence: number): Promise<Uint8Array | undefined>
}

/** Reads of the message archive. @param db any connection to the index */
export function createMessageReader(db: Database, bytes: MessageBytes): MessageReader {
  const rowOf = (id: string): Row | undefined =>
    /^\d{1,15}$/.test(id) ? db.get<Row>('select * from message where sequence = ?', Number(id)) : undefined
  return {
    message(id) {
      const row = rowOf(id)
      return row === undefined ? undefined : recordOf(row)
    },
    async messageBytes(id) {
      const row = rowOf(id)
      if (row === undefined) return undefined
      const { segment, offset, length } = row
      const here = await bytes.read({ segment, offset, length })
      const kept = (here === undefined ? null : payloadOf(here, row)) ?? payloadOf(await bytes.find(row.sequence), row)
      if (kept === null) throw new ArchiveError('storage.damaged', `message ${id} is not in the journal any more`)
      return new Uint8Array(Buffer.from(kept.bytes, 'base64'))
    },
    messages({ controlId, type, application, identifier, acknowledgement, since, limit, cursor }) {
      const where: string[] = []
      const params: SqlParam[] = []
      const also = (sql: string, value: SqlParam | undefined) => {
        if (value === undefined) return
        where.push(sql)
        params.push(value)
      }
      also('control_id = ?', controlId)
      // `ADT` finds every event of it.
      if (type !== undefined && !type.includes('^')) {
        where.push("(type = ? or (type > ? || '^' and type < ? || '_'))")
        params.push(type, type, type)
      } else also('type = ?', type)
      also('application = ?', application)
      also('acknowledgement = ?', acknowledgement)
      also('sequence in (select sequence from message_identifier where identifier = ?)', identifier)
      also('time >= ?', since)
      also('sequence < ?', keyBehind(LIST, cursor))
      const rows = db.all<Row>(
        `select * from message ${where.length === 0 ? '' : `where ${where.join(' and ')}`} order by sequence desc limit ?`,
        ...[...params, limit + 1],
      )
      const items = rows.slice(0, limit).map(recordOf)
      const last = rows[limit - 1]
      return { items, next: rows.length > limit && last !== undefined ? cursorText(LIST, [last.sequence]) : null }
    },
  }
}

function recordOf(row: Row): MessageRecord {
  return {
    id: String(row.sequence),
    time: row.time,
    application: row.application,
    facility: row.facility,
    address: row.address,
    originator: row.originator,
    controlId: row.control_id,
    type: row.type,
    sha256: hex(row.sha256),
    size: row.size,
    acknowledgement: row.acknowledgement,
    error: row.error,
    identifiers: JSON.parse(row.identifiers) as MessageRecord['identifiers'],
    zSegments: JSON.parse(row.z_segments) as MessageRecord['zSegments'],
    notes: JSON.parse(row.notes) as MessageRecord['notes'],
    arrivals: row.arrivals,
    entries: JSON.parse(row.entries) as MessageRecord['entries'],
  }
}

/** The payload of a journal entry, when it is this message's: a place may hold something else after a compaction. */
function payloadOf(content: Uint8Array | undefined, row: Row): MessageJournalPayload | null {
  if (content === undefined) return null
  let entry: unknown
  try {
    entry = JSON.parse(Buffer.from(content).toString('utf8'))
  } catch (error) {
    if (error instanceof SyntaxError) return null
    throw error
  }
  if (typeof entry !== 'object' || entry === null) return null
  const { kind, sequence, payload }: { kind?: unknown; sequence?: unknown; payload?: unknown } = entry
  if (kind !== MESSAGE_KIND || sequence !== row.sequence) return null
  return payload as MessageJournalPayload
}
