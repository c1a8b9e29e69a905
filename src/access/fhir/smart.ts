/**
 * What of SMART there is: tokens limited by scopes and by patient, made here by an administrator. This server signs nobody in
 * and so names neither an authorization nor a token endpoint; a client that has a token learns what it may ask for.
 * SMART App Launch 2.1 section "Conformance"; SMART imaging access.
 *
 * @param origin `https://archive.example`
 */
export function smartConfiguration(origin: string): { readonly [name: string]: unknown } {
  return {
    capabilities: ['permission-patient', 'permission-user', 'permission-v1', 'permission-v2'],
    scopes_supported: [
      ...['patient/*.rs', 'user/*.cruds', 'system/*.cruds', 'patient/ImagingStudy.rs', 'patient/DocumentReference.rs'],
      'user/DocumentReference.crus',
    ],
    // RFC 6750: the token goes with every request; the images are asked for with the same one.
    bearer_methods_supported: ['header'],
    associated_endpoints: [{ url: `${origin}/dicom-web`, capabilities: ['smart-imaging-access'] }],
    grant_types_supported: [],
    code_challenge_methods_supported: [],
  }
}
