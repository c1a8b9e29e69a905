import assert from 'node:assert/strict'
import { Writable } from 'node:stream'
import { test } from 'node:test'
import { Terminal } from './terminal.ts'

function stream(isTTY: boolean): NodeJS.WriteStream & { said: string } {
  const made = Object.assign(
    new Writable({
      write(chunk, _encoding, done) {
        made.said += String(chunk)
        done()
      },
    }),
    { said: '', isTTY, columns: 80 },
  )
  return made as never
}

// A script that reads lines must not meet a line that is no item.
const cases = [
  { name: 'a person at a terminal reads the heading', tty: true, json: false, out: 'NUMBER  WHY\n1  P2\n' },
  { name: 'a pipe gets the items alone', tty: false, json: false, out: '1  P2\n' },
  { name: 'JSON lines have none', tty: true, json: true, out: '{"id":"1"}\n' },
]
for (const { name, tty, json, out: expected } of cases) {
  test(`lists: ${name}`, async () => {
    const [out, error] = [stream(tty), stream(tty)]
    const terminal = new Terminal(json, out, error)
    await terminal.emit({ heading: 'NUMBER  WHY' })
    await terminal.emit({ json: { id: '1' }, text: '1  P2' })
    terminal.end()
    assert.deepEqual([out.said, error.said], [expected, ''])
  })
}
