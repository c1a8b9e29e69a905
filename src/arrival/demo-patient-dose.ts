import { code, type Elements, namedUid } from './demo-patient-elements.ts'
import { type DemoStudy, patientAndStudy, seriesAndInstance, studyUid } from './demo-patient-identity.ts'

type Relationship = 'CONTAINS' | 'HAS CONCEPT MOD' | 'HAS OBS CONTEXT' | 'HAS PROPERTIES'
type Concept = readonly [value: string, scheme: string, meaning: string]

/** One content item of a structured report. PS3.3 C.17.3. */
function item(
  relation: Relationship,
  type: string,
  concept: Concept,
  rest: Elements,
  children: readonly Elements[] = [],
) {
  const made: Elements = {
    RelationshipType: relation,
    ValueType: type,
    ConceptNameCodeSequence: code(...concept),
    ...rest,
    ...(children.length === 0 ? {} : { ContentSequence: children }),
  }
  return made
}

function dcm(value: string, meaning: string): Concept {
  return [value, 'DCM', meaning]
}

function container(concept: Concept, children: readonly Elements[]): Elements {
  return item('CONTAINS', 'CONTAINER', concept, { ContinuityOfContent: 'SEPARATE' }, children)
}

function coded(
  concept: Concept,
  value: Concept,
  relation: Relationship = 'CONTAINS',
  children: readonly Elements[] = [],
) {
  return item(relation, 'CODE', concept, { ConceptCodeSequence: code(...value) }, children)
}

function uid(concept: Concept, value: string, relation: Relationship = 'CONTAINS'): Elements {
  return item(relation, 'UIDREF', concept, { UID: value })
}

function words(concept: Concept, value: string, relation: Relationship = 'CONTAINS'): Elements {
  return item(relation, 'TEXT', concept, { TextValue: value })
}

function when(concept: Concept, value: string, relation: Relationship = 'CONTAINS'): Elements {
  return item(relation, 'DATETIME', concept, { DateTime: value })
}

function num(concept: Concept, value: string, unit: string, meaning = unit): Elements {
  return item('CONTAINS', 'NUM', concept, {
    MeasuredValueSequence: [{ NumericValue: value, MeasurementUnitsCodeSequence: code(unit, 'UCUM', meaning) }],
  })
}

/** One irradiation of a CT examination. */
export interface CtEvent {
  readonly name: string
  readonly protocol: string
  readonly spiral: boolean
  /** mGy; absent for a scout without a dose index. */
  readonly ctdiVol?: string
  /** mGy.cm */
  readonly dlp?: string
  readonly milliampere: string
  readonly lengthMm: string
}

function ctAcquisition(study: DemoStudy, event: CtEvent): Elements {
  const source = [
    words(dcm('113832', 'Identification of the X-Ray Source'), 'A'),
    num(dcm('113733', 'KVP'), '120', 'kV'),
    num(dcm('113833', 'Maximum X-Ray Tube Current'), event.milliampere, 'mA'),
    num(dcm('113734', 'X-Ray Tube Current'), event.milliampere, 'mA'),
    ...(event.spiral ? [num(dcm('113834', 'Exposure Time per Rotation'), '0.5', 's')] : []),
  ]
  const parameters = [
    num(dcm('113824', 'Exposure Time'), '4.2', 's'),
    num(dcm('113825', 'Scanning Length'), event.lengthMm, 'mm'),
    num(dcm('113826', 'Nominal Single Collimation Width'), '0.625', 'mm'),
    num(dcm('113827', 'Nominal Total Collimation Width'), '40', 'mm'),
    ...(event.spiral ? [num(dcm('113828', 'Pitch Factor'), '0.98', '{ratio}', 'ratio')] : []),
    num(dcm('113823', 'Number of X-Ray Sources'), '1', '{X-Ray sources}', 'X-Ray sources'),
    container(dcm('113831', 'CT X-Ray Source Parameters'), source),
  ]
  const dose =
    event.ctdiVol === undefined || event.dlp === undefined
      ? []
      : [
          container(dcm('113829', 'CT Dose'), [
            num(dcm('113830', 'Mean CTDIvol'), event.ctdiVol, 'mGy'),
            coded(dcm('113835', 'CTDIw Phantom Type'), dcm('113691', 'IEC Body Dosimetry Phantom')),
            num(dcm('113838', 'DLP'), event.dlp, 'mGy.cm'),
          ]),
        ]
  return container(dcm('113819', 'CT Acquisition'), [
    words(dcm('125203', 'Acquisition Protocol'), event.protocol),
    coded(dcm('123014', 'Target Region'), ['51185008', 'SCT', 'Chest']),
    coded(
      dcm('113820', 'CT Acquisition Type'),
      event.spiral ? ['116152004', 'SCT', 'Spiral Acquisition'] : dcm('113805', 'Constant Angle Acquisition'),
    ),
    uid(dcm('113769', 'Irradiation Event UID'), namedUid(`${study.name} irradiation ${event.name}`)),
    container(dcm('113822', 'CT Acquisition Parameters'), parameters),
    ...dose,
  ])
}

function projectionEvent(study: DemoStudy, index: number): Elements {
  return container(dcm('113706', 'Irradiation Event X-Ray Data'), [
    coded(dcm('113764', 'Acquisition Plane'), dcm('113622', 'Single Plane'), 'HAS CONCEPT MOD'),
    uid(dcm('113769', 'Irradiation Event UID'), namedUid(`${study.name} projection ${index}`)),
    when(dcm('111526', 'DateTime Started'), `${study.date}${study.time}`),
    coded(dcm('113721', 'Irradiation Event Type'), ['44491008', 'SCT', 'Fluoroscopy']),
    num(dcm('122130', 'Dose Area Product'), '0.00012', 'Gy.m2'),
    num(dcm('113738', 'Dose (RP)'), '0.0125', 'Gy'),
    num(dcm('113733', 'KVP'), '81', 'kV'),
  ])
}

/** What the report is about: a CT (TID 10011) or a projection examination (TID 10001). */
export type DoseOptions =
  | { readonly of: 'ct'; readonly events: readonly CtEvent[]; readonly dlpTotal: string }
  | { readonly of: 'projection'; readonly events: number }

function accumulated(options: DoseOptions): Elements {
  if (options.of === 'ct') {
    return container(dcm('113811', 'CT Accumulated Dose Data'), [
      num(dcm('113812', 'Total Number of Irradiation Events'), String(options.events.length), '{events}', 'events'),
      num(dcm('113813', 'CT Dose Length Product Total'), options.dlpTotal, 'mGy.cm'),
    ])
  }
  return container(dcm('113702', 'Accumulated X-Ray Dose Data'), [
    coded(dcm('113764', 'Acquisition Plane'), dcm('113622', 'Single Plane'), 'HAS CONCEPT MOD'),
    num(dcm('113722', 'Dose Area Product Total'), (options.events * 0.00012).toFixed(5), 'Gy.m2'),
    num(dcm('113725', 'Dose (RP) Total'), (options.events * 0.0125).toFixed(4), 'Gy'),
    num(dcm('113730', 'Total Fluoro Time'), '42', 's'),
  ])
}

/** X-Ray Radiation Dose SR IOD, PS3.3 A.35.8, templates TID 10001 and TID 10011 of PS3.16. */
export function doseReport(study: DemoStudy, options: DoseOptions): Elements {
  const ct = options.of === 'ct'
  const started = `${study.date}${study.time}`
  const procedure = ct
    ? (['77477000', 'SCT', 'Computed Tomography X-Ray'] as const)
    : (['113704', 'DCM', 'Projection X-Ray'] as const)
  const intent = coded(['363703001', 'SCT', 'Has Intent'], ['261004008', 'SCT', 'Diagnostic Intent'], 'HAS CONCEPT MOD')
  const study110180 = uid(dcm('110180', 'Study Instance UID'), studyUid(study), 'HAS PROPERTIES')
  const times = ct
    ? [
        when(dcm('113809', 'Start of X-Ray Irradiation'), started, 'HAS OBS CONTEXT'),
        when(dcm('113810', 'End of X-Ray Irradiation'), started, 'HAS OBS CONTEXT'),
      ]
    : []
  const template = { MappingResource: 'DCMR', TemplateIdentifier: ct ? '10011' : '10001' }
  return {
    ...patientAndStudy(study),
    ...seriesAndInstance(
      study,
      { name: 'dose', number: 990, modality: 'SR', description: 'Dose report' },
      { sopClass: '1.2.840.10008.5.1.4.1.1.88.67', number: 1 },
    ),
    ReferencedPerformedProcedureStepSequence: [],
    PerformedProcedureCodeSequence: [],
    CompletionFlag: 'COMPLETE',
    VerificationFlag: 'UNVERIFIED',
    ValueType: 'CONTAINER',
    ConceptNameCodeSequence: code('113701', 'DCM', 'X-Ray Radiation Dose Report'),
    ContinuityOfContent: 'SEPARATE',
    ContentTemplateSequence: [template],
    ContentSequence: [
      coded(dcm('121058', 'Procedure reported'), procedure, 'HAS CONCEPT MOD', [intent]),
      coded(dcm('121005', 'Observer Type'), dcm('121007', 'Device'), 'HAS OBS CONTEXT'),
      uid(dcm('121012', 'Device Observer UID'), namedUid('scanner'), 'HAS OBS CONTEXT'),
      words(dcm('121013', 'Device Observer Name'), 'Diptych synthetic scanner', 'HAS OBS CONTEXT'),
      ...times,
      coded(dcm('113705', 'Scope of Accumulation'), dcm('113014', 'Study'), 'HAS OBS CONTEXT', [study110180]),
      accumulated(options),
      ...(ct
        ? options.events.map((event) => ctAcquisition(study, event))
        : Array.from({ length: options.events }, (_, index) => projectionEvent(study, index))),
      coded(dcm('113854', 'Source of Dose Information'), dcm('113856', 'Automated Data Collection')),
    ],
  }
}

/** The examination of the demonstration patient: a scout and a spiral. */
export const DEMO_DOSE: DoseOptions = {
  of: 'ct',
  dlpTotal: '312.4',
  events: [
    { name: '1', protocol: 'Scout', spiral: false, milliampere: '20', lengthMm: '400' },
    {
      name: '2',
      protocol: 'Chest with contrast',
      spiral: true,
      ctdiVol: '8.9',
      dlp: '312.4',
      milliampere: '180',
      lengthMm: '351',
    },
  ],
}
