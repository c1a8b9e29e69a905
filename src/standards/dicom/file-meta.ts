import { DicomError, type Problem, tagText } from './errors.ts'
import { DEFAULT_LIMITS, type DicomLimits } from './limits.ts'
import { PREAMBLE_BYTES, type Preamble, readPreamble } from './preamble.ts'
import { isLongForm, vrOfLetters } from './value-representation.ts'

/** Offset of group 0002 in a Part 10 file: preamble and `DICM`. PS3.10 section 7.1. */
export const META_OFFSET = PREAMBLE_BYTES + 4
/** Above this length of group 0002 a file is odd. threats.md M2. */
const META_BYTES_USUAL = 64 * 1024

/** One element of group 0002. Offsets are file offsets in bytes. */
export interface MetaElement {
  readonly tag: number
  readonly vr: string
  /** Of the element's header. */
  readonly offset: number
  /** Of its value. */
  readonly valueOffset: number
  readonly length: number
  /** A view into the head that was given. */
  readonly value: Uint8Array
}

/** What stands before the data set of a Part 10 file. Facts only: screening judges. */
export interface FileMeta {
  readonly kind: 'part10'
  readonly preamble: Preamble
  /** File offset of the first byte after group 0002: where the data set starts. */
  readonly dataSetStart: number
  readonly elements: readonly MetaElement[]
  readonly mediaStorageSOPClassUID: string | null
  readonly mediaStorageSOPInstanceUID: string | null
  readonly transferSyntaxUID: string | null
  readonly implementationClassUID: string | null
  readonly implementationVersionName: string | null
  readonly groupLength: 'right' | 'wrong' | 'missing'
  /** Rules M1 to M4 of the threat catalogue. */
  readonly problems: readonly Problem[]
  readonly privateInformation: { readonly creator: string; readonly offset: number; readonly length: number } | null
}

export type NotPart10 = { readonly kind: 'not-part10'; readonly reason: 'short' | 'no-prefix' | 'no-group-0002' }

/**
 * Reads preamble and File Meta from the beginning of a file.
 *
 * Group 0002 is walked by tag: its declared length is compared, never followed (threats.md M3).
 *
 * @param head the first bytes of the file
 * @param complete true when `head` is the whole file, or all of it that may be looked at
 * @returns `need-more` while `head` ends within group 0002
 * @throws DicomError M4 for a VR that is none, or a length beyond the file; M2 (`dicom.limit`) when group 0002 is
 *   longer than `limits.metaBytesMax`
 */
export function readFileMeta(
  head: Uint8Array,
  limits: DicomLimits = DEFAULT_LIMITS,
  complete = false,
): FileMeta | NotPart10 | { readonly kind: 'need-more' } {
  if (head.length < META_OFFSET) return complete ? { kind: 'not-part10', reason: 'short' } : { kind: 'need-more' }
  if (head[128] !== 0x44 || head[129] !== 0x49 || head[130] !== 0x43 || head[131] !== 0x4d) {
    return { kind: 'not-part10', reason: 'no-prefix' }
  }
  if (head.length < META_OFFSET + 8) {
    return complete ? { kind: 'not-part10', reason: 'short' } : { kind: 'need-more' }
  }
  if (head[META_OFFSET] !== 2 || head[META_OFFSET + 1] !== 0) return { kind: 'not-part10', reason: 'no-group-0002' }
  const group = readMetaGroup(head, META_OFFSET, limits, complete)
  if (group === null) return { kind: 'need-more' }
  return { kind: 'part10', preamble: readPreamble(head.subarray(0, PREAMBLE_BYTES)), ...group }
}

/**
 * Reads group 0002 from `start`; the part of readFileMeta that files without a preamble share.
 * @returns null while `head` ends within the group
 */
export function readMetaGroup(
  head: Uint8Array,
  start: number,
  limits: DicomLimits,
  complete: boolean,
): Omit<FileMeta, 'kind' | 'preamble'> | null {
  const view = new DataView(head.buffer, head.byteOffset, head.byteLength)
  const elements: MetaElement[] = []
  const problems: Problem[] = []
  const note = (rule: string, detail: string, offset: number, tag: number) => {
    problems.push({ rule, detail, offset, tag: tagText(tag) })
  }
  let at = start
  let lastTag = 0
  for (;;) {
    if (at - start > limits.metaBytesMax) {
      throw new DicomError('dicom.limit', 'M2', `group 0002 is longer than ${limits.metaBytesMax} bytes`, at)
    }
    if (at + 8 > head.length) {
      if (!complete) return null
      break // the file ends with or just after its meta group
    }
    if (view.getUint16(at, true) !== 2) break
    const tag = 0x00020000 + view.getUint16(at + 2, true)
    const vr = vrOfLetters(head[at + 4]!, head[at + 5]!)
    if (vr === undefined || vr === 'SQ') {
      throw new DicomError('dicom.malformed', 'M4', 'group 0002 has a value representation that is none', at, tag)
    }
    const longForm = isLongForm(head[at + 4]!, head[at + 5]!)
    if (longForm && at + 12 > head.length) {
      if (!complete) return null
      throw new DicomError('dicom.malformed', 'M4', 'the file ends within an element header', at, tag)
    }
    const length = longForm ? view.getUint32(at + 8, true) : view.getUint16(at + 6, true)
    const valueOffset = at + (longForm ? 12 : 8)
    if (valueOffset - start + length > limits.metaBytesMax) {
      if (complete && valueOffset + length > head.length) {
        throw new DicomError('dicom.malformed', 'M4', `a length of ${length} bytes reaches beyond the file`, at, tag)
      }
      throw new DicomError('dicom.limit', 'M2', `group 0002 is longer than ${limits.metaBytesMax} bytes`, at, tag)
    }
    if (valueOffset + length > head.length) {
      if (!complete) return null
      throw new DicomError('dicom.malformed', 'M4', `a length of ${length} bytes reaches beyond the file`, at, tag)
    }
    if (tag <= lastTag) note('M10', 'group 0002 is not in ascending order', at, tag)
    lastTag = tag
    elements.push({ tag, vr, offset: at, valueOffset, length, value: head.subarray(valueOffset, valueOffset + length) })
    at = valueOffset + length
  }
  if (at - start > META_BYTES_USUAL) note('M2', `group 0002 is ${at - start} bytes long`, start, 0x00020000)
  return { ...describe(elements, at, note), elements, problems, dataSetStart: at }
}

function describe(
  elements: readonly MetaElement[],
  end: number,
  note: (rule: string, detail: string, offset: number, tag: number) => void,
): Omit<FileMeta, 'kind' | 'preamble' | 'elements' | 'problems' | 'dataSetStart'> {
  const find = (element: number) => elements.find(({ tag }) => tag === 0x00020000 + element)
  const text = (element: number): string | null => {
    const found = find(element)
    return found === undefined ? null : trimmed(found.value)
  }
  const length = find(0x0000)
  let groupLength: FileMeta['groupLength'] = 'missing'
  if (length === undefined) note('M3', 'group 0002 has no group length', end, 0x00020000)
  else {
    const { value } = length
    const declared = value.length === 4 ? new DataView(value.buffer, value.byteOffset, 4).getUint32(0, true) : -1
    groupLength = declared === end - (length.valueOffset + length.length) ? 'right' : 'wrong'
    if (groupLength === 'wrong') {
      const is = end - (length.valueOffset + length.length)
      note('M3', `group 0002 declares ${declared} bytes and has ${is}`, length.offset, 0x00020000)
    }
  }
  const information = find(0x0102)
  const creator = text(0x0100)
  if (information !== undefined || creator !== null) {
    const at = information ?? find(0x0100)!
    note('M1', `private information of ${information?.length ?? 0} bytes`, at.offset, at.tag)
  }
  return {
    mediaStorageSOPClassUID: text(0x0002),
    mediaStorageSOPInstanceUID: text(0x0003),
    transferSyntaxUID: text(0x0010) || null, // an empty one names no syntax
    implementationClassUID: text(0x0012),
    implementationVersionName: text(0x0013),
    groupLength,
    privateInformation:
      information === undefined
        ? null
        : { creator: creator ?? '', offset: information.valueOffset, length: information.length },
  }
}

/** A short ASCII value without its padding. */
function trimmed(value: Uint8Array): string {
  let end = value.length
  while (end > 0 && (value[end - 1] === 0 || value[end - 1] === 0x20)) end--
  return Buffer.from(value.buffer, value.byteOffset, Math.min(end, 256)).toString('latin1')
}
