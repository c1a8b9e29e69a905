import assert from 'node:assert/strict'
import http from 'node:http'
import { after, before, describe, test } from 'node:test'
import { gunzipSync } from 'node:zlib'
import yauzl from 'yauzl'
import { memorySource } from '#standards/byte-source.ts'
import { readDataSet, string } from '#standards/dicom/data-set.ts'
import { openPart10 } from '#standards/dicom/open.ts'
import {
  DEFLATED_LE,
  type Elements,
  EXPLICIT_BE,
  EXPLICIT_LE,
  IMPLICIT_LE,
  JPEG_BASELINE,
  part10,
} from '../fixtures/dicom-builder.ts'
import {
  ctSeries,
  encapsulatedMultiFrame,
  frameBytes,
  multiFrame,
  multiFrameHead,
  pdfObject,
  twelveLeadEcg,
} from '../fixtures/objects.ts'
import { plainPdf } from '../fixtures/pdf.ts'
import { type Kept, memoryArchive, partsOf } from './dicomweb-archive.ts'

type Archive = Awaited<ReturnType<typeof memoryArchive>>

const STAR = 'multipart/related; type="application/dicom"; transfer-syntax=*'
const SINGLE = 'application/dicom'
const SINGLE_STAR = 'application/dicom; transfer-syntax=*'

let uid = 0
/** Elements under UIDs of their own, so that fixtures do not meet in one instance. */
const own = (elements: Elements): Elements => ({
  ...elements,
  StudyInstanceUID: `1.2.3.${++uid}`,
  SeriesInstanceUID: `1.2.3.${uid}.1`,
  SOPInstanceUID: `1.2.3.${uid}.1.1`,
})

/** Words given as bytes are written as they are: turned, they are big endian. */
function swapped(elements: Elements): Elements {
  const turned: { [key: string]: Elements[string] } = {}
  for (const [key, value] of Object.entries(elements)) {
    if (value instanceof Uint8Array && key.endsWith(' OW')) turned[key] = Buffer.from(value).swap16()
    else if (Array.isArray(value) && typeof value[0] === 'object') turned[key] = (value as Elements[]).map(swapped)
    else turned[key] = value
  }
  return turned
}

/** 8-bit frames of nine bytes in words: every second one begins within a word. */
function oddFrames(): Elements {
  const head = { ...multiFrameHead(3, 3), BitsAllocated: 8, BitsStored: 8, HighBit: 7 }
  return { ...head, 'PixelData OW': Buffer.from([...Array(27).keys(), 0]) }
}

/** Begins and ends as a JPEG code stream does; nothing decodes it. */
const codeStream = (frame: number): Buffer =>
  Buffer.concat([Buffer.from([0xff, 0xd8, 0xff, 0xe0]), Buffer.alloc(frame * 40, frame), Buffer.from([0xff, 0xd9])])

describe('WADO-RS', () => {
  let archive: Archive
  const files = new Map<string, { kept: Kept; bytes: Buffer }>()
  const file = (name: string) => files.get(name) ?? assert.fail(`no fixture ${name}`)

  before(async () => {
    archive = await memoryArchive()
    const jpeg = [1, 2, 3].map(codeStream)
    const fixtures: { name: string; elements: Elements; transferSyntax?: string }[] = [
      { name: 'explicit', elements: multiFrame(3) },
      { name: 'implicit', elements: multiFrame(3), transferSyntax: IMPLICIT_LE },
      { name: 'big-endian', elements: swapped(multiFrame(3)), transferSyntax: EXPLICIT_BE },
      { name: 'odd-big-endian', elements: swapped(oddFrames()), transferSyntax: EXPLICIT_BE },
      { name: 'deflated', elements: multiFrame(3), transferSyntax: DEFLATED_LE },
      { name: 'jpeg', elements: encapsulatedMultiFrame(jpeg, { perFrame: 2 }), transferSyntax: JPEG_BASELINE },
      { name: 'large-implicit', elements: multiFrame(12, 700), transferSyntax: IMPLICIT_LE },
      { name: 'large', elements: multiFrame(12, 700) },
      { name: 'pdf', elements: pdfObject() },
      { name: 'ecg', elements: twelveLeadEcg() },
      { name: 'ecg-big-endian', elements: swapped(twelveLeadEcg()), transferSyntax: EXPLICIT_BE },
    ]
    for (const { name, elements, transferSyntax = EXPLICIT_LE } of fixtures) {
      const bytes = part10({ elements: own(elements), transferSyntax })
      files.set(name, { kept: await archive.keep(bytes), bytes })
    }
  })
  after(() => archive.close())

  // contract.md: with transfer-syntax=* what leaves is what is kept, whatever its transfer syntax.
  for (const name of ['explicit', 'implicit', 'big-endian', 'deflated', 'jpeg', 'large', 'large-implicit', 'pdf']) {
    test(`${name}: as stored, in a part and alone`, async () => {
      const { kept, bytes } = file(name)
      const multi = await archive.get(kept.path, { accept: STAR })
      assert.equal(multi.status, 200)
      assert.equal(Number(multi.headers['content-length']), multi.body.length)
      const [part, ...rest] = partsOf(multi)
      assert.equal(rest.length, 0)
      assert.ok(part?.body.equals(bytes))
      assert.match(part?.headers['content-type'] ?? '', /^application\/dicom; transfer-syntax=1\.2/)
      assert.equal(part?.headers['content-location'], archive.root + kept.path)
      const alone = await archive.get(kept.path, { accept: SINGLE_STAR })
      assert.equal(alone.status, 200)
      assert.ok(alone.body.equals(bytes))
      assert.equal(Number(alone.headers['content-length']), bytes.length)
    })
  }

  // PS3.18 8.7.3: implicit VR and big endian never leave unasked.
  for (const name of ['implicit', 'big-endian', 'deflated', 'large-implicit']) {
    test(`${name}: explicit VR little endian by default, same values`, async () => {
      const { kept, bytes } = file(name)
      for (const accept of [SINGLE, `application/dicom; transfer-syntax=${EXPLICIT_LE}`]) {
        const answer = await archive.get(kept.path, { accept })
        assert.equal(answer.status, 200)
        assert.equal(answer.headers['content-type'], `application/dicom; transfer-syntax=${EXPLICIT_LE}`)
        const before = openPart10(memorySource(bytes))
        const opened = openPart10(memorySource(answer.body))
        assert.equal(opened.transferSyntax.uid, EXPLICIT_LE)
        assert.ok(answer.body.subarray(0, 128).every((byte) => byte === 0))
        const was = readDataSet(before.dataSet, before.encoding)
        const is = readDataSet(opened.dataSet, opened.encoding)
        assert.deepEqual([...is.elements.keys()], [...was.elements.keys()])
        assert.equal(string(is, 0x00080018), kept.instance)
        const pixels = is.get(0x7fe00010)
        const frame = opened.dataSet.read(pixels!.valueOffset, pixels!.valueOffset + 4)
        assert.ok(
          frameBytes(0, name === 'large-implicit' ? 700 : 16)
            .subarray(0, 4)
            .equals(frame),
        )
      }
    })
  }

  const refusals: { name: string; of: string; accept: string; status: number }[] = [
    { name: 'decompression', of: 'jpeg', accept: `application/dicom; transfer-syntax=${EXPLICIT_LE}`, status: 406 },
    { name: 'another compression', of: 'explicit', accept: `${SINGLE}; transfer-syntax=${JPEG_BASELINE}`, status: 406 },
    { name: 'a type that is no DICOM', of: 'explicit', accept: 'text/html', status: 406 },
    {
      name: 'implicit VR of what is explicit',
      of: 'explicit',
      accept: `${SINGLE}; transfer-syntax=${IMPLICIT_LE}`,
      status: 406,
    },
    { name: 'rubbish', of: 'explicit', accept: ';;;', status: 400 },
    {
      name: 'decompression, but as stored will do',
      of: 'jpeg',
      accept: `${SINGLE}; transfer-syntax=${EXPLICIT_LE}, ${SINGLE_STAR};q=0.1`,
      status: 200,
    },
    { name: 'compressed by default', of: 'jpeg', accept: '*/*', status: 200 },
    { name: 'no type but multipart', of: 'explicit', accept: 'multipart/related', status: 200 },
    { name: 'no type but a syntax', of: 'explicit', accept: 'multipart/related; transfer-syntax=*', status: 200 },
    {
      name: 'the stored syntax by name',
      of: 'implicit',
      accept: `${SINGLE}; transfer-syntax=${IMPLICIT_LE}`,
      status: 200,
    },
  ]
  for (const { name, of, accept, status } of refusals) {
    test(`negotiation: ${name} is ${status}`, async () => {
      const answer = await archive.get(file(of).kept.path, { accept })
      assert.equal(answer.status, status, answer.body.toString('latin1', 0, 300))
      if (status !== 200) assert.match(answer.headers['content-type'] ?? '', /^application\/problem\+json/)
    })
  }

  test('the accept parameter stands in for the header', async () => {
    const answer = await archive.get(`${file('explicit').kept.path}?accept=application/dicom`, { accept: 'text/html' })
    assert.equal(answer.headers['content-type'], `application/dicom; transfer-syntax=${EXPLICIT_LE}`)
  })

  const ranges: { range: string; status: number; start?: number; end?: number }[] = [
    { range: 'bytes=0-131', status: 206, start: 0, end: 132 },
    { range: 'bytes=-10', status: 206, start: -10 },
    { range: 'bytes=100-', status: 206, start: 100 },
    { range: 'bytes=100-99999999', status: 206, start: 100 },
    { range: 'bytes=99999999-', status: 416 },
    { range: 'bytes=5-2', status: 200 },
    { range: 'bytes=0-1,5-6', status: 200 },
    { range: 'rows=1-2', status: 200 },
  ]
  for (const { range, status, start, end } of ranges) {
    test(`range ${range} of a single part is ${status}`, async () => {
      const { kept, bytes } = file('explicit')
      const answer = await archive.get(kept.path, { accept: SINGLE, range })
      assert.equal(answer.status, status)
      if (status === 416) return assert.equal(answer.headers['content-range'], `bytes */${bytes.length}`)
      assert.ok(answer.body.equals(status === 200 ? bytes : bytes.subarray(start, end)))
      if (status === 206)
        assert.match(answer.headers['content-range'] ?? '', new RegExp(`^bytes \\d+-\\d+/${bytes.length}$`))
    })
  }

  test('an entity tag spares the second transfer, a stale one does not, and a range follows If-Range', async () => {
    const { kept, bytes } = file('explicit')
    const { etag = '' } = (await archive.get(kept.path, { accept: SINGLE })).headers
    assert.ok(etag.includes(kept.sha256))
    assert.equal((await archive.get(kept.path, { accept: SINGLE, 'if-none-match': `"x", W/${etag}` })).status, 304)
    assert.equal((await archive.get(kept.path, { accept: SINGLE, 'if-none-match': '"x"' })).status, 200)
    const other = await archive.get(kept.path, { accept: SINGLE, range: 'bytes=0-1', 'if-range': '"x"' })
    assert.equal(other.body.length, bytes.length)
  })

  test('HEAD tells the head and nothing else', async () => {
    const { kept, bytes } = file('large')
    const answer = await archive.ask(kept.path, { method: 'HEAD', headers: { accept: SINGLE } })
    assert.equal(answer.status, 200)
    assert.equal(answer.body.length, 0)
    assert.equal(Number(answer.headers['content-length']), bytes.length)
  })

  test('a study whose instances differ: what can be given is given, and the rest is told', async () => {
    const series = ctSeries(3)
    const kept: Kept[] = []
    for (const elements of series) kept.push(await archive.keep(part10({ elements })))
    const jpeg = {
      ...encapsulatedMultiFrame([Buffer.from([0xff, 0xd8, 1, 2, 0xff, 0xd9])]),
      SOPInstanceUID: '1.2.3.9999',
    }
    const odd = { ...jpeg, StudyInstanceUID: kept[0]?.study ?? '', SeriesInstanceUID: '1.2.3.9998' }
    await archive.keep(part10({ elements: odd, transferSyntax: JPEG_BASELINE }))
    const study = `/dicom-web/studies/${kept[0]?.study}`
    const all = await archive.get(study)
    assert.equal(all.status, 200)
    assert.equal(partsOf(all).length, 4)
    const some = await archive.get(study, {
      accept: `multipart/related; type="application/dicom"; transfer-syntax=${EXPLICIT_LE}`,
    })
    assert.equal(some.status, 206)
    assert.equal(partsOf(some).length, 3)
    assert.match(some.headers['warning'] ?? '', /^299 diptych "1 of 4 instances/)
    assert.equal((await archive.get(study, { accept: SINGLE })).status, 406)
    const one = await archive.get(`${study}/series/${kept[0]?.series}`)
    assert.equal(partsOf(one).length, 3)
    const last = archive.audited.at(-1)
    assert.deepEqual([last?.kind, last?.studyInstanceUID, last?.count], ['read', kept[0]?.study, 3])

    const zip = await archive.get(study, { accept: 'application/zip' })
    assert.equal(zip.headers['content-type'], 'application/zip')
    const names = await new Promise<string[]>((resolve, reject) => {
      const found: string[] = []
      yauzl.fromBuffer(zip.body, {}, (error, opened) => {
        if (error !== null) return reject(error)
        opened.on('entry', (entry: yauzl.Entry) => found.push(entry.fileName))
        opened.on('end', () => resolve(found))
        opened.on('error', reject)
      })
    })
    assert.equal(names.length, 4)
    assert.ok(names.includes(`${kept[0]?.study}/${kept[0]?.series}/${kept[0]?.instance}.dcm`))
  })

  for (const [path, status] of [
    ['/dicom-web/studies/1.2.3.404', 404],
    ['/dicom-web/studies/1.2.3.404/metadata', 404],
    ['/dicom-web/studies/..%2f..%2fetc', 400],
    [`/dicom-web/studies/${'1'.repeat(65)}/metadata`, 400],
    ['/dicom-web/studies/1.2.3.404/rendered', 404],
  ] as const) {
    test(`${path} is ${status}`, async () => assert.equal((await archive.get(path)).status, status))
  }

  // K12: a flipped bit is never served as if nothing had happened.
  test('stored bytes that rotted are reported and never given whole', async () => {
    for (const elements of [multiFrame(1), multiFrame(12, 700)]) {
      const kept = await archive.keep(part10({ elements: own(elements) }))
      await archive.rot(kept)
      const reported = archive.damages.length
      const outcome = await archive.get(kept.path, { accept: SINGLE }).then(
        ({ status }) => status,
        () => 'cut',
      )
      assert.ok(outcome === 500 || outcome === 'cut', `${outcome}`)
      assert.equal(archive.damages.length, reported + 1)
    }
  })

  // PS3.5 section 8.1.1: frames follow each other without padding between them.
  test('frames that begin within a big endian word have their own bytes', async () => {
    const { kept } = file('odd-big-endian')
    const answer = await archive.get(`${kept.path}/frames/1,2,3`)
    assert.deepEqual(
      partsOf(answer).map(({ body }) => [...body]),
      [0, 9, 18].map((first) => Array.from({ length: 9 }, (_, i) => first + i)),
    )
    const range = { accept: 'application/octet-stream', range: 'bytes=1-4' }
    const cut = await archive.get(`${kept.path}/frames/2`, range)
    assert.deepEqual([...cut.body], [10, 11, 12, 13])
  })

  for (const name of ['explicit', 'implicit', 'big-endian', 'deflated']) {
    test(`frames of ${name} leave as little endian, in the order asked for`, async () => {
      const { kept } = file(name)
      const answer = await archive.get(`${kept.path}/frames/3,1`)
      assert.equal(answer.status, 200)
      const parts = partsOf(answer)
      assert.deepEqual(
        parts.map(({ body }) => body),
        [frameBytes(2, 16), frameBytes(0, 16)],
      )
      assert.equal(parts[0]?.headers['content-type'], `application/octet-stream; transfer-syntax=${EXPLICIT_LE}`)
      const alone = await archive.get(`${kept.path}/frames/2`, {
        accept: 'application/octet-stream',
        range: 'bytes=1-6',
      })
      assert.equal(alone.status, 206)
      assert.ok(alone.body.equals(frameBytes(1, 16).subarray(1, 7)))
    })
  }

  test('frames of a large object', async () => {
    const answer = await archive.get(`${file('large').kept.path}/frames/1,2,3,4,5,6,7,8,9,10,11,12`)
    assert.deepEqual(
      partsOf(answer).map(({ body }) => body.equals(frameBytes(0, 700))),
      [true, ...Array(11).fill(false)],
    )
  })

  const viewers: { accept: string | undefined; status: number }[] = [
    { accept: undefined, status: 200 },
    { accept: 'multipart/related; type="image/jpeg"', status: 200 },
    { accept: `multipart/related; type=image/jpeg; transfer-syntax=${JPEG_BASELINE}`, status: 200 },
    { accept: 'multipart/related; type="image/*"', status: 200 },
    { accept: 'multipart/related; type=application/octet-stream; transfer-syntax=*', status: 200 },
    { accept: `multipart/related; type="application/octet-stream"; transfer-syntax=${JPEG_BASELINE}`, status: 200 },
    { accept: `multipart/related; type="application/octet-stream"; transfer-syntax=${EXPLICIT_LE}`, status: 406 },
    { accept: 'image/jpeg', status: 200 },
    { accept: 'multipart/related; type="application/octet-stream"', status: 406 },
    { accept: 'multipart/related; type="image/jls"', status: 406 },
  ]
  for (const { accept, status } of viewers) {
    test(`a compressed frame for Accept ${accept} is ${status}`, async () => {
      const answer = await archive.get(`${file('jpeg').kept.path}/frames/2`, accept === undefined ? {} : { accept })
      assert.equal(answer.status, status)
      if (status !== 200) return
      const multi = answer.headers['content-type']?.startsWith('multipart/')
      const body = multi ? partsOf(answer)[0]?.body : answer.body
      const type = multi ? partsOf(answer)[0]?.headers['content-type'] : answer.headers['content-type']
      // Two fragments, joined without their item headers.
      assert.ok(body?.equals(codeStream(2)))
      assert.equal(type, `image/jpeg; transfer-syntax=${JPEG_BASELINE}`)
    })
  }

  for (const [list, status] of [
    ['0', 404],
    ['4', 404],
    ['1,4', 404],
    ['x', 400],
    ['1,,2', 400],
    ['-1', 400],
    ['1;2', 400],
    ['99999999999', 400],
  ] as const) {
    test(`frames/${list} is ${status}`, async () => {
      assert.equal((await archive.get(`${file('explicit').kept.path}/frames/${list}`)).status, status)
    })
  }

  test('what has no frames has none', async () => {
    assert.equal((await archive.get(`${file('pdf').kept.path}/frames/1`)).status, 404)
  })

  test('an encapsulated document by its BulkDataURI: bytes, or in its own type', async () => {
    const { kept } = file('pdf')
    const metadata = JSON.parse((await archive.get(`${kept.path}/metadata`)).body.toString())
    const uri = metadata[0]['00420011'].BulkDataURI
    assert.equal(uri, `${kept.path}/bulkdata/00420011`)
    const own = await archive.get(uri, { accept: 'application/pdf' })
    assert.equal(own.headers['content-type'], `application/pdf; transfer-syntax=${EXPLICIT_LE}`)
    assert.equal(own.body.subarray(0, plainPdf().length).compare(plainPdf()), 0)
    const multi = await archive.get(uri)
    assert.match(partsOf(multi)[0]?.headers['content-type'] ?? '', /^application\/pdf/)
    const octets = await archive.get(uri, { accept: 'application/octet-stream', range: 'bytes=0-4' })
    assert.equal(octets.status, 206)
    assert.equal(octets.body.toString(), '%PDF-')
  })

  // threats.md R16: what a page would run must not come from the archive under the type it claims.
  for (const type of ['text/html', 'text/javascript', 'image/svg+xml']) {
    test(`an encapsulated document that says it is ${type} leaves as bytes`, async () => {
      const elements = own({ ...pdfObject(), MIMETypeOfEncapsulatedDocument: type })
      const kept = await archive.keep(part10({ elements }))
      const path = `${kept.path}/bulkdata/00420011`
      assert.equal((await archive.get(`${path}?accept=${type}`)).status, 406)
      const answer = await archive.get(path, { accept: 'application/octet-stream' })
      assert.match(answer.headers['content-type'] ?? '', /^application\/octet-stream/)
      assert.equal(answer.headers['content-disposition'], 'attachment')
    })
  }

  test('values inside sequences by their path, the same whatever the byte order', async () => {
    const little = await archive.get(`${file('ecg').kept.path}/bulkdata/54000100/0/54001010`, { accept: '*/*' })
    const big = await archive.get(`${file('ecg-big-endian').kept.path}/bulkdata/54000100/0/54001010`)
    assert.equal(little.status, 200)
    assert.ok(partsOf(little)[0]?.body.equals(partsOf(big)[0]?.body ?? Buffer.alloc(0)))
    assert.ok((partsOf(little)[0]?.body.length ?? 0) > 1000)
    const cut = await archive.get(`${file('ecg-big-endian').kept.path}/bulkdata/54000100/0/54001010`, {
      accept: 'application/octet-stream',
      range: 'bytes=3-8',
    })
    assert.ok(cut.body.equals(partsOf(little)[0]?.body.subarray(3, 9) ?? Buffer.alloc(0)))
  })

  for (const path of ['54000100/9/54001010', '54000100', '00990099', 'xyz', '0042001', '00420011/0']) {
    test(`bulkdata/${path} is not there`, async () => {
      assert.equal(
        (await archive.get(`${file('ecg').kept.path}/bulkdata/${path}`, { accept: 'application/octet-stream' })).status,
        404,
      )
    })
  }

  test('all bulk data of an instance, of its pixels, and of a study', async () => {
    const ecg = await archive.get(`${file('ecg').kept.path}/bulkdata`)
    assert.equal(ecg.status, 200)
    for (const { headers } of partsOf(ecg))
      assert.ok(headers['content-location']?.startsWith(`${archive.root}${file('ecg').kept.path}/bulkdata/`))
    const pixels = await archive.get(`${file('jpeg').kept.path}/pixeldata`)
    assert.equal(partsOf(pixels).length, 3)
    const native = await archive.get(`/dicom-web/studies/${file('big-endian').kept.study}/pixeldata`)
    assert.ok(partsOf(native)[0]?.body.equals(Buffer.concat([0, 1, 2].map((frame) => frameBytes(frame, 16)))))
    assert.equal((await archive.get(`${file('pdf').kept.path}/pixeldata`)).status, 404)
  })

  test('metadata: one gzip member, the same inflated, and 304 for who has it', async () => {
    const { kept } = file('explicit')
    const path = `/dicom-web/studies/${kept.study}/metadata`
    const packed = await archive.get(path, { 'accept-encoding': 'gzip, br' })
    assert.equal(packed.headers['content-encoding'], 'gzip')
    const plain = await archive.get(path, { 'accept-encoding': 'identity, gzip;q=0' })
    assert.equal(plain.headers['content-encoding'], undefined)
    assert.ok(gunzipSync(packed.body).equals(plain.body))
    assert.equal(plain.headers['content-type'], 'application/dicom+json')
    assert.match(plain.headers['cache-control'] ?? '', /private/)
    assert.equal(JSON.parse(plain.body.toString())[0]['00080018'].Value[0], kept.instance)
    for (const answer of [packed, plain]) {
      const again = await archive.get(path, {
        'if-none-match': answer.headers.etag,
        'accept-encoding': answer === packed ? 'gzip' : 'identity',
      })
      assert.equal(again.status, 304)
    }
    assert.notEqual(packed.headers.etag, plain.headers.etag)
  })

  const forms: { accept: string; status: number; type?: RegExp }[] = [
    { accept: 'application/json', status: 200, type: /^application\/(dicom\+)?json/ },
    {
      accept: 'multipart/related; type="application/dicom+xml"',
      status: 200,
      type: /^multipart\/related; type="application\/dicom\+xml"/,
    },
    { accept: 'multipart/related; type=application/dicom+xml', status: 200, type: /^multipart/ },
    { accept: 'application/dicom+xml;q=0.5, application/dicom+json', status: 200, type: /dicom\+json/ },
    { accept: 'image/png', status: 406 },
  ]
  for (const { accept, status, type } of forms) {
    test(`metadata as ${accept} is ${status}`, async () => {
      const answer = await archive.get(`${file('explicit').kept.path}/metadata`, { accept })
      assert.equal(answer.status, status)
      if (type !== undefined) assert.match(answer.headers['content-type'] ?? '', type)
      if (type?.source.includes('xml') === true)
        assert.match(partsOf(answer)[0]?.body.toString() ?? '', /<NativeDicomModel/)
    })
  }

  test('callers who go away in the middle leave no trace and no error', async () => {
    const { kept, bytes } = file('large')
    archive.logged.length = 0
    for (const accept of [SINGLE_STAR, STAR, 'application/zip']) {
      await new Promise<void>((resolve) => {
        const request = http.get(archive.root + kept.path, { agent: false, headers: { accept } }, (answer) => {
          answer.once('data', () => answer.destroy())
          answer.once('close', resolve)
        })
        request.on('error', resolve)
      })
    }
    assert.ok((await archive.get(kept.path, { accept: SINGLE_STAR })).body.equals(bytes))
    assert.deepEqual(archive.logged, [])
  })

  test('delete: gone from every resource, 404 the second time', async () => {
    const kept = await archive.keep(part10({ elements: own(multiFrame(1)) }))
    assert.equal((await archive.ask(kept.path, { method: 'DELETE' })).status, 204)
    assert.equal(archive.audited.at(-1)?.kind, 'delete')
    for (const path of ['', '/metadata', '/frames/1', '/bulkdata', '/pixeldata', '/rendered']) {
      assert.equal((await archive.get(kept.path + path)).status, 404, path)
    }
    assert.equal((await archive.ask(kept.path, { method: 'DELETE' })).status, 404)
  })

  test('capabilities name every resource', async () => {
    const wadl = await archive.ask('/dicom-web/', { method: 'OPTIONS' })
    assert.equal(wadl.headers['content-type'], 'application/vnd.sun.wadl+xml')
    assert.match(
      wadl.body.toString(),
      /path="studies\/\{study\}\/series\/\{series\}\/instances\/\{instance\}\/frames\/\{frames\}"/,
    )
    const json = await archive.ask('/dicom-web', { method: 'OPTIONS', headers: { accept: 'application/json' } })
    const resources: { path: string; methods: { method: string }[] }[] = JSON.parse(json.body.toString()).resources
    assert.ok(resources.length > 20)
    const studies = resources.find(({ path }) => path === 'studies')
    assert.deepEqual(studies?.methods.map(({ method }) => method).sort(), ['GET', 'POST'])
  })
})
