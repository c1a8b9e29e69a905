import { z } from 'zod'
import { ROLES } from '#model/permission.ts'
import type { Route } from '#model/route.ts'
import { bodyAsked, jsonSchema, LIST_SCHEMA, listAnswer, pageAsked, pathParameter } from './ask.ts'
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

/** Accounts of people and tokens of programs. */
export function accountRoutes({ accounts, tokens, pageMax }: DeskServices): readonly Route[] {
  const standard = 'Diptych pages'
  return [
    {
      method: 'GET',
      url: '/api/v1/accounts',
      standard,
      needs: 'account.write',
      describes: { summary: 'All accounts.', response: LIST_SCHEMA },
      async handle(asked) {
        pageAsked(asked, pageMax, [])
        const items = accounts.list()
        return listAnswer(items, null, items.length)
      },
    },
    {
      method: 'POST',
      url: '/api/v1/accounts',
      standard,
      needs: 'account.write',
      body: 'json',
      describes: { summary: 'Makes an account.', request: jsonSchema(newAccount) },
      async handle(asked, reply) {
        const { displayName, ...given } = bodyAsked(asked, newAccount)
        const named = displayName === undefined ? given : { ...given, displayName }
        return reply.code(201).send(await accounts.create(named, asked.subject.name, asked.address))
      },
    },
    {
      method: 'PATCH',
      url: '/api/v1/accounts/:name',
      standard,
      needs: 'account.write',
      body: 'json',
      describes: { summary: 'Changes name, role or password, disables or enables.', request: jsonSchema(changed) },
      async handle(asked) {
        const change = present(bodyAsked(asked, changed))
        return accounts.change(pathParameter(asked, 'name').toLowerCase(), change, asked.subject.name, asked.address)
      },
    },
    {
      method: 'GET',
      url: '/api/v1/tokens',
      standard,
      needs: 'account.write',
      describes: { summary: 'All tokens, without their secrets.', response: LIST_SCHEMA },
      async handle(asked) {
        pageAsked(asked, pageMax, [])
        const items = tokens.list()
        return listAnswer(items, null, items.length)
      },
    },
    {
      method: 'POST',
      url: '/api/v1/tokens',
      standard,
      needs: 'account.write',
      body: 'json',
      describes: { summary: 'Makes a token. The answer is the only time it is shown.', request: jsonSchema(newToken) },
      async handle(asked, reply) {
        const given = present(bodyAsked(asked, newToken))
        const { token, view } = await tokens.create(given, asked.subject.name, asked.address)
        return reply.code(201).send({ ...view, token })
      },
    },
    {
      method: 'DELETE',
      url: '/api/v1/tokens/:id',
      standard,
      needs: 'account.write',
      describes: { summary: 'Revokes a token at once.' },
      handle: async (asked) => tokens.revoke(pathParameter(asked, 'id'), asked.subject.name, asked.address),
    },
  ]
}
