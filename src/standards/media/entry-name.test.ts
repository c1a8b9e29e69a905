import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type NameProblem, readEntryName } from './entry-name.ts'

// A name that is used as a path anywhere is a hole: each kind is seen, and its near miss is left alone.
const cases: { name: string; bytes: string | number[]; label?: string; problems: NameProblem[] }[] = [
  { name: 'plain', bytes: 'DICOM/I1', problems: [] },
  { name: 'umlaut', bytes: 'Bilder/Schädel.dcm', problems: [] },
  { name: 'two dots in a name', bytes: 'a..b/..c', problems: [] },
  { name: 'parent', bytes: 'a/../../etc/passwd', problems: ['parent'] },
  { name: 'absolute', bytes: '/etc/passwd', problems: ['absolute'] },
  { name: 'backslash parent', bytes: '..\\x', problems: ['backslash', 'parent'] },
  { name: 'drive', bytes: 'C:x', problems: ['drive'] },
  { name: 'device', bytes: 'a/COM1.txt', problems: ['reserved'] },
  { name: 'like a device', bytes: 'a/COM10', problems: [] },
  { name: 'control', bytes: 'a\u0007b', problems: ['control'] },
  { name: 'bidi', bytes: 'a\u202egpj.exe', problems: ['bidi'] },
  { name: 'latin 1', bytes: [0x53, 0xe4, 0x2f, 0xc3, 0xa4], label: 'S%E4/ä', problems: ['not-utf8'] },
  { name: 'empty', bytes: '', problems: ['empty'] },
]

for (const { name, bytes, label, problems } of cases) {
  test(`entry name: ${name}`, () => {
    const read = readEntryName(typeof bytes === 'string' ? new TextEncoder().encode(bytes) : Uint8Array.from(bytes))
    assert.deepEqual(read.problems, problems)
    if (label !== undefined) assert.equal(read.label, label)
  })
}
