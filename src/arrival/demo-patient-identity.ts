import { type Elements, namedUid } from './demo-patient-elements.ts'

/** Who and when a synthetic object is about. */
export interface DemoStudy {
  readonly patientName: string
  readonly patientId: string
  readonly issuer: string
  readonly birthDate: string
  readonly sex: 'F' | 'M' | 'O'
  /** YYYYMMDD and HHMMSS. */
  readonly date: string
  readonly time: string
  readonly accessionNumber: string
  readonly studyId: string
  readonly description: string
  /** Names the UIDs: the same name gives the same study. */
  readonly name: string
}

/** Made up. The name says so wherever it is shown. */
export const DEMO_PATIENT = {
  patientName: 'Diptych^Demo^^^=展示^患者=てんじ^かんじゃ',
  patientId: 'DEMO-0001',
  issuer: 'DIPTYCH-DEMO',
  birthDate: '19580412',
  sex: 'F',
} as const

export function studyUid(study: DemoStudy): string {
  return namedUid(`${study.name} study`)
}

/** Patient and General Study modules. PS3.3 C.7.1.1 and C.7.2.1. */
export function patientAndStudy(study: DemoStudy): Elements {
  return {
    SpecificCharacterSet: 'ISO_IR 192',
    TimezoneOffsetFromUTC: '+0000',
    PatientName: study.patientName,
    PatientID: study.patientId,
    IssuerOfPatientID: study.issuer,
    PatientBirthDate: study.birthDate,
    PatientSex: study.sex,
    StudyInstanceUID: studyUid(study),
    StudyDate: study.date,
    StudyTime: study.time,
    StudyID: study.studyId,
    AccessionNumber: study.accessionNumber,
    ReferringPhysicianName: 'Referrer^Rita',
    StudyDescription: study.description,
  }
}

/** General Series and Equipment modules, and the SOP Common identifiers of one instance. PS3.3 C.7.3.1, C.7.5.1. */
export function seriesAndInstance(
  study: DemoStudy,
  series: { name: string; number: number; modality: string; description: string },
  instance: { sopClass: string; number: number },
): Elements {
  return {
    SOPClassUID: instance.sopClass,
    SOPInstanceUID: namedUid(`${study.name} ${series.name} ${instance.number}`),
    SeriesInstanceUID: namedUid(`${study.name} ${series.name}`),
    Modality: series.modality,
    SeriesNumber: String(series.number),
    SeriesDescription: series.description,
    SeriesDate: study.date,
    SeriesTime: study.time,
    InstanceNumber: String(instance.number),
    InstanceCreationDate: study.date,
    InstanceCreationTime: study.time,
    ContentDate: study.date,
    ContentTime: study.time,
    Manufacturer: 'Diptych',
    ManufacturerModelName: 'Synthetic patient',
    DeviceSerialNumber: '0001',
    SoftwareVersions: '1',
    InstitutionName: 'Diptych Demonstration Hospital',
  }
}
