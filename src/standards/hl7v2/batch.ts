import { withoutByteOrderMark } from './character-set.ts'

/** One message of a file. */
export interface FiledMessage {
  readonly bytes: Uint8Array
  /** Zero-based offset of its first byte in the file, behind a byte order mark. */
  readonly offset: number
}

/** Headers and trailers of the batch protocol. HL7 v2.8 section 2.10.3. */
const ENVELOPE = ['FHS', 'BHS', 'BTS', 'FTS']

/**
 * True when a file holds HL7 v2 messages: its first line is MSH, FHS or BHS with delimiters, or an MLLP start block
 * before one.
 * @param head its first bytes, at least 16 when it has as many
 */
export function isHl7File(head: Uint8Array): boolean {
  const bytes = withoutByteOrderMark(head.subarray(0, 512))
  let at = 0
  while (at < bytes.length && [0x0b, 0x0d, 0x0a, 0x20, 0x09].includes(bytes[at] as number)) at++
  const name = textAt(bytes, at)
  if (name !== 'MSH' && name !== 'FHS' && name !== 'BHS') return false
  const [separator, first] = [bytes[at + 3], bytes[at + 4]]
  return isPunctuation(separator) && (isPunctuation(first) || (name !== 'MSH' && first === separator))
}

function isPunctuation(byte: number | undefined): boolean {
  if (byte === undefined || byte <= 0x20 || byte >= 0x7f) return false
  return !/[0-9A-Za-z]/.test(String.fromCharCode(byte))
}

function textAt(bytes: Uint8Array, at: number): string {
  return String.fromCharCode(...bytes.subarray(at, at + 3))
}

/**
 * Splits a file into its messages at every line that begins with MSH; batch and file headers and trailers, and MLLP
 * blocks, belong to no message. A message is not looked into.
 *
 * @param messagesMax most messages that are made; `more` says that there were more
 * @returns `expected`: the count that BTS or FTS tells, null when none does
 */
export function splitFile(
  file: Uint8Array,
  messagesMax: number,
): { readonly messages: readonly FiledMessage[]; readonly more: boolean; readonly expected: number | null } {
  const bytes = withoutByteOrderMark(file)
  const messages: FiledMessage[] = []
  let expected: number | null = null
  let begin = -1
  let more = false
  const settle = (end: number) => {
    if (begin === -1) return
    if (messages.length >= messagesMax) more = true
    else messages.push({ bytes: bytes.subarray(begin, end), offset: begin })
    begin = -1
  }
  for (let at = 0; at < bytes.length && !more; ) {
    let end = at
    while (end < bytes.length && bytes[end] !== 0x0d && bytes[end] !== 0x0a) end++
    let start = at
    while (start < end && (bytes[start] === 0x0b || bytes[start] === 0x1c)) start++
    const name = end - start >= 3 ? textAt(bytes, start) : ''
    const separated = isPunctuation(bytes[start + 3])
    if (name === 'MSH' && separated) {
      settle(at)
      begin = start
    } else if (ENVELOPE.includes(name) && (separated || end - start === 3)) {
      settle(at)
      if (name === 'BTS') expected = (expected ?? 0) + countOf(bytes.subarray(start, end))
    }
    // An end block ends a message in a file that was written from a stream.
    const block = bytes.subarray(at, end).indexOf(0x1c)
    if (block !== -1 && begin !== -1 && at + block > begin) settle(at + block)
    at = end + 1
  }
  settle(bytes.length)
  return { messages, more, expected }
}

/** BTS-1, Batch Message Count. */
function countOf(line: Uint8Array): number {
  const text = String.fromCharCode(...line.subarray(4, 24))
  const count = /^\d{1,9}/.exec(text)
  return count === null ? 0 : Number(count[0])
}
