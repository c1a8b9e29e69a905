import { type Flag, text, texts, UsageError, wholeNumber } from '../command.ts'
import type { PeerAction } from './peer-action.ts'
import { peerOf } from './peer-operands.ts'

const LEVELS = { patient: 'PATIENT', study: 'STUDY', series: 'SERIES', image: 'IMAGE' } as const

const FIND_FLAGS: { readonly [name: string]: Flag } = {
  level: { type: 'string', value: 'LEVEL', about: 'patient, study, series or image (study)' },
  root: { type: 'string', value: 'ROOT', about: 'information model: patient or study (study)' },
  limit: { type: 'string', value: 'N', about: 'cancel after so many matches (1000)' },
  fuzzy: { type: 'boolean', about: 'ask for fuzzy matching of names' },
  relational: { type: 'boolean', about: 'ask for relational queries: keys of the levels above may be left out' },
  return: { type: 'string', value: 'KEYWORD', multiple: true, about: 'further attribute to return' },
}

/** `peer echo`, `peer find`: asking another archive. */
export const askActions: readonly PeerAction[] = [
  {
    name: 'echo',
    operands: 'TITLE',
    summary: 'C-ECHO: is it there, and does it take us',
    flags: {},
    operandCount: [1, 1],
    async run(archive, given, emit, signal) {
      const { echo } = await import('#access/dimse/scu/query.ts')
      const peer = peerOf(archive, given)
      const begun = performance.now()
      await echo(archive.exchange.connector, peer, signal)
      const ms = Math.round(performance.now() - begun)
      await emit({ json: { peer: peer.aeTitle, echo: 'ok', ms }, text: `${peer.aeTitle} answered in ${ms} ms` })
      return 0
    },
  },
  {
    name: 'find',
    operands: 'TITLE [KEYWORD=VALUE...]',
    summary: 'C-FIND: what it has; one line of DICOM JSON for each match',
    flags: FIND_FLAGS,
    operandCount: [1, 100],
    async run(archive, given, emit, signal) {
      const { find } = await import('#access/dimse/scu/query.ts')
      const { parseKey } = await import('#access/dimse/scu/identifiers.ts')
      const peer = peerOf(archive, given)
      const named = (text(given, 'level') ?? 'study').toLowerCase()
      const level = LEVELS[named as keyof typeof LEVELS]
      if (level === undefined) throw new UsageError(`--level is ${Object.keys(LEVELS).join(', ')}, not ${named}`)
      const root = text(given, 'root') ?? (level === 'PATIENT' ? 'patient' : 'study')
      if (root !== 'patient' && root !== 'study') throw new UsageError(`--root is patient or study, not ${root}`)
      const keys = [...given.positionals.slice(2), ...texts(given, 'return')].map(parseKey)
      const relational = given.flags['relational'] === true
      const fuzzy = given.flags['fuzzy'] === true
      const limit = wholeNumber(given, 'limit', 1000, 1)
      let count = 0
      const question = { root, level, keys, relational, fuzzy, limit } as const
      for await (const row of find(archive.exchange.connector, peer, question, signal)) {
        count++
        await emit({ json: row, text: rowText(row) })
      }
      await emit({ note: `${count} ${count === 1 ? 'match' : 'matches'}` })
      return 0
    },
  },
]

/** A match on one line, as a person reads it. */
function rowText(row: { readonly [tag: string]: unknown }): string {
  return Object.entries(row)
    .filter(([tag]) => !['00080005', '00080052', '00080054', '00080056'].includes(tag))
    .map(([, member]) => shown(member))
    .filter((value) => value !== '')
    .join('  ')
}

function shown(member: unknown): string {
  if (typeof member !== 'object' || member === null || !('Value' in member) || !Array.isArray(member.Value)) return ''
  return member.Value.map((value: unknown) => {
    if (typeof value === 'string' || typeof value === 'number') return String(value)
    if (typeof value === 'object' && value !== null && 'Alphabetic' in value) return String(value.Alphabetic)
    return ''
  }).join('\\')
}
