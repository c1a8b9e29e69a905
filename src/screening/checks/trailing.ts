import type { ByteSource } from '#standards/byte-source.ts'
import { findHidden, withArticle } from '#standards/media/signatures.ts'
import type { BodyFacts } from '../body-facts.ts'
import type { Draft } from '../screened.ts'
import { type Rule, rule } from './rule.ts'

const trailingSource = 'threat catalogue 1.2'

export const trailingRules: readonly Rule[] = [
  rule(
    'B1',
    trailingSource,
    'sanitise',
    ['sanitise', 'quarantine', 'reject'],
    'Up to 2 KiB of zeros follow the data set.',
    'Media pad files to sectors; the zeros are dropped.',
  ),
  rule(
    'B2',
    trailingSource,
    'quarantine',
    ['quarantine', 'reject', 'sanitise'],
    'Other bytes follow the data set.',
    'No DICOM reader sees them. Bytes that look like a program or an archive are always held.',
  ),
  rule(
    'B3',
    'PS3.10 section 7.2; threat catalogue 1.2',
    'sanitise',
    ['sanitise', 'quarantine', 'reject', 'keep'],
    'Data Set Trailing Padding that is neither zero nor the directory of a kept TIFF.',
    'Its value has no meaning in DICOM. A program or an archive in it is always held.',
  ),
]

const SECTOR_BYTES_MAX = 2048
const CHUNK_BYTES = 1024 * 1024

/** True when all bytes of the range are zero; reads in steps. */
export function isZeroRange(source: ByteSource, start: number, end: number): boolean {
  for (let at = start; at < end; at += CHUNK_BYTES) {
    const bytes = source.read(at, Math.min(end, at + CHUNK_BYTES))
    for (let i = 0; i < bytes.byteLength; i++) if (bytes[i] !== 0) return false
  }
  return true
}

/**
 * Judges bytes behind the data set.
 *
 * @param source the file as it arrived
 * @param start offset behind the data set
 */
export function checkTrailing(source: ByteSource, start: number): Draft[] {
  const length = source.size - start
  if (length <= 0) return []
  const remove = { start, end: source.size }
  if (length <= SECTOR_BYTES_MAX && isZeroRange(source, start, source.size)) {
    return [
      {
        rule: 'B1',
        severity: 'sanitise',
        detail: `${length} zero bytes behind the data set`,
        offset: start,
        tag: null,
        remove,
      },
    ]
  }
  const found = findHidden(source, start, source.size)
  if (found !== null) {
    const detail = `${length} bytes behind the data set hold ${withArticle(found.name)}`
    return [{ rule: 'B2', severity: 'quarantine', detail, offset: found.offset, tag: null, remove, firm: true }]
  }
  const detail = `${length} bytes behind the data set`
  return [{ rule: 'B2', severity: 'quarantine', detail, offset: start, tag: null, remove }]
}

/** Judges (FFFC,FFFC). Call it unless a TIFF that passed has its directory there. */
export function checkPadding(facts: BodyFacts): Draft[] {
  const { padding, source } = facts
  if (padding === null || padding.valueLength === 0) return []
  const end = padding.valueOffset + padding.valueLength
  const tag = 'FFFCFFFC'
  if (isZeroRange(source, padding.valueOffset, end)) return []
  const found = findHidden(source, padding.valueOffset, end)
  if (found !== null) {
    const detail = `Data Set Trailing Padding holds ${withArticle(found.name)}`
    return [{ rule: 'B3', severity: 'quarantine', detail, offset: found.offset, tag, firm: true }]
  }
  const detail = `${padding.valueLength} bytes of Data Set Trailing Padding without meaning`
  const remove = { start: padding.headerOffset, end }
  return [{ rule: 'B3', severity: 'sanitise', detail, offset: padding.valueOffset, tag, remove, removesElements: true }]
}
