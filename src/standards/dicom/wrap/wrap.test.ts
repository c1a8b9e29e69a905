import assert from 'node:assert/strict'
import { Buffer } from 'node:buffer'
import { createHash } from 'node:crypto'
import { test } from 'node:test'
import { part10 } from '../../../../test/fixtures/dicom-builder.ts'
import { jpeg } from '../../../../test/fixtures/jpeg.ts'
import { cdaObject, pdfObject, secondaryCapture } from '../../../../test/fixtures/objects.ts'
import { plainPdf } from '../../../../test/fixtures/pdf.ts'
import { memorySource } from '../../byte-source.ts'
import { cdaBody } from '../../media/cda-body.ts'
import { readDataSet, string } from '../data-set.ts'
import { openPart10 } from '../open.ts'
import { joinPieces } from '../pieces.ts'
import { ConversionError } from './conversion-error.ts'
import { derivedUid } from './derived-uid.ts'
import { wrapDocument } from './encapsulated-document.ts'
import type { DicomFace } from './face.ts'
import type { FaceIdentity } from './identity.ts'
import { planPhotograph, wrapJpeg, wrapPixels } from './photograph.ts'
import { nativePieces, unwrap } from './unwrap.ts'

const MODEL = { unit: 'mm' } as const

function identityOf(bytes: Uint8Array): FaceIdentity {
  return {
    patient: { name: 'Face^Second', id: 'F-1' },
    study: { uid: '2.25.77', date: '20260102', time: '030405' },
    series: { number: 7 },
    equipment: { manufacturer: 'Diptych', model: 'Test' },
    sha256: createHash('sha256').update(bytes).digest('hex'),
    instanceNumber: 1,
  }
}

function open(face: DicomFace) {
  const bytes = joinPieces(face.pieces)
  assert.equal(bytes.length, face.lengthBytes)
  assert.equal(bytes.length % 2, 0)
  const opened = openPart10(memorySource(bytes))
  return { opened, dataSet: readDataSet(opened.dataSet, opened.encoding) }
}

function inner(face: DicomFace): Buffer {
  const native = unwrap(open(face).opened)
  assert.ok(native)
  return Buffer.from(joinPieces(nativePieces(native)))
}

function refused(code: string) {
  return (thrown: unknown) => thrown instanceof ConversionError && thrown.code === code
}

const triangle = Buffer.concat([Buffer.alloc(80, 'solid not text'), Buffer.from([1, 0, 0, 0]), Buffer.alloc(50, 1)])
const endsInZero = Buffer.from(triangle)
endsInZero[endsInZero.length - 1] = 0

// One byte too many or too few makes a document that is signed a forged one.
const documents: { name: string; bytes: Uint8Array; sopClass: string; mediaType: string }[] = [
  { name: 'PDF', bytes: plainPdf(), sopClass: '.104.1', mediaType: 'application/pdf' },
  {
    name: 'PDF, one byte more',
    bytes: Buffer.concat([plainPdf(), Buffer.from('\n')]),
    sopClass: '.104.1',
    mediaType: 'application/pdf',
  },
  {
    name: 'PDF that ends in zeros',
    bytes: Buffer.concat([plainPdf(), Buffer.alloc(3)]),
    sopClass: '.104.1',
    mediaType: 'application/pdf',
  },
  {
    name: 'large PDF, kept as a reference',
    bytes: Buffer.concat([plainPdf(), Buffer.alloc(70_001, 10)]),
    sopClass: '.104.1',
    mediaType: 'application/pdf',
  },
  {
    name: 'binary STL that begins with the word of text ones',
    bytes: triangle,
    sopClass: '.104.3',
    mediaType: 'model/stl',
  },
  { name: 'binary STL that ends in a zero of its own', bytes: endsInZero, sopClass: '.104.3', mediaType: 'model/stl' },
  {
    name: 'text STL',
    bytes: Buffer.from('solid a\nfacet normal 0 0 1\nendfacet\nendsolid a'),
    sopClass: '.104.3',
    mediaType: 'model/stl',
  },
  {
    name: 'OBJ',
    bytes: Buffer.from('mtllib a.mtl\nv 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 3\n'),
    sopClass: '.104.4',
    mediaType: 'model/obj',
  },
  { name: 'MTL', bytes: Buffer.from('newmtl red\nKd 1 0 0\n'), sopClass: '.104.5', mediaType: 'model/mtl' },
]

for (const { name, bytes, sopClass, mediaType } of documents) {
  test(`wrap and unwrap: ${name}`, () => {
    const face = wrapDocument(memorySource(bytes), identityOf(bytes), { title: 'A document', model: MODEL })
    assert.ok(face.sopClassUid.endsWith(sopClass))
    const { opened, dataSet } = open(face)
    assert.equal(string(dataSet, 0x00420012), mediaType)
    const native = unwrap(opened, dataSet)
    assert.equal(native?.mediaType, mediaType)
    assert.equal(native?.endBy, 'stated')
    assert.deepEqual(inner(face), Buffer.from(bytes))
  })
}

test('wrap: the same original gives the same bytes, another one other UIDs', () => {
  const bytes = plainPdf()
  const make = (study: string) => {
    const identity = identityOf(bytes)
    return wrapDocument(memorySource(bytes), { ...identity, study: { ...identity.study, uid: study } }, { title: 'x' })
  }
  assert.deepEqual(joinPieces(make('2.25.1').pieces), joinPieces(make('2.25.1').pieces))
  assert.notEqual(make('2.25.1').sopInstanceUid, make('2.25.2').sopInstanceUid)
  assert.notEqual(make('2.25.1').sopInstanceUid, make('2.25.1').seriesInstanceUid)
  const uid = derivedUid('2.25.1', '0'.repeat(64), 'a', 'instance')
  assert.match(uid, /^2\.25\.[1-9]\d{30,38}$/)
})

test('wrap: a large document is not copied', () => {
  const bytes = Buffer.concat([plainPdf(), Buffer.alloc(70_001, 10)])
  const source = memorySource(bytes)
  const { pieces } = wrapDocument(source, identityOf(bytes), { title: 'x' })
  assert.ok(pieces.some((piece) => !(piece instanceof Uint8Array) && piece.source === source))
})

// The one promise a report's author relies on: HL7 documents stay HL7 documents.
const never: { name: string; bytes: string | Uint8Array; code: string }[] = [
  {
    name: 'CDA',
    bytes: '<?xml version="1.0"?><!-- a --><ClinicalDocument xmlns="urn:hl7-org:v3"/>',
    code: 'conversion.type',
  },
  { name: 'CDA with a prefix', bytes: '<h:ClinicalDocument xmlns:h="urn:hl7-org:v3"/>', code: 'conversion.type' },
  {
    name: 'FHIR in XML',
    bytes: '<Bundle xmlns="http://hl7.org/fhir"><id value="1"/></Bundle>',
    code: 'conversion.type',
  },
  { name: 'FHIR in JSON', bytes: '{"resourceType":"Bundle","type":"document"}', code: 'conversion.type' },
  { name: 'plain text', bytes: 'v is a letter\n', code: 'conversion.type' },
  { name: 'JPEG', bytes: jpeg(new Uint8Array(16 * 8 * 3), 16, 8), code: 'conversion.type' },
  { name: 'nothing', bytes: '', code: 'conversion.type' },
]

for (const { name, bytes, code } of never) {
  test(`wrap refuses: ${name}`, () => {
    const content = Buffer.from(bytes)
    const wrap = () => wrapDocument(memorySource(content), identityOf(content), { title: 'x', model: MODEL })
    assert.throws(wrap, refused(code))
  })
}

test('wrap refuses identifiers that would read as something else, and cuts descriptions', () => {
  const bytes = plainPdf()
  const identity = identityOf(bytes)
  const wrap = (more: Partial<FaceIdentity>, title = 'x') =>
    wrapDocument(memorySource(bytes), { ...identity, ...more }, { title })
  assert.throws(() => wrap({ patient: { name: 'A', id: 'a\\b' } }), refused('conversion.value'))
  assert.throws(() => wrap({ study: { uid: 'not a uid' } }), refused('conversion.value'))
  assert.throws(() => wrap({ contentDate: 'today' }), refused('conversion.value'))
  assert.throws(() => wrap({ sha256: 'short' }), refused('conversion.value'))
  const description = `${'é'.repeat(80)}\\x`
  const { dataSet } = open(wrap({ series: { number: 1, description } }, 'a\u0007b\\c'))
  assert.equal(string(dataSet, 0x0008103e), 'é'.repeat(64))
  assert.equal(string(dataSet, 0x00420010), 'a b c')
  const model = () => wrapDocument(memorySource(triangle), identityOf(triangle), { title: 'x' })
  assert.throws(model, refused('conversion.unsupported'))
})

test('unwrap: without a stated length one zero is padding, and no more', () => {
  const odd = Buffer.concat([plainPdf(), Buffer.from(plainPdf().length % 2 === 0 ? 'x' : '')])
  const bytes = part10({ elements: { ...pdfObject(odd), EncapsulatedDocumentLength: null } })
  const native = unwrap(openPart10(memorySource(bytes)))
  assert.equal(native?.endBy, 'padding')
  assert.equal(native?.lengthBytes, odd.length)
})

test('unwrap: a CDA comes out as CDA, and its base64 body as what it is', () => {
  const pdf = plainPdf()
  const xml = (media: string, body: string) =>
    `<ClinicalDocument xmlns="urn:hl7-org:v3"><component><nonXMLBody><text mediaType="${media}" representation="B64">${body}</text></nonXMLBody></component></ClinicalDocument>`
  const lines = Buffer.from(pdf)
    .toString('base64')
    .replace(/(.{76})/g, '$1\n')
  const cda = Buffer.from(xml('text/plain', lines))
  const native = unwrap(openPart10(memorySource(part10({ elements: cdaObject(cda) }))))
  assert.ok(native)
  assert.equal(native.type, 'cda')
  const body = cdaBody(joinPieces(nativePieces(native)))
  assert.deepEqual(Buffer.from(body?.bytes ?? []), Buffer.from(pdf))
  assert.equal(body?.mediaType, 'application/pdf')
  assert.equal(body?.declaredMediaType, 'text/plain')
  assert.equal(cdaBody(Buffer.from('<ClinicalDocument xmlns="urn:hl7-org:v3"/>')), undefined)
  assert.throws(() => cdaBody(Buffer.from(xml('application/pdf', 'a*b='))), refused('conversion.malformed'))
  assert.throws(() => cdaBody(Buffer.from(`<!DOCTYPE a>${xml('a/b', 'QUJD')}`)), refused('conversion.malformed'))
  assert.throws(() => cdaBody(Buffer.from('<Other/>')), refused('conversion.type'))
})

test('CDA body: text in the XML, a digest that fits or does not, a compressed one, a reference', () => {
  const cda = (attributes: string, body: string) =>
    Buffer.from(
      `<ClinicalDocument xmlns="urn:hl7-org:v3"><component><nonXMLBody><text ${attributes}>${body}</text></nonXMLBody></component></ClinicalDocument>`,
    )
  const plain = cdaBody(cda('mediaType="text/plain"', ' Dear &lt;you&gt;\n'))
  assert.deepEqual([Buffer.from(plain?.bytes ?? []).toString(), plain?.exact], ['Dear <you>', false])
  const digest = createHash('sha1').update('ABC').digest('base64')
  assert.equal(cdaBody(cda(`representation="B64" integrityCheck="${digest}"`, 'QUJD'))?.exact, true)
  assert.throws(
    () => cdaBody(cda(`representation="B64" integrityCheck="${digest}"`, 'QUJE')),
    refused('conversion.malformed'),
  )
  assert.throws(() => cdaBody(cda('representation="B64" compression="GZ"', 'QUJD')), refused('conversion.unsupported'))
  assert.equal(cdaBody(cda('mediaType="application/pdf"', '<reference value="a.pdf"/>')), undefined)
})

test('unwrap: an object of pixels has no native face', () => {
  assert.equal(unwrap(openPart10(memorySource(part10({ elements: secondaryCapture() })))), undefined)
})

/** A JPEG with an EXIF segment that says how it lies, and bytes behind its end. */
function photo(orientation: number, behind = 0, startOfFrame = 0xc0): Buffer {
  const plain = Buffer.from(
    jpeg(
      new Uint8Array(32 * 16 * 3).map((_, index) => index),
      32,
      16,
    ),
  )
  const tiff = Buffer.from([
    0x4d,
    0x4d,
    0,
    42,
    0,
    0,
    0,
    8,
    0,
    1,
    1,
    0x12,
    0,
    3,
    0,
    0,
    0,
    1,
    0,
    orientation,
    0,
    0,
    0,
    0,
    0,
    0,
  ])
  const exif = Buffer.concat([Buffer.from('Exif\0\0'), tiff])
  const head = Buffer.from([0xff, 0xd8, 0xff, 0xe1, 0, exif.length + 2])
  const made = Buffer.concat([head, exif, plain.subarray(2), Buffer.alloc(behind)])
  const frame = made.indexOf(Buffer.from([0xff, 0xc0]))
  made[frame + 1] = startOfFrame
  return made
}

test('photograph: a JPEG is carried byte for byte, whatever stands behind its end', () => {
  for (const behind of [0, 1, 2, 3]) {
    const bytes = photo(1, behind)
    const face = wrapJpeg(memorySource(bytes), identityOf(bytes))
    assert.deepEqual(inner(face), bytes)
    const { dataSet } = open(face)
    assert.equal(string(dataSet, 0x00280004), 'YBR_FULL_422')
    assert.equal(string(dataSet, 0x00282110), '01')
  }
})

// A picture shown mirrored or lying is a wrong side: such a one is never carried as it is.
const plans: { name: string; bytes: Buffer; why: RegExp | null }[] = [
  { name: 'baseline', bytes: photo(1), why: null },
  { name: 'extended', bytes: photo(1, 0, 0xc1), why: null },
  { name: 'progressive', bytes: photo(1, 0, 0xc2), why: /progressive/ },
  { name: 'mirrored', bytes: photo(2), why: /orientation 2/ },
  { name: 'lying', bytes: photo(6), why: /orientation 6/ },
  { name: 'orientation that means nothing', bytes: photo(9), why: null },
  { name: 'PNG', bytes: Buffer.from('\x89PNG\r\n\x1a\n', 'latin1'), why: /not a JPEG/ },
]

for (const { name, bytes, why } of plans) {
  test(`photograph plan: ${name}`, () => {
    const plan = planPhotograph(memorySource(bytes))
    if (why === null) assert.equal(plan.how, 'as-is')
    else {
      assert.match(plan.how === 'decode' ? plan.why : '', why)
      assert.throws(() => wrapJpeg(memorySource(bytes), identityOf(bytes)), refused('conversion.unsupported'))
    }
  })
}

test('photograph: a JPEG cut in its header is malformed', () => {
  assert.throws(() => planPhotograph(memorySource(photo(1).subarray(0, 60))), refused('conversion.malformed'))
})

test('photograph: decoded pixels must fill the picture', () => {
  const picture = { columns: 3, rows: 5, samples: 3, pixels: new Uint8Array(45).fill(9) } as const
  const face = wrapPixels({ ...picture, turned: 6 }, identityOf(picture.pixels), { laterality: 'L' })
  const { dataSet } = open(face)
  assert.equal(string(dataSet, 0x00200062), 'L')
  assert.match(string(dataSet, 0x00082111) ?? '', /orientation 6/)
  const short = { ...picture, pixels: new Uint8Array(44) }
  assert.throws(() => wrapPixels(short, identityOf(short.pixels)), refused('conversion.malformed'))
})
