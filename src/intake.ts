/**
 * The walk: how a datum flows from a door to the shelf.
 *
 *     Arrival -> screening -> reconciliation -> placement -> storage, then index -> Receipt
 *                   |              |                              |
 *               quarantine     quarantine                    change feed
 *
 * Runs in the writer worker. Each stage takes a value and returns a new one; the commit lane at the end writes many
 * arrivals with one flush and one transaction. design.md sections 1 and 6.
 */
import { randomUUID } from 'node:crypto'
import { ArchiveError } from '#errors.ts'
import type { PatientIdentity } from '#model/archive-object.ts'
import type { Arrival, ArrivedBytes, OpenArrival, Provenance, Receipt } from '#model/arrival.ts'
import type { Finding } from '#model/finding.ts'
import type { Intake } from '#model/intake.ts'
import type { HeldRow } from '#model/quarantine.ts'
import type { Originator, ScreeningPolicy } from '#model/settings.ts'
import { place } from '#placement/place.ts'
import { identityOf } from '#reconciliation/identity.ts'
import type { Screened } from '#screening/screened.ts'
import type { Issuers } from '#security/issuers.ts'
import type { ByteSource } from '#standards/byte-source.ts'
import type { Base, InstanceUids } from './intake/base.ts'
import type { CommitLane, Outcome, Prepared } from './intake/commit-lane.ts'
import { type Extracted, extract, UNIVERSAL_ENTITY_ID } from './intake/extract.ts'
import { type KeptForm, keptForm, keptObject } from './intake/kept-form.ts'

/** What the policies in force say of one arrival. */
export interface Terms {
  readonly policy: ScreeningPolicy
  readonly originator: Originator | null
  /** Assumed when neither the object nor its originator says which zone a time is in. */
  readonly siteZone: string
  /** One name for each assigning authority, whatever the object calls it. */
  readonly issuers: Issuers
}

export interface WalkTools {
  termsFor(provenance: Provenance): Terms
  screen(arrival: OpenArrival, policy: ScreeningPolicy): Screened | Promise<Screened>
  /** Opens arrived bytes for random access. */
  open(bytes: ArrivedBytes): ByteSource & { close(): void }
  /** SHA-256 (hex) of all bytes as they arrived. */
  digest(bytes: ArrivedBytes): string
  /** Keeps the original encrypted; resolves when it is flushed. Same bytes twice are kept once. */
  seal(sha256: string, source: ByteSource): Promise<void>
  /** True when a person released exactly these bytes before. */
  wasReleased(sha256: string): boolean
  /** Removes a spool file nobody needs any more. */
  dropSpool(path: string): Promise<void>
  readonly lane: CommitLane
  /**
   * Before a released object is stored: when its study is kept under another patient, decides that it is served with
   * that patient's attributes. @returns how to take that back when it is not stored after all; null when nothing was done
   */
  join(joining: Joining): Promise<(() => Promise<void>) | null>
  /** Told of faults that were turned into a held object (fail closed), for the log. */
  onFault(error: unknown, provenance: Provenance): void
}

/** What a person decided about a held object: walk again, and let it in. */
export type Override = 'release' | 'sanitise'

/** The decision behind an override. */
export interface Released {
  readonly item: string
  readonly by: string
  readonly reason: string
  /** The study whose patient the item is known to contradict, as its findings say. */
  readonly conflictsWith: string | undefined
}

/** A released object, and whose it says it is. */
export interface Joining {
  readonly released: Released
  readonly uids: InstanceUids
  readonly patient: PatientIdentity
  readonly statedIssuer: string
}

export interface Walk extends Intake {
  /** Walks a held original again with a person's decision in place of the policy's. */
  restore(arrival: Arrival, how: Override, released: Released): Promise<Receipt>
}

/** Makes the walk over the rooms' tools. */
export function createWalk(tools: WalkTools): Walk {
  return {
    receive: (arrival) => walk(arrival, null, true, null),
    judge: (arrival) => walk(arrival, null, false, null),
    restore: (arrival, how, released) => walk(arrival, how, true, released),
  }

  async function walk(
    arrival: Arrival,
    override: Override | null,
    keep: boolean,
    decided: Released | null,
  ): Promise<Receipt> {
    const source = tools.open(arrival.bytes)
    try {
      const terms = tools.termsFor(arrival.provenance)
      const policy = override === null ? terms.policy : overridden(terms.policy, override)
      const screening = tools.screen({ ...arrival, source }, policy)
      const screened = screening instanceof Promise ? await screening : screening
      const base = begin(arrival, source.size, tools.digest(arrival.bytes), screened)
      if (!keep) return judged(base, screened)
      const prepared = await prepare(arrival, source, terms, screened, base, override)
      const unjoin = decided === null ? null : await joined(prepared, decided)
      try {
        return await tools.lane.commit(prepared)
      } catch (error) {
        await unjoin?.()
        throw error
      }
    } finally {
      source.close()
      if (keep && arrival.bytes.in === 'spool') await tools.dropSpool(arrival.bytes.path)
    }
  }

  async function joined({ outcome }: Prepared, released: Released): Promise<(() => Promise<void>) | null> {
    if (outcome.is !== 'store') return null
    const { uids, patient, extracted } = outcome
    const statedIssuer = extracted.attributes['00100021']?.[0]?.trim() ?? ''
    return tools.join({ released, uids, patient, statedIssuer })
  }

  /** From a verdict to what the commit lane has to write. */
  async function prepare(
    arrival: Arrival,
    source: ByteSource,
    terms: Terms,
    screened: Screened,
    base: Base,
    override: Override | null,
  ): Promise<Prepared> {
    const hold = (findings: readonly Finding[], reason: string): Promise<Outcome> => {
      // A person released it and it still cannot stand beside what is kept: it stays held, and they are told.
      if (override !== null) throw new ArchiveError('identity.conflict', reason)
      return holding(arrival, source, screened, base, findings, reason)
    }
    const { part10, identity } = screened
    const released = override !== null || (screened.verdict === 'quarantine' && tools.wasReleased(base.sha256))

    if (screened.verdict === 'skip' || screened.verdict === 'reject') return { base, outcome: { is: 'record' }, hold }
    if (screened.verdict === 'quarantine' && !released) {
      return { base, outcome: await hold(screened.findings, screened.reason), hold }
    }
    const uids = identity === null ? null : complete(identity)
    if (part10 === null || uids === null) {
      if (override !== null) {
        throw new ArchiveError('dicom.malformed', 'this object cannot be stored: it has no readable identity', {
          hint: 'discard it, or ask its sender for a corrected one',
        })
      }
      return { base, outcome: await hold(screened.findings, screened.reason), hold }
    }
    const refused = boundElsewhere(arrival, uids.studyInstanceUID)
    if (refused !== null) {
      const findings = [...base.findings, refused]
      return {
        base: { ...base, verdict: 'reject', findings, reason: refused.detail, failure: 'identity.study-mismatch' },
        outcome: { is: 'record' },
        hold,
      }
    }

    let extracted: Extracted
    let kept: KeptForm
    try {
      extracted = extract(keptObject(source, part10, screened), uids, {
        zone: terms.originator?.timeZone ?? null,
        siteZone: terms.siteZone,
      })
      kept = await keptForm(arrival.bytes, base.sha256, source, part10, screened, uids)
    } catch (fault) {
      // Screening let it through and we failed to read it: our fault or an attack, and a person looks (G2).
      if (override !== null || fault instanceof ArchiveError) throw fault
      tools.onFault(fault, arrival.provenance)
      const detail = `could not be read after screening: ${fault instanceof Error ? fault.message : String(fault)}`
      const finding: Finding = { rule: 'G2', severity: 'quarantine', detail, offset: null, tag: null }
      return { base, outcome: await hold([...base.findings, finding], detail), hold }
    }
    const one = (tag: string) => extracted.attributes[tag]?.[0] ?? ''
    const patient = identityOf(
      {
        id: one('00100020').trim(),
        issuer: issuerSaid(one('00100021'), one(UNIVERSAL_ENTITY_ID), terms.issuers),
        name: one('00100010').split('=')[0] ?? '',
        birthDate: one('00100030').trim(),
        sex: one('00100040').trim(),
        studyInstanceUID: uids.studyInstanceUID,
      },
      {
        defaultIssuer: terms.originator?.issuer ?? null,
        originator: terms.originator?.name ?? null,
        medium: arrival.provenance.medium,
      },
    )
    const placement = place({ mediaType: 'application/dicom', sopClassUID: uids.sopClassUID, family: extracted.family })
    if (placement === undefined) throw new ArchiveError('archive.failed', 'no placement rule has an opinion')
    return {
      base: released
        ? { ...base, verdict: override === 'sanitise' ? 'sanitise' : 'accept', reason: 'released by a person' }
        : base,
      outcome: { is: 'store', uids, extracted, kept, patient, placement, joinKept: released },
      hold,
    }
  }

  async function holding(
    arrival: Arrival,
    source: ByteSource,
    screened: Screened,
    base: Base,
    findings: readonly Finding[],
    reason: string,
  ): Promise<Outcome> {
    await tools.seal(base.sha256, source)
    const row: HeldRow = {
      id: randomUUID(),
      state: 'held',
      sha256: base.sha256,
      size: base.size,
      sopInstanceUid: screened.identity?.sopInstanceUID ?? null,
      arrivedAt: arrival.provenance.time,
      door: arrival.provenance.door,
      peer: arrival.provenance.peer,
      findings,
      preambleHex: screened.preambleHex,
      scan: screened.scan,
      patient: screened.identity === null ? null : held(screened.identity.patient),
      decision: null,
      provenance: arrival.provenance,
    }
    return { is: 'hold', row, reason, findings }
  }
}

function begin(arrival: Arrival, size: number, sha256: string, screened: Screened): Base {
  const { identity } = screened
  return {
    arrivalId: randomUUID(),
    provenance: arrival.provenance,
    sha256,
    size,
    verdict: screened.verdict,
    reason: screened.reason,
    findings: screened.findings,
    scan: screened.scan,
    elementsDiscarded: screened.elementsDiscarded,
    failure:
      screened.verdict === 'quarantine' ? 'screening.held' : screened.verdict === 'reject' ? rejection(screened) : null,
    sopClassUID: identity?.sopClassUID ?? null,
    sopInstanceUID: identity?.sopInstanceUID ?? null,
    seriesInstanceUID: identity?.seriesInstanceUID ?? null,
    studyInstanceUID: identity?.studyInstanceUID ?? null,
  }
}

function rejection(screened: Screened): Receipt['failure'] {
  return screened.findings.some(({ rule }) => rule === 'sop-class') ? 'screening.class-refused' : 'screening.rejected'
}

function judged(base: Base, screened: Screened): Receipt {
  const { provenance: _, ...told } = base
  return {
    ...told,
    stored: false,
    duplicate: false,
    objectId: null,
    quarantineId: null,
    elementsDiscarded: screened.elementsDiscarded,
  }
}

function complete(identity: NonNullable<Screened['identity']>): InstanceUids | null {
  const { sopClassUID, sopInstanceUID, studyInstanceUID, seriesInstanceUID } = identity
  if (!sopClassUID || !sopInstanceUID || !studyInstanceUID || !seriesInstanceUID) return null
  return { sopClassUID, sopInstanceUID, studyInstanceUID, seriesInstanceUID }
}

/** A STOW-RS request bound to one study refuses instances of another. PS3.18 section 10.5. */
function boundElsewhere(arrival: Arrival, studyInstanceUID: string): Finding | null {
  const bound = arrival.claims.studyInstanceUID
  if (bound === undefined || bound === studyInstanceUID) return null
  const detail = `the request is for study ${bound}, the instance belongs to ${studyInstanceUID}`
  return { rule: 'study-mismatch', severity: 'reject', detail, offset: null, tag: '0020000D' }
}

/** A person's decision in place of the policy's: whatever was held for its content is let through. */
function overridden(policy: ScreeningPolicy, how: Override): ScreeningPolicy {
  const action = how === 'sanitise' ? 'sanitise' : 'keep'
  return {
    ...policy,
    rules: new Proxy({}, { get: () => action, has: () => true }),
    unknownSopClasses: 'keep',
    unknownTransferSyntaxes: 'keep',
  }
}

function held(patient: NonNullable<Screened['identity']>['patient']): HeldRow['patient'] {
  return { name: patient.name, id: patient.id, birthDate: patient.birthDate }
}

/** Issuer of Patient ID by the name the register gives it; empty when the object names none. */
function issuerSaid(namespaceId: string, universalId: string, issuers: Issuers): string {
  return issuers.resolve({ namespaceId: namespaceId.trim(), universalId: universalId.trim() })?.issuer ?? ''
}
