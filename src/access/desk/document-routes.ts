import { z } from 'zod'
import { ArchiveError } from '#errors.ts'
import type { DocumentList, DocumentOwner, StoredDocument } from '#model/document.ts'
import type { DocumentDecision, DocumentDesk, DocumentReader, DocumentVersion, TextHit } from '#model/document-desk.ts'
import type { IdentityReader } from '#model/identity-ledger.ts'
import type { Asked, Route } from '#model/route.ts'
import { listOf, shape } from '#model/route-schema.ts'
import type { ValueSetTable } from '#placement/value-sets.ts'
import { metadataSchema, readMetadata, type WrittenMetadata } from '#placement/written-metadata.ts'
import { visibilityOf } from '#security/decide.ts'
import type { ValueSets } from '#security/document-settings.ts'
import {
  bodyAsked,
  filtersAsked,
  jsonSchema,
  listAnswer,
  oneOf,
  PAGE_QUERY,
  pageAsked,
  pathParameter,
  reason,
  reasoned,
} from './ask.ts'
import { type ContentServices, documentContentRoutes } from './document-content-route.ts'
import { DOCUMENT_FILTERS, documentQuery, personAsked } from './document-query.ts'
import { documentView } from './document-view.ts'

export interface DocumentServices extends ContentServices {
  readonly documents: DocumentReader
  readonly desk: DocumentDesk
  readonly ledger: Pick<IdentityReader, 'patientById'>
  patientIds(id: string, issuer?: string): Promise<readonly string[]>
  /** Value sets of the site as they are now, and looked up. */
  values(): { readonly sets: ValueSets; readonly table: ValueSetTable }
  /** Most items of one page. */
  readonly pageMax: number
}

const STANDARD = 'Diptych pages'
const patient = z.union([
  z.strictObject({ issuer: z.string().max(1000).default(''), id: z.string().min(1).max(1000) }),
  z.strictObject({ patientId: z.string().min(1).max(200) }),
  z.strictObject({ studyInstanceUid: z.string().min(1).max(64) }),
])
const assigning = z.strictObject({ patient, reason })
const changing = z.strictObject({ metadata: metadataSchema, reason: reason.default('metadata changed') })
const filling = z.strictObject({
  metadata: metadataSchema.default({}),
  patient: patient.optional(),
  reason: reason.default('metadata filled in'),
})

const DOCUMENT = {
  type: 'object',
  required: ['id', 'kind', 'mediaType', 'size', 'sha256', 'status', 'metadata', 'missing', 'version', 'content'],
  properties: Object.fromEntries(
    [
      ...['id', 'uniqueId', 'entryUuid', 'kind', 'mediaType', 'size', 'sha1', 'sha256', 'status', 'phase', 'patientId'],
      ...['metadata', 'sources', 'missing', 'placement', 'version', 'created', 'studyInstanceUid', 'updated', 'host'],
      ...['relations', 'relatedBy', 'content', 'snippet'],
    ].map((name) => [name, {}]),
  ),
}
const LIST = shape<DocumentList>('id', 'kind', 'uniqueId', 'title', 'status', 'patientId')
const HIT = shape<TextHit>('objectId', 'panel', 'patientId', 'title', 'snippet', 'time', 'studyInstanceUID')
const VALUES = shape<ValueSets>(
  ...(['classCode', 'typeCode', 'formatCode', 'practiceSetting', 'facilityType', 'confidentiality'] as const),
  'eventCodes',
)

/** The document panel: finding, reading, changing what is said of documents. */
export function documentRoutes(services: DocumentServices): readonly Route[] {
  const { documents, desk, pageMax } = services

  async function found(asked: Asked): Promise<StoredDocument> {
    const document = await documents.document(pathParameter(asked, 'any'), asked.visibility)
    if (document === undefined) throw new ArchiveError('request.not-found', 'document')
    return document
  }

  function audited(asked: Asked, document: StoredDocument, detail: string): Promise<void> {
    const { patientId, studyInstanceUID } = document
    return asked.audit('read', {
      ...(studyInstanceUID === null ? {} : { studyInstanceUID }),
      ...(patientId === null ? {} : { patientId }),
      detail,
    })
  }

  function ownerOf(given: z.output<typeof patient>): DocumentOwner {
    if ('studyInstanceUid' in given) return { by: 'study', studyInstanceUID: given.studyInstanceUid }
    if ('id' in given)
      return { by: 'identifier', issuer: given.issuer, id: given.id, issuerAssumed: given.issuer === '' }
    const known = services.ledger.patientById(given.patientId)
    if (known === undefined) throw new ArchiveError('request.not-found', 'patient')
    return { by: 'identifier', issuer: known.issuer, id: known.id, issuerAssumed: known.issuerAssumed }
  }

  function metadataDecisions(objectId: string, written: WrittenMetadata): DocumentDecision[] {
    const read = readMetadata(written, services.values().table)
    if ('unknown' in read) {
      throw new ArchiveError('document.invalid', `${read.unknown}: this code is in no value set of the site`, {
        hint: 'Write it whole, as {"code", "system", "display"}, or set documents.values.',
      })
    }
    if (Object.keys(read.metadata).length === 0) return []
    return [{ is: 'metadata', objectId, metadata: read.metadata, source: 'person' }]
  }

  /** Decides about the document in the path and answers with it as it is then. */
  async function decided(
    asked: Asked,
    why: string,
    decisions: (document: StoredDocument) => readonly DocumentDecision[],
  ): Promise<object> {
    const document = await found(asked)
    const cause = { by: asked.subject.name, address: asked.address, reason: why }
    await desk.decide(decisions(document), cause, versionAsked(asked))
    const now = await documents.document(document.objectId, { sees: 'all' })
    if (now === undefined) throw new ArchiveError('request.not-found', 'document')
    return documentView(now)
  }

  const listed = async (asked: Asked, incomplete: boolean) => {
    const query = await documentQuery(asked, pageMax, services.patientIds)
    await asked.audit('query', { detail: `documents ${asked.query}` })
    const { items, next } = await documents.documents(incomplete ? { ...query, incomplete } : query, asked.visibility)
    const view = items.map(({ document, snippet }) => ({
      ...documentView(document),
      ...(snippet === null ? {} : { snippet }),
    }))
    return listAnswer(view, next)
  }

  return [
    {
      method: 'GET',
      url: '/api/v1/documents',
      standard: STANDARD,
      needs: 'document.read',
      describes: {
        response: listOf(DOCUMENT),
        summary: 'Documents by what is said of them and in them, newest first.',
        query: { ...DOCUMENT_FILTERS, ...PAGE_QUERY },
      },
      handle: (asked) => listed(asked, false),
    },
    {
      method: 'GET',
      url: '/api/v1/documents/:any',
      standard: STANDARD,
      needs: 'document.read',
      describes: {
        response: DOCUMENT,
        summary: 'A document by any of its identifiers: metadata, who said it, what is missing, relations.',
      },
      async handle(asked, reply) {
        const document = await found(asked)
        await audited(asked, document, `document ${document.objectId}`)
        reply.header('etag', `"${document.version}"`)
        return documentView(document)
      },
    },
    ...documentContentRoutes(services),
    {
      method: 'GET',
      url: '/api/v1/documents/:any/versions',
      standard: STANDARD,
      needs: 'document.read',
      describes: {
        response: listOf(shape<DocumentVersion>('version', 'time', 'by', 'reason', 'document')),
        summary: 'Every state a document was in, newest first, with who changed it and why.',
      },
      async handle(asked) {
        const { objectId } = await found(asked)
        const versions = (await documents.versions(objectId, asked.visibility)) ?? []
        await asked.audit('read', { detail: `document ${objectId}: versions` })
        return listAnswer(
          versions.map(({ document, ...cause }) => ({ ...cause, document: documentView(document) })),
          null,
          versions.length,
        )
      },
    },
    {
      method: 'PATCH',
      url: '/api/v1/documents/:any',
      standard: STANDARD,
      needs: 'document.write',
      body: 'json',
      describes: {
        response: DOCUMENT,
        example: { metadata: { title: 'Discharge letter' }, reason: 'the title was missing' },
        summary: 'Says metadata anew; with If-Match only at that version.',
        request: jsonSchema(changing),
      },
      async handle(asked) {
        const { metadata, reason: why } = bodyAsked(asked, changing)
        return decided(asked, why, ({ objectId }) => metadataDecisions(objectId, metadata))
      },
    },
    {
      method: 'POST',
      url: '/api/v1/documents/:any/withdraw',
      standard: STANDARD,
      needs: 'document.write',
      body: 'json',
      describes: {
        response: DOCUMENT,
        example: { reason: 'scanned twice' },
        summary: 'Withdraws a document: entered in error.',
        request: jsonSchema(reasoned),
      },
      async handle(asked) {
        const { reason: why } = bodyAsked(asked, reasoned)
        return decided(asked, why, ({ objectId }) => [{ is: 'status', objectId, status: 'entered-in-error' }])
      },
    },
    {
      method: 'POST',
      url: '/api/v1/documents/:any/assign',
      standard: STANDARD,
      needs: 'document.write',
      body: 'json',
      describes: {
        response: DOCUMENT,
        example: { patient: { issuer: 'HOSPITAL', id: 'P100' }, reason: 'name on the page' },
        summary: 'Says whose document it is.',
        request: jsonSchema(assigning),
      },
      async handle(asked) {
        const { patient: given, reason: why } = bodyAsked(asked, assigning)
        const owner = ownerOf(given)
        return decided(asked, why, ({ objectId }) => [{ is: 'owner', objectId, owner }])
      },
    },
    {
      method: 'POST',
      url: '/api/v1/documents/:any/delete',
      standard: STANDARD,
      needs: 'object.delete',
      body: 'json',
      describes: {
        status: 204,
        example: { reason: 'sent by mistake' },
        summary: 'Deletes a document: hidden at once, its bytes go after the grace.',
        request: jsonSchema(reasoned),
      },
      async handle(asked, reply) {
        const { reason: why } = bodyAsked(asked, reasoned)
        const { objectId } = await found(asked)
        await desk.delete(objectId, { by: asked.subject.name, address: asked.address, reason: why })
        return reply.code(204).send()
      },
    },
    {
      method: 'GET',
      url: '/api/v1/document-worklist',
      standard: STANDARD,
      needs: 'document.write',
      describes: {
        response: listOf(DOCUMENT),
        summary: 'Documents with required metadata missing, newest first.',
        query: { ...DOCUMENT_FILTERS, ...PAGE_QUERY },
      },
      handle: (asked) => listed(asked, true),
    },
    {
      method: 'POST',
      url: '/api/v1/document-worklist/:any',
      standard: STANDARD,
      needs: 'document.write',
      body: 'json',
      describes: {
        response: DOCUMENT,
        example: { metadata: { title: 'Discharge letter' }, patient: { issuer: 'HOSPITAL', id: 'P100' } },
        summary: 'Fills in what is missing of a document.',
        request: jsonSchema(filling),
      },
      async handle(asked) {
        const { metadata, patient: given, reason: why } = bodyAsked(asked, filling)
        const owner = given === undefined ? null : ownerOf(given)
        return decided(asked, why, ({ objectId }) => [
          ...metadataDecisions(objectId, metadata),
          ...(owner === null ? [] : [{ is: 'owner' as const, objectId, owner }]),
        ])
      },
    },
    {
      method: 'GET',
      url: '/api/v1/document-values',
      standard: STANDARD,
      needs: 'signed-in',
      describes: {
        summary: 'Value sets of document metadata, as the site has them.',
        response: VALUES,
      },
      handle: async () => services.values().sets,
    },
    {
      method: 'GET',
      url: '/api/v1/document-lists',
      standard: STANDARD,
      needs: 'document.read',
      describes: {
        response: listOf(LIST),
        summary: 'Submission sets and folders, newest first.',
        query: {
          patient: DOCUMENT_FILTERS.patient,
          kind: 'submission-set or folder.',
          holds: 'Object id of a document in it.',
          ...PAGE_QUERY,
        },
      },
      async handle(asked) {
        const page = pageAsked(asked, pageMax, ['patient', 'kind', 'holds'])
        const { patient: whose, kind, holds } = filtersAsked(asked, ['patient', 'kind', 'holds'])
        oneOf(kind, 'kind', ['submission-set', 'folder'])
        await asked.audit('query', { detail: `document lists ${asked.query}` })
        const { items, next } = await documents.lists(
          {
            ...page,
            ...(whose === undefined ? {} : { patientIds: await personAsked(whose, services.patientIds) }),
            ...(kind === undefined ? {} : { kind: kind as 'folder' }),
            ...(holds === undefined ? {} : { holds }),
          },
          asked.visibility,
        )
        return listAnswer(items, next)
      },
    },
    {
      method: 'GET',
      url: '/api/v1/text-search',
      standard: STANDARD,
      needs: 'document.read',
      describes: {
        response: listOf(HIT),
        summary: 'Words inside documents and structured reports, newest first; finds stand between U+E000 and U+E001.',
        query: {
          q: 'Words that must all occur; "in quotes" together.',
          patient: DOCUMENT_FILTERS.patient,
          ...PAGE_QUERY,
        },
      },
      async handle(asked) {
        const page = pageAsked(asked, pageMax, ['q', 'patient'])
        const { q = '', patient: whose } = filtersAsked(asked, ['q', 'patient'])
        await asked.audit('query', { detail: `text ${asked.query}` })
        // Reports in studies are images: who may read documents only does not learn of them.
        const images = visibilityOf(asked.subject, 'object.read')
        const { items, next } = await documents.searchText(
          {
            ...page,
            text: q,
            reports: images === 'forbidden' ? null : images,
            ...(whose === undefined ? {} : { patientIds: await personAsked(whose, services.patientIds) }),
          },
          asked.visibility,
        )
        return listAnswer(items, next)
      },
    },
  ]
}

/** The version of If-Match: `"3"` or `W/"3"`. @throws ArchiveError 'request.malformed' */
function versionAsked(asked: Asked): number | undefined {
  const given = asked.headers['if-match']
  if (given === undefined || given === '*') return undefined
  const match = /^(?:W\/)?"(\d{1,9})"$/.exec(given)
  if (match === null) throw new ArchiveError('request.malformed', 'If-Match is not a version of a document')
  return Number(match[1])
}
