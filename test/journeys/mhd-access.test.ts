/** Who may publish, find and retrieve by MHD: what may not be seen is not there, and what may not be done is not done. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import type { DocumentReference } from '@medplum/fhirtypes'
import { DEE, PATIENTS, placesOf, provideBundle } from '../support/mhd-bundles.ts'
import { type MhdSite, openMhdSite } from '../support/mhd-site.ts'

let site: MhdSite
let set: string
let document: string
let url: string

before(async () => {
  site = await openMhdSite('mhd-access')
  await site.register(PATIENTS, 'other', 'Other^Olga')
  const answer = await site.post(provideBundle(1, [{ n: 1, bytes: 'about Dee' }]))
  assert.equal(answer.status, 200, answer.text)
  ;[set = '', document = ''] = placesOf(answer.json)
  url = ((await site.ask(`/${document}`)).json as DocumentReference).content?.[0]?.attachment?.url ?? ''
})
after(() => site.close())

const as = async (about: Parameters<MhdSite['token']>[0]) => ({ authorization: `Bearer ${await site.token(about)}` })

test('a token for another patient sees neither set nor document nor bytes, as if they were not there', async () => {
  const headers = await as({ role: 'reader', patients: [{ id: 'other', issuer: PATIENTS }] })
  for (const [there, nothing] of [
    [`/${document}`, '/DocumentReference/00000000-0000-4000-8000-000000000000'],
    [`/${set}`, '/List/00000000-0000-4000-8000-000000000000'],
    [url, url.replace(/[^/]+$/, '00000000-0000-4000-8000-000000000000')],
  ] as const) {
    const seen = await site.ask(there, { headers })
    const unknown = await site.ask(nothing, { headers })
    assert.equal(seen.status, 404, there)
    const id = there.replace(/^.*\//, '')
    assert.equal(seen.text.replaceAll(id, 'ID'), unknown.text.replaceAll('00000000-0000-4000-8000-000000000000', 'ID'))
  }
  for (const search of [
    `/DocumentReference?patient=${site.dee}&status=current`,
    `/DocumentReference?patient.identifier=${PATIENTS}|${DEE.id}&status=current`,
    '/DocumentReference?identifier=urn:oid:1.2.3.4.65.1',
    `/List?patient=${site.dee}&code=submissionset&status=current`,
    `/List?item=${document}`,
    `/Patient?identifier=${PATIENTS}|${DEE.id}`,
  ]) {
    assert.equal((await site.ask(search, { headers })).json['total'], 0, search)
  }
  const pix = await site.ask(`/Patient/$ihe-pix?sourceIdentifier=${PATIENTS}|${DEE.id}`, { headers })
  assert.equal(pix.status, 404)
  const body = JSON.stringify({ resourceType: 'Patient', identifier: [{ system: PATIENTS, value: DEE.id }] })
  const json = { ...headers, 'content-type': 'application/fhir+json' }
  const match = await site.ask('/Patient/$match', { method: 'POST', headers: json, body })
  assert.equal(match.json['total'], 0)
})

test('a token for the patient sees what is theirs', async () => {
  const headers = await as({ role: 'reader', patients: [{ id: DEE.id, issuer: PATIENTS }] })
  assert.equal((await site.ask(`/${document}`, { headers })).status, 200)
  assert.equal((await site.ask(`/${set}`, { headers })).status, 200)
  assert.equal((await site.ask(url, { headers })).text, 'about Dee')
  const refused = await site.post(provideBundle(2, [{ n: 2, bytes: 'x' }]), headers)
  assert.equal(refused.status, 403, 'who is limited to a patient publishes nothing')
})

test('who may see images but no documents finds and retrieves none', async () => {
  const headers = await as({ role: 'reader', scopes: ['user/ImagingStudy.rs', 'user/Patient.rs'] })
  for (const path of [`/${document}`, `/${set}`, url, `/DocumentReference?patient=${site.dee}`]) {
    assert.equal((await site.ask(path, { headers })).status, 403, path)
  }
  const included = await site.ask(`/Patient?_id=${site.dee.slice(8)}&_revinclude=DocumentReference:patient`, {
    headers,
  })
  assert.ok(!included.text.includes('DocumentReference/'), included.text)
})

test('who only sends publishes and replaces, and reads nothing back', async () => {
  const headers = await as({ role: 'sender' })
  const target = { reference: document }
  const answer = await site.post(
    provideBundle(3, [{ n: 3, bytes: 'new', relatesTo: [{ code: 'replaces', target }] }]),
    headers,
  )
  assert.equal(answer.status, 200, answer.text)
  assert.equal((await site.ask(`/${document}`)).json['status'], 'superseded')
  assert.equal((await site.ask(`/${placesOf(answer.json)[1]}`, { headers })).status, 403)
  const json = { ...headers, 'content-type': 'application/fhir+json' }
  const patient = {
    resourceType: 'Patient',
    identifier: [{ system: PATIENTS, value: 'new' }],
    name: [{ family: 'New' }],
  }
  const fed = await site.ask(`/Patient?identifier=${PATIENTS}|new`, {
    ...{ method: 'PUT', headers: json, body: JSON.stringify(patient) },
  })
  assert.equal(fed.status, 403, 'patients come from who may decide about identities')
})

test('readers, scopes and strangers publish nothing', async () => {
  const bundle = provideBundle(4, [{ n: 4, bytes: 'not to be kept' }])
  assert.equal((await site.post(bundle, await as({ role: 'reader' }))).status, 403)
  assert.equal(
    (await site.post(bundle, await as({ role: 'sender', scopes: ['user/DocumentReference.rs'] }))).status,
    403,
  )
  assert.equal((await site.post(bundle, { authorization: 'Bearer nothing' })).status, 401)
  assert.equal((await site.ask('/DocumentReference?identifier=urn:oid:1.2.3.4.65.4')).json['total'], 0)
})
