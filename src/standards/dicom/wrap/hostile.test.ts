import assert from 'node:assert/strict'
import { Buffer } from 'node:buffer'
import { test } from 'node:test'
import { aecg } from '../../../../test/fixtures/aecg.ts'
import { part10 } from '../../../../test/fixtures/dicom-builder.ts'
import { jpeg } from '../../../../test/fixtures/jpeg.ts'
import { pdfObject } from '../../../../test/fixtures/objects.ts'
import { plainPdf } from '../../../../test/fixtures/pdf.ts'
import { mp4, mpeg2, programStream, transportStream } from '../../../../test/fixtures/video.ts'
import { memorySource } from '../../byte-source.ts'
import { cdaBody } from '../../media/cda-body.ts'
import { tellDocumentType } from '../../media/document-type.ts'
import { readAecg } from '../../waveform/aecg.ts'
import { DicomError } from '../errors.ts'
import { openPart10 } from '../open.ts'
import { joinPieces } from '../pieces.ts'
import { decodeRle } from '../rle.ts'
import { ConversionError } from './conversion-error.ts'
import type { FaceIdentity } from './identity.ts'
import { planPhotograph, wrapJpeg } from './photograph.ts'
import { nativePieces, unwrap } from './unwrap.ts'
import { videoShape, wrapVideo } from './video.ts'

const identity: FaceIdentity = {
  patient: { name: 'A', id: 'B' },
  study: { uid: '2.25.1' },
  series: { number: 1 },
  equipment: { manufacturer: 'C' },
  sha256: '0'.repeat(64),
  instanceNumber: 1,
}

/** Numbers that are the same in every run. Lehmer generator. */
function dice(seed: number): (sides: number) => number {
  let state = seed
  return (sides) => {
    state = (state * 48_271) % 2_147_483_647
    return state % sides
  }
}

/** Some bytes changed, a stretch left out, the end cut off. */
function damaged(bytes: Uint8Array, seed: number): Buffer {
  const roll = dice(seed)
  let made = Buffer.from(bytes)
  for (let times = roll(6); times >= 0; times--) made[roll(made.length)] = [0, 255, roll(256), 0x80][roll(4)] ?? 0
  if (roll(3) === 0) made = made.subarray(0, roll(made.length) + 1)
  if (roll(3) !== 0) return made
  const from = roll(made.length)
  return Buffer.concat([made.subarray(0, from), made.subarray(from + roll(40))])
}

const photo = jpeg(new Uint8Array(32 * 16 * 3).fill(7), 32, 16)
const elementary = mpeg2({ frames: 3 })
const cda = `<ClinicalDocument xmlns="urn:hl7-org:v3"><component><nonXMLBody><text mediaType="application/pdf" representation="B64">${Buffer.from(plainPdf()).toString('base64')}</text></nonXMLBody></component></ClinicalDocument>`
const face = (made: ReturnType<typeof wrapVideo>) => joinPieces(made.pieces)

const taken = (bytes: Uint8Array) => {
  const native = unwrap(openPart10(memorySource(bytes)))
  if (native !== undefined) joinPieces(nativePieces(native))
}
const readers: { name: string; bytes: Uint8Array; read: (bytes: Uint8Array) => unknown }[] = [
  { name: 'JPEG', bytes: photo, read: (bytes) => planPhotograph(memorySource(bytes)) },
  { name: 'MP4', bytes: mp4({ audio: 'mp4a' }), read: (bytes) => videoShape(memorySource(bytes)) },
  {
    name: 'H.265',
    bytes: mp4({ codec: 'hevc', profile: 1, level: 93 }),
    read: (bytes) => videoShape(memorySource(bytes)),
  },
  { name: 'MPEG-2', bytes: elementary, read: (bytes) => videoShape(memorySource(bytes)) },
  { name: 'program stream', bytes: programStream(elementary), read: (bytes) => videoShape(memorySource(bytes)) },
  { name: 'transport stream', bytes: transportStream(elementary), read: (bytes) => videoShape(memorySource(bytes)) },
  { name: 'aECG', bytes: aecg({ sets: [{ samples: 5 }] }), read: readAecg },
  { name: 'CDA', bytes: Buffer.from(cda), read: cdaBody },
  {
    name: 'any document',
    bytes: Buffer.from('v 0 0 0\nf 1 2 3\n'),
    read: (bytes) => tellDocumentType(memorySource(bytes)),
  },
  { name: 'wrapped PDF', bytes: part10({ elements: pdfObject() }), read: taken },
  { name: 'wrapped JPEG', bytes: face(wrapJpeg(memorySource(photo), identity)), read: taken },
  { name: 'wrapped MP4', bytes: face(wrapVideo(memorySource(mp4()), identity)), read: taken },
  {
    name: 'RLE',
    bytes: Buffer.concat([Buffer.from([1, 0, 0, 0, 64]), Buffer.alloc(59), Buffer.from([3, 1, 2, 3, 4])]),
    read: (bytes) => decodeRle(bytes, 4, 1, 1),
  },
]

// Bytes from outside may be wrong in any way: the answer is a fact or a typed error, soon, and never anything else.
for (const { name, bytes, read } of readers) {
  test(`hostile: ${name}`, () => {
    const started = Date.now()
    for (let seed = 1; seed <= 400; seed++) {
      try {
        read(damaged(bytes, seed * 7919))
      } catch (thrown) {
        const typed = thrown instanceof ConversionError || thrown instanceof DicomError
        assert.ok(typed, `seed ${seed}: ${thrown instanceof Error ? thrown.stack : String(thrown)}`)
      }
    }
    assert.ok(Date.now() - started < 20_000, 'took too long')
  })
}
