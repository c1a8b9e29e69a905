import { type Attributes, type CodedConcept, codeSequence, shortened } from './attributes.ts'

/** Whom an object is about. PS3.3 section C.7.1.1. */
export interface FacePatient {
  /** In the form of PN: `Family^Given`, component groups divided by `=`. */
  readonly name: string
  readonly id: string
  /** Issuer of Patient ID. */
  readonly issuer?: string
  /** YYYYMMDD; empty when unknown. */
  readonly birthDate?: string
  readonly sex?: 'F' | 'M' | 'O'
}

/** The study an object belongs to. PS3.3 section C.7.2.1. */
export interface FaceStudy {
  readonly uid: string
  /** YYYYMMDD and HHMMSS. */
  readonly date?: string
  readonly time?: string
  readonly id?: string
  readonly accessionNumber?: string
  readonly referringPhysician?: string
  readonly description?: string
  /** Admission ID: the encounter of a picture that has no order. */
  readonly admissionId?: string
}

/** The series an object is put into. PS3.3 sections C.7.3.1 and C.24.1. */
export interface FaceSeries {
  /** Absent: derived, a series of its own for each original. */
  readonly uid?: string
  readonly number: number
  /** Absent: what is usual for the kind of object (DOC, XC, ECG, M3D). */
  readonly modality?: string
  readonly description?: string
  readonly date?: string
  readonly time?: string
  readonly operator?: string
  readonly performingPhysician?: string
}

/** What made the original, as far as known, else who converts it. PS3.3 sections C.7.5.1 and C.7.5.2. */
export interface FaceEquipment {
  readonly manufacturer: string
  readonly model?: string
  readonly serialNumber?: string
  readonly softwareVersion?: string
  readonly institution?: string
  readonly department?: string
  readonly station?: string
}

/**
 * Everything a face is told about its original. Nothing is asked from a clock: the same identity and the same bytes
 * give the same object, byte for byte.
 */
export interface FaceIdentity {
  readonly patient: FacePatient
  readonly study: FaceStudy
  readonly series: FaceSeries
  readonly equipment: FaceEquipment
  /** SHA-256 of the original, 64 hexadecimal digits; names the UIDs. */
  readonly sha256: string
  readonly instanceNumber: number
  /** When the original was made: YYYYMMDD and HHMMSS. */
  readonly contentDate?: string
  readonly contentTime?: string
  /** `+0100`; says how every time here is meant. */
  readonly timezone?: string
  /** Absent: derived from study, digest and kind of face. */
  readonly sopInstanceUid?: string
}

/** An instance something was made from. PS3.3 Table 10-11 and section C.12.2. */
export interface SourceInstance {
  readonly sopClassUid: string
  readonly sopInstanceUid: string
  readonly seriesInstanceUid: string
  /** Absent: the study of the object itself. */
  readonly studyInstanceUid?: string
  /** Purpose of Reference, e.g. CID 7060 for models. */
  readonly purpose?: CodedConcept
}

/** Patient, General Study, series and equipment modules and SOP Common without its UIDs. */
export function identityAttributes(identity: FaceIdentity, seriesUid: string, modality: string): Attributes {
  const { patient, study, series, equipment } = identity
  return {
    SpecificCharacterSet: 'ISO_IR 192',
    TimezoneOffsetFromUTC: identity.timezone,
    PatientName: patient.name,
    PatientID: patient.id,
    IssuerOfPatientID: patient.issuer,
    PatientBirthDate: patient.birthDate ?? '',
    PatientSex: patient.sex ?? '',
    StudyInstanceUID: study.uid,
    StudyDate: study.date ?? '',
    StudyTime: study.time ?? '',
    StudyID: study.id ?? '',
    AccessionNumber: study.accessionNumber ?? '',
    ReferringPhysicianName: study.referringPhysician ?? '',
    StudyDescription: described(study.description),
    AdmissionID: study.admissionId,
    SeriesInstanceUID: seriesUid,
    SeriesNumber: String(series.number),
    Modality: series.modality ?? modality,
    SeriesDescription: described(series.description),
    SeriesDate: series.date,
    SeriesTime: series.time,
    OperatorsName: series.operator,
    PerformingPhysicianName: series.performingPhysician,
    Manufacturer: shortened(equipment.manufacturer, 64),
    ManufacturerModelName: described(equipment.model),
    DeviceSerialNumber: described(equipment.serialNumber),
    SoftwareVersions: described(equipment.softwareVersion),
    InstitutionName: described(equipment.institution),
    InstitutionalDepartmentName: described(equipment.department),
    StationName: equipment.station === undefined ? undefined : shortened(equipment.station, 16),
    InstanceNumber: String(identity.instanceNumber),
    ContentDate: identity.contentDate ?? '',
    ContentTime: identity.contentTime ?? '',
  }
}

function described(text: string | undefined): string | undefined {
  return text === undefined ? undefined : shortened(text, 64)
}

/** References to sources with their purposes: items of Source Instance Sequence or Source Image Sequence. */
export function sourceItems(sources: readonly SourceInstance[]): readonly Attributes[] {
  return sources.map(({ sopClassUid, sopInstanceUid, purpose }) => ({
    ReferencedSOPClassUID: sopClassUid,
    ReferencedSOPInstanceUID: sopInstanceUid,
    PurposeOfReferenceCodeSequence: purpose === undefined ? undefined : codeSequence(purpose),
  }))
}

/** Common Instance Reference module: where the sources are, by study and series. PS3.3 section C.12.2. */
export function commonInstanceReference(studyUid: string, sources: readonly SourceInstance[]): Attributes {
  const studies = new Map<string, Map<string, SourceInstance[]>>()
  for (const source of sources) {
    const study = source.studyInstanceUid ?? studyUid
    const series = studies.get(study) ?? new Map<string, SourceInstance[]>()
    series.set(source.seriesInstanceUid, [...(series.get(source.seriesInstanceUid) ?? []), source])
    studies.set(study, series)
  }
  const listed = (series: Map<string, SourceInstance[]>): readonly Attributes[] =>
    [...series].map(([uid, instances]) => ({
      SeriesInstanceUID: uid,
      ReferencedInstanceSequence: instances.map(({ sopClassUid, sopInstanceUid }) => ({
        ReferencedSOPClassUID: sopClassUid,
        ReferencedSOPInstanceUID: sopInstanceUid,
      })),
    }))
  const own = studies.get(studyUid)
  const others = [...studies].filter(([uid]) => uid !== studyUid)
  return {
    ReferencedSeriesSequence: own === undefined ? undefined : listed(own),
    StudiesContainingOtherReferencedInstancesSequence:
      others.length === 0
        ? undefined
        : others.map(([uid, series]) => ({ StudyInstanceUID: uid, ReferencedSeriesSequence: listed(series) })),
  }
}
