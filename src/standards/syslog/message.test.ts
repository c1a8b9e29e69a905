import assert from 'node:assert/strict'
import { test } from 'node:test'
import { octetCounted, syslogMessage } from './message.ts'

const MESSAGE = {
  ...{ facility: 10, severity: 5, time: '2026-11-24T10:00:00.000Z', host: 'node 1', application: 'diptych' },
  ...{ process: '42', messageId: 'DICOM+RFC3881', text: '<AuditMessage/>' },
}

// 10 * 8 + 5 = 85: a receiver sorts by it; a space in a name would move every field behind it.
test('a message has the header of RFC 5424, then the mark of UTF-8 and the text', () => {
  const bytes = syslogMessage(MESSAGE)
  const expected = '<85>1 2026-11-24T10:00:00.000Z node_1 diptych 42 DICOM+RFC3881 - \ufeff<AuditMessage/>'
  assert.equal(bytes.toString('utf8'), expected)
  assert.equal(
    syslogMessage({ ...MESSAGE, host: '' })
      .toString('utf8')
      .split(' ')[2],
    '-',
  )
  assert.equal(
    syslogMessage({ ...MESSAGE, host: 'x'.repeat(300) })
      .toString('utf8')
      .split(' ')[2]?.length,
    255,
  )
})

// Characters are not octets: a receiver that trusts the count would lose its place behind the first umlaut.
test('in a stream the count is of octets', () => {
  const bytes = syslogMessage({ ...MESSAGE, text: 'Ünïcode' })
  const framed = octetCounted(bytes)
  const [count = ''] = framed.toString('latin1').split(' ')
  assert.equal(Number(count), bytes.length)
  assert.equal(framed.length, bytes.length + count.length + 1)
})
