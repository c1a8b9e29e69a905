/** The DICOM face of a native document: which there is, under which UIDs, and how it is made. docs/reference/faces.md. */
import { ArchiveError } from '#errors.ts'
import type { Code, DocumentKindWord, StoredDocument } from '#model/document.ts'
import type { ByteSource } from '#standards/byte-source.ts'
import { DicomError } from '#standards/dicom/errors.ts'
import type { JsonDataSet } from '#standards/dicom/json-path.ts'
import { wrapAecg } from '#standards/dicom/wrap/aecg-waveform.ts'
import type { CodedConcept } from '#standards/dicom/wrap/attributes.ts'
import { ConversionError } from '#standards/dicom/wrap/conversion-error.ts'
import { derivedUid } from '#standards/dicom/wrap/derived-uid.ts'
import { type DocumentDetails, type ModelDetails, wrapDocument } from '#standards/dicom/wrap/encapsulated-document.ts'
import type { DicomFace } from '#standards/dicom/wrap/face.ts'
import type { FaceIdentity, FacePatient } from '#standards/dicom/wrap/identity.ts'
import { type PhotographDetails, planPhotograph, wrapJpeg, wrapPixels } from '#standards/dicom/wrap/photograph.ts'
import { wrapVideo } from '#standards/dicom/wrap/video.ts'
import { DocumentError } from '#standards/document-error.ts'
import { DECODE_LIMITS, decodePicture } from '#standards/media/picture-decoder.ts'
import { aloneAs, conceptOf, faceIdentityOf, studyUidOf } from './placement-identity.ts'

/** Kinds that have a DICOM face, with the name of the face in its UIDs. CDA and FHIR documents have none, ever. */
export const FACE_KINDS: ReadonlyMap<DocumentKindWord, string> = new Map<DocumentKindWord, string>([
  ['pdf', 'encapsulated-pdf'],
  ['stl', 'encapsulated-stl'],
  ['obj', 'encapsulated-obj'],
  ['mtl', 'encapsulated-mtl'],
  ['jpeg', 'vl-photographic'],
  ['png', 'vl-photographic'],
  ['tiff', 'vl-photographic'],
  ['gif', 'vl-photographic'],
  ['mp4', 'video-photographic'],
  ['mpeg', 'video-photographic'],
  ['aecg', 'ecg-waveform'],
])

export interface FaceNames {
  readonly face: string
  readonly studyInstanceUid: string
  readonly seriesInstanceUid: string
  readonly sopInstanceUid: string
}

/**
 * The UIDs under which a document can be asked for as DICOM: always the same for the same study and bytes.
 * @param sha256 of the bytes that are wrapped: without a place they are others, and so is the object
 * @returns undefined for a kind that has no face
 */
export function faceNames(document: StoredDocument, sha256: string): FaceNames | undefined {
  const face = FACE_KINDS.get(document.kind)
  if (face === undefined) return undefined
  const studyInstanceUid = document.studyInstanceUID ?? studyUidOf(document)
  const uid = (purpose: 'series' | 'instance') => derivedUid(studyInstanceUid, sha256, face, purpose)
  return { face, studyInstanceUid, seriesInstanceUid: uid('series'), sopInstanceUid: uid('instance') }
}

/** Everything a face is told beside the bytes; plain data, so that it can be handed to a thread. */
export interface FaceOrder {
  readonly kind: DocumentKindWord
  readonly identity: FaceIdentity
  readonly document: DocumentDetails
  readonly scene: PhotographDetails
  /** The bytes may tell a place that nobody can take out: a picture is decoded, anything else refused. */
  readonly doubtful: boolean
}

/** What surrounds a document. */
export interface FaceSurroundings {
  /** Data set of an image of its study; undefined when there is none. */
  readonly sibling: JsonDataSet | undefined
  /** Who owns the document now; undefined while nobody does. */
  readonly person: FacePatient | undefined
  readonly modelUnit: ModelDetails['unit']
}

/** @throws ArchiveError 'document.incomplete' while nobody knows whose document it is */
export function faceOrder(
  document: StoredDocument,
  { sibling, person, modelUnit }: FaceSurroundings,
  sha256: string,
  doubtful: boolean,
): FaceOrder {
  if (sibling === undefined && person === undefined) {
    throw new ArchiveError(
      'document.incomplete',
      'nobody knows whose document this is: a DICOM object names its patient',
      {
        hint: 'Name its patient on the metadata worklist.',
      },
    )
  }
  const { metadata } = document
  const study = document.studyInstanceUID ?? studyUidOf(document)
  const around = sibling ?? aloneAs(person)
  const made = faceIdentityOf(document, around, study, FACE_SERIES[document.kind] ?? 'Documents')
  const { concept, sourceInstances } = conceptOf(document, around)
  const region = metadata.eventCodes.find(({ code, system }) => system === SNOMED && BODY_REGIONS.has(code))
  const side = metadata.eventCodes.find(({ code, system }) => system === SNOMED && LATERALITY[code] !== undefined)
  const device = metadata.authors.find((author) => author.device !== null)?.device
  const accession = metadata.references.find(({ type }) => type === 'accession')
  const encounter = metadata.references.find(({ type }) => type === 'encounter')
  return {
    kind: document.kind,
    doubtful,
    identity: {
      ...made,
      sha256,
      ...(person === undefined ? {} : { patient: person }),
      study: {
        ...made.study,
        ...(sibling === undefined && made.contentDate !== undefined ? { date: made.contentDate } : {}),
        ...(sibling === undefined && made.contentTime !== undefined ? { time: made.contentTime } : {}),
        ...(made.study.accessionNumber === undefined && fits(accession?.id) ? { accessionNumber: accession.id } : {}),
        ...(made.study.admissionId === undefined && fits(encounter?.id, 64) ? { admissionId: encounter.id } : {}),
      },
      equipment: { ...made.equipment, ...(device == null ? {} : { model: device }) },
    },
    document: {
      title: metadata.title ?? '',
      ...(concept === undefined ? {} : { concept }),
      sources: sourceInstances,
      model: { unit: modelUnit },
    },
    scene: {
      ...(region === undefined ? {} : { anatomicRegion: conceptOfCode(region) }),
      ...(side === undefined ? {} : { laterality: LATERALITY[side.code] as 'L' }),
      ...(metadata.comments === null ? {} : { comments: metadata.comments }),
    },
  }
}

const SNOMED = 'http://snomed.info/sct'
/** Regions of the value set that ships: of another SNOMED code it is not known whether it names a region. */
const BODY_REGIONS: ReadonlySet<string> = new Set([
  ...['818983003', '69536005', '45048000', '816094009', '53120007', '61685007', '421060004', '12921003', '76752008'],
  ...['80891009', '81745001', '39937001', '85562004', '56459004', '89545001'],
])
/** Laterality as a code and as DICOM has it: left, right, both. PS3.16 CID 244. */
export const LATERALITY: { readonly [code: string]: 'L' | 'R' | 'B' } = {
  '7771000': 'L',
  '24028007': 'R',
  '51440002': 'B',
}

const FACE_SERIES: { readonly [kind in DocumentKindWord]?: string } = {
  ...{ jpeg: 'Photographs', png: 'Photographs', tiff: 'Photographs', gif: 'Photographs' },
  ...{ mp4: 'Videos', mpeg: 'Videos', aecg: 'ECG waveform', stl: '3D models', obj: '3D models', mtl: '3D models' },
}

function conceptOfCode({ code, display }: Code): CodedConcept {
  return { value: code, scheme: 'SCT', meaning: display || code }
}

/** An identifier that DICOM can hold: never cut, left out instead. */
function fits(id: string | undefined, most = 16): id is string {
  return id !== undefined && id.length <= most && /^[\x20-\x5b\x5d-\x7e]+$/.test(id)
}

/**
 * Makes the face.
 * @param source the document as it leaves; stays open as long as the face is read
 * @throws ArchiveError 'document.no-face' with the reason, 'request.too-large', 'document.withheld'
 */
export async function makeFaceOf(source: ByteSource, order: FaceOrder): Promise<DicomFace> {
  try {
    return await made(source, order)
  } catch (error) {
    throw faceError(error)
  }
}

async function made(source: ByteSource, { kind, identity, document, scene, doubtful }: FaceOrder): Promise<DicomFace> {
  switch (FACE_KINDS.get(kind)) {
    case 'vl-photographic': {
      const asIs = kind === 'jpeg' && !doubtful && planPhotograph(source).how === 'as-is'
      // Pixels hold no place, whatever the metadata did.
      return asIs ? wrapJpeg(source, identity, scene) : wrapPixels(await decodePicture(source, LIMITS), identity, scene)
    }
    case 'video-photographic':
      if (doubtful) throw new ArchiveError('document.withheld', 'this film may tell where it was made')
      return wrapVideo(source, identity, scene)
    case 'ecg-waveform':
      if (source.size > AECG_BYTES_MAX) throw new ArchiveError('request.too-large', 'this annotated ECG is too long')
      return wrapAecg(Uint8Array.from(source.read(0, source.size)), identity)
    default:
      return wrapDocument(source, identity, document)
  }
}

const LIMITS = { ...DECODE_LIMITS, pixelsMax: 64_000_000 }
const AECG_BYTES_MAX = 64 * 1024 * 1024

/** What a conversion says, told to a caller. */
export function faceError(error: unknown): unknown {
  if (error instanceof ConversionError) {
    const code =
      error.code === 'conversion.limit'
        ? 'request.too-large'
        : error.code === 'conversion.value'
          ? 'document.invalid'
          : 'document.no-face'
    return new ArchiveError(code, error.reason, { cause: error })
  }
  if (error instanceof DocumentError) return new ArchiveError('document.no-face', error.message, { cause: error })
  if (error instanceof DicomError) return new ArchiveError(error.code, error.message, { cause: error })
  return error
}
