import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Route } from '#model/route.ts'
import { requestEveryRoute, urlOf } from '../../test/support/access-requests.ts'
import { deskServices } from '../../test/support/desk-fixture.ts'
import { injectable } from '../../test/support/http-fixture.ts'
import { securityFixture } from '../../test/support/security-fixture.ts'
import { accessMatrix, routesByPath } from './access-matrix.ts'
import { deskRoutes } from './desk/desk-routes.ts'
import { healthRoutes } from './health.ts'
import { createMetrics } from './health-metrics.ts'
import { openApiDocument, openApiRoute } from './openapi.ts'

function everything() {
  const security = securityFixture()
  const health = healthRoutes({ openJobs: async () => 0, reasons: async () => [] }, createMetrics())
  const routes = [...deskRoutes(deskServices(security)), ...health]
  const all: readonly Route[] = [...routes, openApiRoute(() => all, '0.0.0')]
  return { security, routes: all }
}

test('every route answers each kind of caller as the matrix says', async () => {
  const { security, routes } = everything()
  const expired = (await security.tokens.create({ role: 'administrator', expires: '1s' }, 'test', null)).token
  security.clock.now += 2000
  const requests = await requestEveryRoute(injectable(routes, security), routes, security.tokens, expired)
  assert.equal(requests, routes.length * 13)
})

test('what needs nothing is a short list that somebody looked at', () => {
  const open = accessMatrix(everything().routes).filter(({ needs }) => needs === 'public')
  assert.deepEqual(
    open.map(({ method, url }) => `${method} ${url}`),
    [
      'GET /api/v1/openapi.json',
      'GET /api/v1/session',
      'POST /api/v1/session',
      'GET /api/v1/setup',
      'POST /api/v1/setup',
      'GET /health/live',
      'GET /health/ready',
    ],
  )
})

test('a route declared twice does not start', () => {
  const { routes } = everything()
  const [first] = routes
  assert.ok(first)
  assert.throws(() => routesByPath([...routes, first]), /declared twice/)
})

test('the OpenAPI document is made from the routes: all of them, with their rights', async () => {
  const { security, routes } = everything()
  const answer = await injectable(routes, security).inject({ url: '/api/v1/openapi.json' })
  assert.equal(answer.statusCode, 200)
  const { paths, openapi } = answer.json()
  assert.equal(openapi, '3.1.0')
  for (const { method, url, needs } of routes) {
    const path = urlOf({ url: url.replace(/:([A-Za-z0-9_]+)/g, '{$1}') })
    const operation = paths[path]?.[method.toLowerCase()]
    assert.equal(operation?.['x-diptych-needs'], needs, `${method} ${path}`)
    assert.equal(operation.security.length === 0, needs === 'public')
    if (needs === 'audit.read') assert.deepEqual(operation['x-diptych-roles'], ['administrator', 'auditor'])
  }
  const ids = routes.map(({ method, url }) => {
    const document = openApiDocument(routes, '0') as { paths: Record<string, Record<string, { operationId: string }>> }
    return document.paths[url.replace(/:([A-Za-z0-9_]+)/g, '{$1}')]?.[method.toLowerCase()]?.operationId
  })
  assert.equal(new Set(ids).size, routes.length)
})
