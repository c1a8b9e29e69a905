import { ArchiveError } from '#errors.ts'
import { cursorKeys, cursorText, keyBehind } from '#model/cursor.ts'
import type { FhirFilter, FhirIndexed, FhirResourceReader, FhirResourceStore, FhirState } from '#model/fhir-store.ts'
import { prefixEnd } from '../fold.ts'
import type { Database, SqlParam } from './database.ts'
import { all, type Condition } from './visible.ts'

const KINDS = ['token', 'string', 'reference'] as const satisfies readonly FhirIndexed['is'][]

interface Row {
  readonly key: number
  readonly type: string
  readonly id: string
  readonly version: number
  readonly updated: string
  readonly by: string
  readonly body: string | null
}

function stateOf({ type, id, version, updated, by, body }: Row): FhirState {
  return { type, id, version, lastUpdated: updated, by, body: body === null ? null : JSON.parse(body) }
}

const COLUMNS = 'r.key, r.type, r.id, r.version, r.updated, r.by, r.body'

function valued(type: string, { code, is, alternatives }: FhirFilter['values'][number]): Condition {
  const parts: string[] = []
  const params: SqlParam[] = [type, code, KINDS.indexOf(is)]
  for (const { value, system } of alternatives) {
    const end = is === 'string' ? prefixEnd(value) : undefined
    const compared = end === undefined ? 'v.value = ?' : '(v.value >= ? and v.value < ?)'
    parts.push(`${compared} and (? = '' or v.system = ?)`)
    params.push(value, ...(end === undefined ? [] : [end]), system, system)
  }
  const some = parts.length === 0 ? '0' : parts.map((part) => `(${part})`).join(' or ')
  return {
    sql: `r.key in (select v.resource from fhir_value v where v.type = ? and v.code = ? and v.kind = ? and (${some}))`,
    params,
  }
}

export function createFhirResourceReader(db: Database): FhirResourceReader {
  const rowOf = (type: string, id: string) =>
    db.get<Row>(`select ${COLUMNS} from fhir_resource r where r.type = ? and r.id = ?`, type, id)
  return {
    resource(type, id) {
      const row = rowOf(type, id)
      return row === undefined ? undefined : stateOf(row)
    },
    versions(type, id) {
      const now = rowOf(type, id)
      if (now === undefined) return []
      const former = db.all<{ version: number; updated: string; by: string; body: string | null }>(
        'select version, updated, by, body from fhir_version where resource = ? order by version desc',
        now.key,
      )
      return [now, ...former.map((row) => ({ ...now, ...row }))].map(stateOf)
    },
    changes(type, { limit, since, cursor }) {
      const list = `fhir changes of ${type}`
      const [updated, key, version] = cursor === undefined ? ['', 0, 0] : cursorKeys(list, cursor, ['', 0, 0] as const)
      const rows = db.all<Row>(
        `select * from (
           select ${COLUMNS} from fhir_resource r where r.type = ?1
           union all select r.key, r.type, r.id, v.version, v.updated, v.by, v.body
             from fhir_resource r cross join fhir_version v on v.resource = r.key where r.type = ?1)
         where updated >= ?2 and (?3 = '' or (updated, key, version) < (?3, ?4, ?5))
         order by updated desc, key desc, version desc limit ?6`,
        ...[type, since ?? '', updated, key, version, limit + 1],
      )
      const page = rows.slice(0, limit)
      const last = page.at(-1)
      const more = rows.length > limit && last !== undefined
      return {
        items: page.map(stateOf),
        next: more ? cursorText(list, [last.updated, last.key, last.version]) : null,
      }
    },
    find(type, { ids, values, limit, cursor }) {
      const behind = keyBehind(`fhir ${type}`, cursor)
      const where = all([
        { sql: 'r.type = ? and r.body is not null', params: [type] },
        ids === undefined
          ? undefined
          : { sql: 'r.id in (select value from json_each(?))', params: [JSON.stringify(ids)] },
        ...values.map((value) => valued(type, value)),
        behind === undefined ? undefined : { sql: 'r.key > ?', params: [behind] },
      ])
      const rows = db.all<Row>(
        `select ${COLUMNS} from fhir_resource r where ${where.sql} order by r.key limit ?`,
        ...where.params,
        limit + 1,
      )
      const page = rows.slice(0, limit)
      const last = page.at(-1)
      return {
        items: page.map(stateOf),
        next: rows.length > limit && last !== undefined ? cursorText(`fhir ${type}`, [last.key]) : null,
      }
    },
  }
}

export function createFhirResourceStore(db: Database): FhirResourceStore {
  const reader = createFhirResourceReader(db)
  return {
    ...reader,
    apply(writes, by, time) {
      for (const { type, id, body, indexed } of writes) {
        const text = body === null ? null : JSON.stringify(body)
        db.run(
          `insert into fhir_version (resource, version, updated, by, body)
           select key, version, updated, by, body from fhir_resource where type = ? and id = ?`,
          ...[type, id],
        )
        const row = db.get<{ key: number }>(
          `insert into fhir_resource (type, id, version, updated, by, body) values (?, ?, 1, ?, ?, ?)
           on conflict (type, id) do update set version = version + 1, updated = excluded.updated, by = excluded.by,
             body = excluded.body returning key`,
          ...[type, id, time, by, text],
        )
        if (row === undefined) throw new ArchiveError('archive.failed', `${type}/${id} was not kept`)
        db.run('delete from fhir_value where resource = ?', row.key)
        for (const { code, is, value, system } of body === null ? [] : indexed) {
          db.run(
            'insert or ignore into fhir_value (type, code, kind, value, system, resource) values (?, ?, ?, ?, ?, ?)',
            ...[type, code, KINDS.indexOf(is), value, system, row.key],
          )
        }
      }
    },
  }
}
