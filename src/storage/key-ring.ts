import { hkdfSync, randomBytes } from 'node:crypto'
import fs from 'node:fs'
import { dirname } from 'node:path'
import { ArchiveError } from '#errors.ts'
import { nodeDisk, systemCode } from './disk.ts'

const LINE = /^diptych-key 1 ([0-9a-f]{16}) ([A-Za-z0-9+/]{43}=)$/

/** The keys of a data directory: the newest encrypts, all of them decrypt. design.md section 7. */
export interface KeyRing {
  /** 16 hexadecimal digits; stands in what it encrypted. */
  readonly currentId: string
  /**
   * A key of 32 bytes for one use, derived from a key of the ring.
   * @throws ArchiveError 'configuration.invalid' when the key is not in the file any more
   */
  derive(id: string, salt: Uint8Array, purpose: string): Buffer
}

/**
 * Reads the key file, or makes one with a single random key (mode 0600, flushed) on the first start.
 *
 * One key per line: `diptych-key 1 <id> <base64>`. Rotation adds a line (`rotateKey`); a key may be removed once nothing
 * is encrypted with it. Losing the file loses what it encrypted: the backup says how to keep it.
 *
 * @throws ArchiveError 'configuration.invalid' when the file holds anything else
 */
export function openKeyRing(path: string): KeyRing {
  let text: string
  try {
    text = fs.readFileSync(path, 'utf8')
  } catch (error) {
    if (systemCode(error) !== 'ENOENT') throw error
    text = newLine()
    writeKeys(path, text)
  }
  const keys = new Map<string, Buffer>()
  let currentId = ''
  for (const line of text.split('\n')) {
    if (line.trim() === '' || line.startsWith('#')) continue
    const match = LINE.exec(line.trim())
    if (match === null) throw new ArchiveError('configuration.invalid', `${path} holds a line that is not a key`)
    currentId = match[1] ?? ''
    keys.set(currentId, Buffer.from(match[2] ?? '', 'base64'))
  }
  if (currentId === '') throw new ArchiveError('configuration.invalid', `${path} holds no key`)
  return {
    currentId,
    derive(id, salt, purpose) {
      const key = keys.get(id)
      if (key !== undefined) return Buffer.from(hkdfSync('sha256', key, salt, purpose, 32))
      throw new ArchiveError('configuration.invalid', `key ${id} is not in ${path}`, {
        hint: 'Put back the key file that belongs to this data directory.',
      })
    },
  }
}

/** Adds a key that encrypts from now on. @returns its id */
export function rotateKey(path: string): string {
  const line = newLine()
  const old = fs.readFileSync(path, 'utf8')
  writeKeys(path, `${old.endsWith('\n') ? old : `${old}\n`}${line}`)
  return LINE.exec(line.trim())?.[1] ?? ''
}

function newLine(): string {
  return `diptych-key 1 ${randomBytes(8).toString('hex')} ${randomBytes(32).toString('base64')}\n`
}

/** Whole or not at all: half a key file would lose everything the old one opened. */
function writeKeys(path: string, text: string): void {
  nodeDisk.makeDirectory(dirname(path))
  const fresh = `${path}.new`
  const fd = fs.openSync(fresh, 'w', 0o600)
  try {
    fs.writeSync(fd, text)
    fs.fsyncSync(fd)
  } finally {
    fs.closeSync(fd)
  }
  fs.renameSync(fresh, path)
  const directory = fs.openSync(dirname(path), 'r')
  try {
    fs.fsyncSync(directory)
  } finally {
    fs.closeSync(directory)
  }
}
