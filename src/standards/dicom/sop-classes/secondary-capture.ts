import { type DataSet, number, sequence, string, strings } from '../data-set.ts'
import { SOP_CLASS } from '../uids.ts'
import { codeOf } from './content.ts'
import type { Fact, FamilyFinding, ObjectFamily, Summary } from './family.ts'

const ID = 'secondary-capture'

const TAG = {
  imageType: 0x00080008,
  sopClass: 0x00080016,
  modality: 0x00080060,
  conversionType: 0x00080064,
  manufacturer: 0x00080070,
  seriesDescription: 0x0008103e,
  deviceId: 0x00181010,
  deviceMaker: 0x00181016,
  captureDate: 0x00181012,
  contributingEquipment: 0x0018a001,
  pageNumberVector: 0x00182001,
  purposeOfReference: 0x0040a170,
  seriesNumber: 0x00200011,
  imageComments: 0x00204000,
  frames: 0x00280008,
  rows: 0x00280010,
  columns: 0x00280011,
  burnedIn: 0x00280301,
  windowCenter: 0x00281050,
  windowWidth: 0x00281051,
  documentClass: 0x0040e008,
} as const

const CLASSES: ReadonlySet<string> = new Set([
  SOP_CLASS.secondaryCapture,
  SOP_CLASS.secondaryCaptureSingleBit,
  SOP_CLASS.secondaryCaptureGrayscaleByte,
  SOP_CLASS.secondaryCaptureGrayscaleWord,
  SOP_CLASS.secondaryCaptureTrueColor,
])

/** Conversion Type (0008,0064). PS3.3 C.8.6.1. */
const CONVERSIONS: { readonly [term: string]: string } = {
  DV: 'Digitized video',
  DI: 'Digital interface',
  DF: 'Digitized film',
  WSD: 'Workstation',
  SD: 'Scanned document',
  SI: 'Scanned image',
  DRW: 'Drawing',
  SYN: 'Synthetic image',
}

/** Why a picture is taken for something else than a picture. */
export interface Suspicion {
  readonly of: 'dose-screen' | 'scanned-paper'
  /** Each sign is one reason; a strong one is enough by itself, weak ones count together. */
  readonly signs: readonly { readonly sign: string; readonly strong: boolean }[]
}

const DOSE_WORDS = /\bdose\s*(?:report|info|summary|record|page)|patient protocol|exposure|\bDLP\b|CTDI/i
const PAPER_WORDS =
  /scan(?:ned)?\b|consent|requisition|order form|waiver|referral|old report|\bletter\b|insurance|questionnaire/i
/** Longest text a word search looks at. */
const WORDS_MAX = 1024
/** Long side over short side of A4 and US letter paper, and how far off a scan of it may be. */
const PAPER_ASPECTS = [Math.SQRT2, 11 / 8.5]
const ASPECT_TOLERANCE = 0.03

/**
 * Signs that an image is a picture of the dose page of a CT scanner, by maker. A class is not asked for: one maker
 * stores its page as CT Image.
 */
function doseSigns(dataSet: DataSet): { sign: string; strong: boolean }[] {
  const signs: { sign: string; strong: boolean }[] = []
  const type = strings(dataSet, TAG.imageType).map((value) => value.toUpperCase())
  const series = number(dataSet, TAG.seriesNumber)
  const derived = type[0] === 'DERIVED' && type[1] === 'SECONDARY'
  if (derived && type[2] === 'SCREEN SAVE' && (series === 999 || series === 10999)) {
    signs.push({ sign: 'Image Type SCREEN SAVE in series 999', strong: true })
  }
  if (derived && type[3] === 'CT_SOM5 PROT' && (series === 501 || series === 503)) {
    signs.push({ sign: 'Image Type CT_SOM5 PROT in series 501', strong: true })
  }
  if (derived && number(dataSet, TAG.windowWidth) === 1 && number(dataSet, TAG.windowCenter) === 0) {
    signs.push({ sign: 'window of width 1 at 0', strong: true })
  }
  if (type.some((value) => value.includes('DOSE_INFO') || value.includes('DOSE REPORT'))) {
    signs.push({ sign: 'Image Type names a dose report', strong: true })
  }
  const words = `${string(dataSet, TAG.seriesDescription) ?? ''} ${string(dataSet, TAG.imageComments) ?? ''}`
  if (DOSE_WORDS.test(words.slice(0, WORDS_MAX))) signs.push({ sign: 'description speaks of dose', strong: false })
  if (derived && (series === 1000 || series === 9000)) signs.push({ sign: `series ${series}`, strong: false })
  return signs
}

function paperSigns(dataSet: DataSet): { sign: string; strong: boolean }[] {
  const signs: { sign: string; strong: boolean }[] = []
  if (string(dataSet, TAG.conversionType) === 'SD') signs.push({ sign: 'Conversion Type SD', strong: true })
  if (codeOf(dataSet, TAG.documentClass) !== undefined) signs.push({ sign: 'Document Class Code', strong: true })
  if (string(dataSet, TAG.sopClass) === SOP_CLASS.secondaryCaptureSingleBit) {
    signs.push({ sign: 'single bit pixels', strong: true })
  }
  if (dataSet.get(TAG.pageNumberVector) !== undefined) signs.push({ sign: 'Page Number Vector', strong: true })
  const equipment = sequence(dataSet, TAG.contributingEquipment)
  if (equipment.some((item) => codeOf(item, TAG.purposeOfReference)?.value === 'DOCD')) {
    signs.push({ sign: 'made by a document digitizer', strong: true })
  }
  const modality = string(dataSet, TAG.modality) ?? ''
  if (modality === 'DOC' || modality === 'SC') signs.push({ sign: `Modality ${modality}`, strong: false })
  const rows = number(dataSet, TAG.rows) ?? 0
  const columns = number(dataSet, TAG.columns) ?? 0
  const aspect = Math.max(rows, columns) / Math.max(1, Math.min(rows, columns))
  if (Math.max(rows, columns) >= 1000 && PAPER_ASPECTS.some((one) => Math.abs(aspect - one) < ASPECT_TOLERANCE)) {
    signs.push({ sign: 'shape of a sheet of paper', strong: false })
  }
  const words = (string(dataSet, TAG.seriesDescription) ?? '').slice(0, WORDS_MAX)
  if (PAPER_WORDS.test(words)) signs.push({ sign: 'description speaks of paper', strong: false })
  return signs
}

/**
 * What an image may really be. A suspicion needs one strong sign or two weak ones.
 *
 * @param dataSet of any image class
 */
export function suspicions(dataSet: DataSet): readonly Suspicion[] {
  const found: Suspicion[] = []
  for (const [of, signs] of [
    ['dose-screen', doseSigns(dataSet)],
    ['scanned-paper', paperSigns(dataSet)],
  ] as const) {
    if (signs.some(({ strong }) => strong) || signs.length >= 2) found.push({ of, signs })
  }
  return found
}

function finding(rule: string, severity: FamilyFinding['severity'], detail: string, tag: number): FamilyFinding {
  return { rule: `${ID}:${rule}`, severity, detail, tag: tag.toString(16).toUpperCase().padStart(8, '0') }
}

function isMultiFrameClass(dataSet: DataSet): boolean {
  const sopClass = string(dataSet, TAG.sopClass)
  return sopClass !== null && CLASSES.has(sopClass) && sopClass !== SOP_CLASS.secondaryCapture
}

function validate(dataSet: DataSet): FamilyFinding[] {
  const found: FamilyFinding[] = []
  const conversion = string(dataSet, TAG.conversionType)
  if (conversion === null) {
    found.push(finding('conversion-type', 'info', 'Conversion Type is missing', TAG.conversionType))
  } else if (!Object.hasOwn(CONVERSIONS, conversion)) {
    found.push(finding('conversion-type', 'info', `unknown Conversion Type ${conversion}`, TAG.conversionType))
  }
  if (isMultiFrameClass(dataSet) && string(dataSet, TAG.burnedIn) === null) {
    found.push(finding('burned-in-annotation', 'info', 'Burned In Annotation is missing', TAG.burnedIn))
  }
  if (!isMultiFrameClass(dataSet) && (number(dataSet, TAG.frames) ?? 1) > 1) {
    const detail = 'many frames in the class for one'
    found.push(finding('frames', 'warning', detail, TAG.frames))
  }
  for (const { of, signs } of suspicions(dataSet)) {
    const detail = `looks like a ${of.replace('-', ' ')}: ${signs.map(({ sign }) => sign).join('; ')}`
    found.push(finding(of, 'info', detail, TAG.imageType))
  }
  return found
}

function facts(dataSet: DataSet): Fact[] {
  const found: Fact[] = []
  const add = (name: string, value: string | number | null, path: string, more: Partial<Fact> = {}) => {
    if (value !== null && value !== '') found.push({ family: ID, name, value, path, ...more })
  }
  add('conversion-type', string(dataSet, TAG.conversionType), '00080064')
  add('capture-device', string(dataSet, TAG.deviceId), '00181010')
  add('capture-device-maker', string(dataSet, TAG.deviceMaker), '00181016')
  add('capture-date', string(dataSet, TAG.captureDate), '00181012')
  add('burned-in-annotation', string(dataSet, TAG.burnedIn), '00280301')
  const documentClass = codeOf(dataSet, TAG.documentClass)
  if (documentClass !== undefined) add('document-class', documentClass.meaning, '0040E008', { code: documentClass })
  for (const { of, signs } of suspicions(dataSet)) {
    const certain = signs.some(({ strong }) => strong)
    found.push({ family: ID, name: of, value: certain ? 'likely' : 'possible' })
  }
  return found
}

function summary(dataSet: DataSet): Summary {
  const conversion = string(dataSet, TAG.conversionType)
  const frames = number(dataSet, TAG.frames) ?? 1
  const size = `${number(dataSet, TAG.columns) ?? 0} x ${number(dataSet, TAG.rows) ?? 0}`
  const lines = [`${size}${frames > 1 ? `, ${frames} frames` : ''}`]
  if (conversion !== null)
    lines.push((Object.hasOwn(CONVERSIONS, conversion) ? CONVERSIONS[conversion] : undefined) ?? conversion)
  for (const { of } of suspicions(dataSet))
    lines.push(of === 'dose-screen' ? 'Picture of a dose page' : 'Scanned paper')
  return { title: string(dataSet, TAG.seriesDescription) ?? 'Secondary capture', lines }
}

/** Secondary Capture, single and multi-frame. PS3.3 A.8. */
export const secondaryCaptures: ObjectFamily = {
  id: ID,
  version: 1,
  recognise(sopClassUID, dataSet) {
    if (CLASSES.has(sopClassUID)) return true
    // One maker stores the picture of its dose page as CT Image.
    return sopClassUID === SOP_CLASS.ctImage && doseSigns(dataSet).some(({ strong }) => strong)
  },
  validate,
  facts,
  summary,
}
