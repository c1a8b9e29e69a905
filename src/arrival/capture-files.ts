/** Files of a capture as they come in: counted, bounded, told from their bytes. */
import { rm } from 'node:fs/promises'
import { ArchiveError } from '#errors.ts'
import type { ArrivedBytes } from '#model/arrival.ts'
import type { CaptureMedium } from '#model/capture-link.ts'
import type { Asked } from '#model/route.ts'
import { parseMediaType } from '#standards/dicomweb/media-type.ts'
import { MultipartError, type PartHeaders, readMultipart } from '#standards/dicomweb/multipart.ts'
import { ArrivalBuffer, openSpooled, type SpoolOptions } from '#storage/spool.ts'
import { type Medium, mediumOf } from './capture-form.ts'

export interface CaptureFile {
  readonly label: string
  readonly bytes: ArrivedBytes
  readonly size: number
  readonly medium: Medium
}

export interface CaptureLimits {
  readonly spoolDirectory: string
  readonly spool: Pick<SpoolOptions, 'bytesMax' | 'reserveBytes'>
  readonly filesMax: number
  readonly media: readonly CaptureMedium[]
}

const TEXT_BYTES_MAX = 64 * 1024

const chunksOf = ({ raw }: Asked<unknown>) => raw.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>

/** Nothing is left of files that go nowhere. */
export async function dropCaptures(files: readonly Pick<CaptureFile, 'bytes'>[]): Promise<void> {
  for (const { bytes } of files) if (bytes.in === 'spool') await rm(bytes.path, { force: true })
}

/** @throws ArchiveError 'document.type' for anything but the media asked for, 'request.too-large' */
async function finished(buffer: ArrivalBuffer, label: string, { media }: CaptureLimits): Promise<CaptureFile> {
  const { size } = buffer
  const bytes = await buffer.finish()
  const source = openSpooled(bytes)
  let medium: Medium | undefined
  try {
    medium = mediumOf(source)
  } finally {
    source.close()
  }
  if (medium === undefined || !media.includes(medium.medium)) {
    await dropCaptures([{ bytes }])
    const wanted = media.map((one) => (one === 'photo' ? 'photographs' : 'films')).join(' and ')
    throw new ArchiveError('document.type', `only ${wanted} are taken here`)
  }
  return { label, bytes, size, medium }
}

/** The whole body as one file. */
export async function takeCaptureBody(
  asked: Asked<unknown>,
  limits: CaptureLimits,
  label: string,
): Promise<CaptureFile> {
  const buffer = new ArrivalBuffer(limits.spoolDirectory, limits.spool)
  try {
    for await (const chunk of chunksOf(asked)) await buffer.write(chunk)
    return await finished(buffer, label, limits)
  } catch (error) {
    await buffer.discard()
    throw error
  }
}

/**
 * A form: files, and fields of text by their names. Empty file fields are what a browser sends of fields nobody used.
 * @param texts names of the fields that are text
 * @throws ArchiveError 'request.malformed', 'request.too-large', 'document.type'; then nothing is left of what was spooled
 */
export async function takeCaptureForm(
  asked: Asked<unknown>,
  limits: CaptureLimits,
  texts: ReadonlySet<string>,
): Promise<{ readonly files: readonly CaptureFile[]; readonly fields: ReadonlyMap<string, string> }> {
  const boundary = parseMediaType(asked.headers['content-type'] ?? '')?.params.get('boundary') ?? ''
  if (boundary === '') throw new ArchiveError('request.malformed', 'Content-Type names no boundary')
  const files: CaptureFile[] = []
  const fields = new Map<string, string>()
  let part = { name: '', label: '', isFile: false }
  let buffer: ArrivalBuffer | null = null
  let text: Buffer[] = []
  let textLength = 0
  try {
    for await (const event of readMultipart(chunksOf(asked), boundary)) {
      if (event.is === 'begin') {
        part = partOf(event.headers)
        text = []
        // What has no file name and no meaning here is read over.
        buffer = texts.has(part.name) || !part.isFile ? null : new ArrivalBuffer(limits.spoolDirectory, limits.spool)
      } else if (event.is === 'data') {
        if (buffer !== null) {
          if (files.length >= limits.filesMax) {
            throw new ArchiveError('request.too-large', `more than ${limits.filesMax} files`)
          }
          await buffer.write(event.bytes)
          continue
        }
        textLength += event.bytes.byteLength
        if (textLength > TEXT_BYTES_MAX) throw new ArchiveError('request.too-large', 'the text is too long')
        text.push(Buffer.from(event.bytes))
      } else if (buffer === null) {
        if (texts.has(part.name)) fields.set(part.name, Buffer.concat(text).toString('utf8'))
      } else {
        if (buffer.size > 0) {
          const label = part.label || `file ${files.length + 1}`
          files.push(await finished(buffer, label, limits))
        }
        buffer = null
      }
    }
    return { files, fields }
  } catch (error) {
    await buffer?.discard()
    await dropCaptures(files)
    if (error instanceof MultipartError) throw new ArchiveError('request.malformed', error.message)
    throw error
  }
}

function partOf(headers: PartHeaders) {
  const disposition = headers.get('content-disposition') ?? ''
  const parameter = (key: string) =>
    new RegExp(`;\\s*${key}="((?:[^"\\\\]|\\\\.)*)"`, 'i').exec(disposition)?.[1]?.replace(/\\(.)/g, '$1') ??
    new RegExp(`;\\s*${key}=([^;"\\s]+)`, 'i').exec(disposition)?.[1]
  const label = Buffer.from(parameter('filename') ?? '', 'latin1')
    .toString('utf8')
    .slice(0, 500)
  return { name: parameter('name') ?? '', label, isFile: parameter('filename') !== undefined }
}
