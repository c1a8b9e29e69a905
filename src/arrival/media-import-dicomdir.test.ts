import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { FileSetIndex } from '#standards/media/file-set-index.ts'
import { FileSetCheck } from './media-import-dicomdir.ts'

type Listed = { offset: number; file?: string; next?: number; lower?: number }

function index(root: number, records: readonly Listed[]): FileSetIndex {
  return {
    root,
    size: 10_000,
    records: records.map(({ offset, file, next = 0, lower = 0 }) => {
      return { offset, next, lower, fileId: file?.split('\\') ?? null }
    }),
  }
}

// The list of a medium is input like any other: it may lie about files, point out of the medium, or run in circles.
const cases: { name: string; seen: readonly string[]; index: FileSetIndex; tells: readonly RegExp[] }[] = [
  {
    name: 'as it should be',
    seen: ['disc/DICOM/I1', 'disc/DICOM/I2'],
    index: index(100, [
      { offset: 100, next: 200, file: 'DICOM\\I1' },
      { offset: 200, file: 'DICOM\\I2' },
    ]),
    tells: [],
  },
  {
    name: 'mounted in lower case, with version numbers',
    seen: ['disc/dicom/i1.;1'],
    index: index(100, [{ offset: 100, file: 'DICOM\\I1' }]),
    tells: [],
  },
  {
    name: 'listed but missing, present but not listed',
    seen: ['disc/DICOM/I2'],
    index: index(100, [{ offset: 100, file: 'DICOM\\I1' }]),
    tells: [/^listed but missing: DICOM\\I1$/, /^present but not listed: disc\/DICOM\/I2$/],
  },
  {
    name: 'names that leave the medium',
    seen: [],
    index: index(100, [
      { offset: 100, next: 200, file: '..\\..\\etc\\passwd' },
      { offset: 200, next: 300, file: '\\etc\\passwd' },
      { offset: 300, file: 'C:\\secret' },
    ]),
    tells: [/leaves the medium/, /leaves the medium/, /leaves the medium/],
  },
  {
    name: 'a circle',
    seen: [],
    index: index(100, [
      { offset: 100, lower: 200 },
      { offset: 200, next: 100 },
    ]),
    tells: [/form a loop through byte 100/],
  },
  {
    name: 'an offset to nowhere, and a record nobody points to',
    seen: [],
    index: index(100, [{ offset: 100, next: 9999 }, { offset: 500 }]),
    tells: [/leads nowhere: 9999/, /1 of 2 directory records cannot be reached/],
  },
]
for (const { name, seen, index: listed, tells } of cases) {
  test(`DICOMDIR against its medium: ${name}`, () => {
    const check = new FileSetCheck()
    for (const label of seen) check.saw(label, true)
    const { findings, missing } = check.differences('disc/DICOMDIR', listed)
    const told = findings.map(({ detail }) => detail)
    assert.equal(missing, told.filter((detail) => detail.startsWith('listed but missing')).length)
    assert.equal(told.length, tells.length, told.join('\n'))
    tells.forEach((pattern, at) => {
      assert.match(told[at] ?? '', pattern)
    })
  })
}

test('DICOMDIR against its medium: what a file-set inside it holds is not missed', () => {
  const check = new FileSetCheck()
  check.sawIndex('disc/DICOMDIR')
  check.sawIndex('disc/inner/DICOMDIR')
  check.saw('disc/inner/I1', true)
  check.saw('disc/README', false)
  assert.deepEqual(check.differences('disc/DICOMDIR', index(0, [])), { findings: [], missing: 0 })
})

test('DICOMDIR against its medium: many differences are counted, not listed', () => {
  const check = new FileSetCheck()
  for (let i = 0; i < 500; i++) check.saw(`disc/I${i}`, true)
  const { findings: told } = check.differences('disc/DICOMDIR', index(0, []))
  assert.equal(told.length, 101)
  assert.match(told.at(-1)?.detail ?? '', /400 more/)
})
