import { buildHttp, type HttpOptions, startHttp } from '#access/http-server.ts'
import { loadConfig } from '#config.ts'
import type { Route } from '#model/route.ts'
import { authenticator } from '#security/authenticate.ts'
import { type SecurityFixture, securityFixture } from './security-fixture.ts'

type Given = { readonly [section: string]: { readonly [key: string]: unknown } }

/** Options of a server over security in memory; `given` is configuration. */
export function httpOptions(
  routes: readonly Route[],
  security: SecurityFixture = securityFixture(),
  given: Given = {},
  more: Partial<HttpOptions> = {},
): HttpOptions {
  const open = more.open ?? false
  return {
    config: loadConfig({ given: { ...given, http: { port: 0, ...given.http } } }),
    routes,
    authenticate: authenticator(security.accounts, security.tokens, security.auditor, open),
    auditor: security.auditor,
    open,
    authenticationReady: true,
    ...more,
  }
}

/** A server without a socket. */
export function injectable(...args: Parameters<typeof httpOptions>) {
  return buildHttp(httpOptions(...args)).app
}

/** A server on a free port of the loopback. */
export function listening(...args: Parameters<typeof httpOptions>) {
  return startHttp(httpOptions(...args))
}

export function bearer(token: string): { authorization: string } {
  return { authorization: `Bearer ${token}` }
}
