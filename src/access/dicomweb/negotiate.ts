import { ArchiveError } from '#errors.ts'
import { EXPLICIT_LITTLE_ENDIAN, transferSyntax } from '#standards/dicom/transfer-syntax.ts'
import { type AcceptRange, takes } from './accept.ts'

/** How an instance leaves: as it is stored, or its data set rewritten in explicit VR little endian. */
export type Encoding = 'stored' | 'explicit-le'

/** One way the caller would take instances. `syntax`: a UID, `*` as stored, or undefined for the default. */
export interface Candidate {
  readonly container: 'multipart' | 'single' | 'zip'
  readonly syntax: string | undefined
  readonly q: number
}

/**
 * Says how an instance is given to a caller who asked for `wanted`. PS3.18 section 8.7.3.
 *
 * Explicit VR little endian is the default. Compressed pixels are given as stored by default, because sending the
 * stored bytes is what the standard allows when the server cannot give uncompressed ones, and decompression comes
 * with the viewers; asked for by name, it is not acceptable. Implicit VR and big endian only leave when asked for as
 * stored (`*`) or by their own UID.
 *
 * @returns undefined when it cannot be given so
 */
export function encodingFor(stored: string, wanted: string | undefined): Encoding | undefined {
  if (wanted === '*' || wanted === stored) return 'stored'
  if (wanted !== undefined && wanted !== EXPLICIT_LITTLE_ENDIAN) return undefined
  const syntax = transferSyntax(stored)
  if (syntax === undefined || syntax.encapsulated) return wanted === undefined ? 'stored' : undefined
  return stored === EXPLICIT_LITTLE_ENDIAN ? 'stored' : 'explicit-le'
}

/** The best way for one instance: by weight, then by least work. */
export function bestEncoding(stored: string, candidates: readonly Candidate[]): Encoding | undefined {
  let best: { encoding: Encoding; q: number } | undefined
  for (const { syntax, q } of candidates) {
    if (best !== undefined && (best.encoding === 'stored' || q < best.q)) break
    const encoding = encodingFor(stored, syntax)
    if (encoding !== undefined && (best === undefined || encoding === 'stored')) best = { encoding, q }
  }
  return best?.encoding
}

/** Root type named by a range of `multipart/related`, any when it names none: be liberal (services.md A.5). */
export function rootOf(range: AcceptRange): string {
  return (range.params.get('type') ?? '*/*').trim().toLowerCase()
}

function isAny(root: string, type: string): boolean {
  return root === '*/*' || root === `${type.split('/')[0]}/*` || root === type
}

/** Ways of taking whole instances, most wanted first. An empty Accept takes the default: multipart DICOM. */
export function instanceCandidates(ranges: readonly AcceptRange[], oneInstance: boolean): Candidate[] {
  if (ranges.length === 0) return [{ container: 'multipart', syntax: undefined, q: 1 }]
  const candidates: Candidate[] = []
  for (const range of ranges) {
    if (range.q === 0) continue
    const syntax = range.params.get('transfer-syntax')
    const { q } = range
    if (takes(range, 'multipart', 'related') && isAny(rootOf(range), 'application/dicom')) {
      candidates.push({ container: 'multipart', syntax, q })
    } else if (range.type === 'application' && (range.subtype === 'dicom' || range.subtype === '*')) {
      if (oneInstance) candidates.push({ container: 'single', syntax, q })
    } else if (range.type === 'application' && range.subtype === 'zip') {
      candidates.push({ container: 'zip', syntax, q })
    }
  }
  if (candidates.length === 0) throw notAcceptable('instances leave as application/dicom or application/zip')
  return candidates
}

/** Ways of taking a bulk value or frame: `root` is the media type wanted, `*` parts allowed. */
export interface BulkCandidate {
  readonly container: 'multipart' | 'single'
  readonly root: string
  readonly syntax: string | undefined
}

/** Ways of taking bulk data, most wanted first. */
export function bulkCandidates(ranges: readonly AcceptRange[]): BulkCandidate[] {
  if (ranges.length === 0) return [{ container: 'multipart', root: '*/*', syntax: undefined }]
  const candidates: BulkCandidate[] = []
  for (const range of ranges) {
    if (range.q === 0) continue
    const syntax = range.params.get('transfer-syntax')
    if (takes(range, 'multipart', 'related')) {
      candidates.push({ container: 'multipart', root: rootOf(range), syntax })
    } else candidates.push({ container: 'single', root: `${range.type}/${range.subtype}`, syntax })
  }
  return candidates
}

/**
 * Chooses a candidate for content of `mediaType` written in `syntax` (a Transfer Syntax UID).
 *
 * `application/octet-stream` together with `transfer-syntax=*`, or with the stored syntax by name, takes compressed
 * frames as they are, under their own media type: that is how viewers ask for "whatever is stored".
 */
export function chooseBulk<C extends BulkCandidate>(
  candidates: readonly C[],
  mediaType: string,
  syntax: string,
): C | undefined {
  return candidates.find((candidate) => {
    const bySyntax = candidate.syntax === '*' || candidate.syntax === syntax
    const typeFits = isAny(candidate.root, mediaType) || (candidate.root === 'application/octet-stream' && bySyntax)
    return typeFits && (candidate.syntax === undefined || bySyntax)
  })
}

export function notAcceptable(offered: string): ArchiveError {
  return new ArchiveError('request.not-acceptable', 'nothing the request accepts can be given', { hint: offered })
}
