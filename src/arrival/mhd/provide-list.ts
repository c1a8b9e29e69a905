/** Submission sets and folders of a provided bundle, as MHD wants them. https://profiles.ihe.net/ITI/MHD */
import type { Extension, List } from '@medplum/fhirtypes'
import type { Problem } from '#standards/fhir/validate.ts'
import { mhdExtension } from './canonical.ts'
import { missing, wrong } from './problem.ts'
import type { ProvidedBundle } from './provide-bundle.ts'
import { subjectProblems } from './provide-document.ts'
import { listKindOf } from './read-list.ts'

/** Elements that MHD lists do not have. */
const NOT_IN_SET = ['encounter', 'orderedBy', 'emptyReason'] as const
const NOT_IN_FOLDER = ['encounter', 'orderedBy', 'emptyReason', 'source'] as const

export function listProblems(list: List, at: string, provided: ProvidedBundle): Problem[] {
  const kind = listKindOf(list)
  if (kind === null) {
    return [wrong(`${at}.code`, 'neither submissionset nor folder (code system MHDlistTypes)', 'code-invalid')]
  }
  const problems: Problem[] = []
  const isSet = kind === 'submission-set'
  if (list.status !== 'current') problems.push(wrong(`${at}.status`, 'what is new is current', 'value'))
  if (list.mode !== 'working') problems.push(wrong(`${at}.mode`, 'it is working', 'value'))
  if ((list.note ?? []).length > 1) problems.push(wrong(`${at}.note[1]`, 'a list has one note', 'invariant'))
  for (const name of isSet ? NOT_IN_SET : NOT_IN_FOLDER) {
    if (list[name] !== undefined) problems.push(wrong(`${at}.${name}`, 'MHD lists do not have it', 'invariant'))
  }
  problems.push(...subjectProblems(list.subject, `${at}.subject`))
  problems.push(...extensionProblems(list, at, isSet, provided))
  problems.push(...identifierProblems(list, at))
  if (isSet && list.date === undefined) problems.push(missing(`${at}.date`, 'when it was submitted'))
  if (provided.profile !== 'minimal') {
    if (list.subject === undefined) problems.push(missing(`${at}.subject`, 'whose documents these are'))
    if (!isSet && list.title === undefined) problems.push(missing(`${at}.title`, 'the title of the folder'))
  }
  if (provided.profile === 'comprehensive' && list.source?.reference?.startsWith('#') === false) {
    problems.push(wrong(`${at}.source`, 'comprehensive: the author is contained', 'invariant'))
  }
  for (const [i, { item, flag, deleted, date }] of (list.entry ?? []).entries()) {
    const here = `${at}.entry[${i}]`
    if (flag !== undefined) problems.push(wrong(`${here}.flag`, 'MHD lists do not have it', 'invariant'))
    if (deleted !== undefined) problems.push(wrong(`${here}.deleted`, 'MHD lists do not have it', 'invariant'))
    if (date !== undefined) problems.push(wrong(`${here}.date`, 'MHD lists do not have it', 'invariant'))
    if (item?.reference === undefined && item?.identifier?.value === undefined) {
      problems.push(missing(`${here}.item`, 'it names a resource'))
      continue
    }
    const type = provided.entry(item.reference)?.resource.resourceType ?? typeOf(item.reference) ?? item.type
    const fits = type === undefined || type === 'DocumentReference' || (isSet && type === 'List')
    if (!fits) problems.push(wrong(`${here}.item`, `a ${type} is no item of it`, 'value'))
  }
  return problems
}

function typeOf(reference: string | undefined): string | undefined {
  return /(?:^|\/)([A-Z][A-Za-z]+)\/[A-Za-z0-9.-]{1,64}$/.exec(reference ?? '')?.[1]
}

function extensionProblems(list: List, at: string, isSet: boolean, { profile }: ProvidedBundle): Problem[] {
  const problems: Problem[] = []
  const named = (name: string): { readonly extension: Extension; readonly at: string }[] =>
    (list.extension ?? []).flatMap((extension, i) =>
      mhdExtension(extension) === name ? [{ extension, at: `${at}.extension[${i}]` }] : [],
    )
  const sources = named('sourceId')
  if (isSet && sources.length === 0) problems.push(missing(`${at}.extension`, 'ihe-sourceId: who sends'))
  for (const [i, source] of sources.entries()) {
    if (i > 0) problems.push(wrong(source.at, 'a set has one sourceId', 'invariant'))
    if (!source.extension.valueIdentifier?.value) {
      problems.push(missing(`${source.at}.valueIdentifier.value`, 'the identifier of the source, an OID'))
    }
  }
  const designations = named('designationType')
  if (profile !== 'minimal' && designations.length === 0) {
    problems.push(missing(`${at}.extension`, 'ihe-designationType: what kind of content this is'))
  }
  for (const [i, designation] of designations.entries()) {
    if (isSet && i > 0) problems.push(wrong(designation.at, 'a set has one designation type', 'invariant'))
    const codings = designation.extension.valueCodeableConcept?.coding ?? []
    if (!codings.some(({ code }) => code !== undefined)) {
      problems.push(missing(`${designation.at}.valueCodeableConcept`, 'a coded value'))
    }
  }
  for (const recipient of named('intendedRecipient')) {
    if (recipient.extension.valueReference !== undefined) continue
    problems.push(missing(`${recipient.at}.valueReference`, 'who is meant'))
  }
  return problems
}

/** A globally unique id is a URN; any URI is taken, plain text is not. */
function identifierProblems({ identifier }: List, at: string): Problem[] {
  return (identifier ?? []).flatMap(({ system, value }, i) => {
    if (value === undefined || value === '') return [missing(`${at}.identifier[${i}].value`, 'the identifier itself')]
    if (system !== 'urn:ietf:rfc:3986' || /^[a-z][a-z0-9+.-]*:\S+$/i.test(value)) return []
    return [wrong(`${at}.identifier[${i}].value`, 'not a URI, which its system says it is', 'value')]
  })
}
