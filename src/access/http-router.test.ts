import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import fastify from 'fastify'
import { PathTree, parameterNames } from './http-router.ts'

const PATTERNS = [
  '/',
  '/fhir',
  '/fhir/metadata',
  '/fhir/:type',
  '/fhir/:type/:id',
  '/fhir/:type/:id/~everything',
  '/fhir/Patient/:id/:what/last',
  '/studies/:study/series',
  '/studies/:study/bulk/*',
  '/studies/own/bulk/one',
  '/:any/:other/bulk',
]

function tree(): PathTree<string> {
  const paths = new PathTree<string>()
  for (const pattern of PATTERNS) paths.add(pattern, pattern)
  return paths
}

function asFound(paths: PathTree<string>, url: string): object | null {
  const found = paths.find(url)
  if (found === undefined) return null
  const names = parameterNames(found.kept)
  return { pattern: found.kept, params: Object.fromEntries(names.map((name, i) => [name, found.values[i]])) }
}

test('a path is found as the framework itself would find it', async () => {
  const app = fastify({ routerOptions: { maxParamLength: 2048, ignoreTrailingSlash: true } })
  for (const pattern of PATTERNS) {
    app.get(pattern, async (request) => ({ pattern, params: request.params }))
  }
  app.setNotFoundHandler(async () => null)
  await app.ready()
  const paths = tree()
  const part = fc.constantFrom(
    ...[
      'fhir',
      'metadata',
      'Patient',
      'studies',
      'own',
      'series',
      'bulk',
      'one',
      'last',
      '~everything',
      '%7Eeverything',
    ],
    ...['', 'a%2Fb', '%66hir', 'x%25y', 'a:b', '*', '%3F', 'caf%C3%A9', 'a.b', '1.2-3', '%2A'],
  )
  await fc.assert(
    fc.asyncProperty(
      fc.array(part, { maxLength: 6 }),
      fc.constantFrom('', '/', '?a=/fhir', '/?x'),
      async (parts, end) => {
        const url = `/${parts.join('/')}${end}`
        const answer = await app.inject({ method: 'GET', url, headers: {} })
        assert.deepEqual(asFound(paths, url), answer.body === '' ? null : JSON.parse(answer.body), url)
      },
    ),
    { numRuns: 3000 },
  )
})

test('a reserved character of a path may be encoded by the caller', () => {
  const paths = tree()
  paths.add('/fhir/:type/:id/$operation', 'operation')
  assert.equal(paths.find('/fhir/Patient/1/%24operation')?.kept, 'operation')
})

test('absolute request targets, queries and fragments', () => {
  const paths = tree()
  for (const url of ['http://archive.example/fhir/metadata', 'HTTPS://h:1/fhir/metadata/?q', '/fhir/metadata#part']) {
    assert.equal(paths.find(url)?.kept, '/fhir/metadata', url)
  }
  assert.equal(paths.find('http://archive.example')?.kept, '/')
})

test('a parameter of 2,049 characters is too long unless another pattern takes it', () => {
  const paths = tree()
  assert.equal(paths.find(`/fhir/${'a'.repeat(2048)}`)?.kept, '/fhir/:type')
  assert.throws(() => paths.find(`/fhir/${'a'.repeat(2049)}`), { code: 'FST_ERR_MAX_PARAM_LENGTH', statusCode: 414 })
  assert.equal(paths.find(`/studies/1/bulk/${'a'.repeat(5000)}`)?.kept, '/studies/:study/bulk/*')
})

test('a pattern that is no path, or twice the same, is a mistake of ours', () => {
  const paths = tree()
  for (const pattern of ['fhir', '/a:b', '/*/a', '/:a-:b', '/fhir/:other', '/studies/:x/bulk/*']) {
    assert.throws(() => paths.add(pattern, ''), TypeError, pattern)
  }
})
