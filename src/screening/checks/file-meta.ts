import type { ByteSource } from '#standards/byte-source.ts'
import type { FileMeta } from '#standards/dicom/file-meta.ts'
import { findHidden, withArticle } from '#standards/media/signatures.ts'
import type { Draft } from '../screened.ts'
import { type Rule, rule } from './rule.ts'

const metaSource = 'PS3.10 section 7.1; threat catalogue 1.2'

export const fileMetaRules: readonly Rule[] = [
  rule(
    'M1',
    metaSource,
    'sanitise',
    ['sanitise', 'quarantine', 'reject', 'keep'],
    'Private information in (0002,0100) and (0002,0102).',
    'It is not carried over, because the kept file has our own File Meta; a program in it is held.',
  ),
  rule(
    'M2',
    metaSource,
    'sanitise',
    ['sanitise', 'quarantine', 'reject'],
    'Group 0002 is longer than 64 KiB; above 1 MiB it is rejected.',
    'Its normal size is 200 bytes.',
  ),
  rule(
    'M3',
    'threat catalogue 1.2; dcmjs issue 326',
    'keep',
    ['keep', 'quarantine', 'reject'],
    'The length of group 0002 is missing, zero or wrong.',
    'Group 0002 is walked by tag, never by its length.',
  ),
  rule(
    'M4',
    'CVE-2026-3650; threat catalogue 1.2',
    'reject',
    ['reject', 'quarantine'],
    'Group 0002 has a value representation that is none, or a length beyond the file.',
    'Memory was exhausted by such lengths elsewhere.',
  ),
  rule(
    'M6',
    metaSource,
    'reject',
    ['reject', 'quarantine', 'keep'],
    'The transfer syntax is unknown, or the data set is encoded in another way than declared.',
    'What cannot be parsed cannot be screened; another encoding is taken only when the whole file walks clean in it.',
  ),
]

/** Judges what File Meta reading noticed. Preamble and identity are other checks. */
export function checkFileMeta(source: ByteSource, meta: FileMeta): Draft[] {
  const drafts: Draft[] = []
  for (const { rule, detail, offset, tag } of meta.problems) {
    if (rule === 'M1') continue
    drafts.push({ rule, severity: severityOf(rule), detail, offset, tag })
  }
  const information = meta.privateInformation
  if (information !== null) {
    const { creator, offset, length } = information
    const found = length < 2 ? null : findHidden(source, offset, offset + length)
    if (found !== null && found.family !== 'compressed') {
      const detail = `private information of File Meta holds ${withArticle(found.name)}`
      drafts.push({ rule: 'M1', severity: 'quarantine', detail, offset: found.offset, tag: '00020102', firm: true })
    } else {
      const detail = `${length} bytes of private information by "${creator}" are not carried over`
      drafts.push({ rule: 'M1', severity: 'info', detail, offset, tag: '00020102' })
    }
  }
  return drafts
}

function severityOf(rule: string): Draft['severity'] {
  if (rule === 'M2') return 'sanitise'
  if (rule === 'M3') return 'info'
  return 'warning'
}
