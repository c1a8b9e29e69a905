import { setImmediate as pause } from 'node:timers/promises'
import { ArchiveError } from '#errors.ts'
import type { Match, PatientPage, PatientQuery, PatientSearchRow } from '#model/search.ts'
import type { Visibility } from '#model/visibility.ts'
import { fold, nameWords, parsePattern, prefixEnd } from '../fold.ts'
import { pathKey } from '../searchable.ts'
import type { Database } from './database.ts'
import { beyond, type Order, orderSql, upTo } from './search-order.ts'
import { all, type Condition, visible } from './visible.ts'

/** Index entries one step of a walk looks at; between steps others have their turn. */
const WINDOW = 10_000
const PAGE_MAX = 1000
const CURSOR_MAX = 4096

/** Where a walk over patients goes along. */
interface Walk {
  readonly from: string
  readonly order: Order
  readonly bounds: readonly Condition[]
}

const BY_NAME: Order = { natural: true, keys: [key('p.name_key'), key('p.key')] }
const BY_ANY_NAME: Order = { natural: true, keys: [key('n.name_key'), key('n.patient')] }
const BY_IDENTIFIER: Order = { natural: true, keys: [key('p.identifier'), key('p.key')] }

function key(sql: string): Order['keys'][number] {
  return { sql, descending: false }
}

/** Stands for studies in `visible`. */
const STUDY = 's.owner'
const NAME = '00100010'
const IDENTIFIER = '00100020'
const COLUMNS: Readonly<Record<string, string>> = {
  '00100021': 'p.issuer',
  '00100030': 'p.birth_date',
  '00100040': 'p.sex',
}

/** What a value of a column is compared with; undefined for a match that means nothing here. */
function compare(sql: string, how: Match['how']): Condition {
  switch (how.is) {
    case 'universal':
      return { sql: '1', params: [] }
    case 'empty':
      return { sql: `${sql} = ''`, params: [] }
    case 'single':
      return { sql: `${sql} = ?`, params: [how.value] }
    case 'list':
      return { sql: `${sql} in (select value from json_each(?))`, params: [JSON.stringify(how.values)] }
    case 'wildcard': {
      const { prefix, glob, prefixOnly } = parsePattern(how.pattern)
      const range = prefix === '' ? undefined : within(sql, prefix)
      const pattern: Condition = { sql: `${sql} glob ?`, params: [glob] }
      return range === undefined ? pattern : prefixOnly ? range : all([range, pattern])
    }
    case 'range':
      return {
        sql: `${sql} >= ? and ${sql} <= ? and ${sql} > ''`,
        params: [how.from ?? '', how.to === null ? '~' : how.to],
      }
  }
}

function within(sql: string, prefix: string): Condition {
  const end = prefixEnd(prefix)
  return end === undefined
    ? { sql: `${sql} >= ?`, params: [prefix] }
    : { sql: `${sql} >= ? and ${sql} < ?`, params: [prefix, end] }
}

/** A name as asked for, folded as names are kept: components left out at the end do not count. */
function foldedName(how: Match['how']): Match['how'] {
  const text = how.is === 'single' ? how.value : how.is === 'wildcard' ? how.pattern : ''
  const folded = fold(text.split('=')[0] ?? '')
    .split('^')
    .map((component) => component.trim())
    .join('^')
    .replace(/\^+$/, '')
  return /[*?]/.test(folded) ? { is: 'wildcard', pattern: folded } : { is: 'single', value: folded }
}

/** Patients by an identifier they have or had: of those merged since, who they live on as. */
function identified(how: Match['how']): Condition {
  const own = compare('q.identifier', how)
  const other = compare('a.identifier', how)
  return {
    sql: `p.key in (select coalesce(q.survivor, q.key) from patient q where ${own.sql} union
      select coalesce(q.survivor, q.key) from patient_identifier a cross join patient q on q.key = a.patient
      where ${other.sql})`,
    params: [...own.params, ...other.params],
  }
}

/** Each word begins a word of a name of one of the patient's studies. */
function fuzzy(how: Match['how']): Condition {
  const text = how.is === 'single' ? how.value : how.is === 'wildcard' ? how.pattern : ''
  const words = nameWords(text.replace(/[*?]/g, ' ')).slice(0, 8)
  return all(
    words.map((word) => {
      const range = within('w.word', word)
      return {
        sql: `p.key in (select ws.owner from study_word w cross join study ws on ws.key = w.study where ${range.sql})`,
        params: range.params,
      }
    }),
  )
}

interface Row {
  readonly id: string
  readonly issuer: string
  readonly issuer_assumed: number
  readonly identifier: string
  readonly name: string
  readonly birth_date: string
  readonly sex: string
  readonly k0: string
  readonly k1: string | number
  readonly studies: number
  readonly series: number | null
  readonly instances: number | null
}

/** Patients by what identifies them, in keyset pages; steps of bounded work whatever is asked. */
export function createPatientSearch(
  db: Database,
  window: number = WINDOW,
): (query: PatientQuery, visibility: Visibility) => Promise<PatientPage> {
  function prepare(query: PatientQuery): { walk: Walk; filters: Condition[]; warnings: string[] } {
    const filters: Condition[] = []
    const warnings: string[] = []
    const bounds: Condition[] = []
    let from = 'patient p indexed by patient_by_name'
    let order = BY_NAME
    const identifier = query.match.find(({ path }) => pathKey(path) === IDENTIFIER)?.how
    const seekable = identifier !== undefined && identifier.is !== 'universal' && identifier.is !== 'empty'
    for (const { path, how } of query.match) {
      const attribute = pathKey(path)
      const column = COLUMNS[attribute]
      if (how.is === 'universal') continue
      if (attribute === IDENTIFIER) {
        if (seekable) {
          from = 'patient p'
          order = BY_IDENTIFIER
          bounds.push(identified(how))
        } else filters.push(compare('p.identifier', how))
      } else if (attribute === NAME) {
        if (how.is === 'empty') filters.push({ sql: "p.name = ''", params: [] })
        else if (query.fuzzy) filters.push(fuzzy(how))
        else if (seekable) {
          const asked = compare('pn.name_key', foldedName(how))
          filters.push({
            sql: `p.key in (select coalesce(q.survivor, q.key) from patient_name pn cross join patient q on q.key = pn.patient
              where ${asked.sql})`,
            params: asked.params,
          })
        } else {
          from = `patient_name n cross join patient q on q.key = n.patient
            cross join patient p on p.key = coalesce(q.survivor, q.key)`
          order = BY_ANY_NAME
          bounds.push(compare('n.name_key', foldedName(how)))
        }
      } else if (column !== undefined) filters.push(compare(column, how))
      else warnings.push(`The attribute ${attribute} cannot be matched here. It was ignored.`)
    }
    return { walk: { from, order, bounds }, filters, warnings }
  }

  return async (query, visibility) => {
    if (visibility.sees === 'nothing') return { rows: [], next: null, warnings: [] }
    const { walk, filters, warnings } = prepare(query)
    const { from, order, bounds } = walk
    const limit = Math.max(1, Math.min(query.limit, PAGE_MAX))
    const documents = 'hidesDocuments' in visibility ? visible({ sees: 'all', hidesDocuments: true }, STUDY) : undefined
    const shown = all([{ sql: 's.owner = p.key', params: [] }, documents])
    const ofStudies = (sum: string) => `(select ${sum} from study s where ${shown.sql})`
    const patient = visible(visibility, 'p.key')
    const hidden = all([{ sql: `exists (select 1 from study s where ${shown.sql})`, params: shown.params }, patient])
    const [k0 = '', k1 = ''] = order.keys.map(({ sql }) => sql)
    const columns = `p.id, p.issuer, p.issuer_assumed, p.identifier, p.name, p.birth_date, p.sex, ${k0} as k0, ${k1} as k1,
      ${ofStudies('count(*)')} as studies, ${ofStudies('sum(s.series)')} as series,
      ${ofStudies('sum(s.instances)')} as instances`
    const driver = order === BY_ANY_NAME ? 'patient_name n' : from
    const rows: PatientSearchRow[] = []
    let cursorText = ''
    let begin = query.after === null ? undefined : beyond(order, parseCursor(query.after))
    for (;;) {
      const inside = all([...bounds, begin])
      const [end] = db.arrays(
        `select ${k0}, ${k1} from ${driver} where ${inside.sql} order by ${orderSql(order)} limit 1 offset ?`,
        ...inside.params,
        window - 1,
      )
      const last = end?.map(plainKey)
      const where = all([...bounds, begin, last === undefined ? undefined : upTo(order, last), ...filters, hidden])
      const found = db.all<Row>(
        `select ${columns} from ${from} where ${where.sql} order by ${orderSql(order)} limit ?`,
        ...shown.params,
        ...shown.params,
        ...shown.params,
        ...where.params,
        limit + 1 - rows.length,
      )
      for (const row of found) {
        if (rows.length === limit) return { rows, next: cursorText, warnings }
        rows.push({ patientId: row.id, json: rowJson(row) })
        cursorText = Buffer.from(JSON.stringify([row.k0, row.k1])).toString('base64url')
      }
      if (last === undefined) return { rows, next: null, warnings }
      begin = beyond(order, last)
      await pause()
    }
  }
}

function plainKey(value: unknown): string | number {
  if (typeof value === 'string' || typeof value === 'number') return value
  throw new RangeError(`an order key is ${typeof value}`)
}

function parseCursor(cursor: string): (string | number)[] {
  const refuse = () => new ArchiveError('request.malformed', 'the continuation does not belong to this search')
  let parsed: unknown
  try {
    parsed = JSON.parse(Buffer.from(cursor.slice(0, CURSOR_MAX), 'base64url').toString())
  } catch {
    throw refuse()
  }
  if (!Array.isArray(parsed) || parsed.length !== 2) throw refuse()
  return parsed.map(plainKey)
}

function rowJson(row: Row): string {
  const members: [string, string, unknown][] = [
    [NAME, 'PN', row.name === '' ? undefined : nameOf(row.name)],
    [IDENTIFIER, 'LO', row.identifier],
    // An issuer that the archive assumed is its own matter, not what a sender said.
    ['00100021', 'LO', row.issuer_assumed === 1 ? '' : row.issuer],
    ['00100030', 'DA', row.birth_date],
    ['00100040', 'CS', row.sex],
    ['00201200', 'IS', row.studies],
    ['00201202', 'IS', row.series ?? 0],
    ['00201204', 'IS', row.instances ?? 0],
  ]
  const json: { [tag: string]: unknown } = {}
  for (const [tag, vr, value] of members) {
    json[tag] = value === undefined || value === '' ? { vr } : { vr, Value: [value] }
  }
  return JSON.stringify(json)
}

/** PS3.18 section F.2.2. */
function nameOf(name: string): { [group: string]: string } {
  const [alphabetic = '', ideographic = '', phonetic = ''] = name.split('=')
  return {
    ...(alphabetic === '' ? {} : { Alphabetic: alphabetic }),
    ...(ideographic === '' ? {} : { Ideographic: ideographic }),
    ...(phonetic === '' ? {} : { Phonetic: phonetic }),
  }
}
