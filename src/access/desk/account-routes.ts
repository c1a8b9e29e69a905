import { z } from 'zod'
import { ROLES } from '#model/permission.ts'
import type { Route } from '#model/route.ts'
import { type AnswerSchema, listOf, shape } from '#model/route-schema.ts'
import type { AccountView } from '#security/accounts.ts'
import type { TokenView } from '#security/tokens.ts'
import { bodyAsked, jsonSchema, listAnswer, pageAsked, pathParameter } from './ask.ts'
import type { DeskServices } from './services.ts'

const role = z.enum(ROLES)
const newAccount = z.strictObject({
  name: z.string().min(1).max(64),
  displayName: z.string().max(200).optional(),
  role,
  password: z.string().max(1024),
})
const changed = z.strictObject({
  displayName: z.string().min(1).max(200).optional(),
  role: role.optional(),
  password: z.string().max(1024).optional(),
  disabled: z.boolean().optional(),
})
const newToken = z.strictObject({
  role,
  name: z.string().max(200).optional(),
  scopes: z.array(z.string().max(200)).max(100).optional(),
  patients: z
    .array(z.strictObject({ id: z.string().min(1).max(64), issuer: z.string().max(64).nullable().default(null) }))
    .max(1000)
    .nullable()
    .optional(),
  expires: z.string().max(16).optional(),
})

/** Removes members that are undefined, so that "absent" has one form. */
function present<T extends object>(given: T): { [K in keyof T]: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]: Exclude<T[K], undefined>
  }
}

const ACCOUNT = shape<AccountView>('name', 'displayName', 'role', 'createdAt', 'createdBy', 'disabled')
const TOKEN = [
  ...([
    'id',
    'name',
    'role',
    'scopes',
    'patients',
    'createdAt',
    'createdBy',
    'expiresAt',
    'revokedAt',
    'state',
  ] as const),
]

/** Accounts of people and tokens of programs. */
export function accountRoutes({ accounts, tokens, pageMax }: DeskServices): readonly Route[] {
  const common = { standard: 'Diptych pages', needs: 'account.write' } as const

  /** All of them: there are few. */
  function listed(url: string, summary: string, shown: AnswerSchema, all: () => readonly unknown[]): Route {
    return {
      ...common,
      method: 'GET',
      url,
      describes: { summary, response: listOf(shown) },
      async handle(asked) {
        pageAsked(asked, pageMax, [])
        const items = all()
        return listAnswer(items, null, items.length)
      },
    }
  }

  return [
    listed('/api/v1/accounts', 'All accounts.', ACCOUNT, () => accounts.list()),
    listed('/api/v1/tokens', 'All tokens, without their secrets.', shape<TokenView>(...TOKEN), () => tokens.list()),
    {
      ...common,
      method: 'POST',
      url: '/api/v1/accounts',
      body: 'json',
      describes: {
        summary: 'Makes an account.',
        request: jsonSchema(newAccount),
        status: 201,
        response: ACCOUNT,
        example: {
          name: 'ada',
          displayName: 'Ada Lovelace',
          role: 'clinician',
          password: 'correct horse battery staple',
        },
      },
      async handle(asked, reply) {
        const { displayName, ...given } = bodyAsked(asked, newAccount)
        const named = displayName === undefined ? given : { ...given, displayName }
        return reply.code(201).send(await accounts.create(named, asked.subject.name, asked.address))
      },
    },
    {
      ...common,
      method: 'PATCH',
      url: '/api/v1/accounts/:name',
      body: 'json',
      describes: {
        summary: 'Changes name, role or password, disables or enables.',
        request: jsonSchema(changed),
        response: ACCOUNT,
        example: { role: 'reader', disabled: true },
      },
      async handle(asked) {
        const change = present(bodyAsked(asked, changed))
        return accounts.change(pathParameter(asked, 'name').toLowerCase(), change, asked.subject.name, asked.address)
      },
    },
    {
      ...common,
      method: 'POST',
      url: '/api/v1/tokens',
      body: 'json',
      describes: {
        summary: 'Makes a token. The answer is the only time it is shown.',
        request: jsonSchema(newToken),
        status: 201,
        response: shape<TokenView & { token: string }>(...TOKEN, 'token'),
        example: {
          role: 'reader',
          name: 'dose dashboard',
          patients: [{ id: 'P100', issuer: 'HOSPITAL' }],
          expires: '30d',
        },
      },
      async handle(asked, reply) {
        const given = present(bodyAsked(asked, newToken))
        const { token, view } = await tokens.create(given, asked.subject.name, asked.address)
        return reply.code(201).send({ ...view, token })
      },
    },
    {
      ...common,
      method: 'DELETE',
      url: '/api/v1/tokens/:id',
      describes: { summary: 'Revokes a token at once.', response: shape<TokenView>(...TOKEN) },
      handle: async (asked) => tokens.revoke(pathParameter(asked, 'id'), asked.subject.name, asked.address),
    },
  ]
}
