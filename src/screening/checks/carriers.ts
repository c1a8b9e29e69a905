import type { ByteSource } from '#standards/byte-source.ts'
import { PREAMBLE_BYTES } from '#standards/dicom/preamble.ts'
import type { Draft } from '../screened.ts'
import { type Rule, rule } from './rule.ts'

export const carrierRules: readonly Rule[] = [
  rule(
    'P9',
    'APPNOTE 4.3.16; ECMA-119; threat catalogue 1.1',
    'quarantine',
    ['quarantine', 'reject', 'keep'],
    'The whole file is also a ZIP (end record in its last 65,557 bytes), a disc image (CD001) or a boot sector.',
    'Such formats are found from places other than the first byte. A ZIP is held; a boot sector goes with the preamble; a disc mark outside the pixels goes with what hosts it, or is held.',
  ),
]

/** End of central directory record and the longest comment. */
const ZIP_TAIL_BYTES = 22 + 65_535
const ZIP_END = 'PK\u0005\u0006'
const PDF_HEAD_BYTES = 1024
/** Volume descriptors of ECMA-119 stand at sectors 16 to 18. */
const discMarks = [0x8001, 0x8801, 0x9001]

/** A mark found, before its host element is known. */
export interface Carrier {
  readonly kind: 'zip' | 'disc' | 'boot' | 'pdf'
  readonly detail: string
  readonly offset: number
}

function buffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}

/**
 * Looks where other formats than DICOM are found from. Reads at most 66 KiB.
 * @param from where a PDF header is looked for: behind a preamble, which has rules of its own, or at the first byte
 */
export function findCarriers(source: ByteSource, from = PREAMBLE_BYTES): readonly Carrier[] {
  const found: Carrier[] = []
  const pdf = buffer(source.read(0, PDF_HEAD_BYTES + 4)).indexOf('%PDF')
  if (pdf >= from) found.push({ kind: 'pdf', detail: 'a PDF header in the first 1,024 bytes', offset: pdf })
  const zip = findZipEnd(source)
  if (zip !== null) found.push(zip)
  for (const at of discMarks) {
    if (source.size < at + 5) break
    const mark = source.read(at, at + 5)
    if (mark[0] === 0x43 && mark[1] === 0x44 && mark[2] === 0x30 && mark[3] === 0x30 && mark[4] === 0x31) {
      found.push({ kind: 'disc', detail: 'a disc image mark (CD001)', offset: at })
    }
  }
  if (source.size >= 512) {
    const end = source.read(510, 512)
    if (end[0] === 0x55 && end[1] === 0xaa) {
      const jump = source.read(0, 3)
      if (jump[0] === 0xe9 || (jump[0] === 0xeb && jump[2] === 0x90)) {
        found.push({ kind: 'boot', detail: 'a boot sector: jump code at 0 and 55AAH at 510', offset: 0 })
      }
    }
  }
  return found
}

/**
 * An end record counts when its comment ends with the file, or when the directory it names is there. Four bytes by
 * chance do neither.
 */
function findZipEnd(source: ByteSource): Carrier | null {
  const from = Math.max(0, source.size - ZIP_TAIL_BYTES)
  const tail = buffer(source.read(from, source.size))
  for (let at = tail.indexOf(ZIP_END, 0, 'latin1'); at >= 0; at = tail.indexOf(ZIP_END, at + 1, 'latin1')) {
    if (at + 22 > tail.byteLength) break
    const directoryBytes = tail.readUInt32LE(at + 12)
    const directoryAt = tail.readUInt32LE(at + 16)
    const entries = tail.readUInt16LE(at + 10)
    const ends = at + 22 + tail.readUInt16LE(at + 20) === tail.byteLength
    const record = from + at
    const named = entries > 0 && (isDirectory(source, record - directoryBytes) || isDirectory(source, directoryAt))
    if (ends || named) return { kind: 'zip', detail: `a ZIP archive of ${entries} entries ends here`, offset: record }
  }
  return null
}

function isDirectory(source: ByteSource, at: number): boolean {
  if (at < 0 || at + 4 > source.size) return false
  const mark = source.read(at, at + 4)
  return mark[0] === 0x50 && mark[1] === 0x4b && mark[2] === 1 && mark[3] === 2
}

/**
 * Judges a carrier once its host is known.
 *
 * @param host tag path of the data element it is in; null outside the data set
 * @param hostPlace what a removal of that element would take away, when it may be removed (private, padding)
 */
export function judgeCarrier(
  carrier: Carrier,
  host: string | null,
  hostPlace: { readonly start: number; readonly end: number } | null,
): Draft | null {
  const { detail, offset } = carrier
  const tag = host
  switch (carrier.kind) {
    case 'pdf':
      // An encapsulated PDF in a small data set begins here too, and is what it says it is.
      if (host === '00420011') return null
      return { rule: 'P4', severity: 'quarantine', detail, offset, tag }
    case 'zip':
      return { rule: 'P9', severity: 'quarantine', detail, offset, tag, firm: true }
    case 'boot':
      return { rule: 'P9', severity: 'sanitise', detail, offset, tag }
    case 'disc':
      if (host?.startsWith('7FE00010') === true) return { rule: 'P9', severity: 'warning', detail, offset, tag }
      if (host === null) return { rule: 'P9', severity: 'sanitise', detail, offset, tag }
      if (hostPlace !== null)
        return { rule: 'P9', severity: 'sanitise', detail, offset, tag, remove: hostPlace, removesElements: true }
      return {
        rule: 'P9',
        severity: 'quarantine',
        detail: `${detail} inside an element that cannot be removed`,
        offset,
        tag,
      }
  }
}
