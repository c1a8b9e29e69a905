/** IHE PDQm and PIXm with the people of their own examples: fed, found, matched, cross-referenced, merged. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import type { Bundle, OperationOutcome, Parameters, Patient } from '@medplum/fhirtypes'
import { loadDefinitions } from '#standards/fhir/definitions.ts'
import { type Json, toXml } from '#standards/fhir/xml-write.ts'
import { type MhdSite, openMhdSite, type Told } from '../support/mhd-site.ts'

const RED = 'urn:oid:1.3.6.1.4.1.21367.13.20.1000'
const GREEN = 'urn:oid:1.3.6.1.4.1.21367.13.20.2000'
const BLUE = 'urn:oid:1.3.6.1.4.1.21367.13.20.3000'
const MOTHER = 'http://hl7.org/fhir/StructureDefinition/patient-mothersMaidenName'

let site: MhdSite
before(async () => {
  loadDefinitions()
  site = await openMhdSite('pdqm-pixm')
})
after(() => site.close())

const alice = (more: Partial<Patient> = {}): Patient => ({
  resourceType: 'Patient',
  identifier: [{ system: RED, value: 'IHERED-994' }],
  active: true,
  name: [{ family: 'MOHR', given: ['ALICE'] }],
  gender: 'female',
  birthDate: '1958-01-30',
  ...more,
})

const feed = (identifier: string, body: Patient | string, headers: Record<string, string> = {}): Promise<Told> =>
  site.ask(`/Patient?identifier=${identifier}`, {
    method: 'PUT',
    headers: { 'content-type': 'application/fhir+json', ...headers },
    body: typeof body === 'string' ? body : JSON.stringify(body),
  })

const pix = (query: string): Promise<Told> => site.ask(`/Patient/$ihe-pix?${query}`)
const given = (told: Told) =>
  ((told.json as unknown as Parameters).parameter ?? []).map(({ name, valueIdentifier, valueReference }) =>
    name === 'targetId' ? (valueReference?.reference ?? '') : `${valueIdentifier?.system}|${valueIdentifier?.value}`,
  )
const issueOf = (told: Told) => (told.json as unknown as OperationOutcome).issue?.[0]

test('ITI-104: a patient is added, revised, in JSON and XML; what cannot be kept is named', async () => {
  const added = await feed(`${RED}|IHERED-994`, alice({ name: [{ family: 'MOHR', given: ['ALISSA'] }] }))
  assert.equal(added.status, 201, added.text)
  assert.equal(added.headers.get('location'), `${site.fhir}/Patient/${added.json.id}`)
  const more = alice({
    identifier: [
      { system: RED, value: 'IHERED-994' },
      { system: BLUE, value: 'IHEBLUE-994' },
    ],
    telecom: [{ system: 'phone', value: '+1 555 0100' }],
    address: [{ line: ['820 Jorie Blvd'], city: 'Oak Brook', postalCode: '60523', country: 'USA' }],
    extension: [{ url: MOTHER, valueString: 'Smith' }],
  })
  const xml = toXml(more as unknown as Json)
  const revised = await feed(`${RED}|IHERED-994`, xml, { 'content-type': 'application/fhir+xml' })
  assert.equal(revised.status, 200, revised.text)
  const now = (await site.ask(`/Patient/${added.json.id}`)).json as Patient
  assert.deepEqual(now.name?.[0]?.given, ['ALICE'])
  assert.equal(now.identifier?.length, 2)
  for (const [query, body, status, element] of [
    [`${RED}|other`, alice(), 422, 'Patient.identifier'],
    [`${RED}|IHERED-994`, alice({ name: [] }), 422, 'Patient.name'],
    [`${RED}|IHERED-994`, alice({ active: false }), 422, 'Patient.active'],
    ['IHERED-994', alice(), 400, 'identifier'],
    [`${RED}|a\\b`, alice({ identifier: [{ system: RED, value: 'a\\b' }] }), 422, 'Patient.identifier'],
    [
      `${RED}|IHERED-994`,
      alice({ link: [{ type: 'replaced-by', other: { identifier: { system: RED, value: 'nobody' } } as never }] }),
      422,
      'Patient.link[0].other',
    ],
  ] as const) {
    const refused = await feed(query, body)
    assert.equal(refused.status, status, refused.text)
    assert.deepEqual(issueOf(refused)?.expression, [element])
  }
})

test('ITI-83: numbers of other domains; what is not known has its own answer', async () => {
  const all = await pix(`sourceIdentifier=${RED}|IHERED-994`)
  assert.equal(all.status, 200, all.text)
  const [{ id } = {}] = await site.all(`/Patient?identifier=${RED}|IHERED-994`)
  assert.deepEqual(given(all), [`${BLUE}|IHEBLUE-994`, `${site.fhir}/Patient/${id}`])
  assert.deepEqual(given(await pix(`sourceIdentifier=${BLUE}|IHEBLUE-994&targetSystem=${RED}`)), [`${RED}|IHERED-994`])
  const own = await pix(`sourceIdentifier=${site.fhir}|Patient/${id}&targetSystem=${BLUE}`)
  assert.deepEqual(given(own), [`${BLUE}|IHEBLUE-994`])
  for (const [query, status, code, text] of [
    [`sourceIdentifier=${RED}|nobody`, 404, 'not-found', 'sourceIdentifier Patient Identifier not found'],
    ['sourceIdentifier=urn:oid:9.9|1', 400, 'code-invalid', 'sourceIdentifier Assigning Authority not found'],
    [`sourceIdentifier=${RED}|IHERED-994&targetSystem=urn:oid:9.9`, 403, 'code-invalid', 'targetSystem not found'],
    ['sourceIdentifier=IHERED-994', 400, 'required', undefined],
    ['', 400, 'required', undefined],
  ] as const) {
    const refused = await pix(query)
    assert.equal(refused.status, status, query)
    assert.equal(issueOf(refused)?.code, code)
    if (text !== undefined) assert.equal(issueOf(refused)?.diagnostics, text)
  }
  assert.equal((await pix(`sourceIdentifier=${RED}|IHERED-994&_format=text/csv`)).status, 406)
  const xml = await pix(`sourceIdentifier=${RED}|IHERED-994&_format=application/fhir%2Bxml`)
  assert.match(xml.text, /^<\?xml.*\?>\n<Parameters xmlns="http:\/\/hl7.org\/fhir">/)
})

test('ITI-104: a duplicate is resolved; its number leads to who survives and is given no more', async () => {
  const maiden = alice({
    identifier: [{ system: RED, value: 'IHERED-m94' }],
    name: [{ family: 'MAIDEN', given: ['ALICE'] }],
  })
  assert.equal((await feed(`${RED}|IHERED-m94`, maiden)).status, 201)
  const link: Patient['link'] = [
    { type: 'replaced-by', other: { identifier: { system: RED, value: 'IHERED-994' } } as never },
  ]
  const resolved = await feed(`${RED}|IHERED-m94`, { ...maiden, active: false, link })
  assert.equal(resolved.status, 200, resolved.text)
  assert.equal((resolved.json as Patient).active, false)
  assert.equal((resolved.json as Patient).link?.[0]?.type, 'replaced-by')
  assert.equal((await feed(`${RED}|IHERED-m94`, { ...maiden, active: false, link })).status, 200, 'said again')
  assert.deepEqual(given(await pix(`sourceIdentifier=${RED}|IHERED-m94&targetSystem=${BLUE}`)), [`${BLUE}|IHEBLUE-994`])
  assert.ok(!(await pix(`sourceIdentifier=${BLUE}|IHEBLUE-994`)).text.includes('IHERED-m94'))
})

test('ITI-78: each parameter, their combinations, domains, both formats', async () => {
  await feed(`${GREEN}|IHEGREEN-995`, {
    ...alice({ identifier: [{ system: GREEN, value: 'IHEGREEN-995' }], gender: 'male', birthDate: '1959-02-28' }),
    name: [{ family: 'MOHR', given: ['ALBERT'] }],
  })
  for (const [query, count] of [
    ['family=MOHR', 2],
    ['family=mo', 2],
    ['family:exact=MOHR', 2],
    ['family:exact=mohr', 0],
    ['given=alice', 2],
    ['family=MOHR&gender=female', 1],
    ['birthdate=1958-01-30&family=MOHR', 1],
    ['birthdate=lt1958-06-01&family=MOHR', 1],
    ['family=MOHR,SCHMIDT', 3],
    ['family=MOHR&given=nobody', 0],
    ['active=true&family=M', 2],
    ['active=false', 1],
    [`identifier=${RED}|IHERED-994&active=true`, 1],
    [`identifier=${RED}|,${GREEN}|&active=true`, 2],
    ['telecom=%2B1 555 0100', 1],
    ['address=Jorie', 1],
    ['mothersMaidenName=smith', 1],
    ['mothersMaidenName:exact=smith', 0],
    ['family=nobody', 0],
  ] as const) {
    const { status, json, text } = await site.ask(`/Patient?${query}`)
    assert.equal(status, 200, text)
    assert.equal(json['total'], count, `${query}: ${text.slice(0, 400)}`)
  }
  const within = await site.all(`/Patient?family=MOHR&gender=female&identifier=${BLUE}|`)
  assert.deepEqual((within[0] as Patient | undefined)?.identifier, [
    { use: 'secondary', system: BLUE, value: 'IHEBLUE-994' },
  ])
  const unknown = await site.ask('/Patient?family=MOHR&identifier=urn:oid:9.9|')
  assert.equal(unknown.status, 404)
  assert.equal(issueOf(unknown)?.diagnostics, 'targetSystem not found')
  const form = await site.ask('/Patient/_search', {
    method: 'POST',
    headers: { 'content-type': 'application/x-www-form-urlencoded', accept: 'application/fhir+xml' },
    body: 'family=MOHR&gender=male',
  })
  assert.match(form.text, /<total value="1"\/>/)
})

test('ITI-119: certain takes a number that fits; a name alone is only possible', async () => {
  const match = (body: object) =>
    site.ask('/Patient/$match', {
      method: 'POST',
      headers: { 'content-type': 'application/fhir+json' },
      body: JSON.stringify(body),
    })
  const graded = (told: Told) =>
    ((told.json as unknown as Bundle).entry ?? []).map(({ resource, search }) => {
      const { name } = resource as Patient
      return `${search?.extension?.[0]?.valueCode} ${name?.[0]?.given?.[0]}`
    })
  assert.deepEqual(graded(await match(alice())), ['certain ALICE'])
  const { identifier: _, ...nameless } = alice()
  assert.deepEqual(graded(await match(nameless)), ['probable ALICE'])
  const parameters = (...more: object[]) => ({
    resourceType: 'Parameters',
    parameter: [{ name: 'resource', resource: nameless }, ...more],
  })
  assert.deepEqual(graded(await match(parameters({ name: 'onlyCertainMatches', valueBoolean: true }))), [])
  assert.equal(graded(await match(parameters({ name: 'count', valueInteger: 1 }))).length, 1)
  const other = alice({ birthDate: '1999-09-09', name: [{ family: 'ELSE', given: ['SOMEBODY'] }] })
  assert.ok(!graded(await match(other)).some((one) => one.startsWith('certain')), 'the number of somebody else')
  assert.deepEqual(graded(await match({ resourceType: 'Patient', name: [{ family: 'Unheard' }] })), [])
  for (const [body, status] of [
    [{ resourceType: 'Patient' }, 422],
    [{ resourceType: 'Parameters', parameter: [{ name: 'else', valueString: 'x' }] }, 400],
    [{ resourceType: 'Device' }, 400],
  ] as const) {
    assert.equal((await match(body)).status, status)
  }
})
