import type { Receipt } from '#model/arrival.ts'
import type { Finding } from '#model/finding.ts'

/** One line of an import, screening or upload. contract.md, import. */
export interface ImportLine {
  /** As given plus the relative path, `/` between names, members as `disc.zip!/DICOM/I1`. */
  readonly path: string
  readonly verdict: Receipt['verdict']
  /** True when these bytes are in the archive after this line. */
  readonly stored: boolean
  readonly duplicate: boolean
  readonly sopInstanceUid: string | null
  readonly id: string | null
  readonly quarantineId: string | null
  readonly reason: string
  readonly findings: readonly Finding[]
}

/** Last line: every file is counted in exactly one of stored, duplicates, quarantined, rejected, skipped, failed. */
export interface ImportSummary {
  readonly files: number
  /** New in the archive by this run. */
  readonly stored: number
  readonly duplicates: number
  /** Of those in the archive now, how many lost something at the door. */
  readonly sanitised: number
  readonly quarantined: number
  readonly rejected: number
  readonly skipped: number
  /** Could not be read, or the archive could not take it: worth another try. */
  readonly failed: number
  /** Files that a DICOMDIR lists and the medium lacks; absent when there are none. They have no line of their own. */
  readonly missing?: number
  readonly bytes: number
  readonly seconds: number
}

/** A line with what only the counting needs to know. */
export interface CountedLine {
  readonly line: ImportLine
  /** Bytes of the file as it arrived. */
  readonly bytes: number
  /** True when the file or the archive failed, and not the judgement on the file. */
  readonly failed: boolean
  /** Files it lists that are not there: of a DICOMDIR. */
  readonly missing?: number
}

/** Says one receipt as an import line. */
export function lineOf(path: string, receipt: Receipt): ImportLine {
  return {
    path,
    verdict: receipt.verdict,
    stored: receipt.stored,
    duplicate: receipt.duplicate,
    sopInstanceUid: receipt.sopInstanceUID,
    id: receipt.objectId,
    quarantineId: receipt.quarantineId,
    reason: receipt.reason,
    findings: receipt.findings,
  }
}

/** A line for what never became an arrival: a link, an unreadable file, a refused container. */
export function lineWithoutArrival(
  path: string,
  verdict: 'skip' | 'reject',
  rule: string,
  detail: string,
  offset: number | null = null,
): ImportLine {
  const severity = verdict === 'skip' ? 'info' : 'reject'
  return {
    path,
    verdict,
    stored: false,
    duplicate: false,
    sopInstanceUid: null,
    id: null,
    quarantineId: null,
    reason: detail,
    findings: [{ rule, severity, detail, offset, tag: null }],
  }
}

/** Adds lines up to the summary. */
export class ImportCount {
  #files = 0
  #stored = 0
  #duplicates = 0
  #sanitised = 0
  #quarantined = 0
  #rejected = 0
  #skipped = 0
  #failed = 0
  #missing = 0
  #bytes = 0
  readonly #startedMs: number
  readonly #now: () => number

  /** @param now monotonic milliseconds; replaced in tests */
  constructor(now: () => number = () => performance.now()) {
    this.#now = now
    this.#startedMs = now()
  }

  add({ line, bytes, failed, missing = 0 }: CountedLine): void {
    this.#files += 1
    this.#missing += missing
    this.#bytes += bytes
    if (failed) this.#failed += 1
    else if (line.verdict === 'skip') this.#skipped += 1
    else if (line.verdict === 'reject') this.#rejected += 1
    else if (line.verdict === 'quarantine' && !line.stored) this.#quarantined += 1
    else if (line.duplicate) this.#duplicates += 1
    else if (line.stored) this.#stored += 1
    else if (line.verdict === 'sanitise' || line.verdict === 'accept') this.#judged += 1
    if (line.verdict === 'sanitise') this.#sanitised += 1
  }

  /** Judged good without being stored: `screen`. Not a key of the contract; files minus the others tells it. */
  #judged = 0

  /** Files that screening would have let in, when nothing was to be stored. */
  get judgedGood(): number {
    return this.#judged
  }

  summary(): ImportSummary {
    return {
      files: this.#files,
      stored: this.#stored,
      duplicates: this.#duplicates,
      sanitised: this.#sanitised,
      quarantined: this.#quarantined,
      rejected: this.#rejected,
      skipped: this.#skipped,
      failed: this.#failed,
      ...(this.#missing > 0 ? { missing: this.#missing } : {}),
      bytes: this.#bytes,
      seconds: Math.round(this.#now() - this.#startedMs) / 1000,
    }
  }
}

/** True when something was held, refused, missing or could not be read: exit status 2. */
export function needsAttention(summary: ImportSummary): boolean {
  return summary.quarantined + summary.rejected + summary.failed + (summary.missing ?? 0) > 0
}
