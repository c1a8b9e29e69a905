import assert from 'node:assert/strict'
import { test } from 'node:test'
import { bearer, injectable } from '../../test/support/http-fixture.ts'
import { securityFixture } from '../../test/support/security-fixture.ts'
import { type HealthReason, type HealthSource, healthRoutes } from './health.ts'
import { createMetrics } from './health-metrics.ts'

const scanner: HealthReason = { code: 'scanner-unreachable', detail: 'files are held as pending', blocking: false }
const broken: HealthReason = { code: 'storage-read-only', detail: 'a flush failed', blocking: true }

const cases: { name: string; source: Partial<HealthSource>; status: number; says: string; openJobs: number | null }[] =
  [
    { name: 'all well', source: {}, status: 200, says: 'ready', openJobs: 3 },
    {
      name: 'scanner away: serves, and says so',
      source: { reasons: async () => [scanner] },
      status: 200,
      says: 'restricted',
      openJobs: 3,
    },
    {
      name: 'store broken',
      source: { reasons: async () => [scanner, broken] },
      status: 503,
      says: 'not-ready',
      openJobs: 3,
    },
    {
      name: 'a check fails',
      source: { reasons: () => Promise.reject(new Error('secret')) },
      status: 503,
      says: 'not-ready',
      openJobs: 3,
    },
    {
      name: 'jobs cannot be counted',
      source: { openJobs: () => Promise.reject(new Error('secret')) },
      status: 503,
      says: 'not-ready',
      openJobs: null,
    },
    {
      name: 'a check hangs',
      source: { openJobs: () => new Promise(() => {}) },
      status: 503,
      says: 'not-ready',
      openJobs: null,
    },
  ]
for (const { name, source, status, says, openJobs } of cases) {
  test(`ready: ${name}`, async () => {
    const app = injectable(
      healthRoutes({ openJobs: async () => 3, reasons: async () => [], ...source }, createMetrics()),
    )
    const answer = await app.inject({ url: '/health/ready' })
    assert.deepEqual([answer.statusCode, answer.json().status, answer.json().openJobs], [status, says, openJobs])
    assert.ok(!answer.body.includes('secret'))
    assert.equal((await app.inject({ url: '/health/live' })).statusCode, 200)
  })
}

test('metrics: by route pattern, never by identifier; not public', async () => {
  const security = securityFixture()
  const { token } = await security.tokens.create({ role: 'auditor' }, 'test', null)
  const metrics = createMetrics()
  metrics.gauge('diptych_open_jobs', 'Jobs not done.', () => 7)
  const routes = healthRoutes({ openJobs: async () => 0, reasons: async () => [] }, metrics)
  const app = injectable(routes, security, {}, { metrics })
  await app.inject({ url: '/health/live' })
  await app.inject({ url: '/studies/1.2.3.secret' })
  assert.equal((await app.inject({ url: '/metrics' })).statusCode, 401)
  const { body, headers } = await app.inject({ url: '/metrics', headers: bearer(token) })
  assert.match(String(headers['content-type']), /^text\/plain/)
  assert.match(body, /diptych_http_request_seconds_count\{method="GET",route="\/health\/live",status="200"\} 1/)
  assert.match(body, /diptych_open_jobs 7/)
  assert.ok(!body.includes('secret'))
})
