import type { OperationOutcome, OperationOutcomeIssue } from '@medplum/fhirtypes'
import { ArchiveError, failures } from '#errors.ts'
import type { Problem } from '#standards/fhir/validate.ts'
import { type ErrorLog, problemOf, retryAfterSeconds } from '../http-server-problem.ts'

/** A request that is wrong in places that can be named. */
export class FhirFault extends Error {
  override readonly name = 'FhirFault'
  readonly status: number
  readonly problems: readonly Problem[]

  constructor(status: number, problems: readonly Problem[]) {
    super(problems[0]?.detail ?? 'the request was refused')
    this.status = status
    this.problems = problems
  }

  static at(status: number, code: OperationOutcomeIssue['code'], expression: string, detail: string): FhirFault {
    return new FhirFault(status, [{ severity: 'error', code, expression, detail }])
  }
}

export interface Told {
  readonly status: number
  readonly outcome: OperationOutcome
  /** Seconds after which the same request may succeed. */
  readonly retryAfter: number | undefined
}

function outcomeOf(issue: readonly OperationOutcomeIssue[]): OperationOutcome {
  return { resourceType: 'OperationOutcome', issue: [...issue] }
}

export function problemsOutcome(problems: readonly Problem[]): OperationOutcome {
  return outcomeOf(
    problems.map(({ severity, code, expression, detail, codes }) => ({
      severity,
      code,
      ...(codes === undefined ? {} : { details: { coding: codes.map((one) => ({ ...one })), text: detail } }),
      diagnostics: detail,
      ...(expression === '' ? {} : { expression: [expression] }),
    })),
  )
}

/** A note that goes with an answer. */
export function note(
  severity: 'information' | 'warning',
  code: OperationOutcomeIssue['code'],
  text: string,
): OperationOutcome {
  return outcomeOf([{ severity, code, diagnostics: text }])
}

/**
 * How a failure is told in FHIR: the code of the error catalogue as its details, no stack, no data of patients. What is no
 * failure we know is logged under an incident number, and that is all that leaves.
 */
export function tellFailure(error: unknown, log: ErrorLog | undefined): Told {
  if (error instanceof FhirFault) {
    return { status: error.status, outcome: problemsOutcome(error.problems), retryAfter: undefined }
  }
  const theirs = outcomeOfMedplum(error)
  if (theirs !== undefined) return theirs
  const { status, code, detail, hint } = problemOf(error, log)
  const issue: OperationOutcomeIssue = {
    severity: status >= 500 ? 'fatal' : 'error',
    code: (error instanceof ArchiveError ? failures[error.code].fhir : 'exception') as OperationOutcomeIssue['code'],
    details: {
      coding: [{ system: 'urn:diptych:error', code }],
      text: hint === undefined ? detail : `${detail} ${hint}`,
    },
    diagnostics: detail,
  }
  return { status, outcome: outcomeOf([issue]), retryAfter: retryAfterSeconds(error) }
}

/** Statuses of the outcomes that the router of Medplum makes itself, by their ids. */
const STATUS_BY_ID: Readonly<Record<string, number>> = {
  'not-found': 404,
  gone: 410,
  'precondition-failed': 412,
  'multiple-matches': 412,
  conflict: 409,
  forbidden: 403,
  unauthorized: 401,
  'too-many-requests': 429,
}

function outcomeOfMedplum(error: unknown): Told | undefined {
  if (!(error instanceof Error) || !('outcome' in error)) return undefined
  const { outcome } = error as { outcome: OperationOutcome }
  if (outcome?.resourceType !== 'OperationOutcome') return undefined
  const isPrecondition = outcome.id === 'precondition-failed'
  const issue = (outcome.issue ?? []).map(({ severity, code, details, diagnostics, expression }) => ({
    severity,
    code: isPrecondition ? ('conflict' as const) : code,
    diagnostics: details?.text ?? diagnostics ?? 'the request was refused',
    ...(expression === undefined ? {} : { expression }),
  }))
  return { status: STATUS_BY_ID[outcome.id ?? ''] ?? 400, outcome: outcomeOf(issue), retryAfter: undefined }
}
