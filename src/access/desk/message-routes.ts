import { ArchiveError } from '#errors.ts'
import type { MessageReader, MessageRecord } from '#model/message.ts'
import type { Route } from '#model/route.ts'
import { listOf, shape } from '#model/route-schema.ts'
import { filtersAsked, instantAsked, listAnswer, oneOf, PAGE_QUERY, pageAsked, pathParameter } from './ask.ts'

const MESSAGE = shape<MessageRecord>(
  ...([
    'id',
    'time',
    'application',
    'facility',
    'address',
    'originator',
    'controlId',
    'type',
    'sha256',
    'size',
  ] as const),
  ...(['acknowledgement', 'error', 'identifiers', 'zSegments', 'notes', 'arrivals', 'entries'] as const),
)

/** The archive of HL7 v2 messages. contract.md, `GET /messages?controlId=`. */
export function messageRoutes(messages: MessageReader, pageMax: number): readonly Route[] {
  const standard = 'Diptych pages'
  const filters = ['controlId', 'type', 'application', 'identifier', 'acknowledgement', 'since'] as const
  return [
    {
      method: 'GET',
      url: '/api/v1/messages',
      standard,
      needs: 'message.read',
      describes: {
        response: listOf(MESSAGE),
        summary: 'HL7 v2 messages with their answers, newest first.',
        query: {
          controlId: 'MSH-10, exactly.',
          type: 'MSH-9 as ADT^A08, or ADT for every event.',
          application: 'MSH-3 of the sender.',
          identifier: 'A patient, visit, order, accession or study identifier the message names.',
          acknowledgement: 'AA, AE, AR, CA, CE or CR.',
          since: 'Not before this instant.',
          ...PAGE_QUERY,
        },
      },
      async handle(asked) {
        const page = pageAsked(asked, pageMax, filters)
        const { since, ...given } = filtersAsked(asked, filters)
        oneOf(given.acknowledgement, 'acknowledgement', ['AA', 'AE', 'AR', 'CA', 'CE', 'CR'])
        const from = instantAsked(since, 'since')
        await asked.audit('query', { detail: `messages ${asked.query}` })
        const { items, next } = messages.messages({ ...page, ...given, ...(from === undefined ? {} : { since: from }) })
        return listAnswer(items, next)
      },
    },
    {
      method: 'GET',
      url: '/api/v1/messages/:id',
      standard,
      needs: 'message.read',
      describes: { response: MESSAGE, summary: 'One message: who sent it, how it was answered, what it decided.' },
      async handle(asked) {
        const id = pathParameter(asked, 'id')
        const record = messages.message(id)
        if (record === undefined) throw new ArchiveError('request.not-found', 'message')
        await asked.audit('read', { detail: `message ${id}` })
        return record
      },
    },
    {
      method: 'GET',
      url: '/api/v1/messages/:id/raw',
      standard,
      needs: 'message.read',
      describes: {
        answers: 'The bytes, `application/octet-stream`.',
        summary: 'The message as it came, without framing.',
      },
      async handle(asked, reply) {
        const id = pathParameter(asked, 'id')
        if (messages.message(id) === undefined) throw new ArchiveError('request.not-found', 'message')
        await asked.audit('read', { detail: `message ${id} raw` })
        const bytes = await messages.messageBytes(id)
        if (bytes === undefined) throw new ArchiveError('request.not-found', 'message')
        reply.header('Content-Type', 'application/octet-stream')
        reply.header('Content-Disposition', `attachment; filename="message-${id}.hl7"`)
        return reply.send(Buffer.from(bytes))
      },
    },
  ]
}
