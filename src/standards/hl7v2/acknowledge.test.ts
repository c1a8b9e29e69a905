import assert from 'node:assert/strict'
import { test } from 'node:test'
import { acknowledge, codesFor, type Outcome, wantedOf } from './acknowledge.ts'
import { Hl7Error } from './errors.ts'
import { parseMessage } from './message.ts'

const by = { application: 'DIPTYCH', facility: '', time: '2026-11-24T10:20:30.123Z', controlId: 'C1' }
const message = (version: string, tail = '') =>
  parseMessage(Buffer.from(`MSH|^~\\&|A^1.2^ISO|B\\T\\C|X|Y|2026||ADT^A08^ADT_A01|ID\\F\\1|P|${version}${tail}\rPID|1`))
const lines = (bytes: Uint8Array) => Buffer.from(bytes).toString().split('\r')
const fault = new Hl7Error('AE', 102, 'PID-7 is no date', { segment: 'PID', sequence: 1, field: 7 })

// What the sender reads decides whether it sends again: code, echoed control id, and where the fault is.
const golden: { name: string; version: string; error: Hl7Error | null; is: string[] }[] = [
  {
    name: '2.5.1, accepted',
    version: '2.5.1',
    error: null,
    is: ['MSH|^~\\&|DIPTYCH||A^1.2^ISO|B\\T\\C|20261124102030+0000||ACK^A08^ACK|C1|P|2.5.1', 'MSA|AA|ID\\F\\1', ''],
  },
  {
    name: '2.5.1, refused',
    version: '2.5.1',
    error: fault,
    is: [
      'MSH|^~\\&|DIPTYCH||A^1.2^ISO|B\\T\\C|20261124102030+0000||ACK^A08^ACK|C1|P|2.5.1',
      'MSA|AE|ID\\F\\1|PID-7 is no date',
      'ERR||PID^1^7|102^Data type error^HL70357|E||||PID-7 is no date',
      '',
    ],
  },
  {
    name: '2.3, refused',
    version: '2.3',
    error: fault,
    is: [
      'MSH|^~\\&|DIPTYCH||A^1.2^ISO|B\\T\\C|20261124102030+0000||ACK^A08|C1|P|2.3',
      'MSA|AE|ID\\F\\1|PID-7 is no date',
      'ERR|PID^1^7^102&Data type error&HL70357',
      '',
    ],
  },
  {
    name: '2.8 has no MSA-3',
    version: '2.8',
    error: fault,
    is: [
      'MSH|^~\\&|DIPTYCH||A^1.2^ISO|B\\T\\C|20261124102030+0000||ACK^A08^ACK|C1|P|2.8',
      'MSA|AE|ID\\F\\1',
      'ERR||PID^1^7|102^Data type error^HL70357|E||||PID-7 is no date',
      '',
    ],
  },
]
for (const { name, version, error, is } of golden) {
  test(`acknowledgement: ${name}`, () => {
    assert.deepEqual(lines(acknowledge(message(version), error === null ? 'AA' : error.answer, error, by)), is)
  })
}

test('what could not be read at all is answered too', () => {
  const answer = acknowledge(null, 'AR', new Hl7Error('AR', 100, 'the message does not begin with MSH'), by)
  assert.match(lines(answer)[1] ?? '', /^MSA\|AR\|\|the message/)
  assert.equal(parseMessage(answer).first('ERR')?.text(3), '100')
})

const ok: Outcome = { ok: true }
const wrong: Outcome = { ok: false, error: fault }
// A sender that waits for an answer that never comes stops the interface; two answers for one put it out of step.
const wanted: { accept: string; application: string; ok: string; wrong: string }[] = [
  { accept: '', application: '', ok: 'AA', wrong: 'AE' },
  { accept: 'AL', application: 'AL', ok: 'CA AA', wrong: 'CE' },
  { accept: 'AL', application: 'NE', ok: 'CA', wrong: 'CE' },
  { accept: 'NE', application: 'AL', ok: 'AA', wrong: 'AE' },
  { accept: 'NE', application: 'NE', ok: '', wrong: '' },
  { accept: 'ER', application: '', ok: 'AA', wrong: 'CE' },
  { accept: 'AL', application: '', ok: 'CA', wrong: 'CE' },
  { accept: '', application: 'ER', ok: '', wrong: 'AE' },
  { accept: 'SU', application: 'SU', ok: 'CA AA', wrong: '' },
  { accept: 'NE', application: 'ER', ok: '', wrong: 'AE' },
]
for (const row of wanted) {
  test(`MSH-15 ${row.accept || '(empty)'}, MSH-16 ${row.application || '(empty)'}`, () => {
    const asked = wantedOf(message('2.5', `|||${row.accept}|${row.application}`))
    assert.equal(codesFor(asked, ok).join(' '), row.ok)
    assert.equal(codesFor(asked, wrong).join(' '), row.wrong)
  })
}
