import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { memorySource } from '../byte-source.ts'
import { readDataSet, string } from './data-set.ts'
import { openPart10 } from './open.ts'

const samples = process.env['DIPTYCH_SAMPLES'] ?? join(import.meta.dirname, '../../../../shared/data')
const skip = existsSync(samples) ? false : `no samples at ${samples}`

const PATIENT_NAME = 0x00100010

/** Files whose name one of the two toolkits reads differently or not at all; the standard decides. PS3.5 Annex H. */
const BY_THE_STANDARD: { readonly [path: string]: string } = {
  'part10/charsets/chrH31.dcm': 'Yamada^Tarou=山田^太郎=やまだ^たろう',
  'part10/charsets/chrH32.dcm': 'ﾔﾏﾀﾞ^ﾀﾛｳ=山田^太郎=やまだ^たろう',
  'part10/charsets/chrJapMulti.dcm': 'やまだ^たろう',
  'part10/charsets/chrJapMultiExplicitIR6.dcm': 'やまだ^たろう',
}

function patientName(path: string): string | null {
  const file = openPart10(memorySource(readFileSync(join(samples, path))), { bare: true })
  return string(readDataSet(file.dataSet, file.encoding), PATIENT_NAME)
}

test('charset, samples: names as two toolkits read them', { skip }, (t) => {
  const [head = '', ...rows] = readFileSync(join(samples, 'EXPECTED-DICOM.tsv'), 'utf8').trimEnd().split('\n')
  const columns = head.split('\t')
  const [ofDcmtk, ofPydicom] = [columns.indexOf('patient_name_dcmtk_utf8'), columns.indexOf('PatientName')]
  let compared = 0
  for (const row of rows) {
    const cells = row.split('\t')
    const path = cells[0]!
    if (path.startsWith('part10/malformed')) continue
    const expected = BY_THE_STANDARD[path] ?? cells[ofDcmtk]?.trim()
    if (expected === undefined || expected === '' || cells[ofPydicom] === '') continue
    // Empty component groups at the end mean nothing: dcmtk keeps them, pydicom leaves them out.
    assert.equal(patientName(path)?.replace(/=+$/, ''), expected.replace(/=+$/, ''), path)
    compared += 1
  }
  t.diagnostic(`${compared} names compared`)
  assert.ok(compared > 100)
})

test('charset, samples: an item has the character set of its own or of what is around it', { skip }, () => {
  for (const name of ['chrSQEncoding.dcm', 'chrSQEncoding1.dcm']) {
    const file = openPart10(memorySource(readFileSync(join(samples, 'part10/charsets', name))))
    const dataSet = readDataSet(file.dataSet, file.encoding)
    const item = dataSet.get(0x00321064)?.items?.[0]
    assert.ok(item, name)
    assert.equal(string(item, PATIENT_NAME), 'ﾔﾏﾀﾞ^ﾀﾛｳ=山田^太郎=やまだ^たろう', name)
  }
})
