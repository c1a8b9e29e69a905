/** FHIR as clients nobody here wrote use it: fhir-kit-client and the client of Medplum. */
import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { MedplumClient } from '@medplum/core'
import type { Bundle, Organization, Practitioner } from '@medplum/fhirtypes'
import { CapabilityTool, Client } from 'fhir-kit-client'
import { plainPdf } from '../fixtures/pdf.ts'
import { type FhirSite, openFhirSite } from '../support/fhir-site.ts'

const samples = join(process.env['DIPTYCH_SAMPLES'] ?? join(import.meta.dirname, '../../../shared/data'), 'fhir')
let site: FhirSite
let kit: Client
let medplum: MedplumClient

before(async () => {
  site = await openFhirSite('fhir-clients')
  const token = await site.token({ role: 'administrator' })
  kit = new Client({ baseUrl: site.fhir, bearerToken: token })
  medplum = new MedplumClient({ baseUrl: site.url, fhirUrlPath: 'fhir', accessToken: token, cacheTime: 0 })
})
after(() => site.close())

test('fhir-kit-client: capabilities, search with pages, read, write, history', async () => {
  const can = new CapabilityTool(await kit.capabilityStatement())
  assert.ok(can.serverCan('transaction'))
  assert.ok(can.resourceCan('DocumentReference', 'create'))
  assert.ok(!can.resourceCan('ImagingStudy', 'create'), 'what is derived is not written')
  assert.ok(can.resourceSearch('ImagingStudy', 'identifier'))

  const first = await kit.search({ resourceType: 'ImagingStudy', searchParams: { _count: '1' } })
  const second = await kit.nextPage({ bundle: first as never })
  assert.notDeepEqual((second as unknown as Bundle).entry, (first as unknown as Bundle).entry)

  const body = { resourceType: 'Organization', name: 'Kit', identifier: [{ system: 'urn:kit', value: '1' }] }
  const made = (await kit.create({ resourceType: 'Organization', body })) as unknown as Organization
  const id = made.id ?? assert.fail('it has an id')
  const changed = await kit.update({ resourceType: 'Organization', id, body: { ...made, name: 'Kit II' } as never })
  assert.equal((changed as unknown as Organization).meta?.versionId, '2')
  const jsonPatch = [{ op: 'replace', path: '/name', value: 'Kit III' }] as never
  await kit.patch({ resourceType: 'Organization', id, jsonPatch })
  const former = await kit.vread({ resourceType: 'Organization', id, version: '1' })
  assert.equal((former as unknown as Organization).name, 'Kit')
  await kit.delete({ resourceType: 'Organization', id })
  const history = (await kit.resourceHistory({ resourceType: 'Organization', id })) as unknown as Bundle
  assert.deepEqual(
    history.entry?.map(({ request }) => request?.method),
    ['DELETE', 'PUT', 'PUT', 'POST'],
  )
  const all = (await kit.typeHistory({ resourceType: 'Organization' })) as unknown as Bundle
  assert.equal(all.entry?.[0]?.request?.method, 'DELETE')
  await assert.rejects(kit.read({ resourceType: 'Organization', id }), (error: { response?: { status?: number } }) => {
    assert.equal(error.response?.status, 410)
    return true
  })
  const system = await kit.systemSearch({ searchParams: { _type: 'Patient,ImagingStudy' } })
  assert.deepEqual(
    [...new Set((system as unknown as Bundle).entry?.map(({ resource }) => resource?.resourceType))],
    ['Patient', 'ImagingStudy'],
  )
})

test('fhir-kit-client: a transaction with a document, its set and its author; nothing is left of a bad one', async () => {
  const [patient] = await site.all('/Patient?identifier=FIX-1')
  const subject = { reference: `Patient/${patient?.id}` }
  const bundle = (status: string) => ({
    resourceType: 'Bundle',
    type: 'transaction',
    entry: [
      {
        fullUrl: 'urn:uuid:11111111-1111-4111-8111-111111111111',
        resource: { resourceType: 'Organization', name: 'Of a transaction' },
        request: { method: 'POST', url: 'Organization' },
      },
      {
        fullUrl: 'urn:uuid:22222222-2222-4222-8222-222222222222',
        resource: {
          resourceType: 'Binary',
          contentType: 'application/pdf',
          data: Buffer.from(plainPdf(['by transaction'])).toString('base64'),
        },
        request: { method: 'POST', url: 'Binary' },
      },
      {
        fullUrl: 'urn:uuid:33333333-3333-4333-8333-333333333333',
        resource: {
          ...{ resourceType: 'DocumentReference', status, subject, description: 'by transaction' },
          author: [{ reference: 'urn:uuid:11111111-1111-4111-8111-111111111111' }],
          content: [
            {
              attachment: {
                contentType: 'application/pdf',
                url: 'urn:uuid:22222222-2222-4222-8222-222222222222',
                extension: [{ url: 'http://example.org/unknown', valueString: 'inert' }],
              },
            },
          ],
        },
        request: { method: 'POST', url: 'DocumentReference' },
      },
    ],
  })
  await assert.rejects(
    kit.transaction({ body: bundle('nonsense') as never }),
    (error: { response?: { data?: unknown } }) => {
      const outcome = error.response?.data as { issue: { expression: string[] }[] }
      assert.deepEqual(outcome.issue[0]?.expression, ['Bundle.entry[2].resource.status'])
      return true
    },
  )
  assert.deepEqual(await site.all('/Organization?name=Of'), [])
  const answer = (await kit.transaction({ body: bundle('current') as never })) as unknown as Bundle
  assert.deepEqual(
    answer.entry?.map(({ response }) => response?.status),
    ['201', '201', '201'],
  )
  const [, binary, document] =
    answer.entry?.map(({ response }) => response?.location?.replace(/\/_history.*/, '')) ?? []
  const kept = await site.ask(`/${document}`)
  assert.match(kept.text, /"valueString":"inert"/, 'an extension nobody knows stays where it stood')
  assert.match(kept.text, /Of a transaction/)
  const bytes = await fetch(`${site.fhir}/${binary}`, { headers: { ...site.admin, range: 'bytes=0-4' } })
  assert.equal(bytes.status, 206)
  assert.equal(await bytes.text(), '%PDF-')
  assert.match(bytes.headers.get('content-disposition') ?? '', /^attachment/)
  assert.equal(bytes.headers.get('x-content-type-options'), 'nosniff')
})

test('the client of Medplum: search, conditional create, update with the version it knows, batch, conditional read', async () => {
  const patients = await medplum.searchResources('Patient', 'identifier=FIX-1')
  assert.equal(patients[0]?.name?.[0]?.family, 'Fixture')
  const study = await medplum.searchOne('ImagingStudy', { patient: `Patient/${patients[0]?.id}` })
  assert.equal(study?.status, 'available')
  const observations = await medplum.searchResources('Observation', 'code=11524-6')
  assert.equal(observations.length, 1)
  const resource: Practitioner = {
    ...{ resourceType: 'Practitioner', name: [{ family: 'Plum', given: ['Med'] }] },
    identifier: [{ system: 'urn:medplum', value: '1' }],
  }
  const made = await medplum.createResource(resource)
  const again = await medplum.createResourceIfNoneExist(resource, 'identifier=urn:medplum|1')
  assert.equal(again.id, made.id)
  const updated = await medplum.updateResource({ ...made, gender: 'female' })
  assert.equal(updated.meta?.versionId, '2')
  const stale = await site.ask(`/Practitioner/${made.id}`, {
    method: 'PUT',
    headers: { 'content-type': 'application/fhir+json', 'if-match': 'W/"1"' },
    body: JSON.stringify(made),
  })
  assert.equal(stale.status, 412)
  const versions = await medplum.readHistory('Practitioner', made.id ?? '')
  assert.equal(versions.entry?.length, 2)
  const answers = await medplum.executeBatch({
    ...{ resourceType: 'Bundle', type: 'batch' },
    entry: [
      { request: { method: 'GET', url: 'Practitioner?identifier=urn:medplum|1' } },
      { request: { method: 'GET', url: 'Practitioner/none' } },
    ],
  })
  assert.deepEqual(
    answers.entry?.map(({ response }) => response?.status),
    ['200', '404'],
  )
  await medplum.deleteResource('Practitioner', made.id ?? '')
  await assert.rejects(medplum.readResource('Practitioner', made.id ?? ''), /deleted/i)
})

// Every one of these keeps nothing, and says where it is wrong.
const refused: readonly {
  readonly name: string
  readonly body: object
  readonly status: number
  readonly at: string
}[] = [
  {
    name: 'a code outside a required binding',
    body: { resourceType: 'Practitioner', gender: 'M' },
    ...{ status: 422, at: 'Practitioner.gender' },
  },
  {
    name: 'an element that does not exist',
    body: { resourceType: 'Practitioner', nmae: [{ family: 'x' }] },
    ...{ status: 422, at: 'Practitioner.nmae' },
  },
  {
    name: 'a modifier extension nobody understands',
    body: { resourceType: 'Practitioner', modifierExtension: [{ url: 'http://example.org/not', valueBoolean: true }] },
    ...{ status: 422, at: 'Practitioner.modifierExtension[0]' },
  },
  {
    name: 'another type than the address says',
    body: { resourceType: 'Patient', active: true },
    ...{ status: 400, at: 'resourceType' },
  },
]

for (const { name, body, status, at } of refused) {
  test(`refused: ${name}`, async () => {
    const answer = await site.ask('/Practitioner', {
      method: 'POST',
      headers: { 'content-type': 'application/fhir+json' },
      body: JSON.stringify(body),
    })
    assert.equal(answer.status, status, answer.text)
    const outcome = answer.json as unknown as { issue: { expression?: string[] }[] }
    assert.ok(
      outcome.issue.some(({ expression }) => expression?.includes(at)),
      answer.text,
    )
  })
}

test('extensions by originator: refused with their place, left out, honoured', async () => {
  const post = async (resource: object) =>
    site.ask('/Practitioner', {
      method: 'POST',
      headers: { 'content-type': 'application/fhir+json' },
      body: JSON.stringify({ resourceType: 'Practitioner', ...resource }),
    })
  await site.archive.settings.putOriginator(
    {
      ...{ name: 'loopback', addresses: ['127.0.0.1'] },
      fhirExtensions: { 'urn:e:bad': 'refuse', 'urn:e:out': 'strip', 'urn:e:modifies': 'honour' },
    } as never,
    'test',
    null,
  )
  const bad = await post({ name: [{ family: 'x', extension: [{ url: 'urn:e:bad' }] }] })
  assert.equal(bad.status, 422)
  assert.match(bad.text, /Practitioner\.name\[0\]\.extension\[0\]/)
  const out = await post({
    active: true,
    extension: [
      { url: 'urn:e:out', valueString: 'x' },
      { url: 'urn:e:any', valueString: 'y' },
    ],
  })
  assert.equal(out.status, 201, out.text)
  assert.deepEqual(out.json['extension'], [{ url: 'urn:e:any', valueString: 'y' }])
  const honoured = await post({ active: true, modifierExtension: [{ url: 'urn:e:modifies', valueBoolean: true }] })
  assert.equal(honoured.status, 201, honoured.text)
})

// Other people's resources, broken one after the other: each is refused whole, with an outcome that says where.
test('the sample bundle, broken in every entry, leaves nothing', {
  skip: existsSync(samples) ? false : 'no samples',
}, async () => {
  const text = readFileSync(join(samples, 'mhd/iti-65-comprehensive-provide-bundle.json'), 'utf8')
  const before = (await site.all('/DocumentReference')).length
  const entries = (JSON.parse(text) as Bundle).entry ?? []
  for (const i of entries.keys()) {
    for (const harm of ['resourceType', 'request', 'element'] as const) {
      const bundle = JSON.parse(text) as { entry: { [name: string]: { [name: string]: unknown } }[] }
      const entry = bundle.entry[i] ?? assert.fail('an entry')
      if (harm === 'request') delete entry['request']
      else if (harm === 'element') entry['resource'] = { ...entry['resource'], notAnElement: true }
      else entry['resource'] = { ...entry['resource'], resourceType: 'Nothing' }
      const { status, json } = await site.ask('', {
        method: 'POST',
        headers: { 'content-type': 'application/fhir+json' },
        body: JSON.stringify(bundle),
      })
      assert.ok(status === 400 || status === 422, `${harm} of entry ${i}: ${status}`)
      const { issue } = json as unknown as { issue: { expression?: string[] }[] }
      assert.match(issue[0]?.expression?.[0] ?? '', new RegExp(`Bundle\\.entry\\[${i}\\]`), `${harm} of entry ${i}`)
    }
  }
  assert.equal((await site.all('/DocumentReference')).length, before)
})

test('SMART discovery says what there is, without a token', async () => {
  const answer = await fetch(`${site.fhir}/.well-known/smart-configuration`)
  assert.equal(answer.status, 200)
  const said = (await answer.json()) as { capabilities: string[]; token_endpoint?: string }
  assert.ok(said.capabilities.includes('permission-patient'))
  assert.equal(said.token_endpoint, undefined, 'nobody signs in here')
})
