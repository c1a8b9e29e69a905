import { ArchiveError } from '#errors.ts'

/**
 * The key a list goes on behind.
 * @throws ArchiveError 'request.malformed' for a cursor that no list gave
 */
export function keyCursor(cursor: string): number {
  if (/^\d{1,15}$/.test(cursor)) return Number(cursor)
  throw new ArchiveError('request.malformed', 'query: "cursor" is none that a list gave', {
    hint: 'Use `next` of the page before.',
  })
}
