import { ArchiveError } from '#errors.ts'
import type { Subject } from '#model/permission.ts'
import type { Accounts } from './accounts.ts'
import { type Auditor, BAD_TOKEN } from './audit.ts'
import { sameBytes } from './secrets.ts'
import type { Tokens } from './tokens.ts'

/** What a request shows of itself; header values as they came. */
export interface Credentials {
  readonly authorization: string | undefined
  /** Value of our session cookie. */
  readonly cookie: string | undefined
  readonly csrf: string | undefined
  /** True for methods that change something. */
  readonly writes: boolean
  readonly address: string
}

export type Authentication =
  | { readonly is: 'subject'; readonly subject: Subject; readonly by: 'token' | 'session' | 'open' }
  | { readonly is: 'anonymous'; readonly refused: boolean }

export const ANONYMOUS: Subject = { kind: 'anonymous', name: 'anonymous', role: 'sender', scopes: [], patientIds: [] }

/** The subject of `--open`: loopback, no login, for trying things out. */
export const OPEN: Subject = { kind: 'open', name: 'open', role: 'administrator', scopes: [], patientIds: null }

export type Authenticate = (credentials: Credentials) => Promise<Authentication>

const BEARER = /^bearer +([A-Za-z0-9._~+/=-]{1,512}) *$/i

/**
 * Who asks. A presented token is never set aside for a cookie: a bad one is refused even within a session.
 *
 * @throws ArchiveError 'request.forbidden' for a write in a session without its CSRF token; RetryLater
 */
export function authenticator(accounts: Accounts, tokens: Tokens, auditor: Auditor, open: boolean): Authenticate {
  return async ({ authorization, cookie, csrf, writes, address }) => {
    if (authorization !== undefined) {
      const token = BEARER.exec(authorization)?.[1]
      const subject = token === undefined ? undefined : await tokens.verify(token)
      if (subject !== undefined) return { is: 'subject', subject, by: 'token' }
      const who = (token === undefined ? undefined : tokens.idOf(token)) ?? 'unknown token'
      await auditor.note(who, { kind: 'sign-in', outcome: 'failed', address, detail: BAD_TOKEN })
      return { is: 'anonymous', refused: true }
    }
    const session = cookie === undefined ? undefined : accounts.session(cookie)
    if (session !== undefined && cookie !== undefined) {
      if (writes && (csrf === undefined || !sameBytes(Buffer.from(csrf), Buffer.from(session.csrf)))) {
        throw new ArchiveError('request.forbidden', 'the CSRF token is missing or wrong', {
          hint: 'GET /api/v1/session gives it; send it as X-CSRF-Token.',
        })
      }
      await accounts.touch(cookie)
      return { is: 'subject', subject: session.subject, by: 'session' }
    }
    if (open) return { is: 'subject', subject: OPEN, by: 'open' }
    return { is: 'anonymous', refused: cookie !== undefined }
  }
}
