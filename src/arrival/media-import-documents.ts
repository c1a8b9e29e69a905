/** Documents on a medium: which files are reports, whose they are, and when it is their turn. */
import { basename } from 'node:path/posix'
import type { Arrival, ArrivedBytes, Provenance, Receipt } from '#model/arrival.ts'
import type { DocumentDesk, DocumentStatement } from '#model/document-desk.ts'
import type { Issuers } from '#security/issuers.ts'
import { documentKindOf } from '#standards/media/document-kind.ts'
import type { XdsMetadata } from '#standards/xds/types.ts'
import { openSpooled, SpoolWriter } from '#storage/spool.ts'
import { type CountedLine, lineOf } from './import-line.ts'
import type { Job } from './media-import-flight.ts'
import type { Spool } from './media-import-load.ts'
import { isXdmDocument, isXdmMetadata, readXdm, submitXdm, type XdmFile, xdmSet } from './media-import-xdm.ts'

/** Takes in documents; without it they are passed over. */
export interface DocumentImport {
  readonly desk: Pick<DocumentDesk, 'submit'>
  /** The register of issuers as it is now. */
  issuers(): Issuers
  /** Who owns these studies now: opaque patient ids, each once. */
  ownersOf(studyInstanceUIDs: readonly string[]): Promise<readonly string[]>
}

/** What is held in memory while the images of a medium come first; more goes to the spool. Bytes. */
const HELD_BYTES_MAX = 32 * 1024 * 1024

interface Held {
  readonly label: string
  readonly bytes: ArrivedBytes
  /** A report only if there are images beside it. */
  readonly besideImages: boolean
  /** What must stand in its line besides. */
  readonly told: (line: CountedLine) => CountedLine
}

/** Folders and files of viewers and of the portable data profile: what makes a disc work is no report. ITI and RAD PDI. */
const VIEWER_FOLDER =
  /^(ihe_pdi|__macosx|system volume information|bin|jre\d*|java|lib|libs|plugins?|resources?|help|icons?|img|css|js|scripts?|win(dows|32|64)?|mac(osx)?|linux|viewer.*|.*viewer|program( files)?|autorun|locale|lang|fonts?|skins?|themes?|html|web)$/i
const VIEWER_FILE =
  /^((readme|read_me|liesmich|lisezmoi|lisez-moi|leggimi|leeme|lesmij|help|hilfe|license|licence|lizenz|copying|eula|notice|changelog|version|manual|install)([._ -].*)?|autorun\..*|index\.x?html?|dicomdir.*|thumbs\.db|desktop\.ini)$/i
/** Texts people write for people; everything else that reads as text is a list, a script, a configuration. */
const LETTER = /\.(txt|text|asc)$/i

/**
 * Says why a file of a medium is no report, although its bytes are a document; null for a report.
 * @param word what its bytes are
 * @param named a person named this very file: it is meant, unless nothing but its reading as text speaks for it
 */
export function notReport(label: string, word: string, named: boolean): string | null {
  const inside = label.split(/!?\//)
  const name = basename(label)
  if (isXdmDocument(label)) return null
  if (named) return word === 'text' && !LETTER.test(name) ? 'a text that is no letter by its ending' : null
  if (VIEWER_FILE.test(name)) return 'a file that explains or starts a medium'
  const folder = inside.slice(1, -1).find((part) => VIEWER_FOLDER.test(part))
  if (folder !== undefined) return `part of a viewer: it stands in ${JSON.stringify(folder.slice(0, 40))}`
  if (word === 'text' && !LETTER.test(name)) return 'a text that is no letter by its ending'
  return word === 'xml' ? 'an XML that is no clinical document' : null
}

/** The documents of one medium: a folder, or a container in it. */
export class MediumDocuments {
  readonly #import: DocumentImport
  readonly #spool: Spool
  readonly #held: Held[] = []
  readonly #studies = new Set<string>()
  readonly #packages: { readonly label: string; readonly metadata: XdsMetadata }[] = []
  #heldBytes = 0

  constructor(documents: DocumentImport, spool: Spool, knownStudies: Iterable<string> = []) {
    this.#import = documents
    this.#spool = spool
    for (const study of knownStudies) this.#studies.add(study)
  }

  /** An image of the medium was stored, or was there. */
  saw(receipt: Receipt): void {
    if (receipt.stored && receipt.studyInstanceUID !== null) this.#studies.add(receipt.studyInstanceUID)
  }

  /** Metadata of a package: told of the files beside it, when all have come. */
  describes(label: string, bytes: ArrivedBytes): void {
    if (!isXdmMetadata(label)) return
    const metadata = readXdm(bytes)
    if (metadata !== null) this.#packages.push({ label, metadata })
  }

  /** Keeps a document until the images have come. @throws ArchiveError 'storage.full' */
  async hold(label: string, bytes: ArrivedBytes, besideImages: boolean, told: Held['told']): Promise<void> {
    const size = bytes.in === 'memory' ? bytes.bytes.byteLength : 0
    if (bytes.in === 'memory' && this.#heldBytes + size > HELD_BYTES_MAX) {
      const writer = new SpoolWriter(this.#spool.directory, this.#spool)
      try {
        await writer.write(bytes.bytes)
        this.#held.push({ label, bytes: await writer.finish(), besideImages, told })
      } catch (error) {
        await writer.abort()
        throw error
      }
      return
    }
    this.#heldBytes += size
    this.#held.push({ label, bytes, besideImages, told })
  }

  /**
   * Jobs for all that was held; to be asked when every image has been judged.
   * @param passOver what becomes of a text with no images beside it
   */
  async *jobs(
    provenanceOf: (label: string) => Provenance,
    passOver: (label: string, bytes: ArrivedBytes) => Promise<CountedLine>,
  ): AsyncGenerator<Job<CountedLine>> {
    if (this.#held.length === 0) return
    const studies = [...this.#studies]
    const owners = studies.length === 0 ? [] : await this.#import.ownersOf(studies)
    const whose: Pick<DocumentStatement, 'owner' | 'studyInstanceUID'> =
      owners.length === 1 && studies[0] !== undefined
        ? {
            owner: { by: 'study', studyInstanceUID: studies[0] },
            ...(studies.length === 1 ? { studyInstanceUID: studies[0] } : {}),
          }
        : {}
    const held = new Map(this.#held.splice(0).map((one) => [one.label, one]))
    for (const { label, metadata } of this.#packages.splice(0)) {
      const files = new Map<string, XdmFile>(held)
      const set = xdmSet(label, metadata, files, this.#import.issuers(), whose, provenanceOf)
      if (set.files.length === 0) continue
      let costBytes = 0
      for (const { label: taken, bytes } of set.files) {
        held.delete(taken)
        if (bytes.in === 'memory') costBytes += bytes.bytes.byteLength
      }
      const { desk } = this.#import
      yield { costBytes, run: async () => ({ more: eachOf(await submitXdm(desk, set)) }) }
    }
    for (const { label, bytes, besideImages, told } of held.values()) {
      const costBytes = bytes.in === 'memory' ? bytes.bytes.byteLength : 0
      if (besideImages && studies.length === 0) {
        yield { costBytes, run: async () => ({ result: told(await passOver(label, bytes)) }) }
        continue
      }
      const arrival = { provenance: provenanceOf(label), claims: { document: true }, bytes }
      yield { costBytes, run: async () => ({ result: told(await submitted(this.#import, label, arrival, whose)) }) }
    }
  }
}

async function* eachOf(lines: readonly CountedLine[]): AsyncGenerator<Job<CountedLine>> {
  for (const result of lines) yield { costBytes: 0, run: async () => ({ result }) }
}

async function submitted(
  { desk }: DocumentImport,
  label: string,
  arrival: Arrival,
  whose: Pick<DocumentStatement, 'owner' | 'studyInstanceUID'>,
): Promise<CountedLine> {
  const size = arrival.bytes.in === 'memory' ? arrival.bytes.bytes.byteLength : arrival.bytes.size
  const outcome = await desk.submit({
    documents: [{ label, arrival, statement: { metadata: {}, ...whose } }],
    ...{ lists: [], relations: [], patientsKnown: false, complete: false },
  })
  if (outcome.is === 'kept') {
    const [only] = outcome.documents
    if (only === undefined) throw new TypeError('a submission without its document')
    const line = lineOf(label, { ...only.receipt, duplicate: only.duplicate, stored: true })
    return { line: { ...line, id: only.document.objectId }, bytes: size, failed: false }
  }
  const [only] = outcome.receipts
  if (only === undefined) throw new TypeError('a submission without its receipt')
  const line = lineOf(label, only.receipt)
  // A page on a disc belongs to its viewer unless the site takes pages as documents: D12.
  const page =
    arrival.provenance.door === 'media' &&
    line.verdict === 'reject' &&
    line.findings.every(({ rule }) => rule === 'D12')
  return { line: page ? { ...line, verdict: 'skip' } : line, bytes: size, failed: false }
}

/** What the bytes are, as a document; null for what is none. Text in a file of no name is none either. */
export function documentWordOf(bytes: ArrivedBytes): string | null {
  const source = openSpooled(bytes)
  try {
    return documentKindOf(source)?.word ?? null
  } finally {
    source.close()
  }
}
