import { crc32 } from 'node:zlib'
import { ArchiveError } from '#errors.ts'

/** Keys of the last row of a page, in the order of the list. */
export type CursorKeys = readonly (string | number)[]

const CHARACTERS_MAX = 4096

/**
 * The cursor behind a row: which list it is of and the row's keys, with a checksum, so that one nobody gave is told from
 * one that a list gave. No secret: it opens nothing that the caller may not list anyway.
 *
 * @param list name of the list and of its order: a cursor goes on in this list alone
 */
export function cursorText(list: string, keys: CursorKeys): string {
  const body = JSON.stringify([list, ...keys])
  return Buffer.from(`${crc32(body).toString(36)} ${body}`).toString('base64url')
}

/**
 * The keys a list goes on behind.
 *
 * @param like as many keys of the same types as `cursorText` was given
 * @throws ArchiveError 'request.malformed' for a cursor that this list did not give
 */
export function cursorKeys<Keys extends CursorKeys>(list: string, cursor: string, like: Keys): Keys {
  const text = Buffer.from(cursor.slice(0, CHARACTERS_MAX), 'base64url').toString('utf8')
  const at = text.indexOf(' ')
  const body = text.slice(at + 1)
  if (at > 0 && text.slice(0, at) === crc32(body).toString(36)) {
    const [name, ...keys] = arrayOf(body)
    const same = keys.length === like.length && keys.every((key, i) => typeof key === typeof like[i])
    if (name === list && same) return keys as unknown as Keys
  }
  throw new ArchiveError('request.malformed', 'query: "cursor" is none that this list gave', {
    hint: 'Use `next` of the page before.',
  })
}

function arrayOf(body: string): readonly unknown[] {
  try {
    const parsed: unknown = JSON.parse(body)
    return Array.isArray(parsed) ? parsed : []
  } catch {
    return [] // no JSON: no cursor of ours
  }
}

/** The key a list goes on behind that is ordered by one number; undefined for its first page. @throws as cursorKeys */
export function keyBehind(list: string, cursor: string | undefined): number | undefined {
  return cursor === undefined ? undefined : cursorKeys(list, cursor, [0] as const)[0]
}
