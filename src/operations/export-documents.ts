/**
 * Documents leave with their metadata: an IHE XDM package, one submission set for each patient. ITI TF-1 section 16, ITI
 * TF-2 section 3.32. The documents stand before the METADATA.XML that names them, so that it names only what is there.
 */
import { createHash, randomUUID } from 'node:crypto'
import { createWriteStream } from 'node:fs'
import fs from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { ArchiveError } from '#errors.ts'
import type { DocumentList, StoredDocument } from '#model/document.ts'
import type { DocumentReader } from '#model/document-desk.ts'
import type { Visibility } from '#model/visibility.ts'
import type { Issuers } from '#security/issuers.ts'
import type { XdsAssociation, XdsDocumentEntry, XdsSubmissionSet } from '#standards/xds/types.ts'
import { cx, dtm } from '#standards/xds/values.ts'
import {
  documentRow,
  fileName,
  type IndexRow,
  indexPage,
  metadataFile,
  readme,
  subsetFolder,
  type XdmMaker,
} from '#standards/xds/xdm.ts'
import { nodeDisk, systemCode, writeFailure } from '#storage/disk.ts'
import { type ZipEntry, zipStream } from '#storage/zip-writer.ts'
import type { LeavingDocument, LeavingDocuments } from './leaving-documents.ts'
import { associationsAmong, documentEntryOf, folderOf, identifierOf } from './xds-metadata.ts'

export interface DocumentExportTools {
  readonly documents: Pick<DocumentReader, 'documents' | 'lists'>
  /** What leaves of a document by the site's policy. */
  readonly leaving: Pick<LeavingDocuments, 'of'>
  readonly visibility: Visibility
  readonly issuers: Issuers
  readonly maker: XdmMaker
  /** Number of a patient and what issued it, by the opaque id. */
  patient(patientId: string): { readonly issuer: string; readonly id: string } | undefined
  onItem?(item: DocumentExportItem): void
  readonly signal?: AbortSignal
}

export interface DocumentExportItem {
  readonly path: string
  /** Object id of the document. */
  readonly id: string
  readonly bytes: number
  /** Null when it was written; else why not. */
  readonly failure: string | null
}

export interface DocumentExportSummary {
  readonly files: number
  readonly bytes: number
  readonly failed: number
}

/** Documents of one patient that leave together; of nobody yet when `patientId` is null. */
export interface DocumentGroup {
  readonly patientId: string | null
  readonly documents: readonly StoredDocument[]
}

const PAGE = 500
/** Up to this length a document is read once, into memory; above, its digest is taken first. */
const WHOLE_BYTES_MAX = 4 * 1024 * 1024

/**
 * The files of a package. `summary` has its counts once the entries have ended.
 * @throws ArchiveError 'storage.read-only' and the like when storage fails; a damaged document is told and left out
 */
export function documentPackage(
  groups: AsyncIterable<DocumentGroup> | Iterable<DocumentGroup>,
  tools: DocumentExportTools,
): { readonly entries: AsyncGenerator<ZipEntry>; summary(): DocumentExportSummary } {
  const counts = { files: 0, bytes: 0, failed: 0 }

  async function* subset(group: DocumentGroup, folder: string, rows: IndexRow[]): AsyncGenerator<ZipEntry> {
    const { issuers } = tools
    const whose = group.patientId === null ? undefined : tools.patient(group.patientId)
    const patientId = whose === undefined ? null : cx(identifierOf(issuers, whose.issuer, whose.id))
    const written: StoredDocument[] = []
    const entries: XdsDocumentEntry[] = []
    for (const kept of group.documents) {
      tools.signal?.throwIfAborted()
      const uri = fileName(kept.mediaType, written.length + 1)
      const path = `${folder}/${uri}`
      const checkedOut = await checked(tools, kept)
      if (typeof checkedOut === 'string') {
        counts.failed++
        tools.onItem?.({ path, id: kept.objectId, bytes: 0, failure: checkedOut })
        continue
      }
      const { content, size, sha1, sha256 } = checkedOut
      // The metadata are of the bytes that are in the package.
      const document: StoredDocument = { ...kept, size, sha1, sha256 }
      yield { name: path, size: document.size, time: new Date(document.created), content }
      counts.files++
      counts.bytes += document.size
      tools.onItem?.({ path, id: document.objectId, bytes: document.size, failure: null })
      const entry = { ...documentEntryOf(issuers, document, patientId), URI: uri }
      written.push(document)
      entries.push(entry)
      rows.push(documentRow({ document: entry, href: path }))
    }
    if (written.length === 0) return
    const content = metadataFile(await metadataOf(tools, written, entries, patientId))
    yield { name: `${folder}/METADATA.XML`, size: content.byteLength, time: new Date(), content: [content] }
  }

  async function* entries(): AsyncGenerator<ZipEntry> {
    const { maker } = tools
    let rows: IndexRow[] = []
    const index: IndexRow[] = []
    let number = 0
    for await (const group of groups) {
      if (group.documents.length === 0) continue
      const folder = subsetFolder(number + 1)
      const mine: IndexRow[] = []
      yield* subset(group, folder, mine)
      if (mine.length === 0) continue
      number++
      rows = mine
      // Of many patients the first page is a list of pages: it stays small however much there is.
      const count = `${mine.length} document${mine.length === 1 ? '' : 's'}`
      index.push({ href: `${folder}/INDEX.HTM`, title: folder.slice('IHE_XDM/'.length), type: count, created: '' })
      const page = Buffer.from(indexPage(mine.map(beside), maker).replace(/<p><a href="README\.TXT">.*<\/p>\n/, ''))
      yield { name: `${folder}/INDEX.HTM`, size: page.byteLength, time: new Date(), content: [page] }
    }
    if (number === 0) return
    const page = Buffer.from(indexPage(number === 1 ? rows : index, maker))
    yield { name: 'INDEX.HTM', size: page.byteLength, time: new Date(), content: [page] }
    const text = Buffer.from(readme(counts.files, maker))
    yield { name: 'README.TXT', size: text.byteLength, time: new Date(), content: [text] }
  }

  return { entries: entries(), summary: () => ({ ...counts }) }
}

const beside = (row: IndexRow): IndexRow => ({ ...row, href: row.href.slice(row.href.lastIndexOf('/') + 1) })

/** The package as one ZIP, written while it is read. */
export function documentZip(
  groups: AsyncIterable<DocumentGroup> | Iterable<DocumentGroup>,
  tools: DocumentExportTools,
): { readonly stream: AsyncGenerator<Uint8Array, void, void>; summary(): DocumentExportSummary } {
  const { entries, summary } = documentPackage(groups, tools)
  return { stream: zipStream(entries), summary }
}

/**
 * The package as files in a folder that has none of them.
 * @throws ArchiveError 'storage.full', 'request.conflict'
 */
export async function documentFolder(
  groups: AsyncIterable<DocumentGroup> | Iterable<DocumentGroup>,
  tools: DocumentExportTools,
  out: string,
): Promise<DocumentExportSummary> {
  const { entries, summary } = documentPackage(groups, tools)
  try {
    for await (const { name, content } of entries) {
      const target = join(out, ...name.split('/'))
      await fs.mkdir(dirname(target), { recursive: true })
      await pipeline(Readable.from(content), createWriteStream(target, { flags: 'wx' }))
    }
    await nodeDisk.flushDirectory(out)
  } catch (error) {
    throw systemCode(error) === '' ? error : writeFailure(error, 'the exported documents')
  }
  return summary()
}

/** All documents of these patients that the caller may see, oldest first; withdrawn ones too. */
export async function* groupsOf(
  { documents, visibility }: Pick<DocumentExportTools, 'documents' | 'visibility'>,
  patientIds: AsyncIterable<string | null> | Iterable<string | null>,
  wanted: (document: StoredDocument) => boolean = () => true,
): AsyncGenerator<DocumentGroup> {
  for await (const patientId of patientIds) {
    const found: StoredDocument[] = []
    let cursor: string | undefined
    do {
      const page = await documents.documents(
        {
          ...(patientId === null ? { unowned: true } : { patientIds: [patientId] }),
          ...{ order: 'oldest', limit: PAGE, ...(cursor === undefined ? {} : { cursor }) },
        },
        visibility,
      )
      for (const { document } of page.items) if (wanted(document)) found.push(document)
      cursor = page.next ?? undefined
    } while (cursor !== undefined)
    yield { patientId, documents: found }
  }
}

/** @returns the bytes as they leave, known to be right; or why they cannot be given */
async function checked(
  { leaving, signal }: Pick<DocumentExportTools, 'leaving' | 'signal'>,
  document: StoredDocument,
): Promise<(Pick<LeavingDocument, 'size' | 'sha1' | 'sha256'> & { content: AsyncIterable<Uint8Array> }) | string> {
  const held: Uint8Array[] = []
  try {
    const out = await leaving.of(document)
    const { size, sha1, sha256 } = out
    for await (const piece of out.whole()) {
      signal?.throwIfAborted()
      if (size <= WHOLE_BYTES_MAX) held.push(piece)
    }
    const whole = async function* () {
      yield* held
    }
    return { size, sha1, sha256, content: size <= WHOLE_BYTES_MAX ? whole() : out.pieces(0, size) }
  } catch (error) {
    if (error instanceof ArchiveError && TOLD.has(error.code)) return error.message
    throw error
  }
}

/** Why a document is left out; anything else ends the export. */
const TOLD: ReadonlySet<string> = new Set(['storage.damaged', 'document.withheld'])

async function metadataOf(
  tools: DocumentExportTools,
  written: readonly StoredDocument[],
  documents: readonly XdsDocumentEntry[],
  patientId: string | null,
) {
  const set: XdsSubmissionSet = {
    entryUUID: `urn:uuid:${randomUUID()}`,
    uniqueId: oidOf(randomUUID().replaceAll('-', '')),
    sourceId: oidOf(createHash('sha256').update(tools.maker.institution).digest('hex').slice(0, 32)),
    patientId,
    submissionTime: dtm(new Date().toISOString()),
    title: `Documents of ${tools.maker.institution}`,
    comments: null,
    author: [
      { person: null, institutions: [tools.maker.institution], roles: [], specialties: [], telecommunications: [] },
    ],
    contentTypeCode: { code: '11503-0', scheme: '2.16.840.1.113883.6.1', display: 'Medical records' },
    intendedRecipient: [],
    availabilityStatus: 'Approved',
    homeCommunityId: null,
    extra: {},
  }
  const nextId = () => `urn:uuid:${randomUUID()}`
  const folders = await foldersOf(tools, written)
  const uuidOf = new Map(written.map(({ objectId, entryUuid }) => [objectId, `urn:uuid:${entryUuid}`]))
  const holds = (source: string, target: string, original: boolean): XdsAssociation => ({
    ...{ entryUUID: nextId(), type: 'HasMember', source, target },
    submissionSetStatus: original ? 'Original' : null,
  })
  return {
    documents,
    submissionSets: [set],
    folders: folders.map((folder) => folderOf(folder, patientId)),
    associations: [
      ...documents.map(({ entryUUID }) => holds(set.entryUUID, entryUUID, true)),
      ...folders.flatMap((folder) => [
        holds(set.entryUUID, `urn:uuid:${folder.id}`, true),
        ...folder.items.flatMap(({ id }) => {
          const member = uuidOf.get(id)
          return member === undefined ? [] : [holds(`urn:uuid:${folder.id}`, member, false)]
        }),
      ]),
      ...associationsAmong(written, nextId),
    ],
  }
}

/** Folders that hold any of these documents. */
async function foldersOf(
  { documents, visibility }: DocumentExportTools,
  written: readonly StoredDocument[],
): Promise<DocumentList[]> {
  const patientIds = [...new Set(written.flatMap(({ patientId }) => patientId ?? []))]
  if (patientIds.length === 0) return []
  const ids = new Set(written.map(({ objectId }) => objectId))
  const { items } = await documents.lists({ kind: 'folder', patientIds, limit: 1000 }, visibility)
  return items.filter((list) => list.items.some(({ id }) => ids.has(id)))
}

function oidOf(hex: string): string {
  return `2.25.${BigInt(`0x${hex}`)}`
}
