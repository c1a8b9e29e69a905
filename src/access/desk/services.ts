import type { ArchiveReader } from '#model/archive-index.ts'
import type { Change, StoredInstance } from '#model/archive-object.ts'
import type { Holding } from '#model/delivery.ts'
import type { DocumentReader } from '#model/document-desk.ts'
import type { QuarantineDesk } from '#model/intake.ts'
import type { PlacementDecision } from '#model/placement.ts'
import type { ImportDesk, StudyReconciliation } from '#model/reconciliation.ts'
import type { Visibility } from '#model/visibility.ts'
import type { Accounts } from '#security/accounts.ts'
import type { Peers } from '#security/peers.ts'
import type { AuditStore } from '#security/ports.ts'
import type { SiteSettings } from '#security/site-settings.ts'
import type { Tokens } from '#security/tokens.ts'

/** A job as lists show it. */
export interface JobView {
  readonly id: string
  readonly kind: string
  readonly state: 'open' | 'running' | 'done' | 'parked'
  readonly attempts: number
  readonly createdAt: string
  readonly updatedAt: string
  readonly error: string | null
}

/** Jobs, read. */
export interface JobList {
  /** @param filter.state `open`: not yet done, whether running or waiting */
  list(filter: { readonly state?: string; readonly limit: number; readonly cursor?: string }): Promise<{
    readonly items: readonly JobView[]
    readonly next: string | null
  }>
}

/** What the pages' API is built from. */
export interface DeskServices {
  readonly version: string
  readonly archive: ArchiveReader
  /** The document panel; absent where there is none. */
  readonly documents?: DocumentReader
  /** What an object says otherwise than it arrived, and what of that was taken back; absent where there is no ledger. */
  readonly overlayChanges?: (instance: StoredInstance, visibility: Visibility) => Promise<readonly Change[]>
  readonly quarantine: QuarantineDesk
  readonly jobs: JobList
  readonly accounts: Accounts
  readonly tokens: Tokens
  readonly settings: SiteSettings
  readonly peers: Peers
  readonly auditTrail: AuditStore
  readonly imports: ImportDesk
  /** How a study stands; absent: nobody asks. */
  readonly reconciliationOf?: (studyInstanceUID: string) => StudyReconciliation | undefined
  /** Placement decisions about an object, newest first; absent: nobody decides. */
  readonly placementOf?: (objectId: string) => readonly PlacementDecision[]
  /** Systems elsewhere that hold a document; absent: nobody is told of any. */
  readonly holdingsOf?: (objectId: string) => readonly Holding[]
  /** Most items of one page. */
  readonly pageMax: number
}
