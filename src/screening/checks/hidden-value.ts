import zlib from 'node:zlib'
import type { ByteRange } from '#model/finding.ts'
import { type ByteSource, memorySource } from '#standards/byte-source.ts'
import { tagText } from '#standards/dicom/errors.ts'
import { type FoundSignature, findHidden, SIGNATURE_WINDOW_BYTES, withArticle } from '#standards/media/signatures.ts'
import type { Draft } from '../screened.ts'
import { type Rule, rule } from './rule.ts'

export const hiddenValueRules: readonly Rule[] = [
  rule(
    'B6',
    'threat catalogue 1.2; dicomlock 0.8.0 notes',
    'quarantine',
    ['quarantine', 'reject', 'sanitise', 'keep'],
    'A private, UN or OB value holds a program, an archive or a script in its first 4 KiB, whoever its private creator is.',
    'Hiding under an allow-listed vendor creator has defeated a disarm tool.',
  ),
  rule(
    'B10',
    'threat catalogue 1.2',
    'quarantine',
    ['quarantine', 'reject', 'sanitise', 'keep'],
    'Raw Data and other classes that may hold anything: as B6, in whole values.',
    'Nothing but the sender vouches for what such an object holds.',
  ),
]

const WHOLE_VALUE_BYTES_MAX = 256 * 1024 * 1024
const OVERLAP_BYTES = 64
const PEEK_BYTES = 4096

/**
 * Looks for something hidden in one value.
 *
 * A bare gzip stream is what vendors keep protocols in: it is unpacked for a look, and counts only when a program or an
 * archive is inside.
 *
 * @param whole search the whole value, not only its first 4 KiB
 * @param remove the element, where it may be cut out; only when a policy or a person says so
 */
export function checkHiddenValue(
  source: ByteSource,
  tag: number,
  start: number,
  end: number,
  weakAtStart: boolean,
  whole: boolean,
  remove?: ByteRange,
): Draft | null {
  let found = findHidden(source, start, end, weakAtStart)
  let rule = 'B6'
  if (found === null && whole) {
    found = searchWhole(source, start, end)
    rule = 'B10'
  }
  if (found === null) return null
  let detail = `the value holds ${withArticle(found.name)}`
  if (found.family === 'compressed') {
    const inner = insideCompressed(source, found.offset, end)
    if (inner === null) return null
    detail = `the value holds ${withArticle(found.name)} with ${withArticle(inner.name)} in it`
  }
  const draft: Draft = { rule, severity: 'quarantine', detail, offset: found.offset, tag: tagText(tag) }
  return remove === undefined ? draft : { ...draft, remove, removesElements: true }
}

function searchWhole(source: ByteSource, start: number, end: number): FoundSignature | null {
  const last = Math.min(end, start + WHOLE_VALUE_BYTES_MAX)
  const step = SIGNATURE_WINDOW_BYTES - OVERLAP_BYTES
  for (let at = start + step; at < last; at += step) {
    const found = findHidden(source, at, end, false)
    if (found !== null && found.family !== 'compressed' && found.family !== 'script') return found
  }
  return null
}

function insideCompressed(source: ByteSource, at: number, end: number): FoundSignature | null {
  const packed = Uint8Array.from(source.read(at, Math.min(end, at + PEEK_BYTES)))
  if (packed[0] !== 0x1f || packed[1] !== 0x8b) return null
  let content: Uint8Array
  try {
    // 4 KiB unpack to 4 MiB at the very most.
    content = zlib.gunzipSync(packed, { finishFlush: zlib.constants.Z_SYNC_FLUSH, maxOutputLength: 8 * 1024 * 1024 })
  } catch (thrown) {
    // Bytes that only begin like gzip are no hiding place.
    if (thrown instanceof Error && 'code' in thrown) return null
    throw thrown
  }
  const found = findHidden(memorySource(content), 0, content.byteLength)
  return found === null || found.family === 'compressed' ? null : found
}
