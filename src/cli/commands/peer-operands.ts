import { ArchiveError } from '#errors.ts'
import type { Peer } from '#model/peer.ts'
import { EVERYTHING } from '#model/visibility.ts'
import type { Archive } from '../../app.ts'
import { type Given, operand, texts, UsageError } from '../command.ts'

/** The peer that is named. @throws ArchiveError 'request.not-found' */
export function peerOf(archive: Archive, given: Given): Peer {
  const title = operand(given, 1, 'the AE title of the peer')
  const peer = archive.peers.get(title)
  if (peer !== undefined) return peer
  throw new ArchiveError('request.not-found', `there is no peer ${title}`, {
    hint: 'Register it: diptych peer add TITLE --host H --port P --allow ...',
  })
}

const UID = /^[0-9.]{1,64}$/

/** UIDs of `--study`, `--series` and `--instance`. @throws UsageError */
export function wantedOf(given: Given): {
  readonly studies: readonly string[]
  readonly series: readonly string[]
  readonly instances: readonly string[]
} {
  const [studies, series, instances] = ['study', 'series', 'instance'].map((flag) => {
    const values = texts(given, flag)
    const wrong = values.find((value) => !UID.test(value))
    if (wrong !== undefined) throw new UsageError(`--${flag} wants a UID, not ${wrong}`)
    return values
  })
  if (studies === undefined || studies.length === 0) throw new UsageError('--study is needed')
  if ((series?.length ?? 0) > 0 && studies.length > 1) throw new UsageError('--series is of one study')
  if ((instances?.length ?? 0) > 0 && series?.length !== 1) throw new UsageError('--instance is of one series')
  return { studies, series: series ?? [], instances: instances ?? [] }
}

/** Everything of ours that the flags name; the local owner sees all. */
export async function surveyOf(archive: Archive, given: Given) {
  const { survey } = await import('#access/dimse/retrieve-scope.ts')
  const { studies, series, instances } = wantedOf(given)
  const level = instances.length > 0 ? 'IMAGE' : series.length > 0 ? 'SERIES' : 'STUDY'
  const found = await survey({ level, patientIds: [], studies, series, instances }, archive.reader, EVERYTHING)
  if (found.count > 0) return found
  throw new ArchiveError('request.not-found', 'there is nothing of it in the archive')
}

export const SCOPE_FLAGS = {
  study: { type: 'string', value: 'UID', multiple: true, about: 'Study Instance UID' },
  series: { type: 'string', value: 'UID', multiple: true, about: 'only these series of the study' },
  instance: { type: 'string', value: 'UID', multiple: true, about: 'only these instances of the series' },
} as const
