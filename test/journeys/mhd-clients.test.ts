/** IHE MHD, PDQm and PIXm by FHIR clients that nobody here wrote: fhir-kit-client and Medplum's. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { MedplumClient } from '@medplum/core'
import type { Bundle, DocumentReference, Parameters, Patient } from '@medplum/fhirtypes'
import { Client } from 'fhir-kit-client'
import { DEE, PATIENTS, placesOf, provideBundle, supersedes } from '../support/mhd-bundles.ts'
import { type MhdSite, openMhdSite } from '../support/mhd-site.ts'

let site: MhdSite
before(async () => {
  site = await openMhdSite('mhd-clients')
})
after(() => site.close())

test('fhir-kit-client publishes, finds, reads and replaces', async () => {
  const client = new Client({ baseUrl: site.fhir, customHeaders: site.admin })
  const capabilities = await client.capabilityStatement()
  assert.equal(capabilities['resourceType'], 'CapabilityStatement')
  const [set, first] = placesOf(
    await client.transaction({ body: provideBundle(1, [{ n: 1, bytes: 'by kit' }]) as never }),
  )
  const found = (await client.search({
    resourceType: 'DocumentReference',
    searchParams: { 'patient.identifier': `${PATIENTS}|${DEE.id}`, status: 'current' },
  })) as unknown as Bundle
  assert.deepEqual(
    found.entry?.map(({ resource }) => `DocumentReference/${resource?.id}`),
    [first],
  )
  const [, id = ''] = (first ?? '').split('/')
  const document = (await client.read({ resourceType: 'DocumentReference', id })) as unknown as DocumentReference
  const bytes = await fetch(document.content?.[0]?.attachment?.url ?? '', { headers: site.admin })
  assert.equal(await bytes.text(), 'by kit')
  const lists = (await client.search({
    resourceType: 'List',
    searchParams: { patient: site.dee, code: 'submissionset', status: 'current' },
    options: { postSearch: true },
  } as never)) as unknown as Bundle
  assert.ok(lists.entry?.some(({ resource }) => `List/${resource?.id}` === set))
  const target = { reference: first ?? '' }
  const replacing = provideBundle(2, [{ n: 2, bytes: 'by kit, better', relatesTo: [{ code: 'replaces', target }] }], {
    more: [supersedes(target.reference)],
  })
  await client.transaction({ body: replacing as never })
  const old = (await client.read({ resourceType: 'DocumentReference', id })) as unknown as DocumentReference
  assert.equal(old.status, 'superseded')
  const versions = (await client.history({ resourceType: 'DocumentReference', id })) as unknown as Bundle
  assert.equal(versions.total, 2)
  await assert.rejects(
    client.transaction({ body: provideBundle(2, [{ n: 9, bytes: 'another' }]) as never }),
    (error: { response?: { status?: number; data?: { resourceType?: string } } }) =>
      error.response?.status === 409 && error.response.data?.resourceType === 'OperationOutcome',
  )
  const matches = (await client.operation({
    name: 'match',
    resourceType: 'Patient',
    input: { resourceType: 'Patient', identifier: [{ system: PATIENTS, value: DEE.id }], birthDate: '1980-01-01' },
  } as never)) as unknown as Bundle
  assert.equal(matches.entry?.[0]?.search?.score, 0.8)
})

test("Medplum's client publishes, finds, downloads; its batch of one document is simplified publish", async () => {
  const token = await site.token({ role: 'administrator' })
  const medplum = new MedplumClient({
    ...{ baseUrl: `${site.url}/`, fhirUrlPath: 'fhir/', cacheTime: 0 },
    fetch: (url: string, init: RequestInit = {}) =>
      fetch(url, {
        ...init,
        headers: { ...(init.headers as Record<string, string>), authorization: `Bearer ${token}` },
      }),
  })
  const answer = await medplum.executeBatch(provideBundle(3, [{ n: 3, bytes: 'by Medplum' }]))
  const [, place] = placesOf(answer)
  const [document] = await medplum.searchResources('DocumentReference', {
    patient: site.dee,
    identifier: 'urn:oid:1.2.3.4.65.3',
  })
  assert.equal(`DocumentReference/${document?.id}`, place)
  const blob = await medplum.download(document?.content?.[0]?.attachment?.url ?? '')
  assert.equal(await blob.text(), 'by Medplum')
  const made = await medplum.createResource<DocumentReference>({
    resourceType: 'DocumentReference',
    masterIdentifier: { system: 'urn:ietf:rfc:3986', value: 'urn:oid:1.2.3.4.105.1' },
    status: 'current',
    subject: { reference: site.dee },
    content: [{ attachment: { contentType: 'text/plain', data: Buffer.from('simply').toString('base64') } }],
  })
  assert.match(made.content?.[0]?.attachment?.url ?? '', /\/fhir\/Binary\//)
  const list = await medplum.searchOne('List', { item: `DocumentReference/${made.id}` })
  assert.equal(list?.code?.coding?.[0]?.code, 'submissionset')
  const patched = await medplum.patchResource('DocumentReference', made.id ?? '', [
    { op: 'replace', path: '/status', value: 'superseded' },
  ])
  assert.equal(patched.status, 'superseded')
  const patient = await medplum.searchOne('Patient', { identifier: `${PATIENTS}|${DEE.id}` })
  assert.equal((patient as Patient | undefined)?.name?.[0]?.family, 'Schmidt')
  const pix = (await medplum.get(
    `${site.fhir}/Patient/$ihe-pix?sourceIdentifier=${encodeURIComponent(`${PATIENTS}|${DEE.id}`)}`,
  )) as Parameters
  assert.equal(pix.parameter?.[0]?.valueReference?.reference, `${site.fhir}/${site.dee}`)
})
