import assert from 'node:assert/strict'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { problemsOf } from './validate.ts'

const document = {
  resourceType: 'DocumentReference',
  status: 'current',
  content: [{ attachment: { contentType: 'text/plain', url: 'urn:uuid:1' } }],
}

// A sender reads `expression` to find what is wrong: one that names the wrong element is worse than none.
const cases: { name: string; resource: unknown; errors: string[] }[] = [
  { name: 'a good one', resource: document, errors: [] },
  { name: 'a missing element', resource: { ...document, content: undefined }, errors: ['DocumentReference.content'] },
  { name: 'an element nobody defined', resource: { ...document, colour: 1 }, errors: ['DocumentReference.colour'] },
  {
    name: 'a code outside a required binding',
    resource: { ...document, status: 'new' },
    errors: ['DocumentReference.status'],
  },
  { name: 'a bad instant', resource: { ...document, date: 'yesterday' }, errors: ['DocumentReference.date'] },
  {
    name: 'a modifier extension nobody understands',
    resource: { ...document, modifierExtension: [{ url: 'urn:x', valueBoolean: true }] },
    errors: ['DocumentReference.modifierExtension[0]'],
  },
  {
    name: 'an unknown extension',
    resource: { ...document, extension: [{ url: 'urn:x', valueBoolean: true }] },
    errors: [],
  },
  {
    name: 'the third entry of a bundle',
    resource: {
      resourceType: 'Bundle',
      type: 'collection',
      entry: [{ resource: document }, { resource: document }, { resource: { ...document, status: 'new' } }],
    },
    errors: ['Bundle.entry[2].resource.status'],
  },
  {
    name: 'a verb of a request',
    resource: { resourceType: 'Bundle', type: 'batch', entry: [{ request: { method: 'TAKE', url: 'Patient' } }] },
    errors: ['Bundle.entry[0].request.method'],
  },
  { name: 'no resource', resource: 'Patient', errors: [''] },
  { name: 'a resource that is not known', resource: { resourceType: 'Nonsense' }, errors: ['Nonsense'] },
]

for (const { name, resource, errors } of cases) {
  test(`validation of ${name}`, () => {
    const found = problemsOf(resource).filter(({ severity }) => severity === 'error')
    assert.deepEqual(
      found.map(({ expression }) => expression),
      errors,
    )
  })
}

test('a modifier extension that is understood is none of a problem', () => {
  const resource = { ...document, modifierExtension: [{ url: 'urn:known', valueBoolean: true }] }
  assert.deepEqual(problemsOf(resource, { modifierExtensions: new Set(['urn:known']) }), [])
})

const samples = join(process.env['DIPTYCH_SAMPLES'] ?? '../shared/data', 'fhir', 'r4')
/** Their base64 is broken into lines, which is taken at the door and not here. */
const BROKEN_LINES = ['Binary-example.json', 'Media-example.json']

test('samples of FHIR R4 are valid', { skip: !existsSync(samples) && 'no samples here' }, () => {
  for (const file of readdirSync(samples).filter((name) => !BROKEN_LINES.includes(name))) {
    assert.deepEqual(problemsOf(JSON.parse(readFileSync(join(samples, file), 'utf8'))), [], file)
  }
})
