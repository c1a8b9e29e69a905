import type { AttributeChange, Order } from '#model/identity.ts'
import type { StudyEvidence } from '#model/reconciliation.ts'
import { ASSUMED_ISSUER } from './criteria.ts'

/** Most codes of an order that go into the Procedure Code Sequence. */
const CODES_MAX = 10

/**
 * What an order adds to a study that is assigned with it, beside the patient module: accession number with its issuer,
 * the request it answers, the admission, procedure description and codes. UIDs are never changed: the study the order
 * names is referenced. Only what differs from what arrived. services.md D.5; PS3.3 sections C.7.2.1 and C.7.3.1.
 */
export function orderChanges(study: StudyEvidence, order: Order): readonly AttributeChange[] {
  const changes: AttributeChange[] = []
  const set = (path: string, vr: string, value: string | null) => {
    if (value !== null && value !== '') changes.push({ path, vr, values: [value] })
  }
  const { accessionNumber, accessionIssuer, requestedProcedureId } = order
  /** Takes a sequence away that is about to be written anew; what is not there needs no taking away. */
  const clear = (tag: string) => {
    if (study.present.includes(tag)) changes.push({ path: tag, vr: 'SQ', values: null })
  }
  const newNumber = accessionNumber !== null && accessionNumber !== study.accessionNumber
  if (newNumber) set('00080050', 'SH', accessionNumber)
  if (newNumber || (accessionNumber !== null && accessionIssuer !== study.accessionIssuer)) {
    clear('00080051')
    if (accessionIssuer !== null) changes.push(...issuerChanges('00080051', accessionIssuer))
  }
  if (newNumber || (requestedProcedureId !== null && requestedProcedureId !== study.requestedProcedureId)) {
    // The item of another hospital's request is not ours to mix with: the sequence is written anew.
    clear('00400275')
    set('00400275/0/00080050', 'SH', accessionNumber)
    set('00400275/0/0020000D', 'UI', order.studyInstanceUID)
    set('00400275/0/00401001', 'SH', requestedProcedureId)
    set('00400275/0/00321060', 'LO', order.description)
  }
  if (order.studyInstanceUID !== '' && order.studyInstanceUID !== study.studyInstanceUID) {
    clear('00081110')
    set('00081110/0/00081150', 'UI', DETACHED_STUDY_MANAGEMENT)
    set('00081110/0/00081155', 'UI', order.studyInstanceUID)
  }
  if (order.admissionId !== null && order.admissionId !== study.admissionId) {
    set('00380010', 'LO', order.admissionId)
    clear('00380014')
  }
  if (order.description !== null && order.description !== study.description) {
    set('00081030', 'LO', order.description.slice(0, LO_MAX))
  }
  if (order.codes.length > 0) {
    clear('00081032')
    order.codes.slice(0, CODES_MAX).forEach(({ value, scheme, meaning }, at) => {
      set(`00081032/${at}/00080100`, 'SH', value)
      set(`00081032/${at}/00080102`, 'SH', scheme)
      set(`00081032/${at}/00080104`, 'LO', meaning.slice(0, LO_MAX))
    })
  }
  return changes
}

/** Class of what Referenced Study Sequence (0008,1110) points at; retired as a service, still how it is written. */
const DETACHED_STUDY_MANAGEMENT = '1.2.840.10008.3.1.2.3.1'

/** Longest LO, in characters. PS3.5 table 6.2-1. */
const LO_MAX = 64

/** Issuer of Accession Number and its like: an OID is universal, anything else a local name. PS3.3 section 10.14. */
function issuerChanges(sequence: string, issuer: string): AttributeChange[] {
  const oid = /^[0-2](\.(0|[1-9]\d*))+$/.test(issuer)
  if (!oid) return [{ path: `${sequence}/0/00400031`, vr: 'UT', values: [issuer] }]
  return [
    { path: `${sequence}/0/00400032`, vr: 'UT', values: [issuer] },
    { path: `${sequence}/0/00400033`, vr: 'CS', values: ['ISO'] },
  ]
}

/**
 * Whether a study nobody claims is ours: its issuer was stated and is one we use, or we know of no issuers at all.
 * @param known true when ADT or a person uses this issuer
 * @param evidence true when there is anybody to compare with
 */
export function unmatchedState(issuer: string, known: boolean, evidence: boolean): 'local' | 'foreign' {
  if (issuer.startsWith(ASSUMED_ISSUER)) return 'foreign'
  return known || !evidence ? 'local' : 'foreign'
}

/** Sequences that a coercion may have to write anew. */
export const COERCED_SEQUENCES: readonly string[] = ['00080051', '00081032', '00081110', '00380014', '00400275']
