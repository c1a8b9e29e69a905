import { createHash } from 'node:crypto'
import { ArchiveError } from '#errors.ts'
import type { Candidate, ImportItem, LedgerEntry, LedgerPatient, Order, PatientKey } from '#model/identity.ts'
import type { IdentityDesk, IdentityLedger, IdentityReader } from '#model/identity-ledger.ts'
import type { Decider, EvidenceReader, Intention, StudyEvidence, StudyReconciliation } from '#model/reconciliation.ts'
import { orderChanges, unmatchedState } from '#reconciliation/coercion.ts'
import { criteriaOf, scoreOf } from '#reconciliation/criteria.ts'
import { decideStudy, type Match } from '#reconciliation/decide-study.ts'
import { contradictions, isOpen, type MatchingOptions, proofOf, type Suspect } from '#reconciliation/matching.ts'
import type { Journal } from '#storage/journal.ts'
import { activeAssignments, isOurs, isOutdated, mustState, type StateReaders } from './reconciliation-state.ts'

/** Journal kind of an item of the import worklist; its payload is the ImportItem as it is from then on. */
export const IMPORT_ITEM_KIND = 'import-item'

/** Rule that decides without a person. */
export const CERTAIN_RULE = 'reconcile.certain'
/** Who decides when no person does. */
export const BY_ITSELF = 'diptych'

/** Most patients, and orders of each, that one study is compared with. */
const SUSPECTS_MAX = 60
const ORDERS_MAX = 20

export interface ReconcileTools extends StateReaders {
  readonly evidence: EvidenceReader
  readonly ledger: IdentityReader
  readonly writer: Pick<IdentityLedger, 'putImportItem'>
  readonly desk: IdentityDesk
  readonly journal: Journal
  /** Runs `fn` in one transaction that also writes the flushed position of the segments (the journal's). */
  commit(fn: () => void): void
  options(): MatchingOptions
  /** Name of the registered originator behind a study; null when there is none. */
  originatorOf(study: StudyEvidence): string | null
  readonly now?: () => Date
}

/** Matching of one study at a time, and what follows from it. */
export interface Reconciler {
  /** Matches and acts on it. @throws ArchiveError 'request.not-found' */
  reconcile(studyInstanceUID: string): Promise<StudyReconciliation>
  /** Closes the open item of a study that is kept no longer; nothing for any other. */
  closeGone(studyInstanceUID: string): Promise<void>
  /** Checks what a person meant. @throws ArchiveError 'identity.unknown' */
  meant(intention: Intention): { readonly patient: LedgerPatient; readonly order: Order | null }
  intend(studyInstanceUID: string, intention: Intention, who: Decider): Promise<StudyReconciliation>
  /** Journals an item, then puts it; `also` runs in the same transaction. */
  put(item: ImportItem, also?: () => void): Promise<ImportItem>
  /** The item of a study, or a new one that is not put yet, for what a person decides without having been asked. */
  itemOf(studyInstanceUID: string): ImportItem
  /** Runs one after the other what is about one study. */
  alone<T>(studyInstanceUID: string, fn: () => Promise<T>): Promise<T>
}

/** The item of a study has this id, whenever it is made: a rebuild finds the same one. */
export function importItemId(studyInstanceUID: string): string {
  return `i${createHash('sha256').update(studyInstanceUID).digest('hex').slice(0, 15)}`
}

export function createReconciler(tools: ReconcileTools): Reconciler {
  const { evidence, ledger, desk } = tools
  const now = tools.now ?? (() => new Date())
  const underWay = new Map<string, Promise<unknown>>()

  async function alone<T>(key: string, fn: () => Promise<T>): Promise<T> {
    const before = underWay.get(key) ?? Promise.resolve()
    const mine = before.then(fn, fn)
    underWay.set(key, mine)
    try {
      return await mine
    } finally {
      if (underWay.get(key) === mine) underWay.delete(key)
    }
  }

  async function put(item: ImportItem, also?: () => void): Promise<ImportItem> {
    await tools.journal.append([{ kind: IMPORT_ITEM_KIND, payload: item }])
    tools.commit(() => {
      tools.writer.putImportItem(item)
      also?.()
    })
    return item
  }

  function mustStudy(uid: string): StudyEvidence {
    const study = evidence.study(uid)
    if (study === undefined) throw new ArchiveError('request.not-found', 'study')
    return study
  }

  /** The patient a key leads to now, when more than images tell of them. */
  function known(key: PatientKey): LedgerPatient | undefined {
    const patient = ledger.patient(key)
    const survivor = patient === undefined ? undefined : (ledger.patient(patient.survivor) ?? patient)
    return survivor === undefined || survivor.authority === 'object' ? undefined : survivor
  }

  /** The patient a study is kept under, under the very issuer it is kept under; only when more than images tell of them. */
  function ownOf(uid: string): LedgerPatient | undefined {
    const owner = evidence.owner(uid)
    return owner === undefined ? undefined : known(owner)
  }

  /** Everybody it could be: by any number, name, birth date, and by the orders its numbers lead to. */
  function suspectsOf(study: StudyEvidence): Suspect[] {
    const byPatient = new Map<string, { patient: LedgerPatient; orders: Map<string, Order> }>()
    const add = (patient: LedgerPatient | undefined, orders: readonly Order[] = []) => {
      const found = patient === undefined ? undefined : known(patient)
      if (found === undefined || (byPatient.size >= SUSPECTS_MAX && !byPatient.has(found.patientId))) return
      const entry = byPatient.get(found.patientId) ?? { patient: found, orders: new Map<string, Order>() }
      for (const order of orders) entry.orders.set(order.id, order)
      byPatient.set(found.patientId, entry)
    }
    const byOrder = [
      ...ledger.orders({ studyInstanceUID: study.studyInstanceUID, limit: ORDERS_MAX }).items,
      ...(study.accessionNumber === null
        ? []
        : ledger.orders({ accessionNumber: study.accessionNumber, limit: ORDERS_MAX }).items),
    ]
    for (const order of byOrder) add(ledger.patient(order.patient), [order])
    for (const key of [study.patient, ...study.otherIds]) add(ledger.patient(key))
    if (study.patient.id !== '') for (const found of ledger.similar({ id: study.patient.id }, SUSPECTS_MAX)) add(found)
    if (study.name !== null) for (const found of ledger.similar({ name: study.name }, SUSPECTS_MAX)) add(found)
    if (study.birthDate !== null) {
      for (const found of ledger.similar({ birthDate: study.birthDate }, SUSPECTS_MAX)) add(found)
    }
    for (const entry of byPatient.values()) add(entry.patient, ordersOf(entry.patient))
    return [...byPatient.values()].map(({ patient, orders }) => ({ patient, orders: [...orders.values()] }))
  }

  function ordersOf(patient: LedgerPatient): readonly Order[] {
    return ledger.orders({ patient, limit: ORDERS_MAX }).items.filter(isOpen)
  }

  function itemFor(study: StudyEvidence, over: Pick<ImportItem, 'state' | 'reconciliation' | 'why' | 'candidates'>) {
    const before = ledger.importItemOf(study.studyInstanceUID)
    const { studyDate, modalities, description, accessionNumber, name, birthDate, sex } = study
    return {
      id: importItemId(study.studyInstanceUID),
      studyInstanceUID: study.studyInstanceUID,
      arrivedAs: {
        issuer: study.patient.issuer,
        id: study.patient.id,
        ...{ name, birthDate, sex, accessionNumber, studyDate, modalities, description },
      },
      originator: tools.originatorOf(study),
      medium: study.sender.medium,
      decision: null,
      ...over,
      ...(before === undefined ? {} : earlierOf(before)),
    } satisfies ImportItem
  }

  /** What was taken back before, and what was taken back elsewhere since. */
  function earlierOf({ earlier = [], decision, ...item }: ImportItem): Pick<ImportItem, 'earlier'> {
    const gone = decision !== null && isOutdated(ledger, { ...item, decision })
    const undo = gone ? ledger.entry(ledger.entry(decision.entries[0] ?? '')?.undoneBy ?? '') : undefined
    if (!gone || undo === undefined) return earlier.length === 0 ? {} : { earlier }
    const { action, patient, by, time } = decision
    const { cause } = undo
    const back = { action, patient, by, time, undoneBy: cause.by, undoneAt: undo.time, undoReason: cause.reason }
    return { earlier: [...earlier, back] }
  }

  async function reconcile(uid: string): Promise<StudyReconciliation> {
    if (!evidence.hasEvidence()) return mustState(tools, uid)
    const study = mustStudy(uid)
    const item = ledger.importItemOf(uid)
    if (item?.state === 'decided' && !isOutdated(ledger, item) && item.decision?.by !== BY_ITSELF) {
      return mustState(tools, uid) // a person decided
    }
    const [assigned] = activeAssignments(ledger, uid)
    if (assigned !== undefined) {
      // Assigned elsewhere (ADT, the patient desk), or cut off before the item was written.
      if (item?.state === 'open' || assigned.cause.reference === importItemId(uid)) await settle(study, assigned, item)
      return mustState(tools, uid)
    }
    const own = ownOf(uid)
    const clear = own !== undefined && contradictions(criteriaOf(study, own, null, tools.options())).length === 0
    const suspects = clear ? [{ patient: own, orders: ordersOf(own) }] : suspectsOf(study)
    const match = decideStudy(study, own, suspects, tools.options())
    await act(study, match, item)
    const state = mustState(tools, uid)
    return match.is === 'local' && state.state === 'local' ? { ...state, why: match.why } : state
  }

  /** The item of a study that was assigned says so. */
  async function settle(
    study: StudyEvidence,
    { cause, decision, time, id }: LedgerEntry,
    item: ImportItem | undefined,
  ) {
    if (item?.state === 'decided' || decision.do !== 'assign') return
    const { patient, orderId } = decision
    const { by, reason } = cause
    const why = reason ?? `assigned by ${by}`
    const candidates = item?.candidates ?? []
    const decided = itemFor(study, { state: 'decided', reconciliation: 'coerced', why, candidates })
    await put({ ...decided, decision: { action: 'assign', patient, orderId, reason, by, time, entries: [id] } })
  }

  async function act(study: StudyEvidence, match: Match, item: ImportItem | undefined): Promise<void> {
    const touched = (item?.earlier?.length ?? 0) > 0 || (item !== undefined && isOutdated(ledger, item))
    if (match.is === 'certain' && !touched) {
      await assign(study, match.chosen, match.candidates, match.why, CERTAIN_RULE, { by: BY_ITSELF, address: null })
      return
    }
    if (match.is === 'local' || match.is === 'none') {
      if (item === undefined) return
      if (touched) return change(item, { ...waitingItem(study, match.why, []) })
      if (item.state !== 'open') return
      const { issuer } = study.patient
      const state = match.is === 'local' ? 'local' : unmatchedState(issuer, isOurs(tools, issuer), true)
      const closed = itemFor(study, { state: 'decided', reconciliation: state, why: match.why, candidates: [] })
      await put({ ...closed, decision: { ...kept(BY_ITSELF, match.why), time: now().toISOString() } })
      return
    }
    const why = match.is === 'certain' ? `${match.why}; a person took an earlier decision back` : match.why
    await change(item, waitingItem(study, why, match.candidates))
  }

  async function closeGone(uid: string): Promise<void> {
    const item = ledger.importItemOf(uid)
    if (item === undefined || item.state !== 'open' || evidence.owner(uid) !== undefined) return
    const why = 'the study was deleted'
    const decision = { ...kept(BY_ITSELF, why), time: now().toISOString() }
    await put({ ...item, state: 'decided', reconciliation: 'foreign', why, candidates: [], decision })
  }

  function waitingItem(study: StudyEvidence, why: string, candidates: readonly Candidate[]): ImportItem {
    return itemFor(study, { state: 'open', reconciliation: 'waiting', why, candidates })
  }

  /** Puts an item that says something new. */
  async function change(before: ImportItem | undefined, item: ImportItem): Promise<void> {
    if (before === undefined || JSON.stringify(before) !== JSON.stringify(item)) await put(item)
  }

  async function assign(
    study: StudyEvidence,
    chosen: Pick<Candidate, 'patient' | 'order'>,
    candidates: readonly Candidate[],
    reason: string,
    rule: string,
    who: Decider,
  ): Promise<void> {
    const patient = { issuer: chosen.patient.issuer, id: chosen.patient.id }
    const orderId = chosen.order?.id ?? null
    const changes = chosen.order === null ? [] : orderChanges(study, chosen.order)
    const reference = importItemId(study.studyInstanceUID)
    const entries = await desk.decide(
      [{ do: 'assign', studyInstanceUID: study.studyInstanceUID, patient, orderId, changes }],
      { by: who.by, rule, reference, reason },
      who.address,
    )
    const item = itemFor(study, { state: 'decided', reconciliation: 'coerced', why: reason, candidates })
    await put({
      ...item,
      decision: {
        action: 'assign',
        patient,
        orderId,
        reason,
        by: who.by,
        time: now().toISOString(),
        entries: entries.map(({ id }) => id),
      },
    })
  }

  function meant({ patient: key, accessionNumber }: Intention): { patient: LedgerPatient; order: Order | null } {
    const orders =
      accessionNumber === null ? [] : ledger.orders({ accessionNumber, limit: ORDERS_MAX }).items.filter(isOpen)
    const wanted = key === null ? undefined : known(key)
    if (key !== null && wanted === undefined) {
      throw new ArchiveError('identity.unknown', `nobody told of patient ${key.issuer} ${key.id}`)
    }
    const fitting = orders.filter(
      (order) => wanted === undefined || known(order.patient)?.patientId === wanted.patientId,
    )
    if (accessionNumber !== null && fitting.length !== 1) {
      const whose = key === null ? '' : ` of ${key.issuer} ${key.id}`
      const told = `${fitting.length === 0 ? 'no order' : 'more than one order'}${whose} has accession number ${accessionNumber}`
      throw new ArchiveError('identity.unknown', told)
    }
    const order = fitting[0] ?? null
    const patient = wanted ?? (order === null ? undefined : known(order.patient))
    if (patient === undefined) throw new ArchiveError('identity.unknown', 'neither patient nor order was named')
    return { patient, order }
  }

  async function intend(uid: string, intention: Intention, who: Decider): Promise<StudyReconciliation> {
    const study = mustStudy(uid)
    const item = ledger.importItemOf(uid)
    if (activeAssignments(ledger, uid).length > 0) return mustState(tools, uid)
    const { patient, order } = meant(intention)
    const criteria = criteriaOf(study, patient, order, tools.options())
    const candidate = { patient, order, score: scoreOf(criteria), certain: proofOf(criteria) !== null, criteria }
    const against = contradictions(criteria)
    if (against.length > 0) {
      const what = against.map(({ name }) => name.replace('-', ' ')).join(', ')
      const why = `meant for ${patient.issuer} ${patient.id} by ${who.by}, but ${what} differs`
      await change(item, waitingItem(study, why, [candidate]))
      return mustState(tools, uid)
    }
    const own = ownOf(uid)
    const changes = order === null ? [] : orderChanges(study, order)
    if (own?.patientId === patient.patientId && changes.length === 0) return mustState(tools, uid)
    await assign(study, candidate, [candidate], 'named by the person who imported it', 'import.intended', who)
    return mustState(tools, uid)
  }

  return {
    reconcile: (uid) => alone(uid, () => reconcile(uid)),
    intend: (uid, intention, who) => alone(uid, () => intend(uid, intention, who)),
    closeGone: (uid) => alone(uid, () => closeGone(uid)),
    meant,
    itemOf: (uid) => ledger.importItemOf(uid) ?? waitingItem(mustStudy(uid), 'a person assigns it by hand', []),
    put,
    alone,
  }
}

/** The decision to leave a study as it came. */
export function kept(by: string, reason: string | null): Omit<NonNullable<ImportItem['decision']>, 'time'> {
  return { action: 'keep', patient: null, orderId: null, reason, by, entries: [] }
}
