/**
 * What XDS, XDM and XDR exchange about documents, in the words of ITI TF-3 section 4.2.3 and in the forms of the wire:
 * times are DTM (`YYYY[MM[DD[hh[mm[ss]]]]]`, UTC), persons XCN, organisations XON, patients CX.
 */

/** A coded attribute. ITI TF-3 section 4.2.3.1.2. */
export interface XdsCode {
  readonly code: string
  /** OID, or whatever the affinity domain calls the scheme. */
  readonly scheme: string
  readonly display: string
}

export interface XdsAuthor {
  /** XCN; null for a device or an institution alone. */
  readonly person: string | null
  /** XON. */
  readonly institutions: readonly string[]
  readonly roles: readonly string[]
  readonly specialties: readonly string[]
  /** XTN. */
  readonly telecommunications: readonly string[]
}

/** Slots that no attribute of ours has, by name. ITI TF-3 section 4.2.3.1.6. */
export type ExtraSlots = Readonly<Record<string, readonly string[]>>

export interface XdsDocumentEntry {
  /** With `urn:uuid:`, or symbolic as long as nothing is registered. */
  readonly entryUUID: string
  readonly uniqueId: string
  readonly objectType: 'stable' | 'on-demand'
  readonly availabilityStatus: 'Approved' | 'Deprecated' | null
  readonly mimeType: string
  readonly title: string | null
  readonly comments: string | null
  readonly author: readonly XdsAuthor[]
  readonly classCode: XdsCode | null
  readonly typeCode: XdsCode | null
  readonly formatCode: XdsCode | null
  readonly practiceSettingCode: XdsCode | null
  readonly healthcareFacilityTypeCode: XdsCode | null
  readonly confidentialityCode: readonly XdsCode[]
  readonly eventCodeList: readonly XdsCode[]
  readonly languageCode: string | null
  readonly creationTime: string | null
  readonly serviceStartTime: string | null
  readonly serviceStopTime: string | null
  readonly legalAuthenticator: string | null
  readonly patientId: string | null
  readonly sourcePatientId: string | null
  /** `PID-3|...`, `PID-5|...` and so on. */
  readonly sourcePatientInfo: readonly string[]
  /** CXi. */
  readonly referenceIdList: readonly string[]
  /** SHA-1, hex. */
  readonly hash: string | null
  /** Bytes. */
  readonly size: number | null
  readonly repositoryUniqueId: string | null
  readonly homeCommunityId: string | null
  readonly documentAvailability: 'Online' | 'Offline' | null
  /** Of a file in an XDM package, relative to its METADATA.XML. */
  readonly URI: string | null
  readonly extra: ExtraSlots
}

export interface XdsSubmissionSet {
  readonly entryUUID: string
  readonly uniqueId: string
  readonly sourceId: string | null
  readonly patientId: string | null
  readonly submissionTime: string | null
  readonly title: string | null
  readonly comments: string | null
  readonly author: readonly XdsAuthor[]
  readonly contentTypeCode: XdsCode | null
  /** `XON|XCN|XTN`. */
  readonly intendedRecipient: readonly string[]
  readonly availabilityStatus: 'Approved' | 'Deprecated' | null
  readonly homeCommunityId: string | null
  readonly extra: ExtraSlots
}

export interface XdsFolder {
  readonly entryUUID: string
  readonly uniqueId: string
  readonly patientId: string | null
  readonly lastUpdateTime: string | null
  readonly title: string | null
  readonly comments: string | null
  readonly codeList: readonly XdsCode[]
  readonly availabilityStatus: 'Approved' | 'Deprecated' | null
  readonly homeCommunityId: string | null
  readonly extra: ExtraSlots
}

export type XdsAssociationType = 'HasMember' | 'RPLC' | 'APND' | 'XFRM' | 'XFRM_RPLC' | 'signs' | 'IsSnapshotOf'

export interface XdsAssociation {
  readonly entryUUID: string
  readonly type: XdsAssociationType
  /** entryUUIDs. */
  readonly source: string
  readonly target: string
  /** Of HasMember from a submission set: the member came with it, or was there before. */
  readonly submissionSetStatus: 'Original' | 'Reference' | null
}

/** All that one SubmitObjectsRequest says. */
export interface XdsMetadata {
  readonly documents: readonly XdsDocumentEntry[]
  readonly submissionSets: readonly XdsSubmissionSet[]
  readonly folders: readonly XdsFolder[]
  readonly associations: readonly XdsAssociation[]
}
