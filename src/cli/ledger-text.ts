import type { LedgerDecision, LedgerEntry, PatientKey } from '#model/identity.ts'
import { lookup } from '#standards/dicom/dictionary.ts'

/** A decision of the ledger in one line: what, by whom, why, and whether it was taken back. */
export function entryText({ id, time, cause, decision, undoneBy }: LedgerEntry): string {
  const why = cause.reason === null ? '' : `: ${cause.reason}`
  const undone = undoneBy === null ? '' : ` (taken back by ${undoneBy})`
  return `${id.padEnd(8)} ${time}  ${decisionText(decision)} by ${cause.by}, ${cause.rule}${why}${undone}`
}

/** A patient by number and who gave it. */
export function shownKey({ issuer, id }: PatientKey): string {
  return `${id} (${issuer})`
}

/** A decision in a few words, without what it says of a person. */
function decisionText(decision: LedgerDecision): string {
  switch (decision.do) {
    case 'register':
      return `${shownKey(decision.patient)} registered`
    case 'merge':
      return `${shownKey(decision.from)} merged into ${shownKey(decision.into)}`
    case 'link':
      return `${shownKey(decision.a)} linked with ${shownKey(decision.b)}`
    case 'assign':
      return `study ${decision.studyInstanceUID} given to ${shownKey(decision.patient)}`
    case 'overlay': {
      const { scope, changes } = decision
      const where = scope.of === 'patient' ? shownKey(scope.patient) : (scope.sopInstanceUID ?? scope.studyInstanceUID)
      return `${changes.map(({ path }) => attributeText(path)).join(', ')} of ${where} corrected`
    }
    case 'order':
      return `order ${decision.order.id}`
    case 'perform':
      return `procedure step ${decision.step.sopInstanceUID}`
    case 'undo':
      return `entry ${decision.entry} taken back`
  }
}

/** `00100010` as `PatientName`; an attribute within a sequence by all its names. Unknown and private tags stay as they are. */
function attributeText(path: string): string {
  return path
    .split('/')
    .map((part) => (/^[0-9A-Fa-f]{8}$/.test(part) ? lookup(Number.parseInt(part, 16))?.keyword || part : part))
    .join('/')
}
