import type { Resource } from '@medplum/fhirtypes'
import type { ArchiveReader } from '#model/archive-index.ts'
import type { DocumentReader } from '#model/document-desk.ts'
import type { FhirDerivedReader } from '#model/fhir-derived.ts'
import type { FhirReader } from '#model/fhir-reader.ts'
import type { FhirResourceReader } from '#model/fhir-store.ts'
import type { IdentityReader } from '#model/identity-ledger.ts'
import type { Permission } from '#model/permission.ts'
import type { Visibility } from '#model/visibility.ts'
import type { LeavingDocuments } from '#operations/leaving-documents.ts'
import type { Issuers } from '#security/issuers.ts'
import type { SecurityReader } from '#security/ports.ts'
import type { DocumentFaces } from '../document-faces.ts'
import type { Criteria } from './criteria.ts'

/** What resources are made from. */
export interface FhirSources {
  readonly reader: ArchiveReader
  readonly documents: DocumentReader
  /** Documents as they leave, and their DICOM faces. */
  readonly onTheWay: { readonly documents: LeavingDocuments; readonly faces: DocumentFaces }
  readonly fhir: FhirReader
  readonly derived: FhirDerivedReader
  readonly ledger: Pick<IdentityReader, 'entry' | 'entries'>
  readonly own: FhirResourceReader
  readonly security: Pick<SecurityReader, 'entries' | 'chain' | 'nodes' | 'originators'>
  /** The register in force now. */
  readonly issuers: () => Issuers
}

/** Who asks, and what of each type they may see. */
export interface Caller {
  /** `https://archive.example`: what addresses of other doors begin with. */
  readonly origin: string
  /** Of the type that is being read. */
  readonly visibility: Visibility
  /** Of any type; `forbidden` when neither role nor scopes allow it. */
  sees(type: string, interactions: 'r' | 's' | 'rs'): Visibility | 'forbidden'
}

/** Resources of one type in a stable order. */
export interface ResourcePage {
  readonly resources: readonly Resource[]
  readonly next: string | null
}

export interface Paging {
  readonly limit: number
  readonly cursor: string | undefined
  /** One of `sorts`; the natural order when undefined. */
  readonly sort: string | undefined
}

/** One state of a resource; without it when that state was that it is deleted. */
export interface HistoryEntry {
  readonly type: string
  readonly id: string
  readonly resource: Resource | null
  readonly versionId: string
  readonly lastUpdated: string | undefined
}

/** Where the resources of a type come from. */
export interface ResourceSource {
  /** Undefined when there is none that the caller may see. */
  read(id: string, caller: Caller): Promise<Resource | undefined>
  /** Newest first; only where former versions are kept. */
  versions?(id: string, caller: Caller): Promise<readonly Resource[] | undefined>
  /** True for a resource that was here and is deleted; only where everybody who may read the type may know that. */
  gone?(id: string): boolean
  /** Deletions too, newest first; what `versions` says when absent. */
  history?(id: string): readonly HistoryEntry[]
  /** Of the whole type, newest first; only where the index can say. */
  typeHistory?(paging: {
    readonly limit: number
    readonly since: string | undefined
    readonly cursor: string | undefined
  }): {
    readonly items: readonly HistoryEntry[]
    readonly next: string | null
  }
  /** Narrows by the criteria an index answers, and takes those away; the others are matched afterwards. */
  search(criteria: Criteria, paging: Paging, caller: Caller): Promise<ResourcePage>
  /** How many there are, when an index can say; only asked when `search` left no criterion. */
  count?(criteria: Criteria, caller: Caller): Promise<number>
}

/** A resource type we serve. Routes, permissions, CapabilityStatement and docs/reference/fhir.md are made from these. */
export interface ResourceKind {
  readonly type: string
  readonly made: 'primary' | 'derived'
  /** Room and file of the truth behind it. */
  readonly owner: string
  /** What of it may be written, for the reference page. */
  readonly writable: string
  /** Where version and history come from, for the reference page. */
  readonly versions: string
  readonly needs: { readonly read: Permission; readonly create?: Permission; readonly change?: Permission }
  /** Search parameters beyond `_id` and `_lastUpdated`. */
  readonly parameters: readonly string[]
  /** Parameters of type reference that `_include` follows. */
  readonly includes: readonly string[]
  /** `Type:parameter` that `_revinclude` follows. */
  readonly revIncludes: readonly string[]
  /** Values of `_sort` that work, the natural order first. */
  readonly sorts: readonly string[]
  readonly history: boolean
  /** The history of all resources of the type can be asked for. */
  readonly typeHistory?: true
  source(sources: FhirSources): ResourceSource
}
