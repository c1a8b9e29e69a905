import { levelOf as attributeLevel } from '#index/attribute-levels.ts'
import { pathKey, standardSearchables } from '#index/searchable.ts'
import type { Match, PatientQuery, Query } from '#model/search.ts'
import { type DataSet, type Element, elementStrings, readableVr } from '#standards/dicom/data-set.ts'
import { levelOf, QUERY_LEVEL } from './identifier.ts'
import { howOf } from './identifier-match.ts'
import { type Negotiated, type QueryLevel, type QueryModel, UNIQUE_KEY } from './query-models.ts'
import { DimseRefusal, STATUS } from './refusal.ts'

/** A key of the request, which the answer has too. */
export interface AskedKey {
  readonly tag: number
  /** `GGGGEEEE`: how a search row names it. */
  readonly key: string
  readonly vr: string
  /** Keys within a sequence; none: whole items. */
  readonly items: readonly AskedKey[]
}

/** One range over date and time together. Texts of digits that compare as they stand. */
export interface CombinedRange {
  readonly from: string
  readonly to: string
}

/** A C-FIND request, understood. */
export interface FindPlan {
  readonly level: QueryLevel
  /** In ascending order; those that are not supported are left out. */
  readonly keys: readonly AskedKey[]
  /** Null at PATIENT level. */
  readonly query: Query | null
  readonly patients: PatientQuery | null
  /** True when an optional key was not supported for existence or matching. */
  readonly unsupported: boolean
  readonly charsets: readonly string[]
  readonly combined: CombinedRange | null
}

const LEVEL: Readonly<Record<Exclude<QueryLevel, 'PATIENT'>, Query['level']>> = {
  STUDY: 'study',
  SERIES: 'series',
  IMAGE: 'instance',
}
const DEPTH: Readonly<Record<Query['level'], number>> = { study: 0, series: 1, instance: 2 }

const CHARSET = 0x00080005
const RETRIEVE_AE_TITLE = 0x00080054
const AVAILABILITY = 0x00080056
/** What the answer holds of itself, whatever is asked: never matched. */
const OURS: ReadonlySet<number> = new Set([CHARSET, QUERY_LEVEL, RETRIEVE_AE_TITLE, AVAILABILITY])
/** Kept by nobody: media labels, URLs, counts and classes that are not worked out at these levels. */
const NOT_KEPT: ReadonlySet<number> = new Set([0x00080062, 0x00081190, 0x00880130, 0x00880140])
/** Counts at the level of the patient. */
const PATIENT_COUNTS: ReadonlySet<number> = new Set([0x00201200, 0x00201202, 0x00201204])
const PATIENT_KEYS: ReadonlySet<number> = new Set([
  0x00100010,
  0x00100020,
  0x00100021,
  0x00100030,
  0x00100040,
  ...PATIENT_COUNTS,
])
const STUDY_DATE = 0x00080020
const STUDY_TIME = 0x00080030
const KEYS_MAX = 256

function asked(tag: number, vr: string, items: readonly AskedKey[]): AskedKey {
  return { tag, key: pathKey([tag]), vr, items }
}

/**
 * Understands the identifier of a C-FIND request.
 * @throws DimseRefusal A900 for a level, a unique key or a value that the model does not allow
 */
export function planFind(dataSet: DataSet, model: QueryModel, agreed: Negotiated, limit: number): FindPlan {
  const level = levelOf(dataSet, model)
  const keys: AskedKey[] = []
  const matches: Match[] = []
  let unsupported = false
  if (dataSet.elements.size > KEYS_MAX) throw new DimseRefusal(STATUS.identifierMismatch, 'too many keys')
  for (const element of dataSet.elements.values()) {
    const { tag } = element
    if ((tag & 0xffff) === 0) continue
    if (OURS.has(tag)) continue
    if (!isSupported(tag, level)) {
      unsupported = true
      continue
    }
    keys.push(keyOf(dataSet, element, matches, agreed))
  }
  keys.sort((a, b) => a.tag - b.tag)
  if (!agreed.relational) requireUniqueKeys(matches, model, level)
  const combined = agreed.combinedDateTime ? combine(matches) : null
  const charsets = dataSet.charsets
  const common = { level, keys, charsets, combined }
  if (level === 'PATIENT') {
    const patients: PatientQuery = { match: matches, fuzzy: agreed.fuzzyNames, limit, after: null }
    return { ...common, query: null, patients, unsupported }
  }
  const table = standardSearchables()
  const known = (match: Match) => table.byKey.has(pathKey(match.path)) || match.path[0] === 0x00080061
  const usable = matches.filter(known)
  const query: Query = {
    level: LEVEL[level],
    scope: scopeOf(usable, LEVEL[level]),
    match: usable,
    include: keys.flatMap(pathsOf),
    fuzzy: agreed.fuzzyNames,
    order: null,
    limit,
    offset: 0,
    after: null,
  }
  return { ...common, query, patients: null, unsupported: unsupported || usable.length < matches.length }
}

function isSupported(tag: number, level: QueryLevel): boolean {
  if (level === 'PATIENT') return PATIENT_KEYS.has(tag)
  if (NOT_KEPT.has(tag) || PATIENT_COUNTS.has(tag)) return false
  return DEPTH[attributeLevel(tag)] <= DEPTH[LEVEL[level]]
}

function keyOf(
  dataSet: DataSet,
  element: Element,
  matches: Match[],
  agreed: Negotiated,
  path: number[] = [],
): AskedKey {
  const { tag, items } = element
  const here = [...path, tag]
  if (items !== undefined) {
    // Sequence matching: one item with the keys within. PS3.4 section C.2.2.2.6.
    if (items.length > 1) throw new DimseRefusal(STATUS.identifierMismatch, 'a sequence key has one item', [tag])
    const [item] = items
    const within =
      item === undefined ? [] : [...item.elements.values()].map((each) => keyOf(item, each, matches, agreed, here))
    return asked(
      tag,
      'SQ',
      within.sort((a, b) => a.tag - b.tag),
    )
  }
  const vr = readableVr(element)
  const how = howOf(tag, vr, elementStrings(dataSet, element), agreed)
  if (how.is !== 'universal') matches.push({ path: here, how })
  return asked(tag, vr, [])
}

function pathsOf(key: AskedKey): number[][] {
  return key.items.length === 0 ? [[key.tag]] : key.items.map((item) => [key.tag, item.tag])
}

/** Unique keys of the levels above have one value, unless relational queries were negotiated. PS3.4 C.4.1.2.1. */
function requireUniqueKeys(matches: readonly Match[], model: QueryModel, level: QueryLevel): void {
  for (const above of model.levels.slice(0, model.levels.indexOf(level))) {
    const tag = UNIQUE_KEY[above]
    const match = matches.find(({ path }) => path.length === 1 && path[0] === tag)
    if (match?.how.is === 'single') continue
    const comment = `${level} wants one value of ${pathKey([tag])}: not relational`
    throw new DimseRefusal(STATUS.identifierMismatch, comment, [tag])
  }
}

function singleValue(matches: readonly Match[], tag: number): string | undefined {
  const how = matches.find(({ path }) => path.length === 1 && path[0] === tag)?.how
  return how?.is === 'single' ? how.value : undefined
}

function scopeOf(matches: readonly Match[], level: Query['level']): Query['scope'] {
  if (level === 'study') return {}
  const studyInstanceUID = singleValue(matches, UNIQUE_KEY.STUDY)
  if (studyInstanceUID === undefined) return {}
  const seriesInstanceUID = level === 'instance' ? singleValue(matches, UNIQUE_KEY.SERIES) : undefined
  return seriesInstanceUID === undefined ? { studyInstanceUID } : { studyInstanceUID, seriesInstanceUID }
}

/** Takes a range of times out of the matches when dates have a range too: both together are one. PS3.4 C.2.2.2.5.1. */
function combine(matches: Match[]): CombinedRange | null {
  const of = (tag: number) => matches.findIndex(({ path }) => path.length === 1 && path[0] === tag)
  const dates = matches[of(STUDY_DATE)]?.how
  const timeAt = of(STUDY_TIME)
  const times = matches[timeAt]?.how
  if (dates?.is !== 'range' || times?.is !== 'range') return null
  matches.splice(timeAt, 1)
  return {
    from: dates.from === null ? '' : dates.from + (times.from ?? ''),
    to: dates.to === null ? '~' : `${dates.to}${times.to ?? ''}~`,
  }
}
