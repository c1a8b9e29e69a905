import { isIP } from 'node:net'
import { z } from 'zod'
import { ArchiveError } from '#errors.ts'
import { PEER_RIGHTS, type Peer } from '#model/peer.ts'
import { auditEvent } from './audit.ts'
import type { PeerStore, SecurityWriter } from './ports.ts'

/** An AE title: 1 to 16 characters of the default repertoire without backslash, not only blanks. PS3.5 table 6.2-1. */
const aeTitle = z
  .string()
  .transform((title) => title.trim())
  .pipe(z.string().regex(/^[\x20-\x5b\x5d-\x7e]{1,16}$/, 'expected an AE title: 1 to 16 characters, no backslash'))
const uid = z.string().regex(/^[0-9.]{1,64}$/, 'expected a UID')
const address = z.string().refine(isAddress, 'expected an address or a CIDR block such as 10.1.2.0/24')

/** A registered peer, as it is checked wherever one comes from. */
export const peerBody = z
  .strictObject({
    aeTitle,
    host: z.string().trim().min(1).max(253).nullable().default(null),
    port: z.int().min(1).max(65535).nullable().default(null),
    allow: z.array(z.enum(PEER_RIGHTS)).default(['echo']),
    addresses: z.array(address).max(100).default([]),
    certificates: z
      .array(
        z
          .string()
          .transform((text) => text.replaceAll(':', '').toLowerCase())
          .pipe(z.string().regex(/^[0-9a-f]{64}$/, 'expected a SHA-256 in hexadecimal')),
      )
      .max(100)
      .default([]),
    tls: z.boolean().default(false),
    callingAeTitle: aeTitle.nullable().default(null),
    originator: z.string().trim().min(1).max(64).nullable().default(null),
    sopClasses: z.array(uid).max(500).nullable().default(null),
    moveDestinations: z.array(aeTitle).max(100).nullable().default(null),
    associationsMax: z.int().min(1).max(10_000).default(32),
  })
  .refine(({ host, port }) => (host === null) === (port === null), 'host and port go together')
  .refine(
    ({ host, addresses, certificates }) => host !== null || addresses.length > 0 || certificates.length > 0,
    'an AE title alone proves nothing: name a host, an address or a certificate',
  )

/** An address, or a block as `address/bits`. */
function isAddress(text: string): boolean {
  const [host = '', bits, ...more] = text.split('/')
  const family = isIP(host)
  if (family === 0 || more.length > 0) return false
  return bits === undefined || (/^\d{1,3}$/.test(bits) && Number(bits) <= (family === 4 ? 32 : 128))
}

/** @throws ArchiveError 'request.malformed' naming what is wrong */
export function checkPeer(given: unknown): Peer {
  const result = peerBody.safeParse(given)
  if (result.success) return { ...result.data, allow: PEER_RIGHTS.filter((right) => result.data.allow.includes(right)) }
  const issue = result.error.issues[0]
  const why = issue?.code === 'unrecognized_keys' ? `there is no "${issue.keys[0] ?? ''}"` : issue?.message
  throw new ArchiveError('request.malformed', ['peer', ...(issue?.path ?? [])].join('.') + `: ${why ?? 'not valid'}`)
}

/** The register of application entities: checked, versioned, audited. */
export class Peers {
  readonly #store: PeerStore
  readonly #writer: Pick<SecurityWriter, 'putPeers' | 'removePeer'>

  constructor(store: PeerStore, writer: Pick<SecurityWriter, 'putPeers' | 'removePeer'>) {
    this.#store = store
    this.#writer = writer
  }

  /** By AE title, ascending. */
  all(): readonly Peer[] {
    return this.#store.peers()
  }

  get(aeTitle: string): Peer | undefined {
    return this.#store.peer(aeTitle)
  }

  /** Adds or replaces one. @throws ArchiveError 'request.malformed' naming what is wrong */
  async put(given: unknown, by: string, address: string | null): Promise<Peer> {
    const peer = checkPeer(given)
    const detail = `put ${peer.aeTitle}: ${peer.allow.join(', ')}`
    await this.#writer.putPeers([peer], auditEvent(by, { kind: 'peer', address, detail }))
    return peer
  }

  /** @throws ArchiveError 'request.not-found' */
  async remove(aeTitle: string, by: string, address: string | null): Promise<void> {
    const event = auditEvent(by, { kind: 'peer', address, detail: `removed ${aeTitle.slice(0, 16)}` })
    if ((await this.#writer.removePeer(aeTitle, event)) === 'missing') {
      throw new ArchiveError('request.not-found', 'peer')
    }
  }
}
