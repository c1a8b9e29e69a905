import { PRIVATE_STORAGE_CLASSES, STANDARD_STORAGE_CLASSES } from './storage-class-table.ts'

/** Root of everything the standard itself names. PS3.5 section 9. */
export const DICOM_ROOT = '1.2.840.10008.'

/** A storage SOP class and what it means for an archive. */
export interface StorageClass {
  readonly uid: string
  readonly name: string
  /** Coarse kind: image, sr, waveform, document, presentation ... */
  readonly family: string
  /** Finer than `family`: image, video, wsi, document, sr-dose, waveform, ko ... Equal to `family` for private classes. */
  readonly role: string
  /** undefined: look at the instance. */
  readonly hasPixelData: boolean | undefined
  readonly retired: boolean
  /** False: belongs to no patient (hanging protocol, palette ...). */
  readonly patientLevel: boolean
  /** Maker of a private class. */
  readonly vendor: string | undefined
}

/** SOP classes that code names; the whole list is in storage-class-table.ts. */
export const SOP_CLASS = {
  ctImage: '1.2.840.10008.5.1.4.1.1.2',
  secondaryCapture: '1.2.840.10008.5.1.4.1.1.7',
  secondaryCaptureSingleBit: '1.2.840.10008.5.1.4.1.1.7.1',
  secondaryCaptureGrayscaleByte: '1.2.840.10008.5.1.4.1.1.7.2',
  secondaryCaptureGrayscaleWord: '1.2.840.10008.5.1.4.1.1.7.3',
  secondaryCaptureTrueColor: '1.2.840.10008.5.1.4.1.1.7.4',
  twelveLeadEcg: '1.2.840.10008.5.1.4.1.1.9.1.1',
  generalEcg: '1.2.840.10008.5.1.4.1.1.9.1.2',
  ambulatoryEcg: '1.2.840.10008.5.1.4.1.1.9.1.3',
  general32BitEcg: '1.2.840.10008.5.1.4.1.1.9.1.4',
  wholeSlideMicroscopy: '1.2.840.10008.5.1.4.1.1.77.1.6',
  keyObjectSelection: '1.2.840.10008.5.1.4.1.1.88.59',
  xRayRadiationDose: '1.2.840.10008.5.1.4.1.1.88.67',
  enhancedXRayRadiationDose: '1.2.840.10008.5.1.4.1.1.88.76',
  encapsulatedPdf: '1.2.840.10008.5.1.4.1.1.104.1',
  encapsulatedCda: '1.2.840.10008.5.1.4.1.1.104.2',
  encapsulatedStl: '1.2.840.10008.5.1.4.1.1.104.3',
  encapsulatedObj: '1.2.840.10008.5.1.4.1.1.104.4',
  encapsulatedMtl: '1.2.840.10008.5.1.4.1.1.104.5',
  vlPhotographic: '1.2.840.10008.5.1.4.1.1.77.1.4',
  videoPhotographic: '1.2.840.10008.5.1.4.1.1.77.1.4.1',
  mediaDirectory: '1.2.840.10008.1.3.10',
} as const

let classes: Map<string, StorageClass> | undefined

function load(): Map<string, StorageClass> {
  if (classes !== undefined) return classes
  const made = new Map<string, StorageClass>()
  for (const line of STANDARD_STORAGE_CLASSES.split('\n')) {
    const [uid = '', name = '', family = '', role = '', pixels = '', flags = ''] = line.split('|')
    made.set(uid, {
      uid,
      name,
      family,
      role,
      hasPixelData: pixels === '?' ? undefined : pixels === 'pixels',
      retired: flags.includes('retired'),
      patientLevel: !flags.includes('no-patient'),
      vendor: undefined,
    })
  }
  for (const line of PRIVATE_STORAGE_CLASSES.split('\n')) {
    const [uid = '', name = '', family = '', vendor = ''] = line.split('|')
    made.set(uid, {
      uid,
      name,
      family,
      role: family,
      hasPixelData: undefined,
      retired: false,
      patientLevel: true,
      vendor,
    })
  }
  classes = made
  return made
}

/** @returns what is known of a storage SOP class; undefined for one that is in neither list */
export function storageClass(uid: string): StorageClass | undefined {
  return load().get(uid)
}

/** Every known storage class, standard ones first. */
export function storageClasses(): readonly StorageClass[] {
  return [...load().values()]
}

/** Name of a storage SOP class for a person; the UID itself when nobody named it. */
export function sopClassName(uid: string): string {
  return storageClass(uid)?.name ?? uid
}

/** True for a class whose UID was not given out by the standard. PS3.4 section B.1. */
export function isPrivateSopClass(uid: string): boolean {
  return !uid.startsWith(DICOM_ROOT)
}

/**
 * True for a UID under the root of storage classes that this edition does not know: a newer standard class, to be
 * treated by what it holds (Pixel Data, Content Sequence, Waveform Sequence, Encapsulated Document).
 */
export function isUnknownStandardStorageClass(uid: string): boolean {
  return uid.startsWith(`${DICOM_ROOT}5.1.4.1.1.`) && storageClass(uid) === undefined
}
