/**
 * Staged operations on documents and lists as one submission, so that a FHIR transaction is kept as a whole or not at
 * all: IHE ITI-65 Provide Document Bundle, and single creates and updates by the same road.
 */
import type { Binary, DocumentReference, Reference, Resource } from '@medplum/fhirtypes'
import { failures } from '#errors.ts'
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

  async function ownerOf(reference: Reference | undefined, at: string): Promise<DocumentOwner | null> {
    if (reference === undefined) return null
    const owner = await context.patient(reference)
    if (owner === undefined) wrong(at, 'not-found', 'this patient is not known here')
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
    const owner = await ownerOf(resource.subject, `${at}.subject`)
    for (const [i, { code, target }] of (resource.relatesTo ?? []).entries()) {
      const kind = RELATIONS[code ?? '']
      const to = idOf(target, 'DocumentReference') ?? target?.identifier?.value
      if (kind === undefined || to === undefined) {
        wrong(`${at}.relatesTo[${i}].target`, 'not-found', 'it leads to no document')
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

  for (const { action, resource, before, at } of operations) {
    if (resource.resourceType === 'DocumentReference') {
      if (action === 'create') await document(resource, at)
      else {
        const kept = await context.document(resource.id ?? '')
        if (kept === undefined) wrong(at, 'not-found', 'no such document')
        else {
          const change = await changesOf(kept, before as DocumentReference, resource, context, at)
          problems.push(...change.problems)
          decisions.push(...change.decisions)
          expected.push({ objectId: kept.objectId, version: kept.version })
        }
      }
    } else if (resource.resourceType === 'List') {
      const owner = await ownerOf(resource.subject, `${at}.subject`)
      if (action === 'create') lists.push(await readList(resource, owner, context, at, problems))
      else {
        const kept = await context.list(resource.id ?? '')
        if (kept === undefined) wrong(at, 'not-found', 'no such list')
        else decisions.push(...(await listChange(kept, resource, context, at, problems)))
      }
    }
  }
  for (const [url, { at }] of binaries) {
    if (!used.has(url)) wrong(at, 'required', 'a Binary that no DocumentReference of this transaction names')
  }
  if (problems.some(({ severity }) => severity === 'error')) throw new StagingFault(422, problems)
  const { complete, cause, resources } = rules
  return {
    submission: {
      ...{ documents, lists, relations, patientsKnown: true, complete },
      alongside: { decisions, expected, resources, cause },
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
  return {
    severity: 'error',
    code: failures[code].fhir as Problem['code'],
    expression: below === '' || at === '' ? at : `${at}.${below}`,
    detail,
  }
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
