import type { HumanName, Patient } from '@medplum/fhirtypes'
import type { FhirPatientRow } from '#model/fhir-reader.ts'
import type { PatientKey } from '#model/identity.ts'
import { issuerOfSystem, systemOfIssuer } from '#security/issuer-systems.ts'
import type { Issuers } from '#security/issuers.ts'
import { prefixed, tokenOf, unescaped } from '#standards/fhir/search-syntax.ts'
import { derived, type Loose } from './compact.ts'
import type { Criteria } from './criteria.ts'
import type { ResourceKind } from './kind.ts'

const REPRESENTATION = 'http://hl7.org/fhir/StructureDefinition/iso21090-EN-representation'
const MOTHER = 'http://hl7.org/fhir/StructureDefinition/patient-mothersMaidenName'
const SCRIPTS = [null, 'IDE', 'SYL'] as const

/** A DICOM person name, `Alphabetic=Ideographic=Phonetic`, as FHIR names. PS3.5 section 6.2.1; services.md G.2. */
export function humanNames(name: string | null): Loose<HumanName>[] {
  if (name === null) return []
  return name.split('=').flatMap((group, script) => {
    const [family, given, middle, prefix, suffix] = group.split('^').map((part) => part.trim())
    if (group.replaceAll('^', '').trim() === '') return []
    const representation = SCRIPTS[script]
    return [
      {
        ...(representation === null || representation === undefined
          ? { use: 'official' as const }
          : { extension: [{ url: REPRESENTATION, valueCode: representation }] }),
        family,
        given: [given, middle].flatMap((part) => part?.split(' ').filter((word) => word !== '') ?? []),
        prefix: [prefix],
        suffix: [suffix],
      },
    ]
  })
}

/** `YYYYMMDD`, `YYYYMM` or `YYYY` with dashes; undefined for anything else. */
export function fhirDate(day: string | null | undefined): string | undefined {
  const match = /^(\d{4})(\d{2})?(\d{2})?$/.exec(day ?? '')
  return match === null ? undefined : match.slice(1).filter(Boolean).join('-')
}

const GENDERS: Readonly<Record<string, NonNullable<Patient['gender']>>> = { M: 'male', F: 'female', O: 'other' }

export function genderOf(sex: string | null): Patient['gender'] | undefined {
  return sex === null ? undefined : (GENDERS[sex] ?? 'unknown')
}

export function patientOf(
  { patient, mergedInto, replaces, linked, lastUpdated }: FhirPatientRow,
  issuers: Issuers,
): Patient {
  const { demographics } = patient
  const isLinked = (key: PatientKey) => patient.linked.some(({ issuer, id }) => issuer === key.issuer && id === key.id)
  const identifier = (key: PatientKey, use: 'usual' | 'old' | 'secondary') => ({
    use,
    system: systemOfIssuer(issuers, key.issuer),
    value: key.id,
  })
  const others = [...patient.aliases.filter((key) => !isLinked(key)), ...demographics.otherIds]
  const distinct = others.filter(
    (key, i) =>
      !(key.issuer === patient.issuer && key.id === patient.id) &&
      others.findIndex(({ issuer, id }) => issuer === key.issuer && id === key.id) === i,
  )
  const link = (id: string, type: 'replaced-by' | 'replaces' | 'seealso') => ({
    other: { reference: `Patient/${id}` },
    type,
  })
  return derived<Patient>(
    {
      resourceType: 'Patient',
      id: patient.patientId,
      extension: demographics.motherName === null ? [] : [{ url: MOTHER, valueString: demographics.motherName }],
      identifier: [identifier(patient, 'usual'), ...distinct.map((key) => identifier(key, 'secondary'))],
      active: mergedInto === null,
      name: humanNames(demographics.name),
      telecom: demographics.telephone === null ? [] : [{ system: 'phone' as const, value: demographics.telephone }],
      gender: genderOf(demographics.sex),
      birthDate: fhirDate(demographics.birthDate),
      address: demographics.address === null ? [] : [{ text: demographics.address }],
      link: [
        ...(mergedInto === null ? [] : [link(mergedInto, 'replaced-by')]),
        ...replaces.map((id) => link(id, 'replaces')),
        ...linked.map((id) => link(id, 'seealso')),
      ],
    },
    lastUpdated,
  )
}

/** Identifiers a condition names; undefined when it names only issuers, or what cannot be told apart. */
function identifiersAsked(criteria: Criteria, issuers: Issuers): { keys?: PatientKey[]; issuers?: string[] } {
  const filter = criteria.peek('identifier')
  if (filter === undefined) return {}
  const tokens = filter.values.map(tokenOf)
  const issuerOf = (system: string | null) => (system === null || system === '' ? '' : issuerOfSystem(issuers, system))
  if (tokens.every(({ code }) => code !== null)) {
    criteria.take(filter)
    return { keys: tokens.map(({ system, code }) => ({ issuer: issuerOf(system), id: code ?? '' })) }
  }
  if (tokens.every(({ code, system }) => code === null && system !== null)) {
    criteria.take(filter)
    return { issuers: tokens.map(({ system }) => issuerOf(system)) }
  }
  return {}
}

/** The day of a birth date condition as a range; compared exactly afterwards where it is more than a day. */
function birthAsked(criteria: Criteria): { from?: string; to?: string } | undefined {
  const filter = criteria.peek('birthdate')
  const [only] = filter?.values ?? []
  if (filter === undefined || only === undefined || filter.values.length > 1) return undefined
  const { prefix, value } = prefixed(only)
  const day = /^(\d{4})(?:-(\d{2}))?(?:-(\d{2}))?$/.exec(value)
  if (day === null) return undefined
  const [, year = '', month = '', date = ''] = day
  const from = year + (month || '01') + (date || '01')
  const to = year + (month || '12') + (date || '31')
  if (prefix === 'eq') return { from: year + month + date, to }
  if (prefix === 'ge' || prefix === 'gt' || prefix === 'sa') return { from }
  return prefix === 'le' || prefix === 'lt' || prefix === 'eb' ? { to } : undefined
}

export const patientKind: ResourceKind = {
  type: 'Patient',
  made: 'derived',
  owner: 'the identity ledger (`index/sqlite/ledger*.ts`)',
  writable: 'by the feed of PIXm (ITI-104) alone; else registrations come by HL7 v2 ADT, decisions by the pages',
  versions: 'digest of the content; `lastUpdated` of the last decision; no history',
  needs: { read: 'object.read' },
  parameters: [
    ...[
      'identifier',
      'family',
      'given',
      'name',
      'birthdate',
      'gender',
      'active',
      'telecom',
      'phone',
      'address',
      'link',
    ],
    'mothersMaidenName',
  ],
  includes: ['link'],
  revIncludes: ['ImagingStudy:patient', 'DocumentReference:patient', 'Encounter:patient', 'ServiceRequest:patient'],
  sorts: [],
  history: false,
  source({ fhir, issuers }) {
    return {
      async read(id, { visibility }) {
        const [row] = fhir.patients({ ids: [id], limit: 1 }, visibility).items
        return row === undefined ? undefined : patientOf(row, issuers())
      },
      async search(criteria, { limit, cursor }, { visibility }) {
        const register = issuers()
        const asked = identifiersAsked(criteria, register)
        const prefixes = (code: string) => {
          const filter = criteria.peek(code)
          return filter?.values.map(unescaped)
        }
        const name = prefixes('name') ?? prefixes('given')
        const family = prefixes('family')
        const birthDate = birthAsked(criteria)
        const ids = criteria.values('_id')
        const active = criteria.values('active')
        const merged = active?.length === 1 ? active[0] === 'false' : undefined
        const page = fhir.patients(
          {
            limit,
            ...(cursor === undefined ? {} : { cursor }),
            ...(ids === undefined ? {} : { ids }),
            ...(asked.keys === undefined ? {} : { identifiers: asked.keys }),
            ...(asked.issuers === undefined ? {} : { issuers: asked.issuers }),
            ...(family === undefined ? {} : { family }),
            ...(name === undefined ? {} : { name }),
            ...(birthDate === undefined ? {} : { birthDate }),
            ...(merged === undefined ? {} : { merged }),
          },
          visibility,
        )
        return { resources: page.items.map((row) => patientOf(row, register)), next: page.next }
      },
    }
  },
}
