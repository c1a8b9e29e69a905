import type { Device, Organization, Practitioner, PractitionerRole } from '@medplum/fhirtypes'
import type { DocumentAuthor } from '#model/document.ts'
import { systemOfIssuer } from '#security/issuer-systems.ts'
import type { Issuers } from '#security/issuers.ts'
import type { Loose, LooseReference } from './compact.ts'
import { humanNames } from './patient.ts'

type Contained = Loose<Device> | Loose<Organization> | Loose<Practitioner> | Loose<PractitionerRole>

/**
 * Authors as contained resources: what a document says of them is part of it, and no entry of a register. MHD comprehensive
 * metadata wants them contained.
 *
 * @param prefix of the local ids
 */
export function authorsOf(
  authors: readonly DocumentAuthor[],
  prefix: string,
  issuers: Issuers,
): { readonly contained: readonly Contained[]; readonly references: readonly LooseReference[] } {
  const contained: Contained[] = []
  const references: LooseReference[] = []
  for (const [i, author] of authors.entries()) {
    const id = `${prefix}-${i + 1}`
    if (author.device !== null) {
      contained.push({ resourceType: 'Device', id, deviceName: [{ name: author.device, type: 'model-name' }] })
      references.push({ reference: `#${id}` })
      continue
    }
    const organization = author.institution === null ? undefined : `${id}-organization`
    if (organization !== undefined) {
      contained.push({ resourceType: 'Organization', id: organization, name: author.institution })
    }
    if (author.person === null && author.identifier === null) {
      if (organization !== undefined) references.push({ reference: `#${organization}` })
      continue
    }
    contained.push({
      resourceType: 'Practitioner',
      id,
      identifier:
        author.identifier === null
          ? []
          : [
              {
                system: author.identifier.issuer === '' ? undefined : systemOfIssuer(issuers, author.identifier.issuer),
                value: author.identifier.id,
              },
            ],
      name: humanNames(author.person),
      telecom: author.telecom === null ? [] : [{ value: author.telecom }],
    })
    if (organization === undefined && author.role === null && author.specialty === null) {
      references.push({ reference: `#${id}` })
      continue
    }
    contained.push({
      resourceType: 'PractitionerRole',
      id: `${id}-role`,
      practitioner: { reference: `#${id}` },
      organization: organization === undefined ? undefined : { reference: `#${organization}` },
      code: author.role === null ? [] : [{ text: author.role }],
      specialty: author.specialty === null ? [] : [{ text: author.specialty }],
    })
    references.push({ reference: `#${id}-role` })
  }
  return { contained, references }
}
