/** Documents built by code, and an archive of their own to send them to. */
import { join } from 'node:path'
import { loadConfig } from '#config.ts'
import type { Arrival, Provenance } from '#model/arrival.ts'
import type { DocumentStatement, Submission, SubmissionReceipt } from '#model/document-desk.ts'
import { type Archive, openArchive } from '../../src/app.ts'
import { plainPdf } from '../fixtures/pdf.ts'
import { temporaryDirectory } from '../live/server.ts'

export const LOINC = 'http://loinc.org'

export interface DocumentArchive {
  readonly archive: Archive
  readonly dataDirectory: string
  /** Closes and opens again; `between` runs while nobody has it open. */
  reopen(between?: () => Promise<void>): Promise<Archive>
  close(): Promise<void>
}

export async function documentArchive(
  given: { [section: string]: { [key: string]: unknown } } = {},
): Promise<DocumentArchive> {
  const place = temporaryDirectory('documents')
  const dataDirectory = join(place.path, 'data')
  const config = loadConfig({ environment: {}, given })
  let archive = await openArchive({ dataDirectory, config })
  return {
    get archive() {
      return archive
    },
    dataDirectory,
    async reopen(between) {
      await archive.close()
      await between?.()
      archive = await openArchive({ dataDirectory, config })
      return archive
    },
    async close() {
      await archive.close()
      place.remove()
    },
  }
}

export function provenance(more: Partial<Provenance> = {}): Provenance {
  return {
    ...{ door: 'web', peer: null, originator: null, user: 'ann', address: null, medium: null, path: 'report.pdf' },
    time: new Date().toISOString(),
    ...more,
  }
}

export function arrivalOf(bytes: Uint8Array, mediaType?: string, more: Partial<Provenance> = {}): Arrival {
  return {
    provenance: provenance(more),
    claims: mediaType === undefined ? {} : { mediaType },
    bytes: { in: 'memory', bytes: Uint8Array.from(bytes) },
  }
}

/** Everything a document must say to be complete. */
export const COMPLETE: DocumentStatement['metadata'] = {
  title: 'Befund Thorax',
  classCode: { code: '18726-0', system: LOINC, display: 'Radiology studies' },
  typeCode: { code: '18748-4', system: LOINC, display: 'Diagnostic imaging study' },
  formatCode: {
    code: 'urn:ihe:iti:xds:2017:mimeTypeSufficient',
    system: 'urn:oid:1.3.6.1.4.1.19376.1.2.3',
    display: 'mimeType Sufficient',
  },
  practiceSetting: { code: '394914008', system: 'http://snomed.info/sct', display: 'Radiology' },
  facilityType: { code: '22232009', system: 'http://snomed.info/sct', display: 'Hospital' },
  confidentiality: [
    { code: 'N', system: 'http://terminology.hl7.org/CodeSystem/v3-Confidentiality', display: 'normal' },
  ],
  creationTime: '2026-05-02T10:00:00Z',
  language: 'de-DE',
}

export const ANNA = { by: 'identifier', issuer: 'HOSP', id: '4711', issuerAssumed: false } as const
export const BERTA = { by: 'identifier', issuer: 'HOSP', id: '4712', issuerAssumed: false } as const

export function submission(
  documents: readonly {
    readonly label?: string
    readonly bytes?: Uint8Array
    readonly mediaType?: string
    readonly said?: Partial<DocumentStatement>
  }[],
  more: Partial<Submission> = {},
): Submission {
  return {
    documents: documents.map(({ label = 'one', bytes = plainPdf(), mediaType, said = {} }) => ({
      label,
      arrival: arrivalOf(bytes, mediaType),
      statement: { owner: ANNA, metadata: COMPLETE, ...said },
    })),
    ...{ lists: [], relations: [], patientsKnown: false, complete: false },
    ...more,
  }
}

/** What was kept; fails with the reasons otherwise. */
export function kept(receipt: SubmissionReceipt): Extract<SubmissionReceipt, { is: 'kept' }> {
  if (receipt.is === 'kept') return receipt
  throw new Error(`refused: ${receipt.faults.map(({ code, detail }) => `${code}: ${detail}`).join('; ')}`)
}
