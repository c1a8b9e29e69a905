import assert from 'node:assert/strict'
import { Buffer } from 'node:buffer'
import { test } from 'node:test'
import type { Door } from '#model/arrival.ts'
import { part10 } from '../../../test/fixtures/dicom-builder.ts'
import { jpeg } from '../../../test/fixtures/jpeg.ts'
import { cdaXml, ctImage, stl } from '../../../test/fixtures/objects.ts'
import { PDFS, plainPdf } from '../../../test/fixtures/pdf.ts'
import { elfHeader, peFile, zip } from '../../../test/fixtures/programs.ts'
import { judge } from '../../../test/support/screening-fixture.ts'

const picture = () => Buffer.from(jpeg(new Uint8Array(16 * 16 * 3), 16, 16))
const index = () => part10({ elements: { ...ctImage(), SOPClassUID: '1.2.840.10008.1.3.10' } })

function movie(size: number): Buffer {
  const box = Buffer.from('\0\0\0\x14ftypisom\0\0\0\0isom\0\0\0\0free', 'latin1')
  box.writeUInt32BE(size, 20)
  return box
}

// A medium carries much besides objects: told, never opened, never an error. By other doors the same bytes are refused.
const rows: { name: string; path?: string; door?: Door; bytes: () => Uint8Array; verdict: string; rule: string }[] = [
  {
    name: 'text',
    path: 'README.TXT',
    bytes: () => Buffer.from('how to use this disc\r\n'),
    verdict: 'skip',
    rule: 'not-an-object',
  },
  { name: 'empty file', bytes: () => new Uint8Array(), verdict: 'skip', rule: 'not-an-object' },
  {
    name: 'autorun by name',
    path: 'disc.zip!/AUTORUN.INF',
    bytes: () => Buffer.from('open=x'),
    verdict: 'skip',
    rule: 'autorun-on-medium',
  },
  {
    name: 'autorun by content',
    path: 'x',
    bytes: () => Buffer.from('[AutoRun]\r\nopen=viewer.exe'),
    verdict: 'skip',
    rule: 'autorun-on-medium',
  },
  { name: 'Windows program', path: 'viewer.dcm', bytes: peFile, verdict: 'skip', rule: 'executable-on-medium' },
  { name: 'Linux program', bytes: () => elfHeader(64), verdict: 'skip', rule: 'executable-on-medium' },
  { name: 'script', bytes: () => Buffer.from('#!/bin/sh\n'), verdict: 'skip', rule: 'executable-on-medium' },
  {
    name: 'ZIP',
    bytes: () => zip([{ name: 'a', content: Buffer.from('b') }]),
    verdict: 'skip',
    rule: 'archive-on-medium',
  },
  {
    name: 'viewer page',
    path: 'index.htm',
    bytes: () => Buffer.from('<html><body>x</body></html>'),
    verdict: 'skip',
    rule: 'not-an-object',
  },
  {
    name: 'page as an upload',
    door: 'web',
    bytes: () => Buffer.from('<html><body>x</body></html>'),
    verdict: 'reject',
    rule: 'D12',
  },
  { name: 'clean PDF', bytes: plainPdf, verdict: 'skip', rule: 'document-passed-over' },
  { name: 'PDF with a script', bytes: PDFS['javascript'] as () => Uint8Array, verdict: 'quarantine', rule: 'D1' },
  { name: 'clean CDA', bytes: () => cdaXml(), verdict: 'skip', rule: 'document-passed-over' },
  {
    name: 'CDA with an entity',
    bytes: () => cdaXml({ head: '<!DOCTYPE a [<!ENTITY b "c">]>' }),
    verdict: 'reject',
    rule: 'D6',
  },
  { name: 'STL', bytes: () => stl(4), verdict: 'skip', rule: 'document-passed-over' },
  { name: 'JPEG', bytes: picture, verdict: 'skip', rule: 'document-passed-over' },
  {
    name: 'JPEG with a ZIP behind',
    bytes: () => Buffer.concat([picture(), zip([{ name: 'a', content: Buffer.from('b') }])]),
    verdict: 'quarantine',
    rule: 'D13',
  },
  { name: 'film', bytes: () => movie(8), verdict: 'skip', rule: 'document-passed-over' },
  { name: 'film with a box of 3 bytes', bytes: () => movie(3), verdict: 'quarantine', rule: 'D13' },
  {
    name: 'TIFF that loops',
    bytes: () => Buffer.from('49492a0008000000010000010300010000000100000008000000', 'hex'),
    verdict: 'quarantine',
    rule: 'D13',
  },
  { name: 'DICOMDIR', path: 'DICOMDIR', bytes: index, verdict: 'skip', rule: 'dicomdir' },
  {
    name: 'DICOMDIR that begins like a program',
    bytes: () => Buffer.concat([elfHeader(0x7fff0000), index().subarray(64)]),
    verdict: 'quarantine',
    rule: 'P2',
  },
  { name: 'unknown bytes', bytes: () => Buffer.alloc(300, 0x80), verdict: 'reject', rule: 'P0' },
  { name: 'cut image', bytes: () => part10({ elements: ctImage() }).subarray(0, 100), verdict: 'reject', rule: 'P0' },
  { name: 'text by STOW-RS', door: 'stow', bytes: () => Buffer.from('hello'), verdict: 'reject', rule: 'P0' },
  { name: 'PDF by STOW-RS', door: 'stow', bytes: plainPdf, verdict: 'reject', rule: 'P0' },
  { name: 'DICOMDIR by STOW-RS', door: 'stow', bytes: index, verdict: 'reject', rule: 'dicomdir' },
]

for (const { name, path = 'I1', door = 'media', bytes, verdict, rule } of rows) {
  test(`native file: ${name}`, () => {
    const screened = judge(bytes(), { path, door })
    assert.equal(screened.verdict, verdict, screened.reason)
    assert.ok(
      screened.findings.some((finding) => finding.rule === rule),
      screened.findings.map((one) => one.rule).join(),
    )
  })
}
