import type { CommitmentReport } from './commitment-message.ts'

/** Commitments we asked peers for, until their reports come: on the same association or on our own door. */
export class CommitmentAsks {
  readonly #waiting = new Map<string, (report: CommitmentReport) => void>()

  /** Waits for a report. `stop` when nobody waits any more. */
  expect(transactionUID: string): { readonly report: Promise<CommitmentReport>; stop(): void } {
    const { promise, resolve } = Promise.withResolvers<CommitmentReport>()
    this.#waiting.set(transactionUID, resolve)
    return { report: promise, stop: () => this.#waiting.delete(transactionUID) }
  }

  /** @returns true when somebody waited for it */
  tell(report: CommitmentReport): boolean {
    const resolve = this.#waiting.get(report.transactionUID)
    resolve?.(report)
    return resolve !== undefined
  }
}
