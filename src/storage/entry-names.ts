/** Names of one object's two entries in a segment. */
export interface EntryNames {
  readonly object: string
  readonly record: string
}

const CLEAN_UID = /^[0-9.]{1,64}$/
const NAME_OF_OBJECT = /^objects\/(?:[^/]+\/)?[0-9a-f]{64}(?:\.v[0-9]+)?\.(dcm|json)$/
const NAME_OF_JOURNAL = /^journal\/([0-9]{12,})-([a-z0-9.-]+)\.json$/

/**
 * Entry names of an object: `objects/<uid>/<sha256>.dcm` and `.json`. Nothing of it is input: a UID that is not digits
 * and dots is left out, the digest alone is the name then.
 *
 * @param sha256Kept hexadecimal SHA-256 of the stored file
 * @param version 1 for the first; a later one (stored again after a deletion) is named apart so that `tar xf` keeps both
 */
export function entryNames(sopInstanceUID: string, sha256Kept: string, version: number): EntryNames {
  if (!/^[0-9a-f]{64}$/.test(sha256Kept)) throw new RangeError('not a hexadecimal SHA-256')
  const clean = CLEAN_UID.test(sopInstanceUID) && !/^\.*$/.test(sopInstanceUID)
  const base = `objects/${clean ? `${sopInstanceUID}/` : ''}${sha256Kept}${version > 1 ? `.v${version}` : ''}`
  return { object: `${base}.dcm`, record: `${base}.json` }
}

/** What an entry of a segment is, told by its name. */
export type EntryKind =
  | { readonly is: 'object'; readonly base: string }
  | { readonly is: 'record'; readonly base: string }
  | { readonly is: 'journal'; readonly sequence: number; readonly kind: string }
  | { readonly is: 'other' }

export function entryKind(name: string): EntryKind {
  const object = NAME_OF_OBJECT.exec(name)
  if (object !== null) {
    const base = name.slice(0, name.lastIndexOf('.'))
    return { is: object[1] === 'dcm' ? 'object' : 'record', base }
  }
  const journal = NAME_OF_JOURNAL.exec(name)
  if (journal !== null) return { is: 'journal', sequence: Number(journal[1]), kind: journal[2] ?? '' }
  return { is: 'other' }
}

/** Entry name of a journal decision. `kind` is a word of ours: lower-case letters, digits, `.` and `-`. */
export function journalName(sequence: number, kind: string): string {
  if (!/^[a-z0-9.-]{1,60}$/.test(kind)) throw new RangeError(`not a kind of journal entry: ${JSON.stringify(kind)}`)
  return `journal/${String(sequence).padStart(12, '0')}-${kind}.json`
}
