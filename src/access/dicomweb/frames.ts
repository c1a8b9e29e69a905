import { ArchiveError } from '#errors.ts'
import type { ArchiveReader, Scope } from '#model/archive-index.ts'
import type { StoredInstance } from '#model/archive-object.ts'
import type { Asked, Route } from '#model/route.ts'
import { READ_BYTES_MAX } from '#standards/byte-source.ts'
import { alignBits, type FrameBytes, type FrameTable, frameCount, frameRanges } from '#standards/dicom/frames.ts'
import { EXPLICIT_LITTLE_ENDIAN, transferSyntax } from '#standards/dicom/transfer-syntax.ts'
import { parseAccept } from './accept.ts'
import { type DataSetBytes, openDataSet } from './data-set-bytes.ts'
import { bulkCandidates } from './negotiate.ts'
import { type BulkPart, sendParts } from './parts.ts'
import { instanceOf, type PathOf, shown } from './scope.ts'
import type { RangedReads } from './send.ts'
import type { StoredFiles } from './stored-files.ts'

/** What sending values out of instances needs. */
export interface ValueServices {
  readonly reader: ArchiveReader
  readonly reads: RangedReads
  readonly files: StoredFiles
}

/** Frames named in one request. */
const FRAMES_MAX = 10_000

/** Frames by number, in the order asked for. PS3.18 section 10.4, Frame Pixel Data Resources. */
export function framesRoute(services: ValueServices): Route<PathOf & { readonly frames: string }> {
  return {
    method: 'GET',
    url: '/dicom-web/studies/:study/series/:series/instances/:instance/frames/:frames',
    standard: 'PS3.18 section 10.4, Retrieve Transaction, Pixel Data Resources, Frames',
    needs: 'object.read',
    async handle(asked, reply) {
      const scope = instanceOf(asked.params)
      const numbers = parseFrameList(asked.params.frames)
      const ways = bulkCandidates(parseAccept(asked.headers.accept, asked.query.get('accept')))
      const instance = await services.reader.instance(scope, asked.visibility)
      if (instance === undefined) throw new ArchiveError('request.not-found', `no ${shown(scope)}`)
      const table = instance.frames
      if (table === null) throw new ArchiveError('request.not-found', `${shown(scope)} has no frames`)
      const places = numbers.map((number) => ({ number, bytes: placeOf(table, number, scope) }))
      const dataSet = await openDataSet(services.reads, services.files, instance)
      const parts = places.map(({ number, bytes }) => framePart(instance, table, dataSet, number, bytes))
      await audited(asked, scope, numbers.length)
      const etag = `"${instance.digests.kept}-${instance.overlayVersion}-f${numbers[0]}"`
      return sendParts(asked, reply, parts, ways, { etag, all: true })
    },
  }
}

function audited(asked: Asked<unknown>, scope: Required<Scope>, frames: number): Promise<void> {
  return asked.audit('read', { studyInstanceUID: scope.studyInstanceUID, count: 1, detail: `${frames} frames` })
}

/**
 * Reads `1,2,7`.
 * @throws ArchiveError 'request.malformed' for what is no list of numbers
 */
export function parseFrameList(text: string): number[] {
  const numbers = text.split(',', FRAMES_MAX + 1)
  if (numbers.length > FRAMES_MAX) throw new ArchiveError('request.malformed', `more than ${FRAMES_MAX} frames`)
  return numbers.map((number) => {
    if (!/^\s*[0-9]{1,10}\s*$/.test(number)) {
      throw new ArchiveError('request.malformed', 'frames are numbers from 1, separated by commas')
    }
    return Number(number)
  })
}

/** Never other bytes than those of the frame (threats.md R7). */
function placeOf(table: FrameTable, number: number, scope: Scope): FrameBytes {
  const place = frameRanges(table, number)
  if (place !== undefined) return place
  const count = frameCount(table)
  if (number < 1 || number > count) {
    throw new ArchiveError('request.not-found', `no frame ${number}: ${shown(scope)} has frames 1 to ${count}`)
  }
  throw new ArchiveError('dicom.malformed', `the bytes of frame ${number} are missing or cannot be told apart`, {
    hint: 'The object is kept as it came; retrieve it whole.',
  })
}

/** One frame as a part: a compressed one as its bare code stream, a native one in little endian. */
export function framePart(
  instance: StoredInstance,
  table: FrameTable,
  dataSet: DataSetBytes,
  number: number,
  place: FrameBytes,
): BulkPart {
  const syntax = transferSyntax(instance.transferSyntaxUID)
  const mediaType = table.kind === 'native' ? null : (syntax?.frameMediaType ?? null)
  const words =
    table.kind === 'native' ? { unit: table.wordBytes, from: table.offset, to: table.offset + table.length } : null
  const { bitLength } = place
  return {
    types: [mediaType ?? 'application/octet-stream'],
    syntax: mediaType === null ? EXPLICIT_LITTLE_ENDIAN : instance.transferSyntaxUID,
    location: `/dicom-web/${shown(scopeOfInstance(instance))}/frames/${number}`,
    length: bitLength === null ? place.length : Math.ceil(bitLength / 8),
    pieces: (start, end) =>
      bitLength === null
        ? joined(dataSet, place.ranges, words, start, end)
        : bits(dataSet, place, bitLength, start, end),
  }
}

export function scopeOfInstance(instance: StoredInstance): Required<Scope> {
  const { studyInstanceUID, seriesInstanceUID, sopInstanceUID } = instance
  return { studyInstanceUID, seriesInstanceUID, sopInstanceUID }
}

/** Words that are reversed on the way: their length, and the value they fill. A frame may begin and end within one. */
interface Words {
  readonly unit: number
  readonly from: number
  readonly to: number
}

/** Bytes `start` to `end` of ranges one behind the other. */
async function* joined(
  dataSet: DataSetBytes,
  ranges: FrameBytes['ranges'],
  words: Words | null,
  start: number,
  end: number,
): AsyncGenerator<Uint8Array, void, void> {
  let before = 0
  for (const range of ranges) {
    const length = range.end - range.start
    const from = range.start + Math.max(0, start - before)
    const to = range.start + Math.min(length, end - before)
    before += length
    if (from >= to) continue
    // Whole words of the value, so that reversing them does not depend on where a cut is.
    const { unit, ...value } = words ?? { unit: 1, from, to }
    const cut = (from - value.from) % unit
    let skip = cut
    let left = to - from
    const last = Math.min(value.to, value.from + Math.ceil((to - value.from) / unit) * unit)
    for await (const piece of dataSet.pieces(from - cut, last, unit)) {
      const part = piece.subarray(skip, skip + left)
      skip = 0
      left -= part.byteLength
      if (part.byteLength > 0) yield part
    }
  }
}

async function* bits(
  dataSet: DataSetBytes,
  place: FrameBytes,
  bitLength: number,
  start: number,
  end: number,
): AsyncGenerator<Uint8Array, void, void> {
  if (place.length > READ_BYTES_MAX) throw new ArchiveError('dicom.limit', 'a bit-packed frame above 64 MiB')
  const pieces: Uint8Array[] = []
  for await (const piece of joined(dataSet, place.ranges, null, 0, place.length)) pieces.push(piece)
  yield alignBits(Buffer.concat(pieces), place.bitOffset, bitLength).subarray(start, end)
}
