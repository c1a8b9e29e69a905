import { argon2, randomBytes } from 'node:crypto'
import { promisify } from 'node:util'
import { ArchiveError } from '#errors.ts'
import { sameBytes } from './secrets.ts'

/**
 * argon2id (RFC 9106) with 19 MiB, 2 passes, 1 lane: the least that OWASP's password storage sheet recommends; about
 * 40 ms of one core. Written into each hash, so that it can be raised later: an old hash still verifies.
 */
const MEMORY_KIB = 19_456
const PASSES = 2
const LANES = 1
const TAG_BYTES = 32
const SALT_BYTES = 16

/** Length of a password, in characters. NIST SP 800-63B-4 section 3.1.1: length, no composition rules. */
export const PASSWORD_MIN = 12
export const PASSWORD_MAX = 256

const derive = promisify(argon2)

/** At most this many derivations at once, and this many waiting: sign-in must not eat the memory of the archive. */
const AT_ONCE = 2
const WAITING = 32
let running = 0
const queue: (() => void)[] = []

async function inTurn<T>(work: () => Promise<T>): Promise<T> {
  if (running >= AT_ONCE) {
    if (queue.length >= WAITING) throw new ArchiveError('request.too-many', 'too many sign-ins at once')
    await new Promise<void>((resolve) => queue.push(resolve))
  } else {
    running += 1
  }
  try {
    return await work()
  } finally {
    // A waiter takes over this place, so the count stays.
    const next = queue.shift()
    if (next === undefined) running -= 1
    else next()
  }
}

/**
 * @throws ArchiveError 'request.malformed' saying what is wrong with the password, never repeating it
 */
export function checkPassword(password: string, account: string): void {
  const length = [...password].length
  const wrong = (why: string) => new ArchiveError('request.malformed', `password: ${why}`)
  if (length < PASSWORD_MIN) throw wrong(`at least ${PASSWORD_MIN} characters`)
  if (length > PASSWORD_MAX) throw wrong(`at most ${PASSWORD_MAX} characters`)
  if (new Set(password).size < 5) throw wrong('at least 5 different characters')
  if (password.toLowerCase().includes(account.toLowerCase())) throw wrong('must not contain the account name')
}

/** @returns a PHC string: `$argon2id$v=19$m=...,t=...,p=...$salt$hash` */
export async function hashPassword(password: string): Promise<string> {
  const nonce = randomBytes(SALT_BYTES)
  const hash = await inTurn(() =>
    derive('argon2id', {
      message: password.normalize('NFKC'),
      nonce,
      memory: MEMORY_KIB,
      passes: PASSES,
      parallelism: LANES,
      tagLength: TAG_BYTES,
    }),
  )
  return `$argon2id$v=19$m=${MEMORY_KIB},t=${PASSES},p=${LANES}$${base64(nonce)}$${base64(hash)}`
}

const PHC = /^\$argon2id\$v=19\$m=(\d{1,7}),t=(\d{1,3}),p=(\d{1,2})\$([A-Za-z0-9+/]{11,86})\$([A-Za-z0-9+/]{22,86})$/

/**
 * @returns false for a wrong password. Takes the same time when `phc` is undefined (no such account), so that
 * accounts cannot be told apart.
 */
export async function verifyPassword(password: string, phc: string | undefined): Promise<boolean> {
  const [, memory, passes, lanes, salt, tag] = (phc === undefined ? null : PHC.exec(phc)) ?? []
  const expected = Buffer.from(tag ?? '', 'base64')
  if ([...password].length > PASSWORD_MAX) return false
  const hash = await inTurn(() =>
    derive('argon2id', {
      message: password.normalize('NFKC'),
      nonce: salt === undefined ? Buffer.alloc(SALT_BYTES) : Buffer.from(salt, 'base64'),
      memory: memory === undefined ? MEMORY_KIB : Number(memory),
      passes: passes === undefined ? PASSES : Number(passes),
      parallelism: lanes === undefined ? LANES : Number(lanes),
      tagLength: expected.byteLength || TAG_BYTES,
    }),
  )
  return expected.byteLength > 0 && sameBytes(hash, expected)
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('base64').replace(/=+$/, '')
}
