import { createHash, randomBytes } from 'node:crypto'
import fs from 'node:fs/promises'
import { join } from 'node:path'
import { ArchiveError } from '#errors.ts'
import type { ByteSource } from '#standards/byte-source.ts'
import { nodeDisk, systemCode, writeFailure } from '#storage/disk.ts'
import type { KeyRing } from '#storage/key-ring.ts'
import { zipStream } from '#storage/zip-writer.ts'
import { CHUNK_BYTES, plainLength, Sealer, unseal } from './sealed.ts'

/** Password of exported containers: the usual one for suspicious files. It keeps programs out, not people. */
export const CONTAINER_PASSWORD = 'infected'

/** Originals of what is held, encrypted, apart from the archive, keyed by the SHA-256 of the bytes as they arrived. */
export interface Vault {
  /**
   * Keeps an original; the same bytes are kept once. Flushed when it resolves.
   * @throws ArchiveError 'storage.full', 'storage.read-only', 'archive.failed'
   */
  seal(sha256: string, source: ByteSource): Promise<void>
  /** Length of the original in bytes; undefined when it is not (any more) here. */
  size(sha256: string): Promise<number | undefined>
  /**
   * The original, authenticated piece by piece and compared with its digest at the end.
   * @throws ArchiveError 'request.not-found', 'storage.damaged', 'configuration.invalid' (key missing)
   */
  read(sha256: string): AsyncGenerator<Uint8Array>
  /** The original within a ZIP with AES-256 (WinZip AE-2), named by its digest. Throws as `read`. */
  container(sha256: string, password?: string): AsyncGenerator<Uint8Array>
  /** Every original here, with the instant it was kept. */
  list(): AsyncGenerator<{ readonly sha256: string; readonly since: Date }>
  remove(sha256: string): Promise<void>
}

export function openVault(directory: string, keys: KeyRing): Vault {
  nodeDisk.makeDirectory(directory)
  // What a process that ended had half encrypted was never acknowledged.
  for (const name of nodeDisk.list(directory)) if (name.endsWith('.part')) nodeDisk.unlink(join(directory, name))
  const pathOf = (sha256: string): string => {
    if (!/^[0-9a-f]{64}$/.test(sha256)) throw new RangeError('not a hexadecimal SHA-256')
    return join(directory, `${sha256}.enc`)
  }
  const length = async (sha256: string): Promise<number | undefined> => {
    try {
      return (await fs.stat(pathOf(sha256))).size
    } catch (error) {
      if (systemCode(error) === 'ENOENT') return undefined
      throw error
    }
  }

  const vault: Vault = {
    async seal(sha256, source) {
      if ((await length(sha256)) !== undefined) return
      const fresh = join(directory, `${randomBytes(8).toString('hex')}.part`)
      try {
        await writeSealed(fresh, keys, source)
        nodeDisk.rename(fresh, pathOf(sha256))
      } catch (error) {
        await fs.rm(fresh, { force: true })
        throw writeFailure(error, 'a quarantined original')
      }
      await flushed(() => nodeDisk.flushDirectory(directory))
    },
    async size(sha256) {
      const sealed = await length(sha256)
      return sealed === undefined ? undefined : plainLength(sealed)
    },
    async *read(sha256) {
      const sealed = await length(sha256)
      if (sealed === undefined) throw new ArchiveError('request.not-found', 'this original is not kept any more')
      const file = await fs.open(pathOf(sha256), 'r')
      const hash = createHash('sha256')
      try {
        const pieces = unseal(keys, sealed, async (at, bytes) => {
          const buffer = Buffer.allocUnsafeSlow(bytes)
          const { bytesRead } = await file.read(buffer, 0, bytes, at)
          return buffer.subarray(0, bytesRead)
        })
        for await (const piece of pieces) {
          hash.update(piece)
          yield piece
        }
      } finally {
        await file.close()
      }
      if (hash.digest('hex') !== sha256) {
        throw new ArchiveError('storage.damaged', 'a quarantined original does not have its digest')
      }
    },
    async *container(sha256, password = CONTAINER_PASSWORD) {
      const size = await vault.size(sha256)
      if (size === undefined) throw new ArchiveError('request.not-found', 'this original is not kept any more')
      const content = vault.read(sha256)
      yield* zipStream([{ name: `${sha256}.bin`, size, time: new Date(), content }], { password })
    },
    async *list() {
      for (const name of nodeDisk.list(directory)) {
        if (!/^[0-9a-f]{64}\.enc$/.test(name)) continue
        yield { sha256: name.slice(0, 64), since: (await fs.stat(join(directory, name))).mtime }
      }
    },
    async remove(sha256) {
      await fs.rm(pathOf(sha256), { force: true })
      await flushed(() => nodeDisk.flushDirectory(directory))
    },
  }
  return vault
}

async function writeSealed(path: string, keys: KeyRing, source: ByteSource): Promise<void> {
  const sealer = new Sealer(keys)
  const file = nodeDisk.open(path, 'create')
  try {
    file.write([sealer.header], 0)
    let at = sealer.header.byteLength
    for (let from = 0; from < source.size || from === 0; from += CHUNK_BYTES) {
      const to = Math.min(from + CHUNK_BYTES, source.size)
      const sealed = sealer.chunk(source.read(from, to), to === source.size)
      file.write([sealed], at)
      at += sealed.byteLength
      // Others have their turn while a large one is encrypted.
      await new Promise<void>((resolve) => setImmediate(resolve))
    }
    await flushed(() => file.flush())
  } finally {
    file.close()
  }
}

async function flushed(flush: () => Promise<void>): Promise<void> {
  try {
    await flush()
  } catch (error) {
    throw new ArchiveError('storage.read-only', 'the quarantine could not be flushed', { cause: error })
  }
}
