/** Who calls, and what they may do. An AE title alone is never authentication. threats.md section 5. */
import { lookup } from 'node:dns/promises'
import { BlockList, isIP } from 'node:net'
import type { DimseCaller } from '#model/dimse-service.ts'
import { PEER_RIGHTS, type Peer, type PeerRight } from '#model/peer.ts'
import type { Subject } from '#model/permission.ts'
import type { Visibility, Withholding } from '#model/visibility.ts'
import { visibilityOf } from '#security/decide.ts'

/** What is known of a connection before its first byte. */
export interface Connection {
  /** Address of the caller, an IPv4 one in its own form. */
  readonly address: string
  /** SHA-256 (hex) of the client certificate, which TLS has proved the caller to own; null without one. */
  readonly certificate: string | null
}

export interface Register {
  get(aeTitle: string): Peer | undefined
}

export type Authorised =
  | { readonly in: true; readonly caller: DimseCaller }
  | { readonly in: false; readonly why: string }

const READING: readonly PeerRight[] = ['find', 'move', 'get', 'worklist']

/**
 * Finds out who calls. A registered title needs one of its certificates when it has any, else one of its addresses; a
 * title nobody registered is let in from this machine only, while the site takes strangers.
 */
export async function authorise(
  aeTitle: string,
  connection: Connection,
  register: Register,
  strangers: 'loopback' | 'refuse',
  withholdingFrom?: (subject: Subject) => Withholding | undefined,
): Promise<Authorised> {
  const seenAs = (title: string, allow: readonly PeerRight[]) => seeing(title, allow, withholdingFrom)
  const { address, certificate } = connection
  const peer = register.get(aeTitle)
  const known = { aeTitle, address, certificate }
  if (peer === undefined) {
    if (strangers === 'refuse') return { in: false, why: 'not registered' }
    if (!isLoopbackAddress(address)) return { in: false, why: 'not registered, and not on this machine' }
    return { in: true, caller: { ...known, peer: null, provedBy: 'loopback', ...seenAs(aeTitle, PEER_RIGHTS) } }
  }
  const rights = seenAs(aeTitle, peer.allow)
  if (peer.certificates.length > 0) {
    if (certificate === null || !peer.certificates.includes(certificate)) {
      return { in: false, why: 'registered with a certificate, and shows another or none' }
    }
    return { in: true, caller: { ...known, peer, provedBy: 'certificate', ...rights } }
  }
  if (!(await callsFromItsAddress(peer, address))) return { in: false, why: 'registered at another address' }
  return { in: true, caller: { ...known, peer, provedBy: 'address', ...rights } }
}

/** True when the caller holds a right. Strangers that were let in hold all. */
export function hasRight({ peer }: DimseCaller, right: PeerRight): boolean {
  return peer === null || peer.allow.includes(right)
}

/** A peer that may ask for something sees the archive; one that only sends sees nothing. */
function seeing(
  aeTitle: string,
  allow: readonly PeerRight[],
  withholdingFrom: ((subject: Subject) => Withholding | undefined) | undefined,
): { subject: Subject; visibility: Visibility } {
  const role = READING.some((right) => allow.includes(right)) ? 'technologist' : 'sender'
  const plain: Subject = { kind: 'peer', name: aeTitle, role, scopes: [], patientIds: null }
  const withholding = withholdingFrom?.(plain)
  const subject = withholding === undefined ? plain : { ...plain, withholding }
  const visibility = visibilityOf(subject, 'object.read')
  return { subject, visibility: visibility === 'forbidden' ? { sees: 'nothing' } : visibility }
}

async function callsFromItsAddress({ addresses, host }: Peer, address: string): Promise<boolean> {
  if (addresses.length > 0) return inBlocks(addresses, address)
  if (host === null) return false
  if (isIP(host) !== 0) return inBlocks([host], address)
  try {
    const found = await lookup(host, { all: true })
    return inBlocks(
      found.map((each) => each.address),
      address,
    )
  } catch (error) {
    // A name that does not resolve proves nothing.
    if (error instanceof Error && 'code' in error) return false
    throw error
  }
}

function inBlocks(blocks: readonly string[], address: string): boolean {
  const family = isIP(address)
  if (family === 0) return false
  const list = new BlockList()
  for (const block of blocks) {
    const [network = '', bits] = block.split('/')
    const type = isIP(network) === 6 ? 'ipv6' : 'ipv4'
    if (bits === undefined) list.addAddress(network, type)
    else list.addSubnet(network, Number(bits), type)
  }
  return list.check(address, family === 6 ? 'ipv6' : 'ipv4')
}

/** An IPv4 address in IPv6 clothes as what it is. */
export function plainAddress(address: string): string {
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)
  return mapped?.[1] ?? address
}

export function isLoopbackAddress(address: string): boolean {
  return address === '::1' || (isIP(address) === 4 && address.startsWith('127.'))
}
