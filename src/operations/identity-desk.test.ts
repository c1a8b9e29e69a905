import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ArchiveError } from '#errors.ts'
import type { LedgerDecision } from '#model/identity.ts'
import type { Journal, PlacedEntry } from '#storage/journal.ts'
import { CAUSE, dump, ledgerArchive, merge, smallLedger, undo } from '../../test/support/ledger-fixture.ts'
import { createIdentityDesk, createTurns, type IdentityAudit, ledgerEntries } from './identity-desk.ts'

function desk(how: { readonly journal?: () => Promise<void>; readonly applied?: () => void } = {}) {
  const made = smallLedger()
  const written: PlacedEntry[] = []
  const told: IdentityAudit[] = []
  const journal: Pick<Journal, 'append'> = {
    async append(decisions) {
      await how.journal?.()
      const entries = decisions.map(
        ({ kind, payload }, i): PlacedEntry => ({
          format: 1,
          sequence: written.length + i + 1,
          kind,
          time: new Date(Date.UTC(2026, 0, 1, 0, 0, written.length)).toISOString(),
          payload: JSON.parse(JSON.stringify(payload)),
          location: { segment: '000001.tar', offset: 0, length: 1 },
        }),
      )
      written.push(...entries)
      return entries
    },
  }
  const identity = createIdentityDesk({
    ledger: made.ledger,
    journal,
    commit: (fn) => made.db.transaction(fn),
    exclusively: createTurns(),
    audit: (one) => told.push(one),
    applied: () => how.applied?.(),
  })
  return { ...made, identity, written, told }
}

const code = (expected: string) => (error: unknown) => error instanceof ArchiveError && error.code === expected

test('a decision is journalled, applied, audited, and named by its place in the journal', async () => {
  const made = desk()
  const entries = await made.identity.decide([merge('FOREIGN|F1', 'LOCAL|L1')], CAUSE, '127.0.0.1')
  assert.deepEqual(
    entries.map(({ id }) => id),
    ['1.0'],
  )
  assert.deepEqual(
    made.told.map(({ outcome, detail, address }) => [outcome, detail, address]),
    [['success', 'identity: desk: 1.0 merge', '127.0.0.1']],
  )
  assert.equal(made.identities.entry('1.0')?.decision.do, 'merge')
  const fresh = smallLedger()
  for (const entry of made.written) fresh.ledger.apply(ledgerEntries(entry) ?? [])
  assert.deepEqual(dump(fresh.db), dump(made.db))
})

const refusals: readonly { name: string; decisions: readonly LedgerDecision[]; code: string }[] = [
  { name: 'into nobody', decisions: [merge('FOREIGN|F1', 'LOCAL|L9')], code: 'identity.unknown' },
  {
    name: 'in a circle',
    decisions: [merge('FOREIGN|F1', 'LOCAL|L1'), merge('LOCAL|L1', 'FOREIGN|F1')],
    code: 'identity.cycle',
  },
  { name: 'undoing nothing', decisions: [undo('9.9')], code: 'identity.unknown' },
]
for (const { name, decisions, code: expected } of refusals) {
  test(`a refused decision leaves only its audit: ${name}`, async () => {
    const made = desk()
    const before = dump(made.db)
    await assert.rejects(made.identity.decide(decisions, CAUSE, null), code(expected))
    assert.deepEqual(made.written, [])
    assert.deepEqual(dump(made.db), before)
    assert.deepEqual(
      made.told.map(({ outcome }) => outcome),
      ['denied'],
    )
  })
}

test('two that contradict each other: the second is checked once the first is applied', async () => {
  const made = desk({ journal: () => new Promise((resolve) => setTimeout(resolve, 5)) })
  const [first, second] = await Promise.allSettled([
    made.identity.decide([merge('FOREIGN|F1', 'LOCAL|L1')], CAUSE, null),
    made.identity.decide([merge('LOCAL|L1', 'FOREIGN|F1')], CAUSE, null),
  ])
  assert.equal(first.status, 'fulfilled')
  assert.ok(second.status === 'rejected' && code('identity.cycle')(second.reason))
  assert.equal(made.written.length, 1)
})

test('a journal that fails decides nothing, and the next one has its turn', async () => {
  let fails = true
  const made = desk({
    async journal() {
      if (fails) throw new ArchiveError('storage.full', 'no room')
    },
  })
  const before = dump(made.db)
  await assert.rejects(made.identity.decide([merge('FOREIGN|F1', 'LOCAL|L1')], CAUSE, null), code('storage.full'))
  assert.deepEqual(dump(made.db), before)
  fails = false
  assert.equal((await made.identity.decide([merge('FOREIGN|F1', 'LOCAL|L1')], CAUSE, null)).length, 1)
})

test('what fails inside the transaction leaves nothing applied', async () => {
  const made = desk({
    applied() {
      throw new ArchiveError('storage.full', 'no room')
    },
  })
  const before = dump(made.db)
  await assert.rejects(made.identity.decide([merge('FOREIGN|F1', 'LOCAL|L1')], CAUSE, null), code('storage.full'))
  assert.deepEqual(dump(made.db), before)
  assert.deepEqual(dump(made.db), dump(smallLedger().db))
  // Nothing of the failed transaction is remembered either.
  made.store({ study: '1.1', patient: 'FOREIGN|F1', uid: '1.1.1.9' })
  assert.equal(made.writer.studyPatient('1.1')?.id, 'F1')
  assert.equal(ledgerArchive().identities.entry('1.0'), undefined)
})
