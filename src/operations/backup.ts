import { createCipheriv, createHash, randomBytes, scryptSync } from 'node:crypto'
import fs from 'node:fs/promises'
import { join } from 'node:path'
import { ArchiveError } from '#errors.ts'
import { nodeDisk, systemCode, writeFailure } from '#storage/disk.ts'

/** What stands in `backup.json`; written last, so a backup without it is not one. */
export interface BackupManifest {
  readonly format: 1
  /** Everything acknowledged before this instant is in it. */
  readonly time: string
  readonly files: readonly BackupFile[]
  /** `excluded`: quarantined originals can only be read with a copy of `keys/key` kept elsewhere. */
  readonly keys: 'excluded' | 'encrypted'
}

export interface BackupFile {
  /** Within the data directory, `/` as separator. */
  readonly path: string
  readonly bytes: number
  readonly sha256: string
}

export interface BackupTools {
  readonly dataDirectory: string
  /** Writes a consistent copy of the index database while it is in use (SQLite: `vacuum into`). */
  snapshot(path: string): void | Promise<void>
  /** What that copy says: how far segments are flushed, and which ones hold objects. */
  readSnapshot(path: string): {
    readonly flushed: readonly { readonly segment: string; readonly offset: number }[]
    readonly segments: readonly string[]
  }
  onProgress?(done: { readonly files: number; readonly filesTotal: number; readonly bytes: number }): void
  readonly signal?: AbortSignal
}

export interface BackupOptions {
  /** An empty or absent directory. */
  readonly out: string
  /** Puts the key file into the backup, encrypted with this passphrase. Without it the key stays out. */
  readonly passphrase?: string
  /** Sealed segments become hard links where the volume allows: quick, but not a second copy of the bytes. */
  readonly link?: boolean
}

export const MANIFEST_NAME = 'backup.json'
export const KEY_NAME = 'keys/key'
export const SEALED_KEY_NAME = 'key.sealed'
export const DATABASE_NAME = 'diptych.db'
/** Stands in a data directory until its restore is done. */
export const RESTORING_NAME = 'restoring'

const PIECE_BYTES = 4 * 1024 * 1024
const TRAILER_BYTES = 1024

/**
 * Makes a backup while the archive is in use: first the index as it is at one instant, then exactly the bytes it names.
 * Segments only grow, so what the index named then is still there now; compaction must not run meanwhile.
 *
 * @throws ArchiveError 'request.conflict' when the directory is not empty, 'storage.full', 'storage.damaged'
 */
export async function backup(tools: BackupTools, options: BackupOptions): Promise<BackupManifest> {
  const { out } = options
  await mustBeEmpty(out)
  const time = new Date().toISOString()
  const files: BackupFile[] = []
  try {
    for (const folder of ['segments', 'quarantine']) await fs.mkdir(join(out, folder), { recursive: true, mode: 0o700 })
    const copied = await copyConsistent(tools, options)
    files.push(...copied.values())
    if (options.passphrase !== undefined) await sealKey(tools.dataDirectory, out, options.passphrase)
    const manifest: BackupManifest = {
      format: 1,
      time,
      files,
      keys: options.passphrase === undefined ? 'excluded' : 'encrypted',
    }
    await writeFlushed(join(out, MANIFEST_NAME), Buffer.from(`${JSON.stringify(manifest, null, 1)}\n`))
    for (const folder of ['segments', 'quarantine', '.']) await nodeDisk.flushDirectory(join(out, folder))
    return manifest
  } catch (error) {
    throw systemCode(error) === '' ? error : writeFailure(error, 'the backup')
  }
}

/** A sentence for a person about the key. */
export function aboutKeys({ keys }: Pick<BackupManifest, 'keys'>): string {
  return keys === 'encrypted'
    ? 'The key file is in the backup, encrypted with your passphrase.'
    : 'The key file keys/key is NOT in the backup: keep a copy of it elsewhere. Without it quarantined originals are lost; stored objects are not affected.'
}

/** @throws ArchiveError 'request.conflict' */
export async function mustBeEmpty(directory: string, besides: ReadonlySet<string> = new Set()): Promise<void> {
  let names: string[]
  try {
    names = await fs.readdir(directory)
  } catch (error) {
    if (systemCode(error) !== 'ENOENT') throw error
    await fs.mkdir(directory, { recursive: true, mode: 0o700 })
    return
  }
  if (names.some((name) => !besides.has(name))) throw new ArchiveError('request.conflict', `${directory} is not empty`)
}

/** Compaction may take a segment away between the snapshot and its copy: then a newer snapshot knows the new places. */
const ATTEMPTS = 3

/** The index as it is at one instant, and every file it names, by path. */
async function copyConsistent(tools: BackupTools, options: BackupOptions): Promise<ReadonlyMap<string, BackupFile>> {
  const copy = join(options.out, DATABASE_NAME)
  const done = new Map<string, BackupFile>()
  for (let attempt = 1; ; attempt++) {
    await fs.rm(copy, { force: true })
    await tools.snapshot(copy)
    const { flushed, segments } = tools.readSnapshot(copy)
    // Reading it leaves an empty log beside it, which the backup does not name.
    for (const end of ['-wal', '-shm']) await fs.rm(`${copy}${end}`, { force: true })
    await fs.chmod(copy, 0o600)
    const wanted = new Map<string, BackupFile>()
    const positions = new Map(flushed.map(({ segment, offset }) => [segment, offset]))
    const names = [...new Set([...segments, ...positions.keys()])].sort()
    const originals = await originalsOf(tools.dataDirectory)
    const filesTotal = names.length + originals.length + 1
    let bytes = 0
    const keep = (file: BackupFile | null) => {
      if (file === null) return
      wanted.set(file.path, file)
      done.set(file.path, file)
      bytes += file.bytes
      tools.onProgress?.({ files: wanted.size, filesTotal, bytes })
    }
    keep(await described(options.out, DATABASE_NAME))
    try {
      for (const name of names) {
        tools.signal?.throwIfAborted()
        keep(await copySegment(tools.dataDirectory, name, positions.get(name), options, done.get(`segments/${name}`)))
      }
    } catch (error) {
      if (!(error instanceof SegmentGone) || attempt === ATTEMPTS) throw error
      continue
    }
    for (const name of originals) {
      tools.signal?.throwIfAborted()
      const path = `quarantine/${name}`
      keep(done.get(path) ?? (await copyFile(tools.dataDirectory, options.out, path)))
    }
    for (const path of done.keys()) if (!wanted.has(path)) await fs.rm(join(options.out, path))
    return wanted
  }
}

class SegmentGone extends ArchiveError {
  constructor(name: string) {
    super('storage.damaged', `segment ${name} is not there; verify says what is lost`)
  }
}

async function originalsOf(dataDirectory: string): Promise<readonly string[]> {
  try {
    return (await fs.readdir(join(dataDirectory, 'quarantine'))).filter((name) => name.endsWith('.enc')).sort()
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return []
    throw error
  }
}

/** Of the segment being appended to only what the snapshot knows; of the others everything. */
async function copySegment(
  dataDirectory: string,
  name: string,
  flushed: number | undefined,
  { out, link }: BackupOptions,
  before: BackupFile | undefined,
): Promise<BackupFile | null> {
  const path = `segments/${name}`
  const from = join(dataDirectory, path)
  let length: number
  try {
    length = (await fs.stat(from)).size
  } catch (error) {
    if (systemCode(error) !== 'ENOENT') throw error
    throw new SegmentGone(name)
  }
  if (flushed !== undefined && length < flushed) {
    throw new ArchiveError('storage.damaged', `segment ${name} is shorter than what was acknowledged`)
  }
  const whole = flushed === undefined || length <= flushed + TRAILER_BYTES
  if (before?.bytes === (whole ? length : flushed)) return before
  if (before !== undefined) await fs.rm(join(out, path))
  if (whole && link === true) {
    try {
      await fs.link(from, join(out, path))
      return await described(out, path)
    } catch (error) {
      if (systemCode(error) !== 'EXDEV' && systemCode(error) !== 'EPERM') throw error
    }
  }
  return copyFile(dataDirectory, out, path, whole ? length : flushed)
}

/** Copies, flushes and digests in one pass. @returns null when the file has gone meanwhile (an original was purged) */
export async function copyFile(
  fromDirectory: string,
  toDirectory: string,
  path: string,
  length = Number.POSITIVE_INFINITY,
): Promise<BackupFile | null> {
  let from: fs.FileHandle
  try {
    from = await fs.open(join(fromDirectory, path), 'r')
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return null
    throw error
  }
  try {
    const to = await fs.open(join(toDirectory, path), 'wx', 0o600)
    try {
      const hash = createHash('sha256')
      const buffer = Buffer.allocUnsafe(PIECE_BYTES)
      let at = 0
      while (at < length) {
        const { bytesRead } = await from.read(buffer, 0, Math.min(buffer.byteLength, length - at), at)
        if (bytesRead === 0) break
        const piece = buffer.subarray(0, bytesRead)
        hash.update(piece)
        await to.write(piece, 0, bytesRead, at)
        at += bytesRead
      }
      await to.datasync()
      return { path, bytes: at, sha256: hash.digest('hex') }
    } finally {
      await to.close()
    }
  } finally {
    await from.close()
  }
}

export async function described(directory: string, path: string): Promise<BackupFile> {
  const file = await fs.open(join(directory, path), 'r+')
  try {
    const hash = createHash('sha256')
    let bytes = 0
    for await (const piece of file.createReadStream({ autoClose: false, highWaterMark: PIECE_BYTES })) {
      hash.update(piece)
      bytes += piece.byteLength
    }
    await file.datasync()
    return { path, bytes, sha256: hash.digest('hex') }
  } finally {
    await file.close()
  }
}

/** AES-256-GCM under scrypt(passphrase): JSON, so that it can be opened without us. */
async function sealKey(dataDirectory: string, out: string, passphrase: string): Promise<void> {
  const key = await fs.readFile(join(dataDirectory, KEY_NAME))
  const [salt, nonce] = [randomBytes(16), randomBytes(12)]
  const cipher = createCipheriv('aes-256-gcm', passphraseKey(passphrase, salt), nonce)
  const text = Buffer.concat([cipher.update(key), cipher.final()])
  const sealed = {
    format: 1,
    kdf: 'scrypt N=131072 r=8 p=1',
    salt: salt.toString('base64'),
    nonce: nonce.toString('base64'),
    tag: cipher.getAuthTag().toString('base64'),
    ciphertext: text.toString('base64'),
  }
  await writeFlushed(join(out, SEALED_KEY_NAME), Buffer.from(`${JSON.stringify(sealed, null, 1)}\n`))
}

export function passphraseKey(passphrase: string, salt: Uint8Array): Buffer {
  return scryptSync(passphrase.normalize('NFC'), salt, 32, { N: 131_072, r: 8, p: 1, maxmem: 256 * 1024 * 1024 })
}

export async function writeFlushed(path: string, bytes: Uint8Array): Promise<void> {
  const file = await fs.open(path, 'wx', 0o600)
  try {
    await file.writeFile(bytes)
    await file.sync()
  } finally {
    await file.close()
  }
}
