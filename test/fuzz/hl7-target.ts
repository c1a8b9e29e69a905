/**
 * Oracles for HL7 v2: whatever bytes come, the framer finds the same messages however the stream is cut; a message is
 * refused by an Hl7Error or parsed; every part of it can be read; no escape makes structure; it is answered, and our own
 * parser reads the answer with the control id that was sent.
 */
import assert from 'node:assert/strict'
import type { MappingTerms } from '#arrival/hl7v2/terms.ts'
import { checkHeader, identifiersIn, understand } from '#arrival/hl7v2/understand.ts'
import { createIssuers } from '#security/issuers.ts'
import { acknowledge, readHeader } from '#standards/hl7v2/acknowledge.ts'
import { isHl7File, splitFile } from '#standards/hl7v2/batch.ts'
import { Hl7Error } from '#standards/hl7v2/errors.ts'
import { type Hl7Message, parseMessage } from '#standards/hl7v2/message.ts'
import { type Framed, MllpFramer } from '#standards/hl7v2/mllp.ts'
import { Choices, damaged } from './random.ts'
import type { Target } from './target.ts'

const TYPES = [
  'ADT^A01',
  'ADT^A08',
  'ADT^A40',
  'ADT^A47',
  'ADT^A24',
  'ADT^A37',
  'ORM^O01',
  'OMI^O23',
  'OMG^O19',
  'ORU^R01',
  'MDM^T02',
  'MDM^T06',
  'MDM^T10',
  'MDM^T11',
  'ACK',
]
const PIECES = [
  'A',
  '',
  '""',
  '1^^^H&1.2&ISO^MR',
  '~',
  'X~Y^^^I',
  '\\F\\',
  '\\X0D\\',
  '\\X0D50494430\\',
  '\\E\\X0D\\E\\',
  '\\',
  '\\.br\\',
  '\\X\\',
  '20240229',
  '202402291530+0100',
  '\u5c71\u7530^\u592a\u90ce^^^^^^I',
  'é',
  '1.2.3',
  '\x00',
  '\x0b',
  '<b>',
  'S',
  '&&&&',
  '^^^^^^^^^',
  'ED',
  'TX',
  'F',
  'a^application^pdf^Base64^JVBERi0=',
  'a^^^Hex^4D5A',
]
const NAMES = [
  'PID',
  'PV1',
  'MRG',
  'ORC',
  'OBR',
  'TQ1',
  'IPC',
  'ZDS',
  'ZXX',
  'OBX',
  'NTE',
  'TXA',
  'EVN',
  'MSH',
  'pid',
  'PI',
]
const SETS = [
  '',
  'UNICODE UTF-8',
  '8859/1',
  'ASCII~ISO IR87',
  'ISO IR14',
  'GB 18030-2000',
  '8859/1~8859/5',
  'NONE',
  'UNICODE',
]
const LINES = ['\r', '\n', '\r\n', '\r\r', '\n\r']

export const hl7Target: Target = { make, check }

function make(seed: number): Uint8Array {
  const choices = new Choices(seed)
  const blocks = Array.from({ length: 1 + choices.below(3) }, () => {
    const start = choices.chance(0.9) ? '\x0b' : ''
    const end = choices.chance(0.9) ? '\x1c\r' : choices.pick(['', '\x1c', '\x1c\n', '\x0b'])
    return start + text(choices) + end
  })
  let bytes = Buffer.from(blocks.join(choices.chance(0.9) ? '' : 'noise'), choices.chance(0.9) ? 'utf8' : 'latin1')
  if (choices.chance(0.4)) for (let n = 1 + choices.below(3); n > 0; n--) bytes = Buffer.from(damaged(bytes, choices))
  return bytes
}

function text(choices: Choices): string {
  const encoding = choices.chance(0.9)
    ? '|^~\\&'
    : choices.pick(['|^~\\&#', '|', '$*!@%', '|^^\\&', '|^', 'AB', '|^~\\& '])
  const [field = '|'] = encoding
  const head = [
    'MSH',
    encoding.slice(1),
    'APP',
    'FAC',
    '',
    '',
    '2024',
    '',
    choices.pick(TYPES),
    `C${choices.below(100)}`,
    'P',
    choices.pick(['2.3', '2.5', '2.8', '', '3']),
    '',
    '',
    choices.pick(['', 'AL', 'NE', 'ER', 'SU', '?']),
    choices.pick(['', 'AL', 'NE']),
    '',
    choices.pick(SETS),
  ]
  const segments = Array.from({ length: choices.below(8) }, () => {
    const fields = Array.from({ length: choices.below(25) }, () => {
      return Array.from({ length: 1 + choices.below(2) }, () => choices.pick(PIECES)).join('')
    })
    return [choices.pick(NAMES), ...fields].join(field)
  })
  return [head.join(field), ...segments, ''].join(choices.pick(LINES))
}

const TERMS: MappingTerms = {
  issuers: createIssuers([{ name: 'H', oid: '1.2', namespaceId: 'HOSP', fhirSystem: null, aliases: [] }]),
  defaultIssuer: 'local',
  unknownIssuers: 'accept',
  senderZone: null,
  siteZone: 'Europe/Berlin',
  zSegments: {},
  orderStatus: {},
  studyUid: 'generate',
  known: { patient: () => undefined, order: () => undefined, linkOf: () => undefined },
}

function check(bytes: Uint8Array): void {
  const whole = framed(bytes, bytes.length)
  for (const size of [1, 7]) assert.deepEqual(framed(bytes, size), whole, `cut every ${size} bytes`)
  for (const message of splitFile(bytes, 100).messages) judge(message.bytes)
  isHl7File(bytes)
  for (const one of whole) judge(Buffer.from(one.slice(one.indexOf(':') + 1), 'latin1'))
}

function framed(bytes: Uint8Array, size: number): string[] {
  const framer = new MllpFramer(1 << 20)
  const found: Framed[] = []
  for (let at = 0; at < bytes.length; at += size) found.push(...framer.push(bytes.subarray(at, at + size)))
  found.push(...framer.end())
  return found.map((one) => {
    return one.is === 'message' ? `message:${latin(one.bytes)}` : `${one.why}:${latin(one.head)}`
  })
}

const latin = (bytes: Uint8Array) => Buffer.from(bytes).toString('latin1')

function judge(bytes: Uint8Array): void {
  let message: Hl7Message | null = null
  let error: Hl7Error | null = null
  try {
    message = parseMessage(bytes)
    readEverything(message)
    checkHeader(message)
    identifiersIn(message)
    understand(message, TERMS, {})
  } catch (thrown) {
    if (!(thrown instanceof Hl7Error)) throw thrown
    error = thrown
  }
  const header = message ?? readHeader(bytes)
  const code = error === null ? 'AA' : error.answer
  const answer = parseMessage(
    acknowledge(header, code, error, {
      application: 'US',
      facility: '',
      time: '2026-01-01T00:00:00.000Z',
      controlId: 'X',
    }),
  )
  assert.equal(answer.first('MSA')?.text(1), code)
  // What could not be decoded cannot be written back either.
  const id = message?.header.raw(10) ?? ''
  if (message !== null && error === null && !id.includes('\ufffd')) assert.equal(answer.first('MSA')?.raw(2), id)
}

/** Reads every part; what an escape sequence stands for must not have become a segment of its own. */
function readEverything(message: Hl7Message): void {
  for (const segment of message.segments) {
    for (let field = 1; field <= segment.length; field++) {
      segment.whole(field)
      for (const repetition of segment.repetitions(field)) {
        for (const component of [1, 2, 3, 4, 5, 8]) for (const sub of [1, 2, 3]) repetition.text(component, sub)
      }
    }
  }
  const lines = message.segments.length
  assert.ok(
    lines <=
      message.segments
        .map(({ source }) => source)
        .join('\r')
        .split('\r').length,
  )
}
