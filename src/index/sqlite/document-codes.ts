import type { Code, DocumentAuthor, DocumentMetadata, StoredDocument } from '#model/document.ts'
import { fold } from '../fold.ts'

/** Numbers of coded fields in `document_code`; they never change. */
export const CODE_FIELDS = {
  classCode: 1,
  typeCode: 2,
  formatCode: 3,
  practiceSetting: 4,
  facilityType: 5,
  eventCodes: 6,
  confidentiality: 7,
} as const satisfies { readonly [field in keyof DocumentMetadata]?: number }

export type CodeField = keyof typeof CODE_FIELDS

/** Every code of a document with the number of its field. */
export function codesOf(metadata: DocumentMetadata): readonly { readonly field: number; readonly code: Code }[] {
  return Object.entries(CODE_FIELDS).flatMap(([name, field]) => {
    const value = metadata[name as CodeField]
    const list: readonly Code[] = value === null ? [] : 'code' in value ? [value] : value
    return list.map((code) => ({ field, code }))
  })
}

/** Folded words of authors: part 0 family name, 1 given name. */
export function authorWords(
  authors: readonly DocumentAuthor[],
): readonly { readonly part: 0 | 1; readonly word: string }[] {
  const found: { part: 0 | 1; word: string }[] = []
  for (const { person } of authors) {
    if (person === null) continue
    const [family = '', given = ''] = person.split('^')
    for (const [part, text] of [
      [0, family],
      [1, given],
    ] as const) {
      const word = foldWord(text)
      if (word !== '') found.push({ part, word })
    }
  }
  return found
}

/** A name part as it is compared: without case, diacritics and outer spaces. */
export function foldWord(text: string): string {
  return fold(text)
}

const RANK: { readonly [code: string]: number } = { R: 1, V: 2 }

/** 0 normal or less, 1 restricted, 2 very restricted: the strictest label counts. HL7 v3 Confidentiality. */
export function restrictionOf(metadata: DocumentMetadata): number {
  return metadata.confidentiality.reduce((strictest, { code }) => Math.max(strictest, RANK[code] ?? 0), 0)
}

/** What the timeline sorts a document by. */
export function sortTime(metadata: DocumentMetadata, created: string): string {
  return metadata.serviceStart ?? metadata.creationTime ?? created
}

/** What stands in `document.body`. */
export type DocumentBody = Pick<StoredDocument, 'metadata' | 'sources' | 'missing' | 'placement'>

export const STATUSES = [
  'current',
  'superseded',
  'entered-in-error',
] as const satisfies readonly StoredDocument['status'][]
