/** A DocumentReference of a provided bundle, as MHD wants it. https://profiles.ihe.net/ITI/MHD */
import type { CodeableConcept, DocumentReference, Reference } from '@medplum/fhirtypes'
import type { Problem } from '#standards/fhir/validate.ts'
import { missing, wrong } from './problem.ts'
import type { ProvidedBundle } from './provide-bundle.ts'
import { readHash } from './read-document.ts'

export function documentProblems(document: DocumentReference, at: string, provided: ProvidedBundle): Problem[] {
  const problems: Problem[] = []
  const comprehensive = provided.profile !== 'minimal'
  if (!document.masterIdentifier?.value) {
    problems.push(missing(`${at}.masterIdentifier`, 'the unique id of the document'))
  }
  if (document.status !== 'current') problems.push(wrong(`${at}.status`, 'what is new is current', 'value'))
  if (document.docStatus !== undefined) {
    problems.push(wrong(`${at}.docStatus`, 'MHD documents do not have it', 'invariant'))
  }
  if ((document.category ?? []).length > 1) {
    problems.push(wrong(`${at}.category[1]`, 'a document has one class', 'invariant'))
  }
  if (comprehensive && document.subject === undefined) {
    problems.push(missing(`${at}.subject`, 'whose document this is'))
  }
  problems.push(...subjectProblems(document.subject, `${at}.subject`))
  problems.push(...attachmentProblems(document, at, provided))
  problems.push(...relationProblems(document, at, provided))
  const { start, end } = document.context?.period ?? {}
  if (start !== undefined && end !== undefined && Date.parse(start) > Date.parse(end)) {
    problems.push(wrong(`${at}.context.period`, 'the service ends before it starts', 'invariant'))
  }
  if (comprehensive) problems.push(...incomplete(document, at))
  problems.push(...containment(document, at, provided))
  return problems
}

/** A subject is a patient and leads somewhere; who it is, the archive finds out. */
export function subjectProblems(subject: Reference | undefined, at: string): Problem[] {
  if (subject === undefined) return []
  const { reference, identifier, type } = subject
  if (reference === undefined && identifier?.value === undefined) {
    return [missing(`${at}.reference`, 'a patient, by reference or identifier')]
  }
  const named = /(?:^|\/)([A-Z][A-Za-z]+)\/[A-Za-z0-9.-]{1,64}$/.exec(reference ?? '')?.[1] ?? type
  return named === undefined || named === 'Patient' ? [] : [wrong(at, `a ${named} is no patient`, 'value')]
}

function attachmentProblems(document: DocumentReference, at: string, provided: ProvidedBundle): Problem[] {
  const [content, ...more] = document.content ?? []
  if (content === undefined) return [missing(`${at}.content`, 'the document')]
  const problems: Problem[] = []
  if (more.length > 0) problems.push(wrong(`${at}.content[1]`, 'a document has one content', 'not-supported'))
  const here = `${at}.content[0].attachment`
  const { contentType, data, url, hash, size } = content.attachment ?? {}
  if (contentType === undefined) problems.push(missing(`${here}.contentType`, 'the media type'))
  if (data !== undefined) {
    problems.push(
      wrong(`${here}.data`, 'in a bundle the bytes stand in a Binary (ITI-105 takes them here)', 'invariant'),
    )
  }
  if (hash !== undefined && readHash(hash) === undefined) {
    problems.push(wrong(`${here}.hash`, 'not the base64 of a SHA-1 digest', 'value'))
  }
  if (url === undefined) {
    if (data === undefined) problems.push(missing(`${here}.url`, 'the Binary that holds the bytes'))
    return problems
  }
  const holder = provided.entry(url)?.resource
  if (holder === undefined) {
    const detail = 'it names no entry of the bundle; documents that are kept elsewhere are not fetched'
    problems.push(wrong(`${here}.url`, detail, 'not-found'))
  } else if (holder.resourceType === 'Bundle') {
    if (hash !== undefined) problems.push(wrong(`${here}.hash`, 'a FHIR document in a bundle has none', 'invariant'))
    if (size !== undefined) problems.push(wrong(`${here}.size`, 'a FHIR document in a bundle has none', 'invariant'))
  } else if (holder.resourceType !== 'Binary') {
    problems.push(wrong(`${here}.url`, `a ${holder.resourceType} is no document`, 'value'))
  } else if (contentType !== undefined && essence(holder.contentType) !== essence(contentType)) {
    problems.push(wrong(`${here}.contentType`, `its Binary says ${holder.contentType}`, 'value'))
  }
  return problems
}

function essence(mediaType: string | undefined): string {
  return (mediaType ?? '').split(';', 1)[0]?.trim().toLowerCase() ?? ''
}

function relationProblems(document: DocumentReference, at: string, provided: ProvidedBundle): Problem[] {
  const seen = new Set<string>()
  return (document.relatesTo ?? []).flatMap(({ code, target }, i) => {
    const here = `${at}.relatesTo[${i}]`
    const to = target?.reference ?? target?.identifier?.value
    if (to === undefined) return [missing(`${here}.target`, 'the other document')]
    if (seen.has(`${code} ${to}`)) return [wrong(here, 'it says the same as an earlier one', 'duplicate')]
    seen.add(`${code} ${to}`)
    const within = provided.entry(target?.reference)
    if (within === undefined) return []
    if (within.at === at) return [wrong(`${here}.target`, 'a document does not relate to itself', 'invariant')]
    if (within.resource.resourceType !== 'DocumentReference') {
      return [wrong(`${here}.target`, `a ${within.resource.resourceType} is no document`, 'value')]
    }
    if (code !== 'replaces') return []
    return [wrong(`${here}.target`, 'what comes in the same bundle is not replaced by it', 'business-rule')]
  })
}

/** Comprehensive metadata: what an XDS Document Source must say. services.md C.5 */
function incomplete({ type, category, securityLabel, content, context }: DocumentReference, at: string): Problem[] {
  const problems: Problem[] = []
  const need = (present: boolean, path: string, detail: string) => {
    if (!present) problems.push(missing(`${at}.${path}`, `comprehensive metadata: ${detail}`))
  }
  const [first] = content ?? []
  need(isCoded(type), 'type', 'the type of the document')
  need(isCoded(category?.[0]), 'category', 'the class of the document')
  need((securityLabel ?? []).some(isCoded), 'securityLabel', 'its confidentiality')
  need(first?.format?.code !== undefined, 'content[0].format', 'its format')
  need(first?.attachment?.language !== undefined, 'content[0].attachment.language', 'its language')
  need(first?.attachment?.creation !== undefined, 'content[0].attachment.creation', 'when it was made')
  need(isCoded(context?.facilityType), 'context.facilityType', 'the kind of facility')
  need(isCoded(context?.practiceSetting), 'context.practiceSetting', 'the specialty')
  return problems
}

function isCoded(concept: CodeableConcept | undefined): boolean {
  return (concept?.coding ?? []).some(({ code }) => code !== undefined)
}

/** People of comprehensive metadata stand in the document itself; local references lead to something there. */
function containment(document: DocumentReference, at: string, { profile }: ProvidedBundle): Problem[] {
  const contained = new Map((document.contained ?? []).map((one) => [one.id, one.resourceType]))
  const problems: Problem[] = []
  const within = (reference: Reference | undefined, path: string, required: boolean) => {
    const to = reference?.reference
    if (to === undefined) return
    if (!to.startsWith('#')) {
      if (required) problems.push(wrong(`${at}.${path}`, 'comprehensive: it is contained', 'invariant'))
    } else if (!contained.has(to.slice(1))) {
      problems.push(wrong(`${at}.${path}`, `nothing contained is ${to}`, 'not-found'))
    }
  }
  const required = profile === 'comprehensive'
  const source = document.context?.sourcePatientInfo
  if (required && source === undefined) {
    problems.push(
      missing(`${at}.context.sourcePatientInfo`, 'comprehensive metadata: the patient as the source knows them'),
    )
  }
  for (const [i, author] of (document.author ?? []).entries()) within(author, `author[${i}]`, required)
  within(document.authenticator, 'authenticator', required)
  within(source, 'context.sourcePatientInfo', required)
  const type = contained.get((source?.reference ?? '').slice(1))
  if (type !== undefined && type !== 'Patient') {
    problems.push(wrong(`${at}.context.sourcePatientInfo`, `a ${type} is no patient`, 'value'))
  }
  return problems
}
