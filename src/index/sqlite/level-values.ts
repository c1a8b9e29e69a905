import type { AttributeValues } from '#model/archive-object.ts'
import { nameGroups, nameKeys } from '../fold.ts'
import { type Level, PATIENT_NAME_ID, type Searchable, type SearchableTable } from '../searchable.ts'
import type { Database } from './database.ts'

/** Values of the declared attributes of one level, by key. Values that are empty are absent. */
export type LevelValues = Map<string, readonly string[]>

/** Longest value kept in the index, in characters; metadata has the whole. */
const VALUE_MAX = 1024
const VALUES_MAX = 64

/** Dates and times of ACR-NEMA had separators. PS3.5 section 6.2 notes. */
function tidy(searchable: Searchable, value: string): string {
  const trimmed = value.trim().slice(0, VALUE_MAX)
  if (searchable.kind === 'date') return trimmed.replaceAll('.', '').replaceAll('-', '')
  if (searchable.kind === 'time') return trimmed.replaceAll(':', '')
  return trimmed
}

function valuesOf(searchable: Searchable, attributes: AttributeValues): readonly string[] | undefined {
  const raw = attributes[searchable.key]
  if (raw === undefined || raw.length === 0) return undefined
  if (raw.length === 1 && searchable.kind === 'text') {
    const only = raw[0]?.trim() ?? ''
    return only === '' ? undefined : [only.length > VALUE_MAX ? only.slice(0, VALUE_MAX) : only]
  }
  const tidied = raw.slice(0, VALUES_MAX).map((value) => tidy(searchable, value))
  return tidied.some((value) => value !== '') ? tidied : undefined
}

export function readLevel(table: SearchableTable, level: Level, attributes: AttributeValues): LevelValues {
  const values: LevelValues = new Map()
  for (const searchable of table.levels[level]) {
    const found = valuesOf(searchable, attributes)
    if (found !== undefined) values.set(searchable.key, found)
  }
  return values
}

/**
 * First instance wins; what it left empty is filled by later ones.
 * @returns attributes that were filled now
 */
export function fillLevel(
  table: SearchableTable,
  level: Level,
  values: LevelValues,
  attributes: AttributeValues,
): Searchable[] {
  const filled: Searchable[] = []
  for (const searchable of table.levels[level]) {
    if (values.has(searchable.key)) continue
    const found = valuesOf(searchable, attributes)
    if (found === undefined) continue
    values.set(searchable.key, found)
    filled.push(searchable)
  }
  return filled
}

/** Value of a text column. Several values are joined as in a data set. */
export function textOf(values: LevelValues, key: string): string {
  return values.get(key)?.join('\\') ?? ''
}

/** Value of a number column; null when it is absent or no whole number. */
export function numberOf(values: LevelValues, key: string): number | null {
  const text = values.get(key)?.[0]
  if (text === undefined || !/^[+-]?\d{1,15}$/.test(text)) return null
  return Number(text)
}

/** JSON of the values that have no column; null when there are none. */
export function extraOf(table: SearchableTable, level: Level, values: LevelValues): string | null {
  let extra: Record<string, readonly string[]> | null = null
  for (const { key, column } of table.levels[level]) {
    if (column !== null) continue
    const found = values.get(key)
    if (found === undefined) continue
    extra ??= {}
    extra[key] = found
  }
  return extra === null ? null : JSON.stringify(extra)
}

/** Values back from a row: columns and `extra`. */
export function levelFromRow(
  table: SearchableTable,
  level: Level,
  row: Readonly<Record<string, unknown>>,
): LevelValues {
  const values: LevelValues = new Map()
  const extra: unknown = typeof row['extra'] === 'string' ? JSON.parse(row['extra']) : {}
  for (const { key, column } of table.levels[level]) {
    if (column === null) {
      const found = (extra as Record<string, string[]>)[key]
      if (found !== undefined) values.set(key, found)
    } else {
      const value = row[column]
      if (typeof value === 'string' && value !== '') values.set(key, value.split('\\'))
      else if (typeof value === 'number') values.set(key, [String(value)])
    }
  }
  return values
}

function otherScripts(name: string): string[] {
  const { ideographic, phonetic } = nameKeys(name)
  return [...new Set([ideographic, phonetic])].filter((group) => group !== '')
}

/** Texts under which the lookup table finds a value. */
export function lookupTexts(searchable: Searchable, found: readonly string[]): string[] {
  if (searchable.id === PATIENT_NAME_ID) return found.flatMap(otherScripts)
  const texts = searchable.kind === 'name' ? found.flatMap(nameGroups) : found.filter((value) => value !== '')
  return [...new Set(texts)]
}

const INSERT_LOOKUP = 'insert or ignore into lookup (attribute, value, ref) values (?, ?, ?)'
const DELETE_LOOKUP = 'delete from lookup where attribute = ? and value = ? and ref = ?'

export function addLookups(db: Database, searchables: readonly Searchable[], values: LevelValues, ref: number): void {
  for (const searchable of searchables) {
    if (!searchable.lookup) continue
    const found = values.get(searchable.key)
    if (found === undefined) continue
    for (const text of lookupTexts(searchable, found)) db.run(INSERT_LOOKUP, searchable.id, text, ref)
  }
}

export function removeLookups(
  db: Database,
  searchables: readonly Searchable[],
  values: LevelValues,
  ref: number,
): void {
  for (const searchable of searchables) {
    if (!searchable.lookup) continue
    const found = values.get(searchable.key)
    if (found === undefined) continue
    for (const text of lookupTexts(searchable, found)) db.run(DELETE_LOOKUP, searchable.id, text, ref)
  }
}

/** Lookup number of Modalities in Study, which is computed and not declared. */
export const MODALITIES_LOOKUP = 30

export function addModality(db: Database, modality: string, study: number): void {
  if (modality !== '') db.run(INSERT_LOOKUP, MODALITIES_LOOKUP, modality, study)
}

export function removeModality(db: Database, modality: string, study: number): void {
  db.run(DELETE_LOOKUP, MODALITIES_LOOKUP, modality, study)
}
