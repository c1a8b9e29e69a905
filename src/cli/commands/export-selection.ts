/** What `diptych export` was asked for: images of which studies, documents of whom. */
import { ArchiveError } from '#errors.ts'
import { EVERYTHING } from '#model/visibility.ts'
import { type DocumentGroup, groupsOf } from '#operations/export-documents.ts'
import type { Archive } from '../../app.ts'
import { everybody } from '../../app-document-export.ts'
import { type Given, isSet, text, texts, UsageError } from '../command.ts'

export interface Selection {
  /** Study Instance UIDs; absent: all. */
  readonly images: { readonly studies?: readonly string[] }
  /** Null when no documents leave. */
  readonly documents: AsyncIterable<DocumentGroup> | null
}

/** Studies of one patient. */
const STUDIES_MAX = 1_000_000

export async function selectionOf(archive: Archive, given: Given): Promise<Selection> {
  const { documents, reader } = archive
  const studies = texts(given, 'study')
  const only = isSet(given, 'documents')
  const patient = text(given, 'patient')
  if (patient === undefined && text(given, 'issuer') !== undefined) throw new UsageError('--issuer is for --patient')
  const tools = { documents, visibility: EVERYTHING }
  if (patient !== undefined) {
    if (studies.length > 0) throw new UsageError('--patient or --study, not both')
    const ids = await reader.patientIds(patient, text(given, 'issuer'))
    if (ids.length === 0) throw new ArchiveError('request.not-found', 'patient')
    const rows = only ? [] : await Promise.all(ids.map((id) => reader.timeline(id, EVERYTHING, STUDIES_MAX)))
    const mine = [...new Set(rows.flat().map(({ studyInstanceUID }) => studyInstanceUID))]
    return { images: { studies: mine }, documents: groupsOf(tools, ids, only ? undefined : isOwn) }
  }
  if (studies.length > 0) {
    if (!only) return { images: { studies }, documents: null }
    const about = (document: Parameters<typeof isOwn>[0]) =>
      (document.studyInstanceUID !== null && studies.includes(document.studyInstanceUID)) ||
      document.metadata.references.some(({ type, id }) => type === 'study' && studies.includes(id))
    const owners = await Promise.all(
      studies.map((study) => documents.documents({ aboutStudies: [study], order: 'oldest', limit: 1000 }, EVERYTHING)),
    )
    const ids = new Set(owners.flatMap(({ items }) => items.map(({ document }) => document.patientId)))
    return { images: { studies: [] }, documents: groupsOf(tools, ids, about) }
  }
  return {
    images: only ? { studies: [] } : {},
    documents: groupsOf(tools, everybody(archive), only ? undefined : isOwn),
  }
}

/** Faces leave inside their DICOM object when images leave too. */
function isOwn({ content }: DocumentGroup['documents'][number]): boolean {
  return content.in === 'own'
}
