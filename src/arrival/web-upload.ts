import { Readable } from 'node:stream'
import { z } from 'zod'
import { ArchiveError } from '#errors.ts'
import type { Permission, Subject } from '#model/permission.ts'
import type { Asked, Route } from '#model/route.ts'
import { visibilityOf } from '#security/decide.ts'
import type { Uploads } from './web-upload-store.ts'

const STANDARD = 'Diptych API v1, Uploads'

const beginning = z.strictObject({
  name: z.string().min(1).max(1024),
  size: z.int().min(0),
  originator: z.string().min(1).max(256).nullish(),
  medium: z.string().max(256).nullish(),
})

/** Comments sent on a quiet line, so that proxies keep it open. */
const HEARTBEAT_MS = 15_000

/** Resumable uploads of the pages and of scripts. contract.md, Uploads. */
export function uploadRoutes(uploads: Uploads): readonly Route[] {
  const begin: Route = {
    method: 'POST',
    url: '/api/v1/uploads',
    standard: STANDARD,
    needs: 'object.store',
    body: 'json',
    describes: {
      summary: 'Begins an upload of one file or ZIP container.',
      request: () => z.toJSONSchema(beginning, { io: 'input' }),
      status: 201,
      answers: '`{id}`; `Location` and `Upload-Offset: 0`.',
      example: { name: 'disc.zip', size: 52_428_800, originator: 'Praxis', medium: 'CD 7' },
    },
    async handle({ body, subject, address }, reply) {
      const parsed = beginning.safeParse(body)
      if (!parsed.success) {
        const issue = parsed.error.issues[0]
        throw new ArchiveError('request.malformed', `${issue?.path.join('.') ?? ''}: ${issue?.message ?? 'not valid'}`)
      }
      const { name, size, originator, medium } = parsed.data
      const { id } = await uploads.begin({
        name: labelOf(name),
        sizeBytes: size,
        originator: originator ?? null,
        medium: medium ?? null,
        owner: ownerOf(subject),
        user: subject.name,
        messages: forAllPatients(subject, 'identity.decide'), // messages say who somebody is
        readsIdentity: forAllPatients(subject, 'identity.read'),
        address,
      })
      return reply.code(201).header('location', `/api/v1/uploads/${id}`).header('upload-offset', '0').send({ id })
    },
  }

  const append: Route<{ readonly id: string }> = {
    method: 'PATCH',
    url: '/api/v1/uploads/:id',
    standard: STANDARD,
    needs: 'object.store',
    body: 'stream',
    describes: {
      summary:
        'Adds bytes from the offset in the header Upload-Offset on. After a break HEAD says where to go on; another offset is 409.',
      status: 204,
      answers: 'No body; `Upload-Offset` says where the next bytes go.',
    },
    async handle({ params: { id }, headers, subject, raw }, reply) {
      const owner = ownerOf(subject)
      const offset = headers['upload-offset']
      if (typeof offset !== 'string' || !/^\d{1,15}$/.test(offset)) {
        throw new ArchiveError('request.malformed', 'the header Upload-Offset says at which byte the body starts')
      }
      try {
        const at = await uploads.append(id, owner, Number(offset), raw)
        return reply.code(204).header('upload-offset', String(at)).send()
      } catch (error) {
        if (error instanceof ArchiveError && error.code === 'request.conflict') {
          reply.header('upload-offset', String(await uploads.offset(id, owner)))
        }
        throw error
      }
    },
  }

  const where: Route<{ readonly id: string }> = {
    method: 'HEAD',
    url: '/api/v1/uploads/:id',
    standard: STANDARD,
    needs: 'object.store',
    describes: {
      summary: 'Says how much has arrived.',
      answers: 'No body; `Upload-Offset` and `Upload-Length`.',
    },
    async handle({ params: { id }, subject }, reply) {
      const owner = ownerOf(subject)
      const offset = await uploads.offset(id, owner)
      const { sizeBytes } = uploads.state(id, owner)
      return reply
        .code(200)
        .header('upload-offset', String(offset))
        .header('upload-length', String(sizeBytes))
        .header('cache-control', 'no-store')
        .send()
    },
  }

  const cancel: Route<{ readonly id: string }> = {
    method: 'DELETE',
    url: '/api/v1/uploads/:id',
    standard: STANDARD,
    needs: 'object.store',
    describes: {
      summary: 'Gives an upload up and drops its bytes.',
      status: 204,
    },
    async handle({ params: { id }, subject }, reply) {
      await uploads.cancel(id, ownerOf(subject))
      return reply.code(204).send()
    },
  }

  const finish: Route<{ readonly id: string }> = {
    method: 'POST',
    url: '/api/v1/uploads/:id/finish',
    standard: STANDARD,
    needs: 'object.store',
    describes: {
      summary: 'Says that all bytes have been sent: they are screened and taken in.',
      status: 202,
      answers: '`{state: "running"}`; `Location` is the result.',
    },
    async handle({ params: { id }, subject }, reply) {
      await uploads.finish(id, ownerOf(subject))
      return reply.code(202).header('location', `/api/v1/uploads/${id}/result`).send({ state: 'running' })
    },
  }

  const events: Route<{ readonly id: string }> = {
    method: 'GET',
    url: '/api/v1/uploads/:id/events',
    standard: `${STANDARD}; WHATWG HTML, Server-sent events`,
    needs: 'object.store',
    describes: {
      summary: 'Server-sent events: each import line as it is judged, then `done` with the summary.',
      query: { after: 'Number of the last line known, for callers that cannot send Last-Event-ID.' },
      answers: '`text/event-stream`; `data` is an import line.',
    },
    async handle(asked, reply) {
      const { id } = asked.params
      const owner = ownerOf(asked.subject)
      const after = lastEventId(asked)
      // All was told, the end too: 204 tells an EventSource to stop asking.
      if (uploads.state(id, owner).state === 'done' && after > uploads.lineCount(id, owner)) {
        return reply.code(204).send()
      }
      return reply
        .code(200)
        .header('content-type', 'text/event-stream; charset=utf-8')
        .header('cache-control', 'no-store')
        .header('x-accel-buffering', 'no')
        .send(Readable.from(eventStream(uploads, id, owner, after, asked.signal), { objectMode: false }))
    },
  }

  const result: Route<{ readonly id: string }> = {
    method: 'GET',
    url: '/api/v1/uploads/:id/result',
    standard: STANDARD,
    needs: 'object.store',
    describes: {
      summary: 'Every line and the summary.',
      answers: '`{state: "done", items: [import lines], summary}`; 202 `{state: "running"}` before.',
    },
    async handle({ params: { id }, subject }, reply) {
      const owner = ownerOf(subject)
      const { state, summary } = uploads.state(id, owner)
      reply.header('cache-control', 'no-store')
      if (state !== 'done') return reply.code(202).send({ state: 'running' })
      async function* json(): AsyncGenerator<string> {
        yield '{"state":"done","items":['
        let comma = ''
        for await (const line of uploads.resultLines(id, owner)) {
          yield comma + line
          comma = ','
        }
        yield `],"summary":${JSON.stringify(summary)}}`
      }
      return reply
        .code(200)
        .header('content-type', 'application/json; charset=utf-8')
        .send(Readable.from(json(), { objectMode: false }))
    },
  }

  return [begin, append, where, cancel, finish, events, result] as readonly Route[]
}

/** One message per import line, its number as event id; then `done` with the summary, and the stream ends. */
async function* eventStream(
  uploads: Uploads,
  id: string,
  owner: string,
  after: number,
  signal: AbortSignal,
): AsyncGenerator<string> {
  yield ': follows\n\n'
  const lines = uploads.follow(id, owner, after, signal)
  let next = lines.next()
  for (;;) {
    const quiet = Promise.withResolvers<'quiet'>()
    const timer = setTimeout(() => quiet.resolve('quiet'), HEARTBEAT_MS)
    const came = await Promise.race([next, quiet.promise])
    clearTimeout(timer)
    if (came === 'quiet') {
      yield ': waiting\n\n'
      continue
    }
    if (came.done) break
    const [number, line] = came.value
    yield `id: ${number}\ndata: ${line}\n\n`
    next = lines.next()
  }
  const { state, summary } = uploads.state(id, owner)
  if (state === 'done' && !signal.aborted) {
    yield `event: done\nid: ${uploads.lineCount(id, owner) + 1}\ndata: ${JSON.stringify({ summary })}\n\n`
  }
}

/** The number of the last line the caller has: header, or `?after=` for callers that cannot set it. */
function lastEventId({ headers, query }: Asked): number {
  const text = headers['last-event-id'] ?? query.get('after') ?? '0'
  return typeof text === 'string' && /^\d{1,9}$/.test(text) ? Number(text) : 0
}

function ownerOf(subject: Subject): string {
  return `${subject.kind}:${subject.name}`
}

/** A right held without being limited to some patients. */
function forAllPatients(subject: Subject, permission: Permission): boolean {
  const visibility = visibilityOf(subject, permission)
  return visibility !== 'forbidden' && visibility.sees === 'all'
}

/** A file name as browsers give it: a label, with `/` as separator. */
function labelOf(name: string): string {
  return name.replaceAll('\\', '/')
}
