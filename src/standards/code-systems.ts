/** A coded value; `system` is a URI. The same shape as the archive's own. */
export interface CodedValue {
  readonly code: string
  readonly system: string
  readonly display: string
}

/** Code systems with a URI of their own in FHIR, by OID. HL7 terminology, "External Code Systems" and v3 systems. */
const uriByOid: ReadonlyMap<string, string> = new Map([
  ['2.16.840.1.113883.6.1', 'http://loinc.org'],
  ['2.16.840.1.113883.6.96', 'http://snomed.info/sct'],
  ['2.16.840.1.113883.6.3', 'http://hl7.org/fhir/sid/icd-10'],
  ['2.16.840.1.113883.6.90', 'http://hl7.org/fhir/sid/icd-10-cm'],
  ['2.16.840.1.113883.6.12', 'http://www.ama-assn.org/go/cpt'],
  ['2.16.840.1.113883.6.8', 'http://unitsofmeasure.org'],
  ['2.16.840.1.113883.6.88', 'http://www.nlm.nih.gov/research/umls/rxnorm'],
  ['2.16.840.1.113883.6.101', 'http://nucc.org/provider-taxonomy'],
  ['2.16.840.1.113883.6.73', 'http://www.whocc.no/atc'],
  ['2.16.840.1.113883.5.1', 'http://terminology.hl7.org/CodeSystem/v3-AdministrativeGender'],
  ['2.16.840.1.113883.5.4', 'http://terminology.hl7.org/CodeSystem/v3-ActCode'],
  ['2.16.840.1.113883.5.6', 'http://terminology.hl7.org/CodeSystem/v3-ActClass'],
  ['2.16.840.1.113883.5.25', 'http://terminology.hl7.org/CodeSystem/v3-Confidentiality'],
  ['2.16.840.1.113883.5.88', 'http://terminology.hl7.org/CodeSystem/v3-ParticipationFunction'],
  ['2.16.840.1.113883.5.111', 'http://terminology.hl7.org/CodeSystem/v3-RoleCode'],
  ['2.16.840.1.113883.5.53', 'http://terminology.hl7.org/CodeSystem/v3-hl7Realm'],
  ['1.2.840.10008.2.16.4', 'http://dicom.nema.org/resources/ontology/DCM'],
  ['1.3.6.1.4.1.19376.1.2.3', 'http://ihe.net/fhir/ihe.formatcode.fhir/CodeSystem/formatcode'],
])

const oidByUri: ReadonlyMap<string, string> = new Map([...uriByOid].map(([oid, uri]) => [uri, oid]))

/** The URI of a code system: the one FHIR gives it, else `urn:oid:`. Empty for no OID. */
export function systemUri(oid: string | null): string {
  if (oid === null || oid === '') return ''
  return uriByOid.get(oid) ?? (isOid(oid) ? `urn:oid:${oid}` : oid)
}

/** The OID of a code system, or the URI itself when none is known: what XDS writes as coding scheme. */
export function systemOid(uri: string): string {
  return oidByUri.get(uri) ?? (uri.startsWith('urn:oid:') ? uri.slice(8) : uri)
}

/** Digits and dots, at least one dot. ITU-T X.660. */
export function isOid(value: string): boolean {
  return value.length <= 128 && /^[0-2](\.\d+)+$/.test(value)
}
