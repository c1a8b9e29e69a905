import { open, rm } from 'node:fs/promises'
import type { ArrivedBytes } from '#model/arrival.ts'
import type { Finding } from '#model/finding.ts'
import type { MessageDesk, MessageEnvelope } from '#model/message.ts'
import { isHl7File, splitFile } from '#standards/hl7v2/batch.ts'
import { Hl7Error } from '#standards/hl7v2/errors.ts'
import type { Hl7Limits } from '#standards/hl7v2/limits.ts'
import { parseMessage } from '#standards/hl7v2/message.ts'
import { checkHeader, typeOf } from './hl7v2/understand.ts'
import { type CountedLine, lineWithoutArrival } from './import-line.ts'
import type { Job } from './media-import-flight.ts'

/** What an import needs to take in files of HL7 v2 messages. */
export interface MessageImport {
  readonly desk: MessageDesk
  readonly limits: Hl7Limits
}

/** Who hands a file of messages in, and what of it was told by an earlier run. */
export interface MessageBringer {
  readonly originator: string | null
  readonly user: string | null
  readonly address: string | null
  /** Parses and says what is wrong, and hands nothing over. */
  readonly judgeOnly: boolean
  readonly signal: AbortSignal
  passesOver(label: string): boolean
}

/** Largest file of messages, and most messages of one file. */
const FILE_BYTES_MAX = 256 * 1024 * 1024
const MESSAGES_MAX = 100_000

/** True when what arrived is a file of messages; looks at its first bytes only. */
export function holdsMessages(bytes: ArrivedBytes): boolean {
  return isHl7File(bytes.in === 'memory' ? bytes.bytes : bytes.head)
}

/**
 * Hands the messages of a file to the desk, one after the other in the order they stand in: a merge must not overtake the
 * admission before it. One line per message; `label#2` names the second of several.
 *
 * @param into `forbidden` when whoever imports may not say who somebody is: the file is refused as a whole
 */
export async function* importMessages(
  label: string,
  bytes: ArrivedBytes,
  into: MessageImport | 'forbidden',
  who: MessageBringer,
): AsyncGenerator<Job<CountedLine>> {
  if (into === 'forbidden') {
    if (bytes.in !== 'memory') await rm(bytes.path, { force: true })
    const why = 'messages say who somebody is: the right identity.decide for all patients is needed'
    yield told(lineWithoutArrival(label, 'reject', 'request.forbidden', why), 0, false)
    return
  }
  const file = await wholeFile(bytes)
  if (file === null) {
    const why = `a file of messages may have ${FILE_BYTES_MAX} bytes`
    yield told(lineWithoutArrival(label, 'reject', 'request.too-large', why), 0, false)
    return
  }
  const { messages, more, expected } = splitFile(file, MESSAGES_MAX)
  const one = messages.length === 1
  for (const [i, message] of messages.entries()) {
    if (who.signal.aborted) return
    const path = one ? label : `${label}#${i + 1}`
    if (who.passesOver(path)) continue
    if (who.judgeOnly) yield judged(path, message.bytes, into.limits)
    else yield await handed(path, new Uint8Array(message.bytes), into.desk, who)
  }
  if (messages.length === 0)
    yield told(lineWithoutArrival(label, 'skip', 'not-an-object', 'a batch of no messages'), 0, false)
  if (more) {
    const why = `only the first ${MESSAGES_MAX} messages of a file are taken`
    yield told(lineWithoutArrival(label, 'reject', 'request.too-large', why), 0, false)
  } else if (expected !== null && expected !== messages.length && expected > 0) {
    const why = `the batch says ${expected} messages and holds ${messages.length}`
    yield told(lineWithoutArrival(label, 'reject', 'hl7-batch-count', why), 0, false)
  }
}

async function handed(
  path: string,
  bytes: Uint8Array,
  desk: MessageDesk,
  { originator, user, address }: MessageBringer,
): Promise<Job<CountedLine>> {
  const envelope: MessageEnvelope = {
    bytes,
    door: 'import',
    user,
    address,
    certificate: null,
    time: new Date().toISOString(),
    originator,
  }
  const { record } = await desk.receive(envelope)
  if (record === null) {
    const why = 'the archive could not keep this message, or it is an acknowledgement'
    return told(lineWithoutArrival(path, 'reject', 'archive.failed', why), bytes.byteLength, true)
  }
  const { id, type, acknowledgement, error, notes, arrivals } = record
  const taken = acknowledgement === 'AA' || acknowledgement === 'CA'
  const findings = notes.map((detail): Finding => {
    return { rule: 'hl7-note', severity: 'info', detail, offset: null, tag: null }
  })
  if (error !== null) findings.push({ rule: 'hl7-refused', severity: 'reject', detail: error, offset: null, tag: null })
  const line = {
    path,
    verdict: taken ? 'accept' : 'reject',
    stored: taken,
    duplicate: taken && arrivals > 1,
    sopInstanceUid: null,
    id,
    quarantineId: null,
    reason: `${type} ${acknowledgement}${error === null ? '' : ` ${error}`}`,
    findings,
  } as const
  return told(line, bytes.byteLength, false)
}

function judged(path: string, bytes: Uint8Array, limits: Hl7Limits): Job<CountedLine> {
  try {
    const message = parseMessage(bytes, { limits })
    checkHeader(message)
    const line = {
      ...lineWithoutArrival(path, 'skip', 'hl7-note', typeOf(message).name),
      verdict: 'accept',
      findings: [],
    } as const
    return told(line, bytes.byteLength, false)
  } catch (error) {
    if (!(error instanceof Hl7Error)) throw error
    const why = `${error.answer} ${error.condition}: ${error.message}`
    return told(lineWithoutArrival(path, 'reject', 'hl7-refused', why), bytes.byteLength, false)
  }
}

function told(line: CountedLine['line'], bytes: number, failed: boolean): Job<CountedLine> {
  return { costBytes: 0, run: async () => ({ result: { line, bytes, failed } }) }
}

/** @returns null when it is too large; the spool file is gone then and afterwards */
async function wholeFile(bytes: ArrivedBytes): Promise<Uint8Array | null> {
  if (bytes.in === 'memory') return bytes.bytes
  try {
    if (bytes.size > FILE_BYTES_MAX) return null
    const file = await open(bytes.path)
    try {
      const rest = Buffer.alloc(bytes.size - bytes.head.byteLength)
      for (let at = 0; at < rest.byteLength; ) {
        const { bytesRead } = await file.read(rest, at, rest.byteLength - at, bytes.dataStart + at)
        if (bytesRead === 0) throw new RangeError('a spooled file is shorter than it was')
        at += bytesRead
      }
      return Buffer.concat([bytes.head, rest])
    } finally {
      await file.close()
    }
  } finally {
    await rm(bytes.path, { force: true })
  }
}
