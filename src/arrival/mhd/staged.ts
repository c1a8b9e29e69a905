/** What a FHIR request or transaction wants done, before anything of it is done. */
import type { Reference, Resource } from '@medplum/fhirtypes'
import type { Provenance } from '#model/arrival.ts'
import type { DocumentList, DocumentOwner, StoredDocument } from '#model/document.ts'
import type { Issuers } from '#security/issuers.ts'
import type { Problem } from '#standards/fhir/validate.ts'

/** One operation on a resource. References between operations are `Type/id` already. */
export interface StagedOperation {
  readonly action: 'create' | 'update' | 'delete'
  /** Its new state with the id it will have; of a delete what is there now. */
  readonly resource: Resource
  /** What is there now; null when it is new. */
  readonly before: Resource | null
  /** Where it stands in what was sent: `Bundle.entry[2].resource`, or the type when it came alone. */
  readonly at: string
}

/** What the mapping asks of the archive. What the caller may not see is not there. */
export interface StagingContext {
  readonly provenance: Provenance
  readonly issuers: Issuers
  /** A patient that is known, by `Patient/id` of this archive or an identifier; undefined also when it could be several. */
  patient(reference: Reference): Promise<DocumentOwner | undefined>
  /** By entryUUID, uniqueId or any identifier. */
  document(identifier: string): Promise<StoredDocument | undefined>
  list(id: string): Promise<DocumentList | undefined>
  /** A resource that is served or staged, by `Type/id`: authors, organisations. */
  resource(reference: string): Promise<Resource | undefined>
}

/** A request that is refused as a whole, with everything that is wrong. */
export class StagingFault extends Error {
  override readonly name = 'StagingFault'
  readonly status: number
  readonly problems: readonly Problem[]

  constructor(status: number, problems: readonly Problem[]) {
    super(problems[0]?.detail ?? 'the request was refused')
    this.status = status
    this.problems = problems
  }
}
