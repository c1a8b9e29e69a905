import type { Demographics, LedgerPatient, Order } from '#model/identity.ts'
import type { StudyEvidence } from '#model/reconciliation.ts'

/** A study from a disc, for tests: nothing but a made-up issuer and what is given. */
export function studyOf(over: Partial<StudyEvidence> = {}): StudyEvidence {
  return {
    studyInstanceUID: '1.2.3.4',
    patient: { patientId: 'p0', issuer: 'assumed:0011223344556677', id: '77', issuerAssumed: true },
    name: 'MÜLLER^ANNA',
    birthDate: '19710412',
    sex: 'F',
    otherIds: [],
    accessionNumber: null,
    accessionIssuer: null,
    requestedProcedureId: null,
    admissionId: null,
    studyDate: '20261120',
    arrivedOn: '20261124',
    modalities: ['CT'],
    description: 'CT Thorax',
    bodyPart: null,
    sender: { door: 'media', peer: null, originator: null, user: null, address: null, medium: 'disc 1' },
    present: [],
    ...over,
  }
}

export function patientOf(id: string, demographics: Partial<Demographics> = {}, issuer = 'HOSP'): LedgerPatient {
  return {
    patientId: `p-${issuer}-${id}`,
    issuer,
    id,
    issuerAssumed: false,
    demographics: {
      name: 'MUELLER^ANNA',
      birthDate: '19710412',
      sex: 'F',
      otherIds: [],
      address: null,
      telephone: null,
      motherName: null,
      ...demographics,
    },
    authority: 'adt',
    visits: [],
    mergedInto: null,
    survivor: { issuer, id },
    aliases: [],
    linked: [],
  }
}

export function orderOf(over: Partial<Order> = {}): Order {
  return {
    id: 'o1',
    patient: { issuer: 'HOSP', id: '4711' },
    placerOrderNumber: 'P1',
    placerIssuer: null,
    fillerOrderNumber: 'F1',
    fillerIssuer: null,
    accessionNumber: 'ACC-1',
    accessionIssuer: 'HOSP-RIS',
    requestedProcedureId: 'RP-1',
    description: 'Import of foreign CT',
    codes: [{ value: 'IMP', scheme: '99HOSP', meaning: 'Import' }],
    studyInstanceUID: '1.2.9.9',
    studyUidFrom: 'generated',
    steps: [
      {
        id: 'S1',
        modality: 'CT',
        stationAeTitle: null,
        stationName: null,
        location: null,
        startDate: '20261124',
        startTime: null,
        description: null,
        codes: [],
        performingPhysician: null,
      },
    ],
    priority: 'ROUTINE',
    requestingPhysician: null,
    referringPhysician: null,
    requestingService: null,
    reason: null,
    medicalAlerts: null,
    patientState: null,
    transport: null,
    confidentiality: null,
    department: null,
    admissionId: 'V-9',
    status: 'scheduled',
    ...over,
  }
}
