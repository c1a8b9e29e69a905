import type { Originator } from '#model/settings.ts'
import type { OriginatorStore, Written } from '#security/ports.ts'
import type { Database } from './database.ts'

/** The register of originators as versioned rows: the newest version of each name is in force. */
export class SqliteOriginatorReader implements OriginatorStore {
  readonly #db: Database

  constructor(db: Database) {
    this.#db = db
  }

  originators(): readonly Originator[] {
    return this.#db
      .all<{ value: string }>(
        `select value from originator o where value is not null
         and version = (select max(version) from originator where name = o.name) order by name`,
      )
      .map(({ value }) => whole(JSON.parse(value) as Originator))
  }

  originator(name: string): Originator | undefined {
    const row = this.#db.get<{ value: string | null }>(
      'select value from originator where name = ? order by version desc limit 1',
      name,
    )
    return row === undefined || row.value === null ? undefined : whole(JSON.parse(row.value) as Originator)
  }
}

/** Keys that an older version did not write yet. */
const LATER: Pick<Originator, 'hl7Senders' | 'zSegments' | 'coercion'> = {
  hl7Senders: [],
  zSegments: {},
  coercion: { defaults: [], map: [], privateElements: 'keep' },
}

function whole(kept: Originator): Originator {
  return { ...LATER, ...kept }
}

/** Writes of the register, inside the writer's transaction. */
export class SqliteOriginatorWriter {
  readonly #db: Database

  constructor(db: Database) {
    this.#db = db
  }

  put(originator: Originator, by: string, time: string): void {
    this.#db.run(
      'insert into originator (name, value, by, time) values (?, ?, ?, ?)',
      originator.name,
      JSON.stringify(originator),
      by,
      time,
    )
  }

  remove(name: string, by: string, time: string): Written {
    if (new SqliteOriginatorReader(this.#db).originator(name) === undefined) return 'missing'
    this.#db.run('insert into originator (name, value, by, time) values (?, null, ?, ?)', name, by, time)
    return 'written'
  }
}
