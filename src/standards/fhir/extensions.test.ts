import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  applyExtensionPolicy,
  type ExtensionPolicy,
  extensionsBelow,
  honoured,
  putExtensionsBack,
  useOf,
} from './extensions.ts'

const KNOWN = 'http://example.org/known'
const OTHER = 'http://example.org/other'

const uses: { name: string; policy: ExtensionPolicy; url: string; is: string }[] = [
  { name: 'nothing said', policy: {}, url: OTHER, is: 'inert' },
  { name: 'the rest', policy: { '*': 'refuse', [KNOWN]: 'inert' }, url: OTHER, is: 'refuse' },
  { name: 'by name before the rest', policy: { '*': 'refuse', [KNOWN]: 'inert' }, url: KNOWN, is: 'inert' },
  { name: 'names of prototypes are nothing', policy: { '*': 'strip' }, url: 'constructor', is: 'strip' },
]

for (const { name, policy, url, is } of uses) {
  test(`extension policy: ${name}`, () => assert.equal(useOf(policy, url), is))
}

// A site that honours everything would let in what changes the meaning of a resource without knowing it.
test('modifier extensions are honoured by name only', () => {
  assert.deepEqual([...honoured({ '*': 'honour', [KNOWN]: 'honour', [OTHER]: 'inert' })], [KNOWN])
})

test('what is left out is gone everywhere, what is refused is named with its place', () => {
  const resource = {
    resourceType: 'Organization',
    extension: [{ url: OTHER }, { url: KNOWN, valueString: 'stays' }],
    name: 'Clinic',
    _name: { extension: [{ url: OTHER }] },
    contact: [{ telecom: [{ value: '1', extension: [{ url: 'http://example.org/bad' }] }] }],
  }
  const policy: ExtensionPolicy = { [OTHER]: 'strip', 'http://example.org/bad': 'refuse' }
  const { refused, stripped } = applyExtensionPolicy(resource, policy, 'Bundle.entry[1].resource')
  assert.deepEqual(stripped, [OTHER, OTHER])
  assert.deepEqual(refused, [
    { at: 'Bundle.entry[1].resource.contact[0].telecom[0].extension[0]', url: 'http://example.org/bad' },
  ])
  assert.deepEqual(resource.extension, [{ url: KNOWN, valueString: 'stays' }])
  assert.equal('_name' in resource, false, 'an empty object is none')
})

test('extensions go back where they stood, primitives included, and nowhere else', () => {
  const sent = {
    resourceType: 'DocumentReference',
    extension: [{ url: KNOWN }],
    description: 'x',
    _description: { extension: [{ url: KNOWN, valueCode: 'a' }] },
    content: [{ attachment: { title: 't', extension: [{ url: OTHER, valueInteger: 1 }] } }],
    context: { related: [{ display: 'gone', extension: [{ url: OTHER }] }] },
    contained: [{ resourceType: 'Patient', extension: [{ url: OTHER }] }],
  }
  const places = extensionsBelow(sent)
  assert.deepEqual(
    places.map(({ at }) => at),
    ['_description', 'content[0].attachment', 'context.related[0]'],
  )
  const made = { resourceType: 'DocumentReference', description: 'x', content: [{ attachment: { title: 't' } }] }
  putExtensionsBack(made, places)
  assert.deepEqual(made, {
    resourceType: 'DocumentReference',
    description: 'x',
    _description: { extension: [{ url: KNOWN, valueCode: 'a' }] },
    content: [{ attachment: { title: 't', extension: [{ url: OTHER, valueInteger: 1 }] } }],
  })
})
