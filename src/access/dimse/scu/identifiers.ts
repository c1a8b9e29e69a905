import { ArchiveError } from '#errors.ts'
import { lookup, tagOf } from '#standards/dicom/dictionary.ts'
import { EXPLICIT_LE, IMPLICIT_LE } from '#standards/dicom/encoding.ts'
import { writeDicomJson } from '#standards/dicom/json.ts'
import { encodeStrings } from '#standards/dicom/overlay.ts'
import { joinPieces } from '#standards/dicom/pieces.ts'
import { encodeDataSet, type WriteDataSet } from '#standards/dicom/write.ts'
import { QUERY_LEVEL } from '../identifier.ts'
import { QUERY_CLASS, type QueryLevel } from '../query-models.ts'
import { EXPLICIT } from './connector.ts'

export type Root = 'patient' | 'study'

/** A key of a query: a tag, and what it must match; empty to have it returned. */
export interface Key {
  readonly tag: number
  readonly value: string
}

/** SOP class of a query or retrieval. */
export function queryClass(root: Root, operation: 'find' | 'move' | 'get'): string {
  if (operation === 'find') return root === 'patient' ? QUERY_CLASS.patientFind : QUERY_CLASS.studyFind
  if (operation === 'move') return root === 'patient' ? QUERY_CLASS.patientMove : QUERY_CLASS.studyMove
  return root === 'patient' ? QUERY_CLASS.patientGet : QUERY_CLASS.studyGet
}

/** What a display wants to know of each level, asked for when nobody says otherwise. PS3.4 tables C.6-1 to C.6-4. */
const USUAL: Readonly<Record<QueryLevel, readonly string[]>> = {
  PATIENT: ['PatientName', 'PatientID', 'IssuerOfPatientID', 'PatientBirthDate', 'PatientSex'],
  STUDY: [
    'StudyInstanceUID',
    'StudyDate',
    'StudyTime',
    'AccessionNumber',
    'PatientName',
    'PatientID',
    'PatientBirthDate',
    'PatientSex',
    'StudyID',
    'StudyDescription',
    'ModalitiesInStudy',
    'NumberOfStudyRelatedSeries',
    'NumberOfStudyRelatedInstances',
  ],
  SERIES: [
    'StudyInstanceUID',
    'SeriesInstanceUID',
    'Modality',
    'SeriesNumber',
    'SeriesDescription',
    'NumberOfSeriesRelatedInstances',
  ],
  IMAGE: ['StudyInstanceUID', 'SeriesInstanceUID', 'SOPInstanceUID', 'SOPClassUID', 'InstanceNumber'],
}

/** @throws ArchiveError 'request.malformed' for what is neither keyword nor tag */
export function parseKey(text: string): Key {
  const cut = text.indexOf('=')
  const name = cut < 0 ? text : text.slice(0, cut)
  const plain = name.replace(/[(),]/g, '')
  const tag = /^[0-9a-f]{8}$/i.test(plain) ? Number.parseInt(plain, 16) : tagOf(name)
  if (tag === undefined) throw new ArchiveError('request.malformed', `${name} is no attribute`)
  return { tag, value: cut < 0 ? '' : text.slice(cut + 1) }
}

/**
 * The identifier of a query: keys given, and the usual ones of its level empty. UTF-8 when a value needs it.
 * @throws ArchiveError 'request.malformed' for a value its VR cannot have
 */
export function encodeIdentifier(
  level: QueryLevel,
  keys: readonly Key[],
  transferSyntaxUID: string,
  usual = true,
): Uint8Array {
  const dataSet: WriteDataSet = new Map()
  const charsets = keys.every(({ value }) => Buffer.byteLength(value) === value.length) ? [] : ['ISO_IR 192']
  const put = (tag: number, vr: string, value: string) => {
    const bytes = value === '' ? new Uint8Array(0) : encodeStrings(vr, tag, value.split('\\'), charsets)
    if (bytes === undefined) throw new ArchiveError('request.malformed', `a value of ${vr} that cannot be sent`)
    dataSet.set(tag, { tag, vr, value: { is: 'bytes', bytes } })
  }
  if (charsets.length > 0) put(0x00080005, 'CS', 'ISO_IR 192')
  put(QUERY_LEVEL, 'CS', level)
  const known = usual ? USUAL[level].map((keyword) => ({ tag: tagOf(keyword) ?? 0, value: '' })) : []
  for (const { tag, value } of [...known, ...keys]) {
    const vr = lookup(tag)?.vr ?? 'UN'
    if (vr === 'SQ') dataSet.set(tag, { tag, vr, value: { is: 'items', items: [] } })
    else put(tag, vr, value)
  }
  return joinPieces(encodeDataSet(dataSet, transferSyntaxUID === EXPLICIT ? EXPLICIT_LE : IMPLICIT_LE))
}

/** Longest value of an answer that is shown, in bytes. */
const INLINE_MAX = 64 * 1024

/** An identifier of an answer as DICOM JSON. @throws DicomError for what is no data set */
export function identifierJson(bytes: Uint8Array, transferSyntaxUID: string): { readonly [tag: string]: unknown } {
  const source = { size: bytes.byteLength, read: (start: number, end: number) => bytes.subarray(start, end) }
  const encoding = transferSyntaxUID === EXPLICIT ? EXPLICIT_LE : IMPLICIT_LE
  const { json } = writeDicomJson({ dataSet: source, encoding }, { bulkDataUri: () => '', inlineMax: INLINE_MAX })
  return JSON.parse(Buffer.from(json).toString('utf8')) as { readonly [tag: string]: unknown }
}
