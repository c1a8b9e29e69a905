import type { LedgerPatient, Order, OrderStatus, PatientKey } from '#model/identity.ts'
import type { Issuers } from '#security/issuers.ts'

/** What of the site, the sender and the ledger decides how a message is understood. */
export interface MappingTerms {
  readonly issuers: Issuers
  /** Issuer of identifiers that name none: the originator's, else the site's. */
  readonly defaultIssuer: string
  readonly unknownIssuers: 'accept' | 'refuse'
  /** Zone of the sender's times that name none; null: the site's. */
  readonly senderZone: string | null
  readonly siteZone: string
  /** Treatment of Z-segments by name, `*` for the rest. */
  readonly zSegments: { readonly [name: string]: 'honour' | 'inert' | 'refuse' }
  /** Beside ORDER_STATUS. */
  readonly orderStatus: { readonly [control: string]: OrderStatus }
  readonly studyUid: 'generate' | 'require'
  readonly known: KnownIdentities
}

/** What the ledger knows already. */
export interface KnownIdentities {
  patient(key: PatientKey): LedgerPatient | undefined
  order(id: string): Order | undefined
  /** The entry that links two patients and was not taken back. */
  linkOf(a: PatientKey, b: PatientKey): string | undefined
}
