import type { Extension, List } from '@medplum/fhirtypes'
import type { DocumentList } from '#model/document.ts'
import { tokenOf, unescaped } from '#standards/fhir/search-syntax.ts'
import { compact, type Loose } from './compact.ts'
import type { Criteria } from './criteria.ts'
import { authorsOf } from './document-author.ts'
import { conceptOf, rangeAsked, uniqueIdUri, yearsOf } from './document-reference.ts'
import type { Caller, FhirSources, ResourceKind } from './kind.ts'

export const MHD = 'https://profiles.ihe.net/ITI/MHD'
const LIST_TYPES = `${MHD}/CodeSystem/MHDlistTypes`
const UUID_SYSTEM = 'urn:ietf:rfc:3986'

const STATUSES = { current: 'current', superseded: 'retired', 'entered-in-error': 'entered-in-error' } as const
const KINDS = { 'submission-set': 'submissionset', folder: 'folder' } as const

/** SubmissionSet or Folder. services.md C.5; IHE MHD 4.2. */
export async function listOf(
  { documents, issuers }: Pick<FhirSources, 'documents' | 'issuers'>,
  list: DocumentList,
  { visibility }: Pick<Caller, 'visibility'>,
): Promise<List> {
  const authors = authorsOf(list.authors, 'author', issuers())
  const extension: Loose<Extension>[] = list.codes.map((code) => ({
    url: `${MHD}/StructureDefinition/ihe-designationType`,
    valueCodeableConcept: conceptOf(code),
  }))
  if (list.sourceId !== null) {
    const value = uniqueIdUri(list.sourceId)
    extension.push({ url: `${MHD}/StructureDefinition/ihe-sourceId`, valueIdentifier: { value } })
  }
  for (const recipient of list.intendedRecipients) {
    extension.push({ url: `${MHD}/StructureDefinition/ihe-intendedRecipient`, valueReference: { display: recipient } })
  }
  // What the sender said beyond that, and nobody here reads.
  const kept = list.extra['fhirExtension']
  if (Array.isArray(kept)) extension.push(...(kept as Extension[]))
  const entry: { item: { reference: string } }[] = []
  for (const item of list.items) {
    if (item.is === 'list') entry.push({ item: { reference: `List/${item.id}` } })
    else {
      const document = await documents.document(item.id, visibility)
      if (document !== undefined) entry.push({ item: { reference: `DocumentReference/${document.entryUuid}` } })
    }
  }
  return compact<List>({
    resourceType: 'List',
    id: list.id,
    meta: { versionId: String(list.version), lastUpdated: list.lastUpdated },
    contained: authors.contained as List['contained'],
    extension,
    identifier: [
      { use: 'official', system: UUID_SYSTEM, value: `urn:uuid:${list.id}` },
      { use: 'usual', system: UUID_SYSTEM, value: uniqueIdUri(list.uniqueId) },
    ],
    status: STATUSES[list.status],
    mode: 'working',
    title: list.title,
    code: { coding: [{ system: LIST_TYPES, code: KINDS[list.kind] }] },
    subject: list.patientId === null ? undefined : { reference: `Patient/${list.patientId}` },
    date: list.time,
    source: authors.references[0],
    note: list.comments === null ? [] : [{ text: list.comments }],
    entry,
  })
}

type Asked = Omit<Parameters<FhirSources['documents']['lists']>[0], 'limit' | 'cursor'>

async function queryOf({ documents }: FhirSources, criteria: Criteria, { visibility }: Caller): Promise<Asked> {
  const ids = criteria.values('_id')
  const patientIds = criteria.patients()
  const codes = criteria.peek('code')?.values.map((value) => tokenOf(value).code)
  const kinds = (Object.keys(KINDS) as (keyof typeof KINDS)[]).filter((kind) => codes?.includes(KINDS[kind]))
  const status = criteria.peek('status')
  const words = status?.values.map((value) => tokenOf(value).code)
  // MHD asks for lists that are `superseded`, FHIR calls them `retired`. ITI-66, table 2:3.66.4.1.3.1-3
  const statuses = (Object.keys(STATUSES) as (keyof typeof STATUSES)[]).filter(
    (one) => words?.includes(STATUSES[one]) || words?.includes(one),
  )
  if (status !== undefined) criteria.take(status)
  const designations = criteria.tokens('designationType')
  const sources = criteria.tokens('sourceId')
  const family = criteria.values('source.family')
  const given = criteria.values('source.given')
  const author = { ...(family === undefined ? {} : { family }), ...(given === undefined ? {} : { given }) }
  const time = yearsOf(rangeAsked(criteria, 'date'))
  const item = criteria.peek('item')
  const [held, ...more] = item?.values.map(unescaped) ?? []
  const document =
    held === undefined || more.length > 0
      ? undefined
      : await documents.document(held.replace(/^.*DocumentReference\//, ''), visibility)
  return {
    ...(ids === undefined ? {} : { ids }),
    ...(patientIds === undefined ? {} : { patientIds }),
    ...(kinds.length === 1 && kinds[0] !== undefined ? { kind: kinds[0] } : {}),
    ...(status === undefined ? {} : { statuses }),
    ...(designations === undefined ? {} : { codes: designations }),
    ...(sources === undefined
      ? {}
      : { sourceIds: sources.flatMap(({ code }) => [code, code.replace(/^urn:oid:/, '')]) }),
    ...(family === undefined && given === undefined ? {} : { author }),
    ...(time === undefined ? {} : { time }),
    ...(document === undefined ? {} : { holds: document.objectId }),
  }
}

export const listKind: ResourceKind = {
  type: 'List',
  made: 'primary',
  owner: 'the document panel: submission sets and folders (`model/document.ts`)',
  writable: 'all that ITI-65 sends at creation; of a folder title and entries, of both the status',
  versions: 'version of the list; every former state is kept',
  needs: { read: 'document.read', create: 'document.store', change: 'document.write' },
  parameters: [
    ...['patient', 'subject', 'code', 'status', 'date', 'identifier', 'designationType', 'sourceId', 'source.given'],
    ...['source.family', 'item', 'title', 'notes'],
  ],
  includes: ['patient', 'subject', 'item'],
  revIncludes: [],
  sorts: ['-date'],
  history: true,
  source(sources) {
    const { documents } = sources
    const made = (list: DocumentList, caller: Caller) => listOf(sources, list, caller)
    return {
      async read(id, caller) {
        const { items } = await documents.lists({ ids: [id], limit: 1 }, caller.visibility)
        return items[0] === undefined ? undefined : made(items[0], caller)
      },
      async versions(id, caller) {
        const versions = await documents.listVersions(id, caller.visibility)
        return versions === undefined ? undefined : Promise.all(versions.map((list) => made(list, caller)))
      },
      async search(criteria, { limit, cursor }, caller) {
        const query = await queryOf(sources, criteria, caller)
        const page = await documents.lists(
          { ...query, limit, ...(cursor === undefined ? {} : { cursor }) },
          caller.visibility,
        )
        return { resources: await Promise.all(page.items.map((list) => made(list, caller))), next: page.next }
      },
    }
  },
}
