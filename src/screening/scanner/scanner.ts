/** One thing to scan: the whole file, or a piece taken out of it. Bytes are read in order, once. */
export interface ScanPiece {
  /** What it is, for the coverage and for findings: `file`, `(0042,0011)`, `PDF attachment 3`. */
  readonly label: string
  /** Eight hexadecimal digits of the host element, or null. */
  readonly tag: string | null
  /** Zero-based offset in the file as it arrived; null for a piece that exists only decoded. */
  readonly offset: number | null
  /** Length in bytes. */
  readonly size: number
  /** Reads the piece in chunks of at most 1 MiB; chunks are valid until the next one is asked for. */
  chunks(): Iterable<Uint8Array>
}

/** What the scanner said of one piece. Limit and error are different from clean: threats.md G8. */
export type PieceVerdict =
  | { readonly is: 'clean' }
  | { readonly is: 'infected'; readonly signature: string }
  /** Not looked at, or not wholly: a size or depth limit of the scanner. */
  | { readonly is: 'limit'; readonly detail: string }
  /** The scanner is down, answered nonsense or ran out of time. */
  | { readonly is: 'error'; readonly detail: string }

export interface ScannerIdentity {
  readonly engine: string
  /** Version and date of the signature data base; part of the key under which clean digests are remembered. */
  readonly signatures: string
}

/** A virus scanner. Adapter: clamd.ts. A scanner never throws: its trouble is a verdict (threats.md G2). */
export interface Scanner {
  /** Who scans, asked again at most once a minute; null while it cannot be reached. */
  identity(): Promise<ScannerIdentity | null>
  scan(piece: ScanPiece): Promise<PieceVerdict>
  close(): Promise<void>
}
