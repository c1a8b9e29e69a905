/** Who sees what through FHIR: patients, scopes and roles on every type; merged patients; corrections that stay; a rebuilt index. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import type { Bundle, CapabilityStatement, ImagingStudy, Patient, Resource } from '@medplum/fhirtypes'
import { part10 } from '../fixtures/dicom-builder.ts'
import { ctSeries, STUDY } from '../fixtures/objects.ts'
import { FELIX, type FhirSite, LENA, openFhirSite } from '../support/fhir-site.ts'
import { bearer } from '../support/http-fixture.ts'

let site: FhirSite
let types: string[]

before(async () => {
  site = await openFhirSite('fhir-access')
  const statement = (await site.ask('/metadata')).json as unknown as CapabilityStatement
  types = (statement.rest?.[0]?.resource ?? []).map(({ type }) => String(type))
})
after(() => site.close())

const ABOUT_NOBODY = ['Organization', 'Practitioner', 'PractitionerRole', 'Endpoint']

/** Searches that find everything of a type; types that are only found by something exact are asked for all patients. */
async function everything(type: string, headers: Record<string, string>): Promise<Resource[]> {
  if (type === 'Binary') return []
  if (type !== 'Provenance') return site.all(`/${type}`, headers)
  const patients = await site.all('/Patient')
  const studies = await site.all('/ImagingStudy')
  const documents = await site.all('/DocumentReference')
  const targets = [...patients, ...studies, ...documents].map((one) => `${one.resourceType}/${one.id}`)
  return site.all(`/Provenance?target=${targets.join(',')}`, headers)
}

test('a token limited to a patient sees that patient alone, by search, by id, by history and by include', async () => {
  const limited = bearer(await site.token({ role: 'reader', patients: [{ id: LENA.patientId, issuer: LENA.issuer }] }))
  const [felix] = await site.all('/Patient?identifier=FIX-1')
  for (const type of types) {
    if (type === 'AuditEvent') {
      assert.equal((await site.ask('/AuditEvent', { headers: limited })).status, 403)
      continue
    }
    const all = await everything(type, {})
    const seen = new Set((await everything(type, limited)).map(({ id }) => id))
    for (const resource of all) {
      const text = JSON.stringify(resource)
      const isFelix = text.includes(felix?.id ?? '?') || text.includes('FIX-1')
      if (isFelix) assert.ok(!seen.has(resource.id), `${type}/${resource.id} is another patient's`)
      for (const path of [`/${type}/${resource.id}`, `/${type}/${resource.id}/_history/${resource.meta?.versionId}`]) {
        const { status, text: answer } = await site.ask(path, { headers: limited })
        const expected = seen.has(resource.id) ? 200 : 404
        assert.equal(status, expected, `${path}: ${answer.slice(0, 200)}`)
      }
      if (seen.has(resource.id) || ABOUT_NOBODY.includes(type)) continue
      // What is not seen answers as what does not exist.
      const missing = await site.ask(`/${type}/nothing`, { headers: limited })
      const hidden = await site.ask(`/${type}/${resource.id}`, { headers: limited })
      assert.equal(hidden.text, missing.text)
    }
  }
  const found = await site.all('?_type=Patient,ImagingStudy,Observation,Device', limited)
  assert.ok(found.length > 0)
  assert.ok(found.every((one) => !JSON.stringify(one).includes(felix?.id ?? '?')))
  const counted = (await site.ask('/Observation?_summary=count', { headers: limited })).json as unknown as Bundle
  assert.equal(counted.total, found.filter(({ resourceType }) => resourceType === 'Observation').length)
  const included = await site.all(
    '/ImagingStudy?_include=ImagingStudy:patient&_revinclude=DocumentReference:related',
    limited,
  )
  assert.ok(included.every((one) => !JSON.stringify(one).includes('FIX-1')))
})

// A PDF inside a study must not show through the study, its device, its counts, or a reference to it.
test('a scope for images without one for documents shows no study with a document in it, and no document', async () => {
  const images = bearer(
    await site.token({
      role: 'reader',
      scopes: ['user/ImagingStudy.rs', 'user/Patient.rs', 'user/Device.rs', 'user/Observation.rs'],
    }),
  )
  const [withPdf] = await site.all('/ImagingStudy?identifier=A-1')
  assert.deepEqual(
    (await site.all('/ImagingStudy', images)).map(({ id }) => id === withPdf?.id),
    [false],
  )
  assert.equal((await site.ask(`/ImagingStudy/${withPdf?.id}`, { headers: images })).status, 404)
  for (const type of ['DocumentReference', 'List', 'DiagnosticReport']) {
    assert.equal((await site.ask(`/${type}`, { headers: images })).status, 403, type)
  }
  const [document] = await site.all('/DocumentReference')
  assert.equal((await site.ask(`/Binary/${document?.id}`, { headers: images })).status, 403)
  const chained = await site.ask('/Patient?_revinclude=DocumentReference:patient&_revinclude=ImagingStudy:patient', {
    headers: images,
  })
  assert.doesNotMatch(chained.text, /DocumentReference\/|application\/pdf/)
  const observations = await site.all('/Observation', images)
  assert.ok(observations.every((one) => !JSON.stringify(one).includes(withPdf?.id ?? '?')))
})

test('roles: an auditor reads the trail and nothing else, a sender nothing, nobody without a token anything', async () => {
  const auditor = bearer(await site.token({ role: 'auditor' }))
  const sender = bearer(await site.token({ role: 'sender' }))
  for (const type of types.filter((one) => one !== 'Binary')) {
    const path = type === 'Provenance' ? '/Provenance?patient=x' : `/${type}`
    assert.equal((await site.ask(path, { headers: auditor })).status, type === 'AuditEvent' ? 200 : 403, type)
    assert.equal((await site.ask(path, { headers: sender })).status, 403, type)
    assert.equal((await fetch(site.fhir + path)).status, 401, type)
  }
  const kinds = new Set((await site.all('/AuditEvent', auditor)).map((one) => (one as { action?: string }).action))
  assert.ok(kinds.has('R') && kinds.has('E'))
})

test('a merged patient is inactive and leads to the survivor, whom the old number finds', async () => {
  const other = { issuer: 'HOSPITAL', id: 'OLD-1' }
  const study = { ...STUDY, name: 'old', patientId: 'OLD-1', issuer: 'HOSPITAL', accessionNumber: 'A-9' } as const
  await site.store(...ctSeries(1, 16, study).map((elements) => part10({ elements })))
  const [old] = (await site.all('/Patient?identifier=OLD-1')) as Patient[]
  const [survivor] = (await site.all('/Patient?identifier=FIX-1')) as Patient[]
  assert.notEqual(old?.id, survivor?.id)
  await site.decide({ do: 'merge', from: other, into: FELIX, how: 'merge' })
  const merged = (await site.ask(`/Patient/${old?.id}`)).json as unknown as Patient
  assert.equal(merged.active, false)
  assert.deepEqual(merged.link, [{ other: { reference: `Patient/${survivor?.id}` }, type: 'replaced-by' }])
  const found = (await site.all('/Patient?identifier=OLD-1&active=true')) as Patient[]
  assert.deepEqual(
    found.map(({ id }) => id),
    [survivor?.id],
  )
  assert.deepEqual(found[0]?.link, [{ other: { reference: `Patient/${old?.id}` }, type: 'replaces' }])
  const studies = (await site.all('/ImagingStudy?patient.identifier=OLD-1')) as ImagingStudy[]
  assert.ok(studies.some(({ identifier }) => identifier?.some(({ value }) => value === 'A-9')))
  assert.ok(studies.every(({ subject }) => subject?.reference === `Patient/${survivor?.id}`))
  const byOldReference = await site.all(`/ImagingStudy?patient=Patient/${old?.id}`)
  assert.equal(byOldReference.length, studies.length)
})

test('what a person corrected stays when more instances come, and the version follows it', async () => {
  const [before] = (await site.all('/ImagingStudy?identifier=A-2')) as ImagingStudy[]
  const studyInstanceUID = before?.id ?? assert.fail('a study')
  const scope = { of: 'study', studyInstanceUID } as const
  const changes = [{ path: '00081030', vr: 'LO', values: ['Corrected by a person'] }]
  await site.decide({ do: 'overlay', scope, reason: 'CORRECT', changes })
  const read = async () => (await site.ask(`/ImagingStudy/${studyInstanceUID}`)).json as unknown as ImagingStudy
  const corrected = await read()
  assert.equal(corrected.description, 'Corrected by a person')
  assert.notEqual(corrected.meta?.versionId, before?.meta?.versionId)
  await site.store(
    ...ctSeries(3, 16, LENA)
      .map((elements) => part10({ elements }))
      .slice(1),
  )
  const after = await read()
  assert.equal(after.description, 'Corrected by a person')
  assert.equal(after.numberOfInstances, (before?.numberOfInstances ?? 0) + 2)
  const told = await site.all(`/Provenance?target=ImagingStudy/${studyInstanceUID}`)
  assert.ok(told.some((one) => JSON.stringify(one).includes('overlay')))
})
