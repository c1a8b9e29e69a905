/** One assigning authority by all its names. Site setting `identity.issuers`. design.md section 2, Patient. */
export interface IssuerEntry {
  /** What it is called here: the issuer of every key. */
  readonly name: string
  /** ISO OID, without `urn:oid:`. */
  readonly oid: string | null
  /** HL7 v2 HD-1, and DICOM (0040,0031) and (0010,0021). */
  readonly namespaceId: string | null
  /** FHIR Identifier.system. */
  readonly fhirSystem: string | null
  /** Whatever else senders write. */
  readonly aliases: readonly string[]
}

/** An authority as a message or object names it: either part may be empty. */
export interface NamedAuthority {
  readonly namespaceId: string
  readonly universalId: string
}

/** The register of issuers: one name for each, however a sender writes it. */
export interface Issuers {
  /**
   * @returns undefined when neither part says anything; `known` is false when the register has no such authority, which
   *   then stands under its own name
   */
  resolve(authority: NamedAuthority): { readonly issuer: string; readonly known: boolean } | undefined
  /** The same for one text, such as Issuer of Patient ID (0010,0021); empty stays empty. */
  canonical(text: string): string
  entry(name: string): IssuerEntry | undefined
}

/** @param entries the register; an earlier entry wins where two claim one name */
export function createIssuers(entries: readonly IssuerEntry[]): Issuers {
  const byName = new Map<string, IssuerEntry>()
  for (const entry of entries) {
    const { name, oid, namespaceId, fhirSystem, aliases } = entry
    for (const given of [name, oid, namespaceId, fhirSystem, ...aliases]) {
      const key = given === null ? '' : keyOf(given)
      if (key !== '' && !byName.has(key)) byName.set(key, entry)
    }
  }
  const find = (text: string) => (text === '' ? undefined : byName.get(keyOf(text)))
  return {
    resolve({ namespaceId, universalId }) {
      // A universal id is unique in the world, a namespace only where somebody agreed on it.
      const entry = find(universalId) ?? find(namespaceId)
      if (entry !== undefined) return { issuer: entry.name, known: true }
      const own = namespaceId.trim() || universalId.trim()
      return own === '' ? undefined : { issuer: own, known: false }
    },
    canonical: (text) => find(text)?.name ?? text,
    entry: (name) => find(name),
  }
}

function keyOf(text: string): string {
  return text
    .trim()
    .replace(/^urn:oid:/i, '')
    .toLowerCase()
}
