/** How one failure is told at each door. */
export interface Telling {
  readonly http: number
  /** DIMSE status, PS3.7 Annex C and PS3.4 section B.2.3; also the STOW-RS Failure Reason (0008,1197). */
  readonly dimse: number
  /** HL7 v2 acknowledgement, MSA-1. */
  readonly ack: 'AE' | 'AR'
  /** FHIR OperationOutcome.issue.code and XDS.b errorCode. */
  readonly fhir: string
  readonly xds: string
  /** True when the same request may succeed later without being changed. */
  readonly retry: boolean
}

/** Every failure the archive can report. test/house.test.ts keeps docs/reference/errors.md equal to it. */
export const failures = {
  'request.malformed': {
    http: 400,
    dimse: 0x0110,
    ack: 'AE',
    fhir: 'structure',
    xds: 'XDSRegistryError',
    retry: false,
  },
  'request.unauthenticated': {
    http: 401,
    dimse: 0x0124,
    ack: 'AR',
    fhir: 'login',
    xds: 'XDSRegistryError',
    retry: false,
  },
  'request.forbidden': {
    http: 403,
    dimse: 0x0124,
    ack: 'AR',
    fhir: 'forbidden',
    xds: 'XDSRegistryError',
    retry: false,
  },
  'request.not-found': {
    http: 404,
    dimse: 0x0112,
    ack: 'AE',
    fhir: 'not-found',
    xds: 'XDSDocumentUniqueIdError',
    retry: false,
  },
  'request.method': {
    http: 405,
    dimse: 0x0110,
    ack: 'AE',
    fhir: 'not-supported',
    xds: 'XDSRegistryError',
    retry: false,
  },
  'request.not-acceptable': {
    http: 406,
    dimse: 0x0110,
    ack: 'AE',
    fhir: 'not-supported',
    xds: 'XDSRegistryError',
    retry: false,
  },
  'request.conflict': { http: 409, dimse: 0x0110, ack: 'AE', fhir: 'conflict', xds: 'XDSRegistryError', retry: false },
  'request.too-large': {
    http: 413,
    dimse: 0xa700,
    ack: 'AR',
    fhir: 'too-long',
    xds: 'XDSRepositoryError',
    retry: false,
  },
  'request.media-type': {
    http: 415,
    dimse: 0x0110,
    ack: 'AE',
    fhir: 'not-supported',
    xds: 'XDSRegistryError',
    retry: false,
  },
  'request.range': { http: 416, dimse: 0x0110, ack: 'AE', fhir: 'value', xds: 'XDSRegistryError', retry: false },
  'request.too-many': { http: 429, dimse: 0xa700, ack: 'AR', fhir: 'throttled', xds: 'XDSRegistryBusy', retry: true },
  'request.timeout': { http: 408, dimse: 0x0110, ack: 'AE', fhir: 'timeout', xds: 'XDSRegistryError', retry: true },
  'dicom.malformed': {
    http: 409,
    dimse: 0xc000,
    ack: 'AE',
    fhir: 'structure',
    xds: 'XDSRepositoryError',
    retry: false,
  },
  'dicom.limit': { http: 409, dimse: 0xc000, ack: 'AE', fhir: 'too-costly', xds: 'XDSRepositoryError', retry: false },
  'screening.held': { http: 409, dimse: 0xc000, ack: 'AE', fhir: 'security', xds: 'XDSRepositoryError', retry: false },
  'screening.rejected': {
    http: 409,
    dimse: 0xc000,
    ack: 'AE',
    fhir: 'security',
    xds: 'XDSRepositoryError',
    retry: false,
  },
  'screening.class-refused': {
    http: 409,
    dimse: 0x0122,
    ack: 'AR',
    fhir: 'not-supported',
    xds: 'XDSRepositoryError',
    retry: false,
  },
  'identity.conflict': {
    http: 409,
    dimse: 0xc000,
    ack: 'AE',
    fhir: 'conflict',
    xds: 'XDSDuplicateUniqueIdInRegistry',
    retry: false,
  },
  'identity.study-mismatch': {
    http: 409,
    dimse: 0xa900,
    ack: 'AE',
    fhir: 'conflict',
    xds: 'XDSRepositoryError',
    retry: false,
  },
  'identity.cycle': { http: 409, dimse: 0x0110, ack: 'AE', fhir: 'conflict', xds: 'XDSRegistryError', retry: false },
  'document.unknown': {
    http: 404,
    dimse: 0x0112,
    ack: 'AE',
    fhir: 'not-found',
    xds: 'XDSDocumentUniqueIdError',
    retry: false,
  },
  'document.gone': {
    http: 410,
    dimse: 0x0112,
    ack: 'AE',
    fhir: 'deleted',
    xds: 'XDSDocumentUniqueIdError',
    retry: false,
  },
  'document.version': {
    http: 412,
    dimse: 0x0110,
    ack: 'AE',
    fhir: 'conflict',
    xds: 'XDSMetadataUpdateVersionError',
    retry: false,
  },
  'document.invalid': {
    http: 422,
    dimse: 0x0110,
    ack: 'AE',
    fhir: 'invalid',
    xds: 'XDSRegistryMetadataError',
    retry: false,
  },
  'document.incomplete': {
    http: 422,
    dimse: 0x0120,
    ack: 'AE',
    fhir: 'required',
    xds: 'XDSRegistryMetadataError',
    retry: false,
  },
  'document.conflict': {
    http: 409,
    dimse: 0x0111,
    ack: 'AE',
    fhir: 'duplicate',
    xds: 'XDSNonIdenticalHash',
    retry: false,
  },
  'document.digest': {
    http: 422,
    dimse: 0x0110,
    ack: 'AE',
    fhir: 'value',
    xds: 'XDSRepositoryMetadataError',
    retry: false,
  },
  'document.patient-unknown': {
    http: 422,
    dimse: 0x0110,
    ack: 'AE',
    fhir: 'not-found',
    xds: 'XDSUnknownPatientId',
    retry: false,
  },
  'document.patient-mismatch': {
    http: 422,
    dimse: 0x0110,
    ack: 'AE',
    fhir: 'business-rule',
    xds: 'XDSPatientIdDoesNotMatch',
    retry: false,
  },
  'document.reference': {
    http: 422,
    dimse: 0x0110,
    ack: 'AE',
    fhir: 'not-found',
    xds: 'UnresolvedReferenceException',
    retry: false,
  },
  'document.superseded': {
    http: 422,
    dimse: 0x0110,
    ack: 'AE',
    fhir: 'business-rule',
    xds: 'XDSRegistryDeprecatedDocumentError',
    retry: false,
  },
  'document.type': {
    http: 415,
    dimse: 0x0110,
    ack: 'AE',
    fhir: 'not-supported',
    xds: 'XDSRepositoryMetadataError',
    retry: false,
  },
  'document.no-face': {
    http: 406,
    dimse: 0x0122,
    ack: 'AE',
    fhir: 'not-supported',
    xds: 'XDSRepositoryError',
    retry: false,
  },
  'document.withheld': {
    http: 409,
    dimse: 0x0124,
    ack: 'AR',
    fhir: 'suppressed',
    xds: 'XDSRepositoryError',
    retry: false,
  },
  'placement.unknown': {
    http: 404,
    dimse: 0x0112,
    ack: 'AE',
    fhir: 'not-found',
    xds: 'XDSRegistryError',
    retry: false,
  },
  'placement.state': { http: 409, dimse: 0x0110, ack: 'AE', fhir: 'conflict', xds: 'XDSRegistryError', retry: false },
  'survey.unknown': {
    http: 404,
    dimse: 0x0112,
    ack: 'AE',
    fhir: 'not-found',
    xds: 'XDSRegistryError',
    retry: false,
  },
  'identity.merged': { http: 409, dimse: 0x0110, ack: 'AE', fhir: 'conflict', xds: 'XDSRegistryError', retry: false },
  'identity.unknown': {
    http: 404,
    dimse: 0x0112,
    ack: 'AE',
    fhir: 'not-found',
    xds: 'XDSUnknownPatientId',
    retry: false,
  },
  'identity.undone': { http: 409, dimse: 0x0110, ack: 'AE', fhir: 'conflict', xds: 'XDSRegistryError', retry: false },
  'message.malformed': {
    http: 400,
    dimse: 0x0110,
    ack: 'AR',
    fhir: 'structure',
    xds: 'XDSRegistryError',
    retry: false,
  },
  'message.unsupported': {
    http: 400,
    dimse: 0x0110,
    ack: 'AR',
    fhir: 'not-supported',
    xds: 'XDSRegistryError',
    retry: false,
  },
  'message.field': { http: 400, dimse: 0x0110, ack: 'AE', fhir: 'value', xds: 'XDSRegistryError', retry: false },
  'peer.unreachable': {
    http: 502,
    dimse: 0xa702,
    ack: 'AE',
    fhir: 'transient',
    xds: 'XDSRegistryError',
    retry: true,
  },
  'peer.refused': { http: 502, dimse: 0xa702, ack: 'AE', fhir: 'processing', xds: 'XDSRegistryError', retry: false },
  'quarantine.decided': {
    http: 409,
    dimse: 0x0110,
    ack: 'AE',
    fhir: 'conflict',
    xds: 'XDSRepositoryError',
    retry: false,
  },
  'storage.full': {
    http: 507,
    dimse: 0xa700,
    ack: 'AR',
    fhir: 'no-store',
    xds: 'XDSRepositoryOutOfResources',
    retry: true,
  },
  'storage.read-only': {
    http: 503,
    dimse: 0xa700,
    ack: 'AR',
    fhir: 'no-store',
    xds: 'XDSRepositoryOutOfResources',
    retry: true,
  },
  'storage.damaged': {
    http: 500,
    dimse: 0x0110,
    ack: 'AE',
    fhir: 'exception',
    xds: 'XDSRepositoryError',
    retry: false,
  },
  'archive.busy': { http: 503, dimse: 0xa700, ack: 'AR', fhir: 'throttled', xds: 'XDSRegistryBusy', retry: true },
  'archive.owned': { http: 503, dimse: 0xa700, ack: 'AR', fhir: 'lock-error', xds: 'XDSRegistryBusy', retry: true },
  'archive.restoring': {
    http: 503,
    dimse: 0xa700,
    ack: 'AR',
    fhir: 'exception',
    xds: 'XDSRegistryError',
    retry: false,
  },
  'archive.newer': { http: 503, dimse: 0xa700, ack: 'AR', fhir: 'exception', xds: 'XDSRegistryError', retry: false },
  'archive.failed': { http: 500, dimse: 0x0110, ack: 'AE', fhir: 'exception', xds: 'XDSRegistryError', retry: true },
  'configuration.invalid': {
    http: 500,
    dimse: 0x0110,
    ack: 'AE',
    fhir: 'invalid',
    xds: 'XDSRegistryError',
    retry: false,
  },
} as const satisfies Record<string, Telling>

export type ErrorCode = keyof typeof failures

/** A failure the sender is told by code. Anything else that is thrown is a bug or an outage. */
export class ArchiveError extends Error {
  override readonly name = 'ArchiveError'
  readonly code: ErrorCode
  /** What the reader of the message can do about it. */
  readonly hint: string | undefined

  constructor(code: ErrorCode, detail: string, options?: { cause?: unknown; hint?: string }) {
    super(detail, options?.cause === undefined ? undefined : { cause: options.cause })
    this.code = code
    this.hint = options?.hint
  }
}
