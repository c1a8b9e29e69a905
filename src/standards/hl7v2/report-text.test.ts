import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseMessage } from './message.ts'
import { reportText } from './report-text.ts'

// What a person reads: nothing said may be lost, no value without its name, no control character on a screen.
const cases: { name: string; lines: string[]; is: string }[] = [
  {
    name: 'lines of one observation',
    lines: ['OBX|1|TX|1^Findings||One', 'OBX|2|TX|1^Findings||Two'],
    is: 'T\n\nFindings\nOne\nTwo\n',
  },
  { name: 'sections', lines: ['OBX|1|FT|1^A||x\\.br\\y', 'OBX|2|FT|2^B||z'], is: 'T\n\nA\nx\ny\n\nB\nz\n' },
  { name: 'repetitions are lines', lines: ['OBX|1|TX|1^A||x~y^z'], is: 'T\n\nA\nx\ny^z\n' },
  { name: 'its own title is not said twice', lines: ['OBX|1|TX|1^T||x'], is: 'T\n\nx\n' },
  {
    name: 'measured',
    lines: ['OBX|1|NM|1^Na||140|mmol/L^^UCUM|135-145|H|||F'],
    is: 'T\n\nNa: 140 mmol/L (135-145) [H]\n',
  },
  { name: 'coded', lines: ['OBX|1|CWE|1^Site||T-1^Lung^SRT~^^^^^^^^Liver'], is: 'T\n\nSite: Lung, Liver\n' },
  { name: 'structured number', lines: ['OBX|1|SN|1^Titre||^1^:^128'], is: 'T\n\nTitre: 1:128\n' },
  { name: 'notes', lines: ['OBX|1|NM|1^K||5', 'NTE|1||called\\.br\\twice'], is: 'T\n\nK: 5\n  called\n  twice\n' },
  { name: 'control characters', lines: ['OBX|1|TX|1^A||a\\X1B\\[2Jb'], is: 'T\n\nA\na [2Jb\n' },
  { name: 'nothing', lines: ['OBX|1|NM|1^K||', 'OBX|2|TX|2||""'], is: '' },
]
for (const { name, lines, is } of cases) {
  test(`report text: ${name}`, () => {
    const head = 'MSH|^~\\&|A|B|C|D|2026||ORU^R01|1|P|2.5'
    const message = parseMessage(Buffer.from([head, ...lines, ''].join('\r')))
    const segments = message.segments.filter(({ name: segment }) => segment !== 'MSH')
    assert.equal(reportText([{ title: 'T', segments }], message.delimiters), is)
  })
}
