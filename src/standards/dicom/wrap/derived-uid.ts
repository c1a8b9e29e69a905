import { createHash } from 'node:crypto'
import { ConversionError } from './conversion-error.ts'

/** What a UID is made for; one original has one UID for each. */
export type UidPurpose = 'series' | 'instance' | 'frame-of-reference'

/**
 * The UID of something made from an original: always the same for the same study, bytes and purpose, and another one
 * when any of them differs. `2.25.` and the number of a UUID of version 8 (RFC 9562 section 5.8), filled from SHA-256.
 * PS3.5 section B.2.
 *
 * @param sha256 of the original, 64 hexadecimal digits
 * @param face which of several faces, e.g. `encapsulated-pdf`
 * @throws ConversionError `conversion.value` when the study UID or the digest is none
 */
export function derivedUid(studyInstanceUid: string, sha256: string, face: string, purpose: UidPurpose): string {
  if (!/^[0-9.]{1,64}$/.test(studyInstanceUid))
    throw new ConversionError('conversion.value', 'not a Study Instance UID')
  if (!/^[0-9a-f]{64}$/i.test(sha256)) throw new ConversionError('conversion.value', 'not a SHA-256 digest')
  const name = ['diptych second face', studyInstanceUid, sha256.toLowerCase(), face, purpose].join('\n')
  const digest = createHash('sha256').update(name).digest().subarray(0, 16)
  digest[6] = ((digest[6] ?? 0) & 0x0f) | 0x80
  digest[8] = ((digest[8] ?? 0) & 0x3f) | 0x80
  return `2.25.${BigInt(`0x${digest.toString('hex')}`)}`
}
