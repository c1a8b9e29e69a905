import { ArchiveError } from '#errors.ts'
import type { PlacementDecision, PlacementReader, PlacementState } from '#model/placement.ts'
import type { Database, SqlParam } from './database.ts'

/** Samples a site must have labelled, and how right a recogniser must be on them, before it acts by itself. */
export const LABELS_NEEDED = 20
export const PRECISION_NEEDED = 0.95

/** One label with what the recogniser said of the same object. */
export interface Label {
  readonly rule: string
  readonly objectId: string
  readonly is: boolean
  /** Whether the rule recognised it when it was labelled. */
  readonly recognised: boolean
  readonly score?: number
  readonly by: string
  readonly time: string
}

/** Decisions in the index of the writer; part of the caller's transaction. */
export interface PlacementStore extends PlacementReader {
  get(id: string): PlacementDecision | undefined
  /** The newest decision of each object that is not outdated. */
  standing(objectIds: readonly string[]): ReadonlyMap<string, PlacementDecision>
  put(decision: PlacementDecision): void
  setState(id: string, state: PlacementState): void
  setMade(id: string, made: readonly string[]): void
  label(label: Label): void
  /** Decisions of a study, or about these objects, that a person said no to. */
  refused(studyInstanceUID: string | null, objectIds: readonly string[]): readonly PlacementDecision[]
  /** Studies and single objects that decisions in force or suggested since an instant are about. */
  decidedSince(time: string): readonly { readonly study: string | null; readonly object: string }[]
  /** True when any decision is about this study. */
  speaksOf(studyInstanceUID: string): boolean
}

interface Row {
  readonly state: PlacementState
  readonly made: string
  readonly body: string
}

const COLUMNS = 'state, made, body'

function decisionOf({ state, made, body }: Row): PlacementDecision {
  return { ...(JSON.parse(body) as PlacementDecision), state, made: JSON.parse(made) as string[] }
}

function keyOf(id: string): number {
  const [sequence, position] = id.split('.').map(Number)
  if (sequence === undefined || position === undefined || !Number.isSafeInteger(sequence) || position >= 2 ** 20) {
    throw new RangeError(`not the id of a placement decision: ${id}`)
  }
  return sequence * 2 ** 20 + position
}

export function createPlacementStore(db: Database): PlacementStore {
  return {
    get(id) {
      const row = db.get<Row>(`select ${COLUMNS} from placement_decision where id = ?`, id)
      return row === undefined ? undefined : decisionOf(row)
    },
    standing(objectIds) {
      const rows = db.all<Row & { object: string }>(
        `select object, ${COLUMNS} from placement_decision
         where object in (select value from json_each(?)) and state <> 'outdated' order by key`,
        JSON.stringify(objectIds),
      )
      return new Map(rows.map((row) => [row.object, decisionOf(row)]))
    },
    put(decision) {
      db.run(
        `insert or replace into placement_decision (key, id, object, study, state, rule, effect, made, body)
         values (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
        ...[keyOf(decision.id), decision.id, decision.objectId, decision.studyInstanceUID, decision.state],
        ...[decision.placement.rule, decision.effect.do, JSON.stringify(decision.made), JSON.stringify(decision)],
      )
    },
    setState(id, state) {
      db.run('update placement_decision set state = ? where id = ?', state, id)
    },
    setMade(id, made) {
      db.run('update placement_decision set made = ? where id = ?', JSON.stringify(made), id)
    },
    label({ rule, objectId, is, recognised, by, time }) {
      db.run(
        'insert or replace into placement_label (rule, object, is_one, scored, by, time) values (?, ?, ?, ?, ?, ?)',
        ...[rule, objectId, is ? 1 : 0, recognised ? 1 : 0, by, time],
      )
    },
    speaksOf: (study) => db.get('select 1 as one from placement_decision where study = ? limit 1', study) !== undefined,
    refused(study, objectIds) {
      const [where, param] =
        study === null
          ? ['object in (select value from json_each(?))', JSON.stringify(objectIds)]
          : ['study = ?', study]
      return db
        .all<Row>(
          `select ${COLUMNS} from placement_decision where ${where} and state in ('declined', 'undone') order by key`,
          param,
        )
        .map(decisionOf)
    },
    decidedSince(time) {
      return db.all(
        `select distinct study, case when study is null then object else '' end as object from placement_decision
         where state in ('acting', 'proposed') and body ->> '$.time' >= ?`,
        time,
      )
    },
    // What was hidden and came back is another version of the same UID: its history goes on.
    ofObject(objectId) {
      return db
        .all<Row>(
          `select ${COLUMNS} from placement_decision where object = ?1
             or object in (select id from object where uid = (select uid from object where id = ?1)) order by key desc`,
          objectId,
        )
        .map(decisionOf)
    },
    list({ state, rule, effect, limit, cursor }) {
      const where: string[] = ['1']
      const params: SqlParam[] = []
      for (const [column, value] of [
        ['state', state],
        ['rule', rule],
        ['effect', effect],
      ] as const) {
        if (value === undefined) continue
        where.push(`${column} = ?`)
        params.push(value)
      }
      if (cursor !== undefined) {
        if (!/^\d{1,16}$/.test(cursor)) throw new ArchiveError('request.malformed', 'cursor: not one of ours')
        where.push('key < ?')
        params.push(Number(cursor))
      }
      const rows = db.all<Row & { key: number }>(
        `select key, ${COLUMNS} from placement_decision where ${where.join(' and ')} order by key desc limit ?`,
        ...params,
        limit + 1,
      )
      const last = rows[limit - 1]
      const next = rows.length > limit && last !== undefined ? String(last.key) : null
      return { items: rows.slice(0, limit).map(decisionOf), next }
    },
    labels(rule) {
      const row = db.get<{ n: number; right: number | null; said: number | null; real: number | null }>(
        `select count(*) as n, sum(is_one and scored) as right, sum(scored) as said, sum(is_one) as real
         from placement_label where rule = ?`,
        rule,
      )
      const n = row?.n ?? 0
      const [right, said, real] = [row?.right ?? 0, row?.said ?? 0, row?.real ?? 0]
      const precision = said > 0 ? right / said : null
      const recall = real > 0 ? right / real : null
      return {
        labelled: n,
        ...{ right, wrong: said - right, missed: real - right, left: n - said - real + right },
        ...{ precision, recall },
        needed: { labelled: LABELS_NEEDED, precision: PRECISION_NEEDED },
        mayAct: n >= LABELS_NEEDED && precision !== null && precision >= PRECISION_NEEDED,
      }
    },
  }
}
