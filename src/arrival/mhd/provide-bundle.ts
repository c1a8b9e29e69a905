/**
 * IHE ITI-65 Provide Document Bundle: what a bundle that claims a profile must look like, before anything of it is done.
 * FHIR itself (structure, cardinality, required codes) is checked elsewhere; here stand the constraints of MHD.
 * https://profiles.ihe.net/ITI/MHD/ITI-65.html
 */
import type { Binary, Bundle, BundleEntry, List, Parameters, Patient, Resource } from '@medplum/fhirtypes'
import type { Problem } from '#standards/fhir/validate.ts'
import type { ProvideProfile } from './canonical.ts'
import { missing, told, wrong } from './problem.ts'
import { documentProblems } from './provide-document.ts'
import { listProblems } from './provide-list.ts'
import { listKindOf } from './read-list.ts'

/** What an entry refers to within its bundle. */
export interface ProvidedEntry {
  readonly resource: Resource
  /** `Bundle.entry[2].resource` */
  readonly at: string
}

/** A bundle as its parts look at it. */
export interface ProvidedBundle {
  readonly profile: ProvideProfile
  /** The entry a reference leads to; undefined when it leads out of the bundle. */
  entry(reference: string | undefined): ProvidedEntry | undefined
}

/** Methods by which each type may come. */
const METHODS: { readonly [type: string]: readonly string[] } = {
  List: ['POST', 'PUT'],
  DocumentReference: ['POST'],
  Parameters: ['PATCH'],
  Binary: ['POST'],
  Bundle: ['POST'],
  Patient: ['GET', 'POST', 'PUT'],
}

/** Everything that is wrong with a bundle, each with its element; empty when it keeps to its profile. */
export function provideProblems(bundle: Bundle, profile: ProvideProfile): Problem[] {
  const problems: Problem[] = []
  const entries = bundle.entry ?? []
  if (bundle.type !== 'transaction') problems.push(wrong('Bundle.type', 'a document bundle is a transaction', 'value'))
  const provided = { profile, entry: referred(entries) }
  const seen = new Map<string, number>()
  let sets = 0
  const patients: number[] = []
  for (const [i, entry] of entries.entries()) {
    const at = `Bundle.entry[${i}]`
    const earlier = entry.fullUrl === undefined ? undefined : seen.get(entry.fullUrl)
    if (earlier !== undefined) problems.push(wrong(`${at}.fullUrl`, `entry ${earlier} has it too`, 'duplicate'))
    if (entry.fullUrl !== undefined) seen.set(entry.fullUrl, i)
    problems.push(...requestProblems(entry, at))
    const { resource } = entry
    if (resource === undefined) continue
    if (resource.resourceType === 'Patient') patients.push(i)
    if (resource.resourceType === 'List' && listKindOf(resource) === 'submission-set' && ++sets > 1) {
      problems.push(wrong(`${at}.resource`, 'a bundle has one submission set', 'invariant'))
    }
    problems.push(...resourceProblems(resource, `${at}.resource`, provided))
  }
  for (const i of patients.slice(1)) {
    problems.push(wrong(`Bundle.entry[${i}].resource`, 'a bundle is about one patient', 'invariant'))
  }
  if (sets === 0) problems.push(missing('Bundle.entry', 'there is no submission set (List with code submissionset)'))
  problems.push(...unlisted(entries, provided))
  return problems
}

function requestProblems({ request, resource }: BundleEntry, at: string): Problem[] {
  if (resource === undefined) return [missing(`${at}.resource`, 'an entry of a document bundle holds a resource')]
  const methods = METHODS[resource.resourceType]
  if (methods === undefined) {
    const detail = `a document bundle has no ${resource.resourceType}: send it in a transaction that claims no profile`
    return [wrong(`${at}.resource`, detail, 'not-supported')]
  }
  if (request?.method === undefined || !methods.includes(request.method)) {
    return [wrong(`${at}.request.method`, `a ${resource.resourceType} comes by ${methods.join(' or ')}`, 'value')]
  }
  if (resource.resourceType === 'List' && request.method === 'PUT' && listKindOf(resource) === 'submission-set') {
    return [wrong(`${at}.request.method`, 'a submission set comes by POST', 'value')]
  }
  const type = (request.url ?? '').replace(/^https?:\/\/.*\/(?=[A-Z][A-Za-z]+(?:[/?]|$))/, '').split(/[/?]/)[0]
  const meant = resource.resourceType === 'Parameters' ? 'DocumentReference' : resource.resourceType
  if (type !== meant) return [wrong(`${at}.request.url`, `this is for ${meant}`, 'value')]
  if (request.method === 'PATCH' && !/DocumentReference\/[A-Za-z0-9.-]{1,64}$/.test(request.url ?? '')) {
    return [wrong(`${at}.request.url`, 'it names no DocumentReference', 'value')]
  }
  return []
}

function resourceProblems(resource: Resource, at: string, provided: ProvidedBundle): Problem[] {
  switch (resource.resourceType) {
    case 'List':
      return listProblems(resource, at, provided)
    case 'DocumentReference':
      return documentProblems(resource, at, provided)
    case 'Binary':
      return binaryProblems(resource, at)
    case 'Bundle':
      if (resource.type === 'document') return []
      return [wrong(`${at}.type`, 'a Bundle inside the bundle is a FHIR document', 'value')]
    case 'Parameters':
      return patchProblems(resource, at)
    case 'Patient':
      return patientProblems(resource, at)
    default:
      return []
  }
}

function binaryProblems({ data }: Binary, at: string): Problem[] {
  if (data === undefined || data === '') return [missing(`${at}.data`, 'the bytes of the document')]
  return isBase64(data) ? [] : [wrong(`${at}.data`, 'not base64', 'value')]
}

/** Base64 without line breaks. */
export function isBase64(text: string): boolean {
  return text.length % 4 === 0 && /^[A-Za-z0-9+/]*={0,2}$/.test(text)
}

function patientProblems({ identifier }: Patient, at: string): Problem[] {
  const named = (identifier ?? []).some(({ value }) => value !== undefined && value !== '')
  return named ? [] : [missing(`${at}.identifier`, 'a patient is found by an identifier')]
}

/** IHE.MHD.Patch.Parameters: it sets the status of what is replaced, nothing else. */
function patchProblems({ parameter }: Parameters, at: string): Problem[] {
  const [operation, ...more] = parameter ?? []
  if (operation?.name !== 'operation') return [missing(`${at}.parameter`, 'a FHIRPath patch of the status')]
  const problems: Problem[] = []
  if (more.length > 0) problems.push(wrong(`${at}.parameter[1]`, 'only the status is changed', 'invariant'))
  const parts = operation.part ?? []
  const part = (name: string) => parts.findIndex((one) => one.name === name)
  const expected = { type: 'replace', path: 'DocumentReference.status', value: 'superseded' }
  for (const [name, wanted] of Object.entries(expected)) {
    const i = part(name)
    if (i < 0) {
      problems.push(missing(`${at}.parameter[0].part`, `the part "${name}" (${wanted})`))
      continue
    }
    const { valueCode, valueString } = parts[i] ?? {}
    if ((valueCode ?? valueString) === wanted) continue
    problems.push(wrong(`${at}.parameter[0].part[${i}]`, `${name} is ${wanted}: only the status is changed`, 'value'))
  }
  return problems
}

/** New documents that no list of the bundle tells of: nobody would know who sent them. */
function unlisted(entries: readonly BundleEntry[], provided: ProvidedBundle): Problem[] {
  const lists = entries.flatMap(({ resource }) => (resource?.resourceType === 'List' ? [resource] : []))
  const set = lists.find((list) => listKindOf(list) === 'submission-set')
  if (set === undefined) return []
  const listed = new Set(itemsWithin(set, provided))
  return entries.flatMap(({ resource }, i) => {
    if (resource?.resourceType !== 'DocumentReference') return []
    const at = `Bundle.entry[${i}].resource`
    return listed.has(at) ? [] : [wrong(at, 'the submission set has no entry for it', 'invariant')]
  })
}

function itemsWithin({ entry }: List, provided: ProvidedBundle): string[] {
  return (entry ?? []).flatMap(({ item }) => provided.entry(item?.reference)?.at ?? [])
}

/** `Type/id` at the end of an address. */
const LOCAL = /(?:^|\/)([A-Z][A-Za-z]+\/[A-Za-z0-9.-]{1,64})$/

/** How entries are reached: by full address first; then by the `Type/id` it ends in, or that resource and id make. FHIR R4 bundle.html#references */
export function referred(entries: readonly BundleEntry[]): ProvidedBundle['entry'] {
  const ways = new Map<string, ProvidedEntry>()
  const add = (way: string | undefined, entry: ProvidedEntry) => {
    if (way !== undefined && !ways.has(way)) ways.set(way, entry)
  }
  const indexed = entries.flatMap(({ resource, fullUrl }, i) =>
    resource === undefined ? [] : [{ entry: { resource, at: `Bundle.entry[${i}].resource` }, fullUrl }],
  )
  for (const { entry, fullUrl } of indexed) add(fullUrl, entry)
  for (const { entry, fullUrl } of indexed) add(LOCAL.exec(fullUrl ?? '')?.[1], entry)
  for (const { entry } of indexed) {
    const { resourceType, id } = entry.resource
    if (id !== undefined) add(`${resourceType}/${id}`, entry)
  }
  return (reference) => (reference === undefined ? undefined : ways.get(reference))
}

/** A bundle that claims to be one of MHD, of a kind that MHD 4.2 does not have. */
export function unknownProfile(position: number): Problem {
  return told(
    'document.invalid',
    `Bundle.meta.profile[${position}]`,
    'no profile of MHD 4.2 for provided bundles',
    'not-supported',
  )
}
