/** What is decided together with a submission: in its flush and its transaction, or not at all. */
import { ArchiveError } from '#errors.ts'
import type { Alongside, SubmissionFault } from '#model/document-desk.ts'
import type { DocumentStore } from '#model/document-store.ts'
import type { FhirResourceStore, FhirWrite } from '#model/fhir-store.ts'
import type { Decision, PlacedEntry } from '#storage/journal.ts'
import { checkDecision, DOCUMENT_KIND, type DocumentDecisions } from './document-desk.ts'

/** Journal kind of FHIR resources that are their own truth. */
export const FHIR_KIND = 'fhir'

export interface FhirPayload {
  readonly writes: readonly FhirWrite[]
  readonly by: string
}

export interface PreparedAlongside {
  readonly faults: readonly SubmissionFault[]
  readonly decisions: readonly Decision[]
  /** Inside the transaction; `time` is that of the journal entries. */
  apply(time: string): void
}

export interface AlongsideTools {
  readonly documents: DocumentStore
  readonly fhir: FhirResourceStore
  /** In the transaction: audit, and the jobs that follow. */
  decided(alongside: Alongside, detail: string, objectIds: readonly string[]): void
}

/** Checks what stands against it and says what to journal. */
export function prepareAlongside(tools: AlongsideTools, alongside: Alongside): PreparedAlongside {
  const { decisions, expected, resources, cause } = alongside
  const faults: SubmissionFault[] = []
  const attempt = (label: string | null, check: () => void) => {
    try {
      check()
    } catch (error) {
      if (!(error instanceof ArchiveError)) throw error
      faults.push({ label, code: error.code, path: null, detail: error.message })
    }
  }
  for (const decision of decisions) {
    const label = 'objectId' in decision ? decision.objectId : 'listId' in decision ? decision.listId : null
    attempt(label, () => checkDecision(tools.documents, decision))
  }
  for (const { objectId, version } of expected) {
    const known = tools.documents.known(objectId)?.version
    if (known === version) continue
    faults.push({ label: objectId, code: 'document.version', path: null, detail: `it is at version ${known}` })
  }
  for (const { type, id, expected: version } of resources) {
    const kept = tools.fhir.resource(type, id)
    if ((kept?.version ?? null) === version) continue
    faults.push({
      label: id,
      code: 'document.version',
      path: null,
      detail: `${type}/${id} is at version ${kept?.version}`,
    })
  }
  const journal: Decision[] = []
  const payload: DocumentDecisions = { decisions, cause }
  if (decisions.length > 0) journal.push({ kind: DOCUMENT_KIND, payload })
  const written: FhirPayload = { writes: resources, by: cause.by }
  if (resources.length > 0) journal.push({ kind: FHIR_KIND, payload: written })
  return {
    faults,
    decisions: journal,
    apply(time) {
      if (journal.length === 0) return
      tools.documents.apply(decisions, cause, time)
      tools.fhir.apply(resources, cause.by, time)
      const objectIds = decisions.flatMap((decision) => ('objectId' in decision ? [decision.objectId] : []))
      const told = [
        ...decisions.map(({ is }) => is),
        ...resources.map(({ type, id, body }) => `${body === null ? 'delete ' : ''}${type}/${id}`),
      ]
      tools.decided(alongside, told.join(', '), objectIds)
    },
  }
}

/** Carries out again what the journal says of FHIR resources. */
export function replayFhir(store: Pick<FhirResourceStore, 'apply'>, entry: PlacedEntry): void {
  if (entry.kind !== FHIR_KIND) return
  const { writes, by } = entry.payload as FhirPayload
  store.apply(writes, by, entry.time)
}
