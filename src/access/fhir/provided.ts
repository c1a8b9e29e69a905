/**
 * A bundle of IHE ITI-65 made ready for what every transaction goes through: references between its entries become
 * addresses the transaction rewrites, patients in it become those the archive knows, FHIR documents become bytes.
 */
import { randomUUID } from 'node:crypto'
import type { Binary, Bundle, BundleEntry, Patient, Reference } from '@medplum/fhirtypes'
import { provideProfileOf } from '#arrival/mhd/canonical.ts'
import { told } from '#arrival/mhd/problem.ts'
import { provideProblems, referred, unknownProfile } from '#arrival/mhd/provide-bundle.ts'
import { type Json, toXml } from '#standards/fhir/xml-write.ts'
import { type Format, MEDIA_TYPES } from './formats.ts'
import { FhirFault } from './outcome.ts'

export interface Provided {
  readonly bundle: Bundle
  /** Where the entries of `bundle` stood in what was sent. */
  readonly positions: readonly number[]
  /** Puts the answers for entries that were no work back in their places. */
  answers(entries: readonly BundleEntry[]): BundleEntry[]
}

/** `Type/id` of the patient who is meant, as we serve them. */
type FindPatient = (reference: Reference) => Promise<string | undefined>

/** @returns undefined when the bundle claims no profile of ITI-65. @throws FhirFault 422 naming every wrong element */
export async function providedBundle(
  sent: Bundle,
  format: Format,
  findPatient: FindPatient,
): Promise<Provided | undefined> {
  const profile = provideProfileOf(sent)
  if (profile === undefined) return undefined
  if (typeof profile === 'object') throw new FhirFault(422, [unknownProfile(profile.unknown)])
  const problems = provideProblems(sent, profile)
  if (problems.length > 0) throw new FhirFault(422, problems)

  const entries = sent.entry ?? []
  const addresses = new Map<number, string>()
  /** Answers of entries that are no work of their own. */
  const spared = new Map<number, BundleEntry>()
  const replaced = replacedBy(entries)
  for (const [i, { resource, fullUrl, request }] of entries.entries()) {
    const patched = request?.method === 'PATCH' ? documentNamed(request.url) : undefined
    if (resource?.resourceType === 'Patient') {
      const known = await patientOf(resource, `Bundle.entry[${i}].resource.identifier`, findPatient)
      addresses.set(i, known)
      spared.set(i, { response: { status: '200', location: known } })
    } else if (patched !== undefined && replaced.has(patched)) {
      // The new document supersedes the old one; that the bundle says so too asks for no right to change documents.
      spared.set(i, { response: { status: '200', location: patched } })
    } else if (request?.method === 'POST') {
      addresses.set(i, fullUrl?.startsWith('urn:uuid:') ? fullUrl : `urn:uuid:${randomUUID()}`)
    }
  }
  const find = referred(entries)
  const addressOf = (reference: string) => {
    const position = /^Bundle\.entry\[(\d+)\]/.exec(find(reference)?.at ?? '')?.[1]
    return position === undefined ? undefined : addresses.get(Number(position))
  }
  const kept = entries.flatMap((entry, i) => (spared.has(i) ? [] : [{ entry, i }]))
  return {
    bundle: {
      ...sent,
      entry: kept.map(({ entry, i }) => {
        const address = addresses.get(i)
        const placed = address === undefined ? entry : { ...entry, fullUrl: address }
        const { resource } = entry
        if (resource?.resourceType === 'Bundle') return documentEntry(placed, resource, format)
        if (resource?.resourceType === 'Binary') return placed
        return { ...placed, resource: withAddresses(resource, addressOf) } as BundleEntry
      }),
    },
    positions: kept.map(({ i }) => i),
    answers(done) {
      const rest = [...done]
      return entries.flatMap((_, i) => spared.get(i) ?? rest.shift() ?? [])
    },
  }
}

/** `DocumentReference/id` at the end of an address. */
function documentNamed(address: string | undefined): string | undefined {
  return /(?:^|\/)(DocumentReference\/[A-Za-z0-9.-]{1,64})$/.exec(address ?? '')?.[1]
}

/** Documents that others of the bundle replace. */
function replacedBy(entries: readonly BundleEntry[]): ReadonlySet<string> {
  return new Set(
    entries.flatMap(({ resource }) =>
      resource?.resourceType === 'DocumentReference'
        ? (resource.relatesTo ?? []).flatMap(({ code, target }) =>
            code === 'replaces' ? (documentNamed(target?.reference) ?? []) : [],
          )
        : [],
    ),
  )
}

async function patientOf({ identifier }: Patient, at: string, findPatient: FindPatient): Promise<string> {
  for (const one of identifier ?? []) {
    const known = await findPatient({ identifier: one })
    if (known !== undefined) return known
  }
  const detail = 'no patient with these identifiers is known here'
  throw new FhirFault(422, [told('document.patient-unknown', at, detail)])
}

/** The bytes of a FHIR document: in the encoding of the request. ITI-65, FHIR Document Publish Option. */
function documentEntry(entry: BundleEntry, document: Bundle, format: Format): BundleEntry {
  const text = format === 'json' ? JSON.stringify(document) : toXml(document as unknown as Json)
  const resource: Binary = {
    resourceType: 'Binary',
    contentType: MEDIA_TYPES[format].split(';', 1)[0] ?? '',
    data: Buffer.from(text).toString('base64'),
  }
  return { ...entry, resource, request: { method: 'POST', url: 'Binary' } }
}

/** References and addresses of attachments that lead to an entry, in the form a transaction rewrites. */
function withAddresses(value: unknown, addressOf: (reference: string) => string | undefined): unknown {
  if (Array.isArray(value)) return value.map((one) => withAddresses(one, addressOf))
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value).map(([name, member]) => {
      if (typeof member !== 'string') return [name, withAddresses(member, addressOf)]
      const leads = name === 'reference' || name === 'url'
      return [name, leads ? (addressOf(member) ?? member) : member]
    }),
  )
}
