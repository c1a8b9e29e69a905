/** Everything of FHIR that needs its definitions: loaded with the first request. */
import type { Bundle, OperationOutcome, Resource } from '@medplum/fhirtypes'
import { ArchiveError } from '#errors.ts'
import { leavingBytes } from '#operations/leaving-documents.ts'
import { loadDefinitions } from '#standards/fhir/definitions.ts'
import { type Json, toXml } from '#standards/fhir/xml-write.ts'
import { sendDocument, sendFace, wantsDicom } from '../document-content.ts'
import { historyBundle, searchBundle, shaped } from './answer-shape.ts'
import { askerOf, type FhirAsked, fhirAsked, idAsked } from './asking.ts'
import { readForm } from './body.ts'
import { capabilityStatement } from './capability.ts'
import type { FhirHandlers, FhirServices } from './fhir-routes.ts'
import { accepts, MEDIA_TYPES, wantsResource } from './formats.ts'
import type { HistoryEntry } from './kind.ts'
import { KINDS } from './kinds.ts'
import type { createOperations } from './operations.ts'
import { FhirFault } from './outcome.ts'
import { domainsAsked, withinDomains } from './patient-domains.ts'
import { parseQuery } from './query.ts'
import { FhirSearch, type ServedKind } from './search.ts'
import { systemSearch } from './system-search.ts'
import type { createWriting } from './writing.ts'

/** Searches that are transactions of IHE, as the audit names them. */
const TRANSACTIONS: Readonly<Record<string, string>> = {
  Patient: 'ITI-78',
  List: 'ITI-66',
  DocumentReference: 'ITI-67',
}

function transactionOf(type: string): string {
  const name = TRANSACTIONS[type]
  return name === undefined ? '' : `${name} `
}

/** Bytes of a document that are given as base64 inside a Binary at most. */
const INLINE_BYTES_MAX = 16 * 1024 * 1024

export function createEngine(services: FhirServices): FhirHandlers {
  loadDefinitions()
  const kinds = new Map<string, ServedKind>(
    KINDS.map((kind) => [kind.type, { kind, source: kind.source(services.sources) }]),
  )
  const search = new FhirSearch(kinds)
  const { documents: leaving, faces } = services.sources.onTheWay
  const started = new Date().toISOString()

  function served(type: string): ServedKind {
    const found = kinds.get(type)
    if (found === undefined) throw new ArchiveError('request.not-found', `${type} is not served`)
    return found
  }

  /** Sends a resource with its version; 304 when the caller has it. */
  function send({ asked, reply, format }: FhirAsked, resource: Resource, status = 200): unknown {
    const { versionId, lastUpdated } = resource.meta ?? {}
    const headers: { [name: string]: string } = { 'content-type': MEDIA_TYPES[format], vary: 'Accept' }
    if (versionId !== undefined) headers['etag'] = `W/"${versionId}"`
    if (lastUpdated !== undefined) headers['last-modified'] = new Date(lastUpdated).toUTCString()
    const since = Date.parse(String(asked.headers['if-modified-since'] ?? ''))
    const condition = asked.headers['if-none-match']
    const isKnown =
      condition !== undefined
        ? versionId !== undefined &&
          condition.split(',').some((tag) => tag.trim().replace(/^W\//, '') === `"${versionId}"`)
        : lastUpdated !== undefined && since >= Math.floor(Date.parse(lastUpdated) / 1000) * 1000
    if (asked.raw.method === 'GET' && isKnown) return reply.code(304).headers(headers).send()
    const text = format === 'json' ? JSON.stringify(resource) : toXml(resource as unknown as Json)
    return reply.code(status).headers(headers).send(Buffer.from(text))
  }

  async function auditRead({ asked }: FhirAsked, resource: Resource): Promise<void> {
    const { subject } = resource as { subject?: { reference?: string } }
    const patientId =
      resource.resourceType === 'Patient' ? resource.id : /^Patient\/(.+)$/.exec(subject?.reference ?? '')?.[1]
    await asked.audit('read', {
      ...(resource.resourceType === 'ImagingStudy' && resource.id !== undefined
        ? { studyInstanceUID: resource.id }
        : {}),
      ...(patientId === undefined ? {} : { patientId }),
      detail: `fhir ${resource.resourceType}/${resource.id}`,
    })
  }

  async function searchFor(request: FhirAsked, type: string, parameters: URLSearchParams): Promise<unknown> {
    const { asked, asker, base, strict } = request
    const kind = served(type)
    const query = parseQuery(kind.kind, parameters, strict)
    const { sources } = services
    const domains = type === 'Patient' ? domainsAsked(sources, query.filters) : undefined
    const found = await search.search(kind, query, asker)
    await asked.audit('query', {
      detail: `${transactionOf(type)}fhir ${type}?${parameters}`,
      count: found.matched.length,
    })
    if (domains === undefined) return send(request, searchBundle(base, type, query, found))
    const matched = found.matched.map((resource) => withinDomains(sources, resource, domains))
    return send(request, searchBundle(base, type, query, { ...found, matched }))
  }

  async function searchForAll(request: FhirAsked, parameters: URLSearchParams): Promise<unknown> {
    const { asked, asker, base, strict } = request
    const { query, found } = await systemSearch(search, [...kinds.values()], parameters, strict, asker)
    await asked.audit('query', { detail: `fhir ?${parameters}`, count: found.matched.length })
    return send(request, searchBundle(base, '', query, found))
  }

  /** The parameters of a search by POST: of the body, and of the address. */
  async function posted(asked: FhirAsked['asked']): Promise<URLSearchParams> {
    const form = await readForm(asked, services.limits.httpJsonBytes)
    for (const [name, value] of asked.query) form.append(name, value)
    return form
  }

  /** The router of Medplum is loaded with the first write. */
  let loading: Promise<ReturnType<typeof createWriting>> | undefined
  const writing = () => {
    loading ??= import('./writing.ts').then((loaded) =>
      loaded.createWriting(
        {
          sources: services.sources,
          search,
          desk: services.desk,
          jsonDepth: services.limits.jsonDepth,
          log: services.log,
        },
        send,
      ),
    )
    return loading
  }

  let loadingOperations: Promise<ReturnType<typeof createOperations>> | undefined
  const operations = () => {
    const { sources, desk, identity, ledger, limits } = services
    loadingOperations ??= import('./operations.ts').then((loaded) =>
      loaded.createOperations({ sources, search, desk, identity, ledger, jsonDepth: limits.jsonDepth, send }),
    )
    return loadingOperations
  }

  return {
    create: async (type, asked, reply) => (await writing()).create(type, asked, reply),
    update: async (type, asked, reply) => (await writing()).update(type, asked, reply),
    conditionalUpdate: async (type, asked, reply) => (await writing()).conditionalUpdate(type, asked, reply),
    patch: async (type, asked, reply) => (await writing()).patch(type, asked, reply),
    remove: async (type, asked, reply) => (await writing()).remove(type, asked, reply),
    bundle: async (asked, reply) => (await writing()).bundle(asked, reply),
    operation: async (name, asked, reply) => (await operations())[name](asked, reply),

    async metadata(asked, reply) {
      const request = fhirAsked(asked, reply)
      return send(request, capabilityStatement(KINDS, { base: request.base, version: services.version, started }))
    },

    async read(type, asked, reply) {
      const id = idAsked(asked)
      if (type === 'Binary') return binary(id, asked, reply)
      const request = fhirAsked(asked, reply)
      const resource = await search.read(type, id, request.asker)
      if (resource === undefined) throw absent(type, id)
      await auditRead(request, resource)
      const query = parseQuery(served(type).kind, summaryOf(asked.query), false)
      return send(request, shaped(resource, query))
    },

    async vread(type, asked, reply) {
      const request = fhirAsked(asked, reply)
      const id = idAsked(asked)
      const version = idAsked(asked, 'version')
      const state = (await statesOf(type, id, request)).find(({ versionId }) => versionId === version)
      if (state?.resource === null) throw gone(type, id)
      const found = state?.resource
      if (found === undefined) throw new ArchiveError('request.not-found', `${type}/${id}/_history/${version}`)
      await auditRead(request, found)
      return send(request, found)
    },

    async history(type, asked, reply) {
      const request = fhirAsked(asked, reply)
      const states = await statesOf(type, idAsked(asked), request)
      const newest = states.find(({ resource }) => resource !== null)?.resource
      if (newest === undefined || newest === null) throw new ArchiveError('request.not-found', type)
      await auditRead(request, newest)
      return send(request, historyBundle(request.base, states))
    },

    async typeHistory(type, asked, reply) {
      const request = fhirAsked(asked, reply)
      const { source } = served(type)
      search.caller(request.asker, type, 's')
      if (source.typeHistory === undefined) throw new ArchiveError('request.not-found', `${type}/_history`)
      const paging = historyPaging(asked.query)
      const { items, next } = source.typeHistory(paging)
      await asked.audit('query', { detail: `fhir ${type}/_history`, count: items.length })
      const url = (more: readonly (readonly [string, string])[]) => {
        const kept = [...asked.query].filter(([name]) => name !== '_cursor')
        const text = new URLSearchParams(
          [...kept, ...more].map(([name, value]): [string, string] => [name, value]),
        ).toString()
        return `${request.base}/${type}/_history${text === '' ? '' : `?${text}`}`
      }
      const links = [
        { relation: 'self', url: url(paging.cursor === undefined ? [] : [['_cursor', paging.cursor]]) },
        ...(next === null ? [] : [{ relation: 'next', url: url([['_cursor', next]]) }]),
      ]
      return send(request, historyBundle(request.base, items, links))
    },

    async search(type, asked, reply) {
      return searchFor(fhirAsked(asked, reply), type, asked.query)
    },

    async searchByPost(type, asked, reply) {
      return searchFor(fhirAsked(asked, reply), type, await posted(asked))
    },

    async searchAll(asked, reply) {
      const request = fhirAsked(asked, reply)
      return searchForAll(request, asked.raw.method === 'POST' ? await posted(asked) : asked.query)
    },

    outcome(outcome: OperationOutcome | Bundle, format) {
      return Buffer.from(format === 'xml' ? toXml(outcome as unknown as Json) : JSON.stringify(outcome))
    },
  }

  async function statesOf(type: string, id: string, { asker }: FhirAsked): Promise<readonly HistoryEntry[]> {
    const { source } = served(type)
    const caller = search.caller(asker, type, 'r')
    if (source.history !== undefined) return source.history(id)
    const current = source.versions === undefined ? await search.read(type, id, asker) : undefined
    const versions = (await source.versions?.(id, caller)) ?? (current === undefined ? [] : [current])
    return versions.map((resource) => ({
      ...{ type, id, resource, versionId: resource.meta?.versionId ?? '', lastUpdated: resource.meta?.lastUpdated },
    }))
  }

  function gone(type: string, id: string): FhirFault {
    return FhirFault.at(410, 'deleted', '', `${type}/${id} was deleted`)
  }

  function absent(type: string, id: string): Error {
    return served(type).source.gone?.(id) === true
      ? gone(type, id)
      : new ArchiveError('request.not-found', `${type}/${id}`)
  }

  /** The bytes unless FHIR is asked for. FHIR R4 Binary, section 2.41.4; IHE ITI-68. */
  async function binary(id: string, ...[asked, reply]: Parameters<typeof fhirAsked>): Promise<unknown> {
    const caller = search.caller(askerOf(asked), 'Binary', 'r')
    const document = await services.sources.documents.document(id, caller.visibility)
    if (document?.entryUuid !== id.toLowerCase()) throw new ArchiveError('request.not-found', `Binary/${id}`)
    await asked.audit('read', {
      ...(document.studyInstanceUID === null ? {} : { studyInstanceUID: document.studyInstanceUID }),
      ...(document.patientId === null ? {} : { patientId: document.patientId }),
      detail: `ITI-68 document ${document.objectId}`,
    })
    if (!wantsResource(asked.headers.accept, asked.query.get('_format'))) {
      if (wantsDicom(asked.headers.accept)) return sendFace(asked, reply, await faces.dicom(document, asked))
      if (!accepts(asked.headers.accept, document.mediaType)) {
        throw new ArchiveError('request.not-acceptable', `this document is ${document.mediaType}`)
      }
      return sendDocument(asked, reply, await leaving.of(document))
    }
    const request = fhirAsked(asked, reply)
    const resource = await search.read('Binary', id, request.asker)
    if (resource === undefined) throw new ArchiveError('request.not-found', `Binary/${id}`)
    const bytes = await leavingBytes(await leaving.of(document), INLINE_BYTES_MAX)
    return send(request, { ...resource, data: Buffer.from(bytes).toString('base64') } as Resource)
  }
}

/** @throws ArchiveError 'request.malformed' */
function historyPaging(query: URLSearchParams) {
  const count = query.get('_count') ?? '100'
  if (!/^[1-9]\d{0,8}$/.test(count)) throw new ArchiveError('request.malformed', '_count is a number, not 0')
  const since = query.get('_since')
  const at = since === null ? undefined : Date.parse(since)
  if (Number.isNaN(at)) throw new ArchiveError('request.malformed', '_since is no instant')
  return {
    limit: Math.min(Number(count), 1000),
    since: at === undefined ? undefined : new Date(at).toISOString(),
    cursor: query.get('_cursor') ?? undefined,
  }
}

/** Of a read only these parameters count. */
function summaryOf(query: URLSearchParams): URLSearchParams {
  return new URLSearchParams([...query].filter(([name]) => name === '_summary' || name === '_elements'))
}
