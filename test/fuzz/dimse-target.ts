/** Byte streams of a DIMSE requestor: well-formed associations and messages, then damaged, delivered in any pieces. */
import assert from 'node:assert/strict'
import { duplexPair } from 'node:stream'
import { setImmediate as turn } from 'node:timers/promises'
import { type AttemptEnd, acceptAssociation } from '#standards/dimse/accept.ts'
import { encodeAssociateRequest } from '#standards/dimse/associate-pdu.ts'
import {
  acceptAll,
  CT,
  commandPdu,
  dataPdu,
  ECHO,
  limitsOf,
  RELEASE,
  requestOf,
  STORE,
} from '#standards/dimse/fixture.ts'
import { Choices, damaged } from './random.ts'

const LIMITS = limitsOf({ commandBytesMax: 4096, controlPduMax: 65_536 })

/** Case layout: two bytes say after how many bytes a turn is given (0: all at once), the rest is the stream. */
export function makeDimseCase(seed: number): Buffer {
  const choices = new Choices(seed)
  const parts: Buffer[] = []
  if (!choices.chance(0.03)) parts.push(request(choices))
  for (let n = choices.below(5); n > 0; n--) parts.push(message(choices))
  if (choices.chance(0.7)) parts.push(choices.chance(0.9) ? RELEASE : Buffer.from([7, 0, 0, 0, 0, 4, 0, 0, 2, 1]))
  let stream = Buffer.concat(parts)
  for (let n = choices.below(4); n > 0; n--) stream = Buffer.from(hurt(stream, choices))
  const piece = Buffer.alloc(2)
  piece.writeUInt16BE(choices.pick([0, 0, 1, 2, 5, 6, 7, 11, 100, 1 + choices.below(500)]))
  return Buffer.concat([piece, stream])
}

function request(choices: Choices): Buffer {
  const contexts = Array.from({ length: choices.pick([1, 2, 2, 3, 20, 128]) }, (_, index) => ({
    id: 2 * index + 1,
    abstractSyntax: index === 0 ? '1.2.840.10008.1.1' : CT,
    transferSyntaxes: ['1.2.840.10008.1.2', '1.2.840.10008.1.2.1'].slice(0, 1 + choices.below(2)),
  }))
  const own = Buffer.from(choices.bytes(choices.below(30)))
  return encodeAssociateRequest(
    requestOf({
      contexts,
      pduLengthMax: choices.pick([0, 128, 16_384, 0xffffffff]),
      roles: choices.chance(0.3) ? [{ sopClass: CT, scu: choices.chance(0.5), scp: choices.chance(0.5) }] : [],
      extended: choices.chance(0.3) ? new Map([[CT, own]]) : new Map(),
      userIdentity: choices.chance(0.2) ? { type: 2, responseRequested: true, primary: own, secondary: own } : null,
    }),
  )
}

function message(choices: Choices): Buffer {
  if (choices.chance(0.3)) return commandPdu(1, ECHO)
  const command = commandPdu(3, { ...STORE, errorComment: 'x'.repeat(choices.below(64)) }, true)
  const values: { id: number; control: number; bytes: Buffer }[] = []
  for (let n = choices.below(4); n > 0; n--) values.push({ id: 3, control: 0, bytes: choices.bytes(choices.below(80)) })
  values.push({ id: 3, control: 2, bytes: choices.bytes(choices.below(80)) })
  if (choices.chance(0.3)) return Buffer.concat([command, dataPdu(values)])
  return Buffer.concat([command, ...values.map((value) => dataPdu([value]))])
}

/** A length, id or type gets a value that asks for trouble, or anything happens anywhere. */
function hurt(bytes: Buffer, choices: Choices): Uint8Array {
  if (choices.chance(0.5) || bytes.length < 8) return damaged(bytes, choices)
  const copy = Buffer.from(bytes)
  const at = choices.below(bytes.length - 4)
  const value = choices.pick([0, 1, 2, 3, 5, 0xff, 0xffff, 0x7fffffff, 0xffffffff, bytes.length, bytes.length - at])
  if (choices.chance(0.4)) copy.writeUInt32BE(value >>> 0, at)
  else if (choices.chance(0.5)) copy.writeUInt16BE(value & 0xffff, at)
  else copy[at] = value & 0xff
  return copy
}

/** An acceptor takes the stream: it ends by itself, tells its end once, and hands out no more bytes than came. */
export async function checkDimse(bytes: Uint8Array): Promise<void> {
  if (bytes.length < 2) return
  const stream = bytes.subarray(2)
  const piece = ((bytes[0] ?? 0) << 8) | (bytes[1] ?? 0)
  const [theirs, ours] = duplexPair()
  const ends: AttemptEnd[] = []
  let handedOut = 0
  theirs.on('error', () => undefined)
  const answered = new Promise((resolve) => theirs.once('data', resolve))
  const closed = new Promise((resolve) => {
    ours.on('close', resolve)
    theirs.on('end', resolve)
  })
  const served = (async () => {
    const association = await acceptAssociation(ours, acceptAll, { limits: LIMITS, onEnd: (end) => ends.push(end) })
    if (association === null) return
    try {
      for await (const { context, command, dataSet } of association.messages()) {
        for await (const fragment of dataSet ?? []) handedOut += fragment.length
        const { commandField, messageId } = command
        if (messageId === undefined) continue
        const answer = { commandField: commandField | 0x8000, messageIdBeingRespondedTo: messageId, status: 0 }
        await association.send(context.id, answer)
      }
    } catch (error) {
      if (!(error instanceof Error) || error.name !== 'DimseError') throw error
    }
  })()
  // What follows the request waits for an answer, or every case would be a message that came too early.
  const asks = stream.length >= 6 && stream[0] === 1 ? 6 + Buffer.from(stream).readUInt32BE(2) : stream.length
  await deliver(theirs, stream.subarray(0, asks), piece)
  if (asks < stream.length) {
    await Promise.race([answered, closed])
    await deliver(theirs, stream.subarray(asks), piece)
  }
  if (!theirs.writableEnded) theirs.end()
  await served
  await closed
  ours.destroy()
  theirs.destroy()
  assert.equal(ends.length, 1, `${ends.length} ends`)
  assert.ok(handedOut <= stream.length, `${handedOut} bytes handed out of ${stream.length}`)
}

async function deliver(to: NodeJS.WritableStream, bytes: Uint8Array, piece: number): Promise<void> {
  const step = piece === 0 ? Math.max(1, bytes.length) : Math.max(piece, Math.ceil(bytes.length / 200))
  for (let at = 0; at < bytes.length; at += step) {
    to.write(bytes.subarray(at, at + step))
    if (piece !== 0 && at / step < 8) await turn()
  }
}

export const dimseTarget = { make: makeDimseCase, check: checkDimse }
