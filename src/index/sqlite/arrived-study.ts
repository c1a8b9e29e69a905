import type { ArrivedStudy } from '../effective-overlay.ts'
import { standardSearchables } from '../searchable.ts'
import type { Database } from './database.ts'
import { textOf } from './level-values.ts'
import { createStudyRows } from './study-row.ts'

/** A study with what it said when it arrived, whatever is served of it now. */
export interface KeptStudy {
  readonly arrived: ArrivedStudy
  /** Whose it is now. */
  readonly owner: { readonly issuer: string; readonly id: string; readonly name: string | null }
}

/** Reads one study as it arrived; undefined when it is not kept. */
export function createArrivedStudies(
  db: Database,
  table = standardSearchables(),
): (uid: string) => KeptStudy | undefined {
  const rows = createStudyRows(db, table)
  return (uid) => {
    const row = db.get<Readonly<Record<string, unknown>>>('select * from study where uid = ?', uid)
    if (row === undefined) return undefined
    const { arrived, values, patient, owner } = rows.fromRow(row)
    const text = (tag: string) => textOf(arrived, tag)
    const orNull = (tag: string) => (text(tag) === '' ? null : text(tag))
    const key = (of: number) =>
      db.get<{ issuer: string; id: string }>('select issuer, identifier as id from patient where key = ?', of)
    const [first, now] = [key(patient), key(owner)]
    if (first === undefined || now === undefined) throw new RangeError(`the patient of study ${uid} is missing`)
    return {
      arrived: {
        ...first,
        statedId: text('00100020'),
        statedIssuer: text('00100021'),
        name: orNull('00100010'),
        birthDate: orNull('00100030'),
        sex: orNull('00100040'),
      },
      owner: { ...now, name: textOf(values, '00100010') || null },
    }
  }
}
