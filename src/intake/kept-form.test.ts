import assert from 'node:assert/strict'
import { hash } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { memorySource } from '#standards/byte-source.ts'
import { openPart10 } from '#standards/dicom/open.ts'
import { ArrivalBuffer, openSpooled } from '#storage/spool.ts'
import {
  dataSet,
  type Elements,
  EXPLICIT_BE,
  EXPLICIT_LE,
  IMPLICIT_LE,
  part10,
} from '../../test/fixtures/dicom-builder.ts'
import { ctImage } from '../../test/fixtures/objects.ts'
import { judge } from '../../test/support/screening-fixture.ts'
import { extract } from './extract.ts'
import { keptForm, keptObject } from './kept-form.ts'

const STRIP = { policy: { privateElements: 'strip' } } as const
const image = ctImage()
const uids = {
  sopClassUID: String(image['SOPClassUID']),
  sopInstanceUID: String(image['SOPInstanceUID']),
  studyInstanceUID: String(image['StudyInstanceUID']),
  seriesInstanceUID: String(image['SeriesInstanceUID']),
}
const mark: Elements = { '00090010 LO': 'FIXTURE CARRIER', '00091001 OB': Buffer.alloc(8, 7) }
const reference: Elements = { ReferencedSOPClassUID: '1.3', ReferencedSOPInstanceUID: '1.2' }
const code: Elements = { CodeValue: '1', CodingSchemeDesignator: 'DCM', CodeMeaning: 'one' }

const withGroupLength = (group: string, elements: Elements): Elements => ({
  [`${group}0000 UL`]: dataSet(elements).length,
  ...elements,
})

// What is left must be what the sender would have written without the private elements: every length around them too.
const cases: { name: string; marked: Elements; plain: Elements; syntaxes?: readonly string[] }[] = [
  {
    name: 'in the outermost data set',
    marked: { ...image, ...mark },
    plain: image,
  },
  {
    name: 'in an item',
    marked: { ...image, ReferencedImageSequence: [{ ...reference, ...mark }, reference] },
    plain: { ...image, ReferencedImageSequence: [reference, reference] },
  },
  {
    name: 'in every item, at two depths, and beside them',
    marked: {
      ...image,
      ...mark,
      RequestAttributesSequence: [
        { ScheduledProtocolCodeSequence: [{ ...code, ...mark }, code], ...mark },
        { ScheduledProtocolCodeSequence: [code, { ...code, ...mark }] },
      ],
    },
    plain: {
      ...image,
      RequestAttributesSequence: [
        { ScheduledProtocolCodeSequence: [code, code] },
        { ScheduledProtocolCodeSequence: [code, code] },
      ],
    },
  },
  {
    name: 'a private sequence in an item, with all it holds',
    marked: {
      ...image,
      ReferencedImageSequence: [
        { ...reference, '00090010 LO': 'FIXTURE CARRIER', '00091002 SQ': [{ ...code, ...mark }] },
      ],
    },
    plain: { ...image, ReferencedImageSequence: [reference] },
    syntaxes: [EXPLICIT_LE, EXPLICIT_BE],
  },
  {
    name: 'an item of nothing else',
    marked: { ...image, ReferencedImageSequence: [mark] },
    plain: { ...image, ReferencedImageSequence: [{}] },
  },
  {
    name: 'under group lengths',
    marked: {
      ...image,
      ...withGroupLength('0040', { RequestAttributesSequence: [{ RequestedProcedureID: 'A1', ...mark }] }),
    },
    plain: { ...image, ...withGroupLength('0040', { RequestAttributesSequence: [{ RequestedProcedureID: 'A1' }] }) },
    syntaxes: [EXPLICIT_LE],
  },
]

async function kept(bytes: Uint8Array): Promise<{ dataSet: Buffer; frames: unknown; metadata: unknown }> {
  const source = memorySource(bytes)
  const part = openPart10(source)
  const screened = judge(bytes, STRIP)
  assert.equal(screened.verdict, 'sanitise', screened.reason)
  assert.equal(screened.elementsDiscarded, true)
  const form = await keptForm({ in: 'memory', bytes }, hash('sha256', bytes), source, part, screened, uids)
  assert.ok(form.in === 'memory')
  const content = Buffer.concat(form.content)
  assert.equal(form.digests.kept, hash('sha256', content))
  const { metadata, frames } = extract(keptObject(source, part, screened), uids, { zone: null, siteZone: 'UTC' })
  return { dataSet: content.subarray(form.dataSetOffset), frames, metadata }
}

for (const { name, marked, plain, syntaxes = [EXPLICIT_LE, EXPLICIT_BE, IMPLICIT_LE] } of cases) {
  for (const transferSyntax of syntaxes) {
    for (const undefinedLengths of [false, true]) {
      const how = `${transferSyntax}, ${undefinedLengths ? 'undefined' : 'written'} lengths`
      test(`stripped private elements: ${name} (${how})`, async () => {
        const options = { transferSyntax, undefinedLengths }
        const got = await kept(part10({ elements: marked, ...options }))
        const wanted = part10({ elements: plain, ...options })
        const opened = openPart10(memorySource(wanted))
        assert.deepEqual(got.dataSet, wanted.subarray(opened.dataSetStart))
        // What the index learns is what is kept: frames stand where they are now, and nothing stripped is told.
        const { metadata, frames } = extract(opened, uids, { zone: null, siteZone: 'UTC' })
        assert.deepEqual(got.metadata, metadata)
        assert.deepEqual(got.frames, frames)
      })
    }
  }
}

test('stripped private elements: a large object is written to the disk the same', async (context) => {
  const directory = mkdtempSync(join(tmpdir(), 'diptych-kept-'))
  context.after(() => rmSync(directory, { recursive: true, force: true }))
  const large = { ...image, Rows: 2048, Columns: 2048, PixelData: new Uint8Array(2048 * 2048 * 2).fill(3) }
  const build = (item: Elements) => part10({ elements: { ...large, ReferencedImageSequence: [item] } })
  const bytes = build({ ...reference, ...mark })
  const buffer = new ArrivalBuffer(directory, {})
  await buffer.write(bytes)
  const arrived = await buffer.finish()
  assert.ok(arrived.in === 'spool')
  const source = openSpooled(arrived)
  context.after(() => source.close())
  const part = openPart10(source)
  const form = await keptForm(arrived, arrived.sha256, source, part, judge(bytes, STRIP), uids)
  assert.ok(form.in === 'spool')
  const { path, contentStart, contentLength } = form.entry
  const content = readFileSync(path).subarray(contentStart, contentStart + contentLength)
  assert.equal(form.digests.kept, hash('sha256', content))
  const wanted = build(reference)
  const opened = openPart10(memorySource(wanted))
  assert.ok(content.subarray(form.dataSetOffset).equals(wanted.subarray(opened.dataSetStart)))
})
