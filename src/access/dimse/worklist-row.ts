import type { Code, LedgerPatient, Order, ScheduledStep } from '#model/identity.ts'

/** One attribute of a worklist item: the DICOM JSON Model. */
export interface Attribute {
  readonly vr: string
  readonly Value?: readonly unknown[]
}

/** A worklist item by tag. Every attribute we know is there, empty ones without Value. PS3.4 section K.6.1.2.2. */
export type WorklistRow = { readonly [key: string]: Attribute }

function one(vr: string, value: string | null | undefined): Attribute {
  if (value === null || value === undefined || value === '') return { vr }
  return { vr, Value: [vr === 'PN' ? nameOf(value) : value] }
}

function nameOf(value: string): { readonly [group: string]: string } {
  const [Alphabetic = '', Ideographic = '', Phonetic = ''] = value.split('=')
  return { Alphabetic, ...(Ideographic === '' ? {} : { Ideographic }), ...(Phonetic === '' ? {} : { Phonetic }) }
}

function sequence(items: readonly WorklistRow[]): Attribute {
  return items.length === 0 ? { vr: 'SQ' } : { vr: 'SQ', Value: items }
}

function codes(list: readonly Code[]): Attribute {
  return sequence(
    list.map(({ value, scheme, meaning }) => ({
      '00080100': one('SH', value),
      '00080102': one('SH', scheme),
      '00080104': one('LO', meaning),
    })),
  )
}

/** HL7v2 Hierarchic Designator macro with a local namespace. PS3.3 section 10.14. */
function issuer(name: string | null): Attribute {
  return sequence(name === null || name === '' ? [] : [{ '00400031': one('UT', name) }])
}

function otherIds({ survivor, aliases, demographics }: LedgerPatient): Attribute {
  const found = new Map<string, WorklistRow>()
  for (const key of [...aliases, ...demographics.otherIds]) {
    if (key.issuer === survivor.issuer && key.id === survivor.id) continue
    const item = { '00100020': one('LO', key.id), '00100021': one('LO', key.issuer), '00100022': one('CS', 'TEXT') }
    found.set(`${key.issuer}\n${key.id}`, item)
  }
  return sequence([...found.values()])
}

/** Attributes of a worklist item that no order and no message fills here: returned empty, and nothing to match with. */
export const NEVER_FILLED: ReadonlySet<string> = new Set([
  '00081110',
  '00081120',
  '00101030',
  '00102110',
  '001021C0',
  '00380050',
  '00321070',
  '00400012',
])

/**
 * One scheduled step of an order for its patient.
 * @param patient who the order's patient is today: the survivor of merges
 */
export function worklistRow(order: Order, step: ScheduledStep, patient: LedgerPatient): WorklistRow {
  const { demographics, visits } = patient
  const visit = visits.find(({ admissionId }) => admissionId === order.admissionId)
  return {
    '00080050': one('SH', order.accessionNumber),
    '00080051': issuer(order.accessionIssuer),
    '00080090': one('PN', order.referringPhysician ?? visit?.referringPhysician),
    '00081110': sequence([]),
    '00081120': sequence([]),
    '00100010': one('PN', demographics.name),
    '00100020': one('LO', patient.id),
    '00100021': one('LO', patient.issuer),
    '00100030': one('DA', demographics.birthDate),
    '00100040': one('CS', demographics.sex),
    '00101002': otherIds(patient),
    '00101030': one('DS', null),
    '00101040': one('LO', demographics.address),
    '00101060': one('PN', demographics.motherName),
    '00102000': one('LO', order.medicalAlerts),
    '00102110': one('LO', null),
    '001021C0': { vr: 'US' },
    '0020000D': one('UI', order.studyInstanceUID),
    '00321032': one('PN', order.requestingPhysician),
    '00321033': one('LO', order.requestingService),
    '00321060': one('LO', order.description),
    '00321064': codes(order.codes),
    '00380010': one('LO', order.admissionId),
    '00380014': issuer(visit?.issuer ?? null),
    '00380050': one('LO', null),
    '00380300': one('LO', visit?.location),
    '00380500': one('LO', order.patientState),
    '00400100': sequence([scheduledStep(order, step)]),
    '00401001': one('SH', order.requestedProcedureId),
    '00401002': one('LO', order.reason),
    '00401003': one('SH', order.priority),
    '00401004': one('LO', order.transport),
    '00401008': one('LO', order.confidentiality),
    '00402016': one('LO', order.placerOrderNumber),
    '00402017': one('LO', order.fillerOrderNumber),
    '00403001': one('LO', order.confidentiality),
  }
}

const STEP_STATUS: Readonly<Record<Order['status'], string>> = {
  scheduled: 'SCHEDULED',
  'in-progress': 'STARTED',
  completed: 'COMPLETED',
  cancelled: 'CANCELLED',
  discontinued: 'DISCONTINUED',
}

function scheduledStep(order: Order, step: ScheduledStep): WorklistRow {
  return {
    '00080060': one('CS', step.modality),
    '00321070': one('LO', null),
    '00400001': one('AE', step.stationAeTitle),
    '00400002': one('DA', step.startDate),
    '00400003': one('TM', step.startTime),
    '00400006': one('PN', step.performingPhysician),
    '00400007': one('LO', step.description),
    '00400008': codes(step.codes),
    '00400009': one('SH', step.id),
    '00400010': one('SH', step.stationName),
    '00400011': one('SH', step.location),
    '00400012': one('LO', null),
    '00400020': one('CS', STEP_STATUS[order.status]),
  }
}
