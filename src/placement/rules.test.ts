import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { DocumentFacts, InstanceFacts, Situation } from '#model/placement-facts.ts'
import { decideSituation } from './decide.ts'
import { completed, DEFAULT_POLICY, policyFaults, RULES } from './policy.ts'

const SC = '1.2.840.10008.5.1.4.1.1.7'
const CT = '1.2.840.10008.5.1.4.1.1.2'
const RDSR = '1.2.840.10008.5.1.4.1.1.88.67'
const ECG = '1.2.840.10008.5.1.4.1.1.9.1.1'
const PDF = '1.2.840.10008.5.1.4.1.1.104.1'
const CDA = '1.2.840.10008.5.1.4.1.1.104.2'
const STUDY = '1.2.3'

function instance(objectId: string, more: Partial<InstanceFacts> = {}): InstanceFacts {
  return {
    ...{
      objectId,
      sopInstanceUID: `1.2.3.${objectId.length}`,
      sopClassUID: SC,
      transferSyntaxUID: '1.2.840.10008.1.2.1',
    },
    ...{ seriesInstanceUID: '1.2.3.1', seriesNumber: 1, seriesInstances: 1, modality: 'CT', imageType: [] },
    ...{ conversionType: null, seriesDescription: null, texts: [], manufacturer: null, model: null },
    ...{
      scManufacturer: null,
      scModel: null,
      rows: 512,
      columns: 512,
      frames: 1,
      samplesPerPixel: 3,
      bitsAllocated: 8,
    },
    ...{ windowCenter: null, windowWidth: null, bodyPart: null, cineRate: null, frameIncrementPointer: null },
    ...{ hasDocumentClassCode: false, equipmentPurposes: [], documentMediaType: null, conceptName: null },
    ...{ department: null, originator: null, faceOf: null },
    ...more,
  }
}

function document(objectId: string, more: Partial<DocumentFacts> = {}): DocumentFacts {
  return {
    ...{
      objectId,
      kind: 'pdf',
      title: null,
      typeCode: null,
      department: null,
      originator: null,
      studyInstanceUID: STUDY,
    },
    ...{ accessionNumbers: [], hasOrder: true, faceOf: null, status: 'current', creationTime: null, authors: [] },
    reportKey: null,
    ...more,
  }
}

function situation(parts: Partial<Situation>): Situation {
  return { studyInstanceUID: STUDY, instances: [], documents: [], imageCount: 0, ...parts }
}

const says = (parts: Partial<Situation>, mayAct = false) => {
  const verdicts = decideSituation(situation(parts), DEFAULT_POLICY, () => mayAct)
  return (objectId: string) => {
    const one = verdicts.get(objectId)
    return one === undefined ? null : `${one.placement.rule} ${one.effect.do} ${one.state}`
  }
}

const wrappedPdf = instance('p', { sopClassUID: PDF, documentMediaType: 'application/pdf', rows: null })
const wrappedCda = instance('c', { sopClassUID: CDA, documentMediaType: 'text/xml', rows: null })
const gePage = instance('g', { imageType: ['DERIVED', 'SECONDARY', 'SCREEN SAVE'], seriesNumber: 999 })
const rdsr = instance('r', { sopClassUID: RDSR, modality: 'SR', rows: null })
const scan = instance('s', {
  conversionType: 'SD',
  modality: 'OT',
  rows: 2338,
  columns: 1654,
  seriesDescription: 'Consent form',
  texts: ['Consent form'],
})
const waveform = instance('w', { sopClassUID: ECG, modality: 'ECG', rows: null })

const cases: readonly [name: string, parts: Partial<Situation>, object: string, expected: string][] = [
  ['1 PDF beside images', { documents: [document('d')], imageCount: 3 }, 'd', 'pdf-with-images encapsulate acting'],
  ['1 PDF alone (bone densitometry)', { documents: [document('d')] }, 'd', 'pdf-with-images stay acting'],
  [
    '1 PDF of another study',
    { documents: [document('d', { studyInstanceUID: '9.9' })], imageCount: 3 },
    'd',
    'pdf-with-images stay acting',
  ],
  [
    '1 only a dose page beside it',
    { documents: [document('d')], instances: [gePage] },
    'd',
    'pdf-with-images stay acting',
  ],
  ['1 wrapped PDF with images', { instances: [wrappedPdf], imageCount: 1 }, 'p', 'pdf-with-images unwrap acting'],
  ['1 wrapped PDF alone', { instances: [wrappedPdf] }, 'p', 'pdf-with-images unwrap acting'],
  [
    '1 face of a wrapped PDF is not wrapped again',
    { documents: [document('d', { faceOf: 'p' })], imageCount: 3 },
    'd',
    'null',
  ],
  [
    '1 face of a native PDF is not unwrapped',
    { instances: [{ ...wrappedPdf, faceOf: 'd' }], imageCount: 3 },
    'p',
    'null',
  ],
  ['2 wrapped CDA with images', { instances: [wrappedCda], imageCount: 9 }, 'c', 'wrapped-cda unwrap acting'],
  [
    '2 native CDA with images',
    { documents: [document('d', { kind: 'cda' })], imageCount: 9 },
    'd',
    'wrapped-cda stay acting',
  ],
  [
    '2 STL stays',
    { instances: [instance('m', { sopClassUID: `${PDF.slice(0, -1)}3`, documentMediaType: 'model/stl' })] },
    'm',
    'as-it-came stay acting',
  ],
  [
    '3 film as capture',
    {
      instances: [
        instance('v', {
          sopClassUID: `${SC}.4`,
          transferSyntaxUID: '1.2.840.10008.1.2.4.102',
          frames: 300,
          modality: 'XC',
        }),
      ],
    },
    'v',
    'disguised-media to-document proposed',
  ],
  [
    '3 paged capture is no film',
    { instances: [instance('v', { sopClassUID: `${SC}.4`, frames: 40, frameIncrementPointer: '00182001' })] },
    'v',
    'as-it-came stay acting',
  ],
  [
    '3 photograph as capture',
    { instances: [instance('f', { modality: 'XC', manufacturer: 'Apple', model: 'iPhone' })] },
    'f',
    'disguised-media to-document proposed',
  ],
  [
    '3 screen of a workstation',
    { instances: [instance('f', { modality: 'CT', conversionType: 'WSD' })] },
    'f',
    'as-it-came stay acting',
  ],
  [
    '4 ECG PDF with waveform',
    { instances: [waveform, { ...wrappedPdf, modality: 'ECG' }] },
    'p',
    'ecg-picture rendition acting',
  ],
  [
    '4 ECG PDF without waveform',
    { instances: [{ ...wrappedPdf, modality: 'ECG' }] },
    'p',
    'ecg-picture ask-for acting',
  ],
  [
    '4 native ECG PDF with waveform',
    { instances: [waveform], documents: [document('d', { title: 'Ruhe-EKG' })] },
    'd',
    'ecg-picture rendition acting',
  ],
  [
    '4 a word that contains it',
    { instances: [waveform], documents: [document('d', { title: 'Beckgmann' })] },
    'd',
    'pdf-with-images stay acting',
  ],
  ['4 aECG', { documents: [document('d', { kind: 'aecg' })] }, 'd', 'ecg-picture waveform-face acting'],
  ['5 GE page with RDSR', { instances: [gePage, rdsr] }, 'g', 'dose-screen rendition proposed'],
  ['5 GE page without RDSR', { instances: [gePage] }, 'g', 'dose-screen ask-for acting'],
  [
    '5 GE screen save of another series',
    { instances: [{ ...gePage, seriesNumber: 3 }] },
    'g',
    'as-it-came stay acting',
  ],
  [
    '5 Siemens page of class CT',
    {
      instances: [
        instance('g', {
          sopClassUID: CT,
          imageType: ['DERIVED', 'SECONDARY', 'OTHER', 'CT_SOM5 PROT'],
          seriesNumber: 501,
        }),
        rdsr,
      ],
    },
    'g',
    'dose-screen rendition proposed',
  ],
  [
    '5 Toshiba page',
    { instances: [instance('g', { imageType: ['DERIVED', 'SECONDARY'], windowCenter: 0, windowWidth: 1 }), rdsr] },
    'g',
    'dose-screen rendition proposed',
  ],
  [
    '5 a CT of the same window',
    {
      instances: [
        instance('g', { sopClassUID: CT, imageType: ['ORIGINAL', 'PRIMARY'], windowCenter: 0, windowWidth: 1 }),
        rdsr,
      ],
    },
    'g',
    'as-it-came stay acting',
  ],
  ['6 scanned paper', { instances: [scan] }, 's', 'scanned-paper paper proposed'],
  [
    '6 digitised film',
    { instances: [{ ...scan, conversionType: 'DF', seriesDescription: 'Chest', texts: ['Chest'] }] },
    's',
    'as-it-came stay acting',
  ],
  [
    '6 scanned PDF',
    { instances: [{ ...wrappedPdf, conversionType: 'SD', texts: ['Consent'] }], imageCount: 1 },
    'p',
    'scanned-paper unwrap proposed',
  ],
  [
    '7 two forms of one report',
    { documents: [document('a', { kind: 'cda', reportKey: 'k' }), document('b', { kind: 'rtf', reportKey: 'k' })] },
    'b',
    'report-renditions rendition acting',
  ],
  [
    '7 two reports',
    { documents: [document('a', { kind: 'rtf', reportKey: 'k' }), document('b', { kind: 'rtf', reportKey: 'l' })] },
    'b',
    'as-it-came stay acting',
  ],
  [
    '8 picture without an order',
    { documents: [document('d', { kind: 'jpeg', hasOrder: false })] },
    'd',
    'picture-without-order stay acting',
  ],
  ['8 picture with an order', { documents: [document('d', { kind: 'jpeg' })] }, 'd', 'as-it-came stay acting'],
]

for (const [name, parts, object, expected] of cases) {
  test(name, () => assert.equal(String(says(parts)(object)), expected))
}

test('a recogniser acts once the site has labelled enough', () => {
  assert.equal(says({ instances: [gePage, rdsr] }, true)('g'), 'dose-screen rendition acting')
  assert.equal(says({ instances: [scan] }, true)('s'), 'scanned-paper paper acting')
})

test('scans become pointers where another system owns documents', () => {
  const policy = { ...DEFAULT_POLICY, documentSystem: 'DMS' }
  const verdict = decideSituation(situation({ instances: [scan] }), policy, () => true).get('s')
  assert.deepEqual(verdict?.effect, { do: 'pointer', instances: ['s'], system: 'DMS' })
})

test('the order of arrival does not count', () => {
  const instances = [wrappedPdf, wrappedCda, gePage, rdsr, scan, waveform, { ...scan, objectId: 's2' }]
  const documents = [
    document('d1'),
    document('d2', { kind: 'aecg' }),
    document('d3', { kind: 'cda', reportKey: 'k' }),
    document('d4', { reportKey: 'k' }),
  ]
  const told = (parts: Partial<Situation>) =>
    [...decideSituation(situation(parts), DEFAULT_POLICY, () => true)]
      .map(([id, { placement, effect, state }]) => JSON.stringify([id, placement.rule, effect, state]))
      .sort()
  const expected = told({ instances, documents, imageCount: 2 })
  fc.assert(
    fc.property(
      fc.shuffledSubarray(instances, { minLength: instances.length }),
      fc.shuffledSubarray(documents, { minLength: documents.length }),
      (a, b) => assert.deepEqual(told({ instances: a, documents: b, imageCount: 2 }), expected),
    ),
    { seed: 4, numRuns: 300 },
  )
})

test('policy: order, switches and what is wrong with one', () => {
  const off = {
    ...DEFAULT_POLICY,
    rules: DEFAULT_POLICY.rules.map((rule) => (rule.rule === 'wrapped-cda' ? { ...rule, on: false } : rule)),
  }
  const verdict = decideSituation(situation({ instances: [wrappedCda] }), off, () => false).get('c')
  assert.equal(verdict?.placement.rule, 'as-it-came')
  const first = DEFAULT_POLICY.rules[0]
  assert.ok(first)
  const wrong = {
    documentSystem: null,
    rules: [
      { ...first, rule: 'nobody' },
      { ...first, threshold: 2 },
      { ...first, parameters: { x: 1 } },
    ],
  }
  assert.deepEqual(
    policyFaults(wrong).map(({ path }) => path),
    ['rules[0].rule', 'rules[1].threshold', 'rules[2].rule', 'rules[2].parameters.x'],
  )
  assert.equal(completed({ documentSystem: null, rules: [] }).rules.length, RULES.length)
  assert.equal(completed({ documentSystem: null, rules: [] }).rules.at(-1)?.rule, 'as-it-came')
})
