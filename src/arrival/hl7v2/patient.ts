import type { Demographics, PatientKey, Visit } from '#model/identity.ts'
import { changeProblem } from '#standards/dicom/overlay-check.ts'
import { Hl7Error, type Hl7Location } from '#standards/hl7v2/errors.ts'
import type { Hl7Message, Segment } from '#standards/hl7v2/message.ts'
import {
  type Authority,
  address,
  cx,
  dateTime,
  type Identifier,
  personName,
  place,
  providerName,
  telephone,
} from '#standards/hl7v2/values.ts'
import type { MappingTerms } from './terms.ts'

/** A patient as PID tells one. */
export interface SaidPatient {
  readonly key: PatientKey
  readonly demographics: Partial<Demographics>
  /** For the message archive's search. */
  readonly identifiers: readonly string[]
}

/**
 * Reads PID. The first identifier of PID-3 (before 2.3.1 also PID-2) is the patient's, the others are further ones.
 * What is absent stays as it is known; `""` deletes it. services.md E.3.
 *
 * @throws Hl7Error AE 101 without identifier, 102 for a birth date that is none, 204 for a refused authority
 */
export function readPatient(pid: Segment, terms: MappingTerms): SaidPatient {
  const stated = identifiersOf(pid, 3)
  const [first, ...others] = stated.length > 0 ? stated : identifiersOf(pid, 2)
  if (first === undefined) throw new Hl7Error('AE', 101, 'PID-3 names no patient identifier', pid.at(3))
  const key = keyOf(first, terms)
  const otherIds = others.flatMap((other) => {
    const known = resolve(other.authority, terms)
    return known === null ? [] : [{ issuer: known, id: other.id }]
  })
  const distinct = otherIds.filter(
    (one, i) => !same(one, key) && otherIds.findIndex((earlier) => same(earlier, one)) === i,
  )
  return {
    key,
    demographics: demographicsOf(pid, distinct),
    identifiers: [first, ...others].map(({ id }) => id),
  }
}

function demographicsOf(pid: Segment, otherIds: readonly PatientKey[]): Partial<Demographics> {
  const name = personName(pid.repetitions(5))
  mustFit('00100010', 'PN', name, pid.at(5))
  const motherName = personName(pid.repetitions(6))
  const [home] = pid.repetitions(11)
  const [phone] = [...pid.repetitions(13), ...pid.repetitions(14)]
  return {
    ...stated('name', pid, 5, name),
    ...stated('birthDate', pid, 7, birthDateOf(pid)),
    ...stated('sex', pid, 8, sexOf(pid)),
    ...stated('motherName', pid, 6, motherName),
    ...stated('address', pid, 11, address(home)),
    ...stated('telephone', pid, 13, telephone(phone)),
    ...(otherIds.length === 0 ? {} : { otherIds }),
  }
}

/** Present when the sender says something, null when it says `""`. */
function stated<Name extends string>(
  name: Name,
  segment: Segment,
  field: number,
  value: string,
): { readonly [name in Name]?: string | null } {
  const said: { [name in Name]?: string | null } = {}
  if (segment.isNull(field)) said[name] = null
  else if (value !== '') said[name] = value
  return said
}

/** A year or a month alone is no DICOM date: then nothing is said. */
function birthDateOf(pid: Segment): string {
  const text = pid.text(7)
  if (text === '') return ''
  // Only the day counts; what some senders write behind it (an hour 24, a zone) does not matter.
  const day = /^\d{8}/.exec(text)?.[0] ?? text
  const read = dateTime(day)
  if (read === null) throw new Hl7Error('AE', 102, 'PID-7 is no date', pid.at(7))
  return read.date ?? ''
}

/** Male, female, other as DICOM knows them; unknown, ambiguous and not applicable say nothing. Table 0001. */
function sexOf(pid: Segment): string {
  const sex = pid.text(8).toUpperCase()
  return sex === 'M' || sex === 'F' || sex === 'O' ? sex : ''
}

/** Repetitions of a CX field that hold an identifier. */
export function identifiersOf(segment: Segment, field: number): readonly Identifier[] {
  return segment
    .repetitions(field)
    .map(cx)
    .filter(({ id }) => id !== '')
}

/** @throws Hl7Error AE 204 for an authority that is not registered where that is asked for */
export function keyOf(identifier: Identifier, terms: MappingTerms): PatientKey {
  const issuer = resolve(identifier.authority, terms)
  if (issuer === null) {
    const at: Hl7Location = { ...identifier.location, component: 4 }
    throw new Hl7Error('AE', 204, 'the assigning authority is not registered', at)
  }
  mustFit('00100020', 'LO', identifier.id, identifier.location)
  mustFit('00100021', 'LO', issuer, { ...identifier.location, component: 4 })
  return { issuer, id: identifier.id }
}

/**
 * What becomes an attribute of objects must be one: a backslash would make two values of it, an overlong one is no LO.
 * @throws Hl7Error AE 102
 */
function mustFit(path: string, vr: 'LO' | 'PN', value: string, at: Hl7Location): void {
  if (value !== '' && changeProblem({ path, vr, values: [value] }) !== null) {
    throw new Hl7Error(
      'AE',
      102,
      `this cannot be a DICOM ${vr}: too long, or with a backslash or control characters`,
      at,
    )
  }
}

/** @returns null for one that is to be refused */
function resolve(authority: Authority, terms: MappingTerms): string | null {
  const found = terms.issuers.resolve(authority)
  if (found === undefined) return terms.defaultIssuer
  if (found.known || terms.unknownIssuers === 'accept' || found.issuer === terms.defaultIssuer) return found.issuer
  return null
}

/** Issuer of an order or visit number: under its own name when it is not registered; null when none is named. */
export function issuerOf(authority: Authority, terms: MappingTerms): string | null {
  return terms.issuers.resolve(authority)?.issuer ?? null
}

export function same(a: PatientKey, b: PatientKey): boolean {
  return a.issuer === b.issuer && a.id === b.id
}

/** The PID of a message that must have one. @throws Hl7Error AR 100 */
export function pidOf(message: Hl7Message): Segment {
  const pid = message.first('PID')
  if (pid === undefined) throw new Hl7Error('AR', 100, 'PID is missing', { segment: 'PID', sequence: 1 })
  return pid
}

/**
 * Reads PV1: visit number from PV1-19, else PID-18; location, referring physician, admission, discharge.
 * @param status what the event makes of the visit; `told`: what PV1 says
 * @returns null when no visit is named
 */
export function readVisit(message: Hl7Message, status: Visit['status'] | 'told', terms: MappingTerms): Visit | null {
  const pv1 = message.first('PV1')
  const pid = message.first('PID')
  const number = (pv1 === undefined ? undefined : identifiersOf(pv1, 19)[0]) ?? (pid && identifiersOf(pid, 18)[0])
  if (number === undefined) return null
  const dischargedAt = dateTime(pv1?.text(45) ?? '')?.text ?? null
  return {
    admissionId: number.id,
    issuer: issuerOf(number.authority, terms),
    location: place(pv1?.repetitions(3)[0]) || null,
    referringPhysician: providerName(pv1?.repetitions(8)[0]) || null,
    admittedAt: dateTime(pv1?.text(44) ?? '')?.text ?? null,
    dischargedAt: status === 'active' ? null : dischargedAt,
    status: status === 'told' ? (dischargedAt === null ? 'active' : 'ended') : status,
  }
}
