import { type DocumentOwner, REQUIRED_METADATA, type StoredDocument } from './document.ts'

/** What nobody said: required fields that are empty, and an owner. */
export function missingOf(said: {
  readonly metadata: StoredDocument['metadata']
  readonly patient: DocumentOwner | null
}): StoredDocument['missing'] {
  const fields = REQUIRED_METADATA.filter((field) => {
    const value = said.metadata[field]
    return value === null || value === '' || (Array.isArray(value) && value.length === 0)
  })
  return said.patient === null ? [...fields, 'patient'] : fields
}
