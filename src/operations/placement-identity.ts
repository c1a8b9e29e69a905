/** Whom and what a DICOM face is about: taken from an image of the study it joins, as that arrived. */
import { createHash } from 'node:crypto'
import type { StoredInstance } from '#model/archive-object.ts'
import type { Code, DocumentMetadata, StoredDocument } from '#model/document.ts'
import type { DocumentStatement } from '#model/document-desk.ts'
import { type JsonDataSet, valuesAt } from '#standards/dicom/json-path.ts'
import type { CodedConcept } from '#standards/dicom/wrap/attributes.ts'
import type { FaceIdentity, FacePatient, SourceInstance } from '#standards/dicom/wrap/identity.ts'

/** Series of faces stand behind those of modalities. */
const FACE_SERIES_NUMBER = 9100

/** First value at a path as text; null when there is none or it is blank. */
export function textAt(dataSet: JsonDataSet, path: string): string | null {
  const [value] = valuesAt(dataSet, path)
  return value === undefined || value.trim() === '' ? null : value.trim()
}

/**
 * The identity of the images of a study, for an object that joins them.
 * @param image data set of one of them as it arrived, so that the face is held to the same patient
 */
export function faceIdentityOf(
  document: StoredDocument,
  image: JsonDataSet,
  studyInstanceUID: string,
  seriesDescription: string,
): FaceIdentity {
  const at = (tag: string) => textAt(image, tag) ?? undefined
  const given = <T extends object>(values: T): { [key in keyof T]?: Exclude<T[key], undefined> } =>
    Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as never
  const sex = at('00100040')
  const made = dateAndTime(document.metadata.creationTime ?? document.metadata.serviceStart)
  return {
    patient: {
      name: at('00100010') ?? '',
      id: at('00100020') ?? '',
      ...given({ issuer: at('00100021'), birthDate: at('00100030') }),
      ...(sex === 'F' || sex === 'M' || sex === 'O' ? { sex } : {}),
    },
    study: {
      uid: studyInstanceUID,
      ...given({
        date: at('00080020'),
        time: at('00080030'),
        id: at('00200010'),
        accessionNumber: at('00080050'),
        referringPhysician: at('00080090'),
        description: at('00081030'),
        admissionId: at('00380010'),
      }),
    },
    series: { number: FACE_SERIES_NUMBER, description: seriesDescription },
    equipment: {
      manufacturer: 'Diptych',
      ...given({ institution: at('00080080'), department: document.metadata.department ?? undefined }),
    },
    sha256: document.sha256,
    instanceNumber: 1,
    ...given({ contentDate: made?.date, contentTime: made?.time }),
  }
}

/** The study of a face whose original belongs to none: always the same for the same document. */
export function studyUidOf({ sha256, uniqueId }: StoredDocument): string {
  const digest = createHash('sha256').update(`study of ${uniqueId} ${sha256}`).digest('hex').slice(0, 32)
  return `2.25.${BigInt(`0x${digest}`)}`
}

/** What an image would say of a patient where there is no image. */
export function aloneAs(owner: FacePatient | undefined): JsonDataSet {
  if (owner === undefined) return {}
  const text = (vr: string, value: string | undefined) => ({ vr, Value: value === undefined ? [] : [value] })
  return {
    '00100010': { vr: 'PN', Value: [{ Alphabetic: owner.name }] },
    '00100020': text('LO', owner.id),
    '00100021': text('LO', owner.issuer),
    '00100030': text('DA', owner.birthDate),
    '00100040': text('CS', owner.sex),
  }
}

/** Concept Name of a document where its type is in a scheme DICOM knows, and the image it belongs to. */
export function conceptOf(
  { metadata: { typeCode } }: StoredDocument,
  image: JsonDataSet,
): { readonly concept?: CodedConcept; readonly sourceInstances: readonly SourceInstance[] } {
  const scheme = typeCode === null ? undefined : SCHEMES[typeCode.system]
  const sopClassUid = textAt(image, '00080016')
  const sopInstanceUid = textAt(image, '00080018')
  const seriesInstanceUid = textAt(image, '0020000E')
  const known = sopClassUid !== null && sopInstanceUid !== null && seriesInstanceUid !== null
  return {
    ...(typeCode === null || scheme === undefined
      ? {}
      : { concept: { value: typeCode.code, scheme, meaning: typeCode.display || typeCode.code } }),
    sourceInstances: known ? [{ sopClassUid, sopInstanceUid, seriesInstanceUid }] : [],
  }
}

const SCHEMES: { readonly [system: string]: string } = {
  'http://loinc.org': 'LN',
  'http://snomed.info/sct': 'SCT',
  'http://dicom.nema.org/resources/ontology/DCM': 'DCM',
}

function dateAndTime(text: string | null): { date: string; time?: string } | null {
  const match = /^(\d{4})-(\d{2})-(\d{2})(?:T(\d{2}):(\d{2}):(\d{2}))?/.exec(text ?? '')
  if (match === null) return null
  const [, year, month, day, hour, minute, second] = match
  const date = `${year}${month}${day}`
  return hour === undefined ? { date } : { date, time: `${hour}${minute}${second}` }
}

const BODY_PARTS = 'http://dicom.nema.org/resources/ontology/DCM'

/** What a DICOM object says about the document in it. services.md G.1. */
export function statementOf(instance: StoredInstance, dataSet: JsonDataSet | undefined): DocumentStatement {
  const { studyInstanceUID } = instance
  const metadata: Partial<{ -readonly [field in keyof DocumentMetadata]: DocumentMetadata[field] }> = {
    references: [{ type: 'study', id: studyInstanceUID, issuer: '' }],
  }
  if (dataSet !== undefined) {
    const title = textAt(dataSet, '00420010') ?? textAt(dataSet, '0008103E') ?? textAt(dataSet, '00081030')
    if (title !== null) metadata.title = title
    const concept = codeAt(dataSet, '0040A043/0')
    if (concept !== null) metadata.typeCode = concept
    const department = textAt(dataSet, '00081040')
    if (department !== null) metadata.department = department
    const accession = textAt(dataSet, '00080050')
    if (accession !== null) {
      const issuer = textAt(dataSet, '00080051/0/00400031') ?? ''
      metadata.references = [...(metadata.references ?? []), { type: 'accession', id: accession, issuer }]
    }
    const modality = textAt(dataSet, '00080060')
    if (modality !== null) metadata.eventCodes = [{ code: modality, system: BODY_PARTS, display: modality }]
    const date = textAt(dataSet, '00080023') ?? textAt(dataSet, '00080020')
    if (date !== null && /^\d{8}$/.test(date)) {
      metadata.creationTime = `${date.slice(0, 4)}-${date.slice(4, 6)}-${date.slice(6, 8)}`
    }
  }
  return { studyInstanceUID, owner: { by: 'study', studyInstanceUID }, metadata }
}

const SYSTEMS: { readonly [scheme: string]: string } = {
  LN: 'http://loinc.org',
  SCT: 'http://snomed.info/sct',
  DCM: 'http://dicom.nema.org/resources/ontology/DCM',
}

function codeAt(dataSet: JsonDataSet, path: string): Code | null {
  const code = textAt(dataSet, `${path}/00080100`)
  const scheme = textAt(dataSet, `${path}/00080102`)
  if (code === null || scheme === null) return null
  return { code, system: SYSTEMS[scheme] ?? scheme, display: textAt(dataSet, `${path}/00080104`) ?? '' }
}
