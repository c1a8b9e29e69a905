/** Notices to other systems, and the ledger of which system holds which version, proved by its acknowledgement. */

/** Where notices go. Site setting. */
export interface NoticeTarget {
  readonly name: string
  readonly kind: 'hl7v2' | 'fhir'
  /** `mllp://host:port`, `mllps://...` or a FHIR base URL. */
  readonly address: string
  /** MSH-5 and MSH-6 of HL7 targets. */
  readonly application: string
  readonly facility: string
}

/** Which changes are told to whom. All given parts must hold; absent ones match everything. */
export interface NoticeRule {
  readonly target: string
  readonly events: readonly ('created' | 'replaced' | 'withdrawn')[]
  readonly departments: readonly string[]
  readonly kinds: readonly string[]
  readonly typeCodes: readonly string[]
  /** `pointer`: a link to it; `embedded`: with its bytes. */
  readonly content: 'pointer' | 'embedded'
}

export type DeliveryState = 'waiting' | 'acknowledged' | 'rejected' | 'failed'

/** One notice of one version to one target. */
export interface Delivery {
  readonly id: string
  readonly target: string
  readonly objectId: string
  /** StoredDocument.version. */
  readonly version: number
  readonly event: NoticeRule['events'][number]
  readonly state: DeliveryState
  readonly controlId: string
  /** What the target answered: code and text. */
  readonly answer: string | null
  readonly attempts: number
  readonly created: string
  readonly settled: string | null
}

export interface DeliveryReader {
  deliveries(filter: {
    readonly objectId?: string
    readonly target?: string
    readonly state?: DeliveryState
    readonly limit: number
    readonly cursor?: string
  }): { readonly items: readonly Delivery[]; readonly next: string | null }
  /** Per target the newest version it acknowledged; null: it never got any. `behind`: it holds an older one than is current. */
  holders(objectId: string): readonly {
    readonly target: string
    readonly version: number | null
    readonly behind: boolean
  }[]
}
