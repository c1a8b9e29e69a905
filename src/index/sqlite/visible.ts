import { never } from '#model/finding.ts'
import type { Visibility, Withholding } from '#model/visibility.ts'
import type { SqlParam } from './database.ts'
import { SLOTS } from './tree.ts'

/** A condition in SQL with the values bound to it. */
export interface Condition {
  readonly sql: string
  readonly params: readonly SqlParam[]
}

/** SOP classes of encapsulated documents: PDF, CDA, STL, OBJ, MTL. */
const DOCUMENTS = [1, 2, 3, 4, 5].map((last) => `'1.2.840.10008.5.1.4.1.1.104.${last}'`).join(', ')

/**
 * Studies of alias `s` without a document inside. A caller whose scopes hold images but no documents does not see the
 * others at all: a study shown without its documents would still count them, and name their modality.
 */
const NO_DOCUMENTS: Condition = {
  sql: `not exists (select 1 from series dr cross join text dt
    cross join instance di indexed by instance_class on di.sop_class = dt.key and di.key >= dr.key * ${SLOTS}
      and di.key < (dr.key + 1) * ${SLOTS}
    where dr.study = s.key and dt.value in (${DOCUMENTS}))`,
  params: [],
}

/** True when nothing at all is hidden: then stored totals are true for this caller. */
export function seesEverything(visibility: Visibility): boolean {
  return visibility.sees === 'all' && visibility.hidesDocuments !== true && visibility.withholds === undefined
}

/**
 * What the caller may see, as a condition on a patient key column; undefined when nothing is hidden. Every query of
 * the reader goes through it. design.md section 7.
 *
 * It is the current owner that decides: whoever may see a patient sees what was folded into it or assigned to it, and no
 * longer sees what went to somebody else, under whatever number it arrived. Patients that were merged stand for the one
 * they live on as.
 * @param column `s.owner` where studies are read (alias `s`), `p.key` where patients are
 */
export function visible(visibility: Visibility, column: 's.owner' | 'p.key'): Condition | undefined {
  const documents = 'hidesDocuments' in visibility && column === 's.owner' ? NO_DOCUMENTS : undefined
  const withholding = visibility.sees === 'nothing' ? undefined : visibility.withholds
  const open = withholding === undefined ? undefined : notWithheld(withholding, column)
  switch (visibility.sees) {
    case 'all':
      return documents === undefined || open === undefined ? (documents ?? open) : all([documents, open])
    case 'nothing':
      return { sql: '0', params: [] }
    case 'patients': {
      const patients = {
        sql: `${column} in (select coalesce(survivor, key) from patient where id in (select value from json_each(?)))`,
        params: [JSON.stringify(visibility.patientIds)],
      }
      return documents === undefined && open === undefined ? patients : all([patients, documents, open])
    }
    default:
      return never(visibility)
  }
}

/**
 * Patients that are not withheld, with everybody folded into those that are; as a condition on a patient key column.
 * Restrictions are few: the list is made once per query.
 */
export function notWithheld({ upTo, except }: Withholding, column: string): Condition {
  return {
    sql: `(${column} is null or ${column} not in (
      with root as (select distinct coalesce(p.survivor, p.key) as key
          from patient_restriction r join patient p on p.id = r.patient
          where r.ended is null and r.level > ? and (r.until is null or r.until > ?)
            and coalesce(p.survivor, p.key) not in
              (select coalesce(survivor, key) from patient where id in (select value from json_each(?))))
        select key from root union select q.key from root t join patient q on q.survivor = t.key))`,
    params: [upTo === 'R' ? 1 : 0, new Date().toISOString(), JSON.stringify(except)],
  }
}

/** Joins conditions for a `where`, each once; `1` when there is none. */
export function all(conditions: readonly (Condition | undefined)[]): Condition {
  const some: Condition[] = []
  for (const condition of conditions) {
    if (condition !== undefined && !some.some((other) => isSame(other, condition))) some.push(condition)
  }
  if (some.length === 0) return { sql: '1', params: [] }
  return { sql: some.map(({ sql }) => `(${sql})`).join(' and '), params: some.flatMap(({ params }) => params) }
}

function isSame(a: Condition, b: Condition): boolean {
  return a.sql === b.sql && a.params.length === b.params.length && a.params.every((param, i) => param === b.params[i])
}
