import assert from 'node:assert/strict'
import { test } from 'node:test'
import { openDatabase } from '#index/sqlite/database.ts'
import { createIdentityReader } from '#index/sqlite/ledger-reader.ts'
import { createMessageStore } from '#index/sqlite/message-store.ts'
import { migrate } from '#index/sqlite/migrate.ts'
import { createSqliteWriter } from '#index/sqlite/writer.ts'
import { createTurns } from '#operations/identity-desk.ts'
import { createIssuers } from '#security/issuers.ts'
import { DEFAULT_HL7_LIMITS } from '#standards/hl7v2/limits.ts'
import type { Journal, PlacedEntry } from '#storage/journal.ts'
import { codeOf, message } from '../../../test/live/mllp-client.ts'
import { createMessageDesk } from './message-desk.ts'

/** A desk over a real index; the journal counts, and may fail. */
function openDesk() {
  const db = openDatabase(':memory:')
  migrate(db)
  const { ledger } = createSqliteWriter(db)
  const identities = createIdentityReader(db)
  const appends: number[] = []
  const faults: unknown[] = []
  let commits = 0
  let sequence = 0
  let full = false
  const journal: Journal = {
    async append(decisions) {
      if (decisions.length === 0) return []
      await new Promise((resolve) => setImmediate(resolve))
      if (full) throw new Error('no room')
      appends.push(decisions.length)
      return decisions.map(({ kind, payload }): PlacedEntry => {
        sequence += 1
        const location = { segment: '1', offset: sequence, length: 1 }
        return { format: 1, sequence, kind, payload, time: '2026-11-24T10:00:00.000Z', location }
      })
    },
    appendWith: () => assert.fail('messages stand alone'),
  }
  const desk = createMessageDesk({
    store: createMessageStore(db),
    ledger,
    known: { patient: (key) => identities.patient(key), order: (id) => identities.order(id), linkOf: () => undefined },
    journal,
    commit(fn) {
      commits += 1
      db.transaction(fn)
    },
    exclusively: createTurns(),
    reports: {
      screened: () => assert.fail('no message here carries a document'),
      refuseScreened: () => assert.fail(),
      keep: () => assert.fail(),
      store: { apply: () => assert.fail() },
      reports: { withdraw: () => assert.fail() },
      changed: () => assert.fail(),
      known: {
        versions: () => [],
        withdrawnAt: () => null,
        document: () => undefined,
        isKnown: () => false,
        survivorOf: () => null,
      },
    },
    wake: () => undefined,
    audit: () => undefined,
    terms: () => ({
      originators: [],
      senders: 'any',
      messages: {},
      undeclared: 'windows-1252',
      siteIssuer: 'local',
      mapping: {
        issuers: createIssuers([]),
        unknownIssuers: 'accept',
        siteZone: 'UTC',
        orderStatus: {},
        studyUid: 'generate',
      },
    }),
    limits: DEFAULT_HL7_LIMITS,
    us: { application: 'DIPTYCH', facility: 'TEST' },
    onFault: (error) => faults.push(error),
  })
  const send = async (text: string) => {
    const envelope = { door: 'mllp', address: '10.0.0.1', certificate: null, time: '2026-11-24T10:00:00.000Z' } as const
    const { acknowledgements, record } = await desk.receive({ ...envelope, bytes: Buffer.from(text) })
    return { code: codeOf(Buffer.from(acknowledgements[0] ?? []).toString()), record }
  }
  return {
    send,
    appends,
    faults,
    commits: () => commits,
    fill: (now: boolean) => {
      full = now
    },
    patient: (id: string) => identities.patient({ issuer: 'HOSP', id }),
  }
}

const pid = (id: string, name = 'DOE^JANE') => `PID|1||${id}^^^HOSP||${name}||19700101|F`

test('messages that wait together and name different patients cost one flush and one transaction', async () => {
  const { send, appends, commits, patient } = openDesk()
  const answers = await Promise.all(
    Array.from({ length: 10 }, (_, i) => send(message('ADT^A28', [pid(`P${i}`)], { id: `C${i}` }))),
  )
  assert.ok(answers.every(({ code }) => code === 'AA'))
  assert.deepEqual([appends, commits()], [[10], 1])
  assert.equal(new Set(answers.map(({ record }) => record?.id)).size, 10)
  assert.ok(patient('P9'))
})

// A merge must see who was admitted before it, and a correction must not be judged by what was known before the first.
test('messages about the same patient are carried out one after the other, in their order', async () => {
  const { send, appends, patient } = openDesk()
  const [, , merged, last] = await Promise.all([
    send(message('ADT^A28', [pid('A')])),
    send(message('ADT^A28', [pid('B', 'DOE^BEFORE')])),
    send(message('ADT^A40', [pid('A'), 'MRG|B^^^HOSP'])),
    send(message('ADT^A31', [pid('A', 'DOE^AFTER')])),
  ])
  assert.deepEqual([merged?.code, last?.code], ['AA', 'AA'])
  assert.deepEqual(appends, [2, 1, 1])
  assert.equal(patient('A')?.demographics.name, 'DOE^AFTER')
})

test('a resend that waits beside the message itself gets its answer and has no second effect', async () => {
  const { send, appends } = openDesk()
  const text = message('ADT^A28', [pid('R')], { id: 'SAME' })
  const [first, second] = await Promise.all([send(text), send(text)])
  assert.equal(second?.record?.id, first?.record?.id)
  assert.equal(second?.record?.arrivals, 2)
  assert.deepEqual(appends, [1])
})

test('what could not be kept is told to everybody of the group, and taken when it is sent again', async () => {
  const { send, fill, faults, patient } = openDesk()
  const texts = ['X', 'Y'].map((id) => message('ADT^A28', [pid(id)], { id }))
  fill(true)
  const refused = await Promise.all(texts.map(send))
  assert.deepEqual(
    refused.map(({ code, record }) => [code, record]),
    [
      ['AE 207', null],
      ['AE 207', null],
    ],
  )
  assert.equal(faults.length, 1)
  assert.equal(patient('X'), undefined)
  fill(false)
  const taken = await Promise.all(texts.map(send))
  assert.ok(taken.every(({ code }) => code === 'AA'))
})

test('a refused message is refused alone: its neighbours are taken', async () => {
  const { send, appends } = openDesk()
  const answers = await Promise.all([
    send(message('ADT^A28', [pid('N1')])),
    send(message('ADT^A40', [pid('N2'), 'MRG|N2^^^HOSP'])),
    send(message('ADT^A28', [pid('N3')])),
  ])
  assert.deepEqual(
    answers.map(({ code }) => code !== 'AA'),
    [false, true, false],
  )
  assert.deepEqual(appends, [3])
})
