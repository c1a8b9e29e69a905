/** The end of the walk: many arrivals, one flush, one transaction, then the answers. design.md section 6. */
import { randomUUID } from 'node:crypto'
import { ArchiveError } from '#errors.ts'
import type { ArchiveWriter, CommitGroup } from '#model/archive-index.ts'
import type { Location, NewInstance, ObjectRecord, PatientIdentity, Placement } from '#model/archive-object.ts'
import type { ArrivalRecord, Receipt } from '#model/arrival.ts'
import type { Finding } from '#model/finding.ts'
import { type HeldRow, studyConflict } from '#model/quarantine.ts'
import type { Entry, SegmentStore, SpooledEntry } from '#model/segment-store.ts'
import { joinStudy } from '#reconciliation/identity.ts'
import type { Base, InstanceUids } from './base.ts'
import type { Extracted } from './extract.ts'
import type { KeptForm } from './kept-form.ts'

export type Outcome =
  | { readonly is: 'record' }
  | { readonly is: 'hold'; readonly row: HeldRow; readonly reason: string; readonly findings: readonly Finding[] }
  | {
      readonly is: 'store'
      readonly uids: InstanceUids
      readonly extracted: Extracted
      readonly kept: KeptForm
      readonly patient: PatientIdentity
      readonly placement: Placement
      /** A released object joins the patient its study is kept under: a person looked at it. */
      readonly joinKept: boolean
    }

/** One arrival, ready to be written. `hold` turns it into a held one when the lane finds a conflict. */
export interface Prepared {
  readonly base: Base
  readonly outcome: Outcome
  hold(findings: readonly Finding[], reason: string): Promise<Outcome>
}

export interface LaneTools {
  readonly segments: SegmentStore
  readonly writer: ArchiveWriter
  /** Everything inside commits together, with full synchronous setting, or not at all. */
  transaction(fn: () => void): void
  /** Registers a held object, or counts one more arrival of the same bytes. @returns the quarantine id */
  registerHeld(row: HeldRow): string
  /** One audit entry per sender and study of a group, in the same transaction. */
  audit(entries: readonly LaneAudit[]): void
  /**
   * What was stored, in the same transaction, for the work that follows.
   * @param newStudies Study Instance UIDs that were not kept before
   */
  stored?(instances: readonly NewInstance[], newStudies: ReadonlySet<string>): void
  /** True when what came under the UID of a kept object is what we give out for it: our own export, coming back. */
  isOwnCopy?(returned: {
    readonly sopInstanceUID: string
    readonly transferSyntaxUID: string
    readonly dataSet: string
  }): Promise<boolean>
  entryNames(
    sopInstanceUID: string,
    sha256: string,
    version: number,
  ): { readonly object: string; readonly record: string }
}

export interface LaneAudit {
  readonly user: string | null
  readonly address: string | null
  readonly outcome: 'stored' | 'held' | 'refused'
  readonly studyInstanceUID: string | null
  /** Rules that found a whole attack, not just its signature: a Security Alert. threats.md section 1.1. */
  readonly alerts: string | null
  readonly count: number
}

export interface CommitLane {
  /** Resolves when the outcome is durable. */
  commit(prepared: Prepared): Promise<Receipt>
  /** Resolves when nothing is under way. */
  idle(): Promise<void>
}

/** Most arrivals and bytes written as one group: bounds the memory of a group and the wait of its first member. */
const GROUP_MAX = 128
const GROUP_BYTES_MAX = 48 * 1024 * 1024

type Written =
  | { readonly receipt: Receipt; readonly failed?: never }
  | { readonly receipt?: never; readonly failed: unknown }

interface Waiting {
  readonly prepared: Prepared
  resolve(receipt: Receipt): void
  reject(error: unknown): void
}

export function createCommitLane(tools: LaneTools): CommitLane {
  const waiting: Waiting[] = []
  let running: Promise<void> | null = null

  function start(): void {
    // Deferred, so that a whole burst of messages joins the group.
    running ??= new Promise<void>((resolve) => setImmediate(resolve)).then(run)
  }

  async function run(): Promise<void> {
    while (waiting.length > 0) {
      const group = nextGroup()
      try {
        const written = await write(group.map(({ prepared }) => prepared))
        group.forEach((member, i) => {
          const one = written[i]
          if (one?.receipt === undefined) member.reject(one?.failed ?? new TypeError('a commit without a receipt'))
          else member.resolve(one.receipt)
        })
      } catch (error) {
        for (const member of group) member.reject(error)
      }
    }
    running = null
  }

  function nextGroup(): Waiting[] {
    let [count, bytes] = [0, 0]
    for (const { prepared } of waiting) {
      bytes += prepared.outcome.is === 'store' ? prepared.outcome.kept.memoryBytes : 0
      if (count > 0 && (count >= GROUP_MAX || bytes > GROUP_BYTES_MAX)) break
      count++
    }
    return waiting.splice(0, count)
  }

  async function write(group: readonly Prepared[]): Promise<Written[]> {
    const newStudies = new Set<string>()
    const decided = await decide(group, newStudies)
    const { instances, flushed } = await append(decided)
    const written: Written[] = []
    tools.transaction(() => {
      const arrivals: ArrivalRecord[] = []
      for (const one of decided) {
        if (one.failed !== undefined) {
          written.push({ failed: one.failed })
          continue
        }
        const quarantineId = one.outcome.is === 'hold' ? tools.registerHeld(one.outcome.row) : null
        const arrival = { ...one.arrival, quarantineId }
        arrivals.push(arrival)
        written.push({ receipt: receiptOf(one, arrival) })
      }
      tools.writer.commit({ instances, arrivals, flushed })
      tools.audit(audited(decided))
      if (instances.length > 0) tools.stored?.(instances, newStudies)
    })
    return written
  }

  /** Bytes first: objects in memory go to the open segment together, each spooled one becomes a segment of its own. */
  async function append(
    decided: readonly Decided[],
  ): Promise<{ instances: NewInstance[]; flushed: CommitGroup['flushed'] }> {
    const instances: NewInstance[] = []
    const entries: Entry[] = []
    const inMemory: { readonly outcome: Storing; readonly record: ObjectRecord }[] = []
    for (const one of decided) {
      const { outcome } = one
      if (outcome.is !== 'store' || one.failed !== undefined) continue
      const version = tools.writer.nextVersion(outcome.uids.sopInstanceUID)
      const record = objectRecord(one.base, outcome, one.arrival, version)
      const names = tools.entryNames(outcome.uids.sopInstanceUID, outcome.kept.digests.kept, version)
      const recordEntry: Entry = { name: names.record, content: [Buffer.from(JSON.stringify(record))] }
      if (outcome.kept.in === 'memory') {
        inMemory.push({ outcome, record })
        entries.push({ name: names.object, content: outcome.kept.content }, recordEntry)
        continue
      }
      const spooled: SpooledEntry = { ...outcome.kept.entry, name: names.object, followedBy: [recordEntry] }
      const [location] = await tools.segments.adopt(spooled, 'default')
      if (location === undefined) throw new ArchiveError('archive.failed', 'the segment store gave no location')
      instances.push(newInstance(outcome, record, location))
    }
    const locations = entries.length === 0 ? [] : await tools.segments.append(entries, 'default')
    for (const [i, { outcome, record }] of inMemory.entries()) {
      const location = locations[2 * i]
      if (location === undefined) throw new ArchiveError('archive.failed', 'the segment store gave no location')
      instances.push(newInstance(outcome, record, location))
    }
    const last = locations.at(-1)
    return {
      instances,
      flushed: last === undefined ? null : { segment: last.segment, offset: afterEntry(last.offset + last.length) },
    }
  }

  /** Same UID, same study: decided one after the other against the index and the members before. */
  async function decide(group: readonly Prepared[], newStudies: Set<string>): Promise<Decided[]> {
    const decided: Decided[] = []
    const byUid = new Map<string, { objectId: string; dataSet: string }>()
    const byStudy = new Map<string, PatientIdentity>()
    for (const prepared of group) {
      const { outcome, base } = prepared
      if (outcome.is !== 'store') {
        decided.push(settle(base, outcome, null, null))
        continue
      }
      const { sopInstanceUID, studyInstanceUID } = outcome.uids
      const inIndex = tools.writer.known(sopInstanceUID)
      const known =
        byUid.get(sopInstanceUID) ??
        (inIndex === undefined ? undefined : { objectId: inIndex.objectId, dataSet: inIndex.digests.dataSet })
      if (known !== undefined) {
        if (known.dataSet === outcome.kept.digests.dataSet)
          decided.push(settle(base, { is: 'record' }, known.objectId, 'these bytes are kept already'))
        else if (await isOwnCopy(outcome))
          decided.push(
            settle(base, { is: 'record' }, known.objectId, 'the kept object as it leaves here: its own copy'),
          )
        else
          decided.push(
            await conflict(prepared, {
              ...{ rule: 'conflict', severity: 'quarantine', offset: null, tag: '00080018' },
              detail: `SOP Instance UID ${sopInstanceUID} is kept with other content`,
            }),
          )
        continue
      }
      const keptUnder = byStudy.get(studyInstanceUID) ?? tools.writer.studyPatient(studyInstanceUID)
      const joined = joinStudy(outcome.patient, keptUnder)
      if (joined === 'conflict' && !outcome.joinKept) {
        decided.push(await conflict(prepared, studyConflict(studyInstanceUID)))
        continue
      }
      const patient = joined === 'conflict' ? (keptUnder ?? outcome.patient) : joined
      if (keptUnder === undefined) newStudies.add(studyInstanceUID)
      const objectId = randomUUID().replaceAll('-', '')
      byUid.set(sopInstanceUID, { objectId, dataSet: outcome.kept.digests.dataSet })
      byStudy.set(studyInstanceUID, patient)
      decided.push(settle(base, { ...outcome, patient }, objectId, null))
    }
    return decided
  }

  async function isOwnCopy({ uids, extracted, kept }: Storing): Promise<boolean> {
    const { sopInstanceUID } = uids
    const { transferSyntaxUID } = extracted
    return (await tools.isOwnCopy?.({ sopInstanceUID, transferSyntaxUID, dataSet: kept.digests.dataSet })) ?? false
  }

  async function conflict(prepared: Prepared, finding: Finding): Promise<Decided> {
    const findings: Finding[] = [...prepared.base.findings, finding]
    const { detail } = finding
    let outcome: Outcome
    try {
      outcome = await prepared.hold(findings, detail)
    } catch (failed) {
      return { ...settle(prepared.base, { is: 'record' }, null, null), failed }
    }
    return settle(
      { ...prepared.base, verdict: 'quarantine', findings, reason: detail, failure: 'identity.conflict' },
      outcome,
      null,
      null,
    )
  }

  return {
    commit(prepared) {
      return new Promise((resolve, reject) => {
        waiting.push({ prepared, resolve, reject })
        start()
      })
    },
    async idle() {
      while (running !== null) await running
    },
  }
}

type Storing = Extract<Outcome, { is: 'store' }>

interface Decided {
  readonly outcome: Outcome
  readonly base: Base
  readonly arrival: ArrivalRecord
  readonly duplicate: boolean
  /** This member alone could not be written; the rest of the group is unharmed. */
  readonly failed?: unknown
}

/** @param duplicate why it is one; null when it is none */
function settle(base: Base, outcome: Outcome, objectId: string | null, duplicate: string | null): Decided {
  const { provenance } = base
  const arrival: ArrivalRecord = {
    id: base.arrivalId,
    sha256: base.sha256,
    size: base.size,
    door: provenance.door,
    peer: provenance.peer,
    originator: provenance.originator,
    user: provenance.user,
    address: provenance.address,
    medium: provenance.medium,
    path: provenance.path,
    time: provenance.time,
    verdict: base.verdict,
    reason: duplicate ?? base.reason,
    findings: outcome.is === 'hold' ? outcome.findings : base.findings,
    scan: base.scan,
    sopInstanceUid: base.sopInstanceUID,
    objectId,
    quarantineId: null,
  }
  return { base, outcome, arrival, duplicate: duplicate !== null }
}

function objectRecord(base: Base, outcome: Storing, arrival: ArrivalRecord, version: number): ObjectRecord {
  return {
    format: 1,
    objectId: arrival.objectId ?? '',
    version,
    sopInstanceUID: outcome.uids.sopInstanceUID,
    digests: outcome.kept.digests,
    dataSetOffset: outcome.kept.dataSetOffset,
    patient: outcome.patient,
    arrival,
    arrivedHead: outcome.kept.arrivedHead,
    arrivedTail: outcome.kept.arrivedTail,
    verdict: base.verdict === 'skip' ? 'accept' : base.verdict,
    findings: [...base.findings, ...outcome.extracted.findings],
    scan: base.scan,
    placement: outcome.placement,
    time: new Date().toISOString(),
  }
}

function receiptOf(one: Decided, arrival: ArrivalRecord): Receipt {
  const { provenance: _, ...base } = one.base
  return {
    ...base,
    reason: arrival.reason,
    findings: arrival.findings,
    stored: one.outcome.is === 'store' || one.duplicate,
    duplicate: one.duplicate,
    objectId: arrival.objectId,
    quarantineId: arrival.quarantineId,
  }
}

function newInstance(outcome: Storing, record: ObjectRecord, location: Location): NewInstance {
  const { findings: _, ...extracted } = outcome.extracted
  return { record, location, ...outcome.uids, ...extracted }
}

/** File position behind an entry whose content ends at `end`: tar pads to 512 bytes. */
function afterEntry(end: number): number {
  return Math.ceil(end / 512) * 512
}

function audited(decided: readonly Decided[]): LaneAudit[] {
  const groups = new Map<string, LaneAudit>()
  for (const { outcome, base, duplicate } of decided) {
    if (base.verdict === 'skip') continue
    const became = outcome.is === 'hold' ? 'held' : outcome.is === 'store' || duplicate ? 'stored' : 'refused'
    const { address, door, peer } = base.provenance
    const user = base.provenance.user ?? (door === 'dimse' ? peer : null)
    const alarming = base.findings.filter(({ severity }) => severity === 'alert')
    const alerts = alarming.length === 0 ? null : alarming.map(({ rule, detail }) => `${rule}: ${detail}`).join('; ')
    const key = JSON.stringify([user, address, became, base.studyInstanceUID, alerts])
    groups.set(key, {
      user,
      address,
      outcome: became,
      studyInstanceUID: base.studyInstanceUID,
      alerts,
      count: (groups.get(key)?.count ?? 0) + 1,
    })
  }
  return [...groups.values()]
}
