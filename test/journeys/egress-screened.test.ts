import assert from 'node:assert/strict'
import { test } from 'node:test'
import { checkDualPersonality } from '#screening/checks/dual-personality.ts'
import { memorySource } from '#standards/byte-source.ts'
import { readDataSet } from '#standards/dicom/data-set.ts'
import { planEgress } from '#standards/dicom/egress.ts'
import { openPart10 } from '#standards/dicom/open.ts'
import { part10 } from '../fixtures/dicom-builder.ts'
import * as objects from '../fixtures/objects.ts'
import { tiffSlide } from '../fixtures/slides.ts'
import { OVERLAYS } from '../support/overlay-cases.ts'
import { judge, PLAIN_POLICY } from '../support/screening-fixture.ts'

async function leave(stored: Uint8Array, name: string): Promise<Buffer> {
  const egress = planEgress({ source: memorySource(stored) }, { overlay: OVERLAYS[name]! })
  const chunks: Uint8Array[] = []
  for await (const chunk of egress.chunks()) chunks.push(chunk)
  const bytes = Buffer.concat(chunks)
  assert.equal(egress.length ?? bytes.length, bytes.length)
  return bytes
}

const SYNTAXES = {
  implicit: '1.2.840.10008.1.2',
  explicit: '1.2.840.10008.1.2.1',
  'big endian': '1.2.840.10008.1.2.2',
  deflated: '1.2.840.10008.1.2.1.99',
}

const FIXTURES: { readonly [name: string]: () => Uint8Array } = {
  ...Object.fromEntries(
    Object.entries(SYNTAXES).map(([name, transferSyntax]) => [
      `CT, ${name}`,
      () => part10({ elements: objects.ctImage(), transferSyntax }),
    ]),
  ),
  ECG: () => part10({ elements: objects.twelveLeadEcg() }),
  'dose report': () => part10({ elements: objects.ctDose() }),
  PDF: () => part10({ elements: objects.pdfObject() }),
  CDA: () => part10({ elements: objects.cdaObject() }),
  model: () => part10({ elements: objects.modelObject('obj') }),
  capture: () => part10({ elements: objects.secondaryCapture() }),
  multiframe: () => part10({ elements: objects.multiFrame(3) }),
  slide: () => tiffSlide(),
  'encapsulated slide': () => tiffSlide({ tiles: 'jpeg' }),
}

// What leaves passes the same door again: an archive must never send what it would hold.
for (const [name, build] of Object.entries(FIXTURES)) {
  test(`egress: ${name} with an overlay passes our own screening`, async () => {
    for (const overlay of Object.keys(OVERLAYS)) {
      const { verdict, reason } = judge(await leave(build(), overlay))
      assert.equal(verdict, 'accept', `${overlay}: ${reason}`)
    }
  })
}

function personality(bytes: Uint8Array) {
  const source = memorySource(bytes)
  return checkDualPersonality(source, openPart10(source), PLAIN_POLICY)
}

// threats.md section 2: after a rewrite the TIFF is valid again, or it is gone; never one whose offsets lead elsewhere.
for (const byteOrder of ['II', 'MM'] as const) {
  for (const big of [false, true]) {
    for (const tiles of ['native', 'jpeg'] as const) {
      test(`egress: a ${byteOrder} ${big ? 'BigTIFF' : 'TIFF'} over ${tiles} tiles moves with its pixels`, async () => {
        const stored = tiffSlide({ byteOrder, big, tiles, across: 3, down: 2 })
        assert.equal(personality(stored).outcome, 'valid')
        for (const overlay of Object.keys(OVERLAYS)) {
          const left = await leave(stored, overlay)
          assert.notEqual(left.length, stored.length, 'the pixels moved')
          const { outcome, drafts } = personality(left)
          assert.equal(outcome, 'valid', `${overlay}: ${drafts[0]?.detail}`)
          const { verdict, findings } = judge(left)
          assert.equal(verdict, 'accept', overlay)
          assert.ok(findings.some(({ rule }) => rule === 'P7'))
        }
      })
    }
  }
}

test('egress: a TIFF that cannot be moved loses preamble and padding', async () => {
  // Its tiles lie where no value is that is copied: before the pixels.
  const stored = tiffSlide({
    mutate: (tiff) => ({ ...tiff, tiles: tiff.tiles.map((tile) => ({ ...tile, offset: 140 })) }),
  })
  const left = await leave(stored, 'a coercion in ASCII')
  assert.ok(left.subarray(0, 128).every((byte) => byte === 0))
  const { dataSet, encoding } = openPart10(memorySource(left))
  assert.equal(readDataSet(dataSet, encoding).get(0xfffcfffc), undefined)
  assert.equal(judge(left).verdict, 'accept')
})

test('egress: a TIFF changed into another transfer syntax loses its personality', async () => {
  const stored = tiffSlide()
  const egress = planEgress({ source: memorySource(stored) }, { transferSyntaxUID: SYNTAXES.implicit })
  const chunks: Uint8Array[] = []
  for await (const chunk of egress.chunks()) chunks.push(chunk)
  assert.ok(
    Buffer.concat(chunks)
      .subarray(0, 128)
      .every((byte) => byte === 0),
  )
})
