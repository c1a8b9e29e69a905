/** What may be changed of documents and lists that are kept, as decisions of the document panel. */
import { isDeepStrictEqual } from 'node:util'
import type { DocumentReference, List } from '@medplum/fhirtypes'
import type { DocumentList, DocumentMetadata, StoredDocument } from '#model/document.ts'
import type { DocumentDecision } from '#model/document-desk.ts'
import type { Problem } from '#standards/fhir/validate.ts'
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

/** Title and entries of a folder, and the status of any list. */
export async function listChange(
  kept: DocumentList,
  after: List,
  context: StagingContext,
  place: string,
  problems: Problem[],
): Promise<readonly DocumentDecision[]> {
  const status = LIST_STATUS[after.status ?? ''] ?? kept.status
  const items: DocumentList['items'][number][] = []
  for (const [i, identifier] of itemsOf(after).entries()) {
    const document = await context.document(identifier)
    const list = document === undefined ? await context.list(identifier) : undefined
    if (document !== undefined) items.push({ is: 'document', id: document.objectId })
    else if (list !== undefined) items.push({ is: 'list', id: list.id })
    else {
      const detail = `${identifier} is not here`
      problems.push({ severity: 'error', code: 'not-found', expression: `${place}.entry[${i}].item`, detail })
    }
  }
  const title = after.title ?? null
  const changed = !isDeepStrictEqual(items, kept.items) || title !== kept.title
  if (!changed) return status === kept.status ? [] : [{ is: 'list-status', listId: kept.id, status }]
  if (kept.kind === 'submission-set') {
    const detail = 'a submission set says what was sent: only its status changes'
    problems.push({ severity: 'error', code: 'business-rule', expression: place, detail })
    return []
  }
  return [{ is: 'list', list: { ...kept, title, items, status } }]
}
