import { createHash, randomBytes, timingSafeEqual } from 'node:crypto'

/** 32 random bytes: nothing that is shorter than 256 bits is ever guessed for. */
const SECRET_BYTES = 32

/** A new secret as text (base64url, 43 characters). */
export function newSecret(): string {
  return randomBytes(SECRET_BYTES).toString('base64url')
}

/** What is kept of a random secret. A plain digest is enough: there is no dictionary of 256-bit values. */
export function hashSecret(secret: string): Buffer {
  return createHash('sha256').update(secret).digest()
}

/** Compares in constant time; lengths may differ. */
export function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.byteLength === b.byteLength && timingSafeEqual(a, b)
}

/** The CSRF token of a session: bound to its cookie, so that nothing more has to be kept. */
export function csrfOf(cookie: string): string {
  return createHash('sha256').update(`diptych csrf 1\n${cookie}`).digest('base64url')
}

/** A token as its owner holds it: `dpt_<public id>_<secret>`. */
export function formatToken(id: string, secret: string): string {
  return `dpt_${id}_${secret}`
}

const TOKEN = /^dpt_([0-9a-z]{16})_([A-Za-z0-9_-]{43})$/

/** @returns undefined when the text is not of a token's form */
export function parseToken(text: string): { readonly id: string; readonly secret: string } | undefined {
  const [, id, secret] = TOKEN.exec(text) ?? []
  return id === undefined || secret === undefined ? undefined : { id, secret }
}

const ALPHABET = '0123456789abcdefghjkmnpqrstvwxyz'

/** A public id: 16 characters of 5 bits. */
export function newId(): string {
  return Array.from(randomBytes(16), (byte) => ALPHABET[byte & 31]).join('')
}
