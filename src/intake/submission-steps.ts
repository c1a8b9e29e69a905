import type { Submission, SubmissionReceipt, SubmittedDocument } from '#model/document-desk.ts'
import type { Decision, PlacedEntry } from '#storage/journal.ts'
import type { Member } from './submission-member.ts'

/** What is journalled and carried out with a submission: the message it came in. */
export interface Companion {
  /** @param ids object ids by label */
  decisions(ids: ReadonlyMap<string, string>): readonly Decision[]
  /** In the transaction, after everything else; `placed` are its own decisions. */
  apply(placed: readonly PlacedEntry[]): void
}

/** The walk in its steps, for a door that decides more in the same turn. */
export interface SubmissionSteps {
  submit(submission: Submission): Promise<SubmissionReceipt>
  /** Judges one document. Its source is open until it is closed. */
  screened(submitted: SubmittedDocument): Promise<Member>
  /** Seals and records what screening did not accept. */
  refuseScreened(members: readonly Member[]): Promise<SubmissionReceipt>
  /** Within a turn of `exclusively`: keeps what was accepted. */
  keep(submission: Submission, members: readonly Member[], companion?: Companion): Promise<SubmissionReceipt>
}
