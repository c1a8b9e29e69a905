import type { IncomingMessage } from 'node:http'
import { BlockList, isIP, isIPv6 } from 'node:net'
import type { TLSSocket } from 'node:tls'
import type { HttpConfig } from '#config.ts'
import { ArchiveError } from '#errors.ts'

/** Where a request came from and how its sender names us. */
export interface RequestOrigin {
  readonly address: string
  readonly secure: boolean
  /** Scheme, authority and path prefix, without a trailing slash. */
  readonly baseUrl: string
}

const HOST = /^(\[[0-9a-fA-F:.]{2,45}\]|[A-Za-z0-9._-]{1,253})(:\d{1,5})?$/
const LOOPBACK_HOST = /^(localhost|127(\.\d{1,3}){3}|\[::1\])(:\d{1,5})?$/i

export function isLoopback(host: string): boolean {
  return LOOPBACK_HOST.test(isIPv6(host) ? `[${host}]` : host)
}

/**
 * Reads origins of requests. Headers of a proxy are believed only from listed proxies.
 *
 * @param open with `--open` only a loopback name is served: a page elsewhere whose name was made to point at
 *   127.0.0.1 must not read the archive (DNS rebinding)
 */
export function originReader(config: HttpConfig, open: boolean): (request: IncomingMessage) => RequestOrigin {
  const proxies = blockList(config.trustedProxies)
  const publicHost = config.publicBaseUrl === undefined ? undefined : new URL(config.publicBaseUrl).host
  return (request) => {
    const peer = plainAddress(request.socket.remoteAddress ?? '')
    const viaProxy = proxies !== undefined && contains(proxies, peer)
    const forwardedHost = viaProxy ? last(request.headers['x-forwarded-host']) : undefined
    const host = forwardedHost ?? request.headers.host ?? ''
    if (!HOST.test(host)) throw new ArchiveError('request.malformed', 'host: not a host name')
    if (open && !LOOPBACK_HOST.test(host) && host !== publicHost) {
      throw new ArchiveError('request.forbidden', 'with --open only loopback names are served')
    }
    const encrypted = (request.socket as Partial<TLSSocket>).encrypted === true
    const forwardedProto = viaProxy ? last(request.headers['x-forwarded-proto']) : undefined
    const baseUrl = config.publicBaseUrl ?? `${encrypted || forwardedProto === 'https' ? 'https' : 'http'}://${host}`
    return {
      address: viaProxy ? forwardedAddress(request, proxies, peer) : peer,
      secure: baseUrl.startsWith('https:'),
      baseUrl,
    }
  }
}

/** The right-most address that is not one of our proxies: whatever stands further left is the caller's own claim. */
function forwardedAddress(request: IncomingMessage, proxies: BlockList, peer: string): string {
  const header = request.headers['x-forwarded-for']
  const listed = (Array.isArray(header) ? header.join(',') : (header ?? '')).split(',').map((part) => part.trim())
  let address = peer
  for (const candidate of listed.reverse()) {
    if (isIP(candidate) === 0) return address
    address = plainAddress(candidate)
    if (!contains(proxies, address)) return address
  }
  return address
}

/** Tells proxies of ours from callers. @throws ArchiveError 'configuration.invalid' */
export function proxyReader({ trustedProxies }: Pick<HttpConfig, 'trustedProxies'>): (address: string) => boolean {
  const proxies = blockList(trustedProxies)
  return (address) => proxies !== undefined && contains(proxies, address)
}

function last(header: string | string[] | undefined): string | undefined {
  const text = Array.isArray(header) ? header.at(-1) : header
  return text?.split(',').at(-1)?.trim()
}

/** An IPv4 address as it is, also when it came through an IPv6 socket. */
function plainAddress(address: string): string {
  return address.startsWith('::ffff:') && address.includes('.') ? address.slice(7) : address
}

function contains(list: BlockList, address: string): boolean {
  return isIP(address) !== 0 && list.check(address, isIPv6(address) ? 'ipv6' : 'ipv4')
}

/** @throws ArchiveError 'configuration.invalid' */
function blockList(entries: readonly string[]): BlockList | undefined {
  if (entries.length === 0) return undefined
  const list = new BlockList()
  for (const entry of entries) {
    const [address = '', prefix] = entry.split('/')
    const family = isIPv6(address) ? 'ipv6' : 'ipv4'
    try {
      if (prefix === undefined) list.addAddress(address, family)
      else list.addSubnet(address, Number(prefix), family)
    } catch (cause) {
      throw new ArchiveError('configuration.invalid', `http.trustedProxies: ${entry} is no address or block`, { cause })
    }
  }
  return list
}
