import type { StoredDocument } from '#model/document.ts'
import type { Asked } from '#model/route.ts'
import type { Visibility } from '#model/visibility.ts'
import { visibilityOf } from '#security/decide.ts'

/** A document as the pages' API shows it. Where its bytes stand is nobody's affair. */
export function documentView(document: StoredDocument): object {
  const { location: _, content, studyInstanceUID, relations, relatedBy, ...told } = document
  const { objectId, lastUpdated, ...rest } = told
  return {
    id: objectId,
    ...rest,
    studyInstanceUid: studyInstanceUID,
    updated: lastUpdated,
    host: content.in === 'object' ? content.objectId : null,
    relations: relations.map(({ kind, to }) => ({ kind, to })),
    relatedBy: relatedBy.map(({ kind, from }) => ({ kind, from })),
    content: `/api/v1/documents/${objectId}/content`,
  }
}

/** What this caller may see of documents, on routes of another right; undefined: none. */
export function documentVisibility({ subject }: Pick<Asked, 'subject'>): Visibility | undefined {
  const visibility = visibilityOf(subject, 'document.read')
  return visibility === 'forbidden' || visibility.sees === 'nothing' ? undefined : visibility
}
