import { ArchiveError } from '#errors.ts'
import { ROLES, type Role, type Subject } from '#model/permission.ts'
import { RetryLater } from './accounts.ts'
import { auditEvent } from './audit.ts'
import type { PatientName, SecurityWriter, TokenRecord, TokenStore } from './ports.ts'
import { needsPatient, parseScope } from './scopes.ts'
import { formatToken, hashSecret, newId, newSecret, parseToken, sameBytes } from './secrets.ts'
import { Throttle } from './throttle.ts'

/** A token as lists show it: everything but its secret. */
export interface TokenView extends Omit<TokenRecord, 'secretHash'> {
  readonly state: 'valid' | 'expired' | 'revoked'
}

export interface NewToken {
  readonly role: Role
  readonly name?: string
  readonly scopes?: readonly string[]
  readonly patients?: readonly PatientName[] | null
  /** Time to live, e.g. `1h`, `30d`; absent: until revoked. */
  readonly expires?: string
}

/** Turns the patients a token names into opaque patient ids. An identifier not (yet) known gives none. */
export type ResolvePatients = (patient: PatientName) => Promise<readonly string[]>

const UNIT_SECONDS: { readonly [unit: string]: number } = { s: 1, m: 60, h: 3600, d: 86_400, w: 604_800 }

/** @returns milliseconds; undefined when the text is not a duration such as `90m`, `1h`, `30d` */
export function parseDuration(text: string): number | undefined {
  const [, amount, unit] = /^(\d{1,6})([smhdw])$/.exec(text) ?? []
  const seconds = UNIT_SECONDS[unit ?? '']
  return amount === undefined || seconds === undefined || amount === '0' ? undefined : Number(amount) * seconds * 1000
}

/** Tokens of programs: made by an administrator, shown once, valid and revoked at once. */
export class Tokens {
  readonly #store: TokenStore
  readonly #writer: SecurityWriter
  readonly #patients: ResolvePatients
  readonly #now: () => number
  readonly #throttle: Throttle

  constructor(store: TokenStore, writer: SecurityWriter, patients: ResolvePatients, now: () => number = Date.now) {
    this.#store = store
    this.#writer = writer
    this.#patients = patients
    this.#now = now
    this.#throttle = new Throttle(10, now)
  }

  /**
   * @returns the token as text: kept nowhere, shown once
   * @throws ArchiveError 'request.malformed' naming the value that is wrong
   */
  async create(
    given: NewToken,
    by: string,
    address: string | null,
  ): Promise<{ readonly token: string; readonly view: TokenView }> {
    const record = this.#record(given, by)
    const secret = newSecret()
    const detail = `created ${record.id} as ${record.role}${record.patients === null ? '' : ', limited to patients'}`
    const written = await this.#writer.createToken(
      { ...record, secretHash: hashSecret(secret) },
      auditEvent(by, { kind: 'token', address, detail }, this.#now()),
    )
    if (written !== 'written') throw new ArchiveError('request.conflict', 'token id taken; try again')
    return { token: formatToken(record.id, secret), view: this.#view({ ...record, secretHash: new Uint8Array() }) }
  }

  list(): readonly TokenView[] {
    return this.#store.tokens().map((token) => this.#view(token))
  }

  /** @throws ArchiveError 'request.not-found' */
  async revoke(id: string, by: string, address: string | null): Promise<TokenView> {
    const written = await this.#writer.revokeToken(
      id,
      auditEvent(by, { kind: 'token', address, detail: `revoked ${id.slice(0, 64)}` }, this.#now()),
    )
    const token = this.#store.token(id)
    if (written === 'missing' || token === undefined) throw new ArchiveError('request.not-found', `token ${id}`)
    return this.#view(token)
  }

  /** @returns the id of a token that exists, whether or not its secret is right: what a refusal is noted under */
  idOf(text: string): string | undefined {
    const parsed = parseToken(text)
    return parsed === undefined ? undefined : this.#store.token(parsed.id)?.id
  }

  /**
   * Who a bearer token stands for. Read from the store each time: a revoked token ends with its revocation.
   * @returns undefined for anything but a valid token
   * @throws RetryLater when somebody guesses secrets of this token id; its true owner is never kept out
   */
  async verify(text: string): Promise<Subject | undefined> {
    const parsed = parseToken(text)
    const token = parsed === undefined ? undefined : this.#store.token(parsed.id)
    if (parsed === undefined || token === undefined) return undefined
    if (!sameBytes(token.secretHash, hashSecret(parsed.secret))) {
      const wait = this.#throttle.waitSeconds(token.id)
      if (wait > 0) throw new RetryLater('too many failures for this token', wait)
      this.#throttle.failed(token.id)
      return undefined
    }
    if (this.#state(token) !== 'valid') return undefined
    const { role, scopes, patients } = token
    const patientIds = patients === null ? null : [...new Set((await Promise.all(patients.map(this.#patients))).flat())]
    return { kind: 'token', name: token.id, role, scopes, patientIds }
  }

  #record(given: NewToken, by: string): Omit<TokenRecord, 'secretHash'> {
    if (!ROLES.includes(given.role)) throw new ArchiveError('request.malformed', `role: one of ${ROLES.join(', ')}`)
    const scopes = given.scopes ?? []
    const unknown = scopes.find((scope) => parseScope(scope) === undefined)
    if (unknown !== undefined) {
      throw new ArchiveError('request.malformed', `scope: "${unknown.slice(0, 100)}" is not known`, {
        hint: 'SMART scopes such as patient/ImagingStudy.rs or user/*.read, or a permission such as object.read.',
      })
    }
    const patients = given.patients ?? null
    if (patients === null && needsPatient(scopes)) {
      throw new ArchiveError('request.malformed', 'scope: "patient/..." needs a patient', { hint: 'Add --patient ID.' })
    }
    if (patients !== null && (patients.length === 0 || patients.length > 1000)) {
      throw new ArchiveError('request.malformed', 'patients: 1 to 1000 identifiers, or none at all')
    }
    const ttl = given.expires === undefined ? null : parseDuration(given.expires)
    if (ttl === undefined) {
      throw new ArchiveError('request.malformed', 'expires: a number with s, m, h, d or w, such as 1h')
    }
    const now = this.#now()
    return {
      id: newId(),
      name: (given.name ?? '').slice(0, 200),
      role: given.role,
      scopes,
      patients,
      createdAt: new Date(now).toISOString(),
      createdBy: by,
      expiresAt: ttl === null ? null : new Date(now + ttl).toISOString(),
      revokedAt: null,
    }
  }

  #state(token: TokenRecord): TokenView['state'] {
    if (token.revokedAt !== null) return 'revoked'
    return token.expiresAt !== null && Date.parse(token.expiresAt) <= this.#now() ? 'expired' : 'valid'
  }

  #view(token: TokenRecord): TokenView {
    const { secretHash: _, ...shown } = token
    return { ...shown, state: this.#state(token) }
  }
}
