import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { part10 } from '../../../test/fixtures/dicom-builder.ts'
import * as objects from '../../../test/fixtures/objects.ts'
import { tiffSlide } from '../../../test/fixtures/slides.ts'
import { OVERLAYS } from '../../../test/support/overlay-cases.ts'
import { memorySource } from '../byte-source.ts'
import { planEgress } from './egress.ts'
import { DicomError } from './errors.ts'
import { binary, el, fragments, hex, items, part10Of } from './fixture.ts'
import { writeDicomJson } from './json.ts'
import { openPart10 } from './open.ts'
import type { Overlay } from './overlay.ts'
import { overlayJson } from './overlay-json.ts'
import type { WriteElement } from './write.ts'

const uri = (path: string) => `/bulk/${path}`

function json(bytes: Uint8Array): Uint8Array {
  return writeDicomJson(openPart10(memorySource(bytes)), { bulkDataUri: uri, inlineMax: 256 }).json
}

async function leave(bytes: Uint8Array, overlay: Overlay): Promise<{ bytes: Buffer; passthrough: boolean }> {
  const egress = planEgress({ source: memorySource(bytes) }, { overlay })
  const chunks: Uint8Array[] = []
  for await (const chunk of egress.chunks()) chunks.push(chunk)
  return { bytes: Buffer.concat(chunks), passthrough: egress.passthrough }
}

/** Metadata with the overlay are those of the object that leaves with it; null for both when nothing changes. */
async function agree(stored: Uint8Array, overlay: Overlay, name: string): Promise<boolean> {
  const left = await leave(stored, overlay)
  const rendered = overlayJson(json(stored), overlay, uri)
  assert.equal(rendered === null, left.passthrough, name)
  if (rendered === null) {
    assert(left.bytes.equals(stored), name)
    return false
  }
  assert(text(rendered) === text(json(left.bytes)), `${name}: ${difference(rendered, json(left.bytes))}`)
  return true
}

/** Encapsulated pixels that an odd writer called OW leave as OB, which they are (PS3.5 section A.4). */
function text(rendered: Uint8Array): string {
  return Buffer.from(rendered)
    .toString()
    .replace('"7FE00010":{"vr":"OW","BulkDataURI"', '"7FE00010":{"vr":"OB","BulkDataURI"')
}

function difference(one: Uint8Array, other: Uint8Array): string {
  const [a, b] = [text(one), text(other)]
  let at = 0
  while (at < a.length && a[at] === b[at]) at++
  return `${a.slice(Math.max(0, at - 60), at + 60)} is not ${b.slice(Math.max(0, at - 60), at + 60)}`
}

const SYNTAXES = ['1.2.840.10008.1.2', '1.2.840.10008.1.2.1', '1.2.840.10008.1.2.2', '1.2.840.10008.1.2.1.99']

const LATIN: WriteElement[] = [
  el(0x00080005, 'CS', 'ISO_IR 100'),
  binary(0x00080070, 'LO', Uint8Array.of(0xe1, 0x5c, 0xe9)),
  binary(0x00100010, 'PN', Uint8Array.of(0x4d, 0xfc, 0x5e, 0x41)),
  el(0x00100020, 'LO', ' P1 '),
  el(0x00101030, 'DS', '70.50'),
  items(
    0x00081032,
    [el(0x00080005, 'CS', 'ISO_IR 126'), binary(0x00080104, 'LO', Uint8Array.of(0xe1))],
    [binary(0x00080104, 'LO', Uint8Array.of(0xe1)), binary(0x00281201, 'OW', new Uint8Array(1000).fill(7))],
  ),
  items(0x00400275, [], [binary(0x00281201, 'OW', new Uint8Array(1000).fill(7)), el(0x00400009, 'SH', 'a"b\n')]),
  items(0x04000561, [el(0x04000562, 'DT', '2020'), items(0x04000550, [el(0x00100020, 'LO', 'P0')])]),
  binary(0x00290010, 'LO', Buffer.from('MAKER')),
  binary(0x00291010, 'UN', new Uint8Array(20)),
]

const FIXTURES: { readonly [name: string]: () => Uint8Array } = {
  ct: () => part10({ elements: objects.ctImage() }),
  ecg: () => part10({ elements: objects.twelveLeadEcg() }),
  dose: () => part10({ elements: objects.ctDose() }),
  pdf: () => part10({ elements: objects.pdfObject() }),
  cda: () => part10({ elements: objects.cdaObject() }),
  model: () => part10({ elements: objects.modelObject('stl') }),
  capture: () => part10({ elements: objects.secondaryCapture() }),
  multiframe: () => part10({ elements: objects.multiFrame(3) }),
  slide: () => tiffSlide(),
  'encapsulated slide': () => tiffSlide({ tiles: 'jpeg' }),
  'encapsulated pixels': () => part10Of([...LATIN, fragments(hex(''), hex('ffd8ffd9'))], '1.2.840.10008.1.2.4.50'),
  ...Object.fromEntries(SYNTAXES.map((uid) => [`several character sets in ${uid}`, () => part10Of(LATIN, uid)])),
  bare: () => part10Of([]),
}

for (const [name, build] of Object.entries(FIXTURES)) {
  test(`overlaid metadata of ${name} are those of the object as it leaves`, async () => {
    for (const [overlay, events] of Object.entries(OVERLAYS)) await agree(build(), events, overlay)
  })
}

const SAMPLES = process.env['DIPTYCH_SAMPLES'] ?? join(import.meta.dirname, '../../../../shared/data')

test('overlaid metadata of real files are those of the object as it leaves', async (t) => {
  const list = join(SAMPLES, 'EXPECTED-DICOM.tsv')
  if (!existsSync(list)) {
    t.diagnostic(`no samples at ${SAMPLES}: set DIPTYCH_SAMPLES`)
    t.skip()
    return
  }
  let compared = 0
  for (const line of readFileSync(list, 'utf8').trimEnd().split('\n').slice(1)) {
    const [path = ''] = line.split('\t')
    // Values of odd length and the like are mended when an object is written: their metadata say what was stored.
    if (path.startsWith('part10/malformed/')) continue
    const stored = readFileSync(join(SAMPLES, path))
    try {
      json(stored)
    } catch (error) {
      if (error instanceof DicomError) continue // nothing that would have been kept
      throw error
    }
    for (const [overlay, events] of Object.entries(OVERLAYS)) {
      if (await agree(stored, events, `${path}: ${overlay}`)) compared++
    }
  }
  t.diagnostic(`${compared} overlaid objects`)
  assert.ok(compared > 500)
})

// What an instance already says is not recorded as changed: a record full of equal values would hide the real change.
const same: { name: string; overlay: Overlay[number]['changes'] }[] = [
  { name: 'the same values', overlay: [{ path: '00100020', value: { vr: 'LO', strings: ['P1'] } }] },
  { name: 'a name with empty components', overlay: [{ path: '00100010', value: { vr: 'PN', strings: ['Mü^A^^'] } }] },
  { name: 'the removal of what is not there', overlay: [{ path: '00102160', value: null }] },
  { name: 'an empty value of what is not there', overlay: [{ path: '00102160', value: { vr: 'SH', strings: [] } }] },
  {
    name: 'an item that is not there',
    overlay: [{ path: '00081032/5/00080104', value: { vr: 'LO', strings: ['x'] } }],
  },
  { name: 'text within an item', overlay: [{ path: '00081032/0/00080104', value: { vr: 'LO', strings: ['α'] } }] },
]

for (const { name, overlay: changes } of same) {
  test(`an overlay with ${name} changes nothing`, async () => {
    const overlay: Overlay = [{ reason: 'COERCE', modifyingSystem: 'D', source: '', time: '2026', changes }]
    for (const uid of SYNTAXES) assert.equal(await agree(part10Of(LATIN, uid), overlay, uid), false)
  })
}

test('equal changes are left out, the others are recorded, with who gave the old identifier', async () => {
  const overlay: Overlay = [
    {
      reason: 'COERCE',
      modifyingSystem: 'D',
      source: 'S',
      time: '2026',
      changes: [
        { path: '00100010', value: { vr: 'PN', strings: ['Doe^John'] } },
        { path: '00100020', value: { vr: 'LO', strings: ['P2'] } },
      ],
    },
  ]
  const stored = part10Of([el(0x00100010, 'PN', 'Doe^John'), el(0x00100020, 'LO', 'P1'), el(0x00100021, 'LO', 'I1')])
  const rendered = overlayJson(json(stored), overlay, uri)
  assert.ok(rendered)
  const parsed = JSON.parse(Buffer.from(rendered).toString())
  assert.deepEqual(parsed['04000561'].Value[0]['04000550'].Value[0], {
    '00100020': { vr: 'LO', Value: ['P1'] },
    '00100021': { vr: 'LO', Value: ['I1'] },
  })
  assert.equal(parsed['0018A001'].Value[0]['0040A170'].Value[0]['00080100'].Value[0], '109103')
  assert.ok(await agree(stored, overlay, 'bytes'))
})
