import type { Peer } from '#model/peer.ts'
import type { PeerStore, Written } from '#security/ports.ts'
import type { Database } from './database.ts'

/** The register of application entities as versioned rows: the newest version of each AE title is in force. */
export class SqlitePeerReader implements PeerStore {
  readonly #db: Database

  constructor(db: Database) {
    this.#db = db
  }

  peers(): readonly Peer[] {
    return this.#db
      .all<{ value: string }>(
        `select value from peer p where value is not null
         and version = (select max(version) from peer where ae_title = p.ae_title) order by ae_title`,
      )
      .map(({ value }) => JSON.parse(value) as Peer)
  }

  peer(aeTitle: string): Peer | undefined {
    const row = this.#db.get<{ value: string | null }>(
      'select value from peer where ae_title = ? order by version desc limit 1',
      aeTitle,
    )
    return row === undefined || row.value === null ? undefined : (JSON.parse(row.value) as Peer)
  }
}

/** Writes of the register, inside the writer's transaction. */
export class SqlitePeerWriter {
  readonly #db: Database

  constructor(db: Database) {
    this.#db = db
  }

  put(peer: Peer, by: string, time: string): void {
    this.#db.run(
      'insert into peer (ae_title, value, by, time) values (?, ?, ?, ?)',
      ...[peer.aeTitle, JSON.stringify(peer), by, time],
    )
  }

  remove(aeTitle: string, by: string, time: string): Written {
    if (new SqlitePeerReader(this.#db).peer(aeTitle) === undefined) return 'missing'
    this.#db.run('insert into peer (ae_title, value, by, time) values (?, null, ?, ?)', aeTitle, by, time)
    return 'written'
  }
}
