/** IHE ITI-83 Mobile Patient Identifier Cross-reference Query: `GET Patient/$ihe-pix`. https://profiles.ihe.net/ITI/PIXm */
import type { Parameters, ParametersParameter } from '@medplum/fhirtypes'
import type { PatientKey } from '#model/identity.ts'
import { EVERYTHING, type Visibility } from '#model/visibility.ts'
import { issuerOfSystem, systemOfIssuer } from '#security/issuer-systems.ts'
import { tokenOf } from '#standards/fhir/search-syntax.ts'
import type { FhirSources } from './kind.ts'
import { FhirFault } from './outcome.ts'

const TARGETS_MAX = 100

type Sources = Pick<FhirSources, 'fhir' | 'issuers'>

/** True when a number of this authority could be known: it is registered, or some patient has one. */
export function isKnownIssuer({ fhir, issuers }: Sources, issuer: string): boolean {
  if (issuers().entry(issuer) !== undefined) return true
  return fhir.patients({ issuers: [issuer], limit: 1 }, EVERYTHING).items.length > 0
}

/**
 * Every number of the person behind a number. Numbers of records that were folded into another are not given; asked for,
 * they lead to the record that survives.
 *
 * @param base `https://archive.example/fhir`: as a system it stands for our own ids
 * @throws FhirFault 400 for what is no identifier or an unknown source domain, 403 for an unknown target, 404 for nobody
 */
export function crossReferenced(
  sources: Sources,
  query: URLSearchParams,
  base: string,
  visibility: Visibility,
): Parameters {
  const [asked, ...more] = query.getAll('sourceIdentifier')
  const { system, code } = tokenOf(asked ?? '')
  if (more.length > 0 || system === null || system === '' || code === null || code === '') {
    throw FhirFault.at(400, 'required', 'sourceIdentifier', 'one sourceIdentifier, as system|value')
  }
  const register = sources.issuers()
  const own = system === base
  const source: PatientKey = { issuer: issuerOfSystem(register, system), id: code }
  if (!own && !isKnownIssuer(sources, source.issuer)) {
    throw FhirFault.at(400, 'code-invalid', 'sourceIdentifier', 'sourceIdentifier Assigning Authority not found')
  }
  const filter = own ? { ids: [code.replace(/^Patient\//, '')] } : { identifiers: [source] }
  const { items } = sources.fhir.patients({ ...filter, limit: 10 }, visibility)
  const survivors = items.filter(({ mergedInto }) => mergedInto === null)
  const [found] = survivors.length > 0 ? survivors : survivorsOf(sources, items[0]?.mergedInto ?? null, visibility)
  if (found === undefined) {
    throw FhirFault.at(404, 'not-found', 'sourceIdentifier', 'sourceIdentifier Patient Identifier not found')
  }
  const targets = query.getAll('targetSystem').filter((target) => target !== '')
  if (targets.length > TARGETS_MAX) throw FhirFault.at(400, 'too-long', 'targetSystem', `more than ${TARGETS_MAX}`)
  const wanted = new Set<string>()
  for (const target of targets.filter((one) => one !== base)) {
    const issuer = issuerOfSystem(register, target)
    if (!isKnownIssuer(sources, issuer)) {
      throw FhirFault.at(403, 'code-invalid', 'targetSystem', 'targetSystem not found')
    }
    wanted.add(issuer)
  }
  const { patient, replaces, linked } = found
  const folded = new Set(
    sources.fhir
      .patients({ ids: replaces, limit: Math.max(1, replaces.length) }, EVERYTHING)
      .items.map(({ patient: { issuer, id } }) => nameOf({ issuer, id })),
  )
  const seen = new Set<string>([...folded, nameOf(source)])
  const parameter: ParametersParameter[] = []
  for (const key of [
    { issuer: patient.issuer, id: patient.id },
    ...patient.aliases,
    ...patient.demographics.otherIds,
  ]) {
    const name = nameOf(key)
    if (seen.has(name) || (targets.length > 0 && !wanted.has(key.issuer))) continue
    seen.add(name)
    const valueIdentifier = { system: systemOfIssuer(register, key.issuer), value: key.id }
    parameter.push({ name: 'targetIdentifier', valueIdentifier })
  }
  if (targets.length === 0 || targets.includes(base)) {
    const asksForItself = own && code.replace(/^Patient\//, '') === patient.patientId
    for (const id of [...(asksForItself ? [] : [patient.patientId]), ...linked]) {
      parameter.push({ name: 'targetId', valueReference: { reference: `${base}/Patient/${id}` } })
    }
  }
  return { resourceType: 'Parameters', ...(parameter.length === 0 ? {} : { parameter }) }
}

function survivorsOf({ fhir }: Sources, id: string | null, visibility: Visibility) {
  return id === null ? [] : fhir.patients({ ids: [id], limit: 1 }, visibility).items
}

function nameOf({ issuer, id }: PatientKey): string {
  return `${issuer}\u0000${id}`
}
