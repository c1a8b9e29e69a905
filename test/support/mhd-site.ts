/** A running archive that knows one patient, and requests to its FHIR door. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Bundle, Resource } from '@medplum/fhirtypes'
import type { LedgerDecision } from '#model/identity.ts'
import type { Role } from '#model/permission.ts'
import { type Archive, openArchive } from '../../src/app.ts'
import { serve } from '../../src/app-server.ts'
import { loadConfig } from '../../src/config.ts'
import { bearer } from './http-fixture.ts'
import { DEE, PATIENTS } from './mhd-bundles.ts'

export interface Told {
  readonly status: number
  readonly headers: Headers
  readonly text: string
  /** Of a JSON answer. */
  readonly json: Resource & { readonly [name: string]: unknown }
}

export interface MhdSite {
  readonly archive: Archive
  readonly url: string
  readonly fhir: string
  /** Headers of an administrator. */
  readonly admin: Record<string, string>
  /** `Patient/id` of Dee Schmidt. */
  readonly dee: string
  token(about: {
    readonly role: Role
    readonly scopes?: readonly string[]
    readonly patients?: readonly { readonly id: string; readonly issuer: string | null }[]
  }): Promise<string>
  /** Below `/fhir`, as the administrator when no other headers say who asks. */
  ask(path: string, init?: { method?: string; headers?: Record<string, string>; body?: string }): Promise<Told>
  post(bundle: Bundle | string, headers?: Record<string, string>): Promise<Told>
  /** Whatever a search finds, page after page. */
  all(path: string, headers?: Record<string, string>): Promise<Resource[]>
  register(issuer: string, id: string, name: string): Promise<void>
  /** What the audit trail says, newest first. */
  audited(): Promise<string>
  close(): Promise<void>
}

export async function openMhdSite(name: string): Promise<MhdSite> {
  const folder = mkdtempSync(join(tmpdir(), `diptych-${name}-`))
  const config = loadConfig({ given: { http: { port: 0 } } })
  const archive = await openArchive({ dataDirectory: join(folder, 'data'), config })
  const served = await serve(archive, { open: false, log: { error: () => undefined } })
  const { url } = served.http
  const token: MhdSite['token'] = async (about) => (await archive.tokens.create(about, 'test', null)).token
  const admin = bearer(await token({ role: 'administrator' }))
  const decide = (decision: LedgerDecision) =>
    archive.identity.decide([decision], { by: 'test', rule: 'desk', reference: null, reason: 'a test' }, null)
  const site: Omit<MhdSite, 'dee'> = {
    ...{ archive, url, fhir: `${url}/fhir`, admin, token },
    async ask(path, init = {}) {
      const answer = await fetch(path.startsWith('http') ? path : `${url}/fhir${path}`, {
        ...init,
        headers: { ...admin, ...init.headers },
      })
      const text = await answer.text()
      const isJson = (answer.headers.get('content-type') ?? '').includes('json') && text !== ''
      return { status: answer.status, headers: answer.headers, text, json: isJson ? JSON.parse(text) : {} }
    },
    post: (bundle, headers = {}) =>
      site.ask('', {
        method: 'POST',
        headers: { 'content-type': 'application/fhir+json', ...headers },
        body: typeof bundle === 'string' ? bundle : JSON.stringify(bundle),
      }),
    async all(path, headers = {}) {
      const found: Resource[] = []
      for (let next: string | undefined = path; next !== undefined; ) {
        const { status, json, text } = await site.ask(next, { headers })
        assert.equal(status, 200, `${next}: ${text.slice(0, 300)}`)
        const bundle = json as unknown as Bundle
        found.push(...(bundle.entry ?? []).flatMap(({ resource }) => resource ?? []))
        next = bundle.link?.find(({ relation }) => relation === 'next')?.url
      }
      return found
    },
    async register(issuer, id, person) {
      await decide({
        ...{ do: 'register', patient: { issuer, id }, visit: null, authority: 'adt' },
        demographics: { name: person, birthDate: '19800101', sex: 'F' },
      })
    },
    async audited() {
      const answer = await fetch(`${url}/api/v1/audit?limit=500`, { headers: admin })
      return answer.text()
    },
    async close() {
      await served.close(100)
      await archive.close()
      rmSync(folder, { recursive: true, force: true, maxRetries: 5 })
    },
  }
  await site.register(DEE.issuer, DEE.id, 'Schmidt^Dee')
  const [patient] = await site.all(`/Patient?identifier=${PATIENTS}|${DEE.id}`)
  return { ...site, dee: `Patient/${patient?.id}` }
}
