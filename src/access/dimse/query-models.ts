/** Information models of Query/Retrieve. PS3.4 sections C.3 and C.6. */
export type QueryLevel = 'PATIENT' | 'STUDY' | 'SERIES' | 'IMAGE'

export interface QueryModel {
  readonly sopClass: string
  readonly root: 'patient' | 'study'
  readonly operation: 'find' | 'move' | 'get'
  readonly levels: readonly QueryLevel[]
}

const PATIENT_LEVELS: readonly QueryLevel[] = ['PATIENT', 'STUDY', 'SERIES', 'IMAGE']
const STUDY_LEVELS: readonly QueryLevel[] = ['STUDY', 'SERIES', 'IMAGE']
const OPERATIONS = ['find', 'move', 'get'] as const

export const QUERY_CLASS = {
  patientFind: '1.2.840.10008.5.1.4.1.2.1.1',
  patientMove: '1.2.840.10008.5.1.4.1.2.1.2',
  patientGet: '1.2.840.10008.5.1.4.1.2.1.3',
  studyFind: '1.2.840.10008.5.1.4.1.2.2.1',
  studyMove: '1.2.840.10008.5.1.4.1.2.2.2',
  studyGet: '1.2.840.10008.5.1.4.1.2.2.3',
} as const

const models = new Map<string, QueryModel>()
for (const [root, arc, levels] of [
  ['patient', '1', PATIENT_LEVELS],
  ['study', '2', STUDY_LEVELS],
] as const) {
  OPERATIONS.forEach((operation, index) => {
    const sopClass = `1.2.840.10008.5.1.4.1.2.${arc}.${index + 1}`
    models.set(sopClass, { sopClass, root, operation, levels })
  })
}

/** The model of a Query/Retrieve SOP class that is served; undefined for any other. */
export function queryModel(sopClassUID: string): QueryModel | undefined {
  return models.get(sopClassUID)
}

/** Unique key of each level, from the top. PS3.4 tables C.6-1 to C.6-5. */
export const UNIQUE_KEY: Readonly<Record<QueryLevel, number>> = {
  PATIENT: 0x00100020,
  STUDY: 0x0020000d,
  SERIES: 0x0020000e,
  IMAGE: 0x00080018,
}

/** What SOP Class Extended Negotiation agreed on. PS3.4 tables C.5.1-1 and C.5.2-1. */
export interface Negotiated {
  readonly relational: boolean
  /** A range of dates and one of times are one range. */
  readonly combinedDateTime: boolean
  readonly fuzzyNames: boolean
  readonly emptyValues: boolean
  readonly multipleValues: boolean
}

/** Bytes of the FIND application information that are granted; the others are answered 0. */
const FIND_GRANTED = [1, 1, 1, 0, 0, 1, 1]
/** Relational retrieval; enhanced multi-frame conversion is not offered. */
const RETRIEVE_GRANTED = [1, 0]

/** The answer to SOP Class Extended Negotiation: as many bytes as were proposed and are known. */
export function answerExtended(sopClassUID: string, information: Uint8Array): Uint8Array | undefined {
  const model = models.get(sopClassUID)
  if (model === undefined) return undefined
  const granted = model.operation === 'find' ? FIND_GRANTED : RETRIEVE_GRANTED
  const length = Math.min(information.length, granted.length)
  return Uint8Array.from({ length }, (_, at) => (information[at] === 1 && granted[at] === 1 ? 1 : 0))
}

/** @param information as it was answered; undefined when nothing was negotiated */
export function negotiated(information: Uint8Array | undefined): Negotiated {
  const has = (at: number) => information?.[at] === 1
  return {
    relational: has(0),
    combinedDateTime: has(1),
    fuzzyNames: has(2),
    emptyValues: has(5),
    multipleValues: has(6),
  }
}
