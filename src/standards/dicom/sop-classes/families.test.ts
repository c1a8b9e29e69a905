import assert from 'node:assert/strict'
import { existsSync, globSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { type Elements, type Part10Options, part10 } from '../../../../test/fixtures/dicom-builder.ts'
import {
  cdaObject,
  ctDose,
  ctImage,
  doseScreen,
  generalEcg,
  modelObject,
  pdfObject,
  projectionDose,
  secondaryCapture,
  stl,
  twelveLeadEcg,
} from '../../../../test/fixtures/objects.ts'
import { plainPdf } from '../../../../test/fixtures/pdf.ts'
import { memorySource } from '../../byte-source.ts'
import { type DataSet, readDataSet, string } from '../data-set.ts'
import { DicomError } from '../errors.ts'
import { DEFAULT_LIMITS } from '../limits.ts'
import { openPart10 } from '../open.ts'
import { SOP_CLASS } from '../uids.ts'
import { multiplexGroups } from './ecg.ts'
import { encapsulatedDocument } from './encapsulated-document.ts'
import { FACTS_MAX, familyOf, TEXT_MAX } from './families.ts'
import { suspicions } from './secondary-capture.ts'

function read(bytes: Uint8Array): DataSet {
  const file = openPart10(memorySource(bytes))
  return readDataSet(file.dataSet, file.encoding)
}

function build(elements: Elements, options: Omit<Part10Options, 'elements'> = {}): DataSet {
  return read(part10({ elements, ...options }))
}

function family(dataSet: DataSet) {
  return familyOf(string(dataSet, 0x00080016) ?? '', dataSet)
}

function factsOf(dataSet: DataSet, name: string) {
  const facts = family(dataSet)?.facts(dataSet) ?? []
  return facts
    .filter((fact) => fact.name === name)
    .map(({ value, unit }) => (unit === undefined ? value : `${value} ${unit}`))
}

function rules(dataSet: DataSet): string[] {
  return (family(dataSet)?.validate(dataSet) ?? []).map(({ rule }) => rule)
}

// A fixture that dciodvfy accepts must not be complained about here either.
const clean: { name: string; elements: Elements; family: string | undefined }[] = [
  { name: 'PDF', elements: pdfObject(), family: 'encapsulated-document' },
  { name: 'CDA', elements: cdaObject(), family: 'encapsulated-document' },
  { name: 'STL', elements: modelObject('stl'), family: 'encapsulated-document' },
  { name: 'OBJ', elements: modelObject('obj'), family: 'encapsulated-document' },
  { name: 'MTL', elements: modelObject('mtl'), family: 'encapsulated-document' },
  { name: '12-lead ECG', elements: twelveLeadEcg(), family: 'ecg' },
  { name: 'general ECG', elements: generalEcg(), family: 'ecg' },
  { name: 'CT dose', elements: ctDose(), family: 'xray-dose' },
  { name: 'projection dose', elements: projectionDose(), family: 'xray-dose' },
  { name: 'secondary capture', elements: secondaryCapture(), family: 'secondary-capture' },
  { name: 'CT image', elements: ctImage(), family: undefined },
]
for (const { name, elements, family: id } of clean) {
  test(`family: ${name}`, () => {
    for (const transferSyntax of ['1.2.840.10008.1.2', '1.2.840.10008.1.2.1', '1.2.840.10008.1.2.2']) {
      const dataSet = build(elements, { transferSyntax, undefinedLengths: transferSyntax.endsWith('2') })
      assert.equal(family(dataSet)?.id, id)
      assert.deepEqual(rules(dataSet), [])
      if (id === undefined) continue
      for (const fact of family(dataSet)!.facts(dataSet)) assert.equal(fact.family, id)
      assert.notEqual(family(dataSet)!.summary(dataSet).title, '')
    }
  })
}

test('encapsulated document: facts and summary', () => {
  const dataSet = build(pdfObject())
  assert.deepEqual(factsOf(dataSet, 'document-title'), ['A report'])
  assert.deepEqual(factsOf(dataSet, 'document-type'), ['Diagnostic imaging study'])
  assert.deepEqual(factsOf(dataSet, 'document-length'), [`${plainPdf().length} By`])
  const model = build(modelObject('stl'))
  assert.deepEqual(factsOf(model, 'model-unit'), ['mm'])
  assert.ok(family(model)!.summary(model).lines.includes('Mirrored'))
})

// Unwrapping must return the source byte for byte: one byte more or less breaks a signature.
const wrapped: { name: string; elements: Elements; length: number; agrees?: boolean }[] = [
  { name: 'even, says its length', elements: pdfObject(Buffer.from('%PDF-1.4 ab')), length: 11 },
  { name: 'odd, without length', elements: without(pdfObject(Buffer.from('%PDF-1.4 %%EOF\n'))), length: 15 },
  { name: 'even, without length', elements: without(pdfObject(Buffer.from('%PDF-1.4 %%EOF'))), length: 14 },
  { name: 'STL that ends with a zero byte of its own', elements: without(modelObject('stl')), length: stl().length },
  {
    name: 'length beyond the value',
    elements: { ...pdfObject(Buffer.from('%PDF-1.4 %%EOF')), EncapsulatedDocumentLength: 999 },
    length: 14,
    agrees: false,
  },
  {
    name: 'length that hides most of the value',
    elements: { ...pdfObject(Buffer.from('%PDF-1.4 %%EOF')), EncapsulatedDocumentLength: 4 },
    length: 14,
    agrees: false,
  },
]
function without({ EncapsulatedDocumentLength: _, ...rest }: Elements): Elements {
  return rest
}
for (const { name, elements, length, agrees = true } of wrapped) {
  test(`encapsulated document, length: ${name}`, () => {
    const document = encapsulatedDocument(build(elements))
    assert.equal(document?.length, length)
    assert.equal(document?.lengthAgrees, agrees)
  })
}

test('encapsulated document: nothing inside', () => {
  const { EncapsulatedDocument: _, ...rest } = pdfObject()
  assert.equal(encapsulatedDocument(build(rest)), undefined)
  assert.deepEqual(rules(build(rest)), ['encapsulated-document:empty'])
})

const event = {
  name: '1',
  protocol: 'Head',
  spiral: true,
  ctdiVol: '50',
  dlp: '700',
  milliampere: '200',
  lengthMm: '150',
}

// What is wrong with an object is noted, each thing under a rule of its own.
const flawed: { name: string; elements: Elements; rule: string }[] = [
  {
    name: 'PDF named CDA',
    elements: { ...cdaObject(plainPdf()), MIMETypeOfEncapsulatedDocument: 'text/xml' },
    rule: 'encapsulated-document:content',
  },
  {
    name: 'media type of another class',
    elements: { ...pdfObject(), MIMETypeOfEncapsulatedDocument: 'text/xml' },
    rule: 'encapsulated-document:media-type',
  },
  {
    name: 'no media type',
    elements: { ...pdfObject(), MIMETypeOfEncapsulatedDocument: '' },
    rule: 'encapsulated-document:media-type-missing',
  },
  {
    name: 'length that lies',
    elements: { ...pdfObject(), EncapsulatedDocumentLength: 3 },
    rule: 'encapsulated-document:length',
  },
  {
    name: 'CDA without identifier',
    elements: { ...cdaObject(), HL7InstanceIdentifier: '' },
    rule: 'encapsulated-document:hl7-instance-identifier',
  },
  {
    name: 'model without unit',
    elements: { ...modelObject('stl'), MeasurementUnitsCodeSequence: [] },
    rule: 'encapsulated-document:units',
  },
  { name: 'ECG without waveform', elements: { ...twelveLeadEcg(), WaveformSequence: [] }, rule: 'ecg:no-waveform' },
  { name: 'ECG cut short', elements: changedGroup({ NumberOfWaveformSamples: 5000 }), rule: 'ecg:data-short' },
  {
    name: 'ECG with more than it says',
    elements: changedGroup({ NumberOfWaveformSamples: 10 }),
    rule: 'ecg:data-long',
  },
  {
    name: 'ECG without scale',
    elements: changedGroup({ ChannelDefinitionSequence: [{ ChannelLabel: 'I' }] }),
    rule: 'ecg:no-scale',
  },
  {
    name: 'ECG with channels missing',
    elements: changedGroup({ ChannelDefinitionSequence: [] }),
    rule: 'ecg:channel-count',
  },
  { name: 'ECG sampled slowly', elements: changedGroup({ SamplingFrequency: '50' }), rule: 'ecg:frequency' },
  {
    name: 'ECG sampled in bytes',
    elements: changedGroup({ WaveformSampleInterpretation: 'UB' }),
    rule: 'ecg:interpretation',
  },
  { name: 'dose without total', elements: { ...ctDose(), ContentSequence: [] }, rule: 'xray-dose:accumulated-missing' },
  {
    name: 'dose whose events do not add up',
    elements: ctDose({ of: 'ct', dlpTotal: '900', events: [event] }),
    rule: 'xray-dose:dlp-sum',
  },
  { name: 'dose with another root', elements: { ...ctDose(), ConceptNameCodeSequence: [] }, rule: 'xray-dose:root' },
  {
    name: 'capture of many frames',
    elements: { ...secondaryCapture(), NumberOfFrames: '3' },
    rule: 'secondary-capture:frames',
  },
  {
    name: 'capture of nobody knows what',
    elements: { ...secondaryCapture(), ConversionType: 'XYZ' },
    rule: 'secondary-capture:conversion-type',
  },
]
function changedGroup(change: Elements): Elements {
  const whole = twelveLeadEcg()
  const [group] = whole['WaveformSequence'] as readonly Elements[]
  return { ...whole, WaveformSequence: [{ ...group, ...change }] }
}
for (const { name, elements, rule } of flawed) {
  test(`family, flaw: ${name}`, () => assert.ok(rules(build(elements)).includes(rule), rules(build(elements)).join()))
}

test('ECG: facts', () => {
  const dataSet = build(twelveLeadEcg({ seconds: 3 }))
  assert.deepEqual(factsOf(dataSet, 'channels'), ['12 1'])
  assert.deepEqual(factsOf(dataSet, 'sampling-frequency'), ['500 Hz'])
  assert.deepEqual(factsOf(dataSet, 'duration'), ['3 s'])
  assert.deepEqual(factsOf(dataSet, 'lead').slice(0, 3), ['Lead I', 'Lead II', 'Lead III'])
  assert.deepEqual(factsOf(dataSet, 'filter-high'), ['150 Hz'])
  assert.deepEqual(factsOf(dataSet, 'qrs-duration'), ['92 ms'])
  assert.deepEqual(factsOf(dataSet, 'rr-interval'), ['833 ms'])
  assert.deepEqual(factsOf(dataSet, 'statement'), ['Sinus rhythm'])
  const [group] = multiplexGroups(dataSet)
  assert.equal(group?.data?.length, 3 * 500 * 12 * 2)
  assert.equal(group?.channels[1]?.sensitivity, 2.5)
})

test('X-ray dose: facts of a CT', () => {
  const dataSet = build(ctDose())
  assert.deepEqual(factsOf(dataSet, 'dlp-total'), ['312.4 mGy.cm'])
  assert.deepEqual(factsOf(dataSet, 'irradiation-events'), ['2 {events}'])
  assert.deepEqual(factsOf(dataSet, 'ctdivol'), ['8.9 mGy'])
  assert.deepEqual(factsOf(dataSet, 'acquisition-type'), ['Constant Angle Acquisition', 'Spiral Acquisition'])
  assert.equal(factsOf(dataSet, 'irradiation-event').length, 2)
  assert.deepEqual(factsOf(dataSet, 'procedure'), ['Computed Tomography X-Ray'])
})

test('X-ray dose: facts of fluoroscopy', () => {
  const dataSet = build(projectionDose())
  assert.deepEqual(factsOf(dataSet, 'dap-total'), ['0.00036 Gy.m2'])
  assert.deepEqual(factsOf(dataSet, 'dose-rp-total'), ['0.0375 Gy'])
  assert.deepEqual(factsOf(dataSet, 'fluoro-time-total'), ['42 s'])
  assert.equal(factsOf(dataSet, 'dap').length, 3)
})

test('X-ray dose: a dose report in a general report class is one too, another report is not', () => {
  const enhanced = { ...ctDose(), SOPClassUID: '1.2.840.10008.5.1.4.1.1.88.22' }
  assert.equal(family(build(enhanced))?.id, 'xray-dose')
  const other = { CodeValue: '18748-4', CodingSchemeDesignator: 'LN', CodeMeaning: 'Report' }
  assert.equal(family(build({ ...enhanced, ConceptNameCodeSequence: [other] })), undefined)
})

// One sign is not enough, unless it is one that no other image has.
const pictures: { name: string; elements: Elements; of: string[] }[] = [
  { name: 'GE dose page', elements: doseScreen('ge'), of: ['dose-screen'] },
  {
    name: 'GE screen save in another series',
    elements: { ...doseScreen('ge'), SeriesNumber: '4', SeriesDescription: 'Measurement' },
    of: [],
  },
  { name: 'Siemens protocol page', elements: doseScreen('siemens'), of: ['dose-screen'] },
  {
    name: 'Siemens page in class CT',
    elements: { ...doseScreen('siemens'), SOPClassUID: SOP_CLASS.ctImage },
    of: ['dose-screen'],
  },
  { name: 'Toshiba summary', elements: doseScreen('toshiba'), of: ['dose-screen'] },
  { name: 'only the word dose', elements: { ...secondaryCapture(), SeriesDescription: 'Dose report' }, of: [] },
  { name: 'scanned sheet', elements: { ...secondaryCapture(), ConversionType: 'SD' }, of: ['scanned-paper'] },
  {
    name: 'paper by shape and word',
    elements: secondaryCapture({ rows: 1414, columns: 1000, more: { SeriesDescription: 'Consent form' } }),
    of: ['scanned-paper'],
  },
  { name: 'paper by shape alone', elements: secondaryCapture({ rows: 1414, columns: 1000 }), of: [] },
  { name: 'CT image', elements: ctImage(), of: [] },
]
for (const { name, elements, of } of pictures) {
  test(`secondary capture, suspicion: ${name}`, () => {
    const dataSet = build(elements)
    assert.deepEqual(
      suspicions(dataSet).map((one) => one.of),
      of,
    )
    if (of.length > 0) assert.equal(family(dataSet)?.id, 'secondary-capture')
  })
}

test('family: what an object says about itself is bounded', () => {
  const annotation = { ReferencedWaveformChannels: [1, 0], UnformattedTextValue: 'x'.repeat(1100) }
  const many = { ...twelveLeadEcg(), WaveformAnnotationSequence: Array<Elements>(FACTS_MAX + 5).fill(annotation) }
  const dataSet = build(many, { transferSyntax: '1.2.840.10008.1.2' })
  const facts = family(dataSet)!.facts(dataSet)
  assert.equal(facts.length, FACTS_MAX)
  assert.equal(String(facts.at(-1)?.value).length, TEXT_MAX)
})

test('family: a content tree deeper than any report is read to the limit', () => {
  let items: readonly Elements[] = []
  for (let level = 0; level < 200; level++) items = [{ ValueType: 'CONTAINER', ContentSequence: items }]
  const bytes = part10({ elements: { ...ctDose(), ContentSequence: items } })
  const file = openPart10(memorySource(bytes), { limits: { ...DEFAULT_LIMITS, depth: 1000 } })
  const dataSet = readDataSet(file.dataSet, file.encoding, 0, file.dataSet.size, { ...DEFAULT_LIMITS, depth: 1000 })
  assert.deepEqual(rules(dataSet).includes('xray-dose:accumulated-missing'), true)
})

/** What a reader cannot read is no matter of families. */
function orMalformed(make: () => DataSet): DataSet | undefined {
  try {
    return make()
  } catch (error) {
    if (error instanceof DicomError) return undefined
    throw error
  }
}

const samples = process.env['DIPTYCH_SAMPLES'] ?? join(import.meta.dirname, '../../../../../shared/data')

test('families: samples', { skip: existsSync(samples) ? false : `no samples at ${samples}` }, () => {
  const sample = (path: string) => read(readFileSync(join(samples, path)))
  const heart = sample('waveform/waveform_ecg.dcm')
  assert.deepEqual(factsOf(heart, 'pr-interval').slice(0, 1), ['161 ms'])
  assert.deepEqual(factsOf(heart, 'statement').slice(0, 2), ['RITMO SINUSALE', 'ECG NORMALE'])
  assert.equal(factsOf(heart, 'qrs-axis').length, 1)
  assert.ok(factsOf(heart, 'lead').length >= 12)
  assert.deepEqual(factsOf(sample('sr/dose/CT-ESR-GE_VCT.dcm'), 'dlp-total'), ['2002.39 mGycm'])
  assert.deepEqual(factsOf(sample('sr/dose/DX-RDSR-Canon_CXDI.dcm'), 'dap-total'), ['0.0000107 Gy.m2'])
  assert.deepEqual(factsOf(sample('sr/dose/MG-RDSR-Hologic_2D.dcm'), 'glandular-dose-total'), ['1.3 mGy', '1.28 mGy'])
  assert.equal(family(sample('sr/dose/ESR_non-dose.dcm')), undefined)
  for (const name of readdirSync(join(samples, 'encapsulated'))) {
    const dataSet = sample(`encapsulated/${name}`)
    assert.equal(family(dataSet)?.id, 'encapsulated-document', name)
    assert.ok(encapsulatedDocument(dataSet)!.lengthAgrees, name)
  }
})

test('families: no sample makes one fail', { skip: existsSync(samples) ? false : `no samples at ${samples}` }, (t) => {
  let understood = 0
  for (const path of globSync('**/*.dcm', { cwd: samples })) {
    const dataSet = orMalformed(() => read(readFileSync(join(samples, path))))
    const found = dataSet === undefined ? undefined : family(dataSet)
    if (dataSet === undefined || found === undefined) continue
    understood += 1
    found.facts(dataSet)
    found.validate(dataSet)
    assert.ok(found.summary(dataSet).title.length > 0, path)
  }
  t.diagnostic(`${understood} samples belong to a family`)
  assert.ok(understood > 10)
})
