/** What may be changed of documents and lists that are kept, as decisions of the document panel. */
import { isDeepStrictEqual } from 'node:util'
import type { DocumentReference, List } from '@medplum/fhirtypes'
import type { DocumentList, DocumentMetadata, StoredDocument } from '#model/document.ts'
import type { DocumentDecision, SubmittedList } from '#model/document-desk.ts'
import type { Problem } from '#standards/fhir/validate.ts'
import { told } from './problem.ts'
import { readMetadata } from './read-document.ts'
import { itemsOf } from './read-list.ts'
import type { StagingContext } from './staged.ts'

/** Elements that say what a document is: another one would be another document. */
const FIXED = [
  'masterIdentifier',
  'content[0].attachment.contentType',
  'content[0].attachment.hash',
  'content[0].attachment.size',
] as const

function at(resource: DocumentReference, path: (typeof FIXED)[number]): unknown {
  const attachment = resource.content?.[0]?.attachment
  switch (path) {
    case 'masterIdentifier':
      return resource.masterIdentifier
    case 'content[0].attachment.contentType':
      return attachment?.contentType
    case 'content[0].attachment.hash':
      return attachment?.hash
    default:
      return attachment?.size
  }
}

/** Empty values of fields that were said before and are not any more. */
const NOTHING: { readonly [field in keyof DocumentMetadata]?: DocumentMetadata[field] } = {
  ...{ title: null, comments: null, serviceStart: null, serviceStop: null, legalAuthenticator: null },
  ...{ authors: [], eventCodes: [], references: [] },
}

/** Decisions that bring a document from one state to another. What makes it another document is refused. */
export async function changesOf(
  kept: StoredDocument,
  before: DocumentReference,
  after: DocumentReference,
  context: StagingContext,
  place: string,
): Promise<{ readonly decisions: readonly DocumentDecision[]; readonly problems: readonly Problem[] }> {
  const problems: Problem[] = FIXED.filter((path) => !isDeepStrictEqual(at(before, path), at(after, path))).map(
    (path) => ({
      severity: 'error',
      code: 'business-rule',
      expression: `${place}.${path}`,
      detail: 'this does not change: another content is another document, which replaces this one',
    }),
  )
  if (after.subject?.reference !== before.subject?.reference) {
    problems.push({
      severity: 'error',
      code: 'business-rule',
      expression: `${place}.subject`,
      detail: 'whose a document is, is decided by reconciliation',
    })
  }
  const decisions: DocumentDecision[] = []
  const { objectId } = kept
  const [said, was] = await Promise.all([readMetadata(after, context), readMetadata(before, context)])
  const metadata: { [field: string]: unknown } = {}
  for (const [field, value] of Object.entries(said)) {
    if (!isDeepStrictEqual(value, was[field as keyof DocumentMetadata])) metadata[field] = value
  }
  for (const [field, empty] of Object.entries(NOTHING)) {
    if (was[field as keyof DocumentMetadata] !== undefined && !(field in said)) metadata[field] = empty
  }
  if (Object.keys(metadata).length > 0) {
    decisions.push({ is: 'metadata', objectId, metadata: metadata as Partial<DocumentMetadata>, source: 'sender' })
  }
  const status = after.status
  if (status !== before.status) {
    if (status === 'current' || status === 'superseded' || status === 'entered-in-error') {
      decisions.push({ is: 'status', objectId, status })
    }
  }
  return { decisions, problems }
}

const LIST_STATUS: { readonly [status: string]: DocumentList['status'] } = {
  current: 'current',
  retired: 'superseded',
  'entered-in-error': 'entered-in-error',
}

export interface ListChange {
  readonly decisions: readonly DocumentDecision[]
  /** The new state, where it holds documents that come with it. */
  readonly lists: readonly SubmittedList[]
  readonly problems: readonly Problem[]
}

/**
 * Title and entries of a folder, and the status of any list.
 * @param labels of documents that come in the same submission
 */
export async function listChange(
  kept: DocumentList,
  after: List,
  context: StagingContext,
  place: string,
  labels: ReadonlySet<string>,
): Promise<ListChange> {
  const problems: Problem[] = []
  const status = LIST_STATUS[after.status ?? ''] ?? kept.status
  const items: DocumentList['items'][number][] = []
  const asked = itemsOf(after)
  for (const [i, identifier] of asked.entries()) {
    if (labels.has(identifier)) continue
    const document = await context.document(identifier)
    const list = document === undefined ? await context.list(identifier) : undefined
    if (document !== undefined) items.push({ is: 'document', id: document.objectId })
    else if (list !== undefined) items.push({ is: 'list', id: list.id })
    else problems.push(told('document.reference', `${place}.entry[${i}].item`, `${identifier} is not here`))
  }
  const title = after.title ?? null
  const isNew = asked.some((identifier) => labels.has(identifier))
  const changed = isNew || !isDeepStrictEqual(items, kept.items) || title !== kept.title
  if (!changed) {
    const decisions: DocumentDecision[] = [{ is: 'list-status', listId: kept.id, status }]
    return { decisions: status === kept.status ? [] : decisions, lists: [], problems }
  }
  if (kept.kind === 'submission-set') {
    const detail = 'a submission set says what was sent: only its status changes'
    problems.push({ severity: 'error', code: 'business-rule', expression: place, detail })
    return { decisions: [], lists: [], problems }
  }
  if (!isNew) return { decisions: [{ is: 'list', list: { ...kept, title, items, status } }], lists: [], problems }
  const { patientId: _patient, version: _version, lastUpdated: _updated, ...said } = kept
  return { decisions: [], lists: [{ ...said, label: kept.id, owner: null, title, status, items: asked }], problems }
}
