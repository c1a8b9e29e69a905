import type { SettingsStore, SettingVersion } from '#security/ports.ts'
import type { Database } from './database.ts'

interface Row {
  version: number
  key: string
  value: string | null
  by: string
  time: string
}

/** Site settings as versioned rows: the newest version of each key is in force. */
export class SqliteSettingsReader implements SettingsStore {
  readonly #db: Database

  constructor(db: Database) {
    this.#db = db
  }

  settings(): { readonly [key: string]: unknown } {
    const rows = this.#db.all<{ key: string; value: string }>(
      `select key, value from setting s where value is not null
       and version = (select max(version) from setting where key = s.key) order by key`,
    )
    return Object.fromEntries(rows.map(({ key, value }) => [key, JSON.parse(value) as unknown]))
  }

  settingsVersion(): number {
    const row = this.#db.get<{ version: number }>(
      `select coalesce((select max(version) from setting), 0) + coalesce((select max(version) from originator), 0)
         + coalesce((select max(version) from peer), 0) as version`,
    )
    return row?.version ?? 0
  }

  settingHistory(key: string): readonly SettingVersion[] {
    return this.#db
      .all<Row>('select version, key, value, by, time from setting where key = ? order by version desc limit 1000', key)
      .map((row) => ({ ...row, value: row.value === null ? null : (JSON.parse(row.value) as unknown) }))
  }
}

/** Writes of settings, inside the writer's transaction. */
export class SqliteSettingsWriter {
  readonly #db: Database

  constructor(db: Database) {
    this.#db = db
  }

  change(changes: { readonly [key: string]: unknown }, by: string, time: string): void {
    for (const [key, value] of Object.entries(changes)) {
      this.#db.run(
        'insert into setting (key, value, by, time) values (?, ?, ?, ?)',
        key,
        value === null || value === undefined ? null : JSON.stringify(value),
        by,
        time,
      )
    }
  }
}
