/** Carries out what a request or a transaction staged: documents, lists and own resources at once, or nothing. */
import type { DocumentReference, OperationOutcome, Reference, Resource } from '@medplum/fhirtypes'
import { type StagedOperation, type StagingContext, StagingFault } from '#arrival/mhd/staged.ts'
import { idOf, stagedSubmission } from '#arrival/mhd/submission.ts'
import { ArchiveError } from '#errors.ts'
import type { DocumentOwner, StoredDocument } from '#model/document.ts'
import type { DecisionCause, DocumentDesk } from '#model/document-desk.ts'
import type { FhirWrite } from '#model/fhir-store.ts'
import { EVERYTHING } from '#model/visibility.ts'
import type { Json } from '#standards/fhir/xml-write.ts'
import { indexedOf } from './indexed.ts'
import type { FhirSources } from './kind.ts'
import { knownPatient, ownerOf } from './known-patient.ts'
import { FhirFault, note } from './outcome.ts'
import { type Asker, type FhirSearch, referenceTo } from './search.ts'

const DOCUMENT_TYPES = ['DocumentReference', 'List', 'Binary']

export interface CommitTools {
  readonly sources: FhirSources
  readonly search: FhirSearch
  readonly desk: Pick<DocumentDesk, 'submit' | 'delete'>
  readonly asker: Asker
  readonly provenance: StagingContext['provenance']
  readonly cause: DecisionCause
  /** Required metadata must be there: comprehensive MHD. */
  readonly complete: boolean
  /** Told of what is worth saying about a resource, by the reference it was staged under. */
  tell(reference: string, note: CommitNote): void
}

export interface CommitNote {
  /** It was kept before: nothing new was made. */
  readonly already: boolean
  readonly outcome?: OperationOutcome
}

/**
 * @returns what is there now, by the reference it was staged under: a document that was kept before is that one
 * @throws FhirFault, ArchiveError
 */
export async function commitStaged(
  operations: readonly StagedOperation[],
  tools: CommitTools,
): Promise<ReadonlyMap<string, Resource>> {
  const removed = operations.find(({ action, resource }) => action === 'delete' && isDocument(resource))
  if (removed !== undefined) return deleted(removed, operations, tools)
  const done = new Map<string, string>()
  const staged = new Map(operations.map(({ resource }) => [referenceTo(resource), resource]))
  const context = contextOf(tools, staged)
  try {
    const { submission, problemsOf } = await stagedSubmission(
      operations.filter(({ resource }) => isDocument(resource)),
      context,
      { complete: tools.complete, cause: tools.cause, resources: operations.flatMap((one) => writeOf(one, tools)) },
    )
    const receipt = await tools.desk.submit(submission)
    if (receipt.is === 'refused') throw new FhirFault(statusOf(receipt.faults[0]?.code), problemsOf(receipt.faults))
    for (const { label, document, duplicate } of receipt.documents) {
      done.set(`DocumentReference/${label}`, `DocumentReference/${document.entryUuid}`)
      tools.tell(`DocumentReference/${label}`, noteOf(document, duplicate))
      const reference = staged.get(`DocumentReference/${label}`) as DocumentReference | undefined
      const url = reference?.content?.[0]?.attachment?.url
      if (url === undefined) continue
      done.set(url, `Binary/${document.entryUuid}`)
      tools.tell(url, { already: duplicate })
    }
    for (const { label, list } of receipt.lists) {
      done.set(`List/${label}`, `List/${list.id}`)
      tools.tell(`List/${label}`, { already: list.id !== label })
    }
  } catch (error) {
    if (error instanceof StagingFault) throw new FhirFault(error.status, error.problems)
    throw error
  }
  const found = new Map<string, Resource>()
  for (const reference of staged.keys()) {
    const [type = '', id = ''] = (done.get(reference) ?? reference).split('/')
    const source = tools.search.served(type)?.source
    const caller = { origin: tools.asker.origin, sees: () => EVERYTHING, visibility: EVERYTHING }
    const now = await source?.read(id, caller)
    if (now !== undefined) found.set(reference, now)
  }
  return found
}

function noteOf({ missing }: StoredDocument, already: boolean): CommitNote {
  if (already) return { already, outcome: note('information', 'duplicate', 'this document was kept before') }
  if (missing.length === 0) return { already }
  const text = `kept; on the metadata worklist, because nobody said: ${missing.join(', ')}`
  return { already, outcome: note('warning', 'incomplete', text) }
}

function isDocument({ resourceType }: Resource): boolean {
  return DOCUMENT_TYPES.includes(resourceType)
}

/** HTTP status of a refusal: what the sender may mend is 422, what the archive holds against it 409 or 412. */
function statusOf(code: string | undefined): number {
  if (code === 'document.version') return 412
  if (code === 'document.conflict' || code === 'screening.held') return 409
  return 422
}

/** A document is taken away alone: its bytes have their own time of grace. */
async function deleted(
  { resource, at }: StagedOperation,
  operations: readonly StagedOperation[],
  { desk, cause, sources }: CommitTools,
): Promise<ReadonlyMap<string, Resource>> {
  if (operations.length > 1 || resource.resourceType !== 'DocumentReference') {
    throw FhirFault.at(422, 'not-supported', at, 'a DocumentReference is deleted by a request of its own')
  }
  const document = await sources.documents.document(resource.id ?? '', EVERYTHING)
  const gone = document !== undefined && (await desk.delete(document.objectId, cause))
  if (!gone) throw new ArchiveError('request.not-found', `DocumentReference/${resource.id}`)
  return new Map()
}

/** The write of a resource of its own. */
function writeOf({ action, resource, before }: StagedOperation, { search }: CommitTools): FhirWrite[] {
  const type = resource.resourceType
  if (isDocument(resource)) return []
  const kind = search.served(type)?.kind
  if (kind === undefined || resource.id === undefined) return []
  const { id, meta, ...rest } = resource
  const { versionId: _version, lastUpdated: _updated, ...kept } = meta ?? {}
  const body = { ...rest, ...(Object.keys(kept).length === 0 ? {} : { meta: kept }) }
  return [
    {
      type,
      id,
      body: action === 'delete' ? null : body,
      expected: before === null ? null : Number(before.meta?.versionId),
      indexed: action === 'delete' ? [] : indexedOf(resource as unknown as Json, kind.parameters),
    },
  ]
}

function contextOf(
  { sources, search, asker, provenance }: CommitTools,
  staged: ReadonlyMap<string, Resource>,
): StagingContext {
  const documents = asker.sees('DocumentReference', 'r')
  // Who may only send still refers to what it sent before: existence is told to it, nothing else.
  const visibility = documents === 'forbidden' || documents.sees === 'nothing' ? EVERYTHING : documents
  const issuers = sources.issuers()
  async function patient(reference: Reference): Promise<DocumentOwner | undefined> {
    const said = staged.get(`Patient/${idOf(reference, 'Patient')}`)
    const [identifier] = said?.resourceType === 'Patient' ? (said.identifier ?? []) : []
    const row = knownPatient(sources, asker.origin, identifier === undefined ? reference : { identifier })
    return row === undefined ? undefined : ownerOf(row)
  }
  return {
    provenance,
    issuers,
    patient,
    document: (identifier) => sources.documents.document(identifier, visibility),
    async list(id) {
      const { items } = await sources.documents.lists({ ids: [id], limit: 1 }, visibility)
      return items[0]
    },
    async resource(reference) {
      const [type = '', id = ''] = reference.replace(/^.*\/([A-Z][A-Za-z]+\/[^/]+)$/, '$1').split('/')
      return staged.get(`${type}/${id}`) ?? search.read(type, id, asker)
    },
  }
}
