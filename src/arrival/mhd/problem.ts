import { type ErrorCode, failures } from '#errors.ts'
import type { Problem } from '#standards/fhir/validate.ts'

/** A problem told with the code of our catalogue and the errorCode of ITI TF-3 table 4.2.4.1-2, which has no system. */
export function told(code: ErrorCode, expression: string, detail: string, issue?: Problem['code']): Problem {
  const { fhir, xds } = failures[code]
  return {
    severity: 'error',
    code: issue ?? (fhir as Problem['code']),
    expression,
    detail,
    codes: [{ system: 'urn:diptych:error', code }, { code: xds }],
  }
}

/** An element that must be there is not. */
export function missing(expression: string, detail: string): Problem {
  return told('document.incomplete', expression, detail)
}

/** An element is there and wrong. */
export function wrong(expression: string, detail: string, issue?: Problem['code']): Problem {
  return told('document.invalid', expression, detail, issue)
}
