/** What the thread that reads PDF documents is asked. */
export interface PdfJob {
  /** Transferred. */
  readonly bytes: Uint8Array<ArrayBuffer>
  readonly characters: number
  readonly pages: number
}

/** What the document says about itself: Info dictionary, catalog, XMP. ISO 32000-1 sections 14.3.2, 14.3.3, 14.9.2. */
export interface PdfInfo {
  readonly title: string | null
  readonly author: string | null
  /** ISO 8601 with the precision it has; with `Z` when the document gives its offset from UTC. */
  readonly created: string | null
  readonly modified: string | null
  /** RFC 5646. */
  readonly language: string | null
  readonly producer: string | null
  readonly pages: number
  /** `PDF/A-1b` and the like, as its XMP claims. */
  readonly conformance: string | null
}

export type PdfAnswer =
  | { readonly ok: true; readonly text: string; readonly truncated: boolean; readonly info: PdfInfo }
  | { readonly ok: false; readonly fault: 'encrypted' | 'malformed'; readonly detail: string }
