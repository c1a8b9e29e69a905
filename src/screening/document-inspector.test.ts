import assert from 'node:assert/strict'
import { test } from 'node:test'
import { part10 } from '../../test/fixtures/dicom-builder.ts'
import { cdaObject, cdaXml, ctImage, pdfObject } from '../../test/fixtures/objects.ts'
import { PDFS } from '../../test/fixtures/pdf.ts'
import { judge, judgeWith } from '../../test/support/screening-fixture.ts'
import { type DocumentVerdict, INSPECTED_HERE_MAX, type Inspector } from './document-inspection.ts'
import { createInspector } from './document-inspector.ts'
import type { Screened } from './screened.ts'

const paragraph = `<section><text><paragraph>${'quiet text '.repeat(20)}</paragraph></text></section>\n`
/** A body that makes the document larger than what is inspected on the spot. */
const long = (last = '') => paragraph.repeat(Math.ceil((2 * INSPECTED_HERE_MAX) / paragraph.length)) + last
const cda = (last = '') => part10({ elements: cdaObject(cdaXml({ body: long(last) })) })
/** What stands behind the end of a PDF is looked at too: comments make one long. */
const pdf = (name: string) => {
  const start = Buffer.from(`%PDF-1.7\n${`%${'-'.repeat(78)}\n`.repeat(INSPECTED_HERE_MAX / 40)}`)
  return part10({ elements: pdfObject(Buffer.concat([start, (PDFS[name] as () => Uint8Array)()])) })
}

/** The same with a document type, which nobody reads further than. */
const declaring = (body: string) => Buffer.from(`<!DOCTYPE a>${Buffer.from(cdaXml({ body })).toString('utf8')}`)

const told = ({ verdict, findings, reason }: Screened) => ({ verdict, findings, reason })

// Another thread, the same verdict: where a document is inspected must not decide what is thought of it.
const rows: { name: string; bytes: () => Uint8Array; how?: Parameters<typeof judge>[1] }[] = [
  { name: 'a plain CDA', bytes: () => cda() },
  { name: 'a CDA with an active reference', bytes: () => cda('<reference value="javascript:alert(1)"/>') },
  { name: 'a CDA that is not well-formed', bytes: () => cda('<open>') },
  {
    name: 'a CDA that declares an entity',
    bytes: () => part10({ elements: cdaObject(declaring(long())) }),
  },
  { name: 'a PDF with a program inside', bytes: () => pdf('attached-program') },
  { name: 'a PDF with a script', bytes: () => pdf('javascript') },
  {
    name: 'XML that is no object, on a medium',
    bytes: () => Buffer.from(cdaXml({ body: long() })),
    how: { door: 'media', path: 'report.xml' },
  },
]

test('large documents: the inspecting thread says what would have been said here', async (context) => {
  const inspector = createInspector()
  context.after(() => inspector.close())
  for (const { name, bytes, how } of rows) {
    const judged = judgeWith(bytes(), { inspector }, how)
    assert.ok(judged instanceof Promise, `${name} is inspected elsewhere`)
    assert.deepEqual(told(await judged), told(judge(bytes(), how)), name)
  }
})

// One 64 MiB document must not hold everybody up: what comes behind it is judged while it is inspected.
test('large documents: a small object is judged while a large one is inspected', async () => {
  const gate = Promise.withResolvers<DocumentVerdict>()
  let asked = 0
  const inspector: Inspector = {
    inspect: () => {
      asked += 1
      return gate.promise
    },
    close: async () => undefined,
  }
  const order: string[] = []
  const large = Promise.resolve(judgeWith(cda(), { inspector })).then((screened) => {
    order.push('large')
    return screened
  })
  const small = judgeWith(part10({ elements: ctImage() }), { inspector })
  assert.ok(!(small instanceof Promise), 'nothing to wait for')
  assert.equal(small.verdict, 'accept')
  order.push('small')
  gate.resolve({ drafts: [], pieces: [] })
  assert.equal((await large).verdict, 'accept')
  assert.deepEqual([order, asked], [['small', 'large'], 1])
})

test('large documents: small ones are inspected on the spot', () => {
  const inspector: Inspector = {
    inspect: () => assert.fail('nobody is asked'),
    close: async () => undefined,
  }
  assert.ok(!(judgeWith(part10({ elements: cdaObject(cdaXml({})) }), { inspector }) instanceof Promise))
})

test('large documents: an inspection that does not end is a held object, and the next one is inspected', async (context) => {
  const hasty = createInspector(0)
  context.after(() => hasty.close())
  const screened = await judgeWith(cda(), { inspector: hasty })
  assert.equal(screened.verdict, 'quarantine')
  assert.match(screened.reason, /^G2: screening failed: the inspection took longer than 0 ms/)
  const inspector = createInspector()
  context.after(() => inspector.close())
  const both = await Promise.all([judgeWith(cda(), { inspector }), judgeWith(cda(), { inspector })])
  assert.deepEqual(
    both.map(({ verdict }) => verdict),
    ['accept', 'accept'],
  )
})
