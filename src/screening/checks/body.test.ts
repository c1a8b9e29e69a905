import assert from 'node:assert/strict'
import { Buffer } from 'node:buffer'
import { test } from 'node:test'
import { gzipSync } from 'node:zlib'
import {
  buildPart10,
  DEFLATED_LE,
  type Elements,
  EXPLICIT_BE,
  IMPLICIT_LE,
  JPEG_BASELINE,
  nestedSequences,
  part10,
  rawElement,
} from '../../../test/fixtures/dicom-builder.ts'
import { CONTRADICTORY, HARMLESS, HOSTILE } from '../../../test/fixtures/hostile.ts'
import { jpeg } from '../../../test/fixtures/jpeg.ts'
import { ctImage, secondaryCapture } from '../../../test/fixtures/objects.ts'
import { elfHeader, mzHeader, peFile, zip } from '../../../test/fixtures/programs.ts'
import { judge, type VerdictRow } from '../../../test/support/screening-fixture.ts'

const image = ctImage()
const of = (elements: Elements) => () => part10({ elements })
const named = (set: typeof HOSTILE, name: string) => set[name] as () => Buffer
const carrying = (bytes: Uint8Array, creator = 'FIXTURE CARRIER'): Elements => ({
  ...image,
  '00090010 LO': creator,
  '00091001 OB': bytes,
})
const behind = (bytes: Uint8Array) => () => part10({ elements: image, trailing: bytes })
const padded = (bytes: Uint8Array) => of({ ...image, DataSetTrailingPadding: bytes })
const script = Buffer.from('#!/bin/sh\n:\n')

/** A frame of JPEG with something behind its end marker. */
function frame(surplus: Uint8Array): () => Buffer {
  const encoded = jpeg(new Uint8Array(16 * 16 * 3), 16, 16)
  const { 'PixelData OB': _, ...head } = secondaryCapture()
  return () =>
    part10({
      elements: { ...head, PixelData: { fragments: [Buffer.concat([encoded, surplus])] } },
      transferSyntax: JPEG_BASELINE,
    })
}

function pixels(surplus: Uint8Array): () => Buffer {
  const one = secondaryCapture()
  return of({ ...one, 'PixelData OB': Buffer.concat([one['PixelData OB'] as Uint8Array, surplus]) })
}

function withMeta(meta: Elements): () => Buffer {
  return () => part10({ elements: image, meta })
}

/** A length in group 0002 that reaches far beyond the file. */
function metaLength(): Buffer {
  const bytes = part10({ elements: image })
  const at = bytes.indexOf(Buffer.from([2, 0, 0x10, 0, 0x55, 0x49]))
  bytes.writeUInt16LE(0xfffe, at + 6)
  return bytes
}

function metaVr(): Buffer {
  const bytes = part10({ elements: image })
  bytes.write('QQ', bytes.indexOf(Buffer.from([2, 0, 0x10, 0, 0x55, 0x49])) + 4, 'latin1')
  return bytes
}

const rows: VerdictRow[] = [
  // M: File Meta and identity
  {
    name: 'M1: private information',
    bytes: withMeta({ PrivateInformationCreatorUID: '2.25.1', PrivateInformation: Buffer.alloc(64, 7) }),
    verdict: 'accept',
  },
  {
    name: 'M1: a program in it',
    bytes: withMeta({ PrivateInformationCreatorUID: '2.25.1', PrivateInformation: peFile() }),
    verdict: 'quarantine',
    rule: 'M1',
  },
  {
    name: 'M1 near: two letters of one',
    bytes: withMeta({ PrivateInformationCreatorUID: '2.25.1', PrivateInformation: Buffer.from('xMZ plain text') }),
    verdict: 'accept',
  },
  { name: 'M2: over 64 KiB', bytes: named(CONTRADICTORY, 'meta-large'), verdict: 'sanitise', rule: 'M2' },
  { name: 'M2: over 1 MiB', bytes: named(CONTRADICTORY, 'meta-too-large'), verdict: 'reject', rule: 'M2' },
  {
    name: 'M2 near: 60 KiB',
    bytes: withMeta({ PrivateInformationCreatorUID: '2.25.1', PrivateInformation: Buffer.alloc(60_000, 7) }),
    verdict: 'accept',
  },
  { name: 'M3: wrong group length', bytes: named(HARMLESS, 'group-length-wrong'), verdict: 'accept' },
  { name: 'M3: none', bytes: named(HARMLESS, 'group-length-missing'), verdict: 'accept' },
  {
    name: 'M3: site holds',
    bytes: named(HARMLESS, 'group-length-wrong'),
    how: { policy: { rules: { M3: 'quarantine' } } },
    verdict: 'quarantine',
    rule: 'M3',
  },
  { name: 'M4: length beyond the file', bytes: metaLength, verdict: 'reject', rule: 'M4' },
  { name: 'M4: no such VR', bytes: metaVr, verdict: 'reject', rule: 'M4' },
  { name: 'M5: class differs', bytes: named(CONTRADICTORY, 'class-differs'), verdict: 'quarantine', rule: 'M5' },
  {
    name: 'M5: announced class differs',
    bytes: of(image),
    how: { claims: { sopClassUID: '1.2.840.10008.5.1.4.1.1.4' } },
    verdict: 'quarantine',
    rule: 'M5',
  },
  {
    name: 'M5: announced instance differs',
    bytes: of(image),
    how: { claims: { sopInstanceUID: '1.2.3' } },
    verdict: 'quarantine',
    rule: 'M5',
  },
  { name: 'M5 near: only (0002,0003) differs', bytes: named(HARMLESS, 'meta-instance-differs'), verdict: 'accept' },
  {
    name: 'M6: unknown transfer syntax',
    bytes: named(CONTRADICTORY, 'unknown-transfer-syntax'),
    verdict: 'reject',
    rule: 'M6',
  },
  {
    name: 'M6: site keeps it as opaque',
    bytes: named(CONTRADICTORY, 'unknown-transfer-syntax'),
    how: { policy: { unknownTransferSyntaxes: 'keep' } },
    verdict: 'accept',
  },
  {
    name: 'M6: declared explicit, written implicit',
    bytes: () =>
      part10({ elements: image, transferSyntax: IMPLICIT_LE, meta: { TransferSyntaxUID: '1.2.840.10008.1.2.1' } }),
    verdict: 'accept',
  },
  {
    name: 'M6 near: declared as it is',
    bytes: () => part10({ elements: image, transferSyntax: EXPLICIT_BE }),
    verdict: 'accept',
  },
  ...['SOPClassUID', 'SOPInstanceUID', 'SeriesInstanceUID', 'StudyInstanceUID'].map(
    (key): VerdictRow => ({
      name: `M7: no ${key}`,
      bytes: of({ ...image, [key]: null }),
      verdict: 'quarantine',
      rule: 'M7',
    }),
  ),
  { name: 'M8: letters', bytes: named(CONTRADICTORY, 'letters-in-uid'), verdict: 'quarantine', rule: 'M8' },
  { name: 'M8: a path', bytes: named(CONTRADICTORY, 'path-in-uid'), verdict: 'quarantine', rule: 'M8' },
  {
    name: 'M8: 65 bytes',
    bytes: of({ ...image, SOPInstanceUID: `1.2.${'3'.repeat(61)}` }),
    verdict: 'quarantine',
    rule: 'M8',
  },
  { name: 'M8 near: 64 bytes', bytes: of({ ...image, SOPInstanceUID: `1.2.${'3'.repeat(60)}` }), verdict: 'accept' },
  { name: 'M8 near: leading zero', bytes: named(HARMLESS, 'leading-zero-uid'), verdict: 'accept' },
  {
    name: 'M8 near: one trailing blank',
    bytes: of({ ...image, StudyInstanceUID: Buffer.from('1.2.3 ') }),
    verdict: 'accept',
  },
  { name: 'M9: twice', bytes: named(CONTRADICTORY, 'same-element-twice'), verdict: 'quarantine', rule: 'M9' },
  {
    name: 'M9 near: once in each of two items',
    bytes: of({
      ...image,
      ReferencedImageSequence: [{ ReferencedSOPInstanceUID: '1.2' }, { ReferencedSOPInstanceUID: '1.3' }],
    }),
    verdict: 'accept',
  },
  {
    name: 'M10: out of order',
    bytes: () => part10({ elements: image, rawElements: rawElement('00080082 LO', Buffer.from('late')) }),
    verdict: 'accept',
  },
  { name: 'M10: with a program in front', bytes: named(HOSTILE, 'pe-out-of-order'), verdict: 'quarantine', rule: 'P2' },
  // B: body
  { name: 'B1: sector padding', bytes: named(HARMLESS, 'zeros-behind'), verdict: 'sanitise', rule: 'B1' },
  { name: 'B1: 2,048 zeros', bytes: behind(Buffer.alloc(2048)), verdict: 'sanitise', rule: 'B1' },
  { name: 'B1 near: 2,049 zeros', bytes: behind(Buffer.alloc(2049)), verdict: 'quarantine', rule: 'B2' },
  { name: 'B2: other bytes', bytes: behind(Buffer.from('\0\0\0\0and a note')), verdict: 'quarantine', rule: 'B2' },
  {
    name: 'B2: site drops them',
    bytes: behind(Buffer.from('\0\0\0\0and a note')),
    how: { policy: { rules: { B2: 'sanitise' } } },
    verdict: 'sanitise',
    rule: 'B2',
  },
  {
    name: 'B2: the same site holds a program',
    bytes: named(HOSTILE, 'program-behind'),
    how: { policy: { rules: { B2: 'sanitise' } } },
    verdict: 'quarantine',
    rule: 'B2',
  },
  { name: 'B3: zeros', bytes: named(HARMLESS, 'padding-element'), verdict: 'accept' },
  { name: 'B3: other bytes', bytes: padded(Buffer.alloc(64, 9)), verdict: 'sanitise', rule: 'B3' },
  { name: 'B3: a program', bytes: padded(peFile()), verdict: 'quarantine', rule: 'B3' },
  {
    name: 'B3: an archive, whatever the policy',
    bytes: padded(zip([{ name: 'a', content: Buffer.alloc(70_000, 1) }])),
    how: { policy: { rules: { B3: 'keep' } } },
    verdict: 'quarantine',
  },
  { name: 'B4: known creator', bytes: of(carrying(Buffer.alloc(64, 7), 'SIEMENS CSA HEADER')), verdict: 'accept' },
  {
    name: 'B4: stripped by policy',
    bytes: of(carrying(Buffer.alloc(64, 7), 'SIEMENS CSA HEADER')),
    how: { policy: { privateElements: 'strip' } },
    verdict: 'sanitise',
    rule: 'private-stripped',
  },
  { name: 'B5: unknown creator', bytes: of(carrying(Buffer.alloc(64, 7))), verdict: 'accept' },
  {
    name: 'B5: site holds',
    bytes: of(carrying(Buffer.alloc(64, 7))),
    how: { policy: { rules: { B5: 'quarantine' } } },
    verdict: 'quarantine',
    rule: 'B5',
  },
  { name: 'B6: a program', bytes: named(HOSTILE, 'program-in-private'), verdict: 'quarantine', rule: 'B6' },
  {
    name: 'B6: under a vendor',
    bytes: named(HOSTILE, 'program-under-known-creator'),
    verdict: 'quarantine',
    rule: 'B6',
  },
  { name: 'B6: 4,000 bytes in', bytes: named(HOSTILE, 'program-deep-in-private'), verdict: 'quarantine', rule: 'B6' },
  { name: 'B6: in a sequence', bytes: named(HOSTILE, 'program-in-sequence'), verdict: 'quarantine', rule: 'B6' },
  { name: 'B6: a script', bytes: of(carrying(script)), verdict: 'quarantine', rule: 'B6' },
  { name: 'B6: a bare MZ at the start', bytes: of(carrying(mzHeader(0x7fff0000))), verdict: 'quarantine', rule: 'B6' },
  {
    name: 'B6: UN',
    bytes: of({ ...image, '00091001 UN': elfHeader(64), '00090010 LO': 'X' }),
    verdict: 'quarantine',
    rule: 'B6',
  },
  { name: 'B6: gzip around a program', bytes: of(carrying(gzipSync(peFile()))), verdict: 'quarantine', rule: 'B6' },
  {
    name: 'B6 near: gzip around a protocol',
    bytes: of(carrying(gzipSync('<protocol kVp="120"/>'))),
    verdict: 'accept',
  },
  {
    name: 'B6 near: MZ by chance, deeper',
    bytes: of(carrying(Buffer.from(`${'a'.repeat(99)}MZ${'b'.repeat(99)}`))),
    verdict: 'accept',
  },
  {
    name: 'B6 near: XML of a vendor',
    bytes: of(carrying(Buffer.from('<?xml version="1.0"?><protocol/>'))),
    verdict: 'accept',
  },
  {
    name: 'B6 near: beyond 4 KiB',
    bytes: of(carrying(Buffer.concat([Buffer.alloc(4096, 7), script]))),
    verdict: 'accept',
  },
  { name: 'B7: one pad byte', bytes: named(HARMLESS, 'one-pad-byte'), verdict: 'accept' },
  { name: 'B7: non-zero surplus', bytes: pixels(Buffer.alloc(64, 9)), verdict: 'accept' },
  { name: 'B7: a program', bytes: named(HOSTILE, 'program-behind-pixels'), verdict: 'quarantine' },
  { name: 'B8: shorter', bytes: named(CONTRADICTORY, 'pixels-missing'), verdict: 'accept' },
  {
    name: 'B8: site holds',
    bytes: named(CONTRADICTORY, 'pixels-missing'),
    how: { policy: { rules: { B8: 'quarantine' } } },
    verdict: 'quarantine',
    rule: 'B8',
  },
  { name: 'B9: nothing behind', bytes: frame(Buffer.alloc(0)), verdict: 'accept' },
  { name: 'B9: 16 bytes behind', bytes: frame(Buffer.alloc(16, 9)), verdict: 'accept' },
  { name: 'B9: a program behind', bytes: frame(peFile()), verdict: 'quarantine', rule: 'B9' },
  {
    name: 'B10: anywhere in Raw Data',
    bytes: of({
      ...carrying(Buffer.concat([Buffer.alloc(9000, 7), peFile()])),
      SOPClassUID: '1.2.840.10008.5.1.4.1.1.66',
    }),
    verdict: 'quarantine',
    rule: 'B10',
  },
  {
    name: 'B10 near: Raw Data with noise',
    bytes: of({ ...carrying(Buffer.alloc(9000, 7)), SOPClassUID: '1.2.840.10008.5.1.4.1.1.66' }),
    verdict: 'accept',
  },
  // R: what cannot be walked
  {
    name: 'R1: length beyond the file',
    bytes: named(CONTRADICTORY, 'length-beyond-file'),
    verdict: 'quarantine',
    rule: 'R1',
  },
  {
    name: 'R2: 65 levels',
    bytes: () => part10({ elements: image, rawElements: nestedSequences(65, true) }),
    verdict: 'quarantine',
    rule: 'R2',
  },
  {
    name: 'R2 near: 64 levels',
    bytes: () =>
      part10({
        elements: { SOPClassUID: image['SOPClassUID']!, SOPInstanceUID: '1.2.3' },
        rawElements: nestedSequences(64, true),
      }),
    verdict: 'quarantine',
    rule: 'M7',
  },
  {
    name: 'R2: 100,000 levels',
    bytes: () => part10({ elements: image, rawElements: nestedSequences(100_000, true) }),
    verdict: 'quarantine',
    rule: 'R2',
  },
  {
    name: 'sop-class: unknown, site refuses',
    bytes: of({ ...image, SOPClassUID: '1.2.3.4' }),
    how: { policy: { unknownSopClasses: 'reject' } },
    verdict: 'reject',
    rule: 'sop-class',
  },
  { name: 'sop-class near: unknown, kept', bytes: of({ ...image, SOPClassUID: '1.2.3.4' }), verdict: 'accept' },
]

for (const { name, bytes, verdict, rule, how } of rows) {
  test(`body: ${name}`, () => {
    const screened = judge(bytes(), how)
    const told = screened.findings.map((finding) => `${finding.rule} ${finding.severity}`).join(', ')
    assert.equal(screened.verdict, verdict, `${screened.reason} (${told})`)
    if (rule !== undefined) assert.match(screened.reason, new RegExp(`^${rule}:`))
  })
}

// Whatever is removed must be exactly what was named: a byte more and clinical content is gone.
test('body: stripped private elements are their bytes and no others', () => {
  const built = buildPart10({ elements: carrying(Buffer.alloc(64, 7)) })
  const { remove, elementsDiscarded } = judge(built.bytes, { policy: { privateElements: 'strip' } })
  const left = Buffer.concat([
    ...remove.map(({ start }, i) => built.bytes.subarray(remove[i - 1]?.end ?? 0, start)),
    built.bytes.subarray(remove.at(-1)?.end),
  ])
  assert.deepEqual(left, buildPart10({ elements: image }).bytes)
  assert.equal(elementsDiscarded, true)
})

// Inside a sequence the lengths around what is removed are written anew; src/intake/kept-form.test.ts shows the result.
for (const undefinedLengths of [true, false]) {
  test(`body: stripping private elements in items of ${undefinedLengths ? 'undefined' : 'written'} length`, () => {
    const item = { ReferencedSOPInstanceUID: '1.2', ReferencedSOPClassUID: '1.3' }
    const marked = { ...item, '00090010 LO': 'FIXTURE CARRIER', '00091001 OB': Buffer.alloc(8, 7) }
    const bytes = part10({ elements: { ...image, ReferencedImageSequence: [marked] }, undefinedLengths })
    const screened = judge(bytes, { policy: { privateElements: 'strip' } })
    assert.equal(screened.verdict, 'sanitise', screened.reason)
    assert.equal(screened.remove.length, 1)
    assert.equal(screened.rewrite.length, undefinedLengths ? 0 : 2)
  })
}

test('body: dropped trailing bytes are no discarded elements', () => {
  const bytes = behind(Buffer.alloc(512))()
  const { remove, elementsDiscarded } = judge(bytes)
  assert.deepEqual(remove, [{ start: bytes.length - 512, end: bytes.length }])
  assert.equal(elementsDiscarded, false)
})

test('body: in a deflated data set nothing can be cut out, so it is held', () => {
  const elements = { ...image, DataSetTrailingPadding: Buffer.alloc(64, 9) }
  assert.equal(judge(part10({ elements, transferSyntax: DEFLATED_LE })).verdict, 'quarantine')
  assert.equal(judge(part10({ elements: image, transferSyntax: DEFLATED_LE })).verdict, 'accept')
})

test('body: an untrusted sender gets no relaxation', () => {
  const bytes = behind(Buffer.from('\0\0\0\0and a note'))()
  assert.equal(judge(bytes, { policy: { rules: { B2: 'sanitise' }, trust: 'untrusted' } }).verdict, 'quarantine')
})
