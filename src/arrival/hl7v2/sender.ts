import { isIP } from 'node:net'
import type { MessageEnvelope } from '#model/message.ts'
import type { Originator } from '#model/settings.ts'
import { Hl7Error } from '#standards/hl7v2/errors.ts'

/** What a message says of its sender, MSH-3 and MSH-4, first components. */
export interface SaidSender {
  readonly application: string
  readonly facility: string
}

/**
 * Which registered originator a message is from.
 *
 * A certificate is proof. Else MSH-3|MSH-4 must be registered, and the address with it where the originator has
 * addresses: names in a message are claims and no more. At an import the person who imports says who it is from.
 */
export function senderOf(
  register: readonly Originator[],
  said: SaidSender,
  { certificate, address, originator }: Pick<MessageEnvelope, 'certificate' | 'address' | 'originator'>,
): Originator | undefined {
  const name = `${said.application}|${said.facility}`
  const isNamed = ({ hl7Senders }: Originator) =>
    hl7Senders.includes(name) || hl7Senders.includes(`${said.application}|*`)
  const at = ({ addresses }: Originator) => addresses.length === 0 || (address !== null && addresses.includes(address))
  if (originator != null) return register.find((one) => one.name === originator)
  if (certificate !== null) {
    // One certificate may speak for several originators behind an interface engine: the name tells them apart.
    const theirs = register.filter(({ certificates }) => certificates.includes(certificate))
    return theirs.find(isNamed) ?? theirs.find(({ hl7Senders }) => hl7Senders.length === 0)
  }
  return register.find((one) => isNamed(one) && at(one) && one.certificates.length === 0)
}

/**
 * Whether a message of nobody who is registered may be taken.
 * @throws Hl7Error AR 103
 */
export function admitStranger(
  policy: 'loopback' | 'refuse' | 'any',
  { door, address }: Pick<MessageEnvelope, 'door' | 'address'>,
): void {
  if (door === 'import' || policy === 'any') return
  if (policy === 'loopback' && address !== null && isLoopback(address)) return
  throw new Hl7Error('AR', 103, 'MSH-3 and MSH-4 from this address are no registered sender', {
    segment: 'MSH',
    sequence: 1,
    field: 3,
  })
}

export function isLoopback(address: string): boolean {
  const plain = address.replace(/^::ffff:/, '')
  return isIP(plain) === 4 ? plain.startsWith('127.') : plain === '::1'
}
