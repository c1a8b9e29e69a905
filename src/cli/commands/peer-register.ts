import { ArchiveError } from '#errors.ts'
import { PEER_RIGHTS, type Peer } from '#model/peer.ts'
import { type Flag, type Given, isSet, operand, text, UsageError } from '../command.ts'
import { flagValues } from '../flag-values.ts'
import { jsonFile } from '../json-file.ts'
import type { PeerAction } from './peer-action.ts'

const FLAGS: { readonly [name: string]: Flag } = {
  host: { type: 'string', value: 'HOST', about: 'where it listens; it may call us from there' },
  port: { type: 'string', value: 'PORT', about: 'port it listens on' },
  allow: { type: 'string', value: 'RIGHTS', about: `what it may do, with commas: ${PEER_RIGHTS.join(',')}` },
  address: { type: 'string', value: 'ADDRESS', multiple: true, about: 'address or CIDR block it may call from' },
  certificate: {
    type: 'string',
    value: 'SHA256',
    multiple: true,
    about: 'digest of its client certificate; needs TLS',
  },
  tls: { type: 'boolean', about: 'call it over TLS' },
  'no-tls': { type: 'boolean', about: 'call it without TLS (the default)' },
  'calling-ae-title': { type: 'string', value: 'TITLE', about: 'AE title we call it under' },
  originator: { type: 'string', value: 'NAME', about: 'originator its objects are screened under' },
  'sop-class': { type: 'string', value: 'UID', multiple: true, about: 'class it may store; none given: all' },
  'move-destination': {
    type: 'string',
    value: 'TITLE',
    multiple: true,
    about: 'where it may move to; none given: itself',
  },
  associations: { type: 'string', value: 'N', about: 'open associations at once' },
  file: { type: 'string', value: 'FILE', about: 'the whole peer as JSON, instead of flags' },
}

/** `peer add`, `list`, `show`, `remove`: the register. */
export const registerActions: readonly PeerAction[] = [
  {
    name: 'add',
    operands: 'TITLE',
    summary: 'registers one, or replaces the values that are given of one that is there',
    flags: FLAGS,
    operandCount: [1, 1],
    async run({ peers }, given, emit) {
      const aeTitle = operand(given, 1, 'the AE title')
      const known = peers.get(aeTitle)
      const added = await peers.put(
        { ...known, ...(await jsonFile(given)), ...fromFlags(given), aeTitle },
        'local',
        null,
      )
      await emit({ json: added, text: shortText(added) })
      return 0
    },
  },
  {
    name: 'list',
    operands: '',
    summary: 'shows all',
    flags: {},
    operandCount: [0, 0],
    async run({ peers }, _given, emit) {
      for (const peer of peers.all()) await emit({ json: peer, text: shortText(peer) })
      return 0
    },
  },
  {
    name: 'show',
    operands: 'TITLE',
    summary: 'shows one',
    flags: {},
    operandCount: [1, 1],
    async run({ peers }, given, emit) {
      const aeTitle = operand(given, 1, 'the AE title')
      const peer = peers.get(aeTitle)
      if (peer === undefined) throw new ArchiveError('request.not-found', `there is no peer ${aeTitle}`)
      await emit({ json: peer, text: JSON.stringify(peer, null, 2) })
      return 0
    },
  },
  {
    name: 'remove',
    operands: 'TITLE',
    summary: 'takes one out of the register',
    flags: {},
    operandCount: [1, 1],
    async run({ peers }, given, emit) {
      const aeTitle = operand(given, 1, 'the AE title')
      await peers.remove(aeTitle, 'local', null)
      await emit({ json: { removed: aeTitle }, text: `${aeTitle} removed` })
      return 0
    },
  },
]

const SINGLE = { host: 'host', 'calling-ae-title': 'callingAeTitle', originator: 'originator' } as const
const NUMBERS = { port: 'port', associations: 'associationsMax' } as const
const MANY = {
  address: 'addresses',
  certificate: 'certificates',
  'sop-class': 'sopClasses',
  'move-destination': 'moveDestinations',
} as const

function fromFlags(given: Given): { readonly [key: string]: unknown } {
  const asked = flagValues(given, SINGLE, MANY)
  for (const [flag, key] of Object.entries(NUMBERS)) {
    const value = text(given, flag)
    if (value === undefined) continue
    if (!/^\d{1,9}$/.test(value)) throw new UsageError(`--${flag} wants a whole number, not ${value}`)
    asked[key] = Number(value)
  }
  const allow = text(given, 'allow')
  if (allow !== undefined) asked['allow'] = allow.split(',').map((right) => right.trim())
  if (isSet(given, 'tls')) asked['tls'] = true
  if (isSet(given, 'no-tls')) asked['tls'] = false
  return asked
}

function shortText({ aeTitle, host, port, allow, certificates, tls }: Peer): string {
  const where = host === null ? 'only calls us' : `${host}:${port}${tls ? ' (TLS)' : ''}`
  const bound = certificates.length > 0 ? 'bound to its certificate' : 'bound to its address'
  return `${aeTitle.padEnd(16)} ${where.padEnd(28)} ${allow.join(',')}; ${bound}`
}
