import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ArchiveError } from '#errors.ts'
import type { Subject } from '#model/permission.ts'
import { securityFixture } from '../../test/support/security-fixture.ts'
import { Auditor, auditEvent } from './audit.ts'
import { parseNotedHeads, verifyAudit } from './audit-chain.ts'
import { auditMessage, auditMessageXml } from './audit-message.ts'

const ada: Subject = { kind: 'account', name: 'ada', role: 'clinician', scopes: [], patientIds: null }
const read = { kind: 'read', studyInstanceUID: '1.2.3' } as const

test('reads: the first is durable at once, those after it are counted, one user and study at a time', async () => {
  const { auditor, store, clock } = securityFixture()
  await auditor.record(ada, read)
  assert.equal(store.entries({ limit: 10 }).items.length, 1)
  for (let at = 0; at < 499; at += 1) await auditor.record(ada, read)
  await auditor.record(ada, { ...read, studyInstanceUID: '1.2.4' })
  await auditor.record({ ...ada, name: 'bob' }, read)
  assert.equal(store.entries({ limit: 10 }).items.length, 3)
  clock.now += 300_000
  await auditor.flush()
  const counts = store
    .entries({ limit: 10, who: 'ada', studyInstanceUID: '1.2.3' })
    .items.map(({ count, since }) => [count, since])
  assert.deepEqual(counts, [
    [499, '2026-11-24T10:00:00.000Z'],
    [1, null],
  ])
})

test('a read after the window is a new first', async () => {
  const { auditor, store, clock } = securityFixture()
  await auditor.record(ada, read)
  await auditor.record(ada, read)
  clock.now += 300_000
  await auditor.record(ada, read)
  assert.deepEqual(
    store
      .entries({ limit: 10 })
      .items.map(({ count }) => count)
      .sort(),
    [1, 1, 1],
  )
})

test('when the trail cannot be written nobody reads', async () => {
  let broken = true
  const auditor = new Auditor(
    { appendAudit: async () => (broken ? Promise.reject(new Error('disk full')) : 'written') },
    { windowSeconds: 300 },
  )
  const both = await Promise.allSettled([auditor.record(ada, read), auditor.record(ada, read)])
  assert.deepEqual(
    both.map(({ status }) => status),
    ['rejected', 'rejected'],
  )
  broken = false
  await auditor.record(ada, read)
})

test('counts that cannot be written are kept for the next time', async () => {
  const written: number[] = []
  let broken = false
  const auditor = new Auditor(
    {
      async appendAudit(events) {
        if (broken) throw new Error('disk full')
        written.push(...events.map(({ count }) => count))
        return 'written'
      },
    },
    { windowSeconds: 300 },
  )
  for (let at = 0; at < 5; at += 1) await auditor.record(ada, read)
  broken = true
  await assert.rejects(auditor.flush(true))
  broken = false
  await auditor.flush(true)
  assert.deepEqual(written, [1, 4])
})

test('decisions and writes are never counted together', async () => {
  const { auditor, store } = securityFixture()
  for (let at = 0; at < 3; at += 1) await auditor.record(ada, { kind: 'decide', detail: 'release q1' })
  assert.equal(store.entries({ limit: 10 }).items.length, 3)
})

// The trail must show what was done to it; each tampering is one SQL statement of somebody with the file in hand.
const tamperings: { name: string; sql: string; broken: { sequence: number; why: string } | null }[] = [
  { name: 'nothing', sql: 'select 1', broken: null },
  {
    name: 'text changed',
    sql: `update audit set entry = replace(entry, '"ada"', '"eve"') where sequence = 3`,
    broken: { sequence: 3, why: 'changed' },
  },
  { name: 'entry removed', sql: 'delete from audit where sequence = 4', broken: { sequence: 4, why: 'missing' } },
  {
    name: 'hash replaced',
    sql: 'update audit set hash = zeroblob(32) where sequence = 2',
    broken: { sequence: 2, why: 'changed' },
  },
  { name: 'first entry removed', sql: 'delete from audit where sequence = 1', broken: { sequence: 1, why: 'missing' } },
  { name: 'tail cut off', sql: 'delete from audit where sequence > 5', broken: { sequence: 6, why: 'missing' } },
]
for (const { name, sql, broken } of tamperings) {
  test(`chain: ${name}`, async () => {
    const { auditor, db, store } = securityFixture()
    for (let at = 0; at < 7; at += 1) await auditor.record(ada, { kind: 'decide', detail: `${at}` })
    const [whole] = await verifyAudit(store)
    assert.equal(whole?.broken, null)
    assert.equal(whole?.entries, 7)
    db.exec('drop trigger audit_is_append_only_u; drop trigger audit_is_append_only_d')
    db.exec(sql)
    const [verified] = await verifyAudit(store, { 'node-1': `7:${whole?.head}` })
    assert.deepEqual(verified?.broken, broken)
  })
}

test('chains longer than a page are walked to their end', async () => {
  const { writer, store } = securityFixture()
  const event = auditEvent('ada', { kind: 'decide' }, 0)
  await writer.appendAudit(Array.from({ length: 1001 }, () => event))
  const [verified] = await verifyAudit(store)
  assert.deepEqual([verified?.entries, verified?.broken], [1001, null])
})

test('noted heads: as they are told, nothing else', () => {
  const hash = 'a'.repeat(64)
  assert.deepEqual(parseNotedHeads(`a@3:${hash}, b@c@4:${hash}`), { a: `3:${hash}`, 'b@c': `4:${hash}` })
  for (const text of ['', 'a', 'a@3', `a@x:${hash}`, `a@3:${hash.slice(1)}`]) {
    assert.throws(() => parseNotedHeads(text), ArchiveError)
  }
})

test('the database itself refuses to change or forget an entry', async () => {
  const { auditor, db } = securityFixture()
  await auditor.record(ada, read)
  assert.throws(() => db.exec("update audit set who = 'eve'"), /append-only/)
  assert.throws(() => db.exec('delete from audit'), /append-only/)
})

test('pages of the trail join without gap or repetition', async () => {
  const { auditor, store, clock } = securityFixture()
  for (let at = 0; at < 25; at += 1) {
    await auditor.record(ada, { kind: 'decide', detail: `${at}` })
    if (at % 3 === 0) clock.now += 1000
  }
  const seen: (string | null)[] = []
  let cursor: string | undefined
  do {
    const page = store.entries({ limit: 4, ...(cursor === undefined ? {} : { cursor }) })
    seen.push(...page.items.map(({ detail }) => detail))
    cursor = page.next ?? undefined
  } while (cursor !== undefined)
  assert.deepEqual(
    seen,
    Array.from({ length: 25 }, (_, at) => `${24 - at}`),
  )
})

test('DICOM audit message: what stands in it cannot break out of it', async () => {
  const { auditor, store } = securityFixture()
  await auditor.record(
    { ...ada, name: 'a"><x/>&\u0000' },
    { kind: 'query', detail: '<PatientName>', address: '::1', patientId: 'p' },
  )
  const [entry] = store.entries({ limit: 1 }).items
  assert.ok(entry)
  const xml = auditMessageXml(auditMessage(entry))
  assert.equal(
    xml,
    '<AuditMessage><EventIdentification EventActionCode="E" EventDateTime="2026-11-24T10:00:00.000Z" EventOutcomeIndicator="0">' +
      '<EventID csd-code="110112" codeSystemName="DCM" originalText="Query"/></EventIdentification>' +
      '<ActiveParticipant UserID="a&quot;&gt;&lt;x/&gt;&amp;\ufffd" UserIsRequestor="true" NetworkAccessPointID="::1" NetworkAccessPointTypeCode="2"/>' +
      '<AuditSourceIdentification AuditSourceID="node-1"/>' +
      '<ParticipantObjectIdentification ParticipantObjectID="p" ParticipantObjectTypeCode="1" ParticipantObjectTypeCodeRole="1">' +
      '<ParticipantObjectIDTypeCode csd-code="2" codeSystemName="RFC-3881" originalText="Patient Number"/></ParticipantObjectIdentification>' +
      '<ParticipantObjectIdentification ParticipantObjectID="node-1/1" ParticipantObjectTypeCode="2" ParticipantObjectTypeCodeRole="24">' +
      '<ParticipantObjectIDTypeCode csd-code="10" codeSystemName="RFC-3881" originalText="Search Criteria"/>' +
      '<ParticipantObjectQuery>PFBhdGllbnROYW1lPg==</ParticipantObjectQuery></ParticipantObjectIdentification></AuditMessage>',
  )
})
