/**
 * Staged operations on documents and lists as one submission, so that a FHIR transaction is kept as a whole or not at
 * all: IHE ITI-65 Provide Document Bundle, and single creates and updates by the same road.
 */
import type { Binary, DocumentReference, List, Patient, Reference, Resource } from '@medplum/fhirtypes'
import type { DocumentOwner, RelationKind } from '#model/document.ts'
import type {
  Alongside,
  DecisionCause,
  Submission,
  SubmissionFault,
  SubmittedDocument,
  SubmittedList,
} from '#model/document-desk.ts'
import type { FhirWrite } from '#model/fhir-store.ts'
import type { Problem } from '#standards/fhir/validate.ts'
import { changesOf, listChange } from './changes.ts'
import { derivedSet } from './derived-set.ts'
import { told } from './problem.ts'
import { documentExpression, readHash, readMetadata } from './read-document.ts'
import { readList } from './read-list.ts'
import { type StagedOperation, type StagingContext, StagingFault } from './staged.ts'

export interface StagedSubmission {
  readonly submission: Submission
  /** Problems in the terms of what was sent. */
  problemsOf(faults: readonly SubmissionFault[]): Problem[]
}

export interface SubmissionRules {
  /** Refuse when required metadata is missing: comprehensive MHD. Otherwise it waits on the metadata worklist. */
  readonly complete: boolean
  readonly cause: DecisionCause
  /** Resources of their own that stand or fall with it. */
  readonly resources: readonly FhirWrite[]
}

const RELATIONS: { readonly [code: string]: RelationKind } = {
  replaces: 'replaces',
  transforms: 'transforms',
  signs: 'signs',
  appends: 'appends',
}

/**
 * The submission of a request. Labels within it are the ids the resources will have.
 * @throws StagingFault naming every element that is wrong, before anything is sent anywhere
 */
export async function stagedSubmission(
  operations: readonly StagedOperation[],
  context: StagingContext,
  rules: SubmissionRules,
): Promise<StagedSubmission> {
  const problems: Problem[] = []
  const wrong = (at: string, code: Problem['code'], detail: string) =>
    void problems.push({ severity: 'error', code, expression: at, detail })
  const binaries = new Map<string, { readonly binary: Binary; readonly at: string }>()
  const places = new Map<string, StagedOperation>()
  for (const operation of operations) {
    const { resource } = operation
    places.set(resource.id ?? '', operation)
    if (resource.resourceType === 'Binary')
      binaries.set(`Binary/${resource.id}`, { binary: resource, at: operation.at })
  }
  const documents: SubmittedDocument[] = []
  const lists: SubmittedList[] = []
  const relations: { kind: RelationKind; from: string; to: string }[] = []
  const decisions: Alongside['decisions'][number][] = []
  const expected: { objectId: string; version: number }[] = []
  const used = new Set<string>()
  /** What a subject that leads nowhere by itself was found to mean, for the lists that name the same one. */
  const meant = new Map<string, DocumentOwner>()

  async function ownerOf(
    subject: Reference | undefined,
    at: string,
    contained: readonly Resource[],
    source?: Patient,
  ): Promise<DocumentOwner | null> {
    if (subject === undefined) return null
    const to = subject.reference ?? ''
    for (const one of waysTo(subject, contained, source)) {
      const owner = await context.patient(one)
      if (owner === undefined) continue
      meant.set(to, owner)
      return owner
    }
    const owner = meant.get(to)
    if (owner === undefined) problems.push(told('document.patient-unknown', at, 'this patient is not known here'))
    return owner ?? null
  }

  async function document(resource: DocumentReference, at: string): Promise<void> {
    const label = resource.id ?? ''
    const [content, ...more] = resource.content ?? []
    if (more.length > 0) wrong(`${at}.content[1]`, 'not-supported', 'a document has one content')
    if (resource.status !== 'current') wrong(`${at}.status`, 'business-rule', 'what is new is current')
    const { attachment } = content ?? {}
    const binary = attachment?.url === undefined ? undefined : binaries.get(attachment.url)
    const base64 = attachment?.data ?? binary?.binary.data
    if (attachment?.url !== undefined && binary === undefined) {
      wrong(`${at}.content[0].attachment.url`, 'not-found', 'it names no Binary of this transaction')
    } else if (base64 === undefined) {
      wrong(`${at}.content[0].attachment`, 'required', 'neither the bytes nor a Binary that holds them')
    }
    if (attachment?.url !== undefined) used.add(attachment.url)
    const sha1 = attachment?.hash === undefined ? undefined : readHash(attachment.hash)
    if (attachment?.hash !== undefined && sha1 === undefined) {
      wrong(`${at}.content[0].attachment.hash`, 'value', 'not the base64 of a SHA-1 digest')
    }
    const owner = await ownerOf(resource.subject, `${at}.subject`, resource.contained ?? [], sourcePatient(resource))
    for (const [i, { code, target }] of (resource.relatesTo ?? []).entries()) {
      const kind = RELATIONS[code ?? '']
      const to = idOf(target, 'DocumentReference') ?? target?.identifier?.value
      if (kind === undefined || to === undefined) {
        problems.push(told('document.reference', `${at}.relatesTo[${i}].target`, 'it leads to no document'))
      } else relations.push({ kind, from: label, to })
    }
    const { contentType, size } = attachment ?? {}
    const mediaType = contentType ?? binary?.binary.contentType
    documents.push({
      label,
      arrival: {
        provenance: context.provenance,
        claims: { document: true, ...(mediaType === undefined ? {} : { mediaType }) },
        bytes: { in: 'memory', bytes: new Uint8Array(Buffer.from(base64 ?? '', 'base64')) },
      },
      statement: {
        ...(resource.masterIdentifier?.value === undefined ? {} : { uniqueId: resource.masterIdentifier.value }),
        entryUuid: label,
        ...(resource.docStatus === 'preliminary' || resource.docStatus === 'final' || resource.docStatus === 'amended'
          ? { phase: resource.docStatus }
          : {}),
        ...(owner === null ? {} : { owner }),
        metadata: await readMetadata(resource, context),
        ...(sha1 === undefined ? {} : { sha1 }),
        ...(size === undefined ? {} : { size }),
      },
    })
  }

  async function list(resource: List, action: StagedOperation['action'], at: string): Promise<void> {
    const owner = await ownerOf(resource.subject, `${at}.subject`, resource.contained ?? [])
    if (action === 'create') {
      lists.push(await readList(resource, owner, context, at, problems))
      return
    }
    const kept = await context.list(resource.id ?? '')
    if (kept === undefined) return wrong(at, 'not-found', 'no such list')
    const labels = new Set(documents.map(({ label }) => label))
    const change = await listChange(kept, resource, context, at, labels)
    problems.push(...change.problems)
    decisions.push(...change.decisions)
    lists.push(...change.lists)
  }

  const of = (type: Resource['resourceType']) => operations.filter(({ resource }) => resource.resourceType === type)
  for (const { action, resource, before, at } of of('DocumentReference')) {
    if (resource.resourceType !== 'DocumentReference') continue
    if (action === 'create') {
      await document(resource, at)
      continue
    }
    const kept = await context.document(resource.id ?? '')
    if (kept === undefined) {
      wrong(at, 'not-found', 'no such document')
      continue
    }
    const change = await changesOf(kept, before as DocumentReference, resource, context, at)
    problems.push(...change.problems)
    decisions.push(...change.decisions)
    expected.push({ objectId: kept.objectId, version: kept.version })
  }
  // Behind the documents, which say who a subject is that leads to another server, and what is new.
  for (const { action, resource, at } of of('List')) {
    if (resource.resourceType === 'List') await list(resource, action, at)
  }
  for (const [url, { at }] of binaries) {
    if (!used.has(url)) wrong(at, 'required', 'a Binary that no DocumentReference of this transaction names')
  }
  if (problems.some(({ severity }) => severity === 'error')) throw new StagingFault(422, problems)
  const { complete, cause, resources } = rules
  const superseded = new Set<string>()
  for (const { kind, to } of relations) {
    const target = kind === 'replaces' ? await context.document(to) : undefined
    if (target !== undefined) superseded.add(target.objectId)
  }
  const set = lists.some(({ kind }) => kind === 'submission-set') ? null : derivedSet(documents, context.provenance)
  return {
    submission: {
      ...{ documents, relations, patientsKnown: true, complete },
      lists: set === null ? lists : [...lists, set],
      alongside: {
        // What the new document replaces is superseded by that: said twice, it is one change.
        decisions: decisions.filter(
          (one) => !(one.is === 'status' && one.status === 'superseded' && superseded.has(one.objectId)),
        ),
        ...{ expected, resources, cause },
      },
    },
    problemsOf: (faults) => faults.map((fault) => problemOf(fault, places)),
  }
}

function problemOf(
  { label, code, path, detail }: SubmissionFault,
  places: ReadonlyMap<string, StagedOperation>,
): Problem {
  const place = label === null ? undefined : places.get(label)
  const below = place?.resource.resourceType === 'DocumentReference' ? documentExpression(path) : listExpression(path)
  const at = place?.at ?? ''
  const problem = told(code, below === '' || at === '' ? at : `${at}.${below}`, detail)
  const isSet = place?.resource.resourceType === 'List' && code === 'document.conflict'
  // A set has no bytes that could differ: its id is in use. services.md C.4
  return isSet ? { ...problem, codes: [...(problem.codes?.slice(0, 1) ?? []), { code: SET_ID_IN_USE }] } : problem
}

const SET_ID_IN_USE = 'XDSDuplicateUniqueIdInRegistry'

/**
 * The ways to find out who a subject is: what is contained, what it says itself, and where it leads to another server the
 * patient as the source knows them.
 */
function waysTo(subject: Reference, contained: readonly Resource[], source: Patient | undefined): Reference[] {
  const identified = (patient: Resource | undefined): Reference[] =>
    patient?.resourceType === 'Patient' ? (patient.identifier ?? []).map((identifier) => ({ identifier })) : []
  const local = subject.reference?.startsWith('#')
    ? contained.find(({ id }) => `#${id}` === subject.reference)
    : undefined
  return [...identified(local), subject, ...identified(source)]
}

function sourcePatient({ contained, context }: DocumentReference): Patient | undefined {
  const found = (contained ?? []).find(({ id }) => `#${id}` === context?.sourcePatientInfo?.reference)
  return found?.resourceType === 'Patient' ? found : undefined
}

function listExpression(path: string | null): string {
  const item = /^items\[(\d+)\]/.exec(path ?? '')
  if (item !== null) return `entry[${item[1]}].item`
  return { owner: 'subject', uniqueId: 'identifier' }[path ?? ''] ?? ''
}

/** The id a reference of a type ends in. */
export function idOf(reference: Reference | undefined, type: Resource['resourceType']): string | undefined {
  return new RegExp(`(?:^|/)${type}/([A-Za-z0-9.-]{1,64})(?:/_history/[^/]+)?$`).exec(reference?.reference ?? '')?.[1]
}
