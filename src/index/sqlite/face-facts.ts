import type { StoredDocument } from '#model/document.ts'
import { isImageClass } from '#model/placement-facts.ts'
import { type JsonDataSet, valuesAt } from '#standards/dicom/json-path.ts'
import type { Database } from './database.ts'
import { createEvidenceReader } from './evidence.ts'
import { createSituationReader, type Person } from './placement-facts.ts'

/** What stands around a document: what its DICOM face says beside the document itself. */
export interface FaceFacts {
  /** Data set, as it arrived, of an image of its study, of anything else of it where it has none. */
  readonly sibling: JsonDataSet | undefined
  /** Who owns the document now; undefined while nobody does. */
  readonly person: Person | undefined
}

/** @param db migrated; read-only or the writer's */
export function createFaceFacts(
  db: Database,
): (document: Pick<StoredDocument, 'patientId' | 'studyInstanceUID'>) => FaceFacts {
  const evidence = createEvidenceReader(db)
  const situations = createSituationReader(db)

  function imageOf(study: string): JsonDataSet | undefined {
    let other: JsonDataSet | undefined
    for (const { dataSet } of evidence.instances(study)) {
      const read = dataSet()
      if (read === undefined) continue
      if (isImageClass(valuesAt(read, '00080016')[0] ?? '')) return read
      other ??= read
    }
    return other
  }

  return ({ patientId, studyInstanceUID }) => ({
    sibling: studyInstanceUID === null ? undefined : imageOf(studyInstanceUID),
    person: patientId === null ? undefined : situations.person(patientId),
  })
}
