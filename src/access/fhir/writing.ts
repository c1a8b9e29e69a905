/** Writes of FHIR: single interactions, batches and transactions, through the router of Medplum. */
import { getStatus, isOk, OperationOutcomeError } from '@medplum/core'
import { type FhirRequest, FhirRouter } from '@medplum/fhir-router'
import type { Bundle, BundleEntry, OperationOutcome, Resource } from '@medplum/fhirtypes'
import type { FastifyReply } from 'fastify'
import { idOf } from '#arrival/mhd/submission.ts'
import { ArchiveError } from '#errors.ts'
import type { DocumentDesk } from '#model/document-desk.ts'
import type { Asked, AuditedThing } from '#model/route.ts'
import { visibilityOf } from '#security/decide.ts'
import { originatorOf } from '#security/originators.ts'
import { honoured } from '#standards/fhir/extensions.ts'
import { problemsOf } from '#standards/fhir/validate.ts'
import type { ErrorLog } from '../http-server-problem.ts'
import { type FhirAsked, fhirAsked, idAsked } from './asking.ts'
import { readJsonPatch, readResource } from './body.ts'
import { type Bundled, preparedBundle } from './bundle.ts'
import { type CommitNote, commitStaged } from './commit.ts'
import type { FhirSources } from './kind.ts'
import { knownPatient } from './known-patient.ts'
import { provenanceOf } from './operations.ts'
import { FhirFault, tellFailure } from './outcome.ts'
import { providedBundle } from './provided.ts'
import { StagingRepository } from './repository.ts'
import { type FhirSearch, referenceTo } from './search.ts'

export interface WritingTools {
  readonly sources: FhirSources
  readonly search: FhirSearch
  readonly desk: Pick<DocumentDesk, 'submit' | 'delete'>
  readonly jsonDepth: number
  readonly log: ErrorLog | undefined
}

type Send = (request: FhirAsked, resource: Resource, status?: number) => unknown

/** Statuses of outcomes we made: the router hands outcomes on, not statuses. */
const STATUSES = new WeakMap<OperationOutcome, number>()

export function createWriting({ sources, search, desk, jsonDepth, log }: WritingTools, send: Send) {
  const router = new FhirRouter()

  function refusal(error: unknown): OperationOutcomeError {
    if (error instanceof OperationOutcomeError) return error
    const { status, outcome } = tellFailure(error, log)
    STATUSES.set(outcome, status)
    return new OperationOutcomeError(outcome)
  }

  /** What extensions of this sender mean: the register of originators says it, by account or address. */
  const policyOf = ({ subject, address }: Asked<unknown>) =>
    originatorOf(sources.security.originators(), { account: subject.name, address })?.fhirExtensions ?? {}

  const statusOf = (outcome: OperationOutcome) => STATUSES.get(outcome) ?? getStatus(outcome)

  function repositoryFor(
    request: FhirAsked,
    locate: (type: string, id: string | undefined) => string,
    complete: boolean,
    notes: Map<string, CommitNote>,
  ) {
    const { asked, asker, base } = request
    const left: string[] = []
    return new StagingRepository({
      extensions: policyOf(asked),
      stripped: (urls) => void left.push(...urls),
      ...{ search, asker, base, locate, refusal },
      mayWrite(type, interaction) {
        const kind = search.served(type)?.kind
        const needs = interaction === 'c' ? kind?.needs.create : kind?.needs.change
        if (needs === undefined) throw new ArchiveError('request.method', `${type} is not written here`)
        if (visibilityOf(asked.subject, needs, { resource: type, interactions: interaction }) === 'forbidden') {
          throw new ArchiveError('request.forbidden', `this needs the right "${needs}"`)
        }
      },
      commit: (operations) =>
        commitStaged(operations, {
          ...{ sources, search, desk, asker, complete },
          tell: (reference, note) => void notes.set(reference, note),
          provenance: provenanceOf(asked),
          cause: { by: asked.subject.name, address: asked.address, reason: reasonOf(asked, left) },
        }),
    })
  }

  /** One interaction; its answer carries what is there now, or what `Prefer` asks for. */
  async function interact(
    [asked, reply]: readonly [Asked<unknown>, FastifyReply],
    type: string,
    of: Pick<FhirRequest, 'method' | 'url' | 'body'>,
  ): Promise<unknown> {
    const request = fhirAsked(asked, reply)
    const notes = new Map<string, CommitNote>()
    const repository = repositoryFor(request, () => type, false, notes)
    const { headers } = asked
    const [outcome, staged] = await router.handleRequest(
      { ...of, pathname: '', params: {}, query: {}, headers, config: { transactions: true } },
      repository,
    )
    if (!isOk(outcome)) throw STATUSES.has(outcome) ? new FhirOutcome(statusOf(outcome), outcome) : refused(outcome)
    if (staged === undefined) return reply.code(204).send()
    const resource = repository.done(referenceTo(staged)) ?? staged
    // What was kept before is not created again.
    const already = notes.get(referenceTo(staged))?.already === true
    const status = already ? 200 : statusOf(outcome)
    if (already || status === 201) {
      const { versionId } = resource.meta ?? {}
      reply.header('location', `${request.base}/${referenceTo(resource)}/_history/${versionId}`)
    }
    if (status === 201 && resource.resourceType === 'DocumentReference') {
      await asked.audit('store', publication('ITI-105', [resource]))
    }
    const prefer = /return\s*=\s*(minimal|OperationOutcome)/i.exec(String(headers['prefer'] ?? ''))?.[1]
    if (prefer === 'minimal') {
      return reply.code(status).header('etag', `W/"${resource.meta?.versionId}"`).send()
    }
    return send(request, prefer === undefined ? resource : outcome, status)
  }

  /** A failure of the router's own making. */
  function refused(outcome: OperationOutcome): Error {
    return new OperationOutcomeError(outcome)
  }

  return {
    async create(type: string, asked: Asked<unknown>, reply: FastifyReply): Promise<unknown> {
      const { resource } = await readResource(asked, jsonDepth)
      mustBe(resource, type)
      return interact([asked, reply], type, { method: 'POST', url: type, body: resource })
    },

    async update(type: string, asked: Asked<unknown>, reply: FastifyReply): Promise<unknown> {
      const { resource } = await readResource(asked, jsonDepth)
      mustBe(resource, type)
      const url = `${type}/${idAsked(asked)}`
      if (resource['id'] !== idAsked(asked))
        throw FhirFault.at(400, 'value', `${type}.id`, 'it is not the id of the address')
      return interact([asked, reply], type, { method: 'PUT', url, body: resource })
    },

    async conditionalUpdate(type: string, asked: Asked<unknown>, reply: FastifyReply): Promise<unknown> {
      const { resource } = await readResource(asked, jsonDepth)
      mustBe(resource, type)
      if (asked.query.size === 0) throw new ArchiveError('request.malformed', 'a conditional update has a condition')
      return interact([asked, reply], type, { method: 'PUT', url: `${type}?${asked.query}`, body: resource })
    },

    async patch(type: string, asked: Asked<unknown>, reply: FastifyReply): Promise<unknown> {
      const isJsonPatch = /^application\/json-patch\+json\b/i.test(asked.headers['content-type'] ?? '')
      const body = isJsonPatch ? await readJsonPatch(asked, jsonDepth) : (await readResource(asked, jsonDepth)).resource
      return interact([asked, reply], type, { method: 'PATCH', url: `${type}/${idAsked(asked)}`, body })
    },

    async remove(type: string, asked: Asked<unknown>, reply: FastifyReply): Promise<unknown> {
      return interact([asked, reply], type, { method: 'DELETE', url: `${type}/${idAsked(asked)}`, body: undefined })
    },

    /** POST to the root: batch or transaction. A transaction is kept as a whole or not at all. */
    async bundle(asked: Asked<unknown>, reply: FastifyReply): Promise<unknown> {
      const request = fhirAsked(asked, reply)
      const { resource, format } = await readResource(asked, jsonDepth)
      mustBe(resource, 'Bundle')
      const understood = { modifierExtensions: honoured(policyOf(asked)) }
      const problems = problemsOf(resource, understood).filter(({ severity }) => severity === 'error')
      if (problems.length > 0) throw new FhirFault(400, problems)
      const provided = await providedBundle(resource as unknown as Bundle, format, async (reference) => {
        const row = knownPatient(sources, request.asker.origin, reference)
        return row === undefined ? undefined : `Patient/${row.patient.patientId}`
      })
      const bundle = provided?.bundle ?? (resource as unknown as Bundle)
      const prepared: Bundled = await preparedBundle(bundle, search, request.asker, provided?.positions)
      const notes = new Map<string, CommitNote>()
      const repository = repositoryFor(request, prepared.locate, prepared.complete, notes)
      const { headers } = asked
      const [outcome, answer] = await router.handleRequest(
        {
          method: 'POST',
          url: '',
          body: prepared.bundle,
          pathname: '',
          params: {},
          query: {},
          headers,
          config: { transactions: true },
        },
        repository,
      )
      if (!isOk(outcome)) throw STATUSES.has(outcome) ? new FhirOutcome(statusOf(outcome), outcome) : refused(outcome)
      const whole = /return\s*=\s*representation/i.test(String(headers['prefer'] ?? ''))
      const entries = (answer as Bundle).entry ?? []
      const done = entries.map((one, i) => answered(one, prepared.methods[i] ?? 'GET', repository, notes, whole))
      const entry = provided?.answers(done) ?? done
      if (provided !== undefined) {
        const now = entries.flatMap(({ resource: one }) =>
          one === undefined ? [] : (repository.done(referenceTo(one)) ?? []),
        )
        await asked.audit('store', publication('ITI-65', now))
      }
      return send(request, { resourceType: 'Bundle', type: (answer as Bundle).type, entry } as Bundle)
    },
  }

  /** The entry of an answer: where it is now, in which version. */
  function answered(
    one: BundleEntry,
    method: string,
    repository: StagingRepository,
    notes: ReadonlyMap<string, CommitNote>,
    whole: boolean,
  ): BundleEntry {
    const { outcome } = one.response ?? {}
    const told = outcome as OperationOutcome | undefined
    if (told !== undefined && !isOk(told)) return { response: { status: String(statusOf(told)), outcome: told } }
    const status = told === undefined ? (one.response?.status ?? '200') : String(statusOf(told))
    const staged = one.resource
    if (staged === undefined) return { response: { status: method === 'DELETE' ? '204' : status } }
    const note = notes.get(referenceTo(staged))
    const resource = repository.done(referenceTo(staged)) ?? staged
    const { versionId, lastUpdated } = resource.meta ?? {}
    const isRead = method === 'GET'
    return {
      ...(whole || isRead ? { resource } : {}),
      response: {
        status: note?.already === true ? '200' : status,
        ...(isRead || versionId === undefined ? {} : { location: `${referenceTo(resource)}/_history/${versionId}` }),
        ...(versionId === undefined ? {} : { etag: `W/"${versionId}"` }),
        ...(lastUpdated === undefined ? {} : { lastModified: lastUpdated }),
        ...(note?.outcome === undefined ? {} : { outcome: note.outcome }),
      },
    }
  }
}

/** An outcome with its status, on its way to the caller. */
class FhirOutcome extends FhirFault {
  constructor(status: number, { issue }: OperationOutcome) {
    super(
      status,
      (issue ?? []).map(({ code, expression, diagnostics, details }) => ({
        severity: 'error',
        code,
        expression: expression?.[0] ?? '',
        detail: diagnostics ?? details?.text ?? '',
        ...(details?.coding === undefined
          ? {}
          : { codes: details.coding.map(({ system, code = '' }) => ({ ...(system && { system }), code })) }),
      })),
    )
  }
}

/** What the journal and the audit trail tell of a write, extensions that were left out included. */
function reasonOf({ raw }: Asked<unknown>, left: readonly string[]): string {
  const without = left.length === 0 ? '' : `, without the extensions ${[...new Set(left)].join(' ')}`
  return `FHIR ${raw.method}${without}`
}

/** What the audit trail says of documents that came by a transaction of IHE: set and documents, and whose they are. */
function publication(transaction: string, resources: readonly Resource[]): AuditedThing {
  const lists = resources.filter(({ resourceType }) => resourceType === 'List')
  const documents = resources.filter((one) => one.resourceType === 'DocumentReference')
  const patientId = documents.map(({ subject }) => idOf(subject, 'Patient')).find((id) => id !== undefined)
  return {
    ...(patientId === undefined ? {} : { patientId }),
    detail: [transaction, ...[...lists, ...documents].map(referenceTo)].join(' '),
    count: documents.length,
  }
}

/** @throws FhirFault for a body of another type */
function mustBe(resource: { readonly [name: string]: unknown }, type: string): void {
  if (resource['resourceType'] === type) return
  throw FhirFault.at(400, 'invalid', 'resourceType', `the body is a ${String(resource['resourceType'])}, not a ${type}`)
}
