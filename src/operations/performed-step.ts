/** Performed procedure steps beside what arrived. PS3.4 section F.7, services.md B.3. */
import type { JobHandler } from '#jobs/job-runner.ts'
import type { ArchiveReader } from '#model/archive-index.ts'
import type { PerformedStep } from '#model/identity.ts'
import type { IdentityReader } from '#model/identity-ledger.ts'
import type { NewJob } from '#model/job-queue.ts'
import { EVERYTHING } from '#model/visibility.ts'

/** Kind of the job; its subject is the UID of the step. */
export const PERFORMED_STEP_JOB = 'performed-step'
/** A modality may complete a step before its last image is sent. */
const FIRST_LOOK_MS = 30_000
const ATTEMPTS_MAX = 10

/** What a step lists and what of it is here. */
export interface Arrived {
  readonly listed: number
  /** SOP Instance UIDs that have not arrived. */
  readonly missing: readonly string[]
}

export function performedStepJob(sopInstanceUID: string): NewJob {
  const runAfter = Date.now() + FIRST_LOOK_MS
  return { kind: PERFORMED_STEP_JOB, subject: sopInstanceUID, runAfter, attemptsMax: ATTEMPTS_MAX }
}

type Attributes = PerformedStep['attributes']

function items(attributes: Attributes, tag: string): readonly Attributes[] {
  const attribute = attributes[tag]
  if (typeof attribute !== 'object' || attribute === null || !('Value' in attribute)) return []
  const { Value: values } = attribute
  if (!Array.isArray(values)) return []
  return values.filter((item): item is Attributes => typeof item === 'object' && item !== null)
}

/** SOP Instance UIDs in the Performed Series Sequence (0040,0340): images and other composite objects. */
export function listedInstances({ attributes }: PerformedStep): readonly string[] {
  const uids = items(attributes, '00400340')
    .flatMap((series) => [...items(series, '00081140'), ...items(series, '00400220')])
    .map((reference) => {
      const value = reference['00081155']
      if (typeof value !== 'object' || value === null || !('Value' in value) || !Array.isArray(value.Value)) return ''
      return String(value.Value[0] ?? '')
    })
  return [...new Set(uids)].filter((uid) => uid !== '')
}

export async function arrivedOf(reader: Pick<ArchiveReader, 'find'>, step: PerformedStep): Promise<Arrived> {
  const listed = listedInstances(step)
  const missing: string[] = []
  for (const uid of listed) if ((await reader.find(uid, EVERYTHING)) === undefined) missing.push(uid)
  return { listed: listed.length, missing }
}

/** Compares; what is missing makes the try fail, so it is looked for again and, in the end, stays listed as parked. */
export function performedStepHandler(tools: {
  readonly reader: Pick<ArchiveReader, 'find'>
  readonly ledger: Pick<IdentityReader, 'performedStep'>
}): JobHandler {
  return async ({ subject }) => {
    const step = tools.ledger.performedStep(subject)
    if (step?.status !== 'COMPLETED') return undefined
    const { listed, missing } = await arrivedOf(tools.reader, step)
    if (missing.length > 0)
      throw new Error(`${missing.length} of ${listed} instances have not arrived: ${missing[0]} ...`)
    return undefined
  }
}
