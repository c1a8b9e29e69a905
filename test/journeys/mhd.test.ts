/** IHE MHD 4.2 as a Document Source and a Document Consumer use it: published, found, retrieved, replaced, sent again. */
import assert from 'node:assert/strict'
import { existsSync, globSync, readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { after, before, test } from 'node:test'
import type { Bundle, CapabilityStatement, DocumentReference, List, Resource } from '@medplum/fhirtypes'
import { loadDefinitions } from '#standards/fhir/definitions.ts'
import { type Json, toXml } from '#standards/fhir/xml-write.ts'
import {
  address,
  DEE,
  folder,
  MHD,
  PATIENTS,
  placesOf,
  provideBundle,
  type Sent,
  statusesOf,
  supersedes,
} from '../support/mhd-bundles.ts'
import { type MhdSite, openMhdSite } from '../support/mhd-site.ts'

const samples = process.env['DIPTYCH_SAMPLES'] ?? join(import.meta.dirname, '../../../shared/data')
const JSON_TYPE = { 'content-type': 'application/fhir+json' }
let site: MhdSite
let dee: string

before(async () => {
  loadDefinitions()
  site = await openMhdSite('mhd')
  dee = site.dee
})
after(() => site.close())

const post: MhdSite['post'] = (bundle, headers) => site.post(bundle, headers)

async function published(bundle: Bundle): Promise<string[]> {
  const answer = await post(bundle)
  assert.equal(answer.status, 200, answer.text)
  assert.equal(answer.json['type'], 'transaction-response')
  return placesOf(answer.json)
}

async function bytesOf(reference: string | undefined): Promise<Buffer> {
  const { json } = await site.ask(`/${reference}`)
  const url = (json as DocumentReference).content?.[0]?.attachment?.url ?? ''
  const answer = await fetch(url, { headers: site.admin })
  assert.equal(answer.status, 200)
  return Buffer.from(await answer.arrayBuffer())
}

const status = async (reference: string | undefined) => (await site.ask(`/${reference}`)).json['status']

test('the sample of IHE is published, found and retrieved as it came; in XML too', {
  skip: !existsSync(join(samples, 'fhir/mhd')),
}, async () => {
  const text = readFileSync(join(samples, 'fhir/mhd/iti-65-comprehensive-provide-bundle.json'), 'utf8')
  // Its subject stands on a server of the community; the patient as the source knows them is known here.
  const answer = await post(text)
  assert.equal(answer.status, 200, answer.text)
  assert.deepEqual(statusesOf(answer.json), ['201', '201', '201'])
  const [set, document, binary] = placesOf(answer.json)
  assert.match(binary ?? '', /^Binary\//)
  assert.equal((await bytesOf(document)).toString(), 'Hello World')
  const found = await site.all(`/List?patient.identifier=${PATIENTS}|${DEE.id}&code=submissionset&status=current`)
  assert.ok(found.some(({ id }) => `List/${id}` === set))
  const kept = (await site.ask(`/${document}`)).json as DocumentReference
  assert.equal(kept.subject?.reference, dee)
  assert.equal(kept.content?.[0]?.attachment?.hash, 'Ck1VqNd45QIvq3AZd8XYQLvEhtA=')

  const again = await post(toXml(JSON.parse(text) as Json), { 'content-type': 'application/fhir+xml' })
  assert.equal(again.status, 200, again.text)
  assert.deepEqual(statusesOf(again.json), ['200', '200', '200'], 'the same submission in XML is a retry')
  assert.deepEqual(placesOf(again.json), [set, document, binary])
})

test('every CDA document of the collection comes back byte for byte, with its hash and size', {
  skip: !existsSync(join(samples, 'cda')),
}, async () => {
  const files = globSync('cda/{c-cda-examples,embedded-content}/*.{xml,ccda}', { cwd: samples }).sort()
  assert.ok(files.length >= 8)
  const sent = files.map((file, i): Sent => {
    return { n: 100 + i, bytes: readFileSync(join(samples, file)), contentType: 'text/xml' }
  })
  const places = await published(provideBundle(100, sent))
  for (const [i, { bytes }] of sent.entries()) {
    assert.ok(Buffer.from(bytes).equals(await bytesOf(places[1 + i])), basename(files[i] ?? ''))
  }
})

test('a bundle sent again keeps nothing twice; the same set with other documents is refused', async () => {
  const bundle = provideBundle(1, [
    { n: 1, bytes: 'one' },
    { n: 2, bytes: 'two' },
  ])
  const places = await published(bundle)
  const again = await post(bundle)
  assert.deepEqual(placesOf(again.json), places)
  assert.deepEqual(statusesOf(again.json), ['200', '200', '200', '200', '200'])
  for (const place of places.slice(0, 3)) assert.equal((await site.ask(`/${place}`)).json.meta?.versionId, '1')
  const other = await post(provideBundle(1, [{ n: 3, bytes: 'three' }]))
  assert.equal(other.status, 409, other.text)
  assert.match(other.text, /XDSDuplicateUniqueIdInRegistry/)
  assert.match(other.text, /"expression":\["Bundle.entry\[0\].resource.identifier"\]/)
  assert.equal((await site.all('/DocumentReference?identifier=urn:oid:1.2.3.4.65.3')).length, 0)
  const changed = await post(provideBundle(2, [{ n: 1, bytes: 'not one' }]))
  assert.equal(changed.status, 409)
  assert.match(changed.text, /XDSNonIdenticalHash/)
})

test('replaced: the old one is superseded with what depends on it, the chain is read both ways', async () => {
  const [, old, ,] = await published(provideBundle(10, [{ n: 10, bytes: 'first version' }]))
  const target = { reference: old ?? '' }
  const [, appended] = await published(
    provideBundle(11, [{ n: 11, bytes: 'addendum', relatesTo: [{ code: 'appends', target }] }]),
  )
  const [, signature] = await published(
    provideBundle(12, [{ n: 12, bytes: 'signature', relatesTo: [{ code: 'signs', target }] }]),
  )
  const bundle = provideBundle(13, [{ n: 13, bytes: 'second version', relatesTo: [{ code: 'replaces', target }] }], {
    more: [supersedes(old ?? '')],
  })
  const answer = await post(bundle)
  assert.equal(answer.status, 200, answer.text)
  assert.deepEqual(statusesOf(answer.json), ['201', '201', '201', '200'])
  const [, young] = placesOf(answer.json)
  assert.equal(placesOf(answer.json)[3], old)
  assert.equal(await status(old), 'superseded')
  assert.equal(await status(appended), 'superseded', 'an addendum goes with what it belongs to')
  assert.equal(await status(signature), 'current')
  assert.equal(await status(young), 'current')
  const { relatesTo } = (await site.ask(`/${young}`)).json as DocumentReference
  assert.deepEqual(relatesTo, [{ code: 'replaces', target: { reference: old } }])
  const current = await site.all(`/DocumentReference?patient=${dee}&status=current&identifier=urn:oid:1.2.3.4.65.10`)
  assert.deepEqual(current, [])
  assert.equal((await bytesOf(old)).toString(), 'first version', 'what is superseded can still be retrieved')

  const again = await post(bundle)
  assert.deepEqual(statusesOf(again.json), ['200', '200', '200', '200'], again.text)
  assert.equal((await site.ask(`/${old}`)).json.meta?.versionId, '2', 'superseded once')

  const late = provideBundle(14, [{ n: 14, bytes: 'third', relatesTo: [{ code: 'replaces', target }] }])
  const refused = await post(late)
  assert.equal(refused.status, 422)
  assert.match(refused.text, /XDSRegistryDeprecatedDocumentError/)
  assert.match(refused.text, /"Bundle.entry\[1\].resource.relatesTo\[0\]"/)
})

test('deprecated without a successor: the status is patched, by who may change documents', async () => {
  const [, document] = await published(provideBundle(20, [{ n: 20, bytes: 'sent in error' }]))
  const set = provideBundle(21, [{ n: 21, bytes: 'a note that says so' }], { more: [supersedes(document ?? '')] })
  const sender = await site.token({ role: 'sender' })
  const denied = await post(set, { authorization: `Bearer ${sender}` })
  assert.ok(denied.status === 403 || denied.status === 404, denied.text)
  assert.equal((await site.all('/DocumentReference?identifier=urn:oid:1.2.3.4.65.21')).length, 0, 'nothing was kept')
  await published(set)
  assert.equal(await status(document), 'superseded')
  const patched = await site.ask(`/${document}`, {
    method: 'PATCH',
    headers: { 'content-type': 'application/json-patch+json' },
    body: JSON.stringify([{ op: 'replace', path: '/status', value: 'current' }]),
  })
  assert.equal(patched.status, 200, patched.text)
})

test('folders are made, filled with what comes later, and found', async () => {
  const made = provideBundle(30, [{ n: 30, bytes: 'in the folder' }], {
    more: [{ fullUrl: address(300), resource: folder(30, [address(30)]), request: { method: 'POST', url: 'List' } }],
  })
  const [, first, , place] = await published(made)
  const kept = (await site.ask(`/${place}`)).json as List
  assert.deepEqual(kept.entry, [{ item: { reference: first } }])
  const entry = [...(kept.entry ?? []), { item: { reference: address(31) } }]
  const more = provideBundle(31, [{ n: 31, bytes: 'added later' }], {
    more: [{ fullUrl: address(301), resource: { ...kept, entry }, request: { method: 'PUT', url: place ?? '' } }],
  })
  const answer = await post(more)
  assert.equal(answer.status, 200, answer.text)
  const [, second] = placesOf(answer.json)
  const now = (await site.ask(`/${place}`)).json as List
  assert.deepEqual(now.entry, [{ item: { reference: first } }, { item: { reference: second } }])
  assert.equal(now.meta?.versionId, '2')
  const found = await site.all(`/List?patient=${dee}&code=folder&status=current&identifier=urn:oid:1.2.3.4.67.30`)
  assert.equal(found.length, 1)
})

test('who a subject is: this archive, an identifier, a patient of the bundle, a contained one', async () => {
  const patient = { resourceType: 'Patient' as const, identifier: [{ system: PATIENTS, value: DEE.id }] }
  const contained = { contained: [{ ...patient, id: 'me' }] } as Partial<DocumentReference>
  const minimal = { profile: 'Minimal' } as const
  const without = { context: {}, author: [] } as Partial<DocumentReference>
  const cases: [string, Bundle][] = [
    [
      'Patient/id',
      provideBundle(40, [{ n: 40, bytes: 'a', subject: { reference: dee } }], { set: { subject: { reference: dee } } }),
    ],
    [
      'absolute address of ours',
      provideBundle(41, [{ n: 41, bytes: 'b', subject: { reference: `${site.fhir}/${dee}` } }], {
        set: { subject: { reference: `${site.fhir}/${dee}` } },
      }),
    ],
    [
      'logical reference',
      provideBundle(42, [{ n: 42, bytes: 'c', subject: { identifier: { system: PATIENTS, value: DEE.id } } }], {
        set: { subject: { identifier: { system: PATIENTS, value: DEE.id } } },
      }),
    ],
    [
      'contained',
      provideBundle(43, [{ n: 43, bytes: 'd', subject: { reference: '#me' }, said: { ...contained, ...without } }], {
        ...minimal,
        set: { subject: { reference: dee } },
      }),
    ],
    [
      'of the bundle',
      provideBundle(
        44,
        [{ n: 44, bytes: 'e', subject: { reference: address(440) }, said: { contained: [], ...without } }],
        {
          ...minimal,
          set: { subject: { reference: address(440) } },
          more: [{ fullUrl: address(440), resource: patient, request: { method: 'POST', url: 'Patient' } }],
        },
      ),
    ],
  ]
  for (const [name, bundle] of cases) {
    const places = await published(bundle)
    const kept = (await site.ask(`/${places[1]}`)).json as DocumentReference
    assert.equal(kept.subject?.reference, dee, name)
    assert.equal(((await site.ask(`/${places[0]}`)).json as List).subject?.reference, dee, name)
    if (name === 'of the bundle') assert.equal(places[3], dee)
  }
  const elsewhere = { reference: 'https://elsewhere.example/fhir/Patient/1' }
  const stranger = provideBundle(45, [{ n: 45, bytes: 'f', subject: elsewhere, said: { contained: [], ...without } }], {
    ...minimal,
    set: { subject: elsewhere },
  })
  const refused = await post(stranger)
  assert.equal(refused.status, 422)
  assert.match(refused.text, /XDSUnknownPatientId/)
  assert.match(refused.text, /"Bundle.entry\[1\].resource.subject"/)
})

test('either spelling of the profile, with a version or without; a FHIR document as it is', async () => {
  const spelt = [
    `${MHD}/StructureDefinition/IHE.MHD.Minimal.ProvideBundle`.replace('https', 'http'),
    `${MHD}/StructureDefinition/IHE.MHD.UnContained.Comprehensive.ProvideBundle|4.2.3`,
  ]
  for (const [i, profile] of spelt.entries()) {
    const bundle = provideBundle(50 + i, [{ n: 50 + i, bytes: `spelt ${i}` }])
    await published({ ...bundle, meta: { profile: [profile] } })
    const wrong = provideBundle(60 + i, [{ n: 60 + i, bytes: 'x', said: { masterIdentifier: undefined as never } }])
    assert.equal((await post({ ...wrong, meta: { profile: [profile] } })).status, 422, 'both are MHD')
  }
  const inner: Bundle = {
    resourceType: 'Bundle',
    type: 'document',
    identifier: { system: 'urn:ietf:rfc:3986', value: 'urn:oid:1.2.3.4.99' },
    timestamp: '2026-05-01T09:00:00Z',
    entry: [
      {
        fullUrl: 'urn:uuid:00000000-0000-4000-8000-00000000c001',
        resource: {
          resourceType: 'Composition',
          status: 'final',
          type: { coding: [{ system: 'http://loinc.org', code: '60591-5' }] },
          date: '2026-05-01T09:00:00Z',
          author: [{ display: 'Dr. Test' }],
          title: 'Summary',
        },
      },
    ],
  }
  const sent: Sent = { n: 55, bytes: '', contentType: 'application/fhir+json' }
  const bundle = provideBundle(55, [sent])
  const [, reference, binary] = bundle.entry ?? []
  const attachment = (reference?.resource as DocumentReference | undefined)?.content?.[0]?.attachment
  delete attachment?.hash
  delete attachment?.size
  if (binary !== undefined) Object.assign(binary, { resource: inner, request: { method: 'POST', url: 'Bundle' } })
  const places = await published(bundle)
  assert.deepEqual(JSON.parse((await bytesOf(places[1])).toString()), inner)
})

test('ITI-105: one DocumentReference with its bytes makes Binary and submission set, once', async () => {
  const document = {
    resourceType: 'DocumentReference',
    masterIdentifier: { system: 'urn:ietf:rfc:3986', value: 'urn:oid:1.2.3.4.105' },
    status: 'current',
    subject: { reference: dee },
    content: [{ attachment: { contentType: 'text/plain', data: Buffer.from('Hello World').toString('base64') } }],
  }
  const init = { method: 'POST', headers: JSON_TYPE, body: JSON.stringify(document) }
  const made = await site.ask('/DocumentReference', init)
  assert.equal(made.status, 201, made.text)
  const kept = made.json as unknown as DocumentReference
  assert.equal(kept.content?.[0]?.attachment?.data, undefined)
  assert.equal((await bytesOf(`DocumentReference/${kept.id}`)).toString(), 'Hello World')
  const sets = () => site.all(`/List?code=submissionset&status=current&item=DocumentReference/${kept.id}`)
  assert.equal((await sets()).length, 1)
  const again = await site.ask('/DocumentReference', init)
  assert.equal(again.status, 200, again.text)
  assert.equal(again.json.id, kept.id)
  assert.equal((await sets()).length, 1)
  const damaged = structuredClone(document)
  Object.assign(damaged.content[0]?.attachment ?? {}, { hash: Buffer.alloc(20).toString('base64') })
  damaged.masterIdentifier.value = 'urn:oid:1.2.3.4.1051'
  const refused = await site.ask('/DocumentReference', { ...init, body: JSON.stringify(damaged) })
  assert.equal(refused.status, 422)
  assert.match(refused.text, /DocumentReference.content\[0\].attachment.hash/)
})

test('ITI-106: a document that says enough of itself is kept with metadata of its own', {
  skip: !existsSync(join(samples, 'cda')),
}, async () => {
  const bytes = readFileSync(join(samples, 'cda/c-cda-examples/Diagnostic_Imaging_Report.xml'))
  const generate = (data: string) =>
    site.ask('/DocumentReference/$generate-metadata', {
      method: 'POST',
      headers: JSON_TYPE,
      body: JSON.stringify({
        resourceType: 'Parameters',
        parameter: [{ name: 'document', resource: { resourceType: 'Binary', contentType: 'text/xml', data } }],
      }),
    })
  const unknown = await generate(bytes.toString('base64'))
  assert.equal(unknown.status, 422)
  assert.match(unknown.text, /XDSUnknownPatientId/)
  await site.register('2.16.840.1.113883.19.5', '12345', 'Everyman^Adam')
  const made = await generate(bytes.toString('base64'))
  assert.equal(made.status, 200, made.text)
  const [{ valueReference }] = made.json['parameter'] as [{ valueReference: { reference: string } }]
  const kept = (await site.ask(`/${valueReference.reference}`)).json as DocumentReference
  assert.equal(kept.type?.coding?.[0]?.code, '18748-4')
  assert.ok(bytes.equals(await bytesOf(valueReference.reference)))
  assert.equal((await site.all(`/List?code=submissionset&item=${valueReference.reference}`)).length, 1)
  const plain = await generate(Buffer.from('only words').toString('base64'))
  assert.equal(plain.status, 422)
  assert.match(plain.text, /"Parameters.parameter\[0\].resource"/)
})

test('ITI-66 and ITI-67: every parameter finds what it should, and nothing else', async () => {
  const [set, document] = await published(
    provideBundle(70, [
      {
        n: 70,
        bytes: 'searched for',
        said: {
          type: { coding: [{ system: 'http://loinc.org', code: '11502-2' }] },
          category: [{ coding: [{ system: 'http://loinc.org', code: '26436-6' }] }],
          context: {
            event: [{ coding: [{ system: 'urn:example', code: 'EV1' }] }],
            period: { start: '2019-04-30T08:00:00Z', end: '2019-04-30T09:00:00Z' },
            facilityType: { coding: [{ system: 'urn:example', code: 'FAC' }] },
            practiceSetting: { coding: [{ system: 'urn:example', code: 'SET' }] },
            sourcePatientInfo: { reference: '#source' },
            related: [{ identifier: { system: 'urn:example:acc', value: 'ACC-70' } }],
          },
        },
      },
    ]),
  )
  const one = `DocumentReference?patient=${dee}&status=current`
  const has: [string, string][] = [
    [`${one}&type=http://loinc.org|11502-2`, 'type=http://loinc.org|0'],
    [`${one}&category=26436-6`, 'category=0'],
    [`${one}&setting=urn:example|SET`, 'setting=other'],
    [`${one}&facility=FAC`, 'facility=other'],
    [`${one}&event=EV1`, 'event=other'],
    [`${one}&format=urn:ihe:iti:xds:2017:mimeTypeSufficient&type=11502-2`, 'format=other'],
    [`${one}&security-label=N&type=11502-2`, 'security-label=V'],
    [`${one}&period=2019-04-30`, 'period=2019-04-29'],
    [`${one}&period=ge2019-04-01&period=lt2019-05-01`, 'period=lt2018-01-01'],
    [`${one}&creation=ge2026-05-01&type=11502-2`, 'creation=lt2000-01-01'],
    [`${one}&date=ge2020-01-01&type=11502-2`, 'date=lt2000-01-01'],
    [`${one}&author.family=welby&author.given=mar&type=11502-2`, 'author.family=nobody'],
    [`${one}&identifier=urn:ietf:rfc:3986|urn:oid:1.2.3.4.65.70`, 'identifier=urn:oid:9.9'],
    [`${one}&related:identifier=urn:example:acc|ACC-70`, 'related:identifier=urn:example:acc|X'],
    [`DocumentReference?patient.identifier=${PATIENTS}|${DEE.id}&status=current&event=EV1`, 'event=other'],
    [`${one}&type=11502-2&targetCommunityIdList=urn:oid:1.2`, 'type=0'],
  ]
  for (const [query, no] of has) {
    const found = await site.all(`/${query}`)
    assert.deepEqual(
      found.map(({ resourceType, id }) => `${resourceType}/${id}`),
      [document],
      query,
    )
    const none = await site.ask(`/${one}&${no}`)
    assert.equal(none.status, 200)
    assert.equal(none.json['total'], 0, no)
  }
  const lists = `List?patient=${dee}&code=submissionset&status=current`
  for (const [yes, no] of [
    ['identifier=urn:oid:1.2.3.4.66.70', 'identifier=urn:oid:9'],
    ['designationType=http://snomed.info/sct|225728007&identifier=urn:oid:1.2.3.4.66.70', 'designationType=0'],
    ['sourceId=urn:oid:1.2.3.4&identifier=urn:oid:1.2.3.4.66.70', 'sourceId=urn:oid:9'],
    ['date=ge2026-05-01&identifier=urn:oid:1.2.3.4.66.70', 'date=lt2000-01-01'],
  ] as const) {
    const found = await site.all(`/${lists}&${yes}`)
    assert.deepEqual(
      found.map(({ id }) => `List/${id}`),
      [set],
      yes,
    )
    assert.equal((await site.all(`/${lists}&${no}`)).length, 0, no)
  }
  const form = await site.ask('/DocumentReference/_search', {
    method: 'POST',
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    body: `patient=${dee}&status=current&event=EV1`,
  })
  assert.equal(form.json['total'], 1)
  const xml = await site.ask(`/${one}&event=EV1&_format=xml`)
  assert.match(xml.headers.get('content-type') ?? '', /application\/fhir\+xml/)
  assert.equal((await site.ask(`/${one}&_format=text/csv`)).status, 406)
})

test('a time is found however exactly it was said, and in whatever zone', async () => {
  const period = { start: '2011', end: '2011' }
  const said = { context: { period, sourcePatientInfo: { reference: '#source' } } } as Partial<DocumentReference>
  const bundle = provideBundle(75, [{ n: 75, bytes: 'long ago', said }], { profile: 'Minimal' })
  const reference = bundle.entry?.[1]?.resource as DocumentReference
  Object.assign(reference.content?.[0]?.attachment ?? {}, { creation: '2011-12-31T23:30:00-05:00' })
  const [set, document] = await published(bundle)
  for (const query of ['creation=2012-01-01', 'creation=ge2012-01-01&creation=lt2012-01-02', 'period=2011']) {
    const found = await site.all(`/DocumentReference?patient=${dee}&${query}`)
    assert.deepEqual(
      found.map(({ id }) => `DocumentReference/${id}`),
      [document],
      query,
    )
  }
  const retired = await site.ask(`/${set}`)
  const { headers, status: code } = await site.ask(`/${set}`, {
    method: 'PUT',
    headers: JSON_TYPE,
    body: JSON.stringify({ ...retired.json, status: 'retired' }),
  })
  assert.equal(code, 200)
  assert.equal(headers.get('etag'), 'W/"2"')
  for (const word of ['retired', 'superseded']) {
    const found = await site.all(`/List?patient=${dee}&code=submissionset&status=${word}`)
    assert.deepEqual(
      found.map(({ id }) => `List/${id}`),
      [set],
      word,
    )
  }
})

test('ITI-68: ranges, conditions, what is unknown', async () => {
  const [, document] = await published(provideBundle(80, [{ n: 80, bytes: '0123456789' }]))
  const url = ((await site.ask(`/${document}`)).json as DocumentReference).content?.[0]?.attachment?.url ?? ''
  const part = await fetch(url, { headers: { ...site.admin, range: 'bytes=2-4' } })
  assert.equal(part.status, 206)
  assert.equal(await part.text(), '234')
  const etag = part.headers.get('etag') ?? ''
  assert.equal((await fetch(url, { headers: { ...site.admin, 'if-none-match': etag } })).status, 304)
  assert.equal((await fetch(url, { headers: { ...site.admin, accept: 'image/png' } })).status, 406)
  assert.equal((await fetch(url, { headers: { ...site.admin, accept: 'image/png, text/*;q=0.5' } })).status, 200)
  const missing = await fetch(url.replace(/[^/]+$/, '00000000-0000-4000-8000-000000000000'), { headers: site.admin })
  assert.equal(missing.status, 404)
  assert.equal(((await missing.json()) as Resource).resourceType, 'OperationOutcome')
})

test('what is missing is asked for on the metadata worklist when the profile is minimal', async () => {
  const said = { type: undefined, category: undefined, context: {}, author: [] } as never
  const subject = { reference: dee }
  const answer = await post(
    provideBundle(90, [{ n: 90, bytes: 'little said', subject, said }], { profile: 'Minimal', set: { subject } }),
  )
  assert.equal(answer.status, 200, answer.text)
  assert.match(answer.text, /metadata worklist, because nobody said: classCode, typeCode/)
})

test('the audit trail names the transaction; the CapabilityStatement names the actors', async () => {
  const details = await site.audited()
  for (const name of ['ITI-65', 'ITI-105', 'ITI-66', 'ITI-67']) assert.ok(details.includes(name), name)
  const { json } = await site.ask('/metadata')
  const { instantiates, rest } = json as unknown as CapabilityStatement
  for (const actor of ['DocumentRecipient', 'DocumentRecipient.Comprehensive', 'DocumentResponder']) {
    assert.ok(instantiates?.includes(`${MHD}/CapabilityStatement/IHE.MHD.${actor}`), actor)
  }
  const operations = rest?.[0]?.resource?.flatMap(({ operation }) => operation ?? []).map(({ name }) => name)
  assert.deepEqual(operations?.filter((name) => name !== undefined).sort(), ['generate-metadata', 'ihe-pix', 'match'])
})
