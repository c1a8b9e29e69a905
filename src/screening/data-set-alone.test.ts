/** A data set that came alone (C-STORE) gets the verdict its file would get, in whatever transfer syntax. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { memorySource } from '#standards/byte-source.ts'
import { DEFAULT_LIMITS } from '#standards/dicom/limits.ts'
import { openPart10 } from '#standards/dicom/open.ts'
import {
  buildPart10,
  DEFLATED_LE,
  ENCAPSULATED_UNCOMPRESSED,
  EXPLICIT_BE,
  EXPLICIT_LE,
  IMPLICIT_LE,
} from '../../test/fixtures/dicom-builder.ts'
import { ctImage, pdfObject } from '../../test/fixtures/objects.ts'
import { PLAIN_POLICY } from '../../test/support/screening-fixture.ts'
import { screenSync } from './screen.ts'
import type { Screened } from './screened.ts'

const PRIVATE_SYNTAX = '1.2.3.4.5'

function judgeAlone(bytes: Uint8Array, dataSetIn: string, claims: object = {}, policy: object = {}): Screened {
  const provenance = {
    door: 'dimse' as const,
    peer: 'CT1',
    originator: null,
    user: null,
    address: null,
    medium: null,
    path: null,
    time: '2026-11-24T00:00:00.000Z',
    dataSetIn,
  }
  const arrival = { source: memorySource(bytes), bytes: { in: 'memory', bytes } as const, claims, provenance }
  return screenSync(arrival, { ...PLAIN_POLICY, ...policy }, { limits: DEFAULT_LIMITS })
}

const syntaxes = [IMPLICIT_LE, EXPLICIT_LE, EXPLICIT_BE, DEFLATED_LE, ENCAPSULATED_UNCOMPRESSED]
for (const transferSyntax of syntaxes) {
  test(`a data set alone in ${transferSyntax} is accepted, and its bytes are where they were`, () => {
    const { bytes, dataSetStart } = buildPart10({ elements: pdfObject(), transferSyntax })
    const alone = bytes.subarray(dataSetStart)
    const screened = judgeAlone(alone, transferSyntax)
    assert.equal(screened.verdict, 'accept', screened.reason)
    assert.ok(!screened.findings.some(({ rule }) => rule === 'P0' || rule === 'M6'), screened.reason)
    assert.equal(screened.part10?.dataSetStart, 0)
    assert.equal(screened.part10?.transferSyntax.uid, transferSyntax)
    const whole = openPart10(memorySource(bytes))
    assert.equal(screened.part10?.dataSet.size, whole.dataSet.size)
  })
}

// A sender that names one instance and sends another must not get a success for either.
const contradictions: { name: string; claims: object }[] = [
  { name: 'class', claims: { sopClassUID: '1.2.840.10008.5.1.4.1.1.7' } },
  { name: 'instance', claims: { sopInstanceUID: '1.2.3' } },
]
for (const { name, claims } of contradictions) {
  test(`a command that names another ${name} is held by M5`, () => {
    const { bytes, dataSetStart } = buildPart10({ elements: ctImage() })
    const screened = judgeAlone(bytes.subarray(dataSetStart), EXPLICIT_LE, claims)
    assert.equal(screened.verdict, 'quarantine')
    assert.ok(screened.findings.some(({ rule, severity }) => rule === 'M5' && severity === 'quarantine'))
  })
}

test('an unknown transfer syntax is refused, or kept as it is where the site says so', () => {
  const { bytes, dataSetStart } = buildPart10({ elements: pdfObject() })
  const alone = bytes.subarray(dataSetStart)
  assert.notEqual(judgeAlone(alone, PRIVATE_SYNTAX).verdict, 'accept')
  const kept = judgeAlone(alone, PRIVATE_SYNTAX, {}, { unknownTransferSyntaxes: 'keep' })
  assert.equal(kept.verdict, 'accept', kept.reason)
  assert.equal(kept.part10?.transferSyntax.uid, PRIVATE_SYNTAX)
})

test('DICM at 128 of a data set alone is no head, and a whole file is no data set', () => {
  const { bytes, dataSetStart } = buildPart10({
    elements: {
      '00080001 UN': Buffer.concat([Buffer.alloc(120), Buffer.from('DICM\x02\0\0\0UL\x04\0\0\0\0\0', 'latin1')]),
      ...pdfObject(),
    },
  })
  const alone = bytes.subarray(dataSetStart)
  const screened = judgeAlone(alone, EXPLICIT_LE)
  assert.equal(screened.part10?.dataSetStart, 0)
  const file = buildPart10({ elements: pdfObject() }).bytes
  assert.ok(['quarantine', 'reject'].includes(judgeAlone(file, EXPLICIT_LE).verdict))
})

test('the index of a medium is no object by C-STORE either', () => {
  const { bytes, dataSetStart } = buildPart10({
    elements: { SOPClassUID: '1.2.840.10008.1.3.10', SOPInstanceUID: '1.2' },
  })
  const claims = { sopClassUID: '1.2.840.10008.1.3.10', sopInstanceUID: '1.2' }
  assert.equal(judgeAlone(bytes.subarray(dataSetStart), EXPLICIT_LE, claims).verdict, 'reject')
})

test('a PDF header at the start of a data set alone is found: our own head will not hide it', () => {
  const { bytes, dataSetStart } = buildPart10({ elements: { '00080001 UN': Buffer.from('%PDF-1.7 '), ...pdfObject() } })
  const file = openPart10(memorySource(bytes))
  assert.ok(file.dataSetStart > 0)
  const screened = judgeAlone(bytes.subarray(dataSetStart), EXPLICIT_LE)
  assert.ok(
    screened.findings.some(({ rule }) => rule === 'P4' || rule === 'P9'),
    JSON.stringify(screened.findings),
  )
})
