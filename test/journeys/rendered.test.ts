/** Rendered resources and thumbnails as a client asks for them. PS3.18 section 10.4 and 8.3.5. */
import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import sharp from 'sharp'
import { ArchiveError } from '#errors.ts'
import { type Elements, EXPLICIT_LE, part10 } from '../fixtures/dicom-builder.ts'
import { multiFrame, multiFrameHead, pdfObject, secondaryCapture } from '../fixtures/objects.ts'
import { type Kept, memoryArchive, partsOf } from './dicomweb-archive.ts'

type Archive = Awaited<ReturnType<typeof memoryArchive>>

const samples = process.env.DIPTYCH_SAMPLES ?? '../shared/data'

describe('rendered resources', () => {
  let archive: Archive
  let cine: Kept
  let grey: Kept
  let document: Kept

  before(async () => {
    archive = await memoryArchive()
    const kept = (elements: Elements) => archive.keep(part10({ elements, transferSyntax: EXPLICIT_LE }))
    cine = await kept(multiFrame(5, 32))
    grey = await kept(gradient())
    document = await kept(pdfObject())
  })
  after(() => archive.close())

  /** Grey from 0 on the left to 255 on the right, 256 by 64. */
  function gradient() {
    const pixels = Buffer.from(Array.from({ length: 256 * 64 }, (_, i) => i % 256))
    return { ...secondaryCapture({ columns: 256, rows: 64 }), 'PixelData OB': pixels }
  }

  const pictureOf = async (path: string, accept = 'image/png') => {
    const answer = await archive.get(path, { accept })
    assert.equal(answer.status, 200, answer.body.toString('latin1', 0, 300))
    const { data, info } = await sharp(answer.body).raw().toBuffer({ resolveWithObject: true })
    return { answer, data, info, metadata: await sharp(answer.body).metadata() }
  }

  test('a picture is what the pixels say', async () => {
    const { data, info, answer } = await pictureOf(`${grey.path}/rendered`)
    assert.equal(answer.headers['content-type'], 'image/png')
    assert.deepEqual([info.width, info.height], [256, 64])
    assert.deepEqual(
      [...data.subarray(0, 256 * info.channels)].filter((_, i) => i % info.channels === 0),
      [...Array(256).keys()],
    )
  })

  const types: { accept: string | undefined; type: string }[] = [
    { accept: undefined, type: 'image/jpeg' },
    { accept: '*/*', type: 'image/jpeg' },
    { accept: 'image/*', type: 'image/jpeg' },
    { accept: 'image/gif, image/png;q=0.5', type: 'image/gif' },
    { accept: 'image/tiff, image/webp', type: 'image/webp' },
  ]
  for (const { accept, type } of types) {
    test(`${accept ?? 'no Accept'} gives ${type}`, async () => {
      const answer = await archive.get(`${grey.path}/rendered`, accept === undefined ? {} : { accept })
      assert.equal(answer.status, 200)
      assert.equal(answer.headers['content-type'], type)
      assert.equal((await sharp(answer.body).metadata()).format, type.slice(6))
    })
  }

  const viewports: { ask: string; size: [number, number]; first: number; last: number }[] = [
    { ask: 'viewport=128,128', size: [128, 32], first: 0, last: 255 },
    { ask: 'viewport=64,64,64,0,64,64', size: [64, 64], first: 64, last: 127 },
    { ask: 'viewport=64,64,64,0,-64,64', size: [64, 64], first: 127, last: 64 },
    { ask: 'viewport=256,64,,,,', size: [256, 64], first: 0, last: 255 },
    { ask: 'window=64,128,linear-exact', size: [256, 64], first: 0, last: 255 },
  ]
  for (const { ask, size, first, last } of viewports) {
    test(ask, async () => {
      const { data, info } = await pictureOf(`${grey.path}/rendered?${ask}`)
      assert.deepEqual([info.width, info.height], size)
      const [left = -1, right = -1] = [data[0], data[(info.width - 1) * info.channels]]
      assert.ok(Math.abs(left - first) <= 2 && Math.abs(right - last) <= 2, `${left} to ${right}`)
    })
  }

  test('a window is of values, not of pixels', async () => {
    const { data, info } = await pictureOf(`${grey.path}/rendered?window=64,128,linear-exact`)
    assert.equal(data[64 * info.channels], 128)
    assert.equal(data[128 * info.channels], 255)
  })

  for (const [ask, status] of [
    ['viewport=0,5', 400],
    ['viewport=1', 400],
    ['viewport=99999,1', 400],
    ['viewport=1,1,1', 400],
    ['window=1', 400],
    ['window=1,0,linear', 400],
    ['window=1,2,cubic', 400],
    ['quality=0', 400],
    ['quality=x', 400],
    ['annotation=everything', 400],
    ['annotation=patient', 406],
    ['iccprofile=no', 200],
  ] as const) {
    test(`${ask} is ${status}`, async () => {
      assert.equal((await archive.get(`${grey.path}/rendered?${ask}`)).status, status)
    })
  }

  test('frames are drawn by number; the middle one stands for all; all of them move as GIF', async () => {
    const second = await pictureOf(`${cine.path}/frames/2/rendered`)
    const third = await pictureOf(`${cine.path}/frames/3/rendered`)
    assert.ok(!second.data.equals(third.data))
    assert.ok((await pictureOf(`${cine.path}/rendered`)).data.equals(third.data))
    const { metadata } = await pictureOf(`${cine.path}/rendered`, 'image/gif')
    assert.equal(metadata.pages, 5)
    const none = await archive.get(`${cine.path}/frames/6/rendered`)
    assert.equal(none.status, 404)
  })

  test('several frames and whole studies leave as parts', async () => {
    const answer = await archive.get(`${cine.path}/frames/4,1/rendered`, {
      accept: 'multipart/related; type="image/png"',
    })
    assert.deepEqual(
      partsOf(answer).map(({ headers }) => headers['content-location']?.split('/').at(-2)),
      ['4', '1'],
    )
    const study = await archive.get(`/dicom-web/studies/${grey.study}/rendered`, { accept: 'image/png' })
    assert.ok(partsOf(study).length >= 1)
    assert.equal((await archive.get('/dicom-web/studies/1.2.3.404/rendered')).status, 404)
  })

  test('one thumbnail of a study, series, instance and frame, no larger than asked', async () => {
    const levels = [`/dicom-web/studies/${cine.study}`, cine.path.replace(/\/instances.*/, ''), cine.path]
    for (const path of [...levels, `${cine.path}/frames/1`]) {
      const { info } = await pictureOf(`${path}/thumbnail?viewport=20,10`)
      assert.ok(info.width <= 20 && info.height <= 10)
      assert.ok(info.width === 20 || info.height === 10)
    }
    assert.equal((await archive.get(`${cine.path}/thumbnail?viewport=1,1,1,1,1,1`)).status, 400)
    assert.equal((await archive.get(`${cine.path}/thumbnail?annotation=patient`)).status, 400)
  })

  // PS3.3 section C.7.6.24: no Bits Stored, no sign; the least value is black.
  test('floats are drawn from their least to their greatest value', async () => {
    const { BitsStored: _, HighBit: __, PixelRepresentation: ___, ...head } = multiFrameHead(1, 2) as Elements
    const floats = Buffer.from(new Float32Array([-0.5, 0.5, 1.5, 0]).buffer)
    const own = { StudyInstanceUID: '1.2.3.77', SeriesInstanceUID: '1.2.3.77.1', SOPInstanceUID: '1.2.3.77.1.1' }
    const elements = { ...head, ...own, BitsAllocated: 32, 'FloatPixelData OF': floats }
    const kept = await archive.keep(part10({ elements, transferSyntax: EXPLICIT_LE }))
    const { data, info } = await pictureOf(`${kept.path}/rendered`)
    assert.deepEqual(
      [0, 1, 2, 3].map((i) => data[i * info.channels]),
      [0, 128, 255, 64],
    )
  })

  // threats.md M6: the data set is implicit, the file meta says a compressed syntax.
  test('an object that is written otherwise than it says is drawn', { skip: !existsSync(samples) }, async () => {
    const kept = await archive.keep(readFileSync(join(samples, 'part10/malformed/SC_rgb_jpeg.dcm')))
    const { info } = await pictureOf(`${kept.path}/rendered`)
    assert.ok(info.width > 1 && info.channels === 3)
  })

  test('what is no picture says so', async () => {
    const answer = await archive.get(`${document.path}/rendered`)
    assert.equal(answer.status, 406)
    assert.match(answer.body.toString(), /request\.not-acceptable/)
  })

  test('an entity tag names the picture', async () => {
    const path = `${grey.path}/rendered?viewport=10,10`
    const first = await archive.get(path)
    const tag = first.headers['etag'] ?? ''
    assert.equal((await archive.get(path, { 'if-none-match': tag })).status, 304)
    assert.equal((await archive.get(`${grey.path}/rendered`, { 'if-none-match': tag })).status, 200)
  })
})

describe('real files are drawn', { skip: existsSync(samples) ? false : `no ${samples}` }, () => {
  let archive: Archive
  before(async () => {
    archive = await memoryArchive()
  })
  after(() => archive.close())
  const table = existsSync(join(samples, 'EXPECTED-PIXELS.tsv'))
    ? readFileSync(join(samples, 'EXPECTED-PIXELS.tsv'), 'utf8').split('\n').slice(1).filter(Boolean)
    : []
  for (const [path = ''] of table.map((line) => line.split('\t'))) {
    const bytes = readFileSync(join(samples, path))
    // Files without preamble and prefix come in by import alone.
    if (bytes.toString('latin1', 128, 132) !== 'DICM') continue
    test(path, async () => {
      const kept = await archive.keep(bytes).catch((error: unknown) => {
        if (error instanceof ArchiveError && error.code === 'identity.conflict') return null // one of them is enough
        throw error
      })
      // Without UIDs that are some an object has no path.
      if (kept === null || !/^[0-9.]{1,64}$/.test(kept.study) || !/^[0-9.]{1,64}$/.test(kept.instance)) return
      const answer = await archive.get(`${kept.path}/thumbnail`, { accept: 'image/png' })
      assert.equal(answer.status, 200, answer.body.toString('latin1', 0, 300))
      const { channels } = await sharp(answer.body).stats()
      assert.ok(
        channels.some(({ min, max }) => max > min),
        'a picture of one colour',
      )
    })
  }
})
