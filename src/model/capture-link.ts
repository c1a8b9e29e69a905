/** Links by which somebody without an account sends photographs and films. What they are about is fixed when they are made. */
export const CAPTURE_MEDIA = ['photo', 'video'] as const
export type CaptureMedium = (typeof CAPTURE_MEDIA)[number]

export interface CaptureLinkRecord {
  /** Public part: stands in audit, provenance and lists. */
  readonly id: string
  /** SHA-256 of the secret part. */
  readonly secretHash: Uint8Array
  /** Shown to whoever opens the link. */
  readonly purpose: string
  readonly media: readonly CaptureMedium[]
  /** Of one file, in bytes. */
  readonly bytesMax: number
  /** Files that may be sent, and that were. */
  readonly usesMax: number
  readonly uses: number
  /** What all files are said to be about, as the capture form takes it: JSON, checked when it was made. */
  readonly about: { readonly [key: string]: unknown }
  readonly createdAt: string
  readonly createdBy: string
  readonly expiresAt: string
  readonly revokedAt: string | null
  readonly lastUsedAt: string | null
}

export interface CaptureLinkReader {
  captureLink(id: string): CaptureLinkRecord | undefined
  /** Newest first. */
  captureLinks(limit: number): readonly CaptureLinkRecord[]
}

/** Who does it and from where, for the audit entry of the same transaction. */
export interface CaptureCause {
  readonly by: string
  readonly address: string | null
}

/** Runs in the writer worker; each is one transaction. */
export interface CaptureLinkWriter {
  create(link: CaptureLinkRecord, cause: CaptureCause): Promise<void>
  /** @returns false when there is none */
  revoke(id: string, cause: CaptureCause): Promise<boolean>
  /** Takes one use. @returns false when none is left, or the link is over */
  take(id: string, now: string): Promise<boolean>
  /** Gives back a use whose file was not taken in. */
  giveBack(id: string): Promise<void>
}
