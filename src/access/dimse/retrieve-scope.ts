import { pathKey } from '#index/searchable.ts'
import type { ArchiveReader, Scope } from '#model/archive-index.ts'
import type { StoredInstance } from '#model/archive-object.ts'
import type { Match, Query } from '#model/search.ts'
import type { Visibility } from '#model/visibility.ts'
import { type DataSet, strings } from '#standards/dicom/data-set.ts'
import { levelOf } from './identifier.ts'
import { type QueryLevel, type QueryModel, UNIQUE_KEY } from './query-models.ts'
import { DimseRefusal, STATUS } from './refusal.ts'

/** What a C-GET or C-MOVE names: unique keys only. PS3.4 section C.4.2.1.4.1. */
export interface RetrieveRequest {
  readonly level: QueryLevel
  readonly patientIds: readonly string[]
  readonly studies: readonly string[]
  readonly series: readonly string[]
  readonly instances: readonly string[]
}

const UID_MAX = 64
const UIDS_MAX = 20_000
const PAGE = 500

/**
 * Reads the identifier of a retrieval.
 * @param relational keys of the levels above may be left out
 * @throws DimseRefusal A900
 */
export function readRetrieve(dataSet: DataSet, model: QueryModel, relational: boolean): RetrieveRequest {
  const level = levelOf(dataSet, model)
  const values = (of: QueryLevel): readonly string[] => {
    const found = strings(dataSet, UNIQUE_KEY[of]).filter((value) => value !== '')
    if (found.length > UIDS_MAX) throw refuse(of, `more than ${UIDS_MAX} values`)
    if (of !== 'PATIENT' && found.some((uid) => uid.length > UID_MAX || !/^[0-9.]+$/.test(uid))) {
      throw refuse(of, 'no wild cards, UIDs only')
    }
    return [...new Set(found)]
  }
  const request: RetrieveRequest = {
    level,
    patientIds: values('PATIENT'),
    studies: values('STUDY'),
    series: values('SERIES'),
    instances: values('IMAGE'),
  }
  const counts = {
    PATIENT: request.patientIds,
    STUDY: request.studies,
    SERIES: request.series,
    IMAGE: request.instances,
  }
  if (counts[level].length === 0) throw refuse(level, 'is needed at this level')
  if (level === 'PATIENT' && request.patientIds.length > 1) throw refuse(level, 'one value')
  if (relational) return request
  for (const above of model.levels.slice(0, model.levels.indexOf(level))) {
    if (counts[above].length !== 1) throw refuse(above, `one value: ${level} is not relational`)
  }
  return request
}

function refuse(level: QueryLevel, what: string): DimseRefusal {
  const tag = UNIQUE_KEY[level]
  return new DimseRefusal(STATUS.identifierMismatch, `(${pathKey([tag])}): ${what}`, [tag])
}

type Reads = Pick<ArchiveReader, 'search' | 'instance' | 'instances' | 'find'>

/** Instances a request names and the caller sees, in order. What is not there is no match, and no failure. */
export async function* instancesOf(
  request: RetrieveRequest,
  reader: Reads,
  visibility: Visibility,
): AsyncGenerator<StoredInstance, void, void> {
  const { level, patientIds, studies, series, instances } = request
  const [study] = studies
  const [serie] = series
  if (level === 'IMAGE') {
    const isOfPatient = ownedBy(patientIds, reader, visibility)
    const exactly = studies.length === 1 && series.length === 1
    for (const sopInstanceUID of instances) {
      const found =
        exactly && study !== undefined && serie !== undefined
          ? await reader.instance({ studyInstanceUID: study, seriesInstanceUID: serie, sopInstanceUID }, visibility)
          : await reader.find(sopInstanceUID, visibility)
      if (found !== undefined && isNamed(found, request) && (await isOfPatient(found.studyInstanceUID))) yield found
    }
    return
  }
  if (level === 'SERIES' && study !== undefined && studies.length === 1 && patientIds.length === 0) {
    for (const uid of series) yield* reader.instances({ studyInstanceUID: study, seriesInstanceUID: uid }, visibility)
    return
  }
  if (level === 'STUDY' && patientIds.length === 0) {
    for (const uid of studies) yield* reader.instances({ studyInstanceUID: uid }, visibility)
    return
  }
  for await (const scope of found(request, reader, visibility)) yield* reader.instances(scope, visibility)
}

function isNamed(found: StoredInstance, { studies, series, instances }: RetrieveRequest): boolean {
  const names = (uids: readonly string[], uid: string) => uids.length === 0 || uids.includes(uid)
  return (
    names(studies, found.studyInstanceUID) &&
    names(series, found.seriesInstanceUID) &&
    names(instances, found.sopInstanceUID)
  )
}

/**
 * Says of studies whether they are found under the Patient IDs of the identifier, each asked once: a UID that is right
 * under a patient that is not is no match. PS3.4 section C.4.2.2.1.
 */
function ownedBy(
  patientIds: readonly string[],
  reader: Reads,
  visibility: Visibility,
): (studyInstanceUID: string) => Promise<boolean> {
  const known = new Map<string, boolean>()
  return async (studyInstanceUID) => {
    if (patientIds.length === 0) return true
    const before = known.get(studyInstanceUID)
    if (before !== undefined) return before
    const match = [matching(UNIQUE_KEY.PATIENT, patientIds)]
    const query = { ...SEARCH, level: 'study', scope: { studyInstanceUID }, match, limit: 1 } as const
    const { rows } = await reader.search(query, visibility)
    const is = rows.length > 0
    known.set(studyInstanceUID, is)
    return is
  }
}

/** @param values at least one */
function matching(tag: number, values: readonly string[]): Match {
  const [only = ''] = values
  return { path: [tag], how: values.length === 1 ? { is: 'single', value: only } : { is: 'list', values } }
}

const SEARCH = { include: [], fuzzy: false, order: null, limit: PAGE, offset: 0, after: null } as const

/** Studies or series by search: a patient's, or those whose parents were not named. */
async function* found(
  { level, patientIds, studies, series }: RetrieveRequest,
  reader: Reads,
  visibility: Visibility,
): AsyncGenerator<Scope, void, void> {
  const match: Match[] = []
  if (patientIds.length > 0) match.push(matching(UNIQUE_KEY.PATIENT, patientIds))
  if (studies.length > 0) match.push(matching(UNIQUE_KEY.STUDY, studies))
  if (level === 'SERIES') match.push(matching(UNIQUE_KEY.SERIES, series))
  const query: Query = { ...SEARCH, level: level === 'SERIES' ? 'series' : 'study', scope: {}, match }
  for (let after: string | null = null; ; ) {
    const page: Awaited<ReturnType<Reads['search']>> = await reader.search({ ...query, after }, visibility)
    for (const { studyInstanceUID, seriesInstanceUID } of page.rows) {
      yield seriesInstanceUID === null ? { studyInstanceUID } : { studyInstanceUID, seriesInstanceUID }
    }
    if (page.next === null) return
    after = page.next
  }
}

/** What a retrieval will send: how many, in which classes and transfer syntaxes. */
export interface Survey {
  readonly count: number
  /** SOP class to transfer syntaxes stored. */
  readonly classes: ReadonlyMap<string, ReadonlySet<string>>
  readonly studies: ReadonlyMap<string, number>
  instances(): AsyncIterable<StoredInstance> | Iterable<StoredInstance>
}

/** Up to this many instances are kept between counting and sending; more are read again. */
const KEPT_MAX = 2000

/** Counts what a request names. Memory does not grow with it. */
export async function survey(request: RetrieveRequest, reader: Reads, visibility: Visibility): Promise<Survey> {
  const classes = new Map<string, Set<string>>()
  const studies = new Map<string, number>()
  let kept: StoredInstance[] | null = []
  let count = 0
  for await (const instance of instancesOf(request, reader, visibility)) {
    count++
    const syntaxes = classes.get(instance.sopClassUID)
    if (syntaxes === undefined) classes.set(instance.sopClassUID, new Set([instance.transferSyntaxUID]))
    else syntaxes.add(instance.transferSyntaxUID)
    studies.set(instance.studyInstanceUID, (studies.get(instance.studyInstanceUID) ?? 0) + 1)
    if (kept !== null && kept.length >= KEPT_MAX) kept = null
    kept?.push({ ...instance, frames: null })
  }
  const few = kept
  return { count, classes, studies, instances: () => few ?? instancesOf(request, reader, visibility) }
}
