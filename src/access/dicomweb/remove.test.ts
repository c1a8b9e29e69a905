import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Deletion } from '#model/archive-index.ts'
import { memoryArchive } from '../../../test/support/desk-fixture.ts'
import { bearer, injectable } from '../../../test/support/http-fixture.ts'
import { securityFixture } from '../../../test/support/security-fixture.ts'
import { deleteRoutes } from './remove.ts'

// Settings take effect at once: a grace that was read at the start would delete by the rules of last month.
test('DELETE keeps the bytes for the grace that is set now', async () => {
  const security = securityFixture()
  const deletions: Deletion[] = []
  const reader = {
    ...memoryArchive(),
    instances: async function* () {
      yield {}
    },
  }
  const routes = deleteRoutes({
    reader: reader as never,
    deletions: { delete: async (deletion) => deletions.push(deletion) },
    graceDays: () => security.settings.get('deletion.graceDays'),
  })
  const app = injectable(routes as never, security)
  const headers = bearer((await security.tokens.create({ role: 'archivist' }, 'test', null)).token)
  for (const days of [30, 7]) {
    await security.settings.change({ 'deletion.graceDays': days }, 'test', null)
    assert.equal((await app.inject({ method: 'DELETE', url: '/dicom-web/studies/1.2.3', headers })).statusCode, 204)
    const last = deletions.at(-1)
    assert.ok(last)
    assert.equal(Date.parse(last.purgeAfter) - Date.parse(last.time), days * 24 * 3600 * 1000)
  }
})
