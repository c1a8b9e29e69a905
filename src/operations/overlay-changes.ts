import type { ArchiveReader } from '#model/archive-index.ts'
import type { Change, StoredInstance } from '#model/archive-object.ts'
import type { LedgerEntry } from '#model/identity.ts'
import type { IdentityReader } from '#model/identity-ledger.ts'
import type { Visibility } from '#model/visibility.ts'
import { jsonAt, jsonTexts } from './json-texts.ts'
import { currentMetadata } from './render-metadata.ts'

const ORIGINAL_ATTRIBUTES = '04000561'
const MODIFIED_ATTRIBUTES = '04000550'
/** Decisions taken back that are looked through. */
const ENTRIES_MAX = 500

/**
 * What an object says otherwise than it did when it arrived, with what it said before; and what was taken back.
 * Changes that were none for this object are left out.
 */
export async function overlayChanges(
  reader: Pick<ArchiveReader, 'metadata'>,
  ledger: Pick<IdentityReader, 'entries' | 'patientById'>,
  instance: StoredInstance,
  visibility: Visibility,
): Promise<readonly Change[]> {
  const { studyInstanceUID, seriesInstanceUID, sopInstanceUID, overlay } = instance
  const ofStudy = ledger.entries({ studyInstanceUID, limit: ENTRIES_MAX }).items
  const undone = ofStudy
    .filter(({ undoneBy }) => undoneBy !== null)
    .flatMap((entry) => undoneChanges(entry, seriesInstanceUID, sopInstanceUID))
  if (overlay.length === 0) return undone
  const chunk = (
    await currentMetadata(reader, { studyInstanceUID, seriesInstanceUID, sopInstanceUID }, visibility)
  )?.[0]
  if (chunk === undefined) return undone
  const patient = ledger.patientById(instance.patientId)
  const key = patient === undefined ? undefined : { issuer: patient.issuer, id: patient.id }
  const ofPatient = key === undefined ? [] : ledger.entries({ patient: key, limit: ENTRIES_MAX }).items
  const causes = new Map([...ofPatient, ...ofStudy].map(({ time, cause }) => [time, cause]))
  const json = jsonTexts(chunk)
  const records = jsonAt(json, ORIGINAL_ATTRIBUTES)?.Value ?? []
  // Ours are the last ones, in the order of the events that changed something.
  let at = records.length
  const found: Change[][] = []
  for (const event of overlay.toReversed()) {
    const record = records[at - 1]
    if (record === undefined || textOf(record, '04000562') !== event.time) continue
    at--
    const before = jsonAt(record, MODIFIED_ATTRIBUTES)?.Value?.[0]
    const changes = event.changes.filter(({ path }) => jsonAt(before, path.slice(0, 8)) !== undefined)
    const time = instantOf(event.time)
    const cause = causes.get(time)
    found.push(
      changes.map(({ path, values }) => ({
        tag: path,
        before: textOf(before, path),
        after: values === null ? null : values.join('\\'),
        rule: cause?.rule ?? event.reason,
        by: cause?.by ?? event.modifyingSystem,
        time,
        undone: false,
      })),
    )
  }
  return [...found.toReversed().flat(), ...undone]
}

function undoneChanges({ decision, cause, time }: LedgerEntry, series: string, instance: string): Change[] {
  if (decision.do !== 'overlay' && decision.do !== 'assign') return []
  if (decision.do === 'overlay' && decision.scope.of === 'study') {
    const { seriesInstanceUID, sopInstanceUID } = decision.scope
    if ((seriesInstanceUID ?? series) !== series || (sopInstanceUID ?? instance) !== instance) return []
  }
  return decision.changes.map(({ path, values }) => {
    const after = values === null ? null : values.join('\\')
    return { tag: path, before: null, after, rule: cause.rule, by: cause.by, time, undone: true }
  })
}

function textOf(dataSet: unknown, path: string): string | null {
  const values = jsonAt(dataSet, path)?.Value ?? []
  const texts = values.map((value) => {
    if (typeof value !== 'object' || value === null) return value === null ? '' : String(value)
    const { Alphabetic = '', Ideographic = '', Phonetic = '' } = value as { [group: string]: string }
    return [Alphabetic, Ideographic, Phonetic].join('=').replace(/=+$/, '')
  })
  return texts.length === 0 ? null : texts.join('\\')
}

/** A DICOM DT in UTC as an instant; as it is when it is none. */
function instantOf(time: string): string {
  const match = /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)(\.\d{1,3})?/.exec(time)
  if (match === null) return time
  const [, year, month, day, hour, minute, second, fraction = '.000'] = match
  return `${year}-${month}-${day}T${hour}:${minute}:${second}${fraction.padEnd(4, '0')}Z`
}
