import type { Reference } from '@medplum/fhirtypes'
import type { DocumentOwner } from '#model/document.ts'
import type { FhirPatientRow } from '#model/fhir-reader.ts'
import { EVERYTHING } from '#model/visibility.ts'
import { issuerOfSystem } from '#security/issuer-systems.ts'
import { FHIR_PATH } from './asking.ts'
import type { FhirSources } from './kind.ts'

/** Rows that are looked at before a number counts as that of several. */
const ROWS_MAX = 10

/**
 * Who a reference means: `Patient/id` of this archive, else the identifier. What leads to another server is nobody here,
 * and a number that several people have names none of them. Who may only send is told that somebody is known, no more.
 *
 * @param origin `https://archive.example`
 */
export function knownPatient(
  { fhir, issuers }: Pick<FhirSources, 'fhir' | 'issuers'>,
  origin: string,
  { reference, identifier }: Reference,
): FhirPatientRow | undefined {
  const local = reference?.startsWith(`${origin}${FHIR_PATH}/`)
    ? reference.slice(origin.length + FHIR_PATH.length + 1)
    : reference
  const id = /^Patient\/([A-Za-z0-9.-]{1,64})(?:\/_history\/[^/]+)?$/.exec(local ?? '')?.[1]
  if (id !== undefined) {
    const [row] = fhir.patients({ ids: [id], limit: 1 }, EVERYTHING).items
    if (row !== undefined) return row
  }
  if (identifier?.value === undefined || identifier.value === '') return undefined
  const issuer = identifier.system === undefined ? '' : issuerOfSystem(issuers(), identifier.system)
  const { items } = fhir.patients({ identifiers: [{ issuer, id: identifier.value }], limit: ROWS_MAX }, EVERYTHING)
  const people = new Set(items.map(({ patient: { survivor } }) => `${survivor.issuer}\u0000${survivor.id}`))
  return people.size === 1 ? (items.find(({ mergedInto }) => mergedInto === null) ?? items[0]) : undefined
}

export function ownerOf({ patient: { issuer, id, issuerAssumed } }: FhirPatientRow): DocumentOwner {
  return { by: 'identifier', issuer, id, issuerAssumed }
}
