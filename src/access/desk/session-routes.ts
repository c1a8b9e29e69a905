import type { FastifyReply } from 'fastify'
import { z } from 'zod'
import { ArchiveError } from '#errors.ts'
import { PERMISSIONS } from '#model/permission.ts'
import type { Asked, Route } from '#model/route.ts'
import { shape } from '#model/route-schema.ts'
import type { SignedIn } from '#security/accounts.ts'
import { visibilityOf } from '#security/decide.ts'
import { cookieOf, sessionCookie, sessionCookieName } from '../http-server-headers.ts'
import { bodyAsked, jsonSchema } from './ask.ts'
import type { DeskServices } from './services.ts'

const signIn = z.strictObject({ name: z.string().min(1).max(256), password: z.string().max(1024) })
const setUp = z.strictObject({
  token: z.string().min(1).max(256),
  name: z.string().min(1).max(64),
  displayName: z.string().max(200).optional(),
  password: z.string().max(1024),
})
const newPassword = z.strictObject({ current: z.string().max(1024), password: z.string().max(1024) })

const SIGNED_IN = shape<SignedIn>('account', 'csrf')

/** What a page asks first. */
interface SessionView {
  readonly signedIn: boolean
  readonly subject: unknown
  readonly account: unknown
  readonly csrf: string | null
  readonly permissions: readonly string[]
  readonly setupNeeded: boolean
  /** Name of the site. */
  readonly site: string
}

function isSecure(asked: Asked): boolean {
  return asked.baseUrl.startsWith('https:')
}

function cookieIn(asked: Asked): string | undefined {
  return cookieOf(asked.headers.cookie, sessionCookieName(isSecure(asked)))
}

function begin(asked: Asked, reply: FastifyReply, signedIn: SignedIn): object {
  reply.header('set-cookie', sessionCookie(signedIn.cookie, signedIn.maxAgeSeconds, isSecure(asked)))
  return { account: signedIn.account, csrf: signedIn.csrf }
}

/** Signing in and out, who am I, and the set-up of the first account. */
export function sessionRoutes({ accounts, settings }: DeskServices): readonly Route[] {
  return [
    {
      method: 'GET',
      url: '/api/v1/session',
      standard: 'Diptych pages',
      needs: 'public',
      describes: {
        response: shape<SessionView>('signedIn', 'subject', 'account', 'csrf', 'permissions', 'setupNeeded', 'site'),
        summary: 'Who is signed in, what they may do, and the CSRF token of the session.',
      },
      async handle(asked, reply) {
        const { subject } = asked
        const cookie = cookieIn(asked)
        const session = subject.kind === 'account' && cookie !== undefined ? accounts.session(cookie) : undefined
        reply.header('cache-control', 'no-store')
        return {
          signedIn: subject.kind !== 'anonymous',
          subject: subject.kind === 'anonymous' ? null : { kind: subject.kind, name: subject.name, role: subject.role },
          account: session?.account ?? null,
          csrf: session?.csrf ?? null,
          permissions: PERMISSIONS.filter((permission) => visibilityOf(subject, permission) !== 'forbidden'),
          setupNeeded: accounts.setupNeeded(),
          site: settings.get('site.name'),
        }
      },
    },
    {
      method: 'POST',
      url: '/api/v1/session',
      standard: 'Diptych pages',
      needs: 'public',
      body: 'json',
      describes: {
        response: SIGNED_IN,
        example: { name: 'ada', password: 'correct horse battery staple' },
        summary: 'Signs in: sets the session cookie, answers the CSRF token.',
        request: jsonSchema(signIn),
      },
      async handle(asked, reply) {
        const { name, password } = bodyAsked(asked, signIn)
        reply.header('cache-control', 'no-store')
        return begin(asked, reply, await accounts.signIn(name, password, asked.address))
      },
    },
    {
      method: 'DELETE',
      url: '/api/v1/session',
      standard: 'Diptych pages',
      needs: 'signed-in',
      describes: { status: 204, summary: 'Signs out: the session ends at once.' },
      async handle(asked, reply) {
        const cookie = cookieIn(asked)
        if (asked.subject.kind === 'account' && cookie !== undefined) {
          await accounts.signOut(cookie, asked.subject, asked.address)
        }
        return reply
          .code(204)
          .header('set-cookie', sessionCookie('', 0, isSecure(asked)))
          .send()
      },
    },
    {
      method: 'POST',
      url: '/api/v1/session/password',
      standard: 'Diptych pages',
      needs: 'signed-in',
      body: 'json',
      describes: {
        response: SIGNED_IN,
        example: { current: 'correct horse battery staple', password: 'four other unrelated words' },
        summary: 'Changes the own password; every session of the account ends, a new one begins.',
        request: jsonSchema(newPassword),
      },
      async handle(asked, reply) {
        const { current, password } = bodyAsked(asked, newPassword)
        if (asked.subject.kind !== 'account')
          throw new ArchiveError('request.conflict', 'only an account has a password')
        const { name } = asked.subject
        return begin(asked, reply, await accounts.changeOwnPassword(name, current, password, asked.address))
      },
    },
    {
      method: 'GET',
      url: '/api/v1/setup',
      standard: 'Diptych pages',
      needs: 'public',
      describes: {
        response: shape<{ needed: boolean }>('needed'),
        summary: 'Says whether the first account is still missing.',
      },
      handle: async () => ({ needed: accounts.setupNeeded() }),
    },
    {
      method: 'POST',
      url: '/api/v1/setup',
      standard: 'Diptych pages',
      needs: 'public',
      body: 'json',
      describes: {
        status: 201,
        response: SIGNED_IN,
        example: {
          token: 'of the set-up link',
          name: 'ada',
          displayName: 'Ada Lovelace',
          password: 'correct horse battery staple',
        },
        summary: 'Makes the first administrator with the token of the set-up link, and signs in.',
        request: jsonSchema(setUp),
      },
      async handle(asked, reply) {
        const { displayName, ...given } = bodyAsked(asked, setUp)
        reply.header('cache-control', 'no-store').code(201)
        const named = displayName === undefined ? given : { ...given, displayName }
        return begin(asked, reply, await accounts.completeSetup(named, asked.address))
      },
    },
  ]
}
