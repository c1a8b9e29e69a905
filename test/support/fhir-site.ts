/** An archive with something of everything that FHIR serves, and requests to it. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Bundle, Resource } from '@medplum/fhirtypes'
import type { LedgerDecision, Order } from '#model/identity.ts'
import type { Role } from '#model/permission.ts'
import { type Archive, openArchive } from '../../src/app.ts'
import { type Served, serve } from '../../src/app-server.ts'
import { loadConfig } from '../../src/config.ts'
import { part10 } from '../fixtures/dicom-builder.ts'
import { ctDose, ctSeries, pdfObject, projectionDose, STUDY, twelveLeadEcg } from '../fixtures/objects.ts'
import { COMPLETE, kept, submission } from './document-fixture.ts'
import { bearer } from './http-fixture.ts'

export const FELIX = { issuer: STUDY.issuer ?? '', id: STUDY.patientId }
/** A second person, with a study of her own. */
export const LENA = {
  ...STUDY,
  ...{ name: 'lena', patientName: 'Local^Lena', patientId: 'LOCAL-7', issuer: 'HOSPITAL', birthDate: '19800202' },
  ...{ sex: 'F' as const, accessionNumber: 'A-2' },
} as const

export interface Told {
  readonly status: number
  readonly headers: Headers
  readonly text: string
  /** Of a JSON answer. */
  readonly json: Resource & { readonly [name: string]: unknown }
}

export interface FhirSite {
  readonly archive: Archive
  readonly url: string
  readonly fhir: string
  /** Headers of an administrator. */
  readonly admin: Record<string, string>
  token(about: {
    readonly role: Role
    readonly scopes?: readonly string[]
    readonly patients?: readonly { readonly id: string; readonly issuer: string | null }[]
  }): Promise<string>
  /** Below `/fhir`, as the administrator when no other headers say who asks. */
  ask(path: string, init?: { method?: string; headers?: Record<string, string>; body?: string }): Promise<Told>
  /** Whatever a search finds, page after page. */
  all(path: string, headers?: Record<string, string>): Promise<Resource[]>
  decide(...decisions: LedgerDecision[]): Promise<void>
  store(...files: Uint8Array[]): Promise<void>
  close(): Promise<void>
}

export function orderOf(more: Partial<Order> = {}): Order {
  return {
    ...{ id: 'o1', patient: FELIX, placerOrderNumber: 'P1', placerIssuer: 'RIS', fillerOrderNumber: 'F1' },
    ...{ fillerIssuer: 'RIS', accessionNumber: 'A-1', accessionIssuer: null, requestedProcedureId: 'RP1' },
    ...{ description: 'CT of the chest', studyInstanceUID: '1.2.3.4.5', studyUidFrom: 'generated', priority: 'STAT' },
    codes: [{ value: 'CTCH', scheme: 'LOCAL', meaning: 'CT chest' }],
    steps: [
      {
        ...{ id: 'S1', modality: 'CT', stationAeTitle: 'CT1', stationName: null, location: 'Room 2', codes: [] },
        ...{ startDate: '20240229', startTime: '100000', description: 'Chest', performingPhysician: null },
      },
    ],
    ...{
      requestingPhysician: 'Asks^Ada',
      referringPhysician: 'Refers^Rita',
      requestingService: 'WARD',
      reason: 'cough',
    },
    ...{ medicalAlerts: null, patientState: null, transport: null, confidentiality: null, department: null },
    ...{ admissionId: 'V-77', status: 'completed' },
    ...more,
  } as Order
}

/** Opens it, with two patients, an order, a visit, images, dose, ECG, a wrapped PDF, a native report and a clinic. */
export async function openFhirSite(name: string): Promise<FhirSite> {
  const folder = mkdtempSync(join(tmpdir(), `diptych-${name}-`))
  const config = loadConfig({ given: { http: { port: 0 } } })
  const archive = await openArchive({ dataDirectory: join(folder, 'data'), config })
  const served: Served = await serve(archive, { open: false, log: { error: () => undefined } })
  const { url } = served.http
  const tokenOf: FhirSite['token'] = async (about) => (await archive.tokens.create(about, 'test', null)).token
  const admin = bearer(await tokenOf({ role: 'administrator' }))
  const site: FhirSite = {
    ...{ archive, url, fhir: `${url}/fhir`, admin, token: tokenOf },
    async ask(path, init = {}) {
      const answer = await fetch(path.startsWith('http') ? path : `${url}/fhir${path}`, {
        ...init,
        headers: { ...admin, ...init.headers },
      })
      const text = await answer.text()
      const isJson = (answer.headers.get('content-type') ?? '').includes('json') && text !== ''
      return { status: answer.status, headers: answer.headers, text, json: isJson ? JSON.parse(text) : {} }
    },
    async all(path, headers = {}) {
      const found: Resource[] = []
      let next: string | undefined = path
      while (next !== undefined) {
        const { status, json, text } = await site.ask(next, { headers })
        assert.equal(status, 200, `${next}: ${text.slice(0, 300)}`)
        const bundle = json as unknown as Bundle
        found.push(...(bundle.entry ?? []).flatMap(({ resource }) => resource ?? []))
        next = bundle.link?.find(({ relation }) => relation === 'next')?.url
      }
      return found
    },
    async decide(...decisions) {
      const cause = { by: 'test', rule: 'desk', reference: null, reason: 'a test' }
      await archive.identity.decide(decisions, cause, null)
    },
    async store(...files) {
      const parts = files.flatMap((file) => [
        Buffer.from('\r\n--part\r\nContent-Type: application/dicom\r\n\r\n'),
        file,
      ])
      const answer = await fetch(`${url}/dicom-web/studies`, {
        method: 'POST',
        headers: { ...admin, 'content-type': 'multipart/related; type="application/dicom"; boundary=part' },
        body: Buffer.concat([...parts, Buffer.from('\r\n--part--\r\n')]),
      })
      assert.equal(answer.status, 200, await answer.text())
    },
    async close() {
      await served.close(100)
      await archive.close()
      rmSync(folder, { recursive: true, force: true, maxRetries: 5 })
    },
  }
  try {
    await fill(site)
    // Documents inside studies are listed behind the answer.
    for (let i = 0; i < 200 && archive.jobs.openJobs() > 0; i++) await sleep(25)
  } catch (error) {
    await site.close()
    throw error
  }
  return site
}

async function fill(site: FhirSite): Promise<void> {
  const objects = [
    ...ctSeries(2),
    ctDose(),
    projectionDose(LENA),
    twelveLeadEcg(),
    pdfObject(),
    ...ctSeries(1, 16, LENA),
  ]
  await site.store(...objects.map((elements) => part10({ elements })))
  const visit = {
    ...{ admissionId: 'V-77', issuer: 'HOSPITAL', location: 'Ward 3', referringPhysician: 'Refers^Rita' },
    ...{ admittedAt: '20240228', dischargedAt: null, status: 'active' as const },
  } as const
  const demographics = { name: 'Fixture^Felix', birthDate: '19700101', sex: 'M', telephone: '+49 30 1' }
  await site.decide(
    { do: 'register', patient: FELIX, demographics, visit, authority: 'adt' },
    { do: 'order', order: orderOf() },
  )
  const owner = { by: 'identifier', ...FELIX, issuerAssumed: false } as const
  const author = {
    ...{ person: 'Reads^Ruth', identifier: { issuer: 'HOSPITAL', id: 'R-1' }, institution: 'Clinic' },
    ...{ role: 'radiologist', specialty: 'Radiology', telecom: null, device: null },
  }
  const metadata = {
    ...COMPLETE,
    authors: [author],
    legalAuthenticator: author,
    serviceStart: '2024-02-29T10:00:00Z',
    references: [
      { type: 'accession', id: 'A-1', issuer: '' },
      { type: 'encounter', id: 'V-77', issuer: 'HOSPITAL' },
    ] as const,
  }
  kept(
    await site.archive.documentDesk.submit(
      submission([{ mediaType: 'application/pdf', said: { owner, phase: 'final', metadata } }], {
        lists: [
          {
            ...{ label: 'set', kind: 'submission-set', uniqueId: '1.2.3.9', sourceId: '1.2.3', title: 'A set' },
            ...{ comments: 'as it came', status: 'current', codes: [], authors: [author], intendedRecipients: [] },
            ...{ time: '2026-05-02T10:00:00Z', extra: {}, owner, items: ['one'] },
          } as const,
        ],
      }),
    ),
  )
  const clinic = await site.ask('/Organization', {
    method: 'POST',
    headers: { 'content-type': 'application/fhir+json' },
    body: JSON.stringify({
      resourceType: 'Organization',
      identifier: [{ system: 'urn:example:clinics', value: '1' }],
      name: 'Clinic',
    }),
  })
  assert.equal(clinic.status, 201, clinic.text)
}
