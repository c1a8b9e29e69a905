/** FHIR resources that are their own truth: kept as they were written, version by version, found by their values. */

/** A value a resource is found by, taken out when it is written. */
export interface FhirIndexed {
  /** Search parameter. */
  readonly code: string
  readonly is: 'token' | 'string' | 'reference'
  /** Code, folded text, or `Type/id`. */
  readonly value: string
  /** Of tokens; else empty. */
  readonly system: string
}

/** One new state of a resource. */
export interface FhirWrite {
  readonly type: string
  readonly id: string
  /** Without `meta.versionId` and `meta.lastUpdated`; null takes the resource away. */
  readonly body: { readonly [name: string]: unknown } | null
  /** Version it replaces; null when it must not be there yet. */
  readonly expected: number | null
  readonly indexed: readonly FhirIndexed[]
}

export interface FhirState {
  readonly type: string
  readonly id: string
  readonly version: number
  readonly lastUpdated: string
  /** Account or token that wrote it. */
  readonly by: string
  /** Null: deleted. */
  readonly body: { readonly [name: string]: unknown } | null
}

export interface FhirFilter {
  readonly ids?: readonly string[]
  /** All of them; of each, one alternative. Texts are compared by their beginning. An empty system is any. */
  readonly values: readonly {
    readonly code: string
    readonly is: FhirIndexed['is']
    readonly alternatives: readonly { readonly value: string; readonly system: string }[]
  }[]
  readonly limit: number
  readonly cursor?: string
}

/** Any thread. These resources are about no patient, so whoever may read the type sees all of them. */
export interface FhirResourceReader {
  /** Undefined when there never was one; a deleted one has no body. */
  resource(type: string, id: string): FhirState | undefined
  /** Newest first. */
  versions(type: string, id: string): readonly FhirState[]
  /** Every state of every resource of a type, deletions too, newest first. */
  changes(
    type: string,
    filter: { readonly limit: number; readonly since: string | undefined; readonly cursor: string | undefined },
  ): { readonly items: readonly FhirState[]; readonly next: string | null }
  /** Oldest first. */
  find(type: string, filter: FhirFilter): { readonly items: readonly FhirState[]; readonly next: string | null }
}

/** Inside the writer worker, part of the caller's transaction. */
export interface FhirResourceStore extends FhirResourceReader {
  apply(writes: readonly FhirWrite[], by: string, time: string): void
}
