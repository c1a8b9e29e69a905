import { constants } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import type { ArrivedBytes } from '#model/arrival.ts'
import { ArrivalBuffer, type SpoolOptions, SpoolWriter } from '#storage/spool.ts'

/** Up to here a file travels as one buffer; above, it is copied to the spool piece by piece. Bytes. */
export const WHOLE_BYTES_MAX = 4 * 1024 * 1024
const CHUNK_BYTES = 1024 * 1024
/** Enough to tell a container from an object. */
const HEAD_BYTES = 4096

/** Where large arrivals are copied to, and how large they may be. */
export interface Spool extends SpoolOptions {
  readonly directory: string
}

/** A regular file, open, with its first bytes looked at. */
export interface OpenedFile {
  readonly handle: FileHandle
  readonly sizeBytes: number
  /** The whole file up to 4 MiB, else its first bytes. */
  readonly head: Uint8Array
  /** `zip` when its members are to be imported instead of the file. */
  readonly container: 'zip' | null
  close(): Promise<void>
}

/**
 * Opens what the walk found. Anything but a regular file is refused without waiting, should it have been swapped
 * since it was listed.
 * @throws the operating system's error
 */
export async function openFile(path: Buffer): Promise<OpenedFile> {
  const handle = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK)
  try {
    const status = await handle.stat()
    if (!status.isFile()) throw new Error('is no longer a regular file')
    const wanted = status.size <= WHOLE_BYTES_MAX ? status.size : HEAD_BYTES
    const head = await readUpTo(handle, 0, wanted)
    return {
      handle,
      sizeBytes: status.size,
      head,
      container: isZipContainer(head) ? 'zip' : null,
      close: () => handle.close(),
    }
  } catch (error) {
    await handle.close()
    throw error
  }
}

/**
 * Takes the bytes for their walk: in memory up to 4 MiB, else copied to the spool.
 * @throws ArchiveError from the spool (`storage.full`, `request.too-large`); the operating system's error
 */
export async function loadFile(file: OpenedFile, into: Spool): Promise<ArrivedBytes> {
  if (file.sizeBytes <= WHOLE_BYTES_MAX) return { in: 'memory', bytes: file.head }
  const writer = new SpoolWriter(into.directory, into)
  const chunk = new Uint8Array(CHUNK_BYTES) // one for the whole file: memory does not grow with it
  try {
    for (let at = 0; ; ) {
      const { bytesRead } = await file.handle.read(chunk, 0, CHUNK_BYTES, at)
      if (bytesRead === 0) return await writer.finish()
      await writer.write(chunk.subarray(0, bytesRead))
      at += bytesRead
    }
  } catch (error) {
    await writer.abort()
    throw error
  }
}

/** Gathers bytes that come in pieces: the members of a container. */
export async function spool(chunks: AsyncIterable<Uint8Array>, into: Spool): Promise<ArrivedBytes> {
  const buffer = new ArrivalBuffer(into.directory, into)
  try {
    for await (const chunk of chunks) await buffer.write(chunk)
    return await buffer.finish()
  } catch (error) {
    await buffer.discard()
    throw error
  }
}

/** In a buffer of its own, because it is handed over to another thread. */
async function readUpTo(handle: FileHandle, position: number, length: number): Promise<Uint8Array> {
  const buffer = new Uint8Array(length)
  let filled = 0
  while (filled < length) {
    const { bytesRead } = await handle.read(buffer, filled, length - filled, position + filled)
    if (bytesRead === 0) return buffer.slice(0, filled) // shorter than it said: judged as what it is
    filled += bytesRead
  }
  return buffer
}

const LOCAL_HEADER_BYTES = 30
/** First members of formats that only use ZIP as their wrapper: Office, OpenDocument and EPUB, Java. */
const DOCUMENT_MEMBERS = ['[Content_Types].xml', 'mimetype', '_rels/', 'META-INF/']

/**
 * True for a ZIP whose members are the objects: it starts with a member or is empty, is no Part 10 file with a ZIP
 * in its preamble (rule P3 judges that one), and is no document format.
 */
export function isZipContainer(head: Uint8Array): boolean {
  if (head.byteLength < 22 || head[0] !== 0x50 || head[1] !== 0x4b) return false
  const prefix = head.byteLength >= 132 ? Buffer.from(head.subarray(128, 132)).toString('latin1') : ''
  if (prefix === 'DICM') return false
  if (head[2] === 0x05 && head[3] === 0x06) return true
  if (head[2] !== 0x03 || head[3] !== 0x04 || head.byteLength < LOCAL_HEADER_BYTES) return false
  const nameLength = head[26]! | (head[27]! << 8)
  const name = Buffer.from(head.subarray(LOCAL_HEADER_BYTES, LOCAL_HEADER_BYTES + nameLength)).toString('latin1')
  return !DOCUMENT_MEMBERS.some((member) => (member.endsWith('/') ? name.startsWith(member) : name === member))
}
