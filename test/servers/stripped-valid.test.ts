import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { hash } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { memorySource } from '#standards/byte-source.ts'
import { openPart10 } from '#standards/dicom/open.ts'
import { keptForm } from '../../src/intake/kept-form.ts'
import { type Elements, EXPLICIT_BE, EXPLICIT_LE, IMPLICIT_LE, part10 } from '../fixtures/dicom-builder.ts'
import { ctImage } from '../fixtures/objects.ts'
import { judge } from '../support/screening-fixture.ts'

const mark: Elements = { '00090010 LO': 'FIXTURE CARRIER', '00091001 OB': Buffer.alloc(8, 7) }
const image = ctImage()
const elements: Elements = {
  ...image,
  ...mark,
  RequestAttributesSequence: [
    { RequestedProcedureID: 'A1', ScheduledProtocolCodeSequence: [{ CodeValue: '1', ...mark }], ...mark },
    { RequestedProcedureID: 'A2', ...mark },
  ],
}

// Lengths around what was stripped are written anew: a reader that trusts them must come out at the end of the file.
for (const transferSyntax of [EXPLICIT_LE, EXPLICIT_BE, IMPLICIT_LE]) {
  test(`dcmtk reads an object without its private elements (${transferSyntax})`, async (context) => {
    const folder = mkdtempSync(join(tmpdir(), 'diptych-stripped-'))
    context.after(() => rmSync(folder, { recursive: true, force: true }))
    const bytes = part10({ elements, transferSyntax })
    const source = memorySource(bytes)
    const screened = judge(bytes, { policy: { privateElements: 'strip' } })
    const uids = { sopClassUID: String(image['SOPClassUID']), sopInstanceUID: String(image['SOPInstanceUID']) }
    const form = await keptForm(
      { in: 'memory', bytes },
      hash('sha256', bytes),
      source,
      openPart10(source),
      screened,
      uids,
    )
    assert.ok(form.in === 'memory')
    const file = join(folder, 'kept.dcm')
    writeFileSync(file, Buffer.concat(form.content))
    const report = execFileSync('dcmdump', ['--no-uid-names', file], { encoding: 'utf8', stdio: 'pipe' })
    assert.doesNotMatch(report, /^\s*\(0009,/m)
    assert.match(report, /\(0040,1001\) SH \[A1\]/)
    assert.match(report, /\(0040,1001\) SH \[A2\]/)
    assert.match(report, /\(7fe0,0010\)/)
  })
}
