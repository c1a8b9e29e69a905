import type { ByteSource } from '../../byte-source.ts'
import { type DocumentType, tellDocumentType } from '../../media/document-type.ts'
import { EXPLICIT_LITTLE_ENDIAN } from '../transfer-syntax.ts'
import { SOP_CLASS } from '../uids.ts'
import { type Attributes, type CodedConcept, codeSequence, shortened } from './attributes.ts'
import { ConversionError } from './conversion-error.ts'
import { derivedUid } from './derived-uid.ts'
import { type DicomFace, makeFace, VALUE_BYTES_MAX } from './face.ts'
import { commonInstanceReference, type FaceIdentity, type SourceInstance, sourceItems } from './identity.ts'

/** Conversion Type of a PDF. PS3.3 section C.8.6.1. */
export type ConversionType = 'WSD' | 'SD' | 'SI' | 'DF' | 'DRW' | 'SYN' | 'DV' | 'DI'

/** What is known of a document beside whom it is about. */
export interface DocumentDetails {
  readonly title: string
  /** Concept Name Code: LOINC for reports, CID 7061 for models. Absent: unknown, an empty sequence. */
  readonly concept?: CodedConcept
  /** Document Class Code Sequence. */
  readonly documentClass?: CodedConcept
  /** Whether the pages show who the patient is. A document does unless somebody made sure that it does not. */
  readonly burnedInAnnotation?: boolean
  /** VERIFIED only where somebody attested the document. */
  readonly verified?: boolean
  /** YYYYMMDDHHMMSS of what the document is about. */
  readonly acquisitionDateTime?: string
  readonly sources?: readonly SourceInstance[]
  /** Of PDF only; WSD when absent. */
  readonly conversionType?: ConversionType
  /** Of STL, OBJ and MTL. */
  readonly model?: ModelDetails
}

/** Manufacturing 3D Model module. PS3.3 section C.35.1. */
export interface ModelDetails {
  /** Unit of length, CID 7063. A model has no other scale: mm is common, and a guess. */
  readonly unit: 'um' | 'mm' | 'cm' | 'm'
  readonly modified?: boolean
  readonly mirrored?: boolean
  /** CID 7064. */
  readonly usage?: CodedConcept
  readonly groupUid?: string
  readonly description?: string
  /** Of the images the model was made from; absent: one of its own. */
  readonly frameOfReferenceUid?: string
}

interface Kind {
  readonly sopClassUid: string
  readonly face: string
  readonly modality: string
}

const KINDS: { readonly [type in 'pdf' | 'stl' | 'obj' | 'mtl']: Kind } = {
  pdf: { sopClassUid: SOP_CLASS.encapsulatedPdf, face: 'encapsulated-pdf', modality: 'DOC' },
  stl: { sopClassUid: SOP_CLASS.encapsulatedStl, face: 'encapsulated-stl', modality: 'M3D' },
  obj: { sopClassUid: SOP_CLASS.encapsulatedObj, face: 'encapsulated-obj', modality: 'M3D' },
  mtl: { sopClassUid: SOP_CLASS.encapsulatedMtl, face: 'encapsulated-mtl', modality: 'M3D' },
}

/** Says why documents of other standards stay what they are. "Is it an image or a document?" (2019), recommendation 2. */
const NEVER: { readonly [type in DocumentType['is']]?: string } = {
  cda: 'a CDA document is never wrapped in DICOM',
  fhir: 'a FHIR document is never wrapped in DICOM',
}

function kindOf(source: ByteSource): { type: keyof typeof KINDS; mediaType: string } {
  const told = tellDocumentType(source)
  if (told === null) throw new ConversionError('conversion.type', 'the bytes are of no known document type')
  const { is, mediaType } = told
  if (is === 'pdf' || is === 'stl' || is === 'obj' || is === 'mtl') return { type: is, mediaType }
  const reason = NEVER[is] ?? `DICOM has no object that encapsulates ${mediaType}`
  throw new ConversionError('conversion.type', reason)
}

/**
 * Wraps a PDF, STL, OBJ or MTL document, the whole of `source`, as an Encapsulated Document object. PS3.3 A.45.1 and
 * A.85. What it is, is told from its bytes; a CDA or FHIR document is refused whatever it is called. The bytes are
 * referenced, never changed: Encapsulated Document Length (0042,0015) says where they end before the padding.
 *
 * @param source stays open as long as the face is read
 * @throws ConversionError `conversion.type` for any other kind; `conversion.limit` above 4 GiB or when empty;
 *   `conversion.value`; `conversion.unsupported` for a model without its details
 */
export function wrapDocument(source: ByteSource, identity: FaceIdentity, details: DocumentDetails): DicomFace {
  const { type, mediaType } = kindOf(source)
  const kind = KINDS[type]
  if (source.size > VALUE_BYTES_MAX) throw new ConversionError('conversion.limit', 'longer than a value can be: 4 GiB')
  const model = type === 'pdf' ? {} : modelAttributes(type, identity, kind, details.model)
  return makeFace(identity, {
    sopClassUid: kind.sopClassUid,
    transferSyntaxUid: EXPLICIT_LITTLE_ENDIAN,
    modality: kind.modality,
    face: kind.face,
    attributes: () => ({
      ...documentAttributes(identity, details),
      ...(type === 'pdf' ? { ConversionType: details.conversionType ?? 'WSD' } : model),
      MIMETypeOfEncapsulatedDocument: mediaType,
      EncapsulatedDocument: {
        is: 'range',
        range: { source, offset: 0, length: source.size, bigEndian: false },
      },
      EncapsulatedDocumentLength: source.size,
    }),
  })
}

/** Encapsulated Document module without the document. PS3.3 section C.24.2. */
function documentAttributes({ study }: FaceIdentity, details: DocumentDetails): Attributes {
  const sources = details.sources ?? []
  return {
    AcquisitionDateTime: details.acquisitionDateTime ?? '',
    BurnedInAnnotation: details.burnedInAnnotation === false ? 'NO' : 'YES',
    DocumentTitle: shortened(details.title, 1024),
    ConceptNameCodeSequence: details.concept === undefined ? [] : codeSequence(details.concept),
    DocumentClassCodeSequence: details.documentClass === undefined ? undefined : codeSequence(details.documentClass),
    VerificationFlag: details.verified === undefined ? undefined : details.verified ? 'VERIFIED' : 'UNVERIFIED',
    SourceInstanceSequence: sources.length === 0 ? undefined : sourceItems(sources),
    ...(sources.length === 0 ? {} : commonInstanceReference(study.uid, sources)),
  }
}

const UNITS = { um: 'micrometer', mm: 'millimeter', cm: 'centimeter', m: 'meter' } as const

function modelAttributes(
  type: 'stl' | 'obj' | 'mtl',
  identity: FaceIdentity,
  { face }: Kind,
  model: ModelDetails | undefined,
): Attributes {
  if (model === undefined) throw new ConversionError('conversion.unsupported', 'a model needs its unit of length')
  const { equipment } = identity
  const flag = (value: boolean | undefined) => (value === undefined ? undefined : value ? 'YES' : 'NO')
  // Enhanced General Equipment: none of these may be missing or empty. PS3.3 section C.7.5.2.
  const said = (value: string | undefined) => (value === undefined || value === '' ? 'unknown' : shortened(value, 64))
  return {
    Manufacturer: said(equipment.manufacturer),
    ManufacturerModelName: said(equipment.model),
    DeviceSerialNumber: said(equipment.serialNumber),
    SoftwareVersions: said(equipment.softwareVersion),
    MeasurementUnitsCodeSequence: codeSequence({ value: model.unit, scheme: 'UCUM', meaning: UNITS[model.unit] }),
    ModelModification: flag(model.modified),
    ModelMirroring: flag(model.mirrored),
    ModelUsageCodeSequence: model.usage === undefined ? undefined : codeSequence(model.usage),
    ModelGroupUID: model.groupUid,
    ContentDescription: model.description === undefined ? undefined : shortened(model.description, 64),
    // A material library has no place in space. PS3.3 Table A.85.3-1.
    ...(type === 'mtl'
      ? {}
      : {
          FrameOfReferenceUID:
            model.frameOfReferenceUid ?? derivedUid(identity.study.uid, identity.sha256, face, 'frame-of-reference'),
          PositionReferenceIndicator: '',
        }),
  }
}
