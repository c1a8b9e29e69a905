import type { Database } from './database.ts'

/** More than this many texts in memory are dropped and read again. */
const CACHED_MAX = 8192

/** Keys of texts that repeat (UIDs of classes, sources, scan reports), written once. */
export interface Texts {
  /** Key of a text, written when it is new. Writer only. */
  keyOf(value: string): number
  /** Key of a text that is there already. */
  find(value: string): number | undefined
  /** @throws RangeError for a key nobody wrote: the database is damaged */
  valueOf(key: number): string
  /** After a transaction was rolled back: what it wrote is not there. */
  clear(): void
}

export function createTexts(db: Database): Texts {
  const keys = new Map<string, number>()
  const values = new Map<number, string>()

  function remember(key: number, value: string): void {
    if (keys.size >= CACHED_MAX) keys.clear()
    if (values.size >= CACHED_MAX) values.clear()
    keys.set(value, key)
    values.set(key, value)
  }

  function find(value: string): number | undefined {
    const cached = keys.get(value)
    if (cached !== undefined) return cached
    const key = db.get<{ key: number }>('select key from text where value = ?', value)?.key
    if (key !== undefined) remember(key, value)
    return key
  }

  return {
    find,
    keyOf(value) {
      const known = find(value)
      if (known !== undefined) return known
      const key = db.run('insert into text (value) values (?)', value).rowid
      remember(key, value)
      return key
    },
    valueOf(key) {
      const cached = values.get(key)
      if (cached !== undefined) return cached
      const value = db.get<{ value: string }>('select value from text where key = ?', key)?.value
      if (value === undefined) throw new RangeError(`text ${key} is missing from the index`)
      remember(key, value)
      return value
    },
    clear() {
      keys.clear()
      values.clear()
    },
  }
}

/** An instant as milliseconds where that loses nothing, else as it was written. */
export function packTime(time: string): number | string {
  const ms = Date.parse(time)
  return Number.isNaN(ms) || new Date(ms).toISOString() !== time ? time : ms
}

export function unpackTime(packed: number | string): string {
  return typeof packed === 'number' ? new Date(packed).toISOString() : packed
}

/** Hexadecimal of a stored digest. */
export function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('hex')
}
