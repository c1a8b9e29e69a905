import type { Binary } from '@medplum/fhirtypes'
import type { StoredDocument } from '#model/document.ts'
import type { ResourceKind } from './kind.ts'

/** Without its bytes: those are read by range, or added as base64 when FHIR is asked for. */
export function binaryOf(document: StoredDocument): Binary {
  return {
    resourceType: 'Binary',
    id: document.entryUuid,
    meta: { versionId: String(document.version), lastUpdated: document.lastUpdated },
    contentType: document.mediaType,
    securityContext: { reference: `DocumentReference/${document.entryUuid}` },
  }
}

/**
 * The bytes of a document, under the id of its DocumentReference: who may read that may read this. There is no search, so
 * bytes are found only through what describes them.
 */
export const binaryKind: ResourceKind = {
  type: 'Binary',
  made: 'primary',
  owner: 'the document panel: the bytes in the segments',
  writable: 'at creation, together with a DocumentReference; never changed',
  versions: 'version of its DocumentReference; the bytes are always the same',
  needs: { read: 'document.read', create: 'document.store' },
  parameters: [],
  includes: [],
  revIncludes: [],
  sorts: [],
  history: false,
  source({ documents }) {
    return {
      async read(id, { visibility }) {
        const document = await documents.document(id, visibility)
        return document?.entryUuid === id.toLowerCase() ? binaryOf(document) : undefined
      },
      async search(criteria, _paging, { visibility }) {
        const ids = criteria.values('_id') ?? []
        const found = await Promise.all(ids.slice(0, 100).map((id) => documents.document(id, visibility)))
        return {
          resources: found.flatMap((document) => (document === undefined ? [] : [binaryOf(document)])),
          next: null,
        }
      },
    }
  },
}
