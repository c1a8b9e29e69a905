/** Metadata of a report out of PID, PV1, ORC, OBR, OBX and TXA. services.md E.5. */
import type { Code, DocumentAuthor, DocumentMetadata, DocumentReferenceId } from '#model/document.ts'
import type { Visit } from '#model/identity.ts'
import type { Hl7Message, Repetition, Segment } from '#standards/hl7v2/message.ts'
import { coded, ei, providerName } from '#standards/hl7v2/values.ts'
import { issuerOf, type SaidPatient } from './patient.ts'
import { timeIn } from './report.ts'
import type { MappingTerms } from './terms.ts'

const LOINC = 'http://loinc.org'

/** Coding schemes of HL7 v2 (table 0396) by their URI. */
const SCHEMES: { readonly [scheme: string]: string } = {
  LN: LOINC,
  SCT: 'http://snomed.info/sct',
  DCM: 'http://dicom.nema.org/resources/ontology/DCM',
  RADLEX: 'http://radlex.org',
  I10: 'http://hl7.org/fhir/sid/icd-10',
  I10C: 'http://hl7.org/fhir/sid/icd-10-cm',
  C4: 'http://www.ama-assn.org/go/cpt',
}

/** A coded value as the archive has it; local schemes stay under their own name. */
export function codeIn(from: Repetition | undefined, alternate = false): Code | null {
  const { code, text, scheme } = coded(from, alternate)
  if (code === '') return null
  const system = SCHEMES[scheme.toUpperCase()] ?? (scheme === '' ? 'urn:diptych:local' : scheme)
  return { code, system: system.slice(0, 256), display: (text || code).slice(0, 256) }
}

const loinc = (code: string, display: string): Code => ({ code, system: LOINC, display })
const IMAGING = loinc('18748-4', 'Diagnostic imaging study')

/** OBR-24, Diagnostic Service Section. Table 0074. */
const SECTIONS: { readonly [section: string]: Code } = {
  ...Object.fromEntries(
    ['RAD', 'CT', 'MR', 'NMR', 'RUS', 'RX', 'XRC', 'VUS', 'OUS', 'NMS', 'CUS'].map((one) => [one, IMAGING]),
  ),
  ...Object.fromEntries(
    ['LAB', 'CH', 'HM', 'MB', 'IMM', 'BLB', 'SR', 'TX', 'VR'].map((one) => [
      one,
      loinc('11502-2', 'Laboratory report'),
    ]),
  ),
  ...{ EC: loinc('28010-7', 'ECG report'), SP: loinc('11526-1', 'Pathology study') },
}

/** TXA-2, Document Type. Table 0270. */
const DOCUMENT_TYPES: { readonly [type: string]: Code } = {
  CN: loinc('11488-4', 'Consult note'),
  DI: IMAGING,
  DS: loinc('18842-5', 'Discharge summary'),
  OP: loinc('11504-8', 'Surgical operation note'),
  HP: loinc('34117-2', 'History and physical note'),
  PN: loinc('11506-3', 'Progress note'),
  ED: loinc('34111-5', 'Emergency department Note'),
  PR: loinc('28570-0', 'Procedure note'),
  SP: loinc('11526-1', 'Pathology study'),
  CD: loinc('18745-0', 'Cardiac catheterization study'),
}

/** The type of a document: what the observation is called in LOINC, else the order, else the diagnostic section. */
export function reportType(candidates: readonly (Segment | undefined)[], obr: Segment | undefined): Code | null {
  for (const obx of candidates) {
    for (const alternate of [false, true]) {
      const code = codeIn(obx?.repetitions(3)[0], alternate)
      if (code?.system === LOINC) return code
    }
  }
  const ordered = [codeIn(obr?.repetitions(4)[0]), codeIn(obr?.repetitions(4)[0], true)]
  const named = ordered.find((code) => code?.system === LOINC)
  return named ?? SECTIONS[obr?.text(24).toUpperCase() ?? ''] ?? null
}

/** TXA-2: a code of table 0270, or whatever the sender says with its scheme. */
export function documentType(txa: Segment): Code | null {
  const said = codeIn(txa.repetitions(2)[0])
  if (said === null) return null
  if (said.system === LOINC) return said
  return DOCUMENT_TYPES[said.code.toUpperCase()] ?? { ...said, system: `${V2}0270` }
}

const V2 = 'http://terminology.hl7.org/CodeSystem/v2-'

/** Orders, accession, visit and studies that a report is about. */
export function referencesOf(
  orders: readonly { readonly orc: Segment | undefined; readonly obr: Segment | undefined }[],
  more: { readonly visit: Visit | null; readonly studies: readonly string[] },
  terms: MappingTerms,
): DocumentReferenceId[] {
  const found: DocumentReferenceId[] = []
  const add = (type: DocumentReferenceId['type'], id: string, issuer: string | null) => {
    if (id === '' || found.some((one) => one.type === type && one.id === id)) return
    found.push({ type, id, issuer: issuer ?? '' })
  }
  const number = (type: DocumentReferenceId['type'], segment: Segment | undefined, field: number) => {
    const read = ei(segment?.repetitions(field)[0])
    add(type, read.id, issuerOf(read.authority, terms))
  }
  for (const { orc, obr } of orders) {
    number('accession', obr, 18)
    for (const segment of [orc, obr]) for (const field of [2, 3]) number('order', segment, field)
  }
  if (more.visit !== null) add('encounter', more.visit.admissionId, more.visit.issuer)
  for (const uid of more.studies) add('study', uid, null)
  return found
}

/** The patient as the sender tells them, kept with the document. */
export function sourcePatientOf({ key, demographics }: SaidPatient): DocumentMetadata['sourcePatient'] {
  const { name = null, birthDate = null, sex = null } = demographics
  return { ...key, name, birthDate, sex }
}

/** XCN with its person's number; null without a name. */
export function personIn(from: Repetition | undefined, institution: string | null = null): DocumentAuthor | null {
  if (from === undefined) return null
  const name = providerName(from)
  // Senders who write a name alone have it where the number stands.
  const person = name !== '' ? name : from.text(2) === '' ? from.text(1) : ''
  return authorOf(person, name === '' ? '' : from.text(1), institution)
}

/** NDL, as in OBR-32: number and name are parts of the first component; some write it as XCN. */
export function interpreterIn(from: Repetition | undefined): DocumentAuthor | null {
  if (from === undefined) return null
  if (from.text(1, 2) === '') return personIn(from)
  const name = [from.text(1, 2), from.text(1, 3), from.text(1, 4)].map((word) => word.replace(/[\\^=]/g, ' '))
  return authorOf(name.join('^').replace(/\^+$/, ''), from.text(1, 1), null)
}

function authorOf(person: string, id: string, institution: string | null): DocumentAuthor | null {
  if (person === '') return null
  return {
    ...{ person, identifier: id === '' ? null : { issuer: '', id }, institution },
    ...{ role: null, specialty: null, telecom: null, device: null },
  }
}

/** TXA-18, ORC-28: table 0177 and the codes of HL7 v3. */
const CONFIDENTIALITY: { readonly [code: string]: readonly [code: string, display: string] } = {
  ...{ U: ['N', 'normal'], R: ['R', 'restricted'], V: ['V', 'very restricted'], N: ['N', 'normal'], L: ['L', 'low'] },
}

export function confidentialityOf(text: string): Code[] {
  const known = CONFIDENTIALITY[text.toUpperCase()]
  if (known === undefined) return []
  const [code, display] = known
  return [{ code, system: `${V3}Confidentiality`, display }]
}

const V3 = 'http://terminology.hl7.org/CodeSystem/v3-'

/** What every document of an order's report says. */
export function orderedMetadata(
  message: Hl7Message,
  obr: Segment,
  orc: Segment | undefined,
  terms: MappingTerms,
): Partial<DocumentMetadata> {
  const procedure = codeIn(obr.repetitions(4)[0])
  const author = interpreterIn(obr.repetitions(32)[0])
  const department = orc?.text(13, 9) ?? ''
  return {
    title: procedure?.display ?? null,
    authors: author === null ? [] : [author],
    creationTime: timeIn(obr.text(22), terms) ?? timeIn(message.header.text(7), terms),
    serviceStart: timeIn(obr.text(7), terms),
    serviceStop: timeIn(obr.text(8), terms),
    confidentiality: confidentialityOf(orc?.text(28) ?? ''),
    eventCodes: procedure === null ? [] : [procedure],
    ...(department === '' ? {} : { department }),
  }
}
