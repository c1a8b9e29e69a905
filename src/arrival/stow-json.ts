import { unlink } from 'node:fs/promises'
import { ArchiveError } from '#errors.ts'
import type { ArrivedBytes } from '#model/arrival.ts'
import type { ByteSource } from '#standards/byte-source.ts'
import { encodingOf } from '#standards/dicom/encoding.ts'
import { DicomError } from '#standards/dicom/errors.ts'
import { type BulkDataResolver, jsonToDataSet } from '#standards/dicom/json.ts'
import { type Piece, pieceChunks } from '#standards/dicom/pieces.ts'
import { EXPLICIT_LITTLE_ENDIAN, transferSyntax } from '#standards/dicom/transfer-syntax.ts'
import { buildHead, encodeDataSet, type WriteDataSet, writableBytes } from '#standards/dicom/write.ts'
import { type MediaType, parseMediaType } from '#standards/dicomweb/media-type.ts'
import { MultipartError, readMultipart } from '#standards/dicomweb/multipart.ts'
import { type ArrivalBuffer, openSpooled } from '#storage/spool.ts'
import { failedOutcome, type Outcome } from './stow-answer.ts'
import { consumerPixels } from './stow-pixels.ts'
import { handOver, newBuffer, type StowRequest, told } from './stow-request.ts'
import { xmlToJson } from './stow-xml.ts'

/** Metadata of one request, in bytes. */
const METADATA_BYTES_MAX = 32 * 1024 * 1024

/** A bulk value of the message. */
export interface BulkPart {
  readonly type: MediaType | undefined
  readonly source: ByteSource & { close(): void }
  readonly bytes: ArrivedBytes
}

/**
 * Stores instances that come as metadata and bulk data (PS3.18 section 10.5, `application/dicom+json` and
 * `application/dicom+xml`): each data set is put together as a Part 10 file and walks like any other. Only parts of the
 * same message are used; nothing is fetched (threats.md R15).
 *
 * @returns what failed before it reached the walk
 */
export async function takeComposed(
  request: StowRequest,
  chunks: AsyncIterable<Buffer>,
  boundary: string,
): Promise<Outcome[]> {
  const metadata: { readonly xml: boolean; readonly bytes: Buffer }[] = []
  const bulk = new Map<string, BulkPart>()
  const failed: Outcome[] = []
  try {
    await collect(request, chunks, boundary, metadata, bulk)
    if (metadata.length === 0) throw new ArchiveError('request.malformed', 'no part holds metadata')
    let part = 0
    for (const { xml, bytes } of metadata) {
      const read = xml ? [xmlToJson(bytes)] : splitJson(bytes)
      for (const json of read) {
        const outcome = await compose(request, part, json, bulk)
        if (outcome !== undefined) failed.push(outcome)
        part++
      }
    }
  } catch (error) {
    // An unfinished message is not stored in part: its metadata may lack what they name.
    const known = error instanceof DicomError ? new ArchiveError('request.malformed', error.message) : error
    failed.push(told(request, failed.length, known))
  } finally {
    for (const { source, bytes } of bulk.values()) {
      source.close()
      if (bytes.in === 'spool') await unlink(bytes.path)
    }
  }
  return failed
}

async function collect(
  request: StowRequest,
  chunks: AsyncIterable<Buffer>,
  boundary: string,
  metadata: { readonly xml: boolean; readonly bytes: Buffer }[],
  bulk: Map<string, BulkPart>,
): Promise<void> {
  let metadataBytes = 0
  let text: Buffer[] | undefined
  let buffer: ArrivalBuffer | undefined
  let type: MediaType | undefined
  let location = ''
  try {
    for await (const event of readMultipart(chunks, boundary)) {
      if (event.is === 'begin') {
        type = parseMediaType(event.headers.get('content-type') ?? '')
        location = event.headers.get('content-location') ?? ''
        if (isMetadata(type)) text = []
        else if (location === '' || bulk.has(location)) {
          throw new ArchiveError('request.malformed', 'a bulk part without a Content-Location of its own')
        } else buffer = newBuffer(request)
      } else if (event.is === 'data') {
        if (text === undefined) await buffer?.write(event.bytes)
        else {
          metadataBytes += event.bytes.byteLength
          if (metadataBytes > METADATA_BYTES_MAX) {
            throw new ArchiveError('request.too-large', `metadata above ${METADATA_BYTES_MAX} bytes`)
          }
          text.push(event.bytes)
        }
      } else if (text !== undefined) {
        metadata.push({ xml: type?.essence === 'application/dicom+xml', bytes: Buffer.concat(text) })
        text = undefined
      } else if (buffer !== undefined) {
        const bytes = await buffer.finish()
        buffer = undefined
        bulk.set(location, { type, bytes, source: openSpooled(bytes) })
      }
    }
  } catch (error) {
    await buffer?.discard()
    if (error instanceof MultipartError && error.kind !== 'limit') {
      throw new ArchiveError('request.malformed', error.message, { cause: error })
    }
    throw error
  }
}

function isMetadata(type: MediaType | undefined): boolean {
  return type?.essence === 'application/dicom+json' || type?.essence === 'application/dicom+xml'
}

/** Puts one data set together and hands it over. @returns what failed before that */
async function compose(
  request: StowRequest,
  part: number,
  json: string | Uint8Array,
  bulk: ReadonlyMap<string, BulkPart>,
): Promise<Outcome | undefined> {
  const buffer = newBuffer(request)
  try {
    for (const chunk of pieceChunks(assemble(json, bulk))) await buffer.write(chunk)
    await handOver(request, part, await buffer.finish())
    return undefined
  } catch (error) {
    await buffer.discard()
    if (error instanceof DicomError) return { is: 'failed', part, code: error.code, detail: error.message }
    if (!(error instanceof ArchiveError)) request.services.report(error)
    return failedOutcome(part, error)
  }
}

/** @throws DicomError, ArchiveError for what makes no object */
export function assemble(json: string | Uint8Array, bulk: ReadonlyMap<string, BulkPart>): Piece[] {
  let pixels: ReturnType<typeof consumerPixels>
  let document: MediaType | undefined
  const resolve: BulkDataResolver = (uri, path) => {
    const found = bulk.get(uri)
    if (found === undefined) return undefined
    const range = { source: found.source, offset: 0, length: found.source.size, bigEndian: false }
    if (path === '7FE00010') {
      pixels = consumerPixels(found.type, found.source)
      if (pixels !== undefined) {
        const frame = { ...range, offset: pixels.start, length: pixels.length }
        return { is: 'fragments', fragments: [new Uint8Array(0), frame] }
      }
    }
    if (path === '00420011') document = found.type
    return { is: 'range', range }
  }
  const dataSet = jsonToDataSet(json, resolve)
  const sopClassUID = uidOf(dataSet, 0x00080016)
  const sopInstanceUID = uidOf(dataSet, 0x00080018)
  if (sopClassUID === '' || sopInstanceUID === '') {
    throw new DicomError('dicom.malformed', 'json-model', 'no SOP Class UID or SOP Instance UID', 0, 0x00080018)
  }
  pixels?.describe(dataSet)
  if (document !== undefined && document.essence !== 'application/octet-stream' && !dataSet.has(0x00420012)) {
    const bytes = Buffer.from(document.essence, 'latin1')
    dataSet.set(0x00420012, { tag: 0x00420012, vr: 'LO', value: { is: 'bytes', bytes } })
  }
  // Uncompressed bulk data are little endian, whatever the metadata say they once were.
  const transferSyntaxUID = pixels?.transferSyntaxUID ?? EXPLICIT_LITTLE_ENDIAN
  const syntax = transferSyntax(transferSyntaxUID)
  if (syntax === undefined) throw new ArchiveError('request.media-type', `unknown transfer syntax ${transferSyntaxUID}`)
  return [buildHead({ sopClassUID, sopInstanceUID, transferSyntaxUID }), ...encodeDataSet(dataSet, encodingOf(syntax))]
}

function uidOf(dataSet: WriteDataSet, tag: number): string {
  const element = dataSet.get(tag)
  const bytes = element === undefined ? null : writableBytes('UI', element.value)
  return bytes === null
    ? ''
    : Buffer.from(bytes)
        .toString('latin1')
        .replace(/[\0 ]+$/, '')
}

/**
 * Cuts a JSON list into its data sets, so that one that cannot be read does not take the others with it. Only looks at
 * brackets and quotes; whether each piece is JSON is for the reader to say.
 */
export function splitJson(bytes: Uint8Array): Uint8Array[] {
  const pieces: Uint8Array[] = []
  let start = -1
  let depth = 0
  let quoted = false
  /** Depth around a data set: 1 in a list, 0 for one that stands alone. */
  const around = bytes.find((byte) => byte > 0x20) === OPEN_LIST ? 1 : 0
  for (let i = 0; i < bytes.length; i++) {
    const byte = bytes[i]
    if (quoted) {
      if (byte === BACKSLASH) i++
      else if (byte === QUOTE) quoted = false
    } else if (byte === QUOTE) quoted = true
    else if (byte === OPEN || byte === OPEN_LIST) {
      if (byte === OPEN && depth === around) start = i
      depth++
    } else if (byte === CLOSE || byte === CLOSE_LIST) {
      depth--
      if (start >= 0 && depth === around) {
        pieces.push(bytes.subarray(start, i + 1))
        start = -1
      }
    }
  }
  // What is no list of objects goes on as it is, to be told what is wrong with it.
  return pieces.length === 0 || depth !== 0 ? [bytes] : pieces
}

const BACKSLASH = 0x5c
const QUOTE = 0x22
const OPEN = 0x7b
const CLOSE = 0x7d
const OPEN_LIST = 0x5b
const CLOSE_LIST = 0x5d
