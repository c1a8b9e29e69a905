import type { HumanName, Identifier, Reference, Resource } from '@medplum/fhirtypes'
import type { DocumentAuthor } from '#model/document.ts'
import { issuerOfSystem } from '#security/issuer-systems.ts'
import type { StagingContext } from './staged.ts'

/** An author of whom nothing is said. */
export const NOBODY: DocumentAuthor = {
  ...{ person: null, identifier: null, institution: null, role: null, specialty: null, telecom: null, device: null },
}

/** A FHIR name as a DICOM one, without groups. */
export function personName(name: HumanName | undefined): string | null {
  if (name === undefined) return null
  const clean = (text: string | undefined) => (text ?? '').replaceAll(/[\^=\\]/g, ' ').trim()
  if (name.family === undefined && (name.given ?? []).length === 0) return clean(name.text) || null
  const [given = '', ...middle] = name.given ?? []
  const parts = [name.family, given, middle.join(' '), name.prefix?.join(' '), name.suffix?.join(' ')].map(clean)
  return parts.join('^').replace(/\^+$/, '') || null
}

/** What a reference means: something contained, staged or served; undefined when it leads nowhere. */
async function meant(
  reference: Reference,
  contained: readonly Resource[],
  context: StagingContext,
): Promise<Resource | undefined> {
  const to = reference.reference
  if (to === undefined) return undefined
  return to.startsWith('#') ? contained.find(({ id }) => id === to.slice(1)) : context.resource(to)
}

/** An author or authenticator as a document keeps one; of one that leads nowhere, what the reference itself says. */
export async function readAuthor(
  reference: Reference,
  contained: readonly Resource[],
  context: StagingContext,
): Promise<DocumentAuthor | null> {
  const found = await meant(reference, contained, context)
  const identified = (identifier: Identifier | undefined): DocumentAuthor['identifier'] =>
    identifier?.value === undefined
      ? null
      : {
          id: identifier.value,
          issuer: identifier.system === undefined ? '' : issuerOfSystem(context.issuers, identifier.system),
        }
  switch (found?.resourceType) {
    case 'Practitioner':
    case 'Patient':
      return {
        ...NOBODY,
        person: personName(found.name?.[0]),
        identifier: identified(found.identifier?.[0]),
        role: found.resourceType === 'Patient' ? 'patient' : null,
        telecom: found.telecom?.[0]?.value ?? null,
      }
    case 'PractitionerRole': {
      const person = found.practitioner === undefined ? null : await readAuthor(found.practitioner, contained, context)
      const at = found.organization === undefined ? null : await readAuthor(found.organization, contained, context)
      const text = (concept: { text?: string; coding?: { display?: string; code?: string }[] } | undefined) =>
        concept?.text ?? concept?.coding?.[0]?.display ?? concept?.coding?.[0]?.code ?? null
      return {
        ...(person ?? NOBODY),
        institution: at?.institution ?? null,
        role: text(found.code?.[0]),
        specialty: text(found.specialty?.[0]),
      }
    }
    case 'Organization':
      return { ...NOBODY, institution: found.name ?? null, identifier: identified(found.identifier?.[0]) }
    case 'Device':
      return { ...NOBODY, device: found.deviceName?.[0]?.name ?? found.modelNumber ?? found.manufacturer ?? 'device' }
    default: {
      const identifier = identified(reference.identifier)
      if (reference.display === undefined && identifier === null) return null
      return { ...NOBODY, person: personName({ text: reference.display ?? '' }), identifier }
    }
  }
}
