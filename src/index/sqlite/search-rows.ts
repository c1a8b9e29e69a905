import type { Query, SearchRow } from '#model/search.ts'
import { levelOf } from '../attribute-levels.ts'
import { type Level, pathKey, type Searchable, type SearchableTable } from '../searchable.ts'
import type { Database, SqlParam, SqlValue } from './database.ts'
import { type Picked, pickFromChunk } from './metadata-pick.ts'
import { createOverlayReader } from './rendered-metadata.ts'
import type { Texts } from './texts.ts'
import { SLOTS } from './tree.ts'

/** How the search wraps the columns a renderer needs. */
export interface PageSql {
  sql(columns: string, joins: string): string
  readonly params: readonly SqlParam[]
  /** Number of order keys that come first in each row. */
  readonly ends: number
  /** One more row than this is asked for, to know whether there are more. */
  readonly limit: number
}

export interface PageEnds {
  readonly more: boolean
  /** Order keys of the last row returned. */
  readonly last: readonly SqlParam[] | undefined
  readonly warnings: readonly string[]
}

export type Renderer = (
  query: Query,
  matched: readonly string[],
  page: PageSql,
) => { readonly rows: SearchRow[]; readonly ends: PageEnds }

const ALIAS: Readonly<Record<Level, string>> = { study: 's', series: 'r', instance: 'i' }
const DEPTH: Readonly<Record<Level, number>> = { study: 0, series: 1, instance: 2 }
const LEVELS: readonly Level[] = ['study', 'series', 'instance']

const JOINS: Readonly<Record<Level, string>> = {
  study: 'cross join study s on s.key = t.key',
  series: 'cross join series r on r.key = t.key cross join study s on s.key = r.study',
  instance: `cross join instance i on i.key = t.key cross join object o on o.key = i.object
    cross join series r on r.key = i.key / ${SLOTS} cross join study s on s.key = r.study`,
}

/** Metadata of the instance that speaks for a row: the first one that came. */
const CHUNK: Readonly<Record<Level, readonly [string, string]>> = {
  instance: ['i.chunk', 'i.raw_length'],
  series: [
    `(select chunk from instance where key >= r.key * ${SLOTS} limit 1)`,
    `(select raw_length from instance where key >= r.key * ${SLOTS} limit 1)`,
  ],
  study: [
    `(select j.chunk from series q indexed by series_study cross join instance j on j.key >= q.key * ${SLOTS}
      and j.key < (q.key + 1) * ${SLOTS} where q.study = s.key limit 1)`,
    `(select j.raw_length from series q indexed by series_study cross join instance j on j.key >= q.key * ${SLOTS}
      and j.key < (q.key + 1) * ${SLOTS} where q.study = s.key limit 1)`,
  ],
}

/** Metadata opened for one answer at most, in bytes of JSON: reads stay on the reading thread. */
const PICK_BYTES_MAX = 32 * 1024 * 1024

type Extra = Readonly<Record<string, readonly string[]>>

/** One member of a row: returns its JSON, or undefined when it is left out. */
type Write = (row: SqlValue[], extras: readonly Extra[]) => string | undefined

interface Entry {
  readonly key: string
  readonly write: Write
}

interface RowPlan {
  readonly columns: readonly string[]
  /** Before and behind the place of the Retrieve URL. */
  readonly head: readonly Entry[]
  readonly tail: readonly Entry[]
  readonly extraLevels: readonly { readonly level: Level; readonly column: number }[]
  readonly uids: readonly [number, number, number]
  /** Top-level tags looked up in metadata, and where its columns are. */
  readonly pick: { readonly tags: readonly string[]; readonly column: number } | null
}

/** Retrieve URL (0008,1190). */
const URL_KEY = '00081190'
const PARENT_KEYS: readonly string[] = ['0020000D', '0020000E', '00100010', '00100020']
const PLANS_MAX = 200

export function createRenderer(db: Database, texts: Texts, table: SearchableTable): Renderer {
  const plans = new Map<string, RowPlan>()
  const overlays = createOverlayReader()

  function planFor(query: Query, matched: readonly string[], first: number): RowPlan {
    const scoped = `${query.scope.studyInstanceUID === undefined ? '' : 's'}${query.scope.seriesInstanceUID === undefined ? '' : 'r'}`
    const include = query.include === 'all' ? 'all' : query.include.map(pathKey).join()
    const signature = `${first} ${query.level} ${scoped} ${include} ${matched.join()}`
    const known = plans.get(signature)
    if (known !== undefined) return known
    const made = makePlan(query, matched, first)
    if (plans.size >= PLANS_MAX) plans.clear()
    plans.set(signature, made)
    return made
  }

  /** Says whether a declared attribute of a level is in the answer, and whether it is there when it has no value. */
  function wanted(query: Query, matched: readonly string[], attribute: Searchable): 'yes' | 'if-known' | 'no' {
    if (matched.includes(attribute.key)) return 'yes'
    if (query.include === 'all') return attribute.returned === 'always' ? 'yes' : 'if-known'
    const top = attribute.key.slice(0, 8)
    if (query.include.some((path) => pathKey(path).startsWith(top))) return 'yes'
    if (PARENT_KEYS.includes(attribute.key)) return 'yes'
    const { studyInstanceUID, seriesInstanceUID } = query.scope
    const above =
      (attribute.level === 'study' && query.level !== 'study' && studyInstanceUID !== undefined) ||
      (attribute.level === 'series' && query.level === 'instance' && seriesInstanceUID !== undefined)
    if (above || attribute.returned === 'on-request') return 'no'
    return attribute.returned === 'always' ? 'yes' : 'if-known'
  }

  function makePlan(query: Query, matched: readonly string[], first: number): RowPlan {
    const { level } = query
    const columns: string[] = []
    const column = (sql: string): number => {
      const at = columns.indexOf(sql)
      return first + (at >= 0 ? at : columns.push(sql) - 1)
    }
    const levels = LEVELS.slice(0, DEPTH[level] + 1)
    const uids: [number, number, number] = [
      column('s.uid'),
      level === 'study' ? -1 : column('r.uid'),
      level === 'instance' ? column('i.uid') : -1,
    ]
    const extraLevels: { level: Level; column: number }[] = []
    const entries: Entry[] = []
    for (const its of levels) {
      let extraAt = -1
      const sequences = new Map<string, Searchable[]>()
      for (const attribute of table.levels[its]) {
        const want = wanted(query, matched, attribute)
        if (want === 'no') continue
        if (attribute.column === null && extraAt < 0) {
          extraAt = extraLevels.push({ level: its, column: column(`${ALIAS[its]}.extra`) }) - 1
        }
        if (attribute.path.length > 1) {
          const top = attribute.key.slice(0, 8)
          sequences.set(top, [...(sequences.get(top) ?? []), attribute])
          continue
        }
        entries.push({
          key: attribute.key,
          write:
            attribute.column === null
              ? extraMember(attribute, extraAt, want === 'yes')
              : columnMember(attribute, column(`${ALIAS[its]}.${attribute.column}`), want === 'yes', texts),
        })
      }
      for (const [top, members] of sequences) {
        entries.push({
          key: top,
          write: sequenceMember(
            top,
            members,
            extraAt,
            matched.some((key) => key.startsWith(top)),
          ),
        })
      }
    }
    entries.push(...computed(query, level, column, texts))
    const have = new Set(entries.map(({ key }) => key))
    const tags =
      query.include === 'all'
        ? []
        : [...new Set(query.include.map((path) => pathKey(path.slice(0, 1))))].filter(
            (key) => !have.has(key) && key !== URL_KEY && DEPTH[levelOf(Number.parseInt(key, 16))] <= DEPTH[level],
          )
    const pick = tags.length === 0 ? null : { tags, column: column(CHUNK[level][0]) }
    if (pick !== null) {
      column(CHUNK[level][1])
      column('s.overlay')
    }
    entries.sort((a, b) => (a.key < b.key ? -1 : 1))
    return {
      columns,
      head: entries.filter(({ key }) => key < URL_KEY),
      tail: entries.filter(({ key }) => key > URL_KEY),
      extraLevels,
      uids,
      pick,
    }
  }

  return (query, matched, page) => {
    const plan = planFor(query, matched, page.ends)
    const found = db.arrays(page.sql(plan.columns.join(', '), JOINS[query.level]), ...page.params)
    const more = found.length > page.limit
    const shown = more ? found.slice(0, page.limit) : found
    let pickBytes = 0
    let unpicked = 0
    const rows = shown.map((row): SearchRow => {
      const extras = plan.extraLevels.map(({ column }) => parseExtra(row[column]))
      let picked: Picked | undefined
      if (plan.pick !== null) {
        const raw = Number(row[plan.pick.column + 1] ?? 0)
        const chunk = row[plan.pick.column]
        pickBytes += raw
        if (pickBytes > PICK_BYTES_MAX) unpicked++
        else if (chunk instanceof Uint8Array) {
          const overlay = row[plan.pick.column + 2]
          const [, series, instance] = plan.uids
          const uid = (at: number) => (at < 0 ? '' : String(row[at]))
          const { events } = overlays.read(typeof overlay === 'string' ? overlay : null, uid(series), uid(instance))
          picked = pickFromChunk(chunk, raw, plan.pick.tags, events)
        }
      }
      const head = members(plan.head, row, extras, picked, '', URL_KEY)
      const tail = members(plan.tail, row, extras, picked, URL_KEY, 'G')
      const before = head === '' ? '{' : `{${head},`
      const [study, series, instance] = plan.uids
      return {
        studyInstanceUID: String(row[study]),
        seriesInstanceUID: series < 0 ? null : String(row[series]),
        sopInstanceUID: instance < 0 ? null : String(row[instance]),
        json: `${before}${tail}}`,
        urlAt: before.length,
      }
    })
    const lastRow = shown.at(-1)
    const warnings =
      unpicked === 0 ? [] : [`Some attributes were left out of the last ${unpicked} results: ask for fewer at once.`]
    return { rows, ends: { more, last: lastRow?.slice(0, page.ends) as SqlParam[] | undefined, warnings } }
  }
}

/** Members in ascending order, those from metadata among them. */
function members(
  entries: readonly Entry[],
  row: SqlValue[],
  extras: readonly Extra[],
  picked: Picked | undefined,
  from: string,
  to: string,
): string {
  if (picked === undefined) {
    let text = ''
    for (const { write } of entries) {
      const member = write(row, extras)
      if (member !== undefined) text += text === '' ? member : `,${member}`
    }
    return text
  }
  const all = entries.map(({ key, write }) => ({ key, member: write(row, extras) }))
  for (const [key, json] of picked) {
    if (key > from && key < to) all.push({ key, member: `"${key}":${json}` })
  }
  all.sort((a, b) => (a.key < b.key ? -1 : 1))
  return all
    .map(({ member }) => member)
    .filter((member) => member !== undefined)
    .join()
}

function parseExtra(text: SqlValue | undefined): Extra {
  return typeof text === 'string' ? (JSON.parse(text) as Extra) : {}
}

/** PS3.18 section F.2.2: person names as objects by component group. */
function nameJson(name: string): string {
  const [alphabetic = '', ideographic = '', phonetic = ''] = name.split('=')
  const groups = [
    alphabetic === '' ? '' : `"Alphabetic":${JSON.stringify(alphabetic)}`,
    ideographic === '' ? '' : `"Ideographic":${JSON.stringify(ideographic)}`,
    phonetic === '' ? '' : `"Phonetic":${JSON.stringify(phonetic)}`,
  ]
  return `{${groups.filter((group) => group !== '').join()}}`
}

function valueJson(attribute: Searchable, value: string): string {
  if (value === '') return 'null'
  if (attribute.kind === 'name') return nameJson(value)
  if (attribute.kind === 'number' && /^[+-]?\d{1,15}$/.test(value)) return String(Number(value))
  return JSON.stringify(value)
}

function member(attribute: Searchable, values: readonly string[]): string {
  const key = attribute.key.slice(-8)
  return `"${key}":{"vr":"${attribute.vr}","Value":[${values.map((value) => valueJson(attribute, value)).join()}]}`
}

function empty(key: string, vr: string): string {
  return `"${key}":{"vr":"${vr}"}`
}

function columnMember(attribute: Searchable, at: number, always: boolean, texts: Texts): Write {
  const absent = always ? empty(attribute.key, attribute.vr) : undefined
  const start = `"${attribute.key}":{"vr":"${attribute.vr}","Value":[`
  if (attribute.column === 'sop_class') return (row) => `${start}"${texts.valueOf(Number(row[at]))}"]}`
  if (attribute.kind === 'number') {
    return (row) => {
      const value = row[at]
      return typeof value === 'number' ? `${start}${value}]}` : absent
    }
  }
  return (row) => {
    const value = row[at]
    if (typeof value !== 'string' || value === '') return absent
    if (value.includes('\\')) return member(attribute, value.split('\\'))
    return `${start}${valueJson(attribute, value)}]}`
  }
}

function extraMember(attribute: Searchable, extraAt: number, always: boolean): Write {
  const absent = always ? empty(attribute.key, attribute.vr) : undefined
  return (_row, extras) => {
    const values = extras[extraAt]?.[attribute.key]
    return values === undefined ? absent : member(attribute, values)
  }
}

/** A sequence from the values of its declared members: the values of one member stand in as many items. */
function sequenceMember(top: string, attributes: readonly Searchable[], extraAt: number, always: boolean): Write {
  return (_row, extras) => {
    const extra = extras[extraAt] ?? {}
    const count = Math.max(0, ...attributes.map(({ key }) => extra[key]?.length ?? 0))
    if (count === 0) return always ? empty(top, 'SQ') : undefined
    const items = Array.from({ length: count }, (_, item) => {
      const parts = attributes
        .filter((attribute) => attribute.path.length === 2 && (extra[attribute.key]?.[item] ?? '') !== '')
        .map((attribute) => member(attribute, [extra[attribute.key]?.[item] ?? '']))
      return `{${parts.join()}}`
    })
    return `"${top}":{"vr":"SQ","Value":[${items.join()}]}`
  }
}

/** Attributes the archive works out by itself. */
function computed(query: Query, level: Level, column: (sql: string) => number, texts: Texts): Entry[] {
  const all = query.include === 'all'
  const asked = (tag: string): boolean =>
    all || (query.include as readonly (readonly number[])[]).some((path) => pathKey(path) === tag)
  const entries: Entry[] = []
  const matchedModalities = query.match.some(({ path }) => pathKey(path) === '00080061')
  const study = level === 'study' || query.scope.studyInstanceUID === undefined
  if (level !== 'series' || asked('00080056')) {
    entries.push({ key: '00080056', write: () => '"00080056":{"vr":"CS","Value":["ONLINE"]}' })
  }
  if (study || matchedModalities || asked('00080061')) {
    const at = column('s.modalities')
    entries.push({
      key: '00080061',
      write: (row) => {
        const text = String(row[at] ?? '')
        if (text === '') return empty('00080061', 'CS')
        const values = text.split('\\').map((modality) => JSON.stringify(modality))
        return `"00080061":{"vr":"CS","Value":[${values.join()}]}`
      },
    })
  }
  const counter = (key: string, sql: string): void => {
    const at = column(sql)
    entries.push({ key, write: (row) => `"${key}":{"vr":"IS","Value":[${Number(row[at])}]}` })
  }
  if (study || asked('00201206')) counter('00201206', 's.series')
  if (study || asked('00201208')) counter('00201208', 's.instances')
  if (
    level === 'series' ||
    (level === 'instance' && (query.scope.seriesInstanceUID === undefined || asked('00201209')))
  ) {
    counter('00201209', 'r.instances')
  }
  if (level === 'instance') {
    const at = column('o.transfer_syntax')
    entries.push({
      key: '00083002',
      write: (row) => `"00083002":{"vr":"UI","Value":["${texts.valueOf(Number(row[at]))}"]}`,
    })
  }
  return entries
}
