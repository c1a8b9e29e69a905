import { DatabaseSync, type StatementSync } from 'node:sqlite'
import { ArchiveError, type ErrorCode } from '#errors.ts'

/** What a bound parameter may be. */
export type SqlParam = null | number | bigint | string | Uint8Array

/** What a column may hold. */
export type SqlValue = null | number | bigint | string | Uint8Array

/**
 * One SQLite connection. Synchronous: each thread has its own. Rows come as the caller says (`get<Row>`); what a row
 * means is parsed where it is read. Statements are prepared once per SQL text, so texts must be constants or composed
 * from a small set: values are always bound.
 */
export interface Database {
  /** @returns number of rows changed and the last rowid */
  run(sql: string, ...params: SqlParam[]): { readonly changes: number; readonly rowid: number }
  get<T>(sql: string, ...params: SqlParam[]): T | undefined
  all<T>(sql: string, ...params: SqlParam[]): T[]
  /** Rows as arrays in column order: the cheap form for large answers. */
  arrays(sql: string, ...params: SqlParam[]): SqlValue[][]
  /** Rows one at a time; nothing else may be written on this connection while it runs. */
  iterate<T>(sql: string, ...params: SqlParam[]): IterableIterator<T>
  /** Several statements without parameters. */
  exec(sql: string): void
  /**
   * Runs `fn` in a transaction (BEGIN IMMEDIATE), or in a savepoint when one is open already. What `fn` wrote is gone
   * when it throws; it must not return a promise.
   */
  transaction<T>(fn: () => T): T
  /**
   * Runs `fn` as a part of the open transaction, or in one of its own when none is open. For work that stands or falls
   * with what is around it: cheaper than a savepoint, which copies every page that is changed. When `fn` throws inside
   * an open transaction, that one cannot commit any more.
   */
  within<T>(fn: () => T): T
  readonly inTransaction: boolean
  /** Rises with every transaction or savepoint that was undone: what was remembered from inside it is void. */
  readonly rollbacks: number
  close(): void
}

/** More texts than this are composed only by searches; the oldest prepared ones are given up. */
const STATEMENTS_MAX = 1000

/** SQLite primary result codes that mean something to a sender. sqlite.org/rescode.html */
const TOLD: ReadonlyMap<number, ErrorCode> = new Map([
  [5, 'archive.busy'],
  [6, 'archive.busy'],
  [8, 'storage.read-only'],
  [10, 'storage.read-only'],
  [11, 'storage.damaged'],
  [13, 'storage.full'],
  [26, 'storage.damaged'],
])

function told(error: unknown): unknown {
  if (!(error instanceof Error) || !('errcode' in error) || typeof error.errcode !== 'number') return error
  const code = TOLD.get(error.errcode & 0xff)
  return code === undefined ? error : new ArchiveError(code, `index: ${error.message}`, { cause: error })
}

class SqliteDatabase implements Database {
  readonly #db: DatabaseSync
  readonly #statements = new Map<string, StatementSync>()
  readonly #arrayStatements = new Map<string, StatementSync>()
  #depth = 0
  #rollbacks = 0
  /** A part of the open transaction failed: what it wrote must not be committed. */
  #doomed = false

  constructor(db: DatabaseSync) {
    this.#db = db
  }

  #prepare(sql: string, cache: Map<string, StatementSync>): StatementSync {
    const known = cache.get(sql)
    if (known !== undefined) return known
    const statement = this.#db.prepare(sql)
    if (cache === this.#arrayStatements) statement.setReturnArrays(true)
    if (cache.size >= STATEMENTS_MAX) {
      const oldest = cache.keys().next()
      if (!oldest.done) cache.delete(oldest.value)
    }
    cache.set(sql, statement)
    return statement
  }

  run(sql: string, ...params: SqlParam[]): { changes: number; rowid: number } {
    try {
      const { changes, lastInsertRowid } = this.#prepare(sql, this.#statements).run(...params)
      return { changes: Number(changes), rowid: Number(lastInsertRowid) }
    } catch (error) {
      throw told(error)
    }
  }

  get<T>(sql: string, ...params: SqlParam[]): T | undefined {
    try {
      return this.#prepare(sql, this.#statements).get(...params) as T | undefined
    } catch (error) {
      throw told(error)
    }
  }

  all<T>(sql: string, ...params: SqlParam[]): T[] {
    try {
      return this.#prepare(sql, this.#statements).all(...params) as T[]
    } catch (error) {
      throw told(error)
    }
  }

  arrays(sql: string, ...params: SqlParam[]): SqlValue[][] {
    try {
      return this.#prepare(sql, this.#arrayStatements).all(...params) as unknown as SqlValue[][]
    } catch (error) {
      throw told(error)
    }
  }

  *iterate<T>(sql: string, ...params: SqlParam[]): IterableIterator<T> {
    // A statement of its own: two walks over the same text may be open at once.
    try {
      for (const row of this.#db.prepare(sql).iterate(...params)) yield row as T
    } catch (error) {
      throw told(error)
    }
  }

  exec(sql: string): void {
    try {
      this.#db.exec(sql)
    } catch (error) {
      throw told(error)
    }
  }

  transaction<T>(fn: () => T): T {
    const nested = this.#depth > 0
    const savepoint = `s${this.#depth}`
    if (nested) this.exec(`savepoint ${savepoint}`)
    else this.run('begin immediate')
    const doomed = this.#doomed
    this.#depth++
    let result: T
    try {
      result = fn()
      if (this.#doomed) throw new TypeError('a part of this transaction failed, and it was to be committed')
      if (nested) this.exec(`release ${savepoint}`)
      else this.run('commit')
    } catch (error) {
      this.#depth--
      this.#rollbacks++
      this.#doomed = doomed
      // A full disk makes SQLite roll back by itself; then there is nothing left to undo.
      if (this.#db.isTransaction) {
        this.exec(nested ? `rollback to ${savepoint}; release ${savepoint}` : 'rollback')
      }
      throw error
    }
    this.#depth--
    return result
  }

  within<T>(fn: () => T): T {
    if (this.#depth === 0) return this.transaction(fn)
    try {
      return fn()
    } catch (error) {
      this.#doomed = true
      throw error
    }
  }

  get inTransaction(): boolean {
    return this.#db.isTransaction
  }

  get rollbacks(): number {
    return this.#rollbacks
  }

  close(): void {
    this.#statements.clear()
    this.#arrayStatements.clear()
    this.#db.close()
  }
}

/**
 * Opens the index database. The writer is durable at commit: WAL with `synchronous = FULL` (threats.md section 6).
 *
 * @param path a file, or `:memory:`
 * @param options.readOnly a connection that can only read; any number beside the one writer
 * @throws ArchiveError 'archive.busy', 'storage.read-only', 'storage.damaged', 'storage.full'
 */
export function openDatabase(path: string, options?: { readonly readOnly?: boolean }): Database {
  const readOnly = options?.readOnly === true
  let db: DatabaseSync
  try {
    db = new DatabaseSync(path, { readOnly, timeout: 5000, enableForeignKeyConstraints: true })
    if (readOnly) {
      db.exec('pragma query_only = on; pragma mmap_size = 1073741824; pragma cache_size = -65536')
    } else {
      db.exec(
        'pragma journal_mode = wal; pragma synchronous = full; pragma cache_size = -65536; ' +
          'pragma mmap_size = 1073741824; pragma wal_autocheckpoint = 16000; pragma journal_size_limit = 67108864; ' +
          'pragma temp_store = memory; pragma foreign_keys = on',
      )
    }
  } catch (error) {
    throw told(error)
  }
  return new SqliteDatabase(db)
}
