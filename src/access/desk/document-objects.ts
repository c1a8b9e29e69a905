import type { ArchiveReader } from '#model/archive-index.ts'
import type { Holding } from '#model/delivery.ts'
import type { StoredDocument } from '#model/document.ts'
import type { DocumentReader } from '#model/document-desk.ts'
import type { Asked } from '#model/route.ts'
import { documentVisibility } from './document-view.ts'

/** Documents as the routes of objects and patients show them, to callers who may see them. */
export interface DocumentObjects {
  /** By any identifier. Undefined: there is none for this caller. */
  find(asked: Asked, identifier: string): Promise<StoredDocument | undefined>
  provenance(document: StoredDocument): Promise<object>
  /** Rows of a time line, newest first. */
  timeline(asked: Asked, patientId: string, limit: number): Promise<readonly DocumentTimelineRow[]>
  /** How many there are of a patient, for this caller. */
  count(asked: Asked, patientId: string): Promise<number>
}

export interface DocumentTimelineRow {
  readonly kind: 'document'
  readonly id: string
  readonly documentKind: string
  readonly title: string | null
  readonly type: string | null
  readonly specialty: string | null
  readonly department: string | null
  readonly status: string
  /** `YYYYMMDD`, as studies have it; null when nobody said. */
  readonly date: string | null
  /** `HHMMSS`, UTC. */
  readonly time: string | null
  readonly studyInstanceUID: string | null
}

const CURRENT = ['current'] as const

export function documentObjects(
  documents: DocumentReader,
  archive: Pick<ArchiveReader, 'arrivalsOf'>,
  heldBy: (objectId: string) => readonly Holding[] = () => [],
): DocumentObjects {
  return {
    async find(asked, identifier) {
      const visibility = documentVisibility(asked)
      return visibility === undefined ? undefined : documents.document(identifier, visibility)
    },
    async provenance(document) {
      const { objectId, uniqueId, studyInstanceUID, sha256, version, content } = document
      const arrivals = await archive.arrivalsOf(content.in === 'own' ? objectId : content.objectId)
      const first = arrivals.find((arrival) => arrival.objectId !== null) ?? arrivals[0]
      return {
        ...{ id: objectId, sopInstanceUid: null, uniqueId, studyInstanceUid: studyInstanceUID, version },
        ...{ panel: 'document', host: content.in === 'own' ? null : content.objectId },
        arrivals: arrivals.map(({ door, peer, originator, user, medium, path, time, sha256: arrived }) => ({
          ...{ door, peer, originator, user, medium, path, time },
          sha256: arrived,
        })),
        digest: { arrived: sha256, dataSet: null, kept: sha256 },
        verdict: first?.verdict ?? 'accept',
        findings: first?.findings ?? [],
        changes: [],
        heldBy: heldBy(objectId).map(({ objectId: _, ...held }) => held),
        reconciliation: null,
        scan: first?.scan ?? { status: 'not-scanned', engine: null, signatures: null, coverage: null },
      }
    },
    async timeline(asked, patientId, limit) {
      const visibility = documentVisibility(asked)
      if (visibility === undefined) return []
      const query = { patientIds: [patientId], statuses: CURRENT, order: 'newest', limit } as const
      const { items } = await documents.documents(query, visibility)
      return items.map(({ document }) => rowOf(document))
    },
    async count(asked, patientId) {
      const visibility = documentVisibility(asked)
      if (visibility === undefined) return 0
      return documents.countDocuments(
        { patientIds: [patientId], statuses: CURRENT, order: 'newest', limit: 1 },
        visibility,
      )
    },
  }
}

function rowOf(document: StoredDocument): DocumentTimelineRow {
  const { metadata, objectId, kind, status, studyInstanceUID } = document
  const when = metadata.serviceStart ?? metadata.creationTime
  const time = /T(\d\d):(\d\d)(?::(\d\d))?/.exec(when ?? '')
  return {
    ...{ kind: 'document', id: objectId, documentKind: kind, status, studyInstanceUID },
    title: metadata.title,
    type: metadata.typeCode?.display ?? null,
    specialty: metadata.practiceSetting?.display ?? null,
    department: metadata.department,
    date: when === null ? null : when.slice(0, 10).replaceAll('-', ''),
    time: time === null ? null : `${time[1]}${time[2]}${time[3] ?? '00'}`,
  }
}

/** Studies and documents of a patient in one line, newest first; what has no date comes last. */
export function inOneLine<Row extends { readonly date: string | null; readonly time: string | null }>(
  rows: readonly Row[],
): Row[] {
  const keyOf = ({ date, time }: Row) => `${date ?? ''} ${time ?? ''}`
  return rows.toSorted((a, b) => (keyOf(a) < keyOf(b) ? 1 : keyOf(a) > keyOf(b) ? -1 : 0))
}
