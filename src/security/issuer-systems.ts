import type { Issuers } from './issuers.ts'

/** An authority nobody registered, as a URI: reversible, so that what we said can be asked for. */
const OWN = 'urn:diptych:issuer:'

/** FHIR Identifier.system of an issuer: as registered, else its OID, else itself where it is a URI, else a name of ours. */
export function systemOfIssuer(issuers: Issuers, issuer: string): string {
  const entry = issuers.entry(issuer)
  if (entry?.fhirSystem) return entry.fhirSystem
  const oid = entry?.oid ?? (/^[0-2](\.\d+)+$/.test(issuer) ? issuer : null)
  if (oid !== null) return `urn:oid:${oid}`
  return /^(https?:\/\/|urn:(?!diptych:))/i.test(issuer) ? issuer : OWN + encodeURIComponent(issuer)
}

/** The issuer a FHIR system stands for; a system nobody registered is an issuer of its own name. */
export function issuerOfSystem(issuers: Issuers, system: string): string {
  if (system.startsWith(OWN)) {
    try {
      return issuers.canonical(decodeURIComponent(system.slice(OWN.length)))
    } catch {
      return system
    }
  }
  const known = issuers.entry(system)
  if (known !== undefined) return known.name
  return /^urn:oid:/i.test(system) ? system.slice('urn:oid:'.length) : system
}
