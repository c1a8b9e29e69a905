/** Carries out, into a fresh index, decisions that the journal holds: the ledger's, messages, the import worklist. */
import { entriesOfMessage, messageOf } from '#arrival/hl7v2/message-desk.ts'
import type { DeliveryStore } from '#model/delivery.ts'
import type { DocumentStore } from '#model/document-store.ts'
import type { FhirResourceStore } from '#model/fhir-store.ts'
import type { ImportItem } from '#model/identity.ts'
import type { IdentityLedger } from '#model/identity-ledger.ts'
import type { MessageStore } from '#model/message.ts'
import type { ReportStore } from '#model/report.ts'
import { replayFhir } from '#operations/alongside.ts'
import { ledgerEntries } from '#operations/identity-desk.ts'
import { replayDeliveries } from '#operations/notices.ts'
import type { PlacementBook } from '#operations/placement-desk.ts'
import { IMPORT_ITEM_KIND } from '#operations/reconcile.ts'
import type { PlacedEntry } from '#storage/journal.ts'
import { replayDocuments } from './app-documents.ts'
import { replayPlacement } from './app-placement.ts'

export interface ReplayTools {
  readonly ledger: Pick<IdentityLedger, 'apply' | 'putImportItem'>
  readonly messages: Pick<MessageStore, 'add'>
  readonly reports: Pick<ReportStore, 'withdraw'>
  readonly documents: DocumentStore
  readonly fhir: Pick<FhirResourceStore, 'apply'>
  readonly placement: PlacementBook
  readonly deliveries: Pick<DeliveryStore, 'add' | 'settle'>
}

/**
 * Carries out one entry, in the order they were taken. Kinds that concern what segments do not hold (the register of
 * held objects, which is taken over) change nothing.
 */
export function replay(
  { ledger, messages, reports, documents, fhir, placement, deliveries }: ReplayTools,
  entry: PlacedEntry,
): void {
  const decided = ledgerEntries(entry)
  if (decided !== undefined) ledger.apply(decided)
  const message = messageOf(entry)
  if (message !== undefined) {
    const made = entriesOfMessage(entry.sequence, entry.time, message)
    if (made.length > 0) ledger.apply(made)
    messages.add(
      entry.sequence,
      message,
      made.map(({ id }) => id),
      entry.location,
    )
    for (const withdrawal of message.withdrawals ?? []) reports.withdraw(withdrawal)
  }
  replayDocuments(documents, entry)
  replayFhir(fhir, entry)
  replayPlacement(placement, entry)
  replayDeliveries(deliveries, entry)
  if (entry.kind === IMPORT_ITEM_KIND) ledger.putImportItem(entry.payload as ImportItem)
}
