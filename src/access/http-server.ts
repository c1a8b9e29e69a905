import type { IncomingMessage, RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify'
import type { Config } from '#config.ts'
import { ArchiveError } from '#errors.ts'
import type { Subject } from '#model/permission.ts'
import type { Route } from '#model/route.ts'
import type { Visibility } from '#model/visibility.ts'
import type { Auditor } from '#security/audit.ts'
import { ANONYMOUS, type Authenticate, type Authentication } from '#security/authenticate.ts'
import { visibilityOf } from '#security/decide.ts'
import { allowedMethods, routesByPath } from './access-matrix.ts'
import type { HttpMetrics } from './health-metrics.ts'
import { PathTree, parameterNames } from './http-router.ts'
import {
  checkRequestHead,
  cookieOf,
  sessionCookieName,
  setCommonHeaders,
  setCorsHeaders,
} from './http-server-headers.ts'
import { readJson } from './http-server-json.ts'
import { LetIn } from './http-server-let-in.ts'
import { BodyRate, discardBody, Places } from './http-server-limits.ts'
import { originReader, type RequestOrigin } from './http-server-origin.ts'
import { type ErrorLog, sendProblem } from './http-server-problem.ts'
import {
  answerClientError,
  refuseCrossSite,
  refuseLargeBody,
  refuseUnsafe,
  withoutBody,
} from './http-server-refusals.ts'
import { createListener } from './http-server-tls.ts'

export interface HttpOptions {
  readonly config: Pick<Config, 'http' | 'limits'>
  readonly routes: readonly Route[]
  readonly authenticate: Authenticate
  readonly auditor: Pick<Auditor, 'record'>
  /** `--open`: loopback only, no login. */
  readonly open: boolean
  /** True when an account or token exists; without one only loopback is served. */
  readonly authenticationReady: boolean
  readonly log?: ErrorLog
  readonly metrics?: HttpMetrics
  /** Doors that tell failures in a form of their own, by path prefix. */
  readonly tellers?: readonly ErrorTeller[]
}

export interface ErrorTeller {
  readonly prefix: string
  /** @returns true when it was told; else it is told as a problem document */
  tell(error: unknown, request: FastifyRequest, reply: FastifyReply): Promise<boolean>
}

export interface HttpServer {
  readonly url: string
  readonly port: number
  /** For tests that need no socket. */
  readonly app: FastifyInstance
  /** Reads certificate and key again. @throws ArchiveError 'configuration.invalid' */
  reloadCertificate(): void
  /** Takes no more requests, lets running ones end within `drainMs`, then closes what is left. */
  close(drainMs?: number): Promise<void>
}

const DRAIN_MS = 10_000
const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'] as const
const WRITES: ReadonlySet<string> = new Set(['POST', 'PUT', 'PATCH', 'DELETE'])

/** Health answers keep a place when everything else is taken. */
const RESERVED = /^\/health\//

type Handle = (request: FastifyRequest, reply: FastifyReply) => Promise<unknown>

/** What one path does, by method. Parameters may be named otherwise by each. */
type Served = Map<string, { readonly pattern: string; readonly names: readonly string[]; readonly handle: Handle }>

interface Built {
  readonly app: FastifyInstance
  readonly reload: () => void
  readonly stop: () => void
  readonly secure: boolean
}

/**
 * Serves the routes.
 *
 * @throws ArchiveError 'configuration.invalid' for an unsafe address without login, a port that is taken, a
 *   certificate that cannot be read
 */
export async function startHttp(options: HttpOptions): Promise<HttpServer> {
  const { http } = options.config
  refuseUnsafe(options)
  if (http.port === 'off') throw new ArchiveError('configuration.invalid', 'http.port: "off" starts no server')
  const { app, reload, stop, secure } = buildHttp(options)
  try {
    await app.listen({ host: http.host, port: http.port })
  } catch (cause) {
    stop()
    const why = cause instanceof Error ? cause.message : 'cannot listen'
    throw new ArchiveError('configuration.invalid', `http.host, http.port: ${why}`, { cause })
  }
  const { port } = app.server.address() as AddressInfo
  const host = http.host.includes(':') ? `[${http.host}]` : http.host
  return {
    url: `${secure ? 'https' : 'http'}://${host}:${port}`,
    port,
    app,
    reloadCertificate: reload,
    async close(drainMs = DRAIN_MS) {
      const timer = setTimeout(() => app.server.closeAllConnections(), drainMs)
      try {
        await app.close()
      } finally {
        clearTimeout(timer)
        stop()
      }
    },
  }
}

/** The server without a socket: `app.inject` works, `app.listen` opens it. */
export function buildHttp(options: HttpOptions): Built {
  const { config, log } = options
  let stopListener = () => {}
  let reload = () => {}
  let secure = false
  const app = fastify({
    serverFactory: (handler) => {
      const expecting: RequestListener = (request, response) => {
        waiting.add(request)
        handler(request, response)
      }
      const listener = createListener(config, handler, expecting, log)
      stopListener = listener.stop
      reload = listener.reload
      secure = listener.secure
      return listener.server as ReturnType<typeof import('node:http').createServer>
    },
    exposeHeadRoutes: false,
    return503OnClosing: true,
    requestTimeout: 0,
    bodyLimit: Number.MAX_SAFE_INTEGER,
    clientErrorHandler: answerClientError,
    frameworkErrors: (error, _request, reply) => {
      setCommonHeaders(reply.raw, { secure, public: false })
      sendProblem(reply as FastifyReply, error, log)
    },
    routerOptions: { maxParamLength: 2048, ignoreTrailingSlash: true, querystringParser: () => ({}) },
  })
  const waiting = new WeakSet<IncomingMessage>()
  const originOf = originReader(config.http, options.open)
  const places = new Places(config.limits.httpRequests, config.limits.httpRequestsPerSubject)
  const rate = new BodyRate(config.limits.httpBodyBytesPerSecond, config.limits.httpBodyWindowSeconds)
  const paths = new PathTree<Served>()
  const patterns = new WeakMap<FastifyRequest, string>()

  // Bodies are taken by the route that wants them, in its own way.
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('*', (_request, _payload, done) => done(null))

  app.addHook('onRoute', ({ url }) => {
    if (url !== '/*') throw new TypeError(`${url} is outside the access matrix`)
  })
  app.addHook('onRequest', async (request, reply) => {
    setCommonHeaders(reply.raw, {
      secure: secure || config.http.publicBaseUrl?.startsWith('https:') === true,
      public: false,
    })
    checkRequestHead(request.raw, config.limits.httpHeaders)
  })
  app.addHook('onResponse', async (request, reply) => {
    options.metrics?.observe(request.method, patterns.get(request) ?? 'none', reply.statusCode, reply.elapsedTime)
  })
  app.setErrorHandler(async (error, request, reply) => {
    const { raw } = request
    if (reply.raw.headersSent) {
      log?.error({ err: error }, 'failed after the answer had begun')
      raw.destroy()
      return reply
    }
    if (waiting.has(raw)) reply.header('connection', 'close')
    else if (!raw.destroyed && !(await discardBody(raw))) reply.header('connection', 'close')
    const teller = options.tellers?.find(({ prefix }) => raw.url?.startsWith(prefix))
    if ((await teller?.tell(error, request, reply)) === true) return reply
    return sendProblem(reply, error, log)
  })

  const cookieName = (origin: RequestOrigin) => sessionCookieName(origin.secure)

  async function identify(request: IncomingMessage, origin: RequestOrigin, writes: boolean): Promise<Authentication> {
    const { headers } = request
    const csrf = headers['x-csrf-token']
    const authentication = await options.authenticate({
      authorization: headers.authorization,
      cookie: cookieOf(headers.cookie, cookieName(origin)),
      csrf: typeof csrf === 'string' ? csrf : undefined,
      writes,
      address: origin.address,
    })
    if (writes && authentication.is === 'subject' && authentication.by === 'open')
      refuseCrossSite(headers, origin, config)
    return authentication
  }

  /** @throws ArchiveError 'request.unauthenticated', 'request.forbidden' */
  async function admit(
    { needs, scope }: Pick<Route, 'needs' | 'scope'>,
    request: FastifyRequest,
    reply: FastifyReply,
    origin: RequestOrigin,
  ): Promise<{ subject: Subject; visibility: Visibility }> {
    if (needs === 'public') {
      // A bad or outdated credential must not keep anybody from signing in.
      const who = await identify(request.raw, origin, false).catch((error: unknown) => {
        if (error instanceof ArchiveError) return undefined
        throw error
      })
      const subject = who?.is === 'subject' ? who.subject : ANONYMOUS
      return { subject, visibility: seen(subject) }
    }
    const who = await identify(request.raw, origin, WRITES.has(request.method))
    if (who.is === 'anonymous') {
      reply.header(
        'www-authenticate',
        who.refused ? 'Bearer realm="diptych", error="invalid_token"' : 'Bearer realm="diptych"',
      )
      throw new ArchiveError('request.unauthenticated', 'A valid token or a session is needed.')
    }
    const { subject } = who
    if (needs === 'signed-in') return { subject, visibility: seen(subject) }
    const visibility = visibilityOf(subject, needs, scope)
    if (visibility === 'forbidden') {
      await options.auditor.record(subject, {
        kind: 'alert',
        outcome: 'denied',
        address: origin.address,
        detail: `${request.method} ${patterns.get(request) ?? ''} needs ${needs}`,
      })
      throw new ArchiveError(
        'request.forbidden',
        `This needs the right "${needs}", which the role or scopes do not hold.`,
      )
    }
    return { subject, visibility }
  }

  async function serve(route: Route, request: FastifyRequest, reply: FastifyReply): Promise<unknown> {
    const { raw } = request
    const reserved = RESERVED.test(route.url)
    const leave = reserved ? () => {} : places.enter()
    reply.raw.once('close', leave)
    const origin = originOf(raw)
    const { subject, visibility } = await admit(route, request, reply, origin)
    if (!reserved && subject !== ANONYMOUS) reply.raw.once('close', places.enterAs(subject.name))
    if (route.needs === 'public') reply.raw.setHeader('cache-control', 'no-cache')

    if (route.body === undefined) refuseLargeBody(raw)
    else {
      if (waiting.delete(raw)) reply.raw.writeContinue()
      rate.watch(raw, reply.raw)
    }
    const body = route.body === 'json' ? await readJson(raw, config.limits) : undefined
    const asked = new LetIn(options.auditor, request, reply, { body, subject, visibility, origin })
    const answer = await route.handle(asked, reply)
    // Of a caller who went away in the middle the answer has begun and never ends.
    const begun = reply.sent || reply.raw.headersSent || reply.raw.destroyed
    return answer === undefined && !begun ? reply.send() : answer
  }

  for (const { url, routes } of routesByPath(options.routes)) {
    const allowed = allowedMethods(routes)
    const methods = allowed.join(', ')
    const open = routes.every(({ needs }) => needs === 'public')
    const served: Served = new Map()
    const register = (method: string, pattern: string, handle: Handle) =>
      served.set(method, { pattern, names: parameterNames(pattern), handle })
    paths.add(url, served)
    const preflight = (raw: IncomingMessage, reply: FastifyReply) => {
      const { corsOrigins } = config.http
      return setCorsHeaders(raw, reply.raw, corsOrigins, methods)
    }
    for (const route of routes) {
      if (route.method === 'OPTIONS') continue
      const handler = async (request: FastifyRequest, reply: FastifyReply) => {
        preflight(request.raw, reply)
        return serve(route, request, reply)
      }
      register(route.method, route.url, handler)
      if (route.method === 'GET' && !routes.some(({ method }) => method === 'HEAD'))
        register('HEAD', route.url, handler)
    }
    for (const method of METHODS.filter((name) => !allowed.includes(name))) {
      register(method, url, async (request, reply) => {
        preflight(request.raw, reply)
        await admit({ needs: open ? 'public' : 'signed-in' }, request, reply, originOf(request.raw))
        reply.header('allow', methods)
        throw new ArchiveError('request.method', `${method} is not possible here; ${methods} are.`)
      })
    }
    const own = routes.find(({ method }) => method === 'OPTIONS')
    register('OPTIONS', own?.url ?? url, async (request, reply) => {
      reply.header('allow', methods)
      if (preflight(request.raw, reply) || own === undefined) return reply.code(204).send()
      return serve(own, request, reply)
    })
  }
  for (const method of [...METHODS, 'OPTIONS'] as const) {
    app.route({
      method,
      url: '/*',
      handler: async (request, reply) => {
        const found = paths.find(request.raw.url ?? '')
        const here = found?.kept.get(method)
        if (found === undefined || here === undefined) return reply.callNotFound()
        patterns.set(request, here.pattern)
        request.params = Object.fromEntries(here.names.map((name, i) => [name, found.values[i]]))
        return here.handle(request, reply)
      },
      ...(method === 'HEAD' ? { onSend: withoutBody } : {}),
    })
  }
  app.setNotFoundHandler(async (request, reply) => {
    setCorsHeaders(request.raw, reply.raw, config.http.corsOrigins, METHODS.join(', '))
    await admit({ needs: 'signed-in' }, request, reply, originOf(request.raw))
    throw new ArchiveError('request.not-found', 'no such path')
  })

  const stop = () => {
    stopListener()
    rate.stop()
  }
  app.addHook('onClose', async () => stop())
  return { app, reload: () => reload(), stop, secure }
}

function seen(subject: Subject): Visibility {
  const visibility = visibilityOf(subject, 'object.read')
  return visibility === 'forbidden' ? { sees: 'nothing' } : visibility
}
