/** Peers of both kinds for the tests: one that keeps to the standard, one that says what it is told to. */
import type { Duplex } from 'node:stream'
import { type AttemptEnd, acceptAssociation } from './accept.ts'
import { encodeAssociateRequest } from './associate-pdu.ts'
import {
  type Association,
  type AssociationAnswer,
  type AssociationLimits,
  type AssociationRequest,
  DEFAULT_ASSOCIATION_LIMITS,
} from './association.ts'
import { encodeCommand } from './command-codec.ts'
import type { CommandSet } from './command-set.ts'
import { CONTROL_COMMAND, CONTROL_LAST } from './pdu.ts'

export const VERIFICATION = '1.2.840.10008.1.1'
export const CT = '1.2.840.10008.5.1.4.1.1.2'
export const IMPLICIT = '1.2.840.10008.1.2'

/** A request for verification (1) and CT storage (3). */
export function requestOf(changes: Partial<AssociationRequest> = {}): AssociationRequest {
  return {
    callingAeTitle: 'SENDER',
    calledAeTitle: 'ARCHIVE',
    applicationContext: '1.2.840.10008.3.1.1.1',
    contexts: [
      { id: 1, abstractSyntax: VERIFICATION, transferSyntaxes: [IMPLICIT] },
      { id: 3, abstractSyntax: CT, transferSyntaxes: [IMPLICIT] },
    ],
    pduLengthMax: 16_384,
    implementationClassUID: '1.2.3.4',
    implementationVersionName: 'TEST',
    operations: { invoked: 0, performed: 0 },
    roles: [],
    extended: new Map(),
    userIdentity: null,
    ...changes,
  }
}

/** Accepts every context in its first transfer syntax. */
export async function acceptAll(request: AssociationRequest): Promise<AssociationAnswer> {
  return {
    accept: true,
    contexts: request.contexts.map(({ id, transferSyntaxes }) => ({
      id,
      result: 0,
      transferSyntax: transferSyntaxes[0] ?? null,
    })),
    operations: request.operations,
    roles: request.roles,
    extended: new Map(),
  }
}

export function limitsOf(changes: Partial<AssociationLimits> = {}): AssociationLimits {
  return { ...DEFAULT_ASSOCIATION_LIMITS, ...changes }
}

/** An acceptor that reads every message to its end and answers success; what it got is counted. */
export async function answerAll(association: Association, got: { messages: number; bytes: number }): Promise<void> {
  for await (const message of association.messages()) {
    if (message.dataSet !== null) for await (const fragment of message.dataSet) got.bytes += fragment.length
    got.messages++
    const { commandField, messageId } = message.command
    if (messageId === undefined) continue
    await association.send(message.context.id, {
      commandField: commandField | 0x8000,
      messageIdBeingRespondedTo: messageId,
      status: 0,
    })
  }
}

export interface Served {
  readonly ends: AttemptEnd[]
  readonly got: { messages: number; bytes: number }
  readonly done: Promise<void>
}

/** Serves one stream with `answerAll`. An association that ends while an answer is on its way is no failure here. */
export function serve(stream: Duplex, limits: AssociationLimits = DEFAULT_ASSOCIATION_LIMITS): Served {
  const ends: AttemptEnd[] = []
  const got = { messages: 0, bytes: 0 }
  const done = acceptAssociation(stream, acceptAll, {
    limits,
    implementationClassUID: '1.2.3.5',
    onEnd: (end) => ends.push(end),
  })
    .then((association) => (association === null ? undefined : answerAll(association, got)))
    .catch((error: unknown) => {
      if (!(error instanceof Error) || error.name !== 'DimseError') throw error
    })
  return { ends, got, done }
}

export const REQUEST_BYTES: Buffer = encodeAssociateRequest(requestOf())

/** A P-DATA-TF of values as told; `length` lies about the PDU when given. */
export function dataPdu(
  values: readonly { id: number; control: number; bytes: Uint8Array; length?: number }[],
  length?: number,
): Buffer {
  const items = values.map(({ id, control, bytes, length: claimed }) => {
    const header = Buffer.alloc(6)
    header.writeUInt32BE(claimed ?? bytes.length + 2)
    header[4] = id
    header[5] = control
    return Buffer.concat([header, bytes])
  })
  const body = Buffer.concat(items)
  const header = Buffer.from([4, 0, 0, 0, 0, 0])
  header.writeUInt32BE(length ?? body.length, 2)
  return Buffer.concat([header, body])
}

export function commandPdu(id: number, command: CommandSet, hasDataSet = false): Buffer {
  const bytes = encodeCommand(command, hasDataSet)
  return dataPdu([{ id, control: CONTROL_COMMAND | CONTROL_LAST, bytes }])
}

export const ECHO: CommandSet = { commandField: 0x30, affectedSOPClassUID: VERIFICATION, messageId: 7 }
export const STORE: CommandSet = {
  commandField: 0x01,
  affectedSOPClassUID: CT,
  messageId: 8,
  priority: 0,
  affectedSOPInstanceUID: '1.2.3.4.5',
}
export const RELEASE: Buffer = Buffer.from([5, 0, 0, 0, 0, 4, 0, 0, 0, 0])

/** PDU types in what came, of an A-ABORT with source and reason; stops at what is no PDU. */
export function pdusIn(bytes: Buffer): string[] {
  const found: string[] = []
  for (let at = 0; at + 6 <= bytes.length; ) {
    const type = bytes[at] ?? 0
    found.push(type === 7 ? `7/${bytes[at + 8]}/${bytes[at + 9]}` : String(type))
    at += 6 + bytes.readUInt32BE(at + 2)
  }
  return found
}
