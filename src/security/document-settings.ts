import { z } from 'zod'

const LOINC = 'http://loinc.org'
const SNOMED = 'http://snomed.info/sct'
const CONFIDENTIALITY = 'http://terminology.hl7.org/CodeSystem/v3-Confidentiality'
const FORMAT = 'http://ihe.net/fhir/ihe.formatcode.fhir/CodeSystem/formatcode'
const DCM = 'http://dicom.nema.org/resources/ontology/DCM'

const code = z.strictObject({
  code: z.string().trim().min(1).max(128),
  system: z.string().trim().min(1).max(256),
  display: z.string().trim().min(1).max(256),
})
const codes = z.array(code).max(5000)
/** A type with the class it belongs to, by its code. */
const typeCode = code.extend({ class: z.string().max(128).optional() })

const valueSets = z.strictObject({
  classCode: codes,
  typeCode: z.array(typeCode).max(5000),
  formatCode: codes,
  practiceSetting: codes,
  facilityType: codes,
  confidentiality: codes,
  eventCodes: codes,
})

export type ValueSets = z.output<typeof valueSets>

const of = (system: string, rows: readonly (readonly [code: string, display: string])[]) =>
  rows.map(([value, display]) => ({ code: value, system, display }))

const types = (rows: readonly (readonly [code: string, display: string, klass: string])[]) =>
  rows.map(([value, display, klass]) => ({ code: value, system: LOINC, display, class: klass }))

/** What ships; a site replaces it by its own. */
export const SHIPPED_VALUES: ValueSets = {
  classCode: of(LOINC, [
    ['18726-0', 'Radiology studies (set)'],
    ['11502-2', 'Laboratory report'],
    ['11503-0', 'Medical records'],
    ['11488-4', 'Consult note'],
    ['18842-5', 'Discharge summary'],
    ['26441-6', 'Cardiology studies (set)'],
    ['27898-6', 'Pathology studies (set)'],
    ['28570-0', 'Procedure note'],
    ['52027-1', 'Reports (set)'],
    ['55107-7', 'Addendum Document'],
    ['57133-1', 'Referral note'],
    ['59284-0', 'Consent Document'],
    ['72170-4', 'Photographic image'],
    ['85449-7', 'Video'],
    ['34895-3', 'Education note'],
  ]),
  typeCode: types([
    ['18748-4', 'Diagnostic imaging study', '18726-0'],
    ['11528-7', 'Radiology Diagnostic study note', '18726-0'],
    ['18747-6', 'CT Study report', '18726-0'],
    ['18755-9', 'MR Study report', '18726-0'],
    ['18760-9', 'US Study report', '18726-0'],
    ['18757-5', 'NM Study report', '18726-0'],
    ['44136-0', 'PET Study report', '18726-0'],
    ['24606-6', 'MG Breast Screening report', '18726-0'],
    ['38269-7', 'DXA Skeletal system Bone density report', '18726-0'],
    ['73569-6', 'Radiation exposure and protection information', '18726-0'],
    ['34534-8', '12 lead EKG panel', '26441-6'],
    ['28010-7', 'ECG report', '26441-6'],
    ['34552-0', 'Cardiac 2D echo panel', '26441-6'],
    ['18745-0', 'Cardiac catheterization study', '26441-6'],
    ['18753-4', 'Flexible sigmoidoscopy study', '28570-0'],
    ['18751-8', 'Endoscopy Study observation', '28570-0'],
    ['18746-8', 'Colonoscopy Study observation', '28570-0'],
    ['11526-1', 'Pathology study', '27898-6'],
    ['60567-5', 'Comprehensive pathology report panel', '27898-6'],
    ['11502-2', 'Laboratory report', '11502-2'],
    ['11488-4', 'Consult note', '11488-4'],
    ['18842-5', 'Discharge summary', '18842-5'],
    ['34133-9', 'Summarization of episode note', '11503-0'],
    ['11504-8', 'Surgical operation note', '28570-0'],
    ['28570-0', 'Procedure note', '28570-0'],
    ['57133-1', 'Referral note', '57133-1'],
    ['59284-0', 'Consent Document', '59284-0'],
    ['51852-2', 'Letter', '11503-0'],
    ['72170-4', 'Photographic image', '72170-4'],
    ['85449-7', 'Video', '85449-7'],
    ['70004-7', 'Diagnostic study note', '52027-1'],
    ['55113-5', 'Key images Document Radiology', '18726-0'],
  ]),
  formatCode: [
    ...of(FORMAT, [
      ['urn:ihe:iti:xds:2017:mimeTypeSufficient', 'mimeType Sufficient'],
      ['urn:ihe:iti:xds-sd:pdf:2008', 'PDF embedded in CDA per XDS-SD profile'],
      ['urn:ihe:iti:xds-sd:text:2008', 'Text embedded in CDA per XDS-SD profile'],
      ['urn:ihe:rad:TEXT', 'Radiology XDS-I Text'],
      ['urn:ihe:rad:PDF', 'Radiology XDS-I PDF'],
      ['urn:ihe:rad:CDA:ImagingReportStructuredHeadings:2013', 'Radiology XDS-I Structured CDA'],
    ]),
    ...of('http://dicom.nema.org/resources/ontology/DICUID', [
      ['1.2.840.10008.5.1.4.1.1.88.59', 'Key Object Selection Document'],
    ]),
  ],
  practiceSetting: of(SNOMED, [
    ['394914008', 'Radiology'],
    ['394579002', 'Cardiology'],
    ['394582007', 'Dermatology'],
    ['394594003', 'Ophthalmology'],
    ['394915009', 'General pathology'],
    ['394585009', 'Obstetrics and gynecology'],
    ['394802001', 'General medicine'],
    ['394591006', 'Neurology'],
    ['394609007', 'General surgery'],
    ['394801008', 'Trauma and orthopedics'],
    ['394584008', 'Gastroenterology'],
    ['394604002', 'Ear, nose and throat surgery'],
    ['394612005', 'Urology'],
    ['394537008', 'Pediatric specialty'],
    ['394577000', 'Anesthetics'],
    ['394649004', 'Nuclear medicine - speciality'],
    ['419815003', 'Radiation oncology'],
    ['394593009', 'Medical oncology'],
    ['394602003', 'Rehabilitation'],
    ['408478003', 'Critical care medicine'],
    ['773568002', 'Emergency medicine'],
    ['722163006', 'Dentistry'],
    ['418112009', 'Pulmonary medicine'],
  ]),
  facilityType: of(SNOMED, [
    ['22232009', 'Hospital'],
    ['35971002', 'Ambulatory care site'],
    ['73770003', 'Hospital-based outpatient emergency care center'],
    ['394777002', 'Health encounter sites'],
    ['702824005', 'Radiology department'],
    ['288565001', 'Medical center'],
    ['264372000', 'Pharmacy'],
    ['42665001', 'Nursing home'],
  ]),
  confidentiality: of(CONFIDENTIALITY, [
    ['U', 'unrestricted'],
    ['L', 'low'],
    ['M', 'moderate'],
    ['N', 'normal'],
    ['R', 'restricted'],
    ['V', 'very restricted'],
  ]),
  eventCodes: [
    ...of(DCM, [
      ['BMD', 'Bone Mineral Densitometry'],
      ['CR', 'Computed Radiography'],
      ['CT', 'Computed Tomography'],
      ['DX', 'Digital Radiography'],
      ['ECG', 'Electrocardiography'],
      ['ES', 'Endoscopy'],
      ['GM', 'General Microscopy'],
      ['IVUS', 'Intravascular Ultrasound'],
      ['MG', 'Mammography'],
      ['MR', 'Magnetic Resonance'],
      ['NM', 'Nuclear Medicine'],
      ['OCT', 'Optical Coherence Tomography'],
      ['OP', 'Ophthalmic Photography'],
      ['PT', 'Positron emission tomography'],
      ['RF', 'Radiofluoroscopy'],
      ['SM', 'Slide Microscopy'],
      ['US', 'Ultrasound'],
      ['XA', 'X-Ray Angiography'],
      ['XC', 'External-camera Photography'],
    ]),
    ...of(SNOMED, [
      ['818983003', 'Abdomen'],
      ['69536005', 'Head'],
      ['45048000', 'Neck'],
      ['816094009', 'Thorax'],
      ['53120007', 'Upper limb'],
      ['61685007', 'Lower limb'],
      ['421060004', 'Vertebral column'],
      ['12921003', 'Pelvis'],
      ['76752008', 'Breast'],
      ['80891009', 'Heart'],
      ['81745001', 'Eye'],
      ['39937001', 'Skin'],
      ['85562004', 'Hand'],
      ['56459004', 'Foot'],
      ['89545001', 'Face'],
    ]),
  ],
}

/** Local names of departments as senders write them, folded, with the specialty they are. */
const DEPARTMENTS = Object.fromEntries([
  ['radiology', '394914008'],
  ['radiologie', '394914008'],
  ['cardiology', '394579002'],
  ['kardiologie', '394579002'],
  ['dermatology', '394582007'],
  ['dermatologie', '394582007'],
  ['ophthalmology', '394594003'],
  ['augenklinik', '394594003'],
  ['pathology', '394915009'],
  ['pathologie', '394915009'],
  ['gynecology', '394585009'],
  ['neurology', '394591006'],
  ['surgery', '394609007'],
  ['orthopedics', '394801008'],
  ['gastroenterology', '394584008'],
  ['ent', '394604002'],
  ['urology', '394612005'],
  ['emergency', '773568002'],
  ['nuclear medicine', '394649004'],
] as const)

const language = z.string().regex(/^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*$/, 'expected a language such as de-DE')

/** Site settings of the document panel; part of SETTINGS in site-settings.ts. */
export const DOCUMENT_SETTINGS = {
  'documents.values': {
    schema: valueSets,
    fallback: SHIPPED_VALUES,
    what: 'Value sets of document metadata: class, type (each with its class), format, specialty, facility, confidentiality, events and body parts.',
  },
  'documents.strict': {
    schema: z.boolean(),
    fallback: false,
    what: 'Refuse documents whose coded metadata is not in the value sets.',
  },
  'documents.departments': {
    schema: z.record(z.string().min(1).max(200), z.string().min(1).max(128)),
    fallback: DEPARTMENTS,
    what: 'Which specialty (a code of the value set) a department is, by its local name in lower case.',
  },
  'documents.defaults': {
    schema: z.strictObject({
      practiceSetting: z.string().max(128).nullable().default(null),
      facilityType: z.string().max(128).nullable().default(null),
      confidentiality: z.string().max(128).nullable().default('N'),
      language: language.nullable().default(null),
    }),
    fallback: { practiceSetting: null, facilityType: null, confidentiality: 'N', language: null },
    what: 'What is assumed where nobody says it: codes of the value sets, and a language.',
  },
  'documents.location': {
    schema: z.enum(['remove', 'keep']),
    fallback: 'remove',
    what: 'The place where a photograph or film was made: taken out of what leaves, or left in. What is kept stays as it came.',
  },
  'documents.faces': {
    schema: z.enum(['ask', 'keep']),
    fallback: 'ask',
    what: 'DICOM faces of documents: made when somebody asks for one, or kept as objects of their study so that queries list them.',
  },
  'documents.modelUnit': {
    schema: z.enum(['um', 'mm', 'cm', 'm']),
    fallback: 'mm',
    what: 'Unit of length of STL, OBJ and MTL models as DICOM objects: the files do not say one.',
  },
} as const
