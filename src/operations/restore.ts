import { createDecipheriv } from 'node:crypto'
import fs from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { ArchiveError } from '#errors.ts'
import { nodeDisk, systemCode, writeFailure } from '#storage/disk.ts'
import {
  type BackupManifest,
  copyFile,
  KEY_NAME,
  MANIFEST_NAME,
  mustBeEmpty,
  passphraseKey,
  SEALED_KEY_NAME,
  writeFlushed,
} from './backup.ts'

export interface RestoreOptions {
  readonly from: string
  /** An empty or absent directory. */
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
 * it compares every object with the index.
 *
 * @throws ArchiveError 'request.conflict' (directory not empty), 'storage.damaged' (the backup is incomplete or changed),
 *   'archive.newer', 'request.malformed' (passphrase)
 */
export async function restore(options: RestoreOptions): Promise<RestoreSummary> {
  const { from, data } = options
  const manifest = await readManifest(from)
  await mustBeEmpty(data)
  let bytes = 0
  let files = 0
  try {
    for (const folder of ['segments', 'quarantine', 'keys']) await fs.mkdir(join(data, folder), { mode: 0o700 })
    for (const file of manifest.files) {
      options.signal?.throwIfAborted()
      if (!PATHS.test(file.path)) throw damaged(`it names a file that is none of an archive: ${file.path}`)
      const copied = await copyFile(from, data, file.path)
      if (copied?.sha256 !== file.sha256) throw damaged(`${file.path} is not as it was written`)
      bytes += copied.bytes
      files++
      options.onProgress?.({ files, filesTotal: manifest.files.length, bytes })
    }
    const keyRestored = manifest.keys === 'encrypted' && options.passphrase !== undefined
    if (options.passphrase !== undefined && keyRestored) await openKey(from, data, options.passphrase)
    for (const folder of ['segments', 'quarantine', 'keys', '.']) await nodeDisk.flushDirectory(join(data, folder))
    await nodeDisk.flushDirectory(dirname(join(data, '.')))
    return { files, bytes, time: manifest.time, keyRestored }
  } catch (error) {
    throw systemCode(error) === '' ? error : writeFailure(error, 'the restored archive')
  }
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
  await writeFlushed(join(data, KEY_NAME), key)
}

function damaged(detail: string, cause?: unknown): ArchiveError {
  return new ArchiveError('storage.damaged', `backup: ${detail}`, { cause })
}
