import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isListType, mhdExtension, provideProfileOf } from './canonical.ts'

const BASE = 'profiles.ihe.net/ITI/MHD/StructureDefinition'

// A spelling that is not recognised would let a bundle in without the checks it asks for.
const profiles: { name: string; profile: string[]; is: ReturnType<typeof provideProfileOf> }[] = [
  { name: 'https', profile: [`https://${BASE}/IHE.MHD.Minimal.ProvideBundle`], is: 'minimal' },
  { name: 'http', profile: [`http://${BASE}/IHE.MHD.Comprehensive.ProvideBundle`], is: 'comprehensive' },
  { name: 'with a version', profile: [`https://${BASE}/IHE.MHD.Minimal.ProvideBundle|4.2.3`], is: 'minimal' },
  {
    name: 'uncontained',
    profile: [`https://${BASE}/IHE.MHD.UnContained.Comprehensive.ProvideBundle`],
    is: 'uncontained',
  },
  {
    name: 'the strictest of several',
    profile: [`https://${BASE}/IHE.MHD.Minimal.ProvideBundle`, `https://${BASE}/IHE.MHD.Comprehensive.ProvideBundle`],
    is: 'comprehensive',
  },
  { name: 'none', profile: [], is: undefined },
  { name: 'somebody else', profile: ['https://example.org/IHE.MHD.Minimal.ProvideBundle'], is: undefined },
  { name: 'a resource of MHD, no bundle', profile: [`https://${BASE}/IHE.MHD.Minimal.Folder`], is: undefined },
  {
    name: 'one that MHD does not have',
    profile: ['urn:x', `https://${BASE}/IHE.MHD.Loose.ProvideBundle`],
    is: { unknown: 1 },
  },
]

for (const { name, profile, is } of profiles) {
  test(`profile of a bundle: ${name}`, () => {
    assert.deepEqual(provideProfileOf({ meta: { profile } }), is)
  })
}

test('extensions and list types by either spelling', () => {
  assert.equal(mhdExtension({ url: `http://${BASE}/ihe-sourceId` }), 'sourceId')
  assert.equal(mhdExtension({ url: `https://${BASE}/ihe-designationType` }), 'designationType')
  assert.equal(mhdExtension({ url: 'https://example.org/ihe-sourceId' }), undefined)
  assert.equal(isListType('http://profiles.ihe.net/ITI/MHD/CodeSystem/MHDlistTypes'), true)
  assert.equal(isListType(undefined), true)
  assert.equal(isListType('http://example.org/lists'), false)
})
