import { ArchiveError } from '#errors.ts'
import type { Asked } from '#model/route.ts'
import { DocumentError } from '#standards/document-error.ts'
import { FhirXmlError, fromXml } from '#standards/fhir/xml-read.ts'
import { DEFAULT_XML_LIMITS } from '#standards/xml/reader.ts'
import { parseStrictJson } from '../http-server-json.ts'
import { type Format, formatOfBody } from './formats.ts'
import { FhirFault } from './outcome.ts'

/**
 * The bytes of a body that is taken whole.
 * @throws ArchiveError 'request.too-large', 'request.media-type'
 */
export async function readBody({ raw }: Pick<Asked<unknown>, 'raw'>, bytesMax: number): Promise<Buffer> {
  const coding = raw.headers['content-encoding']
  if (coding !== undefined && coding !== 'identity') {
    throw new ArchiveError('request.media-type', 'a compressed body is not taken here')
  }
  const tooLarge = () => new ArchiveError('request.too-large', `a body here has at most ${bytesMax} bytes`)
  if (Number(raw.headers['content-length'] ?? 0) > bytesMax) throw tooLarge()
  const chunks: Buffer[] = []
  let size = 0
  // `destroyOnReturn: false`: the answer must still be able to leave on this connection.
  for await (const chunk of raw.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
    size += chunk.byteLength
    if (size > bytesMax) throw tooLarge()
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}

/** Parameters of a search by POST. */
export async function readForm(
  asked: Pick<Asked<unknown>, 'raw' | 'headers'>,
  bytesMax: number,
): Promise<URLSearchParams> {
  const body = await readBody(asked, bytesMax)
  const type = (asked.headers['content-type'] ?? '').split(';', 1)[0]?.trim().toLowerCase()
  if (body.byteLength > 0 && type !== 'application/x-www-form-urlencoded') {
    throw new ArchiveError('request.media-type', 'a search by POST is application/x-www-form-urlencoded')
  }
  return new URLSearchParams(body.toString('utf8'))
}

/** Bodies of resources: a bundle carries the documents of a submission as base64. */
const RESOURCE_BYTES_MAX = 256 * 1024 * 1024
const XML_DEPTH_MAX = 100

export interface ReadResource {
  readonly resource: { [name: string]: unknown }
  readonly format: Format
}

/**
 * The resource of a body, in JSON or XML. Members that occur twice, types that are not FHIR's and what is no resource are
 * refused.
 * @throws ArchiveError 'request.malformed', 'request.media-type', 'request.too-large'; FhirFault naming the element
 */
export async function readResource(
  asked: Pick<Asked<unknown>, 'raw' | 'headers'>,
  jsonDepth: number,
): Promise<ReadResource> {
  const format = formatOfBody(asked.headers['content-type'])
  const body = await readBody(asked, RESOURCE_BYTES_MAX)
  return { resource: format === 'json' ? fromJson(body, jsonDepth) : ofXml(body), format }
}

/** The operations of a JSON Patch. RFC 6902. */
export async function readJsonPatch(
  asked: Pick<Asked<unknown>, 'raw' | 'headers'>,
  jsonDepth: number,
): Promise<unknown[]> {
  const parsed = parsedJson(await readBody(asked, RESOURCE_BYTES_MAX), jsonDepth)
  if (!Array.isArray(parsed)) throw new ArchiveError('request.malformed', 'a JSON Patch is a list of operations')
  return parsed
}

function parsedJson(body: Buffer, depth: number): unknown {
  let text: string
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(body)
  } catch {
    throw new ArchiveError('request.malformed', 'JSON: not UTF-8')
  }
  // Objects without a prototype become ordinary ones: FHIRPath and validation expect those.
  return structuredClone(parseStrictJson(text, depth))
}

function fromJson(body: Buffer, depth: number): { [name: string]: unknown } {
  const parsed = parsedJson(body, depth)
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed)) {
    throw FhirFault.at(400, 'structure', '', 'the body is no resource')
  }
  const resource = parsed as { [name: string]: unknown }
  joinBase64(resource)
  return resource
}

function ofXml(body: Buffer): { [name: string]: unknown } {
  try {
    const resource = fromXml(body, { ...DEFAULT_XML_LIMITS, bytes: RESOURCE_BYTES_MAX, depth: XML_DEPTH_MAX })
    joinBase64(resource)
    return resource
  } catch (error) {
    if (error instanceof FhirXmlError) throw FhirFault.at(400, 'structure', error.expression, error.message)
    if (error instanceof DocumentError) throw new ArchiveError('request.malformed', error.message, { cause: error })
    throw error
  }
}

/** Base64 may be broken into lines (FHIR R4 datatypes, base64Binary); nothing behind the door expects that. */
function joinBase64(value: unknown): void {
  if (typeof value !== 'object' || value === null) return
  for (const [name, member] of Object.entries(value)) {
    if (typeof member === 'string') {
      if (name === 'data' && /\s/.test(member))
        (value as { [name: string]: unknown })[name] = member.replace(/\s+/g, '')
    } else joinBase64(member)
  }
}
