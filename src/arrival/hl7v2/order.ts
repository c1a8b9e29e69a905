import { createHash } from 'node:crypto'
import type { Code, LedgerDecision, Order, OrderStatus, ScheduledStep } from '#model/identity.ts'
import { Hl7Error } from '#standards/hl7v2/errors.ts'
import type { Hl7Message, Repetition, Segment } from '#standards/hl7v2/message.ts'
import { coded, ei, personName, providerName } from '#standards/hl7v2/values.ts'
import { ENDING, ORDER_STATUS } from './order-status.ts'
import { scheduledStart } from './order-time.ts'
import { issuerOf, pidOf, readPatient, readVisit } from './patient.ts'
import type { MappingTerms } from './terms.ts'

/** One order of a message: ORC, its OBR, and what stands with them. */
interface Group {
  readonly orc: Segment
  obr: Segment | null
  tq1: Segment | null
  readonly ipc: Segment[]
  zds: Segment | null
}

/** Decisions of an order message: its patient and visit, then every order. @throws Hl7Error with the location */
export function orderDecisions(message: Hl7Message, terms: MappingTerms): readonly LedgerDecision[] {
  const { key, demographics } = readPatient(pidOf(message), terms)
  const visit = readVisit(message, 'told', terms)
  const referring = visit?.referringPhysician ?? (providerName(message.first('PV1')?.repetitions(8)[0]) || null)
  const orders = new Map<string, Order>()
  for (const group of groupsOf(message)) {
    const order = orderOf(group, { patient: key, admissionId: visit?.admissionId ?? null, referring }, orders, terms)
    orders.set(order.id, order)
  }
  return [
    { do: 'register', patient: key, demographics, visit, authority: 'adt' },
    ...[...orders.values()].map((order): LedgerDecision => ({ do: 'order', order })),
  ]
}

/** Splits at ORC, and at a further OBR under the same ORC. A ZDS at the end of the message is for all before it. */
function groupsOf(message: Hl7Message): readonly Group[] {
  const groups: Group[] = []
  const open = (orc: Segment): void => {
    groups.push({ orc, obr: null, tq1: null, ipc: [], zds: null })
  }
  for (const segment of message.segments) {
    if (segment.name === 'ORC') open(segment)
    if (!['OBR', 'TQ1', 'IPC', 'ZDS'].includes(segment.name)) continue
    if (groups.length === 0) {
      throw new Hl7Error('AR', 100, `${segment.name} before ORC`, { segment: segment.name, sequence: segment.sequence })
    }
    const last = groups[groups.length - 1] as Group
    if (segment.name === 'OBR') {
      if (last.obr === null) last.obr = segment
      else {
        open(last.orc)
        ;(groups[groups.length - 1] as Group).obr = segment
      }
    } else if (segment.name === 'TQ1') last.tq1 ??= segment
    else if (segment.name === 'IPC') last.ipc.push(segment)
    else last.zds ??= segment
  }
  if (groups.length === 0) throw new Hl7Error('AR', 100, 'ORC is missing', { segment: 'ORC', sequence: 1 })
  const shared = message.all('ZDS')
  const [only] = shared
  if (shared.length === 1 && only !== undefined && groups.at(-1)?.zds === only) {
    for (const group of groups) group.zds ??= only
  }
  return groups
}

interface Context {
  readonly patient: Order['patient']
  readonly admissionId: string | null
  readonly referring: string | null
}

function orderOf(group: Group, context: Context, earlier: ReadonlyMap<string, Order>, terms: MappingTerms): Order {
  const { orc, obr } = group
  const status = statusOf(orc, terms)
  const [ipc] = group.ipc
  const field = (segment: Segment | null | undefined, n: number) => segment?.repetitions(n)[0]
  const placer = ei(orNothing(field(orc, 2)) ?? field(obr, 2))
  const filler = ei(orNothing(field(orc, 3)) ?? field(obr, 3))
  const accession = ei(orNothing(field(ipc, 1)) ?? field(obr, 18))
  const [placerIssuer, fillerIssuer] = [issuerOf(placer.authority, terms), issuerOf(filler.authority, terms)]
  const ids = [
    ...(filler.id === '' ? [] : [orderId('filler', fillerIssuer, filler.id)]),
    ...(placer.id === '' ? [] : [orderId('placer', placerIssuer, placer.id)]),
  ]
  const [first] = ids
  if (first === undefined) throw new Hl7Error('AE', 101, 'the order has neither placer nor filler number', orc.at(2))
  const lookUp = (id: string) => earlier.get(id) ?? terms.known.order(id)
  const id = ids.find((candidate) => lookUp(candidate) !== undefined) ?? first
  const known = lookUp(id)
  if (obr === null && known === undefined) {
    const at = ENDING.has(status) ? orc.at(2) : { segment: 'OBR', sequence: orc.sequence }
    if (ENDING.has(status)) throw new Hl7Error('AE', 204, 'the order is not known', at)
    throw new Hl7Error('AR', 100, 'OBR is missing behind ORC', at)
  }
  const uid = studyUidOf(group, id, known, terms)
  const procedure = codeText(field(obr, 44)) ?? codeText(field(obr, 4))
  const text = (value: string) => (value === '' ? null : value)
  const said: Order = {
    id,
    patient: context.patient,
    placerOrderNumber: text(placer.id),
    placerIssuer,
    fillerOrderNumber: text(filler.id),
    fillerIssuer,
    accessionNumber: text(accession.id),
    accessionIssuer: accession.id === '' ? null : issuerOf(accession.authority, terms),
    requestedProcedureId: text(ei(orNothing(field(ipc, 2)) ?? field(obr, 19)).id),
    description: procedure?.text ?? null,
    codes: procedure?.codes ?? [],
    studyInstanceUID: uid.uid,
    studyUidFrom: uid.from,
    steps: stepsOf(group, id, terms),
    priority: priorityOf(group),
    requestingPhysician: text(providerName(field(obr, 16))) ?? text(providerName(field(orc, 12))),
    referringPhysician: context.referring,
    requestingService: text(orc.text(17, 2)) ?? text(orc.text(17)),
    reason: codeText(field(obr, 31))?.text ?? null,
    medicalAlerts: text(obr?.whole(13) ?? ''),
    patientState: codeText(field(obr, 12))?.text ?? null,
    transport: text(obr?.text(30) ?? ''),
    confidentiality: text(orc.text(28, 2)) ?? text(orc.text(28)),
    department: text(orc.text(13, 9)),
    admissionId: context.admissionId,
    status,
  }
  return known === undefined ? said : updated(known, said)
}

function statusOf(orc: Segment, terms: MappingTerms): OrderStatus {
  const [control, state] = [orc.text(1).toUpperCase(), orc.text(5).toUpperCase()]
  if (control === '') throw new Hl7Error('AE', 101, 'ORC-1 is empty', orc.at(1))
  const key = state === '' ? control : `${control}_${state}`
  const site = Object.hasOwn(terms.orderStatus, key) ? terms.orderStatus[key] : undefined
  const status = site ?? (Object.hasOwn(ORDER_STATUS, key) ? ORDER_STATUS[key] : undefined)
  // The condition that archives known to senders answer here.
  if (status === undefined)
    throw new Hl7Error('AE', 101, `ORC-1 with ORC-5 is no order status that is known: ${key.slice(0, 20)}`, orc.at(1))
  return status
}

/** Opaque and the same whenever the same number of the same issuer is said. */
export function orderId(kind: 'placer' | 'filler', issuer: string | null, number: string): string {
  const text = `${kind}\u0000${issuer ?? ''}\u0000${number}`
  return `o${createHash('sha256').update(text).digest('hex').slice(0, 31)}`
}

function studyUidOf(
  { ipc, zds, obr, orc }: Group,
  id: string,
  known: Order | undefined,
  terms: MappingTerms,
): { readonly uid: string; readonly from: Order['studyUidFrom'] } {
  const named = ipc.find((segment) => segment.text(3) !== '')
  if (named !== undefined) return { uid: checkUid(named.text(3), named, 3), from: 'IPC' }
  const honoured = (terms.zSegments.ZDS ?? terms.zSegments['*'] ?? 'honour') === 'honour'
  if (honoured && zds !== null && zds.text(1) !== '') return { uid: checkUid(zds.text(1), zds, 1), from: 'ZDS' }
  if (known !== undefined) return { uid: known.studyInstanceUID, from: known.studyUidFrom }
  if (terms.studyUid === 'require') {
    throw new Hl7Error(
      'AE',
      101,
      'the order names no Study Instance UID',
      (ipc[0] ?? obr ?? orc).at(ipc.length > 0 ? 3 : 1),
    )
  }
  return { uid: generatedUid(id), from: 'generated' }
}

/** Digits and dots, at most 64, no leading zeros. PS3.5 section 9.1. */
function checkUid(uid: string, segment: Segment, field: number): string {
  if (uid.length <= 64 && /^(0|[1-9]\d*)(\.(0|[1-9]\d*))+$/.test(uid)) return uid
  throw new Hl7Error('AE', 102, 'the Study Instance UID is no UID', {
    ...segment.at(field),
    repetition: 1,
    component: 1,
  })
}

/** From the order, so that the same order always has the same study. PS3.5 section B.2: 2.25 and a UUID as a number. */
function generatedUid(id: string): string {
  const bytes = createHash('sha256').update(`study\u0000${id}`).digest().subarray(0, 16)
  bytes[6] = ((bytes[6] as number) & 0x0f) | 0x80 // version 8, made in a way of our own
  bytes[8] = ((bytes[8] as number) & 0x3f) | 0x80
  return `2.25.${BigInt(`0x${bytes.toString('hex')}`)}`
}

/** One step per IPC; without IPC one step, from OBR. */
function stepsOf(group: Group, id: string, terms: MappingTerms): readonly ScheduledStep[] {
  const { obr, orc, tq1 } = group
  if (obr === null) return []
  const sources: readonly (Segment | null)[] = group.ipc.length > 0 ? group.ipc : [null]
  const start = scheduledStart([tq1?.text(7), orc.text(7, 4), obr.text(27, 4), obr.text(6), obr.text(36)], terms)
  const [procedure] = obr.repetitions(4)
  return sources.map((ipc, i) => {
    const text = (n: number, otherwise = '', component = 1) => ipc?.text(n, component) || otherwise || null
    const protocol = codeText(ipc?.repetitions(6)[0]) ?? codeText(procedure, true) ?? codeText(procedure)
    return {
      id: text(4, obr.text(20)) ?? `${id.slice(1, 13).toUpperCase()}.${i + 1}`,
      modality: text(5, obr.text(24))?.toUpperCase() ?? null,
      stationName: text(7),
      location: text(8),
      // The first of several: a step is done at one station.
      stationAeTitle: text(9) ?? (orc.text(18) || null),
      startDate: start?.date ?? null,
      startTime: start?.time ?? null,
      description: protocol?.text ?? null,
      codes: protocol?.codes ?? [],
      performingPhysician: providerFrom(obr.repetitions(34)[0]) || null,
    }
  })
}

/** OBR-34 is an NDL before a name may be an XCN: its first component holds the name's parts as subcomponents. */
function providerFrom(from: Repetition | undefined): string {
  if (from === undefined) return ''
  if (from.text(1, 2) === '') {
    // Some senders leave the id out altogether and begin with the family name.
    const [first, second] = [from.text(1), from.text(2)]
    return first !== '' && second !== '' && !/\d/.test(first) ? personName([from]) : providerName(from)
  }
  return [2, 3, 4, 7, 5]
    .map((n) => from.text(1, n))
    .join('^')
    .replace(/\^+$/, '')
}

/** TQ1-9, ORC-7.6 or OBR-27.6. Table 0485. */
function priorityOf({ tq1, orc, obr }: Group): Order['priority'] {
  const letter = [tq1?.text(9), orc.text(7, 6), obr?.text(27, 6)].find((text) => text !== undefined && text !== '')
  switch (letter?.toUpperCase()) {
    case 'S':
      return 'STAT'
    case 'A':
    case 'P':
    case 'C':
      return 'HIGH'
    case 'R':
      return 'ROUTINE'
    case 'T':
      return 'MEDIUM'
    default:
      return null
  }
}

/** Text and code of a coded field; undefined when it says nothing. */
function codeText(
  from: Repetition | undefined,
  alternate = false,
): { readonly text: string | null; readonly codes: readonly Code[] } | undefined {
  const { code, text, scheme } = coded(from, alternate)
  if (code === '' && text === '') return undefined
  const complete = code !== '' && scheme !== ''
  return {
    text: text || code || null,
    codes: complete ? [{ value: code, scheme, meaning: text || code }] : [],
  }
}

function orNothing(repetition: Repetition | undefined): Repetition | undefined {
  return repetition === undefined || repetition.text(1) === '' ? undefined : repetition
}

/** A later message need not repeat what is known: what it leaves out stays, its steps join or replace those of the same id. */
function updated(known: Order, said: Order): Order {
  const merged: Record<string, unknown> = { ...known }
  for (const [name, value] of Object.entries(said)) {
    if (value !== null && !(Array.isArray(value) && value.length === 0)) merged[name] = value
  }
  const steps = new Map(known.steps.map((step) => [step.id, step]))
  for (const step of said.steps) {
    const before = steps.get(step.id)
    const next: Record<string, unknown> = { ...before }
    for (const [name, value] of Object.entries(step)) {
      if (value !== null && !(Array.isArray(value) && value.length === 0)) next[name] = value
    }
    steps.set(step.id, { ...step, ...next } as ScheduledStep)
  }
  return { ...(merged as unknown as Order), id: known.id, steps: [...steps.values()] }
}
