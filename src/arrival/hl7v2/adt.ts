import type { LedgerDecision, Visit } from '#model/identity.ts'
import { Hl7Error } from '#standards/hl7v2/errors.ts'
import type { Hl7Message, Segment } from '#standards/hl7v2/message.ts'
import { identifiersOf, keyOf, pidOf, readPatient, readVisit, same } from './patient.ts'
import type { MappingTerms } from './terms.ts'

/** What an ADT event does. */
export type AdtAction =
  /** Creates or updates the patient; `visit` is what becomes of the visit, null when the event is about none. */
  | { readonly is: 'register'; readonly visit: Visit['status'] | 'told' | null }
  | { readonly is: 'merge'; readonly how: 'merge' | 'change-id' }
  | { readonly is: 'link' }
  | { readonly is: 'unlink' }

const register = (visit: Visit['status'] | 'told' | null): AdtAction => ({ is: 'register', visit })
const merge: AdtAction = { is: 'merge', how: 'merge' }
const changeId: AdtAction = { is: 'merge', how: 'change-id' }

/** Every event that is acted on. services.md E.3; docs/reference/hl7v2.md shows the same table. */
export const ADT_EVENTS: { readonly [event: string]: { readonly what: string; readonly action: AdtAction } } = {
  A01: { what: 'Admit', action: register('active') },
  A02: { what: 'Transfer', action: register('active') },
  A03: { what: 'Discharge', action: register('ended') },
  A04: { what: 'Register', action: register('active') },
  A05: { what: 'Pre-admit', action: register('planned') },
  A06: { what: 'Outpatient to inpatient', action: register('active') },
  A07: { what: 'Inpatient to outpatient', action: register('active') },
  A08: { what: 'Update patient information', action: register('told') },
  A10: { what: 'Patient arriving', action: register('active') },
  A11: { what: 'Cancel admit', action: register('cancelled') },
  A12: { what: 'Cancel transfer', action: register('active') },
  A13: { what: 'Cancel discharge', action: register('active') },
  A18: { what: 'Merge patient information (older)', action: merge },
  A23: { what: 'Delete visit', action: register('cancelled') },
  A24: { what: 'Link patients', action: { is: 'link' } },
  A28: { what: 'Add person', action: register(null) },
  A30: { what: 'Merge person (older)', action: merge },
  A31: { what: 'Update person', action: register(null) },
  A34: { what: 'Merge patient identifier (older)', action: merge },
  A36: { what: 'Merge patient identifier and account (older)', action: merge },
  A37: { what: 'Unlink patients', action: { is: 'unlink' } },
  A38: { what: 'Cancel pre-admit', action: register('cancelled') },
  A40: { what: 'Merge patient', action: merge },
  A46: { what: 'Change patient identifier (older)', action: changeId },
  A47: { what: 'Change patient identifier', action: changeId },
}

/** Decisions of an ADT message. @throws Hl7Error with the location of the fault */
export function adtDecisions(message: Hl7Message, action: AdtAction, terms: MappingTerms): readonly LedgerDecision[] {
  switch (action.is) {
    case 'register': {
      const visit = action.visit === null ? null : readVisit(message, action.visit, terms)
      return [registered(pidOf(message), visit, terms)]
    }
    case 'merge':
      return groupsOf(message).flatMap((group) => mergeGroup(group, action.how, terms))
    case 'link': {
      const [a, b] = pairOf(message, terms)
      return [a, b, { do: 'link', a: a.patient, b: b.patient }]
    }
    case 'unlink': {
      const [a, b] = pairOf(message, terms)
      const entry = terms.known.linkOf(a.patient, b.patient) ?? terms.known.linkOf(b.patient, a.patient)
      if (entry === undefined) {
        throw new Hl7Error('AE', 204, 'these patients are not linked', { segment: 'PID', sequence: 1, field: 3 })
      }
      return [{ do: 'undo', entry }]
    }
  }
}

type Registered = Extract<LedgerDecision, { do: 'register' }>

function registered(pid: Segment, visit: Visit | null, terms: MappingTerms): Registered {
  const { key, demographics } = readPatient(pid, terms)
  return { do: 'register', patient: key, demographics, visit, authority: 'adt' }
}

interface MergeGroup {
  readonly pid: Segment
  readonly mrg: Segment | null
}

/** PID with the MRG that follows it, as often as they come. ADT_A39 and ADT_A30, HL7 v2.8 section 3.3.40. */
function groupsOf(message: Hl7Message): readonly MergeGroup[] {
  pidOf(message)
  const groups: MergeGroup[] = []
  for (const segment of message.segments) {
    const last = groups.at(-1)
    if (segment.name === 'PID') groups.push({ pid: segment, mrg: null })
    if (segment.name === 'MRG' && last?.mrg === null) groups[groups.length - 1] = { pid: last.pid, mrg: segment }
  }
  return groups
}

function mergeGroup({ pid, mrg }: MergeGroup, how: 'merge' | 'change-id', terms: MappingTerms): LedgerDecision[] {
  if (mrg === null) {
    throw new Hl7Error('AR', 100, 'MRG is missing behind PID', { segment: 'MRG', sequence: pid.sequence })
  }
  const into = registered(pid, null, terms)
  const prior = identifiersOf(mrg, 1)
  if (prior.length === 0) throw new Hl7Error('AE', 101, 'MRG-1 names no prior identifier', mrg.at(1))
  // Numbers that the surviving record keeps are no prior ones: senders repeat them in both lists.
  const kept = [into.patient, ...(into.demographics.otherIds ?? [])]
  const from = prior
    .map((identifier) => ({ key: keyOf(identifier, terms), at: identifier.location }))
    .filter(({ key }, i, all) => all.findIndex((other) => same(other.key, key)) === i)
  const gone = from.filter(({ key }) => !kept.some((one) => same(one, key)))
  if (gone.length === 0) {
    throw new Hl7Error('AE', 205, 'a patient cannot be merged into itself', from[0]?.at ?? mrg.at(1))
  }
  const decisions: LedgerDecision[] = [into]
  for (const { key } of gone) {
    // A prior number nobody knew becomes an alias all the same, so that what still comes under it is found.
    if (terms.known.patient(key) === undefined) {
      decisions.push({ do: 'register', patient: key, demographics: {}, visit: null, authority: 'adt' })
    }
    // Said again, by another message, it is in force already: a second entry would outlive the taking back of the first.
    const standing = terms.known.patient(key)?.mergedInto ?? null
    if (standing !== null && same(standing, into.patient)) continue
    decisions.push({ do: 'merge', from: key, into: into.patient, how })
  }
  return decisions
}

function pairOf(message: Hl7Message, terms: MappingTerms): readonly [Registered, Registered] {
  const [a, b] = message.all('PID')
  if (a === undefined || b === undefined) {
    throw new Hl7Error('AR', 100, 'two PID are needed', { segment: 'PID', sequence: a === undefined ? 1 : 2 })
  }
  const pair = [registered(a, null, terms), registered(b, null, terms)] as const
  if (same(pair[0].patient, pair[1].patient)) {
    throw new Hl7Error('AE', 205, 'a patient cannot be linked to itself', b.at(3))
  }
  return pair
}
