import { cursorText, keyBehind } from '#model/cursor.ts'
import type { FindingState, Survey, SurveyFinding, SurveyGroup, SurveyReader } from '#model/survey.ts'
import type { Database, SqlParam } from './database.ts'

/** Where a survey stands: the key it looked up to, studies first, then documents without a study. */
export interface SurveyPlace {
  readonly phase: 'studies' | 'documents'
  readonly after: number
}

export type NewFinding = Pick<
  SurveyFinding,
  'objectId' | 'studyInstanceUID' | 'rule' | 'effect' | 'says' | 'score' | 'why' | 'state' | 'decision'
>

/** Surveys in the index of the writer; each method is part of the caller's transaction. */
export interface SurveyStore extends SurveyReader {
  running(): Survey | undefined
  begin(by: string, time: string, policyVersion: number, total: number): Survey
  placeOf(id: string): SurveyPlace | undefined
  advance(id: string, place: SurveyPlace, counts: { readonly looked: number; readonly objects: number }): void
  add(id: string, findings: readonly NewFinding[]): void
  end(id: string, state: 'done' | 'cancelled', time: string): void
  /** Marks what waits, of these rules and ids (null: whatever they are), as asked for. @returns how many */
  ask(id: string, rules: readonly string[] | null, ids: readonly string[] | null, by: string, reason: string): number
  asked(id: string, limit: number): readonly (SurveyFinding & { readonly by: string; readonly reason: string })[]
  settle(findingId: string, state: FindingState, decision: string | null, error: string | null): void
}

interface SurveyRow {
  readonly key: number
  readonly state: Survey['state']
  readonly by: string
  readonly started: string
  readonly finished: string | null
  readonly policy: number
  readonly looked: number
  readonly total: number
  readonly objects: number
  readonly findings: number
}

interface FindingRow {
  readonly key: number
  readonly survey: number
  readonly object: string
  readonly study: string | null
  readonly rule: string
  readonly effect: SurveyFinding['effect']
  readonly says: SurveyFinding['says']
  readonly score: number
  readonly why: string
  readonly state: FindingState
  readonly decision: string | null
  readonly error: string | null
}

const LIST = 'survey findings'
const EXAMPLES = 5

function surveyOf(row: SurveyRow): Survey {
  const { key, by, started, finished, policy, ...rest } = row
  return { id: String(key), startedBy: by, startedAt: started, finishedAt: finished, policyVersion: policy, ...rest }
}

function findingOf(row: FindingRow): SurveyFinding {
  const { key, survey, object, study, rule, effect, says, score, why, state, decision, error } = row
  return {
    id: `${survey}.${key}`,
    ...{ objectId: object, studyInstanceUID: study, rule, effect, says, score, why, state, decision, error },
  }
}

/** Number of a survey; 0, which none has, for text that is none. */
const number = (id: string): number => (/^[1-9]\d{0,9}$/.test(id) ? Number(id) : 0)
const SURVEY = 'key, state, by, started, finished, policy, looked, total, objects, findings'
const FINDING = 'key, survey, object, study, rule, effect, says, score, why, state, decision, error'

export function createSurveyStore(db: Database): SurveyStore {
  const one = (id: string) => db.get<SurveyRow>(`select ${SURVEY} from survey where key = ?`, number(id))
  return {
    surveys: (limit) =>
      db.all<SurveyRow>(`select ${SURVEY} from survey order by key desc limit ?`, limit).map(surveyOf),
    survey(id) {
      const row = one(id)
      return row === undefined ? undefined : surveyOf(row)
    },
    report(id) {
      const rows = db.all<{ rule: string; effect: SurveyGroup['effect']; state: FindingState; n: number }>(
        `select rule, effect, state, count(*) as n from survey_finding where survey = ?
         group by rule, effect, state order by rule, effect, state`,
        number(id),
      )
      const groups = Map.groupBy(rows, ({ rule, effect }) => `${rule} ${effect}`)
      return [...groups.values()].flatMap((group): SurveyGroup[] => {
        const [first] = group
        if (first === undefined) return []
        const { rule, effect } = first
        const examples = db.all<{ object: string }>(
          'select object from survey_finding where survey = ? and rule = ? and effect = ? order by key limit ?',
          ...[number(id), rule, effect, EXAMPLES],
        )
        return [
          {
            rule,
            effect,
            count: group.reduce((sum, { n }) => sum + n, 0),
            states: Object.fromEntries(group.map(({ state, n }) => [state, n])),
            examples: examples.map(({ object }) => object),
          },
        ]
      })
    },
    findings({ survey, rule, state, limit, cursor }) {
      const where = ['survey = ?']
      const params: SqlParam[] = [number(survey)]
      const behind = keyBehind(LIST, cursor)
      for (const [sql, value] of [
        ['rule = ?', rule],
        ['state = ?', state],
        ['key > ?', behind],
      ] as const) {
        if (value === undefined) continue
        where.push(sql)
        params.push(value)
      }
      const rows = db.all<FindingRow>(
        `select ${FINDING} from survey_finding where ${where.join(' and ')} order by key limit ?`,
        ...params,
        limit + 1,
      )
      const last = rows[limit - 1]
      const next = rows.length > limit && last !== undefined ? cursorText(LIST, [last.key]) : null
      return { items: rows.slice(0, limit).map(findingOf), next }
    },

    running() {
      const row = db.get<SurveyRow>(`select ${SURVEY} from survey where state = 'running' order by key desc limit 1`)
      return row === undefined ? undefined : surveyOf(row)
    },
    begin(by, time, policyVersion, total) {
      const row = db.get<SurveyRow>(
        `insert into survey (state, by, started, policy, total) values ('running', ?, ?, ?, ?) returning ${SURVEY}`,
        ...[by, time, policyVersion, total],
      )
      if (row === undefined) throw new TypeError('a survey that was not written')
      return surveyOf(row)
    },
    placeOf: (id) => db.get<SurveyPlace>('select phase, after from survey where key = ?', number(id)),
    advance(id, { phase, after }, { looked, objects }) {
      db.run(
        'update survey set phase = ?, after = ?, looked = looked + ?, objects = objects + ? where key = ?',
        ...[phase, after, looked, objects, number(id)],
      )
    },
    add(id, findings) {
      for (const { objectId, studyInstanceUID, rule, effect, says, score, why, state, decision } of findings) {
        db.run(
          `insert into survey_finding (survey, object, study, rule, effect, says, score, why, state, decision)
           values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
          ...[number(id), objectId, studyInstanceUID, rule, effect, says, score, why, state, decision],
        )
      }
      db.run('update survey set findings = findings + ? where key = ?', findings.length, number(id))
    },
    end(id, state, time) {
      db.run("update survey set state = ?, finished = ? where key = ? and state = 'running'", state, time, number(id))
    },
    ask(id, rules, ids, by, reason) {
      const keys = ids?.map((one) => Number(one.startsWith(`${id}.`) ? one.slice(id.length + 1) : Number.NaN))
      return db.run(
        `update survey_finding set state = 'asked', by = ?1, reason = ?2, error = null
         where survey = ?3 and state in ('waiting', 'failed') and (?4 is null or rule in (select value from json_each(?4)))
           and (?5 is null or key in (select value from json_each(?5)))`,
        by,
        reason,
        number(id),
        rules === null ? null : JSON.stringify(rules),
        keys === undefined ? null : JSON.stringify(keys.filter(Number.isSafeInteger)),
      ).changes
    },
    asked(id, limit) {
      return db
        .all<FindingRow & { by: string; reason: string }>(
          `select ${FINDING}, by, reason from survey_finding where survey = ? and state = 'asked' order by key limit ?`,
          ...[number(id), limit],
        )
        .map((row) => ({ ...findingOf(row), by: row.by, reason: row.reason }))
    },
    settle(findingId, state, decision, error) {
      const key = Number(findingId.split('.')[1])
      db.run(
        'update survey_finding set state = ?, decision = coalesce(?, decision), error = ? where key = ?',
        ...[state, decision, error, key],
      )
    },
  }
}
