import type { ByteSource } from '#standards/byte-source.ts'
import { checkCda } from './checks/cda.ts'
import { checkPdf, type DecodedPiece } from './checks/pdf.ts'
import type { Draft } from './screened.ts'

export interface DocumentVerdict {
  readonly drafts: readonly Draft[]
  /** Attachments unpacked from the document, for the scanner. */
  readonly pieces: readonly DecodedPiece[]
}

/** A document that is read as a whole: its place in a source, and what it says it is. */
export interface DocumentPlace {
  readonly source: ByteSource
  readonly start: number
  readonly end: number
  readonly type: 'pdf' | 'xml'
  /** Its host element; null for a file of its own. */
  readonly tag: string | null
}

/** Judges a document. May throw `InspectionNeeded` where somebody waits for that. */
export type Inspect = (place: DocumentPlace) => DocumentVerdict

/** Reads and judges at once, on the calling thread. */
export const inspectHere: Inspect = ({ source, start, end, type, tag }) =>
  inspectBytes({ bytes: source.read(start, end).slice(), start, type, tag })

/** @param start offset of the first byte in its source: what findings tell */
export function inspectBytes({
  bytes,
  start,
  type,
  tag,
}: {
  readonly bytes: Uint8Array
  readonly start: number
  readonly type: DocumentPlace['type']
  readonly tag: string | null
}): DocumentVerdict {
  return type === 'pdf' ? checkPdf(bytes, start, tag) : { drafts: checkCda(bytes, start, tag), pieces: [] }
}

/** Thrown out of a judgement that cannot go on before a large document was inspected elsewhere. */
export class InspectionNeeded extends Error {
  override readonly name = 'InspectionNeeded'
  readonly place: DocumentPlace

  constructor(place: DocumentPlace) {
    super('a large document waits for its inspection')
    this.place = place
  }
}

/** Inspects large documents on another thread. */
export interface Inspector {
  /** @throws when it took too long or broke down: then nothing is known of the document, and it is held */
  inspect(place: DocumentPlace): Promise<DocumentVerdict>
  close(): Promise<void>
}

/** Up to here a document is inspected where it is judged, in bytes: some milliseconds. */
export const INSPECTED_HERE_MAX = 256 * 1024

/** Inspects small documents at once; large ones are answered once they were told, and asked for before. */
export class Inspections {
  readonly #told = new Map<string, DocumentVerdict>()

  readonly inspect: Inspect = (place) => {
    if (place.end - place.start <= INSPECTED_HERE_MAX) return inspectHere(place)
    const told = this.#told.get(nameOf(place))
    if (told === undefined) throw new InspectionNeeded(place)
    return told
  }

  tell(place: DocumentPlace, verdict: DocumentVerdict): void {
    this.#told.set(nameOf(place), verdict)
  }
}

function nameOf({ start, end, type, tag }: DocumentPlace): string {
  return `${type} ${start} ${end} ${tag ?? ''}`
}
