/**
 * How right the recognisers of the placement rules are on a corpus made by code: things they are meant for and things
 * that look like them. Its author's corpus proves little: a site labels samples of its own before a recogniser acts.
 *
 *     node test/bench/placement-corpus.ts [--cases 2000] [--seed 1] [--json]
 */
import { pathToFileURL } from 'node:url'
import { parseArgs } from 'node:util'
import type { InstanceFacts } from '#model/placement-facts.ts'
import { photographScore, videoScore } from '#placement/rules/disguised-media.ts'
import { doseScreenScore } from '#placement/rules/dose-screen.ts'
import { paperScore } from '#placement/rules/scanned-paper.ts'

export type Label = 'dose-screen' | 'paper' | 'photograph' | 'video' | 'nothing'

export interface Sample {
  readonly label: Label
  readonly what: string
  readonly facts: InstanceFacts
}

const SC = '1.2.840.10008.5.1.4.1.1.7'
const CT = '1.2.840.10008.5.1.4.1.1.2'
const PDF = '1.2.840.10008.5.1.4.1.1.104.1'
const THRESHOLD = 0.6

/** Mulberry32: the same seed gives the same corpus. */
function randomOf(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = state
    t = Math.imul(t ^ (t >>> 15), t | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296
  }
}

function plain(random: () => number, n: number): InstanceFacts {
  return {
    ...{ objectId: `o${n}`, sopInstanceUID: `1.2.${n}`, sopClassUID: SC, transferSyntaxUID: '1.2.840.10008.1.2.1' },
    ...{ seriesInstanceUID: `1.2.3.${n}`, seriesNumber: Math.floor(random() * 30) + 1, seriesInstances: 1 },
    ...{
      modality: 'OT',
      imageType: ['DERIVED', 'SECONDARY'],
      conversionType: null,
      seriesDescription: null,
      texts: [],
    },
    ...{ manufacturer: null, model: null, scManufacturer: null, scModel: null, rows: 512, columns: 512, frames: 1 },
    ...{ samplesPerPixel: 1, bitsAllocated: 8, windowCenter: null, windowWidth: null, bodyPart: null, cineRate: null },
    ...{ frameIncrementPointer: null, hasDocumentClassCode: false, equipmentPurposes: [], documentMediaType: null },
    ...{ conceptName: null, department: null, originator: null, faceOf: null },
  }
}

type Make = (random: () => number, base: InstanceFacts) => Partial<InstanceFacts>

const pick = <T>(random: () => number, list: readonly T[]): T => list[Math.floor(random() * list.length)] as T
const described = (text: string | null): Partial<InstanceFacts> => ({
  seriesDescription: text,
  texts: text === null ? [] : [text],
})

/** Each row: what it is, what it is called in the table, how it is made. Attributes that senders leave out vary. */
const KINDS: readonly (readonly [Label, string, Make])[] = [
  [
    'dose-screen',
    'GE dose page',
    (r) => ({
      ...{ imageType: ['DERIVED', 'SECONDARY', 'SCREEN SAVE'], seriesNumber: pick(r, [999, 10999]), modality: 'CT' },
      ...{ manufacturer: 'GE MEDICAL SYSTEMS', ...described(pick(r, ['Dose Report', null])) },
    }),
  ],
  [
    'dose-screen',
    'Siemens dose page, class SC or CT',
    (r) => ({
      ...{
        imageType: ['DERIVED', 'SECONDARY', 'OTHER', 'CT_SOM5 PROT'],
        seriesNumber: pick(r, [501, 503]),
        modality: 'CT',
      },
      ...{ manufacturer: 'SIEMENS', sopClassUID: pick(r, [SC, CT]), ...described(pick(r, ['Patient Protocol', null])) },
    }),
  ],
  [
    'dose-screen',
    'Toshiba or Canon dose page',
    (r) => ({
      ...{ windowCenter: 0, windowWidth: 1, modality: 'CT', manufacturer: pick(r, ['TOSHIBA', 'CANON']) },
      ...described(pick(r, ['SUMMARY', null])),
    }),
  ],
  [
    'dose-screen',
    'dose page of another maker, described',
    (r) => ({ modality: 'CT', ...described(pick(r, ['Dose Info', 'Exposure summary DLP', 'CTDIvol dose record'])) }),
  ],
  [
    'nothing',
    'dose map of a plan',
    (r) => ({ seriesInstances: 80, modality: 'CT', ...described(pick(r, ['Dose distribution', 'Isodose'])) }),
  ],
  [
    'nothing',
    '3-D picture from a workstation',
    (r) => ({
      conversionType: 'WSD',
      modality: 'CT',
      samplesPerPixel: 3,
      ...described(pick(r, ['VRT', 'MIP', 'Key image'])),
    }),
  ],
  [
    'nothing',
    'GE screen save of a measurement',
    (r) => ({ imageType: ['DERIVED', 'SECONDARY', 'SCREEN SAVE'], seriesNumber: pick(r, [3, 5, 200]), modality: 'CT' }),
  ],
  [
    'nothing',
    'low-dose CT series',
    () => ({
      sopClassUID: CT,
      imageType: ['ORIGINAL', 'PRIMARY'],
      seriesInstances: 300,
      modality: 'CT',
      ...described('LOW DOSE CHEST'),
    }),
  ],
  [
    'paper',
    'scanned form, marked as such',
    (r) => ({
      ...{ conversionType: 'SD', rows: 1169 * 2, columns: 827 * 2, modality: pick(r, ['OT', 'DOC', 'CT']) },
      ...described(pick(r, ['Consent form', 'Requisition', 'Referral', null])),
    }),
  ],
  [
    'paper',
    'scan with a document digitizer',
    (r) => ({
      ...{ equipmentPurposes: ['DOCD^DCM'], rows: 2200, columns: 1700, modality: pick(r, ['OT', 'DOC']) },
      ...{ hasDocumentClassCode: r() < 0.5 },
    }),
  ],
  [
    'paper',
    'fax',
    (r) => ({
      sopClassUID: `${SC}.1`,
      bitsAllocated: 1,
      rows: 2292,
      columns: 1728,
      modality: pick(r, ['OT', 'DOC']),
      frameIncrementPointer: pick(r, ['00182001', null]),
    }),
  ],
  [
    'paper',
    'scanned PDF',
    (r) => ({
      sopClassUID: PDF,
      rows: null,
      columns: null,
      conversionType: 'SD',
      ...described(pick(r, ['Insurance letter', 'Consent'])),
    }),
  ],
  [
    'nothing',
    'digitised film',
    (r) => ({
      conversionType: 'DF',
      rows: 2494,
      columns: 2048,
      modality: pick(r, ['CR', 'MG']),
      bodyPart: pick(r, ['CHEST', null]),
    }),
  ],
  [
    'nothing',
    'film scanner without conversion type',
    () => ({ scManufacturer: 'Vidar', rows: 2494, columns: 2048, modality: 'OT' }),
  ],
  [
    'nothing',
    'PDF written by a device',
    (r) => ({
      sopClassUID: PDF,
      rows: null,
      columns: null,
      conversionType: 'WSD',
      ...described(pick(r, ['Visual field report', 'OCT analysis'])),
    }),
  ],
  [
    'nothing',
    'page-shaped bone picture',
    (r) => ({ rows: 1414, columns: 1000, modality: 'OT', bodyPart: pick(r, ['HIP', 'HAND']) }),
  ],
  [
    'photograph',
    'telephone photograph as capture',
    (r) => ({
      ...{
        manufacturer: pick(r, ['Apple', 'Samsung', 'Canon', 'NIKON']),
        samplesPerPixel: 3,
        modality: pick(r, ['XC', 'OT']),
      },
      ...{ transferSyntaxUID: pick(r, ['1.2.840.10008.1.2.4.50', '1.2.840.10008.1.2.1']), rows: 3024, columns: 4032 },
    }),
  ],
  [
    'photograph',
    'wound photograph, described',
    (r) => ({ samplesPerPixel: 3, modality: 'XC', ...described(pick(r, ['Wound photo', 'Clinical image left foot'])) }),
  ],
  ['nothing', 'colour capture of ultrasound', () => ({ samplesPerPixel: 3, modality: 'US', conversionType: 'DI' })],
  [
    'nothing',
    'endoscopy still',
    (r) => ({
      samplesPerPixel: 3,
      modality: 'ES',
      manufacturer: pick(r, ['Olympus', 'FUJIFILM']),
      conversionType: 'WSD',
    }),
  ],
  [
    'video',
    'MPEG as multi-frame capture',
    (r) => ({
      ...{
        sopClassUID: `${SC}.4`,
        transferSyntaxUID: pick(r, ['1.2.840.10008.1.2.4.100', '1.2.840.10008.1.2.4.102']),
        samplesPerPixel: 3,
      },
      ...{ frames: 120, cineRate: 25, modality: pick(r, ['XC', 'ES', 'GM']) },
    }),
  ],
  [
    'video',
    'swallow study as frames',
    (r) => ({
      sopClassUID: `${SC}.2`,
      frames: 300,
      cineRate: 15,
      modality: 'RF',
      ...described(pick(r, ['MBS swallow video', 'Swallow film'])),
    }),
  ],
  [
    'nothing',
    'multi-frame paper',
    () => ({
      sopClassUID: `${SC}.4`,
      frames: 12,
      frameIncrementPointer: '00182001',
      modality: 'US',
      samplesPerPixel: 3,
    }),
  ],
  [
    'nothing',
    'stack of derived slices',
    (r) => ({ sopClassUID: `${SC}.3`, frames: pick(r, [20, 28]), modality: 'MR', conversionType: 'WSD' }),
  ],
]

/** The labelled corpus: as many of each kind. */
export function corpus(cases: number, seed: number): readonly Sample[] {
  const random = randomOf(seed)
  return Array.from({ length: cases }, (_, n) => {
    const kind = KINDS[n % KINDS.length]
    if (kind === undefined) throw new RangeError('no kinds')
    const [label, what, make] = kind
    const base = plain(random, n)
    return { label, what, facts: { ...base, ...make(random, base) } }
  })
}

export interface Measure {
  readonly recogniser: Exclude<Label, 'nothing'>
  readonly samples: number
  readonly precision: number
  readonly recall: number
  /** What it took for its own, and what it missed, by name. */
  readonly wrong: { readonly [what: string]: number }
}

const RECOGNISERS: { readonly [label in Exclude<Label, 'nothing'>]: (facts: InstanceFacts) => { score: number } } = {
  'dose-screen': doseScreenScore,
  paper: paperScore,
  photograph: photographScore,
  video: videoScore,
}

export function measure(samples: readonly Sample[], threshold = THRESHOLD): readonly Measure[] {
  return Object.entries(RECOGNISERS).map(([name, scoreOf]) => {
    const recogniser = name as Measure['recogniser']
    let [hits, said, real] = [0, 0, 0]
    const wrong: { [what: string]: number } = {}
    for (const { label, what, facts } of samples) {
      const is = label === recogniser
      const says = scoreOf(facts).score >= threshold
      if (is) real++
      if (says) said++
      if (is && says) hits++
      if (is !== says) wrong[what] = (wrong[what] ?? 0) + 1
    }
    return {
      recogniser,
      samples: real,
      precision: said === 0 ? 1 : hits / said,
      recall: real === 0 ? 1 : hits / real,
      wrong,
    }
  })
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const { values } = parseArgs({
    options: {
      cases: { type: 'string', default: '2400' },
      seed: { type: 'string', default: '1' },
      json: { type: 'boolean' },
    },
  })
  const found = measure(corpus(Number(values.cases), Number(values.seed)))
  if (values.json) process.stdout.write(`${JSON.stringify(found)}\n`)
  else
    for (const { recogniser, samples, precision, recall, wrong } of found) {
      const told = Object.entries(wrong).map(([what, n]) => `${n} ${what}`)
      process.stdout.write(
        `${recogniser.padEnd(12)} ${String(samples).padStart(5)} samples  precision ${precision.toFixed(3)}  recall ${recall.toFixed(3)}  ${told.join(', ')}\n`,
      )
    }
}
