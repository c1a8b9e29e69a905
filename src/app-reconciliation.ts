/** Reconciliation put together inside the writer worker: its desk, its jobs, and what the commit lane tells it. */

import type { Database } from '#index/sqlite/database.ts'
import { createEvidenceReader } from '#index/sqlite/evidence.ts'
import type { JobHandler } from '#jobs/job-runner.ts'
import type { NewInstance } from '#model/archive-object.ts'
import type { LedgerDecision } from '#model/identity.ts'
import type { IdentityDesk, IdentityLedger, IdentityReader } from '#model/identity-ledger.ts'
import type { Job, JobQueue, NewJob } from '#model/job-queue.ts'
import type { EvidenceReader, ImportDesk, Sender, StudyReconciliation } from '#model/reconciliation.ts'
import type { Originator } from '#model/settings.ts'
import { createImportDesk } from '#operations/import-desk.ts'
import { BY_ITSELF } from '#operations/reconcile.ts'
import {
  hasLateStudies,
  lateStudies,
  RECONCILE,
  RECONCILE_CANDIDATES,
  reconcileJobsFor,
} from '#operations/reconcile-jobs.ts'
import { stateOf } from '#operations/reconciliation-state.ts'
import { hasRules } from '#reconciliation/coercion-rules.ts'
import { auditEvent } from '#security/audit.ts'
import { createIssuers } from '#security/issuers.ts'
import { originatorOf } from '#security/originators.ts'
import type { AuditEvent, SecurityReader } from '#security/ports.ts'
import { settingIn } from '#security/site-settings.ts'
import type { Journal } from '#storage/journal.ts'

export interface ReconciliationParts {
  /** The write connection. */
  readonly db: Database
  readonly ledger: IdentityReader
  readonly writer: Pick<IdentityLedger, 'putImportItem'>
  readonly desk: IdentityDesk
  readonly journal: Journal
  readonly security: Pick<SecurityReader, 'settings' | 'settingsVersion' | 'originators'>
  readonly jobs: JobQueue
  /** Runs `fn` in one transaction that also writes the flushed position of the segments. */
  commit(fn: () => void): void
  /** Something is due: looked for once the transaction is over. */
  wake(): void
  /** Part of the caller's transaction. */
  audit(events: readonly AuditEvent[]): void
}

export interface Reconciliation {
  readonly imports: ImportDesk
  readonly handlers: { readonly [RECONCILE]: JobHandler; readonly [RECONCILE_CANDIDATES]: JobHandler }
  /**
   * What was decided of patients, orders and studies may be what studies waited for. Part of the transaction that keeps
   * it, after it was applied.
   */
  follow(decisions: readonly LedgerDecision[]): void
  /** Objects of a study were deleted: an item that waits for a decision about it may be over. Part of the transaction. */
  deleted(studyInstanceUID: string): void
  /** For the commit lane: part of its transaction. Costs one look-up while nobody told of any patient. */
  stored(instances: readonly NewInstance[], newStudies: ReadonlySet<string>): void
}

/** How studies stand, read on any thread. @param db also a read-only connection */
export function createStateReader(
  db: Database,
  ledger: IdentityReader,
  security: ReconciliationParts['security'],
): (studyInstanceUID: string) => StudyReconciliation | undefined {
  let known = { version: -1, issuers: [] as readonly string[] }
  const issuers = () => {
    const version = security.settingsVersion()
    if (version !== known.version) known = { version, issuers: siteIssuers(security) }
    return known.issuers
  }
  const readers = { evidence: createEvidenceReader(db), ledger, siteIssuers: issuers }
  return (studyInstanceUID) => stateOf(readers, studyInstanceUID)
}

/** Issuers this site calls its own. */
function siteIssuers(security: Pick<SecurityReader, 'settings' | 'originators'>): readonly string[] {
  const own = settingIn(security.settings(), 'identity.defaultIssuer')
  return [own, ...security.originators().flatMap(({ issuer }) => issuer ?? [])]
}

export function createReconciliation(parts: ReconciliationParts): Reconciliation {
  const { db, ledger, security, jobs } = parts
  const reader = createEvidenceReader(db)

  /** Read again only when a setting or an originator changed. */
  let terms = { version: -1, originators: security.originators(), settings: security.settings() }
  function current(): typeof terms {
    const version = security.settingsVersion()
    if (version !== terms.version)
      terms = { version, originators: security.originators(), settings: security.settings() }
    return terms
  }

  /** Issuers by the names the register gives them: an OID and a namespace may be one authority. */
  const evidence: EvidenceReader = {
    ...reader,
    study(uid) {
      const study = reader.study(uid)
      if (study === undefined) return undefined
      const { canonical } = createIssuers(settingIn(current().settings, 'identity.issuers'))
      return {
        ...study,
        patient: { ...study.patient, issuer: canonical(study.patient.issuer) },
        otherIds: study.otherIds.map(({ issuer, id }) => ({ issuer: canonical(issuer), id })),
        accessionIssuer: study.accessionIssuer === null ? null : canonical(study.accessionIssuer),
      }
    },
  }

  function senderIs({ originator, user, address, peer, door }: Sender): Originator | undefined {
    const aeTitle = door === 'dimse' ? peer : null
    return originatorOf(current().originators, { named: originator, account: user, address, aeTitle })
  }

  const readers = {
    evidence,
    ledger,
    siteIssuers: () => siteIssuers({ settings: () => current().settings, originators: () => current().originators }),
  }

  const imports = createImportDesk({
    ...readers,
    writer: parts.writer,
    desk: parts.desk,
    journal: parts.journal,
    commit: (fn) => parts.commit(fn),
    options: () => settingIn(current().settings, 'identity.matching'),
    originatorOf: ({ sender }) => senderIs(sender)?.name ?? sender.originator,
    coerce: { evidence, ledger, desk: parts.desk, originatorOf: senderIs },
    audit({ by, address }, studyInstanceUID, detail) {
      parts.audit([auditEvent(by, { kind: 'decide', address, studyInstanceUID, detail })])
    },
  })

  const ruled = (sender: Sender) => {
    const originator = senderIs(sender)
    return originator !== undefined && hasRules(originator.coercion)
  }

  async function reconcile({ subject }: Job): Promise<undefined> {
    if (evidence.owner(subject) === undefined) {
      await imports.closeGone(subject) // deleted meanwhile
      return
    }
    if (current().originators.some(({ coercion }) => hasRules(coercion))) {
      await imports.recoerce(subject, { by: BY_ITSELF, address: null })
    }
    await imports.reconcile(subject)
  }

  function enqueue(work: readonly NewJob[]): void {
    const now = Date.now()
    for (const job of work) jobs.enqueue(job, now)
    if (work.length > 0) parts.wake()
  }

  return {
    imports,
    follow(decisions) {
      const work = reconcileJobsFor(decisions).filter((job) => hasLateStudies({ ledger, evidence }, job))
      for (const decision of decisions) {
        const meant = decision.do === 'undo' ? ledger.entry(decision.entry)?.decision : decision
        if (meant?.do === 'assign') work.push({ kind: RECONCILE, subject: meant.studyInstanceUID })
      }
      enqueue(work)
    },
    handlers: {
      [RECONCILE]: reconcile,
      [RECONCILE_CANDIDATES]: async (job) => {
        // Also what is ours: a register that contradicts it must not be overlooked.
        const mayChange = (uid: string) => (stateOf(readers, uid)?.state ?? 'coerced') !== 'coerced'
        const studies = lateStudies({ ledger, evidence, mayChange }, job)
        return () => enqueue(studies)
      },
    },
    deleted(studyInstanceUID) {
      const item = ledger.importItemOf(studyInstanceUID)
      if (item?.state === 'open') enqueue([{ kind: RECONCILE, subject: studyInstanceUID }])
    },
    stored(instances, newStudies) {
      const matched = newStudies.size > 0 && evidence.hasEvidence()
      const rules = current().originators.some(({ coercion }) => hasRules(coercion))
      if (!matched && !rules) return
      const studies = new Set<string>()
      for (const { studyInstanceUID, record } of instances) {
        if (studies.has(studyInstanceUID)) continue
        if ((matched && newStudies.has(studyInstanceUID)) || (rules && ruled(record.arrival))) {
          studies.add(studyInstanceUID)
        }
      }
      enqueue([...studies].map((subject) => ({ kind: RECONCILE, subject })))
    },
  }
}
