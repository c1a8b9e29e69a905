/**
 * Bundles that do not keep to MHD: each is refused as a whole, and the OperationOutcome names the element that is wrong.
 * Without this a document could be kept whose set, patient or bytes were never there.
 */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import type { Bundle, BundleEntry, DocumentReference, List, OperationOutcome } from '@medplum/fhirtypes'
import { address, DEE, folder, MHD, PATIENTS, provideBundle, supersedes } from '../support/mhd-bundles.ts'
import { type MhdSite, openMhdSite } from '../support/mhd-site.ts'

let site: MhdSite
/** A document of somebody else. */
let foreign: string

before(async () => {
  site = await openMhdSite('mhd-malformed')
  await site.register(PATIENTS, 'other', 'Other^Olga')
  const subject = { identifier: { system: PATIENTS, value: 'other' } }
  const said = { contained: [], author: [], context: {} } as never
  const kept = await site.post(
    provideBundle(999, [{ n: 999, bytes: 'of somebody else', subject, said }], {
      profile: 'Minimal',
      set: { subject },
    }),
  )
  assert.equal(kept.status, 200, kept.text)
  foreign = ((kept.json as unknown as Bundle).entry?.[1]?.response?.location ?? '').replace(/\/_history.*/, '')
})
after(() => site.close())

interface Parts {
  readonly bundle: Bundle
  readonly entries: BundleEntry[]
  readonly set: List
  readonly first: DocumentReference
  readonly attachment: { [name: string]: unknown }
}

type Case = [name: string, change: (parts: Parts) => void, element: string, code: string]

const drop = (from: object, name: string) => void Reflect.deleteProperty(from, name)
const set = (on: object, name: string, value: unknown) => void Reflect.set(on, name, value)

/** Entries of the bundle that is changed: 0 set, 1 and 2 references, 3 and 4 bytes. */
const CASES: readonly Case[] = [
  ['a batch', ({ bundle }) => set(bundle, 'type', 'batch'), 'Bundle.type', 'value'],
  ['no entries', ({ bundle }) => drop(bundle, 'entry'), 'Bundle.entry', 'required'],
  [
    'a profile MHD does not have',
    ({ bundle }) => set(bundle, 'meta', { profile: [`${MHD}/StructureDefinition/IHE.MHD.Loose.ProvideBundle`] }),
    'Bundle.meta.profile[0]',
    'not-supported',
  ],
  ['no submission set', ({ entries }) => void entries.shift(), 'Bundle.entry', 'required'],
  [
    'two submission sets',
    ({ entries, set: one }) =>
      void entries.push({
        fullUrl: address(7),
        resource: { ...one, identifier: [] },
        request: { method: 'POST', url: 'List' },
      }),
    'Bundle.entry[5].resource',
    'invariant',
  ],
  [
    'the same address twice',
    ({ entries }) => set(entries[2] ?? {}, 'fullUrl', entries[1]?.fullUrl),
    'Bundle.entry[2].fullUrl',
    'duplicate',
  ],
  [
    'a resource that does not belong there',
    ({ entries }) =>
      void entries.push({ resource: { resourceType: 'Device' }, request: { method: 'POST', url: 'Device' } }),
    'Bundle.entry[5].resource',
    'not-supported',
  ],
  [
    'a document by PUT',
    ({ entries }) => set(entries[1] ?? {}, 'request', { method: 'PUT', url: 'DocumentReference/1' }),
    'Bundle.entry[1].request.method',
    'value',
  ],
  [
    'an address for something else',
    ({ entries }) => set(entries[3]?.request ?? {}, 'url', 'DocumentReference'),
    'Bundle.entry[3].request.url',
    'value',
  ],
  [
    'an entry without resource',
    ({ entries }) => drop(entries[4] ?? {}, 'resource'),
    'Bundle.entry[4].resource',
    'required',
  ],
  [
    'a set of another kind',
    ({ set: it }) => set(it, 'code', { coding: [{ code: 'x' }] }),
    'Bundle.entry[0].resource.code',
    'code-invalid',
  ],
  ['a set that is retired', ({ set: it }) => set(it, 'status', 'retired'), 'Bundle.entry[0].resource.status', 'value'],
  ['a set that is a snapshot', ({ set: it }) => set(it, 'mode', 'snapshot'), 'Bundle.entry[0].resource.mode', 'value'],
  ['a set without date', ({ set: it }) => drop(it, 'date'), 'Bundle.entry[0].resource.date', 'required'],
  ['a set of nobody', ({ set: it }) => drop(it, 'subject'), 'Bundle.entry[0].resource.subject', 'required'],
  ['a set without source', ({ set: it }) => void it.extension?.pop(), 'Bundle.entry[0].resource.extension', 'required'],
  [
    'a set without designation',
    ({ set: it }) => void it.extension?.shift(),
    'Bundle.entry[0].resource.extension',
    'required',
  ],
  [
    'a source without value',
    ({ set: it }) => set(it.extension?.[1] ?? {}, 'valueIdentifier', { system: 'urn:x' }),
    'Bundle.entry[0].resource.extension[1].valueIdentifier.value',
    'required',
  ],
  [
    'an id that is no URI',
    ({ set: it }) => set(it.identifier?.[0] ?? {}, 'value', 'not a uri'),
    'Bundle.entry[0].resource.identifier[0].value',
    'value',
  ],
  [
    'a set about a group',
    ({ set: it }) => set(it, 'subject', { reference: 'Group/1' }),
    'Bundle.entry[0].resource.subject',
    'value',
  ],
  ['a set that leaves a document out', ({ set: it }) => void it.entry?.pop(), 'Bundle.entry[2].resource', 'invariant'],
  [
    'a set with an entry that leads nowhere',
    ({ set: it }) =>
      void it.entry?.push({ item: { reference: 'DocumentReference/00000000-0000-4000-8000-00000000dead' } }),
    'Bundle.entry[0].resource.entry[2].item',
    'not-found',
  ],
  [
    'a deleted entry',
    ({ set: it }) => set(it.entry?.[0] ?? {}, 'deleted', true),
    'Bundle.entry[0].resource.entry[0].deleted',
    'invariant',
  ],
  [
    'no unique id',
    ({ first }) => drop(first, 'masterIdentifier'),
    'Bundle.entry[1].resource.masterIdentifier',
    'required',
  ],
  [
    'a document born superseded',
    ({ first }) => set(first, 'status', 'superseded'),
    'Bundle.entry[1].resource.status',
    'value',
  ],
  [
    'a state of the report',
    ({ first }) => set(first, 'docStatus', 'final'),
    'Bundle.entry[1].resource.docStatus',
    'invariant',
  ],
  ['a document of nobody', ({ first }) => drop(first, 'subject'), 'Bundle.entry[1].resource.subject', 'required'],
  ['no type', ({ first }) => drop(first, 'type'), 'Bundle.entry[1].resource.type', 'required'],
  [
    'a class without code',
    ({ first }) => set(first, 'category', [{ text: 'Report' }]),
    'Bundle.entry[1].resource.category',
    'required',
  ],
  [
    'two classes',
    ({ first }) => void first.category?.push({ text: 'x' }),
    'Bundle.entry[1].resource.category[1]',
    'invariant',
  ],
  [
    'no confidentiality',
    ({ first }) => drop(first, 'securityLabel'),
    'Bundle.entry[1].resource.securityLabel',
    'required',
  ],
  [
    'no format',
    ({ first }) => drop(first.content?.[0] ?? {}, 'format'),
    'Bundle.entry[1].resource.content[0].format',
    'required',
  ],
  [
    'no language',
    ({ attachment }) => drop(attachment, 'language'),
    'Bundle.entry[1].resource.content[0].attachment.language',
    'required',
  ],
  [
    'no creation time',
    ({ attachment }) => drop(attachment, 'creation'),
    'Bundle.entry[1].resource.content[0].attachment.creation',
    'required',
  ],
  [
    'no facility',
    ({ first }) => drop(first.context ?? {}, 'facilityType'),
    'Bundle.entry[1].resource.context.facilityType',
    'required',
  ],
  [
    'no specialty',
    ({ first }) => drop(first.context ?? {}, 'practiceSetting'),
    'Bundle.entry[1].resource.context.practiceSetting',
    'required',
  ],
  [
    'no source patient',
    ({ first }) => drop(first.context ?? {}, 'sourcePatientInfo'),
    'Bundle.entry[1].resource.context.sourcePatientInfo',
    'required',
  ],
  [
    'a source patient that is not contained',
    ({ first }) => set(first.context ?? {}, 'sourcePatientInfo', { reference: '#nobody' }),
    'Bundle.entry[1].resource.context.sourcePatientInfo',
    'not-found',
  ],
  [
    'an author elsewhere',
    ({ first }) => set(first, 'author', [{ reference: 'Practitioner/1' }]),
    'Bundle.entry[1].resource.author[0]',
    'invariant',
  ],
  [
    'a service that ends before it starts',
    ({ first }) => set(first.context ?? {}, 'period', { start: '2026-05-02T00:00:00Z', end: '2026-05-01T00:00:00Z' }),
    'Bundle.entry[1].resource.context.period',
    'invariant',
  ],
  [
    'no media type',
    ({ attachment }) => drop(attachment, 'contentType'),
    'Bundle.entry[1].resource.content[0].attachment.contentType',
    'required',
  ],
  [
    'another media type than its bytes say',
    ({ attachment }) => set(attachment, 'contentType', 'application/pdf'),
    'Bundle.entry[1].resource.content[0].attachment.contentType',
    'value',
  ],
  [
    'bytes in the reference',
    ({ attachment }) => set(attachment, 'data', 'b25l'),
    'Bundle.entry[1].resource.content[0].attachment.data',
    'invariant',
  ],
  [
    'no address of bytes',
    ({ attachment }) => drop(attachment, 'url'),
    'Bundle.entry[1].resource.content[0].attachment.url',
    'required',
  ],
  [
    'bytes that stand elsewhere',
    ({ attachment }) => set(attachment, 'url', 'https://elsewhere.example/document.pdf'),
    'Bundle.entry[1].resource.content[0].attachment.url',
    'not-found',
  ],
  [
    'a hash that is none',
    ({ attachment }) => set(attachment, 'hash', 'bm8='),
    'Bundle.entry[1].resource.content[0].attachment.hash',
    'value',
  ],
  [
    'a hash of other bytes',
    ({ attachment }) => set(attachment, 'hash', Buffer.alloc(20).toString('base64')),
    'Bundle.entry[1].resource.content[0].attachment.hash',
    'value',
  ],
  [
    'another size',
    ({ attachment }) => set(attachment, 'size', 4),
    'Bundle.entry[1].resource.content[0].attachment.size',
    'value',
  ],
  [
    'bytes that are not base64',
    ({ entries }) => set(entries[3]?.resource ?? {}, 'data', 'b25'),
    'Bundle.entry[3].resource.data',
    'structure',
  ],
  [
    'a Binary without bytes',
    ({ entries }) => drop(entries[3]?.resource ?? {}, 'data'),
    'Bundle.entry[3].resource.data',
    'required',
  ],
  [
    'a Binary nobody names',
    ({ entries }) =>
      void entries.push({
        fullUrl: address(8),
        resource: { resourceType: 'Binary', contentType: 'text/plain', data: 'b25l' },
        request: { method: 'POST', url: 'Binary' },
      }),
    'Bundle.entry[5].resource',
    'required',
  ],
  [
    'a relation to nothing that is here',
    ({ first }) => set(first, 'relatesTo', [{ code: 'replaces', target: { reference: 'DocumentReference/nothing' } }]),
    'Bundle.entry[1].resource.relatesTo[0]',
    'not-found',
  ],
  [
    'a relation to a document of somebody else',
    ({ first }) => set(first, 'relatesTo', [{ code: 'replaces', target: { reference: foreign } }]),
    'Bundle.entry[1].resource.relatesTo[0]',
    'business-rule',
  ],
  [
    'a relation to what comes with it',
    ({ first, entries }) => set(first, 'relatesTo', [{ code: 'replaces', target: { reference: entries[2]?.fullUrl } }]),
    'Bundle.entry[1].resource.relatesTo[0].target',
    'business-rule',
  ],
  [
    'a relation without target',
    ({ first }) => set(first, 'relatesTo', [{ code: 'appends', target: { display: 'that one' } }]),
    'Bundle.entry[1].resource.relatesTo[0].target',
    'required',
  ],
  [
    'the same unique id twice',
    ({ first, entries }) => set(entries[2]?.resource ?? {}, 'masterIdentifier', first.masterIdentifier),
    'Bundle.entry[2].resource.masterIdentifier',
    'duplicate',
  ],
  [
    'a patch of something else',
    ({ entries }) => {
      const patch = supersedes(foreign)
      const [, path] =
        (patch.resource as { parameter: { part: { valueString?: string }[] }[] }).parameter[0]?.part ?? []
      set(path ?? {}, 'valueString', 'DocumentReference.subject')
      entries.push(patch)
    },
    'Bundle.entry[5].resource.parameter[0].part[1]',
    'value',
  ],
  [
    'a patient nobody knows',
    ({ entries }) =>
      void entries.push({
        fullUrl: address(9),
        resource: { resourceType: 'Patient', identifier: [{ system: PATIENTS, value: 'nobody' }] },
        request: { method: 'POST', url: 'Patient' },
      }),
    'Bundle.entry[5].resource.identifier',
    'not-found',
  ],
  [
    'a folder without title',
    ({ entries }) =>
      void entries.push({
        fullUrl: address(10),
        resource: folder(1, [address(1)], { title: undefined as never }),
        request: { method: 'POST', url: 'List' },
      }),
    'Bundle.entry[5].resource.title',
    'required',
  ],
  [
    'a modifier nobody understands',
    ({ first }) => set(first, 'modifierExtension', [{ url: 'urn:example:not', valueBoolean: true }]),
    'Bundle.entry[1].resource.modifierExtension[0]',
    'extension',
  ],
  [
    'a status that is none',
    ({ first }) => set(first, 'status', 'done'),
    'Bundle.entry[1].resource.status',
    'code-invalid',
  ],
]

async function counts(): Promise<string> {
  const of = async (type: string) => (await site.ask(`/${type}?_summary=count`)).json['total']
  return `${await of('DocumentReference')} ${await of('List')}`
}

for (const [name, change, element, code] of CASES) {
  test(`refused: ${name}`, async () => {
    const bundle = provideBundle(1, [
      { n: 1, bytes: 'one' },
      { n: 2, bytes: 'two' },
    ])
    const entries = bundle.entry ?? []
    const first = entries[1]?.resource as DocumentReference
    const attachment = first.content?.[0]?.attachment as unknown as Parts['attachment']
    const before = await counts()
    change({ bundle, entries, set: entries[0]?.resource as List, first, attachment })
    const answer = await site.post(bundle)
    assert.ok(answer.status >= 400 && answer.status < 500, `${answer.status} ${answer.text}`)
    const { resourceType, issue = [] } = answer.json as unknown as OperationOutcome
    assert.equal(resourceType, 'OperationOutcome')
    const told = issue.map((one) => `${one.severity} ${one.code} ${one.expression?.join(' ') ?? ''}`)
    assert.ok(told.includes(`error ${code} ${element}`), `${told.join('\n')}\nis not: error ${code} ${element}`)
    assert.equal(await counts(), before, 'nothing of it was kept')
  })
}

test('the bundle that was changed is good as it is', async () => {
  const good = provideBundle(1, [
    { n: 1, bytes: 'one' },
    { n: 2, bytes: 'two' },
  ])
  const answer = await site.post(good)
  assert.equal(answer.status, 200, answer.text)
})

test('all that is wrong is told at once', async () => {
  const bundle = provideBundle(3, [{ n: 3, bytes: 'three' }])
  const first = bundle.entry?.[1]?.resource as DocumentReference
  for (const name of ['masterIdentifier', 'type', 'securityLabel', 'subject']) drop(first, name)
  const { json } = await site.post(bundle)
  const { issue = [] } = json as unknown as OperationOutcome
  assert.deepEqual(
    issue.map(({ expression }) => expression?.[0]?.split('.').at(-1)),
    ['masterIdentifier', 'subject', 'type', 'securityLabel'],
  )
  assert.ok(issue.every(({ details }) => details?.coding?.some(({ code }) => code === 'XDSRegistryMetadataError')))
})

test('what is no bundle, no JSON, no FHIR', async () => {
  for (const [body, type, status] of [
    ['{', 'application/fhir+json', 400],
    ['[]', 'application/fhir+json', 400],
    ['{"resourceType":"Patient"}', 'application/fhir+json', 400],
    ['<Bundle/>', 'application/fhir+xml', 400],
    ['<!DOCTYPE x [<!ENTITY e "x">]><Bundle xmlns="http://hl7.org/fhir"/>', 'application/fhir+xml', 400],
    ['type=transaction', 'application/x-www-form-urlencoded', 415],
    [JSON.stringify({ resourceType: 'Bundle', type: 'transaction', type2: DEE }), 'application/fhir+json', 400],
  ] as const) {
    const answer = await site.post(body, { 'content-type': type })
    assert.equal(answer.status, status, `${body}: ${answer.text}`)
  }
})
