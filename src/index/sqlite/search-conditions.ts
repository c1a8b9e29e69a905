import type { Match, Query } from '#model/search.ts'
import { fold, nameKeys, nameWords } from '../fold.ts'
import { modalityBit } from '../modalities.ts'
import { type Level, PATIENT_NAME_ID, pathKey, type Searchable, type SearchableTable } from '../searchable.ts'
import type { Database } from './database.ts'
import { MODALITIES_LOOKUP } from './level-values.ts'
import { compare, LAST_DATE, seek, startsWith } from './search-match.ts'
import { FEW_COVERED, FEW_ROWS, keysSource, type Source, trigramSource } from './search-source.ts'
import type { Texts } from './texts.ts'
import type { Condition } from './visible.ts'

export interface Compiled {
  readonly where: readonly Condition[]
  readonly sources: readonly Source[]
  readonly warnings: readonly string[]
  /** Keys of attributes that were matched: they are returned. */
  readonly keys: readonly string[]
  /** Conditions that bound a walk by study date, and one by name. */
  readonly bounds: { readonly date: readonly Condition[]; readonly name: readonly Condition[] }
  /** Every filter can be decided inside the wide indexes on study. */
  readonly covered: boolean
  /** The only filter is a range of study dates, or none. */
  readonly dates: { readonly from: string; readonly to: string } | null
}

const ALIAS: Readonly<Record<Level, string>> = { study: 's', series: 'r', instance: 'i' }
const DEPTH: Readonly<Record<Level, number>> = { study: 0, series: 1, instance: 2 }

/** Turns the matches of a query into conditions and the sources they offer. */
export function createCompiler(
  db: Database,
  texts: Texts,
  table: SearchableTable,
): (query: Query, level: Level) => Compiled {
  /** Every script of a patient's name. PS3.5 section 6.2.1.1: each group is matched by itself. */
  function patientName(how: Match['how'], fuzzy: boolean): { where: Condition; sources: Source[] } {
    if (how.is === 'empty') return { where: { sql: "s.name = ''", params: [] }, sources: [] }
    const text = how.is === 'single' ? how.value : how.is === 'wildcard' ? how.pattern : ''
    if (fuzzy) return fuzzyName(text)
    if (text.includes('=')) return nameByGroup(text)
    const folded = foldName(text)
    const wild = /[*?]/.test(folded)
    const asked: Match['how'] = wild ? { is: 'wildcard', pattern: folded } : { is: 'single', value: folded }
    const sought = seek('s.name_key', asked)
    const own = sought ?? compare('s.name_key', asked, 'text')
    const other = otherScripts(asked)
    const sources: Source[] = []
    if (other === undefined) {
      if (sought !== undefined) {
        sources.push({
          level: 'study',
          is: 'index',
          sql: 'study_name',
          where: sought,
          kind: wild ? 'some' : 'ordered',
          fewMax: FEW_COVERED,
        })
      } else {
        const found = trigramSource('name', folded, FEW_COVERED)
        if (found !== undefined) sources.push(found)
      }
      return { where: own, sources }
    }
    const plain = sought === undefined ? undefined : { ...sought, sql: sought.sql.replaceAll('s.name_key', 'name_key') }
    if (plain !== undefined) {
      const union = `select key from study indexed by study_name where ${plain.sql} union ${other.sql}`
      sources.push(keysSource('study', union, [...plain.params, ...other.params], FEW_COVERED))
    }
    return {
      where: { sql: `${own.sql} or s.key in (${other.sql})`, params: [...own.params, ...other.params] },
      sources,
    }
  }

  /** Studies whose ideographic or phonetic name matches; undefined when there is none, which is the common case. */
  function otherScripts(how: Match['how']): Condition | undefined {
    const found = seek('value', how) ?? compare('value', how, 'text')
    const sql = `select ref as key from lookup where attribute = ${PATIENT_NAME_ID} and ${found.sql}`
    return db.get(`${sql} limit 1`, ...found.params) === undefined ? undefined : { sql, params: found.params }
  }

  function nameByGroup(text: string): { where: Condition; sources: Source[] } {
    const groups = nameKeys(text)
    const conditions: Condition[] = []
    const sources: Source[] = []
    const asHow = (value: string): Match['how'] =>
      /[*?]/.test(value) ? { is: 'wildcard', pattern: value } : { is: 'single', value }
    if (groups.alphabetic !== '' && groups.alphabetic !== '*') {
      const how = asHow(groups.alphabetic)
      const sought = seek('s.name_key', how)
      conditions.push(sought ?? compare('s.name_key', how, 'text'))
      if (sought !== undefined) {
        const where = { ...sought, sql: sought.sql }
        sources.push({ level: 'study', is: 'index', sql: 'study_name', where, kind: 'some', fewMax: FEW_COVERED })
      }
    }
    for (const group of [groups.ideographic, groups.phonetic]) {
      if (group === '' || group === '*') continue
      const found = seek('value', asHow(group)) ?? compare('value', asHow(group), 'text')
      const sql = `select ref as key from lookup where attribute = ${PATIENT_NAME_ID} and ${found.sql}`
      conditions.push({ sql: `s.key in (${sql})`, params: found.params })
      sources.push(keysSource('study', `select distinct key from (${sql})`, found.params))
    }
    if (conditions.length === 0) return { where: { sql: '1', params: [] }, sources: [] }
    return { where: joined(conditions), sources }
  }

  /** Every word asked for begins a word of the name, in any order and script. PS3.18 section 8.3.4.2. */
  function fuzzyName(text: string): { where: Condition; sources: Source[] } {
    const words = nameWords(text.replace(/[*?]/g, ' ')).slice(0, 8)
    if (words.length === 0) return { where: { sql: '1', params: [] }, sources: [] }
    const sources: Source[] = []
    const together = trigramSource('name', words.join('*'), FEW_COVERED)
    if (together !== undefined) sources.push(together)
    const anyOther = db.get(`select 1 from lookup where attribute = ${PATIENT_NAME_ID} limit 1`) !== undefined
    const conditions = words.map((word): Condition => {
      const range = startsWith('word', word)
      const keys = `select study as key from study_word where ${range.sql}`
      sources.push(keysSource('study', `select distinct key from (${keys})`, range.params, FEW_COVERED))
      const glob = word.replace(/\[/g, '[[]')
      const own = 's.name_key glob ? or s.name_key glob ?'
      const params = [`${glob}*`, `*[-^ ,.'’]${glob}*`]
      if (!anyOther) return { sql: own, params }
      return { sql: `${own} or s.key in (${keys})`, params: [...params, ...range.params] }
    })
    return { where: joined(conditions), sources }
  }

  function modalities(how: Match['how']): { where: Condition; sources: Source[] } {
    if (how.is === 'empty') return { where: { sql: 's.mods = 0', params: [] }, sources: [] }
    const values = how.is === 'single' ? [how.value] : how.is === 'list' ? how.values : undefined
    const bits = values?.map(modalityBit)
    const found =
      values === undefined ? compare('value', how, 'text') : compare('value', { is: 'list', values }, 'text')
    const keys = `select ref as key from lookup where attribute = ${MODALITIES_LOOKUP} and ${found.sql}`
    const source = keysSource('study', `select distinct key from (${keys})`, found.params, FEW_COVERED)
    if (bits?.every((bit) => bit !== undefined)) {
      const mask = [...new Set(bits)].reduce((sum, bit) => sum + bit, 0)
      return { where: { sql: '(s.mods & ?) <> 0', params: [mask] }, sources: [source] }
    }
    return { where: { sql: `s.key in (${keys})`, params: found.params }, sources: [source] }
  }

  /** A declared attribute; sources are offered where an index makes them cheap. */
  function declared(attribute: Searchable, how: Match['how'], fuzzy: boolean): { where: Condition; sources: Source[] } {
    if (attribute.id === PATIENT_NAME_ID) return patientName(how, fuzzy)
    if (attribute.kind === 'name') return lookupName(attribute, how, fuzzy)
    if (attribute.key === '00080016') return sopClass(how)
    if (attribute.key === '00100021') return issuer(attribute, how)
    if (FORMER.has(attribute.key)) return withFormer(attribute, how)
    return plainly(attribute, how)
  }

  function plainly(attribute: Searchable, how: Match['how']): { where: Condition; sources: Source[] } {
    const alias = ALIAS[attribute.level]
    const { level, column } = attribute
    const sources: Source[] = []
    const index = INDEXED[attribute.key]
    if (column !== null && index !== undefined) {
      const sought = seek(`${alias}.${column}`, how)
      if (sought !== undefined) {
        // Partial indexes leave out empty values; what is sought never is one.
        const where = index.partial ? { ...sought, sql: `${sought.sql} and ${alias}.${column} <> ''` } : sought
        const kind =
          attribute.kind === 'uid' && how.is !== 'wildcard' ? 'unique' : how.is === 'single' ? 'ordered' : 'some'
        sources.push({ level, is: 'index', sql: index.name, where, kind, fewMax: FEW_COVERED })
      }
    }
    if (attribute.key === '00080018' && (how.is === 'single' || how.is === 'list')) {
      const values = how.is === 'single' ? [how.value] : how.values
      const sql =
        'select instance as key from object where uid in (select value from json_each(?)) and state = 0 and instance is not null'
      sources.push({ ...keysSource(level, sql, [JSON.stringify(values)]), kind: 'unique' })
    }
    if (attribute.lookup) {
      const found = seek('value', how)
      if (found !== undefined) {
        const sql = `select distinct ref as key from lookup where attribute = ${attribute.id} and ${found.sql}`
        sources.push(keysSource(level, sql, found.params))
      }
    }
    if (attribute.trigram !== null && how.is === 'wildcard' && /^[*?]/.test(how.pattern)) {
      const found = trigramSource(attribute.trigram, how.pattern, FEW_ROWS)
      if (found !== undefined) sources.push(found)
    }
    if (column !== null) return { where: compare(`${alias}.${column}`, how, attribute.kind), sources }
    return { where: inExtra(alias, attribute, how), sources }
  }

  /**
   * A number a study once had finds it too: what the lookup table holds of such an attribute are former values. Mostly
   * there are none, and then it is a search like any other.
   */
  function withFormer(attribute: Searchable, how: Match['how']): { where: Condition; sources: Source[] } {
    const now = plainly(attribute, how)
    if (how.is === 'empty' || how.is === 'universal') return now
    const found = seek('value', how) ?? compare('value', how, 'text')
    const sql = `select ref as key from lookup where attribute = ${attribute.id} and ${found.sql}`
    if (db.get(`${sql} limit 1`, ...found.params) === undefined) return now
    const where = {
      sql: `(${now.where.sql}) or s.key in (${sql})`,
      params: [...now.where.params, ...found.params],
    }
    const [index] = now.sources.filter((source) => source.is === 'index')
    // Trigrams hold former values as well; an index on the column does not.
    if (index === undefined) return { where, sources: now.sources }
    const column = index.where.sql.replaceAll('s.', '')
    const union = `select key from study indexed by ${index.sql} where ${column} union ${sql}`
    return { where, sources: [keysSource('study', union, [...index.where.params, ...found.params], FEW_COVERED)] }
  }

  function inExtra(alias: string, attribute: Searchable, how: Match['how']): Condition {
    const path = `'$."${attribute.key}"'`
    if (how.is === 'empty') return { sql: `json_extract(${alias}.extra, ${path}) is null`, params: [] }
    const found = compare('value', how.is === 'single' ? { is: 'list', values: [how.value] } : how, attribute.kind)
    return { sql: `exists (select 1 from json_each(${alias}.extra, ${path}) where ${found.sql})`, params: found.params }
  }

  /** Person names other than the patient's are compared folded, in the lookup table. */
  function lookupName(
    attribute: Searchable,
    how: Match['how'],
    fuzzy: boolean,
  ): { where: Condition; sources: Source[] } {
    const alias = ALIAS[attribute.level]
    if (how.is === 'empty' || !attribute.lookup) {
      const sql = attribute.column === null ? undefined : `${alias}.${attribute.column}`
      return { where: sql === undefined ? inExtra(alias, attribute, how) : compare(sql, how, 'text'), sources: [] }
    }
    const text = how.is === 'single' ? how.value : how.is === 'wildcard' ? how.pattern : ''
    let found: Condition
    if (fuzzy) {
      const words = nameWords(text.replace(/[*?]/g, ' ')).slice(0, 8)
      found = joined(
        words.map((word) => ({
          sql: 'value glob ? or value glob ?',
          params: [`${word.replace(/\[/g, '[[]')}*`, `*[-^ ,.'’]${word.replace(/\[/g, '[[]')}*`],
        })),
      )
    } else {
      const folded = foldName(text)
      const asked: Match['how'] = /[*?]/.test(folded)
        ? { is: 'wildcard', pattern: folded }
        : { is: 'single', value: folded }
      found = seek('value', asked) ?? compare('value', asked, 'text')
    }
    const sql = `select ref as key from lookup where attribute = ${attribute.id} and (${found.sql})`
    return {
      where: { sql: `${alias}.key in (${sql})`, params: found.params },
      sources: [keysSource(attribute.level, `select distinct key from (${sql})`, found.params)],
    }
  }

  /** The issuer a patient is or was kept under counts, also where the sender left it to the archive to know. */
  function issuer(attribute: Searchable, how: Match['how']): { where: Condition; sources: Source[] } {
    const now = compare('(select issuer from patient where key = s.owner)', how, 'text')
    const said = inExtra('s', attribute, how)
    if (how.is === 'empty') {
      return { where: { sql: `(${now.sql}) and (${said.sql})`, params: [...now.params, ...said.params] }, sources: [] }
    }
    const former = compare('(select issuer from patient where key = s.patient)', how, 'text')
    const sql = `${now.sql} or ${said.sql} or ${former.sql}`
    return { where: { sql, params: [...now.params, ...said.params, ...former.params] }, sources: [] }
  }

  function sopClass(how: Match['how']): { where: Condition; sources: Source[] } {
    const values = how.is === 'single' ? [how.value] : how.is === 'list' ? how.values : []
    if (how.is === 'empty' || values.length === 0) return { where: { sql: '0', params: [] }, sources: [] }
    const keys = values.map((value) => texts.find(value)).filter((key) => key !== undefined)
    if (keys.length === 0) return { where: { sql: '0', params: [] }, sources: [] }
    const [only] = keys
    const where: Condition =
      keys.length === 1
        ? { sql: 'i.sop_class = ?', params: [only ?? 0] }
        : { sql: 'i.sop_class in (select value from json_each(?))', params: [JSON.stringify(keys)] }
    const kind = keys.length === 1 ? 'ordered' : 'some'
    return {
      where,
      sources: [{ level: 'instance', is: 'index', sql: 'instance_class', where, kind, fewMax: FEW_ROWS }],
    }
  }

  return (query, level) => {
    const where: Condition[] = []
    const sources: Source[] = []
    const bounds = { date: [] as Condition[], name: [] as Condition[] }
    const warnings: string[] = []
    const keys: string[] = []
    for (const { path, how } of query.match) {
      const key = pathKey(path)
      const attribute = table.byKey.get(key)
      if (key === MODALITIES_IN_STUDY) {
        keys.push(key)
        if (how.is === 'universal') continue
        const made = modalities(how)
        where.push(made.where)
        sources.push(...made.sources)
        continue
      }
      if (attribute === undefined || DEPTH[attribute.level] > DEPTH[level]) {
        if (how.is === 'universal') continue
        warnings.push(`The attribute ${key} cannot be matched here. It was ignored.`)
        continue
      }
      keys.push(key)
      if (how.is === 'universal') continue
      const made = declared(attribute, how, query.fuzzy)
      where.push(made.where)
      sources.push(...made.sources)
      if (key === STUDY_DATE) bounds.date.push(made.where)
      if (made.where.sql.startsWith('s.name_key >= ?') && !made.where.sql.includes(' or ')) bounds.name.push(made.where)
    }
    const covered = query.match.every(({ path, how }) => how.is === 'universal' || COVERED.has(pathKey(path)))
    return { where, sources, bounds, warnings, keys, dates: datesOnly(query), covered }
  }
}

/** The range of study dates asked for when nothing else is; null when there is any other filter. */
function datesOnly(query: Query): Compiled['dates'] {
  if (query.scope.studyInstanceUID !== undefined) return null
  let dates = { from: '', to: LAST_DATE }
  for (const { path, how } of query.match) {
    if (how.is === 'universal') continue
    if (pathKey(path) !== STUDY_DATE) return null
    if (how.is === 'single') dates = { from: how.value, to: how.value }
    else if (how.is === 'range') dates = { from: how.from ?? '0', to: how.to ?? LAST_DATE }
    else return null
  }
  return dates
}

/** Patient ID and Accession Number: former values are found too. Names and issuers see to it themselves. */
const FORMER: ReadonlySet<string> = new Set(['00100020', '00080050'])
const MODALITIES_IN_STUDY = '00080061'
const STUDY_DATE = '00080020'
/** Columns of the wide indexes on study: date, time, modalities, name. */
const COVERED: ReadonlySet<string> = new Set([STUDY_DATE, '00080030', MODALITIES_IN_STUDY, '00100010'])

/** Indexes that lead with a column of their own, by attribute. */
const INDEXED: Readonly<Record<string, { readonly name: string; readonly partial?: true }>> = {
  '0020000D': { name: 'study_uid' },
  '00080020': { name: 'study_date' },
  '00100020': { name: 'study_pid' },
  '00080050': { name: 'study_accession', partial: true },
  '0020000E': { name: 'series_uid' },
  '00080060': { name: 'series_modality' },
}

function joined(conditions: readonly Condition[]): Condition {
  return {
    sql: conditions.map(({ sql }) => `(${sql})`).join(' and '),
    params: conditions.flatMap(({ params }) => params),
  }
}

/** Folds a name with wild cards; a component left out at the end does not count. */
function foldName(text: string): string {
  return fold(text)
    .split('^')
    .map((component) => component.trim())
    .join('^')
    .replace(/\^+$/, '')
}
