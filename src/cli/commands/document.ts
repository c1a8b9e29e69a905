import { createHash } from 'node:crypto'
import { createWriteStream } from 'node:fs'
import { rm } from 'node:fs/promises'
import { basename, resolve } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { DOCUMENT_FILTERS, documentQuery } from '#access/desk/document-query.ts'
import { documentView } from '#access/desk/document-view.ts'
import { DESCRIBING_QUERY, describedByQuery, relationsOf, statementOf } from '#arrival/document-form.ts'
import { loadFile, openFile } from '#arrival/media-import-load.ts'
import { ArchiveError } from '#errors.ts'
import type { StoredDocument } from '#model/document.ts'
import type { DocumentDecision, SubmittedDocument } from '#model/document-desk.ts'
import { EVERYTHING } from '#model/visibility.ts'
import type { Archive } from '../../app.ts'
import { siteValues } from '../../app-document-routes.ts'
import {
  type ArchiveCommand,
  action,
  type Emit,
  type ExitStatus,
  type Flag,
  type Given,
  isSet,
  needed,
  operand,
  text,
  UsageError,
  wholeNumber,
} from '../command.ts'
import { paged } from '../paged.ts'
import { oneLine, sizeText } from '../terminal.ts'

const ACTIONS = ['list', 'show', 'versions', 'add', 'get', 'search', 'complete', 'withdraw', 'delete'] as const
const CAUSE = { by: 'local', address: null }

/** Filters of `list` and descriptions of `add` and `complete`, by the names they have over HTTP. */
const FLAGS = Object.fromEntries(
  Object.entries({ ...DOCUMENT_FILTERS, ...DESCRIBING_QUERY })
    .filter(([name]) => !['incomplete', 'text', 'name', 'complete'].includes(name))
    .map(([name, about]): [string, Flag] => [name, { type: 'string', value: 'X', about }]),
)

export const documentCommand: ArchiveCommand = {
  runs: 'in-owner',
  name: 'document',
  summary: 'Add, find, read, describe and delete documents',
  operands:
    'list | show ID | versions ID | add FILE... | get ID | search WORDS | complete ID | withdraw ID | delete ID',
  flags: {
    ...FLAGS,
    waiting: { type: 'boolean', about: 'list: only those with required metadata missing' },
    complete: { type: 'boolean', about: 'add: refuse when required metadata is missing' },
    out: { type: 'string', value: 'FILE', about: 'get: where the bytes go; must not exist' },
    reason: { type: 'string', value: 'TEXT', about: 'why; needed to withdraw and to delete' },
    limit: { type: 'string', value: 'N', about: 'at most so many (default 100)' },
  },
  operandCount: [1, 200],
  more: `ID is any identifier: object id, unique id, entry UUID, SHA-256. Files of one add are one submission: all are kept, or
none. Documents with their metadata leave by export --documents.`,
  async run(archive, given, emit) {
    const what = action(given, ACTIONS)
    switch (what) {
      case 'list':
        return list(archive, given, emit)
      case 'add':
        return add(archive, given, emit)
      case 'search':
        return search(archive, given, emit)
    }
    const document = await found(archive, operand(given, 1, 'the id of the document'))
    switch (what) {
      case 'show':
        await emit({ json: documentView(document), text: longText(document) })
        return 0
      case 'versions': {
        for (const version of (await archive.documents.versions(document.objectId, EVERYTHING)) ?? []) {
          const { document: state, ...cause } = version
          const line = `${String(version.version).padEnd(4)} ${cause.time}  ${state.status.padEnd(16)} ${cause.by}: ${cause.reason}`
          await emit({ json: { ...cause, document: documentView(state) }, text: oneLine(line) })
        }
        return 0
      }
      case 'get':
        return get(archive, document, resolve(given.workingDirectory, needed(given, 'out')), emit)
      case 'complete':
        return complete(archive, document, given, emit)
      case 'withdraw': {
        const { objectId } = document
        const decision = { is: 'status', objectId, status: 'entered-in-error' } as const
        await archive.documentDesk.decide([decision], { ...CAUSE, reason: needed(given, 'reason') })
        return tell(archive, objectId, emit)
      }
      case 'delete':
        await archive.documentDesk.delete(document.objectId, { ...CAUSE, reason: needed(given, 'reason') })
        await emit({ json: { id: document.objectId, deleted: true }, text: `${document.objectId} deleted` })
        return 0
    }
  },
}

async function found({ documents }: Archive, id: string): Promise<StoredDocument> {
  const document = await documents.document(id, EVERYTHING)
  if (document === undefined) throw new ArchiveError('request.not-found', 'document')
  return document
}

async function tell(archive: Archive, id: string, emit: Emit): Promise<ExitStatus> {
  const document = await found(archive, id)
  await emit({ json: documentView(document), text: shortText(document) })
  return 0
}

/** The flags that were given, of these names. */
function asQuery(given: Given, names: readonly string[]): URLSearchParams {
  const query = new URLSearchParams()
  for (const name of names) {
    const value = text(given, name)
    if (value !== undefined) query.set(name, value)
  }
  return query
}

async function list(archive: Archive, given: Given, emit: Emit): Promise<ExitStatus> {
  const { documents, reader } = archive
  const query = asQuery(given, Object.keys(DOCUMENT_FILTERS))
  if (isSet(given, 'waiting')) query.set('incomplete', 'true')
  const asked = await documentQuery({ query }, 1000, (id, issuer) => reader.patientIds(id, issuer))
  let shown = 0
  for await (const { document } of paged(wholeNumber(given, 'limit', 100, 1), (page) =>
    documents.documents({ ...asked, ...page }, EVERYTHING),
  )) {
    await emit({ json: documentView(document), text: shortText(document) })
    shown += 1
  }
  if (shown === 0) await emit({ note: 'There are no such documents.' })
  return 0
}

async function search(archive: Archive, given: Given, emit: Emit): Promise<ExitStatus> {
  const words = given.positionals.slice(1).join(' ')
  const patient = text(given, 'patient')
  const ids =
    patient === undefined ? {} : { patientIds: await archive.reader.patientIds(patient, text(given, 'issuer')) }
  let shown = 0
  for await (const hit of paged(wholeNumber(given, 'limit', 100, 1), (page) =>
    archive.documents.searchText({ text: words, ...ids, ...page }, EVERYTHING),
  )) {
    const snippet = hit.snippet.replaceAll('\ue000', '[').replaceAll('\ue001', ']')
    await emit({ json: hit, text: oneLine(`${hit.objectId}  ${hit.title || 'no title'}: ${snippet}`) })
    shown += 1
  }
  if (shown === 0) await emit({ note: 'No document holds these words.' })
  return 0
}

async function add(archive: Archive, given: Given, emit: Emit): Promise<ExitStatus> {
  const files = given.positionals.slice(1)
  if (files.length === 0) throw new UsageError('FILE is missing')
  const described = describedByQuery(asQuery(given, Object.keys(DESCRIBING_QUERY)))
  const statement = statementOf(described, siteValues(archive)().table)
  if (files.length > 1 && described.uniqueId !== undefined) throw new UsageError('--uniqueId is for one file')
  const submitted: SubmittedDocument[] = []
  const spool = { directory: archive.spoolDirectory, bytesMax: archive.config.limits.objectSize }
  try {
    for (const label of files) {
      const bytes = await load(resolve(given.workingDirectory, label), spool)
      const provenance = {
        ...{ door: 'media' as const, peer: null, originator: described.originator ?? null, user: null, address: null },
        ...{ medium: null, path: basename(label), time: new Date().toISOString() },
      }
      submitted.push({ label, arrival: { provenance, claims: { document: true }, bytes }, statement })
    }
  } catch (error) {
    for (const { arrival } of submitted) if (arrival.bytes.in === 'spool') await rm(arrival.bytes.path, { force: true })
    throw error
  }
  const receipt = await archive.documentDesk.submit({
    ...{ documents: submitted, lists: [], patientsKnown: false, complete: isSet(given, 'complete') },
    relations: files.flatMap((label) => relationsOf(label, described)),
  })
  if (receipt.is === 'kept') {
    for (const { label, document, duplicate } of receipt.documents) {
      const note = duplicate
        ? 'kept already'
        : document.missing.length === 0
          ? 'kept'
          : `kept; missing ${document.missing.join(', ')}`
      const json = { path: label, stored: true, duplicate, ...documentView(document) }
      await emit({ json, text: oneLine(`${document.objectId}  ${label}: ${note}`) })
    }
    return 0
  }
  for (const { label, receipt: told } of receipt.receipts) {
    const { verdict, quarantineId, reason, findings } = told
    const json = { path: label, stored: false, duplicate: false, verdict, quarantineId, reason, findings }
    await emit({ json, text: oneLine(`${label}: ${verdict}: ${reason}`) })
  }
  for (const { code, path, detail } of receipt.faults)
    await emit({ note: `${code}${path === null ? '' : ` ${path}`}: ${detail}` })
  return 2
}

async function load(path: string, spool: Parameters<typeof loadFile>[1]) {
  let file: Awaited<ReturnType<typeof openFile>>
  try {
    file = await openFile(Buffer.from(path))
  } catch (error) {
    throw new ArchiveError('request.not-found', `${path}: ${error instanceof Error ? error.message : String(error)}`)
  }
  try {
    return await loadFile(file, spool)
  } finally {
    await file.close()
  }
}

async function complete(archive: Archive, document: StoredDocument, given: Given, emit: Emit): Promise<ExitStatus> {
  const { objectId } = document
  const described = describedByQuery(asQuery(given, Object.keys(DESCRIBING_QUERY)))
  const { metadata, owner } = statementOf(described, siteValues(archive)().table)
  const decisions: DocumentDecision[] = [
    ...(Object.keys(metadata).length === 0
      ? []
      : [{ is: 'metadata' as const, objectId, metadata, source: 'person' as const }]),
    ...(owner === undefined ? [] : [{ is: 'owner' as const, objectId, owner: named(archive, owner) }]),
  ]
  if (decisions.length === 0) throw new UsageError('say something of it, e.g. --type, --patient')
  await archive.documentDesk.decide(decisions, { ...CAUSE, reason: text(given, 'reason') ?? 'metadata filled in' })
  return tell(archive, objectId, emit)
}

function named(archive: Archive, owner: NonNullable<ReturnType<typeof statementOf>['owner']>) {
  if (owner.by === 'study' || owner.issuer !== '') return owner
  return { ...owner, issuer: archive.settings.get('identity.defaultIssuer') }
}

const PIECE_BYTES = 1024 * 1024

async function get({ segments }: Archive, document: StoredDocument, out: string, emit: Emit): Promise<ExitStatus> {
  const { content, location, size, sha256, objectId } = document
  const base = content.in === 'object' ? content.start : 0
  const hash = createHash('sha256')
  async function* pieces(): AsyncGenerator<Uint8Array> {
    for (let at = 0; at < size; at += PIECE_BYTES) {
      const end = Math.min(at + PIECE_BYTES, size)
      const piece = await segments.read(location, { start: base + at, end: base + end })
      if (piece?.byteLength !== end - at) throw damaged(objectId)
      hash.update(piece)
      yield piece
    }
    if (hash.digest('hex') !== sha256) throw damaged(objectId)
  }
  try {
    await pipeline(Readable.from(pieces()), createWriteStream(out, { flags: 'wx', flush: true }))
  } catch (error) {
    const exists = (error as NodeJS.ErrnoException).code === 'EEXIST'
    if (exists) throw new ArchiveError('request.conflict', `${out} exists`)
    await rm(out, { force: true })
    throw error
  }
  await emit({ json: { id: objectId, out, size, sha256 }, text: `${out}: ${sizeText(size)}` })
  return 0
}

function damaged(objectId: string): ArchiveError {
  return new ArchiveError('storage.damaged', `the stored bytes of document ${objectId} are not what was kept`)
}

function shortText({ objectId, kind, status, metadata, missing }: StoredDocument): string {
  const state = missing.length > 0 ? `waits for ${missing.join(', ')}` : status
  const type = metadata.typeCode?.display ?? 'no type'
  return oneLine(
    `${objectId}  ${kind.padEnd(6)} ${metadata.title ?? 'no title'}  ${type}  ${metadata.creationTime ?? ''}  ${state}`,
  )
}

function longText(document: StoredDocument): string {
  const { metadata, sources } = document
  const rows: [string, string][] = [
    ['id', document.objectId],
    ['unique id', document.uniqueId],
    ['entry UUID', document.entryUuid],
    ['kind', `${document.kind}, ${document.mediaType}, ${sizeText(document.size)}`],
    ['SHA-256', document.sha256],
    [
      'status',
      `${document.status}, version ${document.version}${document.phase === null ? '' : `, ${document.phase}`}`,
    ],
    ['patient', document.patientId ?? ''],
    ['study', document.studyInstanceUID ?? ''],
    ['missing', document.missing.join(', ')],
    ['relations', document.relations.map(({ kind, to }) => `${kind} ${to}`).join(', ')],
    ['related by', document.relatedBy.map(({ kind, from }) => `${from} ${kind} it`).join(', ')],
  ]
  for (const [field, value] of Object.entries(metadata)) {
    const said = saidText(value)
    const source = sources[field as keyof typeof sources]
    if (said !== '') rows.push([field, source === undefined ? said : `${said} (${source})`])
  }
  return rows
    .filter(([, value]) => value !== '')
    .map(([name, value]) => oneLine(`${name.padEnd(20)}${value}`))
    .join('\n')
}

function saidText(value: unknown): string {
  if (value === null || value === undefined) return ''
  if (typeof value === 'string') return value
  if (Array.isArray(value)) return value.map(saidText).join('; ')
  if (typeof value !== 'object') return String(value)
  if ('display' in value && 'code' in value) return `${value.display} (${value.code})`
  return Object.values(value)
    .map(saidText)
    .filter((part) => part !== '')
    .join(' ')
}
