/** Every resource FHIR serves: valid by the R4 definitions, the same however it is asked for, found by what it declares. */
import assert from 'node:assert/strict'
import { existsSync, globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { validateResource } from '@medplum/core'
import type { Bundle, CapabilityStatement, Encounter, Observation, Resource } from '@medplum/fhirtypes'
import { loadDefinitions } from '#standards/fhir/definitions.ts'
import { problemsOf } from '#standards/fhir/validate.ts'
import { fromXml } from '#standards/fhir/xml-read.ts'
import { type FhirSite, openFhirSite } from '../support/fhir-site.ts'

const samples = process.env['DIPTYCH_SAMPLES'] ?? join(import.meta.dirname, '../../../shared/data')
const TYPES = [
  ...[
    'Patient',
    'Encounter',
    'ServiceRequest',
    'ImagingStudy',
    'DiagnosticReport',
    'Observation',
    'Device',
    'Endpoint',
  ],
  ...[
    'DocumentReference',
    'List',
    'Binary',
    'Organization',
    'Practitioner',
    'PractitionerRole',
    'Provenance',
    'AuditEvent',
  ],
]
let site: FhirSite
const found = new Map<string, Resource[]>()

before(async () => {
  loadDefinitions()
  site = await openFhirSite('fhir-resources')
  const json = { 'content-type': 'application/fhir+json' }
  const practitioner = await site.ask('/Practitioner', {
    method: 'POST',
    headers: json,
    body: JSON.stringify({ resourceType: 'Practitioner', name: [{ family: 'Reads', given: ['Ruth'] }] }),
  })
  const role = {
    resourceType: 'PractitionerRole',
    practitioner: { reference: `Practitioner/${practitioner.json.id}` },
    specialty: [{ coding: [{ system: 'http://snomed.info/sct', code: '394914008' }] }],
  }
  await site.ask('/PractitionerRole', { method: 'POST', headers: json, body: JSON.stringify(role) })
  for (const type of TYPES) found.set(type, await everything(type))
})
after(() => site.close())

async function everything(type: string): Promise<Resource[]> {
  if (type === 'Binary') {
    const documents = await site.all('/DocumentReference')
    const answers = documents.map(({ id }) =>
      site.ask(`/Binary/${id}`, { headers: { accept: 'application/fhir+json' } }),
    )
    return (await Promise.all(answers)).map(({ json }) => json)
  }
  if (type !== 'Provenance') return site.all(`/${type}?_count=7`)
  const targets = ['Patient', 'ImagingStudy', 'DocumentReference', 'Organization'].map((one) => site.all(`/${one}`))
  const names = (await Promise.all(targets)).flat().map((one) => `${one.resourceType}/${one.id}`)
  return site.all(`/Provenance?target=${names.join(',')}`)
}

function assertValid(resource: Resource): void {
  assert.deepEqual(problemsOf(resource), [], `${resource.resourceType}/${resource.id}`)
  for (const { severity, details, expression } of validateResource(resource)) {
    assert.notEqual(severity, 'error', `${resource.resourceType} ${expression}: ${details?.text}`)
  }
}

for (const type of TYPES) {
  test(`${type}: valid, read as it was found, the same in XML, unchanged for who has it`, async () => {
    const resources = found.get(type) ?? []
    assert.ok(resources.length > 0, 'there is one')
    assert.equal(new Set(resources.map(({ id }) => id)).size, resources.length, 'each once, over all pages')
    for (const resource of resources) {
      assertValid(resource)
      const path = `/${type}/${resource.id}`
      const asJson = { accept: 'application/fhir+json' }
      const read = await site.ask(path, { headers: asJson })
      assert.deepEqual(read.json, resource)
      const etag = read.headers.get('etag')
      assert.equal(etag, `W/"${resource.meta?.versionId}"`)
      const again = await site.ask(path, { headers: { ...asJson, 'if-none-match': etag ?? '' } })
      assert.equal(again.status, 304)
      const xml = await site.ask(`${path}?_format=xml`)
      assert.match(xml.headers.get('content-type') ?? '', /^application\/fhir\+xml/)
      assert.deepEqual(fromXml(Buffer.from(xml.text)), resource)
      if (type === 'Binary') continue
      const version = await site.ask(`${path}/_history/${resource.meta?.versionId}`)
      assert.deepEqual(version.json, resource, 'vread of what is there now')
    }
  })
}

test('what the CapabilityStatement declares is what there is: every parameter, include and reverse include', async () => {
  const { json } = await site.ask('/metadata')
  const statement = json as unknown as CapabilityStatement
  assertValid(statement)
  const resources = statement.rest?.[0]?.resource ?? []
  assert.deepEqual(resources.map(({ type }) => type).toSorted(), TYPES.toSorted())
  for (const { type, searchParam = [], searchInclude = [], searchRevInclude = [] } of resources) {
    const start = type === 'Provenance' ? `/${type}?patient=x&` : `/${type}?`
    const value = (kind: string | undefined) =>
      ({ date: 'ge2000-01-01', number: '1', quantity: 'gt1', reference: 'Patient/x' })[kind ?? ''] ?? 'x'
    const queries = [
      ...searchParam.map(({ name, type: kind }) => `${name}=${value(kind)}`),
      ...searchInclude.map((include) => `_include=${include}`),
      ...searchRevInclude.map((include) => `_revinclude=${include}`),
    ]
    for (const query of queries) {
      const { status, text } = await site.ask(start + query, { headers: { prefer: 'handling=strict' } })
      assert.equal(status, 200, `${start}${query}: ${text.slice(0, 200)}`)
      for (const { resource } of (JSON.parse(text) as Bundle).entry ?? []) {
        assert.ok(TYPES.includes(resource?.resourceType ?? ''), 'nothing that is not served is included')
      }
    }
  }
})

// Each row finds exactly the types and numbers it names: one condition too few would find more.
const searches: readonly { readonly query: string; readonly is: Readonly<Record<string, number>> }[] = [
  { query: '/Patient?identifier=FIX-1', is: { Patient: 1 } },
  { query: '/Patient?family=fix&gender=male&birthdate=1970-01-01', is: { Patient: 1 } },
  { query: '/Patient?birthdate=gt1975', is: { Patient: 1 } },
  { query: '/Patient?family:exact=FIXTURE', is: {} },
  { query: '/Encounter?patient.identifier=FIX-1&status=in-progress', is: { Encounter: 1 } },
  { query: '/Encounter?identifier=V-77', is: { Encounter: 1 } },
  { query: '/Encounter?identifier=V-78', is: {} },
  { query: '/ServiceRequest?identifier=F1', is: { ServiceRequest: 1 } },
  { query: '/ServiceRequest?identifier=P1', is: { ServiceRequest: 1 } },
  {
    query: '/ServiceRequest?identifier=A-1&_include=ServiceRequest:encounter',
    is: { ServiceRequest: 1, Encounter: 1 },
  },
  { query: '/ServiceRequest?status=active', is: {} },
  { query: '/ImagingStudy?patient.family=Fixture&modality=CT', is: { ImagingStudy: 1 } },
  { query: '/ImagingStudy?identifier=A-2&_include=ImagingStudy:patient', is: { ImagingStudy: 1, Patient: 1 } },
  { query: '/ImagingStudy?identifier=A-1&_include=ImagingStudy:endpoint', is: { ImagingStudy: 1, Endpoint: 2 } },
  { query: '/ImagingStudy?started=2024-02-29', is: { ImagingStudy: 2 } },
  { query: '/ImagingStudy?started=lt2024-02-27', is: {} },
  { query: '/ImagingStudy?modality=ECG&_revinclude=Observation:derived-from', is: { ImagingStudy: 1, Observation: 4 } },
  { query: '/Observation?code=http://loinc.org|11524-6', is: { Observation: 1 } },
  { query: '/Observation?code=73569-6&_include=Observation:has-member', is: { Observation: 7 } },
  { query: '/Observation?code=73569-6&patient.identifier=LOCAL-7', is: { Observation: 1 } },
  { query: '/Observation?component-code=http://loinc.org|8633-0', is: { Observation: 1 } },
  { query: '/Observation?_id=none', is: {} },
  { query: '/DiagnosticReport?code=18748-4&status=final', is: { DiagnosticReport: 2 } },
  { query: '/DiagnosticReport?based-on.identifier=A-1', is: { DiagnosticReport: 2 } },
  { query: '/DiagnosticReport?patient.identifier=FIX-1&date=2024', is: { DiagnosticReport: 2 } },
  { query: '/DocumentReference?patient.identifier=FIX-1&author.family=Reads', is: { DocumentReference: 1 } },
  { query: '/DocumentReference?setting=394914008&status=current', is: { DocumentReference: 1 } },
  {
    query: '/List?patient.identifier=FIX-1&code=submissionset&_include=List:item',
    is: { List: 1, DocumentReference: 1 },
  },
  { query: '/Device?manufacturer=nobody', is: {} },
  { query: '/Organization?name:contains=lin&_revinclude=PractitionerRole:organization', is: { Organization: 1 } },
  {
    query: '/PractitionerRole?practitioner.family=reads&_include=PractitionerRole:practitioner',
    is: { PractitionerRole: 1, Practitioner: 1 },
  },
  { query: '?_type=Organization,Practitioner&_count=1', is: { Organization: 1, Practitioner: 1 } },
]

for (const { query, is } of searches) {
  test(`search: ${query}`, async () => {
    const counts: Record<string, number> = {}
    for (const { resourceType } of await site.all(query, { prefer: 'handling=strict' })) {
      counts[resourceType] = (counts[resourceType] ?? 0) + 1
    }
    assert.deepEqual(counts, is)
  })
}

test('search by POST finds what GET finds; the self link says what was used, what was not is left out of it', async () => {
  const got = await site.ask('/Observation?code=11524-6&nonsense=1')
  const posted = await site.ask('/Observation/_search', {
    method: 'POST',
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    body: 'code=11524-6&nonsense=1',
  })
  assert.deepEqual(posted.json, got.json)
  const [self] = (got.json as unknown as Bundle).link ?? []
  assert.equal(self?.url, `${site.fhir}/Observation?code=11524-6`)
  const strict = await site.ask('/Observation?nonsense=1', { headers: { prefer: 'handling=strict' } })
  assert.equal(strict.status, 400)
  assert.equal(strict.json.resourceType, 'OperationOutcome')
})

test('next links stay true while more comes in', async () => {
  const first = await site.ask('/ImagingStudy?_count=1')
  const bundle = first.json as unknown as Bundle
  const next = bundle.link?.find(({ relation }) => relation === 'next')?.url ?? assert.fail('a second page')
  const again = await site.ask(next)
  assert.deepEqual((await site.ask(next)).json, again.json)
  assert.notEqual((again.json as unknown as Bundle).entry?.[0]?.resource?.id, bundle.entry?.[0]?.resource?.id)
  const broken = await site.ask(next.replace(/_cursor=....../, '_cursor=Abcdef'))
  assert.equal(broken.status, 400, 'a cursor nobody gave')
})

test('_summary, _elements and _total', async () => {
  const count = (await site.ask('/Observation?_summary=count')).json as unknown as Bundle
  assert.deepEqual([count.total, count.entry], [8, undefined])
  const total = (await site.ask('/Observation?_total=accurate&_count=1')).json as unknown as Bundle
  assert.deepEqual([total.total, total.entry?.length], [8, 1])
  const [some] = await site.all('/Observation?code=11524-6&_elements=code')
  assert.deepEqual(Object.keys(some ?? {}).toSorted(), ['code', 'id', 'meta', 'resourceType', 'status'])
  assert.equal(some?.meta?.tag?.[0]?.code, 'SUBSETTED')
  assertValid(some as Resource)
  const text = (await site.all('/Observation?code=11524-6&_summary=true'))[0] as Observation
  assert.equal(text.meta?.tag?.[0]?.code, 'SUBSETTED')
})

test('a dose report is a summary with its irradiations, an ECG what its recorder measured', () => {
  const observations = (found.get('Observation') ?? []) as Observation[]
  const summaries = observations.filter(({ code }) => code?.coding?.[0]?.code === '73569-6')
  assert.equal(summaries.length, 2)
  for (const { hasMember = [] } of summaries) {
    for (const { reference } of hasMember) {
      assert.ok(observations.some(({ id }) => reference === `Observation/${id}`))
    }
  }
  const values = observations.flatMap(({ component = [] }) => component)
  const dlp = values.find(({ code }) => code?.coding?.some((one) => one.code === '113813'))
  assert.deepEqual(dlp?.valueQuantity, {
    ...{ value: 312.4, unit: 'mGy.cm', system: 'http://unitsofmeasure.org', code: 'mGy.cm' },
  })
  const duration = values.find(({ code }) => code?.coding?.some((one) => one.code === '8633-0'))
  assert.equal(duration?.valueQuantity?.code, 'ms')
})

test('orders and visits hang together with the patient', () => {
  const [encounter] = (found.get('Encounter') ?? []) as Encounter[]
  assert.equal(encounter?.period?.start, '2024-02-28')
  const [request] = found.get('ServiceRequest') ?? []
  assert.deepEqual((request as { encounter?: unknown }).encounter, { reference: `Encounter/${encounter?.id}` })
  assert.equal((request as { priority?: string }).priority, 'stat')
})

// The real collection has what nobody thinks of: series without a modality, units nobody knows, names in every script.
test('everything that the sample collection becomes is valid', {
  skip: existsSync(samples) ? false : 'no samples',
  timeout: 120_000,
}, async () => {
  const files = ['sr', 'waveform', 'encapsulated', 'part10', 'kos', 'presentation'].flatMap((folder) =>
    globSync(join(samples, folder, '**/*.dcm')),
  )
  assert.ok(files.length > 20, `${files.length} files`)
  for (const file of files) {
    const bytes = readFileSync(file)
    if (bytes.byteLength > 4 * 1024 * 1024) continue
    await fetch(`${site.url}/dicom-web/studies`, {
      method: 'POST',
      headers: { ...site.admin, 'content-type': 'multipart/related; type="application/dicom"; boundary=part' },
      body: Buffer.concat([
        Buffer.from('--part\r\nContent-Type: application/dicom\r\n\r\n'),
        bytes,
        Buffer.from('\r\n--part--\r\n'),
      ]),
    })
  }
  let seen = 0
  for (const type of TYPES.filter((one) => one !== 'Binary' && one !== 'AuditEvent')) {
    for (const resource of await everything(type)) {
      assertValid(resource)
      seen++
    }
  }
  assert.ok(seen > 100, `${seen} resources`)
})
