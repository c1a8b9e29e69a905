import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { type Codestream, readCodestream } from './codestream.ts'

const hex = (text: string) => Buffer.from(text.replace(/\s/g, ''), 'hex')

// Headers written out byte by byte: what each says goes into the Image Pixel Description unseen by anybody.
const jfif = 'ffe0 0010 4a46494600 0101 00 0001 0001 00 00'
const adobeRgb = 'ffee 000e 41646f6265 0064 0000 0000 00'
const sof = (marker: string, bits: string, components: string) =>
  `${marker} ${components.length > 8 ? '0011' : '000b'} ${bits} 0010 000c ${components}`
const grey = '01 01 11 00'.replace(/ /g, '')
const colour = (first: string) => `03 01${first}00 021100 031100`.replace(/ /g, '')
const scan = (spectral: string, components = '01 0100') => `ffda 0008 ${components} ${spectral} 3f 00`
const scan3 = (spectral: string) => `ffda 000c 03 0100 0200 0300 ${spectral} 3f 00`

const cases: { name: string; bytes: string; is: Partial<Codestream> }[] = [
  {
    name: 'baseline, grey',
    bytes: `ffd8 ${jfif} ${sof('ffc0', '08', grey)} ${scan('00')}`,
    is: {
      transferSyntaxUID: '1.2.840.10008.1.2.4.50',
      rows: 16,
      columns: 12,
      bits: 8,
      samples: 1,
      photometricInterpretation: 'MONOCHROME2',
    },
  },
  {
    name: 'baseline, colour, subsampled',
    bytes: `ffd8 ${jfif} ${sof('ffc0', '08', colour('22'))} ${scan3('00')}`,
    is: { samples: 3, photometricInterpretation: 'YBR_FULL_422' },
  },
  {
    name: 'baseline, colour, full',
    bytes: `ffd8 ${jfif} ${sof('ffc0', '08', colour('11'))} ${scan3('00')}`,
    is: { photometricInterpretation: 'YBR_FULL' },
  },
  {
    name: 'baseline, RGB by its Adobe marker',
    bytes: `ffd8 ${adobeRgb} ${sof('ffc0', '08', colour('11'))} ${scan3('00')}`,
    is: { photometricInterpretation: 'RGB' },
  },
  {
    name: 'extended, 12 bits',
    bytes: `ffd8 ${sof('ffc1', '0c', grey)} ${scan('00')}`,
    is: { transferSyntaxUID: '1.2.840.10008.1.2.4.51', bits: 12 },
  },
  {
    name: 'lossless, predictor 1',
    bytes: `ffd8 ${sof('ffc3', '10', grey)} ${scan('01')}`,
    is: { transferSyntaxUID: '1.2.840.10008.1.2.4.70', bits: 16 },
  },
  {
    name: 'lossless, another predictor',
    bytes: `ffd8 ${sof('ffc3', '10', grey)} ${scan('04')}`,
    is: { transferSyntaxUID: '1.2.840.10008.1.2.4.57' },
  },
  {
    name: 'JPEG-LS',
    bytes: `ffd8 ${sof('fff7', '08', grey)} ${scan('00')}`,
    is: { transferSyntaxUID: '1.2.840.10008.1.2.4.80' },
  },
  {
    name: 'JPEG-LS, near lossless',
    bytes: `ffd8 ${sof('fff7', '08', grey)} ${scan('03')}`,
    is: { transferSyntaxUID: '1.2.840.10008.1.2.4.81' },
  },
  {
    name: 'fill bytes before a marker',
    bytes: `ffd8 ffffff ${sof('ffc0', '08', grey).slice(2)} ${scan('00')}`,
    is: { rows: 16 },
  },
]

for (const { name, bytes, is } of cases) {
  test(`code stream header: ${name}`, () => {
    const read = readCodestream(hex(bytes), 1000)
    assert.ok(read !== undefined)
    assert.deepEqual({ ...read, ...is }, read)
    assert.deepEqual([read.start, read.length], [0, 1000])
  })
}

const not: { name: string; bytes: string }[] = [
  { name: 'nothing', bytes: '' },
  { name: 'PNG', bytes: '89504e470d0a1a0a 0000000d 49484452' },
  { name: 'progressive JPEG', bytes: `ffd8 ${sof('ffc2', '08', grey)} ${scan('00')}` },
  { name: 'four components', bytes: `ffd8 ffc0 0014 08 0010 000c 04 011100 021100 031100 041100 ${scan('00')}` },
  { name: 'no rows', bytes: `ffd8 ffc0 000b 08 0000 000c ${grey} ${scan('00')}` },
  { name: 'a scan without a frame', bytes: `ffd8 ${scan('00')}` },
  { name: 'a segment beyond the end', bytes: 'ffd8 ffe0 ffff 4a46494600 0101' },
  { name: 'a segment of no length', bytes: 'ffd8 ffe0 0000 4a46494600 0101' },
  { name: 'a JP2 box beyond the end', bytes: '0000000c 6a502020 0d0a870a ffffffff 66747970' },
]
for (const { name, bytes } of not) {
  test(`no code stream: ${name}`, () => assert.equal(readCodestream(hex(bytes), hex(bytes).length), undefined))
}

test('a header that is cut anywhere is no code stream, and nothing is read beyond it', () => {
  for (const { bytes } of cases) {
    const whole = hex(bytes)
    for (let end = 0; end < whole.length - 3; end++) {
      const cut = readCodestream(whole.subarray(0, end), whole.length)
      assert.ok(cut === undefined || end >= whole.length - 4)
    }
  }
})

const samples = join(
  process.env['DIPTYCH_SAMPLES'] ?? join(import.meta.dirname, '../../../../shared/data'),
  'codestreams',
)
const files: { file: string; syntax: string; samples: number; bits: number }[] = [
  { file: 'JPEG-LS_Lossless_Image_Compression-GRAYSCALE-16.jls', syntax: '80', samples: 1, bits: 16 },
  { file: 'JPEG-LS_Lossy__Near-Lossless__Image_Compression-RGB-8.jls', syntax: '81', samples: 3, bits: 8 },
]
for (const { file, syntax, samples: components, bits } of files) {
  const path = join(samples, file)
  test(`real file ${file}`, { skip: !existsSync(path) && 'no samples' }, () => {
    const bytes = readFileSync(path)
    const read = readCodestream(bytes, bytes.length)
    assert.deepEqual(
      [read?.transferSyntaxUID, read?.samples, read?.bits],
      [`1.2.840.10008.1.2.4.${syntax}`, components, bits],
    )
  })
}
