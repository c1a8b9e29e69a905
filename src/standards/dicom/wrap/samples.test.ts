import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { memorySource } from '../../byte-source.ts'
import { cdaBody } from '../../media/cda-body.ts'
import { openPart10 } from '../open.ts'
import { joinPieces } from '../pieces.ts'
import { wrapDocument } from './encapsulated-document.ts'
import { pagesOf } from './pages.ts'
import { nativePieces, unwrap } from './unwrap.ts'

const samples = process.env['DIPTYCH_SAMPLES'] ?? '../shared/data'
const skip = existsSync(samples) ? false : 'real samples are not here: set DIPTYCH_SAMPLES'
const read = (name: string) => readFileSync(join(samples, name))

const wrapped: { file: string; type: string; body?: string }[] = [
  { file: 'pdf.dcm', type: 'pdf' },
  { file: 'stl.dcm', type: 'stl' },
  { file: 'cda-diagnostic-imaging-report.dcm', type: 'cda' },
  { file: 'cda-lab-report.dcm', type: 'cda' },
  { file: 'cda-with-embedded-pdf.dcm', type: 'cda', body: 'application/pdf' },
]

for (const { file, type, body } of wrapped) {
  test(`sample unwrapped: ${file}`, { skip }, () => {
    const native = unwrap(openPart10(memorySource(read(`encapsulated/${file}`))))
    assert.ok(native)
    assert.equal(native.type, type)
    const bytes = joinPieces(nativePieces(native))
    if (type === 'cda') {
      assert.equal(cdaBody(bytes)?.mediaType, body)
      return
    }
    const again = wrapDocument(
      memorySource(bytes),
      {
        patient: { name: 'Again', id: '1' },
        study: { uid: '2.25.1' },
        series: { number: 1 },
        equipment: { manufacturer: 'Diptych' },
        sha256: createHash('sha256').update(bytes).digest('hex'),
        instanceNumber: 1,
      },
      { title: file, model: { unit: 'mm' } },
    )
    const second = unwrap(openPart10(memorySource(joinPieces(again.pieces))))
    assert.deepEqual(second && joinPieces(nativePieces(second)), bytes)
  })
}

test('sample CDAs: the PDF inside comes out, a reference to elsewhere does not', { skip }, () => {
  const embedded = cdaBody(read('cda/embedded-content/CDA_with_Embedded_PDF.ccda'))
  assert.equal(embedded?.mediaType, 'application/pdf')
  assert.equal(cdaBody(read('cda/embedded-content/Unstructured_Document_reference.ccda')), undefined)
  assert.equal(cdaBody(read('cda/c-cda-examples/CCD.xml')), undefined)
})

test('sample images of 8-bit grey: as many pages as frames', { skip }, async () => {
  const pages = []
  for await (const page of pagesOf(openPart10(memorySource(read('presentation/imageForPrLUTs.dcm'))))) pages.push(page)
  assert.equal(pages.length, 1)
})
