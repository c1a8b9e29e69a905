/** What a submission says of how its members hang together, and with what is kept. */
import { randomUUID } from 'node:crypto'
import { isDeepStrictEqual } from 'node:util'
import type { DocumentList, DocumentOwner, DocumentRecord, RelationKind } from '#model/document.ts'
import type { Submission, SubmissionFault, SubmittedList } from '#model/document-desk.ts'
import type { DocumentStore } from '#model/document-store.ts'
import type { SubmissionPayload } from './submission.ts'

/** A member as far as relations look at it. */
interface Ready {
  readonly record: DocumentRecord
  readonly duplicateOf: string | null
}

export function resolveRelations(
  store: DocumentStore,
  submission: Submission,
  ready: readonly Ready[],
  ids: ReadonlyMap<string, string>,
  faults: SubmissionFault[],
): Pick<SubmissionPayload, 'relations' | 'superseded'> {
  const relations: { kind: RelationKind; from: string; to: string }[] = []
  const superseded: string[] = []
  for (const [i, { kind, from, to }] of submission.relations.entries()) {
    const fault = (code: SubmissionFault['code'], end: 'from' | 'to', detail: string) =>
      faults.push({ label: from, code, path: `relations[${i}].${end}`, detail })
    const source = ids.get(from) ?? store.known(from)?.objectId
    const target = ids.get(to) ?? store.known(to)?.objectId
    if (source === undefined) {
      fault('document.reference', 'from', `${from} is not here`)
      continue
    }
    if (target === undefined) {
      fault('document.reference', 'to', `${to} is not here`)
      continue
    }
    const kept = store.known(target)
    const again = ready.some(({ duplicateOf }) => duplicateOf === source)
    if (kept !== undefined && !again) {
      if (kept.status !== 'current') {
        fault('document.superseded', 'to', `${to} is ${kept.status}`)
        continue
      }
      const mine = ready.find(({ record }) => record.objectId === source)?.record.patient ?? null
      if (mine?.by === 'identifier' && kept.patientId !== null && !samePatient(store, mine, kept.patientId)) {
        fault('document.patient-mismatch', 'to', `${to} belongs to another patient`)
        continue
      }
    }
    const stands = store.document(source)?.relations.some((one) => one.kind === kind && one.to === target)
    // Said again by the same document, it is in force already.
    if (stands === true) continue
    relations.push({ kind, from: source, to: target })
    if (kind === 'replaces' || kind === 'transform-replaces') superseded.push(target, ...dependants(store, target))
  }
  return { relations, superseded: [...new Set(superseded)] }
}

/** Transforms and appendices of what is replaced go with it. ITI TF-2 section 3.42.4.1.3.5. */
function dependants(store: DocumentStore, objectId: string): string[] {
  const related = store.document(objectId)?.relatedBy ?? []
  return related.filter(({ kind }) => kind === 'transforms' || kind === 'appends').map(({ from }) => from)
}

export function resolveLists(
  store: DocumentStore,
  submission: Submission,
  ids: ReadonlyMap<string, string>,
  faults: SubmissionFault[],
): SubmissionPayload['lists'] {
  const labels = new Map(submission.lists.map((list) => [list.label, list.id ?? randomUUID()]))
  const taken = new Set<string>()
  return submission.lists.map((list) => {
    const { label, owner, items, id: _id, ...said } = list
    if (taken.has(list.uniqueId)) {
      const detail = `${list.uniqueId} occurs twice in the submission`
      faults.push({ label, code: 'document.conflict', path: 'uniqueId', detail })
    }
    taken.add(list.uniqueId)
    const kept = store.list(list.uniqueId)
    const id = labels.get(label) ?? randomUUID()
    if (kept !== undefined && kept.id !== id) {
      if (isAgain(store, kept, list, ids)) return { list: kept, owner }
      faults.push({ label, code: 'document.conflict', path: 'uniqueId', detail: `${list.uniqueId} is in use` })
    }
    if (submission.patientsKnown && owner !== null && !store.knowsPatient(owner)) {
      faults.push({ label, code: 'document.patient-unknown', path: 'owner', detail: 'the patient is not known here' })
    }
    return {
      list: {
        ...said,
        id,
        items: itemsOf(store, list, items, ids, labels, faults),
        patientId: null,
        version: 1,
        lastUpdated: '',
      },
      owner,
    }
  })
}

/** The same list sent again, with the same documents: a retry. When it was sent does not matter. */
function isAgain(
  store: DocumentStore,
  kept: DocumentList,
  { kind, sourceId, codes, items }: SubmittedList,
  ids: ReadonlyMap<string, string>,
): boolean {
  const known = items.map((item) => ids.get(item) ?? store.known(item)?.objectId ?? store.list(item)?.id)
  return (
    isDeepStrictEqual({ kind, sourceId, codes }, { kind: kept.kind, sourceId: kept.sourceId, codes: kept.codes }) &&
    isDeepStrictEqual(
      known,
      kept.items.map((item) => item.id),
    )
  )
}

function itemsOf(
  store: DocumentStore,
  list: SubmittedList,
  items: readonly string[],
  ids: ReadonlyMap<string, string>,
  labels: ReadonlyMap<string, string>,
  faults: SubmissionFault[],
): DocumentList['items'] {
  return items.flatMap((item, i): DocumentList['items'] => {
    const document = ids.get(item) ?? store.known(item)?.objectId
    if (document !== undefined) return [{ is: 'document', id: document }]
    const other = labels.get(item) ?? store.list(item)?.id
    if (other !== undefined) return [{ is: 'list', id: other }]
    faults.push({ label: list.label, code: 'document.reference', path: `items[${i}]`, detail: `${item} is not here` })
    return []
  })
}

function samePatient(store: DocumentStore, owner: DocumentOwner, patientId: string): boolean {
  return store.survivorOf(owner) === patientId
}
