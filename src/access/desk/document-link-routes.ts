import { randomUUID } from 'node:crypto'
import { z } from 'zod'
import { ArchiveError } from '#errors.ts'
import type { DocumentList, RelationKind, StoredDocument } from '#model/document.ts'
import type { DocumentDecision, DocumentDesk, DocumentReader } from '#model/document-desk.ts'
import type { Asked, Route } from '#model/route.ts'
import { bodyAsked, jsonSchema, listAnswer, pathParameter, reason } from './ask.ts'
import { documentView } from './document-view.ts'

export interface LinkServices {
  readonly documents: DocumentReader
  readonly desk: Pick<DocumentDesk, 'decide'>
}

const STANDARD = 'Diptych pages; ITI TF-3 sections 4.2.2 and 4.2.3'
const KINDS = ['replaces', 'appends', 'transforms', 'transform-replaces', 'signs', 'rendition'] as const
const ITEMS_MAX = 10_000

const identifier = z.string().trim().min(1).max(256)
const relating = z.strictObject({ kind: z.enum(KINDS), to: identifier, reason })
const code = z.strictObject({
  code: z.string().trim().min(1).max(128),
  system: z.string().trim().min(1).max(256),
  display: z.string().trim().max(256).default(''),
})
const title = z.string().trim().min(1).max(1000)
const comments = z.string().max(10_000).nullable()
const items = z.array(identifier).max(ITEMS_MAX)
const making = z.strictObject({
  title,
  comments: comments.default(null),
  codes: z.array(code).max(100).default([]),
  items: items.min(1, 'a folder begins with a document'),
  reason: reason.default('folder made'),
})
const changing = z.strictObject({
  title: title.optional(),
  comments: comments.optional(),
  codes: z.array(code).max(100).optional(),
  add: items.default([]),
  remove: items.default([]),
  status: z.enum(['current', 'entered-in-error']).optional(),
  reason,
})

/** How documents hang together: relations, and folders. Submission sets are what senders made of them and never change. */
export function documentLinkRoutes({ documents, desk }: LinkServices): readonly Route[] {
  async function found(asked: Asked, id: string): Promise<StoredDocument> {
    const document = await documents.document(id, asked.visibility)
    if (document === undefined) throw new ArchiveError('request.not-found', 'document')
    return document
  }

  const causeOf = ({ subject, address }: Asked, why: string) => ({ by: subject.name, address, reason: why })

  async function related(asked: Asked, decide: typeof relate): Promise<object> {
    const { kind, to, reason: why } = bodyAsked(asked, relating)
    const from = await found(asked, pathParameter(asked, 'any'))
    const target = await found(asked, to)
    await desk.decide(await decide(asked, kind, from, target), causeOf(asked, why))
    return documentView(await found(asked, from.objectId))
  }

  /** What takes the place of another supersedes it, and what was derived from it. ITI TF-2 section 3.42.4.1.3.5. */
  async function relate(
    asked: Asked,
    kind: RelationKind,
    from: StoredDocument,
    target: StoredDocument,
  ): Promise<DocumentDecision[]> {
    if (target.patientId !== null && from.patientId !== target.patientId) {
      throw new ArchiveError('document.patient-mismatch', 'the documents belong to different patients')
    }
    const decisions: DocumentDecision[] = [
      { is: 'relate', relation: { kind, from: from.objectId, to: target.objectId } },
    ]
    if (!isReplacing(kind)) return decisions
    if (target.status !== 'current') throw new ArchiveError('document.superseded', `it is ${target.status}`)
    const derived = target.relatedBy.filter(({ kind: how }) => how === 'transforms' || how === 'appends')
    const along = await Promise.all(derived.map((one) => documents.document(one.from, asked.visibility)))
    const superseded = [target, ...along.filter((one) => one !== undefined && one.status === 'current')]
    for (const one of superseded) {
      if (one !== undefined && one.objectId !== from.objectId)
        decisions.push({ is: 'status', objectId: one.objectId, status: 'superseded' })
    }
    return decisions
  }

  async function unrelate(
    _asked: Asked,
    kind: RelationKind,
    from: StoredDocument,
    target: StoredDocument,
  ): Promise<DocumentDecision[]> {
    const stands = from.relations.some((one) => one.kind === kind && one.to === target.objectId)
    if (!stands) throw new ArchiveError('document.reference', 'there is no such relation')
    const others = target.relatedBy.some((one) => isReplacing(one.kind) && one.from !== from.objectId)
    const back = isReplacing(kind) && !others && target.status === 'superseded'
    return [
      { is: 'unrelate', relation: { kind, from: from.objectId, to: target.objectId } },
      ...(back ? [{ is: 'status' as const, objectId: target.objectId, status: 'current' as const }] : []),
    ]
  }

  async function list(asked: Asked): Promise<DocumentList> {
    const { items: lists } = await documents.lists({ ids: [pathParameter(asked, 'id')], limit: 1 }, asked.visibility)
    const [only] = lists
    if (only === undefined) throw new ArchiveError('request.not-found', 'list')
    return only
  }

  /** Object ids of documents that may lie in a folder of this patient. */
  async function members(asked: Asked, given: readonly string[], patientId?: string | null): Promise<StoredDocument[]> {
    const all: StoredDocument[] = []
    for (const id of given) {
      const document = await found(asked, id)
      const whose = patientId === undefined ? (all[0]?.patientId ?? document.patientId) : patientId
      if (document.patientId !== whose) {
        throw new ArchiveError('document.patient-mismatch', 'a folder holds documents of one patient')
      }
      if (!all.some(({ objectId }) => objectId === document.objectId)) all.push(document)
    }
    return all
  }

  return [
    {
      method: 'POST',
      url: '/api/v1/documents/:any/relate',
      standard: STANDARD,
      needs: 'document.write',
      body: 'json',
      describes: {
        example: { kind: 'appends', to: '2.25.1', reason: 'the second part' },
        summary: 'Says how a document relates to another of the same patient; what it replaces is superseded.',
        request: jsonSchema(relating),
      },
      handle: (asked) => related(asked, relate),
    },
    {
      method: 'POST',
      url: '/api/v1/documents/:any/unrelate',
      standard: STANDARD,
      needs: 'document.write',
      body: 'json',
      describes: {
        example: { kind: 'appends', to: '2.25.1', reason: 'the second part' },
        summary: 'Takes a relation back; what nothing replaces any more is current again.',
        request: jsonSchema(relating),
      },
      handle: (asked) => related(asked, unrelate),
    },
    {
      method: 'POST',
      url: '/api/v1/document-lists',
      standard: STANDARD,
      needs: 'document.write',
      body: 'json',
      describes: {
        example: { title: 'Knee', items: ['2.25.1'] },
        summary: 'Makes a folder of documents of one patient.',
        request: jsonSchema(making),
      },
      async handle(asked, reply) {
        const { items: given, codes, reason: why, ...said } = bodyAsked(asked, making)
        const all = await members(asked, given)
        const now = new Date().toISOString()
        const id = randomUUID()
        const folder: DocumentList = {
          ...{ id, kind: 'folder', uniqueId: `urn:oid:2.25.${BigInt(`0x${id.replaceAll('-', '')}`)}`, sourceId: null },
          ...said,
          codes: codes.map((one) => ({ ...one, display: one.display || one.code })),
          ...{
            status: 'current',
            authors: [],
            intendedRecipients: [],
            patientId: all[0]?.patientId ?? null,
            time: now,
          },
          items: all.map(({ objectId }) => ({ is: 'document', id: objectId })),
          ...{ version: 1, lastUpdated: now, extra: {} },
        }
        await desk.decide([{ is: 'list', list: folder }], causeOf(asked, why))
        const { items: made } = await documents.lists({ ids: [id], limit: 1 }, asked.visibility)
        return reply.code(201).header('location', `/api/v1/document-lists/${id}`).send(made[0])
      },
    },
    {
      method: 'GET',
      url: '/api/v1/document-lists/:id',
      standard: STANDARD,
      needs: 'document.read',
      describes: { summary: 'A submission set or folder.' },
      async handle(asked) {
        const one = await list(asked)
        await asked.audit('read', { ...(one.patientId === null ? {} : { patientId: one.patientId }), detail: one.id })
        return one
      },
    },
    {
      method: 'GET',
      url: '/api/v1/document-lists/:id/versions',
      standard: STANDARD,
      needs: 'document.read',
      describes: { summary: 'Every state a list was in, newest first.' },
      async handle(asked) {
        const { id } = await list(asked)
        const versions = (await documents.listVersions(id, asked.visibility)) ?? []
        await asked.audit('read', { detail: `document list ${id}: versions` })
        return listAnswer(versions, null, versions.length)
      },
    },
    {
      method: 'PATCH',
      url: '/api/v1/document-lists/:id',
      standard: STANDARD,
      needs: 'document.write',
      body: 'json',
      describes: {
        example: { title: 'Knee, left', reason: 'the other side' },
        summary: 'Changes a folder: its title, what lies in it, whether it is withdrawn.',
        request: jsonSchema(changing),
      },
      async handle(asked) {
        const now = await list(asked)
        if (now.kind !== 'folder') throw new ArchiveError('document.invalid', 'a submission set does not change')
        const { add, remove, reason: why, codes, ...said } = bodyAsked(asked, changing)
        const more = await members(asked, add, now.patientId)
        const less = new Set((await members(asked, remove, now.patientId)).map(({ objectId }) => objectId))
        const kept = now.items.filter(({ id }) => !less.has(id))
        const fresh = more.filter(({ objectId }) => !kept.some(({ id }) => id === objectId))
        const changed: DocumentList = {
          ...now,
          ...Object.fromEntries(Object.entries(said).filter(([, value]) => value !== undefined)),
          ...(codes === undefined ? {} : { codes: codes.map((one) => ({ ...one, display: one.display || one.code })) }),
          time: new Date().toISOString(),
          items: [...kept, ...fresh.map(({ objectId }) => ({ is: 'document' as const, id: objectId }))],
        }
        await desk.decide([{ is: 'list', list: changed }], causeOf(asked, why))
        return list(asked)
      },
    },
  ]
}

function isReplacing(kind: RelationKind): boolean {
  return kind === 'replaces' || kind === 'transform-replaces'
}
