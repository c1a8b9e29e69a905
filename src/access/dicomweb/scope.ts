import { ArchiveError } from '#errors.ts'
import type { Scope } from '#model/archive-index.ts'

/** Parameters of the paths under `/dicom-web/studies`, as far as a route has them. */
export interface PathOf {
  readonly study: string
  readonly series?: string
  readonly instance?: string
}

const UID = /^[0-9.]{1,64}$/

function checked(text: string, what: string): string {
  if (!UID.test(text)) throw new ArchiveError('request.malformed', `the ${what} in the path is no UID`)
  return text
}

/** @throws ArchiveError 'request.malformed' for a path that is no UID (threats.md R8) */
export function scopeOf(path: PathOf): Scope {
  return {
    studyInstanceUID: checked(path.study, 'study'),
    ...(path.series === undefined ? {} : { seriesInstanceUID: checked(path.series, 'series') }),
    ...(path.instance === undefined ? {} : { sopInstanceUID: checked(path.instance, 'instance') }),
  }
}

/** @throws ArchiveError 'request.malformed' when the path does not name an instance */
export function instanceOf(path: PathOf): Required<Scope> {
  const { studyInstanceUID, seriesInstanceUID, sopInstanceUID } = scopeOf(path)
  if (seriesInstanceUID === undefined || sopInstanceUID === undefined) {
    throw new ArchiveError('request.malformed', 'the path does not name an instance')
  }
  return { studyInstanceUID, seriesInstanceUID, sopInstanceUID }
}

/** Path below `/dicom-web/`. */
export function shown({ studyInstanceUID, seriesInstanceUID, sopInstanceUID }: Scope): string {
  let path = `studies/${studyInstanceUID}`
  if (seriesInstanceUID !== undefined) path += `/series/${seriesInstanceUID}`
  if (sopInstanceUID !== undefined) path += `/instances/${sopInstanceUID}`
  return path
}
