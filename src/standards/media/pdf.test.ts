import assert from 'node:assert/strict'
import { Buffer } from 'node:buffer'
import { test } from 'node:test'
import { PDFS, plainPdf } from '../../../test/fixtures/pdf.ts'
import { probePdf } from './pdf.ts'

const names = (bytes: Uint8Array) => [...new Set(probePdf(bytes).active.map(({ name }) => name))]
const object = (text: string) => Buffer.concat([plainPdf(), Buffer.from(`\n9 0 obj\n${text}\nendobj\n`)])

// What hides a name from a search hides it from us too, unless the syntax is really read.
const cases: { name: string; bytes: () => Uint8Array; found: string[] }[] = [
  { name: 'nothing', bytes: () => plainPdf(), found: [] },
  { name: 'a name', bytes: () => object('<< /S /Launch >>'), found: ['Launch'] },
  { name: 'every letter as #xx', bytes: () => object('<< /S /#4c#61#75#6e#63#68 >>'), found: ['Launch'] },
  { name: 'a longer name', bytes: () => object('<< /S /Launches >>'), found: [] },
  { name: 'in a string', bytes: () => object('<< /T (a \\) /Launch (b) ) >>'), found: [] },
  { name: 'in a comment', bytes: () => object('<< %/Launch\n >>'), found: [] },
  {
    name: 'behind an unbalanced string',
    bytes: () => Buffer.concat([object('<< /T (never closed >>'), Buffer.from('10 0 obj << /S /Launch >> endobj')]),
    found: ['Launch'],
  },
  { name: 'in the data of a stream', bytes: () => object('<< /Length 9 >> stream\n/Launch x\nendstream'), found: [] },
  {
    name: 'behind a stream that lies about its length',
    bytes: () =>
      Buffer.concat([
        object('<< /Length 4000 >> stream\nx\nendstream'),
        Buffer.from('10 0 obj << /S /Launch >> endobj'),
      ]),
    found: ['Launch'],
  },
  { name: 'in an object stream', bytes: () => PDFS['javascript-object-stream']!(), found: ['JavaScript', 'JS'] },
]
for (const { name, bytes, found } of cases) {
  test(`pdf: ${name}`, () => assert.deepEqual(names(bytes()), found))
}

// Each of these once took time that grows with the square of the size.
for (const piece of ['obj(', 'obj<<', '1 0 obj<<>>stream\n', 'trailer(', '/A', '<</Length 5 0 R>>stream endstream']) {
  test(`pdf: ${JSON.stringify(piece)} a hundred thousand times`, () => {
    const started = process.cpuUsage()
    probePdf(Buffer.from(`%PDF-1.4\n${piece.repeat(100_000)}`))
    assert.ok(process.cpuUsage(started).user < 10_000_000)
  })
}

test('pdf: a tangle and too many attachments are told, not passed over', () => {
  const tangle = probePdf(Buffer.from(`%PDF-1.4\n${'obj('.repeat(200_000)}`))
  assert.equal(tangle.uninspected.length, 1)
  const attachment = '9 0 obj << /Type /EmbeddedFile /Length 1 >> stream\nx\nendstream endobj\n'
  assert.deepEqual(probePdf(Buffer.from(`%PDF-1.4\n${attachment.repeat(201)}`)).uninspected, [
    'more than 200 attachments',
  ])
})
