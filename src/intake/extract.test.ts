import assert from 'node:assert/strict'
import { test } from 'node:test'
import { memorySource } from '#standards/byte-source.ts'
import { openPart10 } from '#standards/dicom/open.ts'
import { part10 } from '../../test/fixtures/dicom-builder.ts'
import { ctImage } from '../../test/fixtures/objects.ts'
import { extract } from './extract.ts'

const UIDS = { sopClassUID: '1.2', sopInstanceUID: '1.2.3', studyInstanceUID: '1.2.4', seriesInstanceUID: '1.2.5' }

// A name that was read by guess must not look as sure as one that was declared properly.
const cases: { charset: string; findings: string[] }[] = [
  { charset: 'ISO_IR 100', findings: [] },
  { charset: '', findings: [] },
  { charset: 'ISO-IR 100', findings: ['charset info "ISO-IR 100" was read as ISO_IR 100'] },
  { charset: 'KLINGON', findings: ['charset warning "KLINGON" is no character repertoire'] },
]

for (const { charset, findings } of cases) {
  test(`extract: character repertoire "${charset}"`, () => {
    const file = part10({ elements: { ...ctImage(), SpecificCharacterSet: charset } })
    const extracted = extract(openPart10(memorySource(file)), UIDS, { zone: null, siteZone: 'UTC' })
    const told = extracted.findings.filter(({ rule }) => rule === 'charset')
    assert.deepEqual(
      told.map(({ rule, severity, detail }) => `${rule} ${severity} ${detail}`),
      findings,
    )
  })
}
