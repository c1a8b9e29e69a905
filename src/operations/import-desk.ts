import { ArchiveError } from '#errors.ts'
import type { Candidate, ImportItem, LedgerDecision, Order, PatientKey } from '#model/identity.ts'
import type { Decider, ImportDecision, ImportDesk } from '#model/reconciliation.ts'
import { orderChanges, unmatchedState } from '#reconciliation/coercion.ts'
import { type CoerceTools, coerceStudy } from './coerce.ts'
import { createReconciler, kept, type Reconciler, type ReconcileTools } from './reconcile.ts'
import { activeAssignments, isOurs, isOutdated, stateOf } from './reconciliation-state.ts'

const REASON_CHARACTERS_MAX = 2000

export interface ImportDeskTools extends ReconcileTools {
  readonly coerce: CoerceTools
  /** Audit entry of a decision that makes no ledger entry, in its transaction. */
  audit(who: Decider, studyInstanceUID: string, detail: string): void
}

/** The import worklist: what waits for a person, and what was decided, also by rule. IHE RAD IRWF.b. */
export function createImportDesk(tools: ImportDeskTools): ImportDesk & Pick<Reconciler, 'closeGone'> {
  const { ledger, evidence, desk } = tools
  const now = tools.now ?? (() => new Date())
  const reconciler = createReconciler(tools)

  /** A decision whose entries were taken back elsewhere shows as what it is: open. */
  function current(item: ImportItem): ImportItem {
    const fresh = { ...item, candidates: item.candidates.map(asKnownNow) }
    if (!isOutdated(ledger, item)) return fresh
    return { ...fresh, state: 'open', reconciliation: 'waiting', decision: null }
  }

  /** Names and orders change while an item waits; criteria and score stay those it was found by. */
  function asKnownNow(candidate: Candidate): Candidate {
    const { issuer, id } = candidate.patient
    const patient = ledger.patient({ issuer, id }) ?? candidate.patient
    const order = candidate.order === null ? null : (ledger.order(candidate.order.id) ?? candidate.order)
    return { ...candidate, patient, order }
  }

  function mustItem(id: string): ImportItem {
    const item = ledger.importItem(id)
    if (item === undefined) throw new ArchiveError('request.not-found', 'item of the import worklist')
    return current(item)
  }

  function mustPatient(key: PatientKey): PatientKey {
    const patient = ledger.patient(key)
    if (patient === undefined) throw new ArchiveError('identity.unknown', `there is no patient ${key.issuer} ${key.id}`)
    const { issuer, id } = patient.survivor
    return { issuer, id }
  }

  /** @throws ArchiveError 'identity.unknown', 'request.conflict' for an order of somebody else */
  function mustOrder(orderId: string, patient: PatientKey): Order {
    const order = ledger.order(orderId)
    if (order === undefined) throw new ArchiveError('identity.unknown', `there is no order ${orderId}`)
    const whose = mustPatient(order.patient)
    if (whose.issuer !== patient.issuer || whose.id !== patient.id) {
      throw new ArchiveError('request.conflict', `order ${orderId} is one of ${whose.issuer} ${whose.id}`)
    }
    return order
  }

  /** Who and which order a decision means. */
  function meant(item: ImportItem, decision: ImportDecision): { patient: PatientKey; order: Order | null } {
    const { candidate: at, orderId } = decision
    const candidate = at === undefined ? undefined : item.candidates[at]
    if (at !== undefined && candidate === undefined) {
      throw new ArchiveError('request.malformed', `candidate: there are ${item.candidates.length}, counted from 0`)
    }
    const key = decision.patient ?? candidate?.patient
    if (key === undefined) throw new ArchiveError('request.malformed', 'assign needs a patient or a candidate')
    const patient = mustPatient(key)
    const wanted = orderId === undefined ? (candidate?.order?.id ?? null) : orderId
    return { patient, order: wanted === null ? null : mustOrder(wanted, patient) }
  }

  async function decide(item: ImportItem, decision: ImportDecision, who: Decider): Promise<ImportItem> {
    const time = now().toISOString()
    const uid = item.studyInstanceUID
    const reason = reasonOf(decision.reason)
    if (decision.action === 'keep') {
      const owner = evidence.owner(uid)
      const issuer = owner?.issuer ?? item.arrivedAs.issuer
      const reconciliation = unmatchedState(issuer, isOurs(tools, issuer), true)
      const decided = {
        ...item,
        state: 'decided',
        reconciliation,
        why: `kept as it came by ${who.by}: ${reason}`,
        decision: { ...kept(who.by, reason), time },
      } as const
      return reconciler.put(decided, () => tools.audit(who, uid, `import worklist ${item.id}: keep: ${reason}`))
    }
    const { patient, order } = meant(item, decision)
    const study = evidence.study(uid)
    if (study === undefined) throw new ArchiveError('request.not-found', 'study')
    const changes = order === null ? [] : orderChanges(study, order)
    const orderId = order?.id ?? null
    const entries = await desk.decide(
      [{ do: 'assign', studyInstanceUID: uid, patient, orderId, changes }],
      { by: who.by, rule: 'import-worklist', reference: item.id, reason },
      who.address,
    )
    const made = entries.map(({ id }) => id)
    return reconciler.put({
      ...item,
      state: 'decided',
      reconciliation: 'coerced',
      why: `assigned by ${who.by}: ${reason}`,
      decision: { action: 'assign', patient, orderId, reason, by: who.by, time, entries: made },
    })
  }

  async function undo(item: ImportItem, reason: string, who: Decider): Promise<ImportItem> {
    const { decision } = item
    if (item.state !== 'decided' || decision === null) {
      throw new ArchiveError('request.conflict', 'this item is open: there is nothing to take back')
    }
    const standing = decision.entries.filter((id) => ledger.entry(id)?.undoneBy === null).reverse()
    if (standing.length > 0) {
      await desk.decide(
        standing.map((entry): LedgerDecision => ({ do: 'undo', entry })),
        { by: who.by, rule: 'import-worklist', reference: item.id, reason },
        who.address,
      )
    }
    const { action, patient, by, time } = decision
    const back = { action, patient, by, time, undoneBy: who.by, undoneAt: now().toISOString(), undoReason: reason }
    return reconciler.put(
      {
        ...item,
        state: 'open',
        reconciliation: 'waiting',
        why: `${by} decided, ${who.by} took it back`,
        decision: null,
        earlier: [...(item.earlier ?? []), back],
      },
      () => tools.audit(who, item.studyInstanceUID, `import worklist ${item.id}: undo: ${reason}`),
    )
  }

  return {
    async list(filter) {
      const page = ledger.importItems(filter)
      return { ...page, items: page.items.map(current) }
    },
    async item(id) {
      const item = ledger.importItem(id)
      return item === undefined ? undefined : current(item)
    },
    async decide(id, decision, who) {
      reasonOf(decision.reason)
      const { state, studyInstanceUID } = mustItem(id)
      // Assigned elsewhere meanwhile: the item says so first.
      if (state === 'open' && activeAssignments(ledger, studyInstanceUID).length > 0) {
        await reconciler.reconcile(studyInstanceUID)
      }
      return reconciler.alone(mustItem(id).studyInstanceUID, async () => {
        const item = mustItem(id)
        if (item.state === 'decided') {
          const told = `${item.decision?.action ?? 'decided'} by ${item.decision?.by ?? 'somebody'}`
          throw new ArchiveError('request.conflict', `this item is decided: ${told}`, { hint: 'Take it back first.' })
        }
        return decide(item, decision, who)
      })
    },
    async assign(uid, to, who) {
      const reason = reasonOf(to.reason)
      return reconciler.alone(uid, async () => {
        const owner = evidence.owner(uid)
        if (owner === undefined) throw new ArchiveError('request.not-found', 'study')
        if (to.patient === null && to.orderId === null) {
          throw new ArchiveError('request.malformed', 'assign needs a patient, an order, or both')
        }
        const item = current(reconciler.itemOf(uid))
        if (activeAssignments(ledger, uid).length > 0) {
          throw new ArchiveError('request.conflict', 'this study is assigned already', {
            hint: 'Take that back first.',
          })
        }
        const order = to.orderId === null ? undefined : ledger.order(to.orderId)
        const patient = to.patient ?? order?.patient ?? { issuer: owner.issuer, id: owner.id }
        const open = { ...item, state: 'open', why: 'a person assigned it by hand' } as const
        return decide(open, { action: 'assign', patient, orderId: to.orderId, reason }, who)
      })
    },
    async undo(id, reason, who) {
      const why = reasonOf(reason)
      return reconciler.alone(mustItem(id).studyInstanceUID, () => undo(mustItem(id), why, who))
    },
    reconcile: (uid) => reconciler.reconcile(uid),
    closeGone: (uid) => reconciler.closeGone(uid),
    stateOf: async (uid) => stateOf(tools, uid),
    async checkIntention(intention) {
      reconciler.meant(intention)
    },
    intend: (uid, intention, who) => reconciler.intend(uid, intention, who),
    recoerce: (uid, who) =>
      reconciler.alone(uid, () => {
        if (evidence.owner(uid) === undefined) throw new ArchiveError('request.not-found', 'study')
        return coerceStudy(tools.coerce, uid, who)
      }),
  }
}

/** @throws ArchiveError 'request.malformed' */
function reasonOf(reason: string): string {
  const told = reason.trim()
  if (told === '')
    throw new ArchiveError('request.malformed', 'a decision needs a reason', { hint: 'Say why, in a sentence.' })
  if (told.length > REASON_CHARACTERS_MAX) {
    throw new ArchiveError('request.malformed', `a reason has at most ${REASON_CHARACTERS_MAX} characters`)
  }
  return told
}
