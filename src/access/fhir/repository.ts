import { randomUUID } from 'node:crypto'
import {
  applyPatch,
  deepClone,
  fhirpathPatchTypedValue,
  formatSearchQuery,
  notFound,
  type Operation,
  OperationOutcomeError,
  parseFhirPathPatchParameters,
  preconditionFailed,
  type SearchRequest,
  toTypedValue,
  type WithId,
} from '@medplum/core'
import {
  type CreateResourceOptions,
  type DeleteResourceOptions,
  FhirRepository,
  type RepositoryMode,
  type UpdateResourceOptions,
} from '@medplum/fhir-router'
import type { Bundle, Parameters, Reference, Resource } from '@medplum/fhirtypes'
import type { StagedOperation } from '#arrival/mhd/staged.ts'
import { ArchiveError } from '#errors.ts'
import { applyExtensionPolicy, type ExtensionPolicy, honoured } from '#standards/fhir/extensions.ts'
import { problemsOf } from '#standards/fhir/validate.ts'
import type { Json } from '#standards/fhir/xml-write.ts'
import { searchBundle } from './answer-shape.ts'
import { FhirFault } from './outcome.ts'
import { parseQuery } from './query.ts'
import type { Asker, FhirSearch } from './search.ts'

/** What the repository works with; all of one request. */
export interface RepositoryTools {
  readonly search: FhirSearch
  readonly asker: Asker
  readonly base: string
  /** @throws ArchiveError 'request.forbidden', 'request.method' for what may not be written */
  mayWrite(type: string, interaction: 'c' | 'u' | 'd'): void
  /** What the sender's extensions mean here. */
  readonly extensions: ExtensionPolicy
  /** Told the addresses of extensions that were left out. */
  stripped(urls: readonly string[]): void
  /** Where a resource stands in what was sent. */
  locate(type: string, id: string | undefined): string
  /** Carries everything out at once, or nothing. Answers with what is there now, by the reference it was staged under. */
  commit(operations: readonly StagedOperation[]): Promise<ReadonlyMap<string, Resource>>
  /** The same failure as an outcome that the router hands on. */
  refusal(error: unknown): OperationOutcomeError
}

/**
 * What the router of Medplum works on: reads go to the archive, writes are staged and carried out together when the
 * outermost transaction ends. Nothing of a transaction is done before all of it is known.
 */
export class StagingRepository extends FhirRepository {
  readonly #tools: RepositoryTools
  #staged: StagedOperation[] = []
  #depth = 0
  #mode: RepositoryMode = 'writer'
  readonly #done = new Map<string, Resource>()

  constructor(tools: RepositoryTools) {
    super()
    this.#tools = tools
  }

  /** What a staged resource has become. */
  done(reference: string): Resource | undefined {
    return this.#done.get(reference)
  }

  /** Writer or reader: one connection reads here, whatever is asked for. */
  setMode(mode: RepositoryMode): void {
    this.#mode = mode
  }

  get mode(): RepositoryMode {
    return this.#mode
  }

  generateId(): string {
    return randomUUID()
  }

  createResource<T extends Resource>(resource: T, options?: CreateResourceOptions): Promise<WithId<T>> {
    return this.#within(async () => {
      const type = resource.resourceType
      this.#tools.mayWrite(type, 'c')
      const id = options?.assignedId === true && resource.id !== undefined ? resource.id : this.generateId()
      const at = this.#tools.locate(type, resource.id)
      const made = { ...resource, id } as WithId<T>
      this.#check(made, at)
      this.#staged.push({ action: 'create', resource: made, before: null, at })
      return made
    })
  }

  updateResource<T extends Resource>(resource: T, options?: UpdateResourceOptions): Promise<WithId<T>> {
    return this.#within(async () => {
      const type = resource.resourceType
      this.#tools.mayWrite(type, 'u')
      const before = await this.readResource<T>(type, resource.id ?? '')
      matchVersion(before, options?.ifMatch)
      const at = this.#tools.locate(type, resource.id)
      this.#check(resource, at)
      this.#staged.push({ action: 'update', resource, before, at })
      return resource as WithId<T>
    })
  }

  patchResource<T extends Resource>(
    resourceType: T['resourceType'],
    id: string,
    patch: Operation[] | Parameters,
    options?: UpdateResourceOptions,
  ): Promise<WithId<T>> {
    return this.#within(async () => {
      const before = await this.readResource<T>(resourceType, id)
      const after = deepClone(before)
      const at = this.#tools.locate(resourceType, id)
      try {
        if (Array.isArray(patch)) {
          const [failed] = applyPatch(after, patch).filter((problem) => problem !== null)
          if (failed !== undefined) throw failed
        } else fhirpathPatchTypedValue(toTypedValue(after), parseFhirPathPatchParameters(patch))
      } catch (error) {
        throw FhirFault.at(422, 'processing', at, `the patch does not apply: ${(error as Error).message}`)
      }
      return this.updateResource(after, options)
    })
  }

  async deleteResource(resourceType: string, id: string, options?: DeleteResourceOptions): Promise<void> {
    await this.#within(async () => {
      this.#tools.mayWrite(resourceType, 'd')
      const before = await this.readResource(resourceType, id)
      matchVersion(before, options?.ifMatch)
      this.#staged.push({ action: 'delete', resource: before, before, at: this.#tools.locate(resourceType, id) })
      return before
    })
  }

  async readResource<T extends Resource>(resourceType: string, id: string): Promise<WithId<T>> {
    const staged = this.#staged.findLast(({ resource }) => resource.resourceType === resourceType && resource.id === id)
    const found = staged?.resource ?? (await this.#tools.search.read(resourceType, id, this.#tools.asker))
    if (found === undefined || staged?.action === 'delete') throw new OperationOutcomeError(notFound)
    return deepClone(found) as WithId<T>
  }

  async readReference<T extends Resource>(reference: Reference<T>): Promise<WithId<T>> {
    const [type = '', id = ''] = (reference.reference ?? '').split('/')
    return this.readResource<T>(type, id)
  }

  readReferences<T extends Resource>(references: readonly Reference<T>[]): Promise<(T | Error)[]> {
    return Promise.all(references.map((one) => this.readReference<T>(one).catch((error: Error) => error)))
  }

  async readHistory<T extends Resource>(resourceType: string, id: string): Promise<Bundle<WithId<T>>> {
    const { search, asker } = this.#tools
    const source = search.served(resourceType)?.source
    const versions = await source?.versions?.(id, search.caller(asker, resourceType, 'r'))
    if (versions === undefined) throw new OperationOutcomeError(notFound)
    return {
      resourceType: 'Bundle',
      type: 'history',
      entry: versions.map((resource) => ({ resource: resource as WithId<T> })),
    }
  }

  async readVersion<T extends Resource>(resourceType: string, id: string, vid: string): Promise<WithId<T>> {
    const { entry = [] } = await this.readHistory<T>(resourceType, id)
    const found = entry.find(({ resource }) => resource?.meta?.versionId === vid)?.resource
    if (found === undefined) throw new OperationOutcomeError(notFound)
    return found
  }

  async search<T extends Resource>(request: SearchRequest<T>): Promise<Bundle<WithId<T>>> {
    return (await this.#searched(request, false)) as Bundle<WithId<T>>
  }

  /** What conditional interactions ask: a condition that is not understood must not match everything. */
  override async searchResources<T extends Resource>(request: SearchRequest<T>): Promise<WithId<T>[]> {
    const { entry = [] } = await this.#searched(request, true)
    return entry.map(({ resource }) => resource as WithId<T>)
  }

  async searchByReference<T extends Resource>(
    request: SearchRequest<T>,
    referenceField: string,
    references: string[],
  ): Promise<Record<string, WithId<T>[]>> {
    const found: Record<string, WithId<T>[]> = {}
    for (const reference of references) {
      const query = formatSearchQuery(request).replace(/^\?/, '')
      const asked = new URLSearchParams(`${query}&${referenceField}=${encodeURIComponent(reference)}`)
      const { entry = [] } = await this.#found(request.resourceType, asked, false)
      found[reference] = entry.map(({ resource }) => resource as WithId<T>)
    }
    return found
  }

  withTransaction<TResult>(callback: (repo: this) => Promise<TResult>): Promise<TResult> {
    return this.#within(() => callback(this))
  }

  #searched(request: SearchRequest, strict: boolean): Promise<Bundle> {
    return this.#found(request.resourceType, new URLSearchParams(formatSearchQuery(request).replace(/^\?/, '')), strict)
  }

  async #found(type: string, asked: URLSearchParams, strict: boolean): Promise<Bundle> {
    const { search, asker, base } = this.#tools
    try {
      const served = search.served(type)
      if (served === undefined) throw new ArchiveError('request.not-found', type)
      const query = parseQuery(served.kind, asked, strict)
      return searchBundle(base, type, query, await search.search(served, query, asker))
    } catch (error) {
      throw this.#tools.refusal(error)
    }
  }

  /** Applies the policy of extensions. @throws FhirFault with everything that is wrong with a resource */
  #check(resource: Resource, at: string): void {
    const { extensions, stripped } = this.#tools
    const problems = problemsOf(resource, { at, modifierExtensions: honoured(extensions) }).filter(
      ({ severity }) => severity === 'error',
    )
    const applied = applyExtensionPolicy(resource as unknown as Json, extensions, at)
    for (const { at: place, url } of applied.refused) {
      const detail = `the policy of this sender refuses the extension ${url}`
      problems.push({ severity: 'error', code: 'extension', expression: place, detail })
    }
    if (problems.length > 0) throw new FhirFault(422, problems)
    if (applied.stripped.length > 0) stripped(applied.stripped)
  }

  /** Runs a part of a transaction; the outermost carries out what was staged. */
  async #within<T>(work: () => Promise<T>): Promise<T> {
    this.#depth++
    try {
      const result = await work()
      if (this.#depth === 1 && this.#staged.length > 0) {
        const done = await this.#tools.commit(this.#staged.splice(0))
        for (const [reference, resource] of done) this.#done.set(reference, resource)
      }
      return result
    } catch (error) {
      if (this.#depth === 1) this.#staged = []
      throw this.#tools.refusal(error)
    } finally {
      this.#depth--
    }
  }
}

function matchVersion(resource: Resource, wanted: string | undefined): void {
  if (wanted !== undefined && wanted !== resource.meta?.versionId) throw new OperationOutcomeError(preconditionFailed)
}
