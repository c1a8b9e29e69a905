import type { FastifyReply } from 'fastify'
import { ArchiveError } from '#errors.ts'
import type { Provenance } from '#model/arrival.ts'
import type { Asked, Route } from '#model/route.ts'
import { datasetToXml } from '#standards/dicom/xml.ts'
import { type MediaType, parseMediaType, parseMediaTypes } from '#standards/dicomweb/media-type.ts'
import { MultipartError, type PartHeaders, readMultipart } from '#standards/dicomweb/multipart.ts'
import type { ArrivalBuffer } from '#storage/spool.ts'
import { failedOutcome, type Outcome, stowAnswer } from './stow-answer.ts'
import { ByteGate, Flight } from './stow-flight.ts'
import { takeComposed } from './stow-json.ts'
import { handOverPart, isGone, newBuffer, type StowRequest, type StowServices, told } from './stow-request.ts'

interface StudyPath {
  readonly study?: string
}

/** Parts of one request on their way through the walk at once. */
const IN_FLIGHT_MAX = 32
/** Parts of all requests, in bytes: what is handed over and not answered yet. */
const IN_FLIGHT_BYTES_MAX = 64 * 1024 * 1024
/** Unread bytes of a refused request that are still taken, so that its sender reads the answer. */
const DRAIN_BYTES_MAX = 16 * 1024 * 1024

/** The resources of the store transaction, for whoever lists what the archive offers. */
export const STORE_RESOURCES = ['/dicom-web/studies', '/dicom-web/studies/:study'].map((url) => ({
  method: 'POST' as const,
  url,
  standard: 'PS3.18 section 10.5, Store Transaction',
}))

/** Storing instances. PS3.18 section 10.5. */
export function storeRoutes(services: StowServices): Route<StudyPath>[] {
  const gate = new ByteGate(IN_FLIGHT_BYTES_MAX)
  return STORE_RESOURCES.map((resource) => ({
    ...resource,
    needs: 'object.store',
    body: 'stream',
    handle: (asked, reply) => store(services, gate, asked, reply),
  }))
}

async function store(services: StowServices, gate: ByteGate, asked: Asked<StudyPath>, reply: FastifyReply) {
  const { study } = asked.params
  if (study !== undefined && !/^[0-9.]{1,64}$/.test(study)) {
    throw new ArchiveError('request.malformed', 'the study in the path is no UID')
  }
  const type = parseMediaType(asked.headers['content-type'] ?? '')
  const form = formOf(type)
  const coding = asked.headers['content-encoding']
  if (type === undefined || form === undefined || (coding !== undefined && coding !== 'identity')) {
    throw new ArchiveError('request.media-type', 'what was sent cannot be stored', {
      hint: 'Send multipart/related with type="application/dicom", "application/dicom+json" or "application/dicom+xml".',
    })
  }
  const request: StowRequest = {
    services,
    provenance: provenanceOf(asked),
    study,
    flight: new Flight<Outcome>(gate, IN_FLIGHT_MAX),
  }
  // The request must survive its own loop: what is left unread is dealt with below.
  const chunks = asked.raw.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>
  const failed: Outcome[] = []
  if (form === 'single') failed.push(...(await takeOne(request, chunks)))
  else {
    const boundary = type.params.get('boundary') ?? ''
    if (boundary === '' || boundary.length > 256) {
      throw new ArchiveError('request.malformed', 'Content-Type names no usable boundary')
    }
    const take = form === 'files' ? takeFiles : takeComposed
    failed.push(...(await take(request, chunks, boundary)))
  }
  const outcomes = [...(await request.flight.all()), ...failed].sort((a, b) => a.part - b.part)
  if (outcomes.length === 0) throw new ArchiveError('request.malformed', 'the request has no parts')
  const answer = stowAnswer(outcomes, `${asked.baseUrl}/dicom-web`)
  await drain(asked, reply)
  // Audited already: the walk writes who stored what in the transaction that stores it.

  reply.code(answer.status)
  if (answer.warnings.length > 0) reply.header('warning', answer.warnings)
  if (answer.retryAfterSeconds !== null) reply.header('retry-after', answer.retryAfterSeconds)
  // As bytes: a text would be given a charset parameter, which DICOM JSON does not have.
  const xml = wantsXml(asked)
  const body = Buffer.from(xml ? datasetToXml(answer.dataset) : JSON.stringify(answer.dataset))
  return reply.header('content-type', xml ? 'application/dicom+xml' : 'application/dicom+json').send(body)
}

/** `files`: Part 10 files in parts; `composed`: metadata and bulk data in parts; `single`: one file as the body. */
function formOf(type: MediaType | undefined): 'files' | 'composed' | 'single' | undefined {
  if (type?.essence === 'application/dicom') return 'single'
  if (type?.essence !== 'multipart/related') return undefined
  // Without a type the parts say what they are.
  const root = (type.params.get('type') ?? 'application/dicom').trim().toLowerCase()
  if (root === 'application/dicom') return 'files'
  return root === 'application/dicom+json' || root === 'application/dicom+xml' ? 'composed' : undefined
}

function provenanceOf(asked: Asked<StudyPath>): Provenance {
  const { subject } = asked
  return {
    door: 'stow',
    peer: null,
    originator: null,
    user: subject.kind === 'open' ? null : subject.name,
    address: asked.address,
    medium: null,
    path: null,
    time: new Date().toISOString(),
  }
}

function wantsXml(asked: Asked<StudyPath>): boolean {
  const wanted = parseMediaTypes(asked.query.get('accept')?.replace(/ /g, '+') ?? asked.headers.accept ?? '')
  for (const { essence, params } of wanted) {
    if (essence === 'application/dicom+json' || essence === 'application/json' || essence === '*/*') return false
    if (essence === 'application/dicom+xml' || params.get('type') === 'application/dicom+xml') return true
  }
  return false
}

/** @returns what failed before it reached the walk */
async function takeOne(request: StowRequest, chunks: AsyncIterable<Buffer>): Promise<Outcome[]> {
  const buffer = newBuffer(request)
  try {
    for await (const chunk of chunks) await buffer.write(chunk)
    await handOverPart(request, 0, buffer)
    return []
  } catch (error) {
    await buffer.discard()
    return [told(request, 0, error)]
  }
}

async function takeFiles(request: StowRequest, chunks: AsyncIterable<Buffer>, boundary: string): Promise<Outcome[]> {
  const failed: Outcome[] = []
  let buffer: ArrivalBuffer | undefined
  let part = 0
  try {
    for await (const event of readMultipart(chunks, boundary)) {
      part = event.part
      if (event.is === 'begin') {
        if (isFile(event.headers)) buffer = newBuffer(request)
        else
          failed.push({ is: 'failed', part, code: 'request.media-type', detail: 'the part is not application/dicom' })
      } else if (buffer === undefined) continue
      else if (event.is === 'data') {
        const refused = await refusal(buffer, event.bytes)
        if (refused === undefined) continue
        failed.push(failedOutcome(part, refused))
        buffer = undefined
      } else {
        const whole = buffer
        buffer = undefined
        await handOverPart(request, part, whole)
      }
    }
  } catch (error) {
    await buffer?.discard()
    failed.push(told(request, error instanceof MultipartError ? error.part : part, error))
  }
  return failed
}

/** One part that is too large does not take the others with it. */
async function refusal(buffer: ArrivalBuffer, bytes: Buffer): Promise<ArchiveError | undefined> {
  try {
    await buffer.write(bytes)
    return undefined
  } catch (error) {
    if (!(error instanceof ArchiveError) || error.code !== 'request.too-large') throw error
    await buffer.discard()
    return error
  }
}

function isFile(headers: PartHeaders): boolean {
  const text = headers.get('content-type')
  if (text === undefined) return true
  const essence = parseMediaType(text)?.essence
  return essence === 'application/dicom' || essence === 'application/octet-stream'
}

/** Reads what little is left of a request, so that its sender comes to read the answer; ends the connection otherwise. */
async function drain(asked: Asked<StudyPath>, reply: FastifyReply): Promise<void> {
  const { raw } = asked
  if (raw.readableEnded || raw.destroyed) return
  let bytes = 0
  try {
    for await (const chunk of raw.iterator({ destroyOnReturn: false })) {
      bytes += (chunk as Buffer).byteLength
      if (bytes > DRAIN_BYTES_MAX) {
        reply.header('connection', 'close')
        return
      }
    }
  } catch (error) {
    if (!isGone(error)) throw error
  }
}
