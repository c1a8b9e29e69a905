import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Subject } from '#model/permission.ts'
import type { Asked } from '#model/route.ts'
import type { Visibility } from '#model/visibility.ts'
import type { Auditor } from '#security/audit.ts'
import type { RequestOrigin } from './http-server-origin.ts'

/** One request that was let in. */
export class LetIn implements Asked {
  readonly params: unknown
  readonly headers: FastifyRequest['headers']
  readonly raw: FastifyRequest['raw']
  readonly body: unknown
  readonly subject: Subject
  readonly visibility: Visibility
  readonly address: string
  readonly baseUrl: string
  readonly #auditor: Pick<Auditor, 'record'>
  readonly #reply: FastifyReply
  #query: URLSearchParams | undefined
  #abort: AbortController | undefined

  constructor(
    auditor: Pick<Auditor, 'record'>,
    request: FastifyRequest,
    reply: FastifyReply,
    of: { body: unknown; subject: Subject; visibility: Visibility; origin: RequestOrigin },
  ) {
    this.params = request.params
    this.headers = request.headers
    this.raw = request.raw
    this.body = of.body
    this.subject = of.subject
    this.visibility = of.visibility
    this.address = of.origin.address
    this.baseUrl = of.origin.baseUrl
    this.#auditor = auditor
    this.#reply = reply
  }

  get query(): URLSearchParams {
    const { url = '' } = this.raw
    const at = url.indexOf('?')
    this.#query ??= new URLSearchParams(at < 0 ? '' : url.slice(at + 1))
    return this.#query
  }

  get signal(): AbortSignal {
    if (this.#abort === undefined) {
      const abort = new AbortController()
      const { raw } = this.#reply
      if (raw.destroyed && !raw.writableFinished) abort.abort()
      else raw.once('close', () => raw.writableFinished || abort.abort())
      this.#abort = abort
    }
    return this.#abort.signal
  }

  audit(...[kind, what]: Parameters<Asked['audit']>): Promise<void> {
    return this.#auditor.record(this.subject, { ...what, kind, address: this.address })
  }
}
