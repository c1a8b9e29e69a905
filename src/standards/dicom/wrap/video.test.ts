import assert from 'node:assert/strict'
import { Buffer } from 'node:buffer'
import { createHash } from 'node:crypto'
import { test } from 'node:test'
import { mp4, mpeg2, programStream, transportStream } from '../../../../test/fixtures/video.ts'
import { memorySource } from '../../byte-source.ts'
import { readMp4 } from '../../media/mp4.ts'
import { readDataSet, string } from '../data-set.ts'
import { openPart10 } from '../open.ts'
import { joinPieces } from '../pieces.ts'
import { ConversionError } from './conversion-error.ts'
import type { FaceIdentity } from './identity.ts'
import { nativePieces, unwrap } from './unwrap.ts'
import { videoShape, wrapVideo } from './video.ts'

const UID = '1.2.840.10008.1.2.4.'

function identityOf(bytes: Uint8Array): FaceIdentity {
  return {
    patient: { name: 'Face^Second', id: 'F-1' },
    study: { uid: '2.25.77' },
    series: { number: 7 },
    equipment: { manufacturer: 'Diptych' },
    sha256: createHash('sha256').update(bytes).digest('hex'),
    instanceNumber: 1,
  }
}

const hd = { columns: 1920, rows: 1080, indication: 0x44, aspect: 3 }

// A viewer that is told the wrong profile shows nothing; one that is told the right one shows a film.
const taken: { name: string; bytes: Buffer; syntax: string; frames: number; aspect?: readonly [number, number] }[] = [
  { name: 'H.264 High 4.1', bytes: mp4(), syntax: '102', frames: 50 },
  { name: 'H.264 Main 3.1', bytes: mp4({ profile: 77, level: 31 }), syntax: '102', frames: 50 },
  {
    name: 'H.264 Constrained Baseline',
    bytes: mp4({ profile: 66, constraints: 0x40, level: 30 }),
    syntax: '102',
    frames: 50,
  },
  { name: 'H.264 High 4.2', bytes: mp4({ level: 42 }), syntax: '104', frames: 50 },
  { name: 'H.264 Stereo High', bytes: mp4({ profile: 128, level: 42 }), syntax: '106', frames: 50 },
  { name: 'H.264 with AAC', bytes: mp4({ audio: 'mp4a' }), syntax: '102', frames: 50 },
  { name: 'H.265 Main', bytes: mp4({ codec: 'hevc', profile: 1, level: 153 }), syntax: '107', frames: 50 },
  {
    name: 'H.265 Main 10',
    bytes: mp4({ codec: 'hevc', profile: 2, level: 120, bitDepth: 10 }),
    syntax: '108',
    frames: 50,
  },
  { name: 'MPEG-2 of a camera', bytes: mpeg2(), syntax: '100', frames: 10, aspect: [15, 16] },
  { name: 'MPEG-2 in fields', bytes: mpeg2({ fields: true }), syntax: '100', frames: 10, aspect: [15, 16] },
  { name: 'MPEG-2 at 29.97', bytes: mpeg2({ rows: 480, rateCode: 4, aspect: 1 }), syntax: '100', frames: 10 },
  { name: 'MPEG-2 high definition', bytes: mpeg2({ ...hd }), syntax: '101', frames: 10 },
  { name: 'program stream', bytes: programStream(mpeg2()), syntax: '100', frames: 10, aspect: [15, 16] },
  {
    name: 'transport stream',
    bytes: transportStream(mpeg2({ frames: 23 })),
    syntax: '100',
    frames: 23,
    aspect: [15, 16],
  },
]

for (const { name, bytes, syntax, frames, aspect } of taken) {
  test(`video: ${name}`, () => {
    const shape = videoShape(memorySource(bytes))
    assert.equal(shape.transferSyntaxUid, UID + syntax)
    assert.equal(shape.frames, frames)
    assert.deepEqual(shape.pixelAspect, aspect)
    // Odd and even, with zeros of its own at the end.
    for (const behind of [0, 1, 2]) {
      const whole = Buffer.concat([bytes, Buffer.alloc(behind)])
      for (const fragmentBytesMax of [undefined, 400]) {
        const options = fragmentBytesMax === undefined ? {} : { fragmentBytesMax }
        const face = wrapVideo(memorySource(whole), identityOf(whole), {}, options)
        const twin = fragmentBytesMax !== undefined && Number(syntax) <= 106 && whole.length > fragmentBytesMax
        assert.equal(face.transferSyntaxUid, UID + syntax + (twin ? '.1' : ''))
        const opened = openPart10(memorySource(joinPieces(face.pieces)))
        const native = unwrap(opened)
        assert.ok(native)
        assert.deepEqual([native.kind, native.endBy], ['video', 'stated'])
        assert.deepEqual(Buffer.from(joinPieces(nativePieces(native))), whole)
        const dataSet = readDataSet(opened.dataSet, opened.encoding)
        assert.equal(string(dataSet, 0x00280008), String(frames))
      }
    }
  })
}

const refusedVideos: { name: string; bytes: Buffer; code?: string; why: RegExp }[] = [
  { name: 'oblong pixels', bytes: mp4({ pixelAspect: [4, 3] }), why: /4 to 3/ },
  { name: 'H.264 Baseline', bytes: mp4({ profile: 66 }), why: /profile 66/ },
  { name: 'H.264 High 10', bytes: mp4({ profile: 110 }), why: /profile 110/ },
  { name: 'H.264 High with 10 bits', bytes: mp4({ bitDepth: 10 }), why: /10 bits/ },
  { name: 'H.264 level 5.1', bytes: mp4({ level: 51 }), why: /level 5\.1/ },
  { name: 'H.265 level 6', bytes: mp4({ codec: 'hevc', profile: 1, level: 180 }), why: /level 6/ },
  { name: 'H.265 high tier', bytes: mp4({ codec: 'hevc', profile: 33, level: 120 }), why: /tier/ },
  { name: 'H.265 still picture', bytes: mp4({ codec: 'hevc', profile: 3, level: 120 }), why: /profile 3/ },
  { name: 'MPEG-4 part 2', bytes: mp4({ codec: 'mp4v' }), why: /mp4v/ },
  { name: 'fragmented', bytes: mp4({ fragmented: true }), why: /fragmented/ },
  { name: 'Opus sound', bytes: mp4({ audio: 'Opus' }), why: /Opus/ },
  { name: 'QuickTime', bytes: mp4({ brand: 'qt  ' }), why: /QuickTime/ },
  { name: 'no frames', bytes: mp4({ frames: 0 }), code: 'conversion.malformed', why: /frames/ },
  { name: 'no movie', bytes: mp4().subarray(0, 60), code: 'conversion.malformed', why: /movie/ },
  { name: 'MPEG-1', bytes: mpeg2({ extension: false }), why: /no MPEG-2/ },
  { name: 'MPEG-2 High Profile', bytes: mpeg2({ indication: 0x14 }), why: /high profile/ },
  { name: 'MPEG-2 4:2:2', bytes: mpeg2({ chroma: 2 }), why: /chroma/ },
  { name: 'MPEG-2 of another size', bytes: mpeg2({ columns: 352, rows: 288 }), why: /352 by 288/ },
  { name: 'a PDF', bytes: Buffer.from('%PDF-1.4\n'), code: 'conversion.type', why: /video/ },
]

for (const { name, bytes, code = 'conversion.unsupported', why } of refusedVideos) {
  test(`video refused: ${name}`, () => {
    const shape = () => videoShape(memorySource(bytes))
    assert.throws(
      shape,
      (thrown) => thrown instanceof ConversionError && thrown.code === code && why.test(thrown.reason),
    )
  })
}

test('video: every cut of an MP4 is answered, never thrown out of', () => {
  const whole = mp4({ audio: 'mp4a', mediaBytes: 10 })
  for (let length = 0; length < whole.length; length++) {
    try {
      videoShape(memorySource(whole.subarray(0, length)))
    } catch (thrown) {
      if (!(thrown instanceof ConversionError)) throw thrown
    }
  }
})

test('video: streams that are not in memory are read the same', () => {
  for (const bytes of [mpeg2(), programStream(mpeg2({ frames: 3000 })), transportStream(mpeg2({ frames: 20_000 }))]) {
    const memory = memorySource(bytes)
    const file = { size: memory.size, read: memory.read }
    assert.deepEqual(videoShape(file), videoShape(memory))
  }
})

test('video: above 4 GiB it is cut into fragments, and not a byte of the pictures is read', () => {
  const start = mp4({ mediaBytes: 0 })
  const size = 5 * 1024 ** 3
  const media = Buffer.alloc(16)
  media.writeUInt32BE(1)
  media.write('mdat', 4)
  media.writeBigUInt64BE(BigInt(size - start.length + 8), 8)
  const head = Buffer.concat([start.subarray(0, -8), media])
  const source = {
    size,
    read: (from: number, to: number) => {
      assert.ok(to <= 70_000, 'only the beginning is read')
      const bytes = Buffer.alloc(Math.max(0, to - from))
      head.copy(bytes, 0, from)
      return bytes
    },
  }
  const face = wrapVideo(source, identityOf(head))
  assert.equal(face.transferSyntaxUid, `${UID}102.1`)
  assert.ok(face.lengthBytes > size && face.lengthBytes < size + 8192)
  assert.equal(face.pieces.filter((piece) => !(piece instanceof Uint8Array)).length, 2)
})

test('video: the movie box says how a player turns it', () => {
  assert.equal(readMp4(memorySource(mp4()))?.rotation, 0)
  assert.equal(readMp4(memorySource(mp4({ turned: true })))?.rotation, 90)
})
