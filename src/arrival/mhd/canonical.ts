/** Canonical addresses of IHE MHD: senders write http and https, with a version or without. services.md I.14. */

/** What a bundle promises: the metadata of ITI-65. `uncontained` is comprehensive, but people may stand elsewhere. */
export type ProvideProfile = 'minimal' | 'comprehensive' | 'uncontained'

const PROFILES: { readonly [name: string]: ProvideProfile } = {
  'IHE.MHD.Minimal.ProvideBundle': 'minimal',
  'IHE.MHD.Comprehensive.ProvideBundle': 'comprehensive',
  'IHE.MHD.UnContained.Comprehensive.ProvideBundle': 'uncontained',
}

const STRICTEST: readonly ProvideProfile[] = ['comprehensive', 'uncontained', 'minimal']

/** IHE has moved from http to https, and from ihe.net/fhir to profiles.ihe.net. */
const STRUCTURE = /^https?:\/\/(?:profiles\.ihe\.net\/ITI\/MHD|ihe\.net\/fhir)\/StructureDefinition\//i

const LIST_TYPES = /^https?:\/\/profiles\.ihe\.net\/ITI\/MHD\/CodeSystem\/MHDlistTypes$/i

/** Name of a structure of MHD, without version; undefined for any other address. */
export function mhdStructure(url: string | undefined): string | undefined {
  if (url === undefined || !STRUCTURE.test(url)) return undefined
  return url.replace(STRUCTURE, '').replace(/\|.*$/, '')
}

/** Name of an extension of MHD: `sourceId`, `designationType`, `intendedRecipient`. */
export function mhdExtension({ url }: { readonly url?: string }): string | undefined {
  return mhdStructure(url)?.replace(/^ihe-/i, '')
}

/**
 * The profile a bundle claims; the strictest of several.
 * @returns undefined when it claims none of ITI-65; `unknown` with its place for one that MHD does not have
 */
export function provideProfileOf(bundle: {
  readonly meta?: { readonly profile?: readonly string[] }
}): ProvideProfile | { readonly unknown: number } | undefined {
  const names = (bundle.meta?.profile ?? []).map((url) => mhdStructure(url))
  const claimed = names.flatMap((name) => PROFILES[name ?? ''] ?? [])
  const strictest = STRICTEST.find((profile) => claimed.includes(profile))
  if (strictest !== undefined) return strictest
  const unknown = names.findIndex((name) => name !== undefined && /ProvideBundle|ProvideDocumentBundle/i.test(name))
  return unknown < 0 ? undefined : { unknown }
}

/** Whether a coding is of the code system of MHD lists; a missing system is taken for it. */
export function isListType(system: string | undefined): boolean {
  return system === undefined || LIST_TYPES.test(system)
}
