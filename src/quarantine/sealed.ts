import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto'
import { ArchiveError } from '#errors.ts'
import type { KeyRing } from '#storage/key-ring.ts'

/** Plain bytes per chunk: what is in memory while a file of any size is encrypted or read. */
export const CHUNK_BYTES = 1024 * 1024

/**
 * The form of an encrypted original. All numbers big-endian.
 *
 *     0   8  'DPTQSEAL'
 *     8   1  format, 1
 *     12  4  plain bytes per chunk
 *     16  16 id of the key in keys/key, hexadecimal
 *     32  32 salt: the key of this file is HKDF-SHA256(key, salt, purpose)
 *     64     chunks: AES-256-GCM ciphertext, then its tag of 16 bytes
 *
 * The nonce of a chunk is its number and whether it is the last one, so chunks can be neither swapped nor cut off; the
 * header is authenticated with each of them.
 */
export const SEALED_HEADER_BYTES = 64

const MAGIC = 'DPTQSEAL'
const TAG_BYTES = 16
const PURPOSE = 'diptych quarantine 1'

/** Encrypts chunks as they come. Every chunk but the last has CHUNK_BYTES. */
export class Sealer {
  readonly header: Buffer
  readonly #key: Buffer
  #number = 0

  constructor(keys: KeyRing) {
    const salt = randomBytes(32)
    this.header = Buffer.alloc(SEALED_HEADER_BYTES)
    this.header.write(MAGIC, 0, 'latin1')
    this.header[8] = 1
    this.header.writeUInt32BE(CHUNK_BYTES, 12)
    this.header.write(keys.currentId, 16, 'latin1')
    salt.copy(this.header, 32)
    this.#key = keys.derive(keys.currentId, salt, PURPOSE)
  }

  chunk(plain: Uint8Array, last: boolean): Buffer {
    if (plain.byteLength > CHUNK_BYTES || (!last && plain.byteLength !== CHUNK_BYTES)) {
      throw new RangeError(`a chunk of ${plain.byteLength} bytes`)
    }
    const cipher = createCipheriv('aes-256-gcm', this.#key, nonce(this.#number++, last))
    cipher.setAAD(this.header)
    return Buffer.concat([cipher.update(plain), cipher.final(), cipher.getAuthTag()])
  }
}

/** Length of the plain bytes in an encrypted file of this length. */
export function plainLength(sealedLength: number): number {
  const body = sealedLength - SEALED_HEADER_BYTES
  const chunks = Math.max(1, Math.ceil(body / (CHUNK_BYTES + TAG_BYTES)))
  return body - chunks * TAG_BYTES
}

/**
 * Decrypts, chunk by chunk; every byte that is yielded was authenticated.
 * @param read bytes of the encrypted file; fewer at its end
 * @throws ArchiveError 'storage.damaged' when anything was changed or cut off, 'configuration.invalid' without the key
 */
export async function* unseal(
  keys: KeyRing,
  length: number,
  read: (at: number, bytes: number) => Promise<Uint8Array>,
): AsyncGenerator<Uint8Array> {
  const header = Buffer.from(await read(0, SEALED_HEADER_BYTES))
  const damaged = (cause?: unknown) =>
    new ArchiveError('storage.damaged', 'a quarantined original was changed or cut off', { cause })
  if (header.byteLength !== SEALED_HEADER_BYTES || header.toString('latin1', 0, 8) !== MAGIC) throw damaged()
  if (header[8] !== 1) throw new ArchiveError('archive.newer', `quarantined original of format ${header[8]}`)
  if (header.readUInt32BE(12) !== CHUNK_BYTES) throw damaged()
  const key = keys.derive(header.toString('latin1', 16, 32), header.subarray(32, 64), PURPOSE)
  const step = CHUNK_BYTES + TAG_BYTES
  for (let at = SEALED_HEADER_BYTES, number = 0, last = false; !last; at += step, number++) {
    last = at + step >= length
    const chunk = await read(at, Math.min(step, length - at))
    if (chunk.byteLength < TAG_BYTES) throw damaged()
    const decipher = createDecipheriv('aes-256-gcm', key, nonce(number, last))
    decipher.setAAD(header)
    decipher.setAuthTag(chunk.subarray(chunk.byteLength - TAG_BYTES))
    let plain: Buffer
    try {
      plain = Buffer.concat([decipher.update(chunk.subarray(0, chunk.byteLength - TAG_BYTES)), decipher.final()])
    } catch (error) {
      throw damaged(error)
    }
    yield plain
  }
}

function nonce(number: number, last: boolean): Buffer {
  const bytes = Buffer.alloc(12)
  bytes.writeUInt32BE(number, 7)
  bytes[11] = last ? 1 : 0
  return bytes
}
