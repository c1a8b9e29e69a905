import assert from 'node:assert/strict'
import { Buffer } from 'node:buffer'
import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import sharp from 'sharp'
import { memorySource } from '#standards/byte-source.ts'
import { joinPieces } from '#standards/dicom/pieces.ts'
import { wrapAecg } from '#standards/dicom/wrap/aecg-waveform.ts'
import { wrapDocument } from '#standards/dicom/wrap/encapsulated-document.ts'
import type { DicomFace } from '#standards/dicom/wrap/face.ts'
import type { FaceIdentity } from '#standards/dicom/wrap/identity.ts'
import { wrapJpeg, wrapPixels } from '#standards/dicom/wrap/photograph.ts'
import { wrapVideo } from '#standards/dicom/wrap/video.ts'
import { decodePicture } from '#standards/media/picture-decoder.ts'
import { aecg } from '../fixtures/aecg.ts'
import { jpeg } from '../fixtures/jpeg.ts'
import { plainPdf } from '../fixtures/pdf.ts'
import { mp4, mpeg2, transportStream } from '../fixtures/video.ts'

const folder = mkdtempSync(join(tmpdir(), 'diptych-faces-'))
after(() => rmSync(folder, { recursive: true, force: true }))

function run(program: string, args: readonly string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    execFile(program, [...args], { timeout: 60_000, maxBuffer: 8 << 20 }, (error, stdout, stderr) => {
      if (error !== null && error.code === 'ENOENT') reject(error)
      else resolve(stdout + stderr)
    })
  })
}

function identityOf(bytes: Uint8Array): FaceIdentity {
  return {
    patient: { name: 'Face^Second=展示^患者', id: 'F-1', issuer: 'DIPTYCH', birthDate: '19700101', sex: 'O' },
    study: { uid: '2.25.77', date: '20260102', time: '030405', id: '1', accessionNumber: 'A1', admissionId: 'E1' },
    series: { number: 7, description: 'Second face', date: '20260102', time: '030405' },
    equipment: { manufacturer: 'Diptych', model: 'Test', serialNumber: '1', softwareVersion: '1' },
    sha256: createHash('sha256').update(bytes).digest('hex'),
    instanceNumber: 1,
    contentDate: '20260102',
    contentTime: '030405',
    timezone: '+0000',
  }
}

/**
 * dicom3tools wants no Multiplex Group Time Offset in any ECG, recorders' own ones included; without it leads that were
 * recorded one after the other would stand side by side.
 */
const DISPUTED = /MultiplexGroupTimeOffset/

/** Written to a file that dcmtk reads without complaint and, unless it does not know the class, dicom3tools too. */
async function judged(name: string, face: DicomFace, knownToDicom3tools = true): Promise<string> {
  const path = join(folder, `${name.replace(/\W/g, '-')}.dcm`)
  writeFileSync(path, joinPieces(face.pieces))
  assert.match(await run('dcmftest', [path]), /^yes/, name)
  assert.doesNotMatch(await run('dcmdump', ['-q', '+L', path]), /^[EW]: /m, name)
  if (knownToDicom3tools) {
    const report = await run('dciodvfy', ['-new', path])
    const errors = report.split('\n').filter((line) => line.startsWith('Error') && !DISPUTED.test(line))
    assert.deepEqual(errors, [], name)
  }
  return path
}

const source = {
  sopClassUid: '1.2.840.10008.5.1.4.1.1.2',
  sopInstanceUid: '2.25.5',
  seriesInstanceUid: '2.25.6',
}
const report = { value: '18748-4', scheme: 'LN', meaning: 'Diagnostic imaging study' }

test('faces: dcmtk takes the PDF out as it went in', async () => {
  for (const bytes of [plainPdf(), Buffer.concat([plainPdf(), Buffer.from('\n')])]) {
    const face = wrapDocument(memorySource(bytes), identityOf(bytes), {
      title: 'Report',
      concept: report,
      verified: true,
      sources: [source, { ...source, sopInstanceUid: '2.25.8', studyInstanceUid: '2.25.78' }],
    })
    const path = await judged('pdf', face)
    const out = join(folder, 'out.pdf')
    await run('dcm2pdf', [path, out])
    assert.deepEqual(readFileSync(out).subarray(0, bytes.length), Buffer.from(bytes))
  }
})

const tetrahedron = Buffer.concat([Buffer.alloc(80), Buffer.from([1, 0, 0, 0]), Buffer.alloc(50, 1)])
const models: { name: string; bytes: Buffer; known: boolean }[] = [
  { name: 'STL', bytes: tetrahedron, known: true },
  { name: 'OBJ', bytes: Buffer.from('v 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 3\n'), known: false },
  { name: 'MTL', bytes: Buffer.from('newmtl red\nKd 1 0 0\n'), known: false },
]

test('faces: models', async () => {
  for (const { name, bytes, known } of models) {
    const face = wrapDocument(memorySource(bytes), identityOf(bytes), {
      title: name,
      concept: { value: '85040-4', scheme: 'LN', meaning: 'CT 3D model' },
      burnedInAnnotation: false,
      sources: [{ ...source, purpose: { value: '121324', scheme: 'DCM', meaning: 'Source image' } }],
      model: { unit: 'mm', mirrored: false, modified: true },
    })
    await judged(name, face, known)
  }
})

const hand = { value: '85562004', scheme: 'SCT', meaning: 'Hand' }

test('faces: dcmtk decodes a photograph to the colours it was made of', async () => {
  const rgb = new Uint8Array(32 * 16 * 3).map((_, index) => [200, 40, 40][index % 3] ?? 0)
  const photo = jpeg(rgb, 32, 16)
  for (const bytes of [photo, Buffer.concat([photo, Buffer.alloc(1)])]) {
    const face = wrapJpeg(memorySource(bytes), identityOf(bytes), { anatomicRegion: hand, laterality: 'L' })
    const path = await judged('jpeg', face)
    const out = join(folder, 'out.ppm')
    await run('dcmj2pnm', ['+op', path, out])
    const pixels = readFileSync(out).subarray(-32 * 16 * 3)
    for (const [channel, value] of [200, 40, 40].entries()) {
      assert.ok(Math.abs((pixels[channel] ?? 0) - value) < 8, `${pixels[channel]} for ${value}`)
    }
  }
})

test('faces: a PNG keeps its pixels', async () => {
  const pixels = Buffer.from(Array.from({ length: 9 * 5 * 3 }, (_, index) => (index * 11) % 256))
  const png = await sharp(pixels, { raw: { width: 9, height: 5, channels: 3 } })
    .png()
    .toBuffer()
  const face = wrapPixels(await decodePicture(memorySource(png)), identityOf(png), { anatomicRegion: hand })
  const out = join(folder, 'png.ppm')
  await run('dcm2pnm', ['+op', await judged('png', face), out])
  assert.deepEqual(readFileSync(out).subarray(-pixels.length), pixels)
})

test('faces: decoded pixels', async () => {
  for (const samples of [1, 3] as const) {
    const pixels = new Uint8Array(5 * 7 * samples).map((_, index) => index * 3)
    const lossy = { mediaType: 'image/jpeg', lengthBytes: 60 } as const
    const face = wrapPixels({ columns: 5, rows: 7, samples, pixels, lossy, turned: 6 }, identityOf(pixels))
    const path = await judged(`pixels ${samples}`, face)
    const out = join(folder, 'out.pnm')
    await run('dcm2pnm', [samples === 1 ? '+ob' : '+op', path, out])
    if (samples === 3) assert.deepEqual(readFileSync(out).subarray(-pixels.length), Buffer.from(pixels))
  }
})

const videos: { name: string; bytes: Buffer; known: boolean }[] = [
  { name: 'H264', bytes: mp4({ audio: 'mp4a' }), known: true },
  { name: 'MPEG2', bytes: transportStream(mpeg2()), known: true },
  // Debian's dicom3tools (2022) does not know the transfer syntaxes of H.265 yet.
  { name: 'H265', bytes: mp4({ codec: 'hevc', profile: 2, level: 120, bitDepth: 10 }), known: false },
]

test('faces: videos', async () => {
  for (const { name, bytes, known } of videos) {
    const face = wrapVideo(memorySource(bytes), identityOf(bytes), { anatomicRegion: hand, laterality: 'R' })
    await judged(name, face, known)
  }
})

test('faces: annotated ECGs', async () => {
  const leads = ['MDC_ECG_LEAD_I', 'MDC_ECG_LEAD_II', 'MDC_ECG_LEAD_V1']
  const ecgs = {
    twelve: aecg({ beat: {} }),
    general: aecg({ sets: [{ leads }] }),
    parts: aecg({ sets: [{ leads }, { leads, head: '20260102030406.000' }] }),
  }
  for (const [name, bytes] of Object.entries(ecgs)) await judged(name, wrapAecg(bytes, identityOf(bytes)))
  const slow = aecg({ sets: [{ incrementSeconds: 0.008 }] })
  await judged('32 bit', wrapAecg(slow, identityOf(slow)), false)
})
