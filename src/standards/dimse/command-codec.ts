/** Command sets to bytes and back. PS3.7 section 6.3.1 and annex E.1; always implicit VR little endian. */
import type { CommandSet } from './command-set.ts'
import { COMMAND } from './command-set.ts'
import { ABORT_REASON, ProtocolError } from './dimse-error.ts'

type Kind = 'UI' | 'US' | 'AE' | 'LO' | 'AT'
type Field = Exclude<keyof CommandSet, 'hasDataSet'>

/** Element number in group 0000, field, VR; ascending. PS3.7 table E.1-1. */
const FIELDS: readonly (readonly [element: number, field: Field, kind: Kind])[] = [
  [0x0002, 'affectedSOPClassUID', 'UI'],
  [0x0003, 'requestedSOPClassUID', 'UI'],
  [0x0100, 'commandField', 'US'],
  [0x0110, 'messageId', 'US'],
  [0x0120, 'messageIdBeingRespondedTo', 'US'],
  [0x0600, 'moveDestination', 'AE'],
  [0x0700, 'priority', 'US'],
  [0x0900, 'status', 'US'],
  [0x0901, 'offendingElements', 'AT'],
  [0x0902, 'errorComment', 'LO'],
  [0x0903, 'errorId', 'US'],
  [0x1000, 'affectedSOPInstanceUID', 'UI'],
  [0x1001, 'requestedSOPInstanceUID', 'UI'],
  [0x1002, 'eventTypeId', 'US'],
  [0x1005, 'attributeIdentifierList', 'AT'],
  [0x1008, 'actionTypeId', 'US'],
  [0x1020, 'remainingSubOperations', 'US'],
  [0x1021, 'completedSubOperations', 'US'],
  [0x1022, 'failedSubOperations', 'US'],
  [0x1023, 'warningSubOperations', 'US'],
  [0x1030, 'moveOriginatorAeTitle', 'AE'],
  [0x1031, 'moveOriginatorMessageId', 'US'],
]
const byElement = new Map(FIELDS.map(([element, field, kind]) => [element, { field, kind }]))

const DATA_SET_TYPE = 0x0800
const NO_DATA_SET = 0x0101
const ERROR_COMMENT_MAX = 64
const ELEMENT_HEADER_BYTES = 8

function bytesOf(value: string | number | readonly number[], kind: Kind): Buffer {
  if (typeof value === 'number') {
    const bytes = Buffer.allocUnsafe(2)
    bytes.writeUInt16LE(value)
    return bytes
  }
  if (typeof value !== 'string') {
    const bytes = Buffer.allocUnsafe(4 * value.length)
    value.forEach((tag, index) => {
      bytes.writeUInt16LE(tag >>> 16, 4 * index)
      bytes.writeUInt16LE(tag & 0xffff, 4 * index + 2)
    })
    return bytes
  }
  // The default repertoire is all a command set has: PS3.7 section 6.3.1 knows no Specific Character Set.
  const plain = value.replaceAll(/[^\x20-\x7e]/g, '?')
  const text = kind === 'LO' ? plain.slice(0, ERROR_COMMENT_MAX).replaceAll('\\', '/') : plain
  return Buffer.from(text.length % 2 === 0 ? text : text + (kind === 'UI' ? '\0' : ' '), 'latin1')
}

/**
 * A command set with its group length.
 * @throws RangeError when a number does not fit 16 bits: a mistake of the caller
 */
export function encodeCommand(command: CommandSet, hasDataSet: boolean): Buffer {
  const values: { element: number; bytes: Buffer }[] = []
  let length = 0
  const add = (element: number, bytes: Buffer) => {
    values.push({ element, bytes })
    length += ELEMENT_HEADER_BYTES + bytes.length
  }
  let typeIsDue = true
  for (const [element, field, kind] of FIELDS) {
    if (typeIsDue && element > DATA_SET_TYPE) {
      add(DATA_SET_TYPE, bytesOf(hasDataSet ? 0x0001 : NO_DATA_SET, 'US'))
      typeIsDue = false
    }
    const value = command[field]
    if (value !== undefined) add(element, bytesOf(value, kind))
  }
  const out = Buffer.allocUnsafe(ELEMENT_HEADER_BYTES + 4 + length)
  out.writeUInt32LE(0, 0)
  out.writeUInt32LE(4, 4)
  out.writeUInt32LE(length, 8)
  let at = 12
  for (const { element, bytes } of values) {
    out.writeUInt16LE(0, at)
    out.writeUInt16LE(element, at + 2)
    out.writeUInt32LE(bytes.length, at + 4)
    out.set(bytes, at + ELEMENT_HEADER_BYTES)
    at += ELEMENT_HEADER_BYTES + bytes.length
  }
  return out
}

function read(bytes: Buffer, kind: Kind): string | number | readonly number[] | undefined {
  if (kind === 'US') return bytes.length >= 2 ? bytes.readUInt16LE(0) : undefined
  if (kind === 'AT') {
    const tags: number[] = []
    for (let at = 0; at + 4 <= bytes.length; at += 4) {
      tags.push(((bytes.readUInt16LE(at) << 16) | bytes.readUInt16LE(at + 2)) >>> 0)
    }
    return tags
  }
  return bytes
    .toString('latin1')
    .replace(/[\0 ]+$/, '')
    .replace(/^ +/, '')
}

/**
 * Reads a command set. Elements nobody uses are read past; the group length is not needed and not believed.
 * @throws ProtocolError when it is no command set, or lacks what every command has
 */
export function decodeCommand(bytes: Uint8Array): CommandSet {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const found: { [field in Field]?: string | number | readonly number[] } = {}
  let dataSetType: number | undefined
  let at = 0
  while (at < buffer.length) {
    if (buffer.length - at < ELEMENT_HEADER_BYTES) throw malformed(`${buffer.length - at} bytes at the end`)
    const group = buffer.readUInt16LE(at)
    const element = buffer.readUInt16LE(at + 2)
    const length = buffer.readUInt32LE(at + 4)
    at += ELEMENT_HEADER_BYTES
    if (group !== 0) throw malformed(`an element of group ${group.toString(16).padStart(4, '0')}`)
    if (length > buffer.length - at)
      throw malformed(`element (0000,${element.toString(16).padStart(4, '0')}) is cut off`)
    const value = buffer.subarray(at, at + length)
    at += length
    const known = byElement.get(element)
    if (known !== undefined) {
      const content = read(value, known.kind)
      if (content !== undefined) found[known.field] = content
    } else if (element === DATA_SET_TYPE && length >= 2) dataSetType = value.readUInt16LE(0)
  }
  const { commandField } = found
  if (typeof commandField !== 'number') throw malformed('no command field')
  if (dataSetType === undefined) throw malformed('no command data set type')
  const isResponse = (commandField & 0x8000) !== 0 || commandField === COMMAND.C_CANCEL_RQ
  if ((isResponse ? found.messageIdBeingRespondedTo : found.messageId) === undefined) throw malformed('no message id')
  // The kinds above make every value of the type its field has.
  return { ...(found as Omit<CommandSet, 'hasDataSet'>), hasDataSet: dataSetType !== NO_DATA_SET }
}

function malformed(detail: string): ProtocolError {
  return new ProtocolError(ABORT_REASON.invalidParameter, `malformed command set: ${detail}`)
}
