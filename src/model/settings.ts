/** What a policy may do about a finding. threats.md: verdict words, plus `keep` (accept and leave as it is). */
export type PolicyAction = 'reject' | 'quarantine' | 'sanitise' | 'keep'

/** Overrides of default verdicts by rule id, e.g. `{ P8: 'quarantine', B2: 'sanitise' }`. */
export type RulePolicy = { readonly [rule: string]: PolicyAction }

export interface Attestation {
  readonly document: string
  readonly reviewedOn: string
  readonly validUntil: string
}

/** Who may send what by which door. design.md section 2. */
export interface Originator {
  readonly name: string
  readonly kind: 'modality' | 'department' | 'institution' | 'person' | 'medium' | 'system' | 'other'
  readonly addresses: readonly string[]
  readonly aeTitles: readonly string[]
  readonly certificates: readonly string[]
  readonly accounts: readonly string[]
  readonly trust: 'trusted' | 'known' | 'untrusted'
  readonly attestation: Attestation | null
  /** Default issuer of patient identifiers. */
  readonly issuer: string | null
  readonly timeZone: string | null
  readonly department: string | null
  readonly specialty: string | null
  /** Of its documents, where nobody says otherwise: codes of the site's value sets, and a language (RFC 5646). */
  readonly facilityType?: string | null | undefined
  readonly confidentiality?: string | null | undefined
  readonly language?: string | null | undefined
  readonly rules: RulePolicy
  /** `strip` removes private elements at the door (recorded); `keep` is the default. */
  readonly privateElements: 'keep' | 'strip'
  /** Extra SOP Class UIDs for which a valid dual-personality TIFF may be kept. */
  readonly tiffSopClasses: readonly string[]
  /** HL7 v2 senders that are this originator, as `application|facility`. */
  readonly hl7Senders: readonly string[]
  /** What to do with Z-segments by name; `*` for all others. Nothing said: ZDS is honoured, the rest kept inert. */
  readonly zSegments: { readonly [name: string]: 'honour' | 'inert' | 'refuse' }
  /**
   * What to do with FHIR extensions by their address; `*` for all others. Nothing said: kept inert. A modifier extension
   * is refused unless it is named here to be honoured.
   */
  readonly fhirExtensions?: { readonly [url: string]: 'honour' | 'inert' | 'strip' | 'refuse' } | undefined
  readonly coercion: CoercionRules
}

/** What of an originator's objects is coerced, always as an overlay. Paths as in standards/dicom/overlay.ts. */
export interface CoercionRules {
  /** Set where the attribute is absent or empty. */
  readonly defaults: readonly { readonly path: string; readonly vr: string; readonly values: readonly string[] }[]
  /** Copies one attribute into another, through a table of values when there is one (others stay as they are). */
  readonly map: readonly {
    readonly from: string
    readonly to: string
    readonly vr: string
    readonly values: { readonly [from: string]: string }
  }[]
  /** Private elements on the way out: as they are, left out, or replaced by what `map` made of them. */
  readonly privateElements: 'keep' | 'strip' | 'replace'
}

/** Screening policy in force for one arrival, after site, door and originator were combined. */
export interface ScreeningPolicy {
  readonly rules: RulePolicy
  readonly privateElements: 'keep' | 'strip'
  readonly tiffSopClasses: readonly string[]
  readonly unknownSopClasses: 'keep' | 'reject'
  readonly unknownTransferSyntaxes: 'reject' | 'keep'
  readonly trust: 'trusted' | 'known' | 'untrusted' | 'unknown'
}
