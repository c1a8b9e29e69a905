import type { Placement } from '#model/archive-object.ts'

/** Where a document is put that came in its own format: it stays what it is, with its metadata, beside the images. */
export function placeNativeDocument(facts: { readonly kind: string; readonly mediaType: string }): Placement {
  return {
    rule: 'document-stays-native',
    ruleVersion: 1,
    panel: 'document',
    form: 'native',
    facts: { ...facts },
    alternatives: [],
  }
}
