/** Names of one object's two entries in a segment. */
export interface EntryNames {
  readonly object: string
  readonly record: string
}

const CLEAN_UID = /^[0-9.]{1,64}$/
const NAME_OF_OBJECT = /^objects\/(?:[^/]+\/)?[0-9a-f]{64}(?:\.v[0-9]+)?\.(dcm|json)$/
const NAME_OF_DOCUMENT = /^documents\/[0-9a-f]{32}\/[0-9a-f]{64}\.(?:record\.json|[a-z0-9]{1,6})$/
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

/** Endings by kind, so that whoever unpacks a segment can open what is in it. */
const ENDINGS: { readonly [kind: string]: string } = {
  ...{
    pdf: 'pdf',
    cda: 'xml',
    'fhir-document': 'fhir',
    jpeg: 'jpg',
    png: 'png',
    gif: 'gif',
    tiff: 'tif',
    heic: 'heic',
  },
  ...{ mp4: 'mp4', quicktime: 'mov', mpeg: 'mpg', text: 'txt', rtf: 'rtf', html: 'html', xml: 'xml', stl: 'stl' },
  ...{ obj: 'obj', mtl: 'mtl', aecg: 'xml' },
}

/**
 * Entry names of a document: `documents/<object id>/<sha256>.pdf` and `.record.json`.
 * @param kind word of model/document.ts
 */
export function documentNames(sha256: string, objectId: string, kind: string): EntryNames {
  if (!/^[0-9a-f]{64}$/.test(sha256) || !/^[0-9a-f]{32}$/.test(objectId)) throw new RangeError('not a digest and an id')
  const base = `documents/${objectId}/${sha256}`
  return { object: `${base}.${ENDINGS[kind] ?? 'bin'}`, record: `${base}.record.json` }
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
  if (NAME_OF_DOCUMENT.test(name)) {
    const base = name.slice(0, name.indexOf('.'))
    return { is: name.endsWith('.record.json') ? 'record' : 'object', base }
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
