import type { DocumentMetadata, MetadataField, MetadataSource, StoredDocument } from '#model/document.ts'

/** One voice about a document: who says it, and what. */
export interface Voice {
  readonly source: MetadataSource
  readonly says: Partial<DocumentMetadata>
}

/** A document of which nobody said anything. */
export const NOTHING_SAID: DocumentMetadata = {
  title: null,
  comments: null,
  classCode: null,
  typeCode: null,
  formatCode: null,
  practiceSetting: null,
  facilityType: null,
  department: null,
  authors: [],
  eventCodes: [],
  confidentiality: [],
  language: null,
  creationTime: null,
  serviceStart: null,
  serviceStop: null,
  legalAuthenticator: null,
  sourcePatient: null,
  references: [],
  extra: {},
}

/**
 * What is known of a document: for each field the first voice that says it. The sender comes first, then the bytes
 * themselves, order, encounter, study, originator, site. References are the sum of all voices: an accession number and
 * an encounter do not contradict each other.
 * @param voices in the order in which they count
 */
export function completeMetadata(voices: readonly Voice[]): Pick<StoredDocument, 'metadata' | 'sources'> {
  const metadata: { -readonly [field in MetadataField]: DocumentMetadata[field] } = { ...NOTHING_SAID }
  const sources: { [field in MetadataField]?: MetadataSource } = {}
  for (const { source, says } of voices) {
    for (const field of Object.keys(NOTHING_SAID) as MetadataField[]) {
      const value = says[field]
      if (!isSaid(value)) continue
      if (field === 'references') {
        metadata.references = joined(metadata.references, says.references ?? [])
        sources.references ??= source
      } else if (sources[field] === undefined) {
        Object.assign(metadata, { [field]: value })
        sources[field] = source
      }
    }
  }
  return { metadata, sources }
}

function isSaid(value: DocumentMetadata[MetadataField] | undefined): boolean {
  if (value === undefined || value === null || value === '') return false
  if (Array.isArray(value)) return value.length > 0
  return typeof value !== 'object' || Object.keys(value).length > 0
}

function joined(
  have: DocumentMetadata['references'],
  more: DocumentMetadata['references'],
): DocumentMetadata['references'] {
  const same = (a: (typeof have)[number], b: (typeof have)[number]) =>
    a.type === b.type && a.id === b.id && (a.issuer === b.issuer || a.issuer === '' || b.issuer === '')
  return [...have, ...more.filter((one) => !have.some((other) => same(one, other)))]
}
