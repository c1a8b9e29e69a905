/** IHE XDM on a medium: what METADATA.XML says of the files beside it is the sender's voice. ITI TF-2 section 3.32. */
import type { Arrival, ArrivedBytes, Provenance } from '#model/arrival.ts'
import type { DocumentDesk, DocumentStatement, Submission } from '#model/document-desk.ts'
import type { Issuers } from '#security/issuers.ts'
import { DocumentError } from '#standards/document-error.ts'
import { readEbrim } from '#standards/xds/ebrim-read.ts'
import type { XdsMetadata } from '#standards/xds/types.ts'
import { documentName, metadataNames } from '#standards/xds/xdm.ts'
import { openSpooled } from '#storage/spool.ts'
import { type CountedLine, lineOf } from './import-line.ts'
import { listOf, relationOf, statementOf } from './xds/read-entry.ts'

/** METADATA.XML beyond this is none of a medium. Bytes. */
const METADATA_BYTES_MAX = 64 * 1024 * 1024

/** True for a file in a folder of IHE_XDM, except what tells people and machines of the others. */
export function isXdmDocument(label: string): boolean {
  const inside = /(?:^|\/)IHE_XDM\/[^/]+\/((?:[^/]+\/)*[^/]+)$/i.exec(label)?.[1]
  return inside !== undefined && !/^(METADATA\.XML|INDEX\.HTM|\..*|.*\/\..*)$/i.test(inside)
}

export function isXdmMetadata(label: string): boolean {
  return metadataNames([label.replace(/^.*!\//, '')]).length === 1
}

/** @returns null for what is no metadata of XDS: then it is passed over like any XML */
export function readXdm(bytes: ArrivedBytes): XdsMetadata | null {
  const source = openSpooled(bytes)
  try {
    if (source.size > METADATA_BYTES_MAX) return null
    return readEbrim(Uint8Array.from(source.read(0, source.size)))
  } catch (error) {
    if (error instanceof DocumentError) return null
    throw error
  } finally {
    source.close()
  }
}

export interface XdmFile {
  readonly label: string
  readonly bytes: ArrivedBytes
  readonly told: (line: CountedLine) => CountedLine
}

/** One submission set with the files it names. */
export interface XdmSet {
  readonly files: readonly XdmFile[]
  readonly submission: Submission
}

/**
 * Puts a set together. Entries whose file is not on the medium are left out, and so are relations to what is not in the set:
 * a medium may be part of something larger.
 */
export function xdmSet(
  metadataLabel: string,
  metadata: XdsMetadata,
  files: ReadonlyMap<string, XdmFile>,
  issuers: Issuers,
  whose: Pick<DocumentStatement, 'owner' | 'studyInstanceUID'>,
  provenanceOf: (label: string) => Provenance,
): XdmSet {
  const names = [...files.keys()]
  const labels = new Map<string, string>()
  const taken: XdmFile[] = []
  const documents = metadata.documents.flatMap((entry) => {
    const name = entry.URI === null ? null : documentName(metadataLabel, entry.URI, names)
    const file = name === null ? undefined : files.get(name)
    if (file === undefined || taken.includes(file)) return []
    taken.push(file)
    labels.set(entry.entryUUID, file.label)
    const arrival: Arrival = {
      provenance: provenanceOf(file.label),
      claims: { document: true, ...(entry.mimeType === '' ? {} : { mediaType: entry.mimeType }) },
      bytes: file.bytes,
    }
    const statement = statementOf(issuers, entry)
    return [
      { label: file.label, arrival, statement: { ...statement, ...(statement.owner === undefined ? whose : {}) } },
    ]
  })
  const lists = [...metadata.submissionSets, ...metadata.folders].filter(({ uniqueId }) => uniqueId !== '')
  for (const { entryUUID } of lists) labels.set(entryUUID, entryUUID)
  const members = (source: string) =>
    metadata.associations.flatMap(({ type, source: from, target }) => {
      const label = labels.get(target)
      return type === 'HasMember' && from === source && label !== undefined ? [label] : []
    })
  const now = new Date().toISOString()
  return {
    files: taken,
    submission: {
      documents,
      lists: documents.length === 0 ? [] : lists.map((list) => listOf(issuers, list, members(list.entryUUID), now)),
      relations: metadata.associations.flatMap(({ type, source, target }) => {
        const [kind, from, to] = [relationOf(type), labels.get(source), labels.get(target)]
        return kind === undefined || from === undefined || to === undefined ? [] : [{ kind, from, to }]
      }),
      ...{ patientsKnown: false, complete: false },
    },
  }
}

/** Sends a set and tells each of its files. */
export async function submitXdm(
  desk: Pick<DocumentDesk, 'submit'>,
  { files, submission }: XdmSet,
): Promise<CountedLine[]> {
  const outcome = await desk.submit(submission)
  const receipts = outcome.is === 'kept' ? outcome.documents : outcome.receipts
  return receipts.flatMap(({ label, receipt }) => {
    const file = files.find((one) => one.label === label)
    if (file === undefined) return []
    const kept = outcome.is === 'kept' ? outcome.documents.find((one) => one.label === label) : undefined
    const line = lineOf(label, receipt)
    const told =
      kept === undefined ? line : { ...line, id: kept.document.objectId, duplicate: kept.duplicate, stored: true }
    const { bytes } = file
    const size = bytes.in === 'memory' ? bytes.bytes.byteLength : bytes.size
    return [file.told({ line: told, bytes: size, failed: false })]
  })
}
