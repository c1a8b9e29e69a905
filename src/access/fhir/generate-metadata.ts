/** IHE ITI-106 Generate Metadata: `POST DocumentReference/$generate-metadata`. https://profiles.ihe.net/ITI/MHD/ITI-106.html */
import type { Bundle, Parameters } from '@medplum/fhirtypes'
import { derivedSet } from '#arrival/mhd/derived-set.ts'
import { told } from '#arrival/mhd/problem.ts'
import { isBase64 } from '#arrival/mhd/provide-bundle.ts'
import { failures } from '#errors.ts'
import type { Provenance } from '#model/arrival.ts'
import type { StoredDocument } from '#model/document.ts'
import type { DocumentDesk, SubmittedDocument } from '#model/document-desk.ts'
import { contentVoice } from '#placement/content-voice.ts'
import { memorySource } from '#standards/byte-source.ts'
import { readCdaHeader } from '#standards/cda/header.ts'
import { DocumentError } from '#standards/document-error.ts'
import { type Json, toXml } from '#standards/fhir/xml-write.ts'
import { documentKindOf } from '#standards/media/document-kind.ts'
import { type Format, MEDIA_TYPES } from './formats.ts'
import type { FhirSources } from './kind.ts'
import { knownPatient, ownerOf } from './known-patient.ts'
import { FhirFault } from './outcome.ts'

const AT = 'Parameters.parameter[0].resource'

interface Given {
  readonly bytes: Uint8Array
  /** What is read of the document: of a FHIR document its JSON, however it is kept. */
  readonly read: Uint8Array
  readonly mediaType: string | undefined
}

/** @throws FhirFault 400 naming what is not a document */
function givenDocument(body: { readonly [name: string]: unknown }, format: Format): Given {
  if (body['resourceType'] !== 'Parameters') {
    throw FhirFault.at(400, 'invalid', 'resourceType', 'the body is Parameters with a document')
  }
  const { parameter = [] } = body as unknown as Parameters
  const [document, ...more] = parameter
  if (document?.name !== 'document' || document.resource === undefined) {
    throw FhirFault.at(400, 'required', 'Parameters.parameter', 'document: a Binary or a document Bundle')
  }
  if (more.length > 0) throw FhirFault.at(400, 'invalid', 'Parameters.parameter[1]', 'one document')
  const { resource } = document
  if (resource.resourceType === 'Binary') {
    const { data, contentType } = resource
    if (!data) throw FhirFault.at(422, 'required', `${AT}.data`, 'the bytes of the document')
    if (!isBase64(data)) throw FhirFault.at(422, 'value', `${AT}.data`, 'not base64')
    const bytes = new Uint8Array(Buffer.from(data, 'base64'))
    return { bytes, read: bytes, mediaType: contentType }
  }
  if (resource.resourceType === 'Bundle' && (resource as Bundle).type === 'document') {
    // Kept in the encoding it came in, as the transaction asks.
    const read = new Uint8Array(Buffer.from(JSON.stringify(resource)))
    const bytes = format === 'json' ? read : new Uint8Array(Buffer.from(toXml(resource as unknown as Json)))
    return { bytes, read, mediaType: MEDIA_TYPES[format].split(';', 1)[0] }
  }
  throw FhirFault.at(400, 'invalid', AT, 'a Binary, or a Bundle of type document')
}

/** The id a document gives itself. HL7 CDA ClinicalDocument.id; Bundle.identifier */
function ownId(bytes: Uint8Array, word: string): string | undefined {
  try {
    if (word === 'cda') {
      const { id } = readCdaHeader(bytes)
      if (id === null || id.root === '') return undefined
      return id.extension === '' ? id.root : `${id.root}^${id.extension}`
    }
    const { identifier } = JSON.parse(Buffer.from(bytes).toString('utf8')) as Bundle
    return identifier?.value
  } catch (error) {
    // A header that does not read names nothing; the walk says what is wrong with the document.
    if (error instanceof DocumentError || error instanceof SyntaxError) return undefined
    throw error
  }
}

/**
 * Keeps a structured document with the metadata it says of itself; the submission set is made for it.
 * @throws FhirFault 422 for a document that is not structured, or whose patient is not known
 */
export async function generatedFrom(
  body: { readonly [name: string]: unknown },
  format: Format,
  {
    desk,
    sources,
    provenance,
    origin,
  }: {
    readonly desk: Pick<DocumentDesk, 'submit'>
    readonly sources: Pick<FhirSources, 'fhir' | 'issuers'>
    readonly provenance: Provenance
    readonly origin: string
  },
): Promise<StoredDocument> {
  const { bytes, read, mediaType } = givenDocument(body, format)
  const kind = documentKindOf(memorySource(read))
  if (kind === null || (kind.word !== 'cda' && kind.word !== 'fhir-document')) {
    const detail = 'only CDA and FHIR documents say enough of themselves'
    throw new FhirFault(422, [told('document.type', AT, detail)])
  }
  const uniqueId = ownId(read, kind.word)
  const named = (authority: string) =>
    sources.issuers().resolve({ namespaceId: '', universalId: authority })?.issuer ?? authority
  const { says, patients } = contentVoice(memorySource(read), named)
  const owner = patients
    .map(({ authority, id }) => knownPatient(sources, origin, { identifier: { system: named(authority), value: id } }))
    .find((row) => row !== undefined)
  if (owner === undefined) {
    throw new FhirFault(422, [told('document.patient-unknown', AT, 'the patient of the document is not known here')])
  }
  const document: SubmittedDocument = {
    label: 'document',
    arrival: {
      provenance,
      claims: { document: true, ...(mediaType === undefined ? {} : { mediaType }) },
      bytes: { in: 'memory', bytes },
    },
    statement: {
      ...(uniqueId === undefined ? {} : { uniqueId }),
      owner: ownerOf(owner),
      // What is kept in XML is not read again behind the door.
      metadata: bytes === read ? {} : says,
    },
  }
  // Made before the bytes leave for the writer, who takes their memory.
  const set = derivedSet([document], provenance)
  const receipt = await desk.submit({
    documents: [document],
    lists: set === null ? [] : [set],
    relations: [],
    patientsKnown: true,
    complete: false,
  })
  if (receipt.is === 'refused') {
    const [first] = receipt.faults
    const { http } = failures[first?.code ?? 'document.invalid']
    throw new FhirFault(
      http,
      receipt.faults.map(({ code, detail }) => told(code, AT, detail)),
    )
  }
  const [kept] = receipt.documents
  if (kept === undefined) throw new FhirFault(422, [told('document.invalid', AT, 'nothing was kept')])
  return kept.document
}
