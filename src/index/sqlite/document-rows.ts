import { ArchiveError } from '#errors.ts'
import type { DocumentContent, DocumentList, Relation, RelationKind, StoredDocument } from '#model/document.ts'
import type { Visibility } from '#model/visibility.ts'
import type { Database, SqlParam } from './database.ts'
import { type DocumentBody, STATUSES } from './document-codes.ts'
import { hex } from './texts.ts'
import { type Condition, notWithheld } from './visible.ts'

export interface DocumentRow {
  readonly key: number
  readonly id: string
  readonly unique_id: string
  readonly entry_uuid: string
  readonly kind: StoredDocument['kind']
  readonly media_type: string
  readonly size: number
  readonly sha1: Uint8Array
  readonly sha256: Uint8Array
  readonly status: number
  readonly phase: StoredDocument['phase']
  readonly patient_id: string | null
  readonly study: string | null
  readonly host_id: string | null
  readonly host_start: number | null
  readonly host_length: number | null
  readonly segment: string
  readonly offset: number
  readonly length: number
  readonly version: number
  readonly created: string
  readonly updated: string
  readonly time: string
  readonly body: string
}

const COLUMNS = `d.key, d.id, d.unique_id, d.entry_uuid, d.kind, d.media_type, d.size, d.sha1, o.sha_arrived as sha256,
  d.status, d.phase, coalesce(sp.id, p.id) as patient_id, d.study, h.id as host_id, d.host_start, d.host_length,
  g.name as segment, coalesce(h.offset, o.offset) as offset, coalesce(h.length, o.length) as length, d.version,
  d.created, d.updated, d.time, d.body`

/** Everything a document is read from; `d` is the table document, visible rows only by `hidden = 0`. */
const JOINED = `cross join object o on o.key = d.key left join object h on h.key = d.host
  left join patient p on p.key = d.patient left join patient sp on sp.key = p.survivor
  cross join segment g on g.key = coalesce(h.segment, o.segment)`

/** A select of documents: conditions are on alias `d`. */
export function documentSelect(from: string, where: string, tail: string): string {
  return `select ${COLUMNS} from ${from} ${JOINED} where d.hidden = 0 and ${where} ${tail}`
}

/** Rows as documents, with the relations of all of them in one query each way. */
export function documentsOf(db: Database, rows: readonly DocumentRow[]): StoredDocument[] {
  if (rows.length === 0) return []
  const ids = JSON.stringify(rows.map(({ id }) => id))
  const relations = db.all<{ source: string; kind: RelationKind; target: string }>(
    `select source, kind, target from relation where source in (select value from json_each(?1))
     union all select source, kind, target from relation where target in (select value from json_each(?1))
       and source not in (select value from json_each(?1))`,
    ids,
  )
  return rows.map((row) => {
    const mine = relations.filter(({ source, target }) => source === row.id || target === row.id).map(relationOf)
    return documentOf(
      row,
      mine.filter(({ from }) => from === row.id),
      mine.filter(({ to }) => to === row.id),
    )
  })
}

function relationOf({ source, kind, target }: { source: string; kind: RelationKind; target: string }): Relation {
  return { kind, from: source, to: target }
}

function documentOf(row: DocumentRow, relations: Relation[], relatedBy: Relation[]): StoredDocument {
  const status = STATUSES[row.status]
  if (status === undefined) throw new ArchiveError('storage.damaged', `document ${row.id} has status ${row.status}`)
  const body = JSON.parse(row.body) as DocumentBody
  return {
    objectId: row.id,
    uniqueId: row.unique_id,
    entryUuid: row.entry_uuid,
    kind: row.kind,
    mediaType: row.media_type,
    size: row.size,
    sha1: hex(row.sha1),
    sha256: hex(row.sha256),
    status,
    phase: row.phase,
    patientId: row.patient_id,
    studyInstanceUID: row.study,
    ...body,
    content: contentOf(row),
    location: { segment: row.segment, offset: row.offset, length: row.length },
    version: row.version,
    created: row.created,
    lastUpdated: row.updated,
    relations,
    relatedBy,
  }
}

function contentOf({ host_id: objectId, host_start: start, host_length: length }: DocumentRow): DocumentContent {
  if (objectId === null || start === null || length === null) return { in: 'own' }
  return { in: 'object', objectId, start, length }
}

export interface ListRow {
  readonly key: number
  readonly body: string
  readonly patient_id: string | null
  readonly version: number
  readonly updated: string
}

export const LIST_SELECT = `select l.key, l.body, coalesce(sp.id, p.id) as patient_id, l.version, l.updated
  from document_list l left join patient p on p.key = l.patient left join patient sp on sp.key = p.survivor`

/** @param bodyOnly of `list_version`: the same JSON */
export function listOf(row: ListRow): DocumentList {
  const body = JSON.parse(row.body) as Omit<DocumentList, 'patientId' | 'version' | 'lastUpdated'>
  return { ...body, patientId: row.patient_id, version: row.version, lastUpdated: row.updated }
}

/** Keys of a person's rows: the patients asked for, who they live on as, and everybody folded into those. */
export function personKeys(db: Database, patientIds: readonly string[]): number[] {
  return db
    .all<{ key: number }>(
      `with root as (select distinct coalesce(survivor, key) as key from patient
         where id in (select value from json_each(?)))
       select key from root union select p.key from root r join patient p on p.survivor = r.key`,
      JSON.stringify(patientIds),
    )
    .map(({ key }) => key)
}

/**
 * What the caller may see of the document panel, as a condition on a patient column and the label; undefined when all.
 * Documents of nobody yet are seen only by callers who see all patients.
 * @param restricted null where there is no label (lists)
 */
export function visibleDocuments(
  db: Database,
  visibility: Visibility,
  column: 'd.patient' | 'l.patient',
  restricted: 'd.restricted' | null,
): Condition | undefined {
  if (visibility.sees === 'nothing' || visibility.hidesDocuments === true) return { sql: '0', params: [] }
  const parts: string[] = []
  const params: SqlParam[] = []
  if (visibility.sees === 'patients') {
    parts.push(`${column} in (select value from json_each(?))`)
    params.push(JSON.stringify(personKeys(db, visibility.patientIds)))
  }
  if (visibility.upTo !== undefined && restricted !== null) {
    parts.push(`${restricted} <= ${visibility.upTo === 'R' ? 1 : 0}`)
  }
  if (visibility.withholds !== undefined) {
    const open = notWithheld(visibility.withholds, column)
    parts.push(open.sql)
    params.push(...open.params)
  }
  return parts.length === 0 ? undefined : { sql: parts.join(' and '), params }
}
