import assert from 'node:assert/strict'
import { Buffer } from 'node:buffer'
import { test } from 'node:test'
import { part10 } from '../../../test/fixtures/dicom-builder.ts'
import { HOSTILE } from '../../../test/fixtures/hostile.ts'
import { ctImage, pdfObject } from '../../../test/fixtures/objects.ts'
import { zip } from '../../../test/fixtures/programs.ts'
import { judge, type VerdictRow } from '../../../test/support/screening-fixture.ts'

const image = ctImage()
const pre = (preamble: Uint8Array | string) => () =>
  part10({ elements: image, preamble: typeof preamble === 'string' ? Buffer.from(preamble, 'latin1') : preamble })
const hostile = (name: string) => HOSTILE[name] as () => Buffer
const random = Buffer.from(Array.from({ length: 128 }, (_, i) => (i * 167 + 13) & 255))

function discMark(): Buffer {
  const bytes = part10({
    elements: { ...image, '00090010 LO': 'FIXTURE CARRIER', '00091001 OB': Buffer.alloc(40_000, 7) },
  })
  bytes.write('CD001', 0x8001, 'latin1')
  return bytes
}

function discMarkInPixels(): Buffer {
  const rows = { ...image, Rows: 200, Columns: 200, PixelData: Buffer.alloc(80_000, 7) }
  const bytes = part10({ elements: rows })
  bytes.write('CD001', 0x8001, 'latin1')
  return bytes
}

function bootSector(jump: number[]): Buffer {
  const meta = { PrivateInformationCreatorUID: '2.25.99', PrivateInformation: Buffer.alloc(600, 7) }
  const bytes = part10({ elements: image, meta })
  Buffer.from(jump).copy(bytes)
  bytes[510] = 0x55
  bytes[511] = 0xaa
  return bytes
}

// Rows P0 to P9 of the threat catalogue. A door that only looks at four bytes lets attacks through; one that holds every
// non-zero preamble stops the clinic: each row has what it catches and what comes close.
const rows: VerdictRow[] = [
  { name: 'P0: 131 bytes', bytes: () => part10({ elements: image }).subarray(0, 131), verdict: 'reject', rule: 'P0' },
  {
    name: 'P0: DICM without group 0002',
    bytes: () => Buffer.concat([Buffer.alloc(128), Buffer.from('DICM'), Buffer.alloc(64)]),
    verdict: 'reject',
    rule: 'P0',
  },
  {
    name: 'P0 near: bare data set under the named option',
    bytes: () => part10({ elements: image, bare: true }),
    how: { claims: { bareDataSet: true } },
    verdict: 'accept',
  },
  {
    name: 'P0 near: the option changes nothing for Part 10',
    bytes: () => part10({ elements: image }),
    how: { claims: { bareDataSet: true } },
    verdict: 'accept',
  },
  { name: 'P1: zero', bytes: () => part10({ elements: image }), verdict: 'accept' },
  { name: 'P2: MZ', bytes: hostile('pe-signature-only'), verdict: 'quarantine', rule: 'P2' },
  { name: 'P2: ZM', bytes: pre('ZM'), verdict: 'quarantine', rule: 'P2' },
  { name: 'P2: ELF', bytes: hostile('elf-signature-only'), verdict: 'quarantine', rule: 'P2' },
  { name: 'P2: Mach-O big endian', bytes: pre(Buffer.from('feedface', 'hex')), verdict: 'quarantine', rule: 'P2' },
  { name: 'P2: CAFEBABE', bytes: pre(Buffer.from('cafebabe', 'hex')), verdict: 'quarantine', rule: 'P2' },
  { name: 'P2: script', bytes: hostile('shell-script'), verdict: 'quarantine', rule: 'P2' },
  {
    name: 'P2: shell link',
    bytes: pre(Buffer.from('4c0000000114 0200'.replace(' ', ''), 'hex')),
    verdict: 'quarantine',
    rule: 'P2',
  },
  { name: 'P2: wasm', bytes: pre(Buffer.from('0061736d01000000', 'hex')), verdict: 'quarantine', rule: 'P2' },
  { name: 'P2: dex', bytes: pre('dex\n035\0'), verdict: 'quarantine', rule: 'P2' },
  { name: 'P2: Lua', bytes: pre('\x1bLuaQ'), verdict: 'quarantine', rule: 'P2' },
  { name: 'P2 near: MZ one byte later', bytes: pre('\0MZ'), verdict: 'sanitise', rule: 'P8' },
  { name: 'P2 near: ELF with one letter changed', bytes: pre('\x7fELG'), verdict: 'sanitise', rule: 'P8' },
  { name: 'P3: ZIP', bytes: hostile('zip-preamble'), verdict: 'quarantine', rule: 'P3' },
  { name: 'P3: RAR', bytes: pre('Rar!\x1a\x07'), verdict: 'quarantine', rule: 'P3' },
  { name: 'P3: 7-Zip', bytes: pre(Buffer.from('377abcaf271c', 'hex')), verdict: 'quarantine', rule: 'P3' },
  { name: 'P3: cabinet', bytes: pre('MSCF'), verdict: 'quarantine', rule: 'P3' },
  { name: 'P3: OLE', bytes: hostile('ole-preamble'), verdict: 'quarantine', rule: 'P3' },
  { name: 'P3: gzip', bytes: hostile('gzip-preamble'), verdict: 'quarantine', rule: 'P3' },
  { name: 'P3: bzip2', bytes: pre('BZh91AY'), verdict: 'quarantine', rule: 'P3' },
  {
    name: 'P3: gzip, site sanitises bare compressors',
    bytes: hostile('gzip-preamble'),
    how: { policy: { rules: { P3: 'sanitise' } } },
    verdict: 'sanitise',
    rule: 'P3',
  },
  {
    name: 'P3 near: the same site still holds a ZIP',
    bytes: hostile('zip-preamble'),
    how: { policy: { rules: { P3: 'sanitise' } } },
    verdict: 'quarantine',
    rule: 'P3',
  },
  { name: 'P3 near: PK without a record type', bytes: pre('PK\x09\x09'), verdict: 'sanitise', rule: 'P8' },
  { name: 'P4: PDF in the preamble, late', bytes: pre(`${' '.repeat(90)}%PDF-1.4`), verdict: 'quarantine', rule: 'P4' },
  {
    name: 'P4: PDF in the first 1,024 bytes',
    bytes: () => part10({ elements: { ...image, StudyDescription: '%PDF-1.4' } }),
    verdict: 'quarantine',
    rule: 'P4',
  },
  {
    name: 'P4 near: behind the first 1,024 bytes',
    bytes: () => part10({ elements: { ...image, ImageComments: `${'x'.repeat(1000)}%PDF-1.4` } }),
    verdict: 'accept',
  },
  {
    name: 'P4 near: the encapsulated document itself',
    bytes: () => part10({ elements: pdfObject() }),
    verdict: 'accept',
  },
  { name: 'P5: HTML', bytes: hostile('html-preamble'), verdict: 'quarantine', rule: 'P5' },
  { name: 'P5: script in the middle', bytes: pre('GE Medical <SCRIPT>'), verdict: 'quarantine', rule: 'P5' },
  { name: 'P5: SVG', bytes: pre('  <svg>'), verdict: 'quarantine', rule: 'P5' },
  { name: 'P5: XML', bytes: pre('<?xml version="1.0"?>'), verdict: 'quarantine', rule: 'P5' },
  { name: 'P5: PHP', bytes: pre('<?php 1'), verdict: 'quarantine', rule: 'P5' },
  { name: 'P5: RTF', bytes: hostile('rtf-preamble'), verdict: 'quarantine', rule: 'P5' },
  { name: 'P5: batch', bytes: hostile('batch-preamble'), verdict: 'quarantine', rule: 'P5' },
  { name: 'P5: GIF with text', bytes: pre('GIF89a/*'), verdict: 'quarantine', rule: 'P5' },
  { name: 'P5: comment', bytes: pre('/* x */'), verdict: 'quarantine', rule: 'P5' },
  { name: 'P5: text of two lines', bytes: pre('one\ntwo'), verdict: 'quarantine', rule: 'P5' },
  {
    name: 'P5: two lines, site sanitises',
    bytes: pre('one\ntwo'),
    how: { policy: { rules: { P5: 'sanitise' } } },
    verdict: 'sanitise',
    rule: 'P5',
  },
  {
    name: 'P5 near: the same site still holds a script',
    bytes: hostile('batch-preamble'),
    how: { policy: { rules: { P5: 'sanitise' } } },
    verdict: 'quarantine',
    rule: 'P5',
  },
  { name: 'P5 near: one line', bytes: pre('GE Medical Systems/DICOM Part 10 file'), verdict: 'sanitise', rule: 'P8' },
  { name: 'P5 near: a lone angle bracket', bytes: pre('<htm'), verdict: 'sanitise', rule: 'P8' },
  { name: 'P6: PNG', bytes: pre(Buffer.from('89504e470d0a1a0a', 'hex')), verdict: 'quarantine', rule: 'P6' },
  { name: 'P6: JPEG', bytes: pre(Buffer.from('ffd8ffe0', 'hex')), verdict: 'quarantine', rule: 'P6' },
  { name: 'P6: RIFF', bytes: pre('RIFF'), verdict: 'quarantine', rule: 'P6' },
  {
    name: 'P6: BMP',
    bytes: pre(Buffer.from('424d46000000000000003600000028', 'hex')),
    verdict: 'quarantine',
    rule: 'P6',
  },
  { name: 'P6 near: BM as letters', bytes: pre('BMW scanner 3'), verdict: 'sanitise', rule: 'P8' },
  { name: 'P6 near: half a PNG mark', bytes: pre(Buffer.from('89504e00', 'hex')), verdict: 'sanitise', rule: 'P8' },
  { name: 'P8: one stray byte', bytes: pre(Buffer.from('0000000001', 'hex')), verdict: 'sanitise', rule: 'P8' },
  { name: 'P8: site keeps', bytes: pre('vendor'), how: { policy: { rules: { P8: 'keep' } } }, verdict: 'accept' },
  {
    name: 'P8: site holds',
    bytes: pre('vendor'),
    how: { policy: { rules: { P8: 'quarantine' } } },
    verdict: 'quarantine',
    rule: 'P8',
  },
  { name: 'P8: random bytes', bytes: pre(random), verdict: 'sanitise', rule: 'P8-entropy' },
  {
    name: 'P8: random bytes, site holds those',
    bytes: pre(random),
    how: { policy: { rules: { 'P8-entropy': 'quarantine' } } },
    verdict: 'quarantine',
    rule: 'P8-entropy',
  },
  { name: 'P9: ZIP behind', bytes: hostile('zip-behind'), verdict: 'quarantine', rule: 'P9' },
  { name: 'P9: ZIP inside a private element', bytes: hostile('zip-inside'), verdict: 'quarantine' },
  {
    name: 'P9 near: end record without directory, bytes follow',
    bytes: () => part10({ elements: { ...image, ImageComments: `PK\x05\x06${'A'.repeat(40)}` } }),
    verdict: 'accept',
  },
  {
    name: 'P9 near: ZIP end record far from the end',
    bytes: () =>
      part10({
        elements: {
          ...image,
          ImageComments: zip([]).toString('latin1'),
          Rows: 200,
          Columns: 200,
          PixelData: Buffer.alloc(80_000),
        },
      }),
    verdict: 'accept',
  },
  { name: 'P9: disc mark in a private element', bytes: discMark, verdict: 'sanitise', rule: 'P9' },
  { name: 'P9 near: disc mark in the pixels', bytes: discMarkInPixels, verdict: 'accept' },
  { name: 'P9: boot sector', bytes: () => bootSector([0xeb, 0x3c, 0x90]), verdict: 'sanitise' },
  { name: 'P9 near: 55AA without jump code', bytes: () => bootSector([]), verdict: 'accept' },
]

for (const { name, bytes, verdict, rule, how } of rows) {
  test(`preamble: ${name}`, () => {
    const screened = judge(bytes(), how)
    assert.equal(screened.verdict, verdict, screened.reason)
    if (rule !== undefined) assert.match(screened.reason, new RegExp(`^${rule}:`))
    assert.equal(screened.keepPreamble, false)
    assert.equal(screened.preambleHex.length, 256)
  })
}

// CVE-2019-11687: the evidence must say which element hosts the program, and raise the alarm only for a whole chain.
for (const [name, tag] of [
  ['pe-chain', '00091001'],
  ['elf-chain', '00091001'],
  ['mach-o-chain', '00091001'],
  ['pe-in-meta', '00020102'],
  ['pe-out-of-order', '00091001'],
]) {
  test(`program chain: ${name}`, () => {
    const [first] = judge(hostile(name as string)()).findings.filter(({ rule }) => rule === 'P2')
    assert.equal(first?.severity, 'alert')
    assert.equal(first?.tag, tag)
  })
}

test('program chain: a bare mark is no alarm', () => {
  const [first] = judge(hostile('pe-signature-only')()).findings
  assert.equal(first?.severity, 'quarantine')
  assert.match(first?.detail ?? '', /leads out of the file/)
})
