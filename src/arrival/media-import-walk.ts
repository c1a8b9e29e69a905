import type { Dirent, Stats } from 'node:fs'
import { lstat, readdir, realpath, stat } from 'node:fs/promises'

/** Deepest folder below a given path that is entered. */
export const FOLDER_DEPTH_MAX = 100

/** Something met while walking a medium. Only regular files are ever opened. threats.md E1, E3. */
export type Found =
  | { readonly kind: 'file'; readonly label: string; readonly path: Buffer; readonly sizeBytes: number }
  | {
      readonly kind: 'listed'
      readonly label: string
      readonly what: 'link' | 'device' | 'pipe' | 'socket'
    }
  | { readonly kind: 'unreadable'; readonly label: string; readonly why: string }

/** A path a person named: how they wrote it, and where it is. */
export interface GivenPath {
  readonly given: string
  readonly absolute: string
}

/**
 * Walks files and folders in the order of their names' bytes. Links inside are listed, never followed, so no
 * medium can point out of itself; a link that a person named themselves is followed.
 */
export async function* walkMedium(root: GivenPath): AsyncGenerator<Found> {
  const label = root.given.length > 1 ? root.given.replace(/\/+$/, '') : root.given
  let path: Buffer
  let status: Stats
  try {
    path = await realpath(root.absolute, { encoding: 'buffer' })
    status = await stat(path)
  } catch (error) {
    yield { kind: 'unreadable', label, why: reasonOf(error) }
    return
  }
  if (status.isFile()) yield { kind: 'file', label, path, sizeBytes: status.size }
  else if (status.isDirectory()) yield* walkFolder(path, label, 0)
  else yield { kind: 'listed', label, what: kindOf(status) }
}

async function* walkFolder(folder: Buffer, label: string, depth: number): AsyncGenerator<Found> {
  if (depth > FOLDER_DEPTH_MAX) {
    yield { kind: 'unreadable', label, why: `folders nested deeper than ${FOLDER_DEPTH_MAX} are not entered` }
    return
  }
  let entries: Dirent<Buffer>[]
  try {
    entries = await readdir(folder, { withFileTypes: true, encoding: 'buffer' })
  } catch (error) {
    yield { kind: 'unreadable', label, why: reasonOf(error) }
    return
  }
  entries.sort((a, b) => Buffer.compare(a.name, b.name))
  const base = label.endsWith('/') ? label : `${label}/`
  for (const entry of entries) {
    const path = Buffer.concat([folder, SLASH, entry.name])
    const below = base + labelOfBytes(entry.name)
    if (entry.isDirectory()) {
      yield* walkFolder(path, below, depth + 1)
      continue
    }
    let status: Stats
    try {
      status = await lstat(path)
    } catch (error) {
      yield { kind: 'unreadable', label: below, why: reasonOf(error) }
      continue
    }
    if (status.isFile()) yield { kind: 'file', label: below, path, sizeBytes: status.size }
    else if (status.isDirectory()) yield* walkFolder(path, below, depth + 1)
    else yield { kind: 'listed', label: below, what: kindOf(status) }
  }
}

const SLASH = Buffer.from('/')

function kindOf(status: Stats): 'link' | 'device' | 'pipe' | 'socket' {
  if (status.isSymbolicLink()) return 'link'
  if (status.isFIFO()) return 'pipe'
  if (status.isSocket()) return 'socket'
  return 'device'
}

const STRICT_UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** A name as text; bytes that are not UTF-8 are percent-encoded, the rest stays as it is. contract.md, import. */
export function labelOfBytes(name: Uint8Array): string {
  try {
    return STRICT_UTF8.decode(name)
  } catch {
    return decodePiecewise(name)
  }
}

function decodePiecewise(name: Uint8Array): string {
  let label = ''
  let at = 0
  while (at < name.length) {
    const length = sequenceLength(name, at)
    if (length === 0) {
      label += `%${name[at]!.toString(16).toUpperCase().padStart(2, '0')}`
      at += 1
    } else {
      label += STRICT_UTF8.decode(name.subarray(at, at + length))
      at += length
    }
  }
  return label
}

/** Length in bytes of the well-formed UTF-8 sequence at `at`, 0 when there is none. */
function sequenceLength(bytes: Uint8Array, at: number): number {
  for (const length of [1, 2, 3, 4]) {
    if (at + length > bytes.length) return 0
    try {
      if ([...STRICT_UTF8.decode(bytes.subarray(at, at + length))].length === 1) return length
    } catch {
      // Not complete with this many bytes: one more may complete it, four never fail to tell.
    }
  }
  return 0
}

/** What the operating system said, without paths of this machine. */
export function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const code = (error as NodeJS.ErrnoException).code
  switch (code) {
    case 'ENOENT':
      return 'no such file or folder'
    case 'EACCES':
    case 'EPERM':
      return 'reading it is not permitted'
    case 'EIO':
      return 'the medium could not be read (input/output error)'
    case 'ELOOP':
      return 'a link where a file was'
    case undefined:
      return error.message
    default:
      return `could not be read (${code})`
  }
}
