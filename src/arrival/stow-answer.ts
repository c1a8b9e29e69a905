import { ArchiveError, type ErrorCode, failures } from '#errors.ts'
import type { Receipt } from '#model/arrival.ts'

/** What became of one part of a request. */
export type Outcome =
  | { readonly is: 'received'; readonly part: number; readonly receipt: Receipt }
  /** Never reached the walk: not finished, not the right kind, no room. */
  | {
      readonly is: 'failed'
      readonly part: number
      readonly code: ErrorCode
      readonly detail: string
      readonly sopClassUID?: string
      readonly sopInstanceUID?: string
    }

/** A STOW-RS answer before it is put on the wire. */
export interface StowAnswer {
  readonly status: 200 | 202 | 400 | 409 | 413 | 415 | 503 | 507
  /** DICOM JSON of PS3.18 Table I.1-1; attribute keys ascend. */
  readonly dataset: DicomJson
  readonly warnings: readonly string[]
  readonly retryAfterSeconds: number | null
  readonly stored: number
}

export interface DicomJson {
  [tag: string]: { vr: string; Value?: (string | number | DicomJson)[] }
}

/** Elements were removed from what is served. PS3.4 Table B.2-1. */
const ELEMENTS_DISCARDED = 0xb006
/** Clients limit what all headers may take; Node's own limit is 16 KiB. */
const WARNINGS_MAX = 100
const WARNING_BYTES_MAX = 8 * 1024
const RETRY_AFTER_SECONDS = 5

/**
 * Puts together what STOW-RS says of a request. PS3.18 section 10.5.3 and Annex I; contract.md "DICOMweb specifics".
 *
 * @param outcomes in the order of the parts; at least one
 * @param root of the Retrieve URLs, without a slash at the end
 */
export function stowAnswer(outcomes: readonly Outcome[], root: string): StowAnswer {
  const stored: Receipt[] = []
  const failed: DicomJson[] = []
  const nameless: DicomJson[] = []
  const warnings: string[] = []
  for (const outcome of outcomes) {
    if (outcome.is === 'received' && outcome.receipt.stored) {
      stored.push(outcome.receipt)
      continue
    }
    warnings.push(warningOf(outcome))
    const { sopClassUID, sopInstanceUID } = outcome.is === 'received' ? outcome.receipt : outcome
    const reason: DicomJson[string] = { vr: 'US', Value: [failures[codeOf(outcome)].dimse] }
    if (sopInstanceUID == null) nameless.push({ '00081197': reason })
    else {
      const sopClass = sopClassUID == null ? { vr: 'UI' } : { vr: 'UI', Value: [sopClassUID] }
      failed.push({ '00081150': sopClass, '00081155': { vr: 'UI', Value: [sopInstanceUID] }, '00081197': reason })
    }
  }
  const dataset: DicomJson = { '00081190': urlValue(studyUrl(stored, root)) }
  if (failed.length > 0) dataset['00081198'] = { vr: 'SQ', Value: failed }
  if (stored.length > 0) dataset['00081199'] = { vr: 'SQ', Value: stored.map((receipt) => reference(receipt, root)) }
  if (nameless.length > 0) dataset['0008119A'] = { vr: 'SQ', Value: nameless }
  const status = statusOf(outcomes, stored)
  return {
    status,
    dataset,
    warnings: bounded(warnings),
    retryAfterSeconds: status === 503 ? RETRY_AFTER_SECONDS : null,
    stored: stored.length,
  }
}

/** The one failure a part is told by. */
export function codeOf(outcome: Outcome): ErrorCode {
  if (outcome.is === 'failed') return outcome.code
  const { receipt } = outcome
  if (receipt.failure !== null) return receipt.failure
  if (receipt.verdict === 'quarantine') return 'screening.held'
  if (receipt.verdict === 'reject') return 'screening.rejected'
  return receipt.verdict === 'skip' ? 'dicom.malformed' : 'archive.failed'
}

function statusOf(outcomes: readonly Outcome[], stored: readonly Receipt[]): StowAnswer['status'] {
  if (stored.length > 0) {
    const whole = stored.length === outcomes.length && stored.every(({ elementsDiscarded }) => !elementsDiscarded)
    return whole ? 200 : 202
  }
  const codes = outcomes.map(codeOf)
  // Nothing was stored: a reason that holds for the whole request is told as such.
  if (codes.includes('storage.full')) return 507
  if (codes.includes('archive.busy') || codes.includes('storage.read-only')) return 503
  if (codes.every((code) => code === 'request.media-type')) return 415
  if (codes.every((code) => code === 'request.malformed')) return 400
  if (codes.every((code) => code === 'request.too-large')) return 413
  return 409
}

function reference(receipt: Receipt, root: string): DicomJson {
  const { sopClassUID, sopInstanceUID, seriesInstanceUID, studyInstanceUID } = receipt
  const url = `${root}/studies/${studyInstanceUID}/series/${seriesInstanceUID}/instances/${sopInstanceUID}`
  const item: DicomJson = {
    '00081150': sopClassUID === null ? { vr: 'UI' } : { vr: 'UI', Value: [sopClassUID] },
    '00081155': sopInstanceUID === null ? { vr: 'UI' } : { vr: 'UI', Value: [sopInstanceUID] },
    '00081190': urlValue(url),
  }
  if (receipt.elementsDiscarded) item['00081196'] = { vr: 'US', Value: [ELEMENTS_DISCARDED] }
  return item
}

/** Of the study, when the request was about one. */
function studyUrl(stored: readonly Receipt[], root: string): string | null {
  const studies = new Set(stored.map(({ studyInstanceUID }) => studyInstanceUID))
  const [study] = studies
  return studies.size === 1 && study != null ? `${root}/studies/${study}` : null
}

function urlValue(url: string | null): { vr: string; Value?: string[] } {
  return url === null ? { vr: 'UR' } : { vr: 'UR', Value: [url] }
}

/** Worst first: what decided. */
const SEVERITIES = ['reject', 'quarantine', 'alert', 'sanitise', 'warning', 'info']

function warningOf(outcome: Outcome): string {
  const { part } = outcome
  const { sopInstanceUID } = outcome.is === 'received' ? outcome.receipt : outcome
  const who = sopInstanceUID == null ? `part ${part + 1}` : sopInstanceUID
  if (outcome.is === 'failed') return warning(`${who} not stored: ${outcome.code}, ${outcome.detail}`)
  const { receipt } = outcome
  const [worst] = [...receipt.findings].sort((a, b) => SEVERITIES.indexOf(a.severity) - SEVERITIES.indexOf(b.severity))
  const rule = worst?.rule ?? codeOf(outcome)
  if (receipt.quarantineId !== null) return warning(`${who} quarantine ${receipt.quarantineId}: ${rule}`)
  return warning(`${who} ${receipt.verdict === 'reject' ? 'refused' : 'not stored'}: ${rule}`)
}

/** Text for a `Warning` header: printable ASCII without quotes, so that nothing from outside ends it (threats.md R10). */
export function warning(text: string): string {
  return `299 diptych "${text.slice(0, 400).replace(/[^\x20-\x7e]|["\\]/g, '?')}"`
}

function bounded(warnings: readonly string[]): string[] {
  const told: string[] = []
  let bytes = 0
  for (const text of warnings) {
    bytes += text.length
    if (told.length === WARNINGS_MAX || bytes > WARNING_BYTES_MAX) {
      told.push(warning(`${warnings.length - told.length} more were not stored: see Failed SOP Sequence`))
      break
    }
    told.push(text)
  }
  return told
}

/** A failure of one part as an outcome; what nobody planned is told as a processing failure. */
export function failedOutcome(part: number, error: unknown): Outcome {
  if (error instanceof ArchiveError) return { is: 'failed', part, code: error.code, detail: error.message }
  return { is: 'failed', part, code: 'archive.failed', detail: 'processing failed' }
}
