import { ArchiveError } from '#errors.ts'

export type Format = 'json' | 'xml'

export const MEDIA_TYPES: { readonly [format in Format]: string } = {
  json: 'application/fhir+json; charset=utf-8',
  xml: 'application/fhir+xml; charset=utf-8',
}

const NAMES: Readonly<Record<string, Format>> = {
  json: 'json',
  'application/fhir+json': 'json',
  'application/json': 'json',
  'application/json+fhir': 'json',
  'text/json': 'json',
  xml: 'xml',
  'application/fhir+xml': 'xml',
  'application/xml': 'xml',
  'application/xml+fhir': 'xml',
  'text/xml': 'xml',
}

interface Wanted {
  readonly type: string
  readonly quality: number
  readonly version: string | undefined
}

function wantedOf(header: string): Wanted[] {
  return header
    .slice(0, 4096)
    .split(',')
    .map((part) => {
      const [type = '', ...parameters] = part.split(';').map((piece) => piece.trim())
      const parameter = (name: string) =>
        parameters
          .find((one) => one.toLowerCase().startsWith(`${name}=`))
          ?.slice(name.length + 1)
          .replaceAll('"', '')
      const quality = Number(parameter('q') ?? 1)
      return {
        type: type.toLowerCase(),
        quality: Number.isNaN(quality) ? 0 : quality,
        version: parameter('fhirversion'),
      }
    })
    .filter(({ type, quality }) => type !== '' && quality > 0)
    .toSorted((a, b) => b.quality - a.quality)
}

/**
 * The format of an answer: `_format` wins over Accept; JSON when nothing is said.
 * @throws ArchiveError 'request.not-acceptable'
 */
export function formatFor(accept: string | undefined, asked: string | null): Format {
  if (asked !== null && asked !== '') {
    // A plus sign in a query is a space to most parsers.
    const format = NAMES[asked.replace(' ', '+').split(';')[0]?.trim().toLowerCase() ?? '']
    if (format !== undefined) return format
    throw new ArchiveError('request.not-acceptable', `_format ${asked} is not one of json, xml`)
  }
  if (accept === undefined || accept.trim() === '') return 'json'
  for (const { type, version } of wantedOf(accept)) {
    if (version !== undefined && !version.startsWith('4.0')) continue
    const format = NAMES[type]
    if (format !== undefined) return format
    if (type === '*/*' || type === 'application/*') return 'json'
  }
  throw new ArchiveError('request.not-acceptable', 'answers are application/fhir+json or application/fhir+xml')
}

/** True when a Binary is asked for as a resource, not as its bytes. FHIR R4 Binary, section 2.41.4. */
export function wantsResource(accept: string | undefined, asked: string | null): boolean {
  if (asked !== null && asked !== '') return true
  if (accept === undefined) return false
  return wantedOf(accept)[0]?.type.startsWith('application/fhir+') === true
}

/** True when a document of this type may be sent for an Accept header: `text/xml` and `application/xml` are one. */
export function accepts(accept: string | undefined, mediaType: string): boolean {
  if (accept === undefined || accept.trim() === '') return true
  const plain = (type: string) => (type === 'application/xml' ? 'text/xml' : type)
  const essence = plain(mediaType.split(';', 1)[0]?.trim().toLowerCase() ?? '')
  const family = `${essence.split('/', 1)[0]}/*`
  return wantedOf(accept).some(({ type }) => type === '*/*' || type === family || plain(type) === essence)
}

/**
 * The format of a body.
 * @throws ArchiveError 'request.media-type'
 */
export function formatOfBody(contentType: string | undefined): Format {
  const format = NAMES[(contentType ?? '').split(';', 1)[0]?.trim().toLowerCase() ?? '']
  if (format !== undefined) return format
  throw new ArchiveError('request.media-type', 'a body is application/fhir+json or application/fhir+xml')
}
