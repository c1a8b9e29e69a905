import assert from 'node:assert/strict'
import { test } from 'node:test'
import { helpOf, helpOfAll, parseCommandLine } from './arguments.ts'
import { type Command, UsageError } from './command.ts'
import { commands } from './commands.ts'
import { oneLine, plain, progressLine, sizeText } from './terminal.ts'

function command(name: string): Command {
  const found = commands.find((each) => each.name === name)
  assert.ok(found, `there is no command ${name}`)
  return found
}

const mistakes: { name: string; of: string; argv: readonly string[]; says: RegExp }[] = [
  { name: 'unknown flag', of: 'import', argv: ['disc', '--mediun', 'x'], says: /--mediun/ },
  { name: 'flag without its value', of: 'import', argv: ['disc', '--medium'], says: /--medium/ },
  { name: 'no operand', of: 'import', argv: [], says: /PATH\.\.\. is missing/ },
  { name: 'operand too many', of: 'demo', argv: ['x'], says: /x is one operand too many/ },
]
for (const { name, of, argv, says } of mistakes) {
  test(`command line: ${name}`, () => {
    assert.throws(
      () => parseCommandLine(command(of), argv, '/'),
      (error) => {
        return error instanceof UsageError && says.test(error.message)
      },
    )
  })
}

test('command line: flags and operands in any order, repeated where they may be', () => {
  const given = parseCommandLine(
    command('token'),
    ['create', '--scope', 'a', '--role', 'reader', '--scope', 'b', '--json'],
    '/here',
  )
  assert.deepEqual(given.positionals, ['create'])
  assert.deepEqual(given.flags['scope'], ['a', 'b'])
  assert.equal(given.flags['json'], true)
  assert.equal(given.workingDirectory, '/here')
})

test('command line: every command of the contract is there and has help', () => {
  const contract = `serve import screen export verify rebuild-index backup restore quarantine originator peer user token
    settings jobs audit survey mend probe conformance migrate demo bench`.split(/\s+/)
  for (const name of contract) assert.match(helpOf(command(name)), /--data DIR/)
  const all = helpOfAll(commands, '1')
  for (const { name } of commands) assert.match(all, new RegExp(`^  ${name} `, 'm'))
})

// Names from a disc are printed: none may move the cursor, clear the screen or turn the line around.
test('terminal: control and direction characters are shown, not obeyed', () => {
  assert.equal(plain('a\u001b[2Jb\u202Ecd\u0007'), 'a\\u001b[2Jb\\u202ecd\\u0007')
  assert.equal(plain('Müller 日本\n\tx'), 'Müller 日本\n\tx')
  assert.equal(oneLine('I1\naccept  I2\t\u001b'), 'I1\\u000aaccept  I2\\u0009\\u001b')
})

test('terminal: the progress line fits the terminal', () => {
  const progress = { done: 12_345, bytes: 3.2e9, seconds: 10, counts: { stored: 12_000, held: 3, refused: 0 } }
  assert.equal(
    progressLine(progress, 200),
    '12,345 files  3.0 GiB  1,235/s  305 MiB/s  stored 12,000  held 3'.replace('3.0 GiB', sizeText(3.2e9)),
  )
  assert.ok(progressLine(progress, 30).length < 30)
})
