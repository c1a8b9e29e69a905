import { Buffer } from 'node:buffer'
import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { type ByteSource, READ_BYTES_MAX } from '../byte-source.ts'
import { ConversionError } from '../dicom/wrap/conversion-error.ts'
import type { DecodedPicture } from '../dicom/wrap/photograph.ts'

/** How much one picture may ask for. */
export interface DecodeLimits {
  readonly inputBytesMax: number
  /** Width times height. */
  readonly pixelsMax: number
  readonly timeMs: number
}

export const DECODE_LIMITS: DecodeLimits = { inputBytesMax: READ_BYTES_MAX, pixelsMax: 100_000_000, timeMs: 30_000 }

/**
 * Decodes a JPEG, PNG, TIFF or other picture to upright 8-bit RGB or grey, in a process of its own that is ended after
 * `timeMs`. Of several pages the first is taken. EXIF orientation is applied, transparency laid on white, colours with
 * a profile brought to sRGB, 16 bits a sample cut to 8.
 *
 * @throws ConversionError `conversion.limit` for a picture that is too large or takes too long;
 *   `conversion.malformed` for one that no decoder reads
 */
export async function decodePicture(source: ByteSource, limits: DecodeLimits = DECODE_LIMITS): Promise<DecodedPicture> {
  if (source.size > limits.inputBytesMax) throw new ConversionError('conversion.limit', 'the picture is too long')
  const input = new Uint8Array(source.read(0, source.size))
  const output = await runDecoder(input, limits)
  const line = output.indexOf(10)
  if (line < 0) throw new ConversionError('conversion.malformed', 'no decoder reads the picture')
  const head = JSON.parse(output.toString('utf8', 0, line)) as {
    format: string
    width: number
    height: number
    channels: number
    orientation: number
    compression: string
  }
  const { width: columns, height: rows, channels } = head
  const pixels = new Uint8Array(output.subarray(line + 1))
  if ((channels !== 1 && channels !== 3) || pixels.length !== columns * rows * channels) {
    throw new ConversionError('conversion.malformed', `a picture of ${channels} channels`)
  }
  const jpeg = head.format === 'jpeg' || (head.format === 'tiff' && head.compression === 'jpeg')
  const mediaType = head.format === 'jpeg' ? 'image/jpeg' : 'image/tiff'
  return {
    columns,
    rows,
    samples: channels,
    pixels,
    ...(jpeg ? { lossy: { mediaType, lengthBytes: source.size } as const } : {}),
    ...(head.orientation > 1 ? { turned: head.orientation } : {}),
  }
}

/**
 * A picture to look at: upright, at most `edgeMax` pixels on its longer side, a JPEG without metadata.
 * @throws ConversionError as decodePicture
 */
export async function renderPicture(
  source: ByteSource,
  edgeMax: number,
  limits: DecodeLimits = DECODE_LIMITS,
): Promise<Uint8Array> {
  if (source.size > limits.inputBytesMax) throw new ConversionError('conversion.limit', 'the picture is too long')
  return new Uint8Array(await runDecoder(new Uint8Array(source.read(0, source.size)), limits, edgeMax))
}

function runDecoder(input: Uint8Array, { pixelsMax, timeMs }: DecodeLimits, edgeMax = 0): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const script = join(import.meta.dirname, 'picture-process.ts')
    const child = spawn(process.execPath, ['--max-old-space-size=256', script, String(pixelsMax), String(edgeMax)], {
      env: {}, // nothing of ours is in its environment
      stdio: ['pipe', 'pipe', 'pipe'],
      timeout: timeMs,
      killSignal: 'SIGKILL',
    })
    const chunks: Buffer[] = []
    const complaints: Buffer[] = []
    let length = 0
    let complaint = 0
    child.stdout.on('data', (chunk: Buffer) => {
      length += chunk.length
      if (length > pixelsMax * 3 + 4096) child.kill('SIGKILL')
      else chunks.push(chunk)
    })
    child.stderr.on('data', (chunk: Buffer) => {
      complaint += chunk.length
      if (complaint <= 16_384) complaints.push(chunk)
    })
    // A decoder that gives up early closes its input: its exit code says so.
    child.stdin.on('error', (problem: NodeJS.ErrnoException) => {
      if (problem.code !== 'EPIPE' && problem.code !== 'ECONNRESET') reject(problem)
    })
    child.on('error', reject)
    child.on('close', (code, signal) => {
      const said = Buffer.concat(complaints).toString('utf8')
      if (signal !== null) reject(new ConversionError('conversion.limit', `decoding took more than ${timeMs} ms`))
      else if (/pixel limit/i.test(said))
        reject(new ConversionError('conversion.limit', 'the picture has too many pixels'))
      else if (/ERR_MODULE_NOT_FOUND/.test(said)) reject(new Error('the picture decoder is not installed'))
      else if (code !== 0) reject(new ConversionError('conversion.malformed', 'no decoder reads the picture'))
      else resolve(Buffer.concat(chunks))
    })
    child.stdin.end(input)
  })
}
