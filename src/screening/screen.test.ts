import assert from 'node:assert/strict'
import { Buffer } from 'node:buffer'
import { test } from 'node:test'
import { part10, rawElement } from '../../test/fixtures/dicom-builder.ts'
import { CONTRADICTORY, HARMLESS, HOSTILE } from '../../test/fixtures/hostile.ts'
import { ctImage, pdfObject } from '../../test/fixtures/objects.ts'
import { PDFS } from '../../test/fixtures/pdf.ts'
import { peFile } from '../../test/fixtures/programs.ts'
import { tiffSlide } from '../../test/fixtures/slides.ts'
import { judge, judgeSpooled, PLAIN_POLICY } from '../../test/support/screening-fixture.ts'
import { screenHead, screenSync } from './screen.ts'

const files: Record<string, () => Uint8Array> = {
  ...HOSTILE,
  ...HARMLESS,
  ...CONTRADICTORY,
  slide: () => tiffSlide(),
  'slide of JPEG tiles': () => tiffSlide({ tiles: 'jpeg', big: true }),
}
for (const [name, make] of Object.entries(PDFS)) files[`pdf ${name}`] = () => part10({ elements: pdfObject(make()) })

// One engine for every door: a spooled object, and one that comes by another door, gets the verdict of one in memory.
for (const [name, make] of Object.entries(files)) {
  test(`screen: ${name}: same verdict from a spool and by every object door`, () => {
    const bytes = make()
    const { verdict, findings, remove, keepPreamble } = judge(bytes)
    const spooled = judgeSpooled(bytes)
    assert.deepEqual(
      {
        verdict: spooled.verdict,
        findings: spooled.findings,
        remove: spooled.remove,
        keepPreamble: spooled.keepPreamble,
      },
      { verdict, findings, remove, keepPreamble },
    )
    for (const door of ['media', 'web', 'mailbox', 'fhir', 'xds'] as const)
      assert.equal(judge(bytes, { door }).verdict, verdict, door)
  })
}

test('screen: what fails inside is held, never let through', () => {
  const bytes = part10({ elements: { ...ctImage(), Rows: 200, Columns: 200, PixelData: new Uint8Array(80_000) } })
  const source = {
    size: bytes.length,
    read(start: number, end: number) {
      if (start > 20_000) throw new TypeError('a bug of ours')
      return bytes.subarray(start, end)
    },
  }
  const provenance = {
    door: 'stow',
    peer: null,
    originator: null,
    user: null,
    address: null,
    medium: null,
    path: null,
    time: '',
  } as const
  const screened = screenSync({ source, bytes: { in: 'memory', bytes }, claims: {}, provenance }, PLAIN_POLICY)
  assert.equal(screened.verdict, 'quarantine')
  assert.equal(screened.pending, true)
  assert.match(screened.reason, /^G2: screening failed: a bug of ours/)
})

test('screen: evidence', () => {
  const screened = judge((HOSTILE['program-in-private'] as () => Uint8Array)())
  assert.equal(screened.scan.status, 'not-scanned')
  assert.equal(screened.identity?.sopInstanceUID, ctImage()['SOPInstanceUID'])
  const [finding] = screened.findings
  assert.equal(finding?.tag, '00091001')
  assert.ok((finding?.offset ?? 0) > 132)
})

test('screen: the head alone tells the preamble and File Meta', () => {
  const head = (bytes: Uint8Array) => screenHead(bytes.subarray(0, 1024)).drafts.map(({ rule }) => rule)
  assert.deepEqual(head(part10({ elements: ctImage() })), [])
  assert.deepEqual(head((HOSTILE['elf-signature-only'] as () => Uint8Array)()), ['P2'])
  assert.deepEqual(head((HARMLESS['group-length-wrong'] as () => Uint8Array)()), ['M3'])
  assert.equal(screenHead(new Uint8Array(140)).meta.kind, 'not-part10')
})

// A cut transfer must still be found by its UID in the quarantine, with whatever was seen before the cut.
test('screen: a data set that breaks off keeps its identity and its findings', () => {
  const elements = { ...ctImage(), '00090010 LO': 'FIXTURE CARRIER', '00091001 OB': peFile() }
  const bytes = part10({ elements, rawElements: rawElement('7FE10010 OB', Buffer.alloc(2), 0x7fffffff) })
  const screened = judge(bytes)
  assert.equal(screened.part10, null)
  assert.equal(screened.identity?.sopInstanceUID, ctImage()['SOPInstanceUID'])
  assert.deepEqual(
    screened.findings.map(({ rule }) => rule),
    ['R1', 'B6'],
  )
})
