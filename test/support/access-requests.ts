import assert from 'node:assert/strict'
import type { FastifyInstance } from 'fastify'
import { accessMatrix } from '#access/access-matrix.ts'
import { ROLES } from '#model/permission.ts'
import type { Route } from '#model/route.ts'
import type { Tokens } from '#security/tokens.ts'
import { bearer } from './http-fixture.ts'

/** A request of a route with harmless values in its path. */
export function urlOf(route: Pick<Route, 'url'>, values: { readonly [name: string]: string } = {}): string {
  return route.url.replace(/:([A-Za-z0-9_]+)/g, (_all, name: string) => values[name] ?? '1.2.3').replace(/\*$/, 'x')
}

/**
 * Requests every route with no credentials, a bad and an expired token, each role, and a token limited to a patient,
 * and compares with the matrix that was generated from the routes. threats.md section 5.
 * @param expired an administrator's token that has run out
 * @returns number of requests made
 */
export async function requestEveryRoute(
  app: FastifyInstance,
  routes: readonly Pick<Route, 'method' | 'url' | 'needs'>[],
  tokens: Tokens,
  expired: string,
): Promise<number> {
  const byRole = new Map<string, string>()
  for (const role of ROLES) byRole.set(role, (await tokens.create({ role }, 'test', null)).token)
  const patients = [{ id: 'somebody', issuer: null }]
  const restricted = (await tokens.create({ role: 'administrator', patients }, 'test', null)).token

  let requests = 0
  for (const row of accessMatrix(routes)) {
    const { method, needs } = row
    const ask = async (headers: Record<string, string>) => {
      requests += 1
      const json = method === 'GET' || method === 'HEAD' ? {} : { payload: '{}' }
      const type = method === 'GET' || method === 'HEAD' ? {} : { 'content-type': 'application/json' }
      const { statusCode } = await app.inject({ method, url: urlOf(row), headers: { ...type, ...headers }, ...json })
      return statusCode
    }
    const label = `${method} ${row.url}`
    const unsigned = [
      {},
      bearer('dpt_0000000000000000_' + 'A'.repeat(43)),
      bearer(expired),
      { authorization: 'Basic eDp5' },
    ]
    for (const headers of unsigned) {
      const status = await ask(headers as Record<string, string>)
      if (needs === 'public') assert.notEqual(status, 403, label)
      else assert.equal(status, 401, label)
    }
    for (const [role, token] of byRole) {
      const status = await ask(bearer(token))
      const allowed = row.roles.some((name) => name === role)
      if (allowed) assert.ok(status !== 401 && (status !== 403 || needs === 'public'), `${label} as ${role}: ${status}`)
      else assert.equal(status, 403, `${label} as ${role}`)
    }
    const status = await ask(bearer(restricted))
    if (row.forRestricted)
      assert.ok(status !== 401 && (status !== 403 || needs === 'public'), `${label} restricted: ${status}`)
    else assert.equal(status, 403, `${label} restricted`)
  }
  return requests
}
