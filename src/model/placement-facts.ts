import type { DocumentKindWord } from './document.ts'

/** What rules look at of one DICOM instance: attributes as they arrived, decoded; null where absent or empty. */
export interface InstanceFacts {
  readonly objectId: string
  readonly sopInstanceUID: string
  readonly sopClassUID: string
  readonly transferSyntaxUID: string
  readonly seriesInstanceUID: string
  readonly seriesNumber: number | null
  /** Instances in its series. */
  readonly seriesInstances: number
  readonly modality: string | null
  readonly imageType: readonly string[]
  readonly conversionType: string | null
  readonly seriesDescription: string | null
  /** Series Description, Image Comments, Document Title, Protocol Name: where dose and report are written. */
  readonly texts: readonly string[]
  readonly manufacturer: string | null
  readonly model: string | null
  /** (0018,1016) and (0018,1018): what made the capture. */
  readonly scManufacturer: string | null
  readonly scModel: string | null
  readonly rows: number | null
  readonly columns: number | null
  readonly frames: number
  readonly samplesPerPixel: number | null
  readonly bitsAllocated: number | null
  readonly windowCenter: number | null
  readonly windowWidth: number | null
  readonly bodyPart: string | null
  readonly cineRate: number | null
  /** (0028,0009) Frame Increment Pointer as a tag. */
  readonly frameIncrementPointer: string | null
  readonly hasDocumentClassCode: boolean
  /** Purpose codes of Contributing Equipment, `value^scheme`. */
  readonly equipmentPurposes: readonly string[]
  /** (0042,0012) of encapsulated documents. */
  readonly documentMediaType: string | null
  /** Concept Name Code of a document or report, `value^scheme`. */
  readonly conceptName: string | null
  readonly department: string | null
  readonly originator: string | null
  /** The native document this is the DICOM face of: that one is judged, not this. */
  readonly faceOf: string | null
}

/** What rules look at of one native document. */
export interface DocumentFacts {
  readonly objectId: string
  readonly kind: DocumentKindWord
  readonly title: string | null
  readonly typeCode: string | null
  readonly department: string | null
  readonly originator: string | null
  readonly studyInstanceUID: string | null
  readonly accessionNumbers: readonly string[]
  readonly hasOrder: boolean
  /** Made by the archive as the other face of an instance: that one is judged, not this. */
  readonly faceOf: string | null
  readonly status: 'current' | 'superseded' | 'entered-in-error'
  readonly creationTime: string | null
  readonly authors: readonly string[]
  /** Key under which renditions of one report meet: its order, else accession number, with type and day. Null: none. */
  readonly reportKey: string | null
}

/** One imaging study with everything that belongs to it, or a document that belongs to none. */
export interface Situation {
  readonly studyInstanceUID: string | null
  readonly instances: readonly InstanceFacts[]
  readonly documents: readonly DocumentFacts[]
  /**
   * Instances of image classes that are neither captures nor documents, also those that are not listed one by one.
   * Waveforms and reports do not count.
   */
  readonly imageCount: number
}

const PREFIX = '1.2.840.10008.5.1.4.1.1.'
const CAPTURE = new Set(['7', '7.1', '7.2', '7.3', '7.4'].map((end) => PREFIX + end))
const DOSE = new Set(['88.67', '88.68', '88.73', '88.76'].map((end) => PREFIX + end))
const VIDEO_SYNTAX = /^1\.2\.840\.10008\.1\.2\.4\.10[0-8](\.1)?$/

export const CT_IMAGE = `${PREFIX}2`
export const ENCAPSULATED_PDF = `${PREFIX}104.1`
export const ENCAPSULATED_CDA = `${PREFIX}104.2`
export const SINGLE_BIT_CAPTURE = `${PREFIX}7.1`

export const isCapture = ({ sopClassUID }: Pick<InstanceFacts, 'sopClassUID'>): boolean => CAPTURE.has(sopClassUID)
export const isDoseReport = ({ sopClassUID }: Pick<InstanceFacts, 'sopClassUID'>): boolean => DOSE.has(sopClassUID)
/** 12-lead, general, ambulatory and 32-bit ECG. */
export const isEcgWaveform = ({ sopClassUID }: Pick<InstanceFacts, 'sopClassUID'>): boolean =>
  /^1\.2\.840\.10008\.5\.1\.4\.1\.1\.9\.1\.[1-4]$/.test(sopClassUID)
export const isEncapsulated = ({ sopClassUID }: Pick<InstanceFacts, 'sopClassUID'>): boolean =>
  sopClassUID.startsWith(`${PREFIX}104.`)
export const hasVideoSyntax = ({ transferSyntaxUID }: Pick<InstanceFacts, 'transferSyntaxUID'>): boolean =>
  VIDEO_SYNTAX.test(transferSyntaxUID)

/** Classes whose instances are looked at one by one; of all others the count is enough. */
export function isLookedAt(sopClassUID: string): boolean {
  const one = { sopClassUID }
  return (
    isCapture(one) ||
    isDoseReport(one) ||
    isEcgWaveform(one) ||
    isEncapsulated(one) ||
    sopClassUID.startsWith(`${PREFIX}88.`)
  )
}

/** True for a class whose instances are images of a study, so that a PDF beside them belongs to images. */
export function isImageClass(sopClassUID: string): boolean {
  if (!sopClassUID.startsWith(PREFIX) || isLookedAt(sopClassUID)) return false
  const end = sopClassUID.slice(PREFIX.length)
  // Presentation states, waveforms, raw data, registrations, real world values, plans, protocols: no images.
  return !/^(11\.|9\.|66(\.|$)|67$|68\.|78\.|79\.|80\.|81\.|82\.|88\.|104\.|200\.|481\.[3-9]|34\.)/.test(end)
}
