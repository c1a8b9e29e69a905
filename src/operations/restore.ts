import { createDecipheriv, createHash } from 'node:crypto'
import fs from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { ArchiveError } from '#errors.ts'
import { nodeDisk, systemCode, writeFailure } from '#storage/disk.ts'
import {
  type BackupFile,
  type BackupManifest,
  copyFile,
  DATABASE_NAME,
  described,
  KEY_NAME,
  MANIFEST_NAME,
  mustBeEmpty,
  passphraseKey,
  RESTORING_NAME,
  SEALED_KEY_NAME,
  writeFlushed,
} from './backup.ts'

export interface RestoreOptions {
  readonly from: string
  /** An empty or absent directory, or one in which a restore of the same backup was interrupted. */
  readonly data: string
  /** Opens the key file that is in the backup; without it the key is to be put back by hand. */
  readonly passphrase?: string
  onProgress?(done: { readonly files: number; readonly filesTotal: number; readonly bytes: number }): void
  readonly signal?: AbortSignal
}

export interface RestoreSummary {
  readonly files: number
  readonly bytes: number
  /** Instant the backup was taken. */
  readonly time: string
  readonly keyRestored: boolean
}

const PATHS = /^(diptych\.db|segments\/[0-9]{6,15}\.tar|quarantine\/[0-9a-f]{64}\.enc)$/

/**
 * Restores a backup into an empty directory, comparing every file with its digest while it is copied. Then run verify:
 * it compares every object with the index. Until it is done a file `restoring` stands in the directory, and nobody opens
 * it; interrupted, it goes on where it was.
 *
 * @throws ArchiveError 'request.conflict' (directory not empty), 'storage.damaged' (the backup is incomplete or changed),
 *   'archive.newer', 'request.malformed' (passphrase)
 */
export async function restore(options: RestoreOptions): Promise<RestoreSummary> {
  const { from, data } = options
  const manifest = await readManifest(from)
  const id = createHash('sha256').update(JSON.stringify(manifest)).digest('hex')
  const resumed = await isBegun(data, id)
  let bytes = 0
  let files = 0
  try {
    if (!resumed) await begin(data, id)
    for (const folder of FOLDERS) await fs.mkdir(join(data, folder), { mode: 0o700, recursive: true })
    // The index last: it names what must be there by then.
    for (const file of manifest.files.toSorted(
      (a, b) => Number(a.path === DATABASE_NAME) - Number(b.path === DATABASE_NAME),
    )) {
      options.signal?.throwIfAborted()
      if (!PATHS.test(file.path)) throw damaged(`it names a file that is none of an archive: ${file.path}`)
      const copied = (resumed ? await leftBefore(data, file) : null) ?? (await copyFile(from, data, file.path))
      if (copied?.sha256 !== file.sha256) throw damaged(`${file.path} is not as it was written`)
      bytes += copied.bytes
      files++
      options.onProgress?.({ files, filesTotal: manifest.files.length, bytes })
    }
    const keyRestored = manifest.keys === 'encrypted' && options.passphrase !== undefined
    if (options.passphrase !== undefined && keyRestored) await openKey(from, data, options.passphrase)
    for (const folder of [...FOLDERS, '.']) await nodeDisk.flushDirectory(join(data, folder))
    await fs.rm(join(data, RESTORING_NAME))
    await nodeDisk.flushDirectory(data)
    await nodeDisk.flushDirectory(dirname(join(data, '.')))
    return { files, bytes, time: manifest.time, keyRestored }
  } catch (error) {
    throw systemCode(error) === '' ? error : writeFailure(error, 'the restored archive')
  }
}

const FOLDERS = ['segments', 'quarantine', 'keys'] as const
/** What may stand in an empty directory: the lock, and the socket of a process that ended. */
const OURS: ReadonlySet<string> = new Set(['lock', 'lock-journal', 'socket'])

/**
 * @returns true when a restore of this backup was begun in the directory
 * @throws ArchiveError 'request.conflict' when it holds anything else
 */
async function isBegun(data: string, id: string): Promise<boolean> {
  let marker: string
  try {
    marker = await fs.readFile(join(data, RESTORING_NAME), 'utf8')
  } catch (error) {
    if (systemCode(error) !== 'ENOENT') throw error
    await mustBeEmpty(data, OURS)
    return false
  }
  if (marker.trim() === id || marker.trim() === '') return true
  throw new ArchiveError('request.conflict', `in ${data} the restore of another backup was begun`, {
    hint: 'Repeat it with that backup, or begin in an empty directory.',
  })
}

async function begin(data: string, id: string): Promise<void> {
  await writeFlushed(join(data, RESTORING_NAME), Buffer.from(`${id}\n`))
  await nodeDisk.flushDirectory(data)
}

/** @returns null when the file is not there or not whole; then nothing of it is left */
async function leftBefore(data: string, { path, sha256 }: BackupFile): Promise<BackupFile | null> {
  try {
    const found = await described(data, path)
    if (found.sha256 === sha256) return found
  } catch (error) {
    if (systemCode(error) !== 'ENOENT') throw error
  }
  await fs.rm(join(data, path), { force: true })
  return null
}

/** @throws ArchiveError 'storage.damaged' when it is not a complete backup */
export async function readManifest(from: string): Promise<BackupManifest> {
  let manifest: unknown
  try {
    manifest = JSON.parse(await fs.readFile(join(from, MANIFEST_NAME), 'utf8'))
  } catch (error) {
    throw damaged(`${MANIFEST_NAME} cannot be read: it was not finished, or this is no backup`, error)
  }
  if (typeof manifest !== 'object' || manifest === null || !('format' in manifest) || !('files' in manifest)) {
    throw damaged(`${MANIFEST_NAME} is not a list of files`)
  }
  if (manifest.format !== 1) throw new ArchiveError('archive.newer', `a backup of format ${String(manifest.format)}`)
  if (!Array.isArray(manifest.files)) throw damaged(`${MANIFEST_NAME} is not a list of files`)
  return manifest as BackupManifest
}

async function openKey(from: string, data: string, passphrase: string): Promise<void> {
  const sealed = JSON.parse(await fs.readFile(join(from, SEALED_KEY_NAME), 'utf8')) as Record<string, string>
  const part = (name: string) => Buffer.from(sealed[name] ?? '', 'base64')
  const decipher = createDecipheriv('aes-256-gcm', passphraseKey(passphrase, part('salt')), part('nonce'))
  decipher.setAuthTag(part('tag'))
  let key: Buffer
  try {
    key = Buffer.concat([decipher.update(part('ciphertext')), decipher.final()])
  } catch (error) {
    throw new ArchiveError('request.malformed', 'the passphrase does not open the key of this backup', { cause: error })
  }
  await fs.rm(join(data, KEY_NAME), { force: true })
  await writeFlushed(join(data, KEY_NAME), key)
}

function damaged(detail: string, cause?: unknown): ArchiveError {
  return new ArchiveError('storage.damaged', `backup: ${detail}`, { cause })
}
