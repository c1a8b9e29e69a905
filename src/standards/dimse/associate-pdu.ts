/** A-ASSOCIATE-RQ and -AC: items and sub-items. PS3.8 sections 9.3.2 and 9.3.3, PS3.7 section D.3.3. */
import type { AssociationRequest, ProposedContext, RoleSelection, UserIdentity } from './association.ts'
import { ABORT_REASON, ProtocolError } from './dimse-error.ts'
import { PDU, PDU_HEADER_BYTES, PEER_PDU_LENGTH_MIN } from './pdu.ts'

const ITEM = {
  applicationContext: 0x10,
  contextRequest: 0x20,
  contextAccept: 0x21,
  abstractSyntax: 0x30,
  transferSyntax: 0x40,
  userInformation: 0x50,
  maximumLength: 0x51,
  implementationClass: 0x52,
  operations: 0x53,
  role: 0x54,
  implementationVersion: 0x55,
  extended: 0x56,
  userIdentity: 0x58,
  userIdentityAnswer: 0x59,
} as const

export const DICOM_APPLICATION_CONTEXT = '1.2.840.10008.3.1.1.1'
const PROTOCOL_VERSION = 1
const FIXED_BYTES = 68
const ITEM_HEADER_BYTES = 4
/** Sub-items of user information taken; one role and one extended negotiation for each of 128 contexts, and some. */
const USER_ITEMS_MAX = 512

interface Bounds {
  readonly presentationContextsMax: number
  readonly transferSyntaxesMax: number
}

/** What both PDUs carry beside contexts, as read. */
interface UserInformation {
  pduLengthMax: number
  implementationClassUID: string
  implementationVersionName: string | null
  operations: { readonly invoked: number; readonly performed: number } | null
  readonly roles: RoleSelection[]
  readonly extended: Map<string, Uint8Array>
  userIdentity: UserIdentity | null
  userIdentityAnswer: Uint8Array | null
}

/** An A-ASSOCIATE-RQ as read. */
export interface DecodedRequest {
  readonly request: AssociationRequest
  /** True when protocol version 1 is among those offered. */
  readonly versionSupported: boolean
  /** AE titles and reserved bytes; an A-ASSOCIATE-AC repeats them. */
  readonly echo: Uint8Array
}

/** An A-ASSOCIATE-AC as read. */
export interface DecodedAccept extends Readonly<UserInformation> {
  readonly contexts: readonly { readonly id: number; readonly result: number; readonly transferSyntax: string | null }[]
}

function malformed(detail: string): ProtocolError {
  return new ProtocolError(ABORT_REASON.invalidParameter, `malformed association: ${detail}`)
}

/** Items one behind the other; each with a type, a reserved byte and a length that must fit. */
function* items(bytes: Buffer): Generator<{ type: number; value: Buffer }, void, void> {
  let at = 0
  while (at < bytes.length) {
    if (bytes.length - at < ITEM_HEADER_BYTES) throw malformed(`${bytes.length - at} bytes are no item`)
    const type = bytes.readUInt8(at)
    const length = bytes.readUInt16BE(at + 2)
    at += ITEM_HEADER_BYTES
    if (length > bytes.length - at) throw malformed(`item ${type.toString(16)}H of ${length} bytes is cut off`)
    yield { type, value: bytes.subarray(at, at + length) }
    at += length
  }
}

/** Text of a UID or name; some peers pad them, which they should not. */
function text(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    .toString('latin1')
    .replace(/[\0 ]+$/, '')
    .replace(/^ +/, '')
}

/** Of a value that begins with a two-byte length, the part of that length and what follows. */
function counted(value: Buffer, what: string): [part: Buffer, rest: Buffer] {
  if (value.length < 2) throw malformed(`${what} is too short`)
  const length = value.readUInt16BE(0)
  if (length > value.length - 2) throw malformed(`${what} is cut off`)
  return [value.subarray(2, 2 + length), value.subarray(2 + length)]
}

function numberOf(value: Buffer, bytes: 2 | 4, at: number, what: string): number {
  if (value.length < at + bytes) throw malformed(`${what} is too short`)
  return value.readUIntBE(at, bytes)
}

function readUserInformation(bytes: Buffer): UserInformation {
  const information: UserInformation = noUserInformation()
  let count = 0
  for (const { type, value } of items(bytes)) {
    if (++count > USER_ITEMS_MAX) throw malformed(`more than ${USER_ITEMS_MAX} user information sub-items`)
    readUserItem(information, type, value)
  }
  return information
}

function noUserInformation(): UserInformation {
  return {
    pduLengthMax: 0,
    implementationClassUID: '',
    implementationVersionName: null,
    operations: null,
    roles: [],
    extended: new Map(),
    userIdentity: null,
    userIdentityAnswer: null,
  }
}

function readUserItem(information: UserInformation, type: number, value: Buffer): void {
  switch (type) {
    case ITEM.maximumLength: {
      const length = numberOf(value, 4, 0, 'the maximum length')
      if (length !== 0 && length < PEER_PDU_LENGTH_MIN) throw malformed(`a maximum PDU length of ${length} bytes`)
      information.pduLengthMax = length
      return
    }
    case ITEM.implementationClass:
      information.implementationClassUID = text(value)
      return
    case ITEM.implementationVersion:
      information.implementationVersionName = text(value)
      return
    case ITEM.operations: {
      const [invoked, performed] = [numberOf(value, 2, 0, 'the window'), numberOf(value, 2, 2, 'the window')]
      information.operations = { invoked, performed }
      return
    }
    case ITEM.role: {
      const [uid, roles] = counted(value, 'a role selection')
      if (roles.length < 2) throw malformed('a role selection is too short')
      information.roles.push({ sopClass: text(uid), scu: roles[0] === 1, scp: roles[1] === 1 })
      return
    }
    case ITEM.extended: {
      const [uid, application] = counted(value, 'an extended negotiation')
      information.extended.set(text(uid), Uint8Array.from(application))
      return
    }
    case ITEM.userIdentity: {
      if (value.length < 6) throw malformed('the user identity is too short')
      const [primary, rest] = counted(value.subarray(2), 'the user identity')
      const [secondary] = counted(rest, 'the user identity')
      information.userIdentity = {
        type: value.readUInt8(0),
        responseRequested: value[1] === 1,
        primary: Uint8Array.from(primary),
        secondary: Uint8Array.from(secondary),
      }
      return
    }
    case ITEM.userIdentityAnswer:
      information.userIdentityAnswer = Uint8Array.from(counted(value, 'the user identity answer')[0])
  }
}

function readProposedContext(value: Buffer, bounds: Bounds): ProposedContext {
  if (value.length < 4) throw malformed('a presentation context is too short')
  const id = value.readUInt8(0)
  if (id % 2 === 0) throw malformed(`presentation context id ${id} is even`)
  let abstractSyntax: string | undefined
  const transferSyntaxes: string[] = []
  for (const { type, value: content } of items(value.subarray(4))) {
    if (type === ITEM.abstractSyntax) {
      if (abstractSyntax !== undefined) throw malformed(`presentation context ${id} has two abstract syntaxes`)
      abstractSyntax = text(content)
    } else if (type === ITEM.transferSyntax) {
      transferSyntaxes.push(text(content))
      if (transferSyntaxes.length > bounds.transferSyntaxesMax) {
        throw malformed(`presentation context ${id} has more than ${bounds.transferSyntaxesMax} transfer syntaxes`)
      }
    }
  }
  if (abstractSyntax === undefined) throw malformed(`presentation context ${id} has no abstract syntax`)
  if (transferSyntaxes.length === 0) throw malformed(`presentation context ${id} has no transfer syntax`)
  return { id, abstractSyntax, transferSyntaxes }
}

/**
 * Reads what stands behind the header of an A-ASSOCIATE-RQ. Items of unknown type are read past, as the standard asks.
 * @throws ProtocolError when it contradicts itself or is cut off
 */
export function decodeAssociateRequest(body: Buffer, bounds: Bounds): DecodedRequest {
  if (body.length < FIXED_BYTES) throw malformed('too short')
  const contexts: ProposedContext[] = []
  const ids = new Set<number>()
  let applicationContext = ''
  let information: UserInformation | undefined
  for (const { type, value } of items(body.subarray(FIXED_BYTES))) {
    if (type === ITEM.applicationContext) applicationContext = text(value)
    else if (type === ITEM.userInformation) {
      if (information !== undefined) throw malformed('user information comes twice')
      information = readUserInformation(value)
    } else if (type === ITEM.contextRequest) {
      if (contexts.length >= bounds.presentationContextsMax) {
        throw malformed(`more than ${bounds.presentationContextsMax} presentation contexts`)
      }
      const context = readProposedContext(value, bounds)
      if (ids.has(context.id)) throw malformed(`presentation context id ${context.id} comes twice`)
      ids.add(context.id)
      contexts.push(context)
    }
  }
  if (contexts.length === 0) throw malformed('no presentation context')
  const { userIdentityAnswer: _, ...user } = information ?? noUserInformation()
  return {
    versionSupported: (body.readUInt16BE(0) & PROTOCOL_VERSION) !== 0,
    echo: Uint8Array.from(body.subarray(4, FIXED_BYTES)),
    request: {
      calledAeTitle: text(body.subarray(4, 20)),
      callingAeTitle: text(body.subarray(20, 36)),
      applicationContext,
      contexts,
      ...user,
    },
  }
}

/**
 * Reads what stands behind the header of an A-ASSOCIATE-AC.
 * @throws ProtocolError when it contradicts itself or is cut off
 */
export function decodeAssociateAccept(body: Buffer): DecodedAccept {
  if (body.length < FIXED_BYTES) throw malformed('too short')
  const contexts = new Map<number, { id: number; result: number; transferSyntax: string | null }>()
  let information: UserInformation | undefined
  for (const { type, value } of items(body.subarray(FIXED_BYTES))) {
    if (type === ITEM.userInformation) information = readUserInformation(value)
    else if (type === ITEM.contextAccept) {
      if (value.length < 4) throw malformed('a presentation context is too short')
      const id = value.readUInt8(0)
      if (contexts.has(id)) throw malformed(`presentation context id ${id} comes twice`)
      let transferSyntax: string | null = null
      for (const { type: kind, value: content } of items(value.subarray(4))) {
        if (kind === ITEM.transferSyntax) transferSyntax = text(content)
      }
      contexts.set(id, { id, result: value.readUInt8(2), transferSyntax })
    }
  }
  return { ...(information ?? noUserInformation()), contexts: [...contexts.values()] }
}

function item(type: number, ...values: readonly Uint8Array[]): Buffer {
  const value = Buffer.concat(values)
  const header = Buffer.alloc(ITEM_HEADER_BYTES)
  header[0] = type
  header.writeUInt16BE(value.length, 2)
  return Buffer.concat([header, value])
}

const ascii = (value: string): Buffer => Buffer.from(value, 'latin1')

function unsigned(value: number, bytes: 2 | 4): Buffer {
  const out = Buffer.alloc(bytes)
  out.writeUIntBE(value, 0, bytes)
  return out
}

const withLength = (value: Uint8Array): Buffer => Buffer.concat([unsigned(value.length, 2), value])

function aeTitle(title: string): Buffer {
  return ascii(title.slice(0, 16).padEnd(16, ' '))
}

function pdu(type: number, fixed: Uint8Array, parts: readonly Uint8Array[]): Buffer {
  const body = Buffer.concat([unsigned(PROTOCOL_VERSION, 2), Buffer.alloc(2), fixed, ...parts])
  const header = Buffer.alloc(PDU_HEADER_BYTES)
  header[0] = type
  header.writeUInt32BE(body.length, 2)
  return Buffer.concat([header, body])
}

/** What we say of ourselves in user information. */
export type OwnUserInformation = Omit<UserInformation, 'roles' | 'extended' | 'userIdentity' | 'userIdentityAnswer'> & {
  readonly roles: readonly RoleSelection[]
  readonly extended: ReadonlyMap<string, Uint8Array>
  readonly userIdentity: UserIdentity | null
  readonly userIdentityAnswer: Uint8Array | null
}

/** In ascending order of item type, as PS3.7 section D.3.3 and old peers like it. */
function userInformation(own: OwnUserInformation): Buffer {
  const parts = [
    item(ITEM.maximumLength, unsigned(own.pduLengthMax, 4)),
    item(ITEM.implementationClass, ascii(own.implementationClassUID)),
  ]
  const { operations, userIdentity: identity } = own
  if (operations !== null) {
    parts.push(item(ITEM.operations, unsigned(operations.invoked, 2), unsigned(operations.performed, 2)))
  }
  for (const { sopClass, scu, scp } of own.roles) {
    parts.push(item(ITEM.role, withLength(ascii(sopClass)), Uint8Array.of(scu ? 1 : 0, scp ? 1 : 0)))
  }
  if (own.implementationVersionName !== null) {
    parts.push(item(ITEM.implementationVersion, ascii(own.implementationVersionName.slice(0, 16))))
  }
  for (const [uid, application] of own.extended) {
    parts.push(item(ITEM.extended, withLength(ascii(uid)), application))
  }
  if (identity !== null) {
    const flags = Uint8Array.of(identity.type, identity.responseRequested ? 1 : 0)
    parts.push(item(ITEM.userIdentity, flags, withLength(identity.primary), withLength(identity.secondary)))
  }
  if (own.userIdentityAnswer !== null) parts.push(item(ITEM.userIdentityAnswer, withLength(own.userIdentityAnswer)))
  return item(ITEM.userInformation, ...parts)
}

/** An A-ASSOCIATE-RQ. AE titles longer than 16 characters are cut. */
export function encodeAssociateRequest(request: AssociationRequest): Buffer {
  const fixed = Buffer.concat([aeTitle(request.calledAeTitle), aeTitle(request.callingAeTitle), Buffer.alloc(32)])
  const contexts = request.contexts.map(({ id, abstractSyntax, transferSyntaxes }) =>
    item(
      ITEM.contextRequest,
      Uint8Array.of(id, 0, 0, 0),
      item(ITEM.abstractSyntax, ascii(abstractSyntax)),
      ...transferSyntaxes.map((uid) => item(ITEM.transferSyntax, ascii(uid))),
    ),
  )
  return pdu(PDU.associateRequest, fixed, [
    item(ITEM.applicationContext, ascii(request.applicationContext)),
    ...contexts,
    userInformation({ ...request, userIdentityAnswer: null }),
  ])
}

/**
 * An A-ASSOCIATE-AC.
 * @param echo AE titles and reserved bytes of the request
 */
export function encodeAssociateAccept(
  echo: Uint8Array,
  contexts: readonly { readonly id: number; readonly result: number; readonly transferSyntax: string }[],
  own: OwnUserInformation,
): Buffer {
  return pdu(PDU.associateAccept, echo, [
    item(ITEM.applicationContext, ascii(DICOM_APPLICATION_CONTEXT)),
    ...contexts.map(({ id, result, transferSyntax }) =>
      item(ITEM.contextAccept, Uint8Array.of(id, 0, result, 0), item(ITEM.transferSyntax, ascii(transferSyntax))),
    ),
    userInformation(own),
  ])
}
