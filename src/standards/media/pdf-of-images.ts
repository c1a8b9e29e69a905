import { Buffer } from 'node:buffer'
import { createHash } from 'node:crypto'
import { deflateSync } from 'node:zlib'

/** One page: a picture that fills it. */
export type PdfPage = {
  readonly columns: number
  readonly rows: number
  /** Size of the picture on paper, when the object says it. */
  readonly widthMm?: number
  readonly heightMm?: number
  /** Dark where the sample is high: MONOCHROME1. */
  readonly inverted?: boolean
} & (JpegPage | PixelPage)

/** A JPEG that is taken over byte for byte. ISO 32000-1 section 7.4.8. */
export interface JpegPage {
  readonly kind: 'jpeg'
  readonly samples: 1 | 3
  readonly jpeg: Uint8Array
  /** False for RGB components without an Adobe segment that says so: a reader would take them for YCbCr. */
  readonly colourTransform: boolean
}

/** Samples, rows from the top, each row beginning with a new byte. With 1 bit the first pixel is the highest bit. */
export interface PixelPage {
  readonly kind: 'pixels'
  readonly samples: 1 | 3
  readonly bits: 1 | 8
  readonly pixels: Uint8Array
}

export interface PdfOptions {
  readonly title?: string
}

/** Paper in points, portrait. */
const A4 = [595.28, 841.89] as const
const LETTER = [612, 792] as const
const POINTS_PER_MM = 72 / 25.4
/** ISO 32000-1 Annex C.2: a page is at least 3 and at most 14400 units wide and high. */
const PAGE_POINTS = [3, 14_400] as const
const PAGES_MAX = 100_000

/**
 * Writes pictures as a PDF, one to a page: scanned paper as the document it was. The same pages give the same bytes:
 * there is no date in it, and its identifier is a digest of its pages. (Flate streams are zlib's of this Node.)
 *
 * The page has the size of the picture where that is known; else it is A4 or US letter, whichever has its shape, with
 * the picture in the middle.
 *
 * @param pages one at a time, so that no more than one is in memory
 * @throws RangeError for a page whose pixels do not fill it, and when there are no pages or more than 100000
 */
export async function* pdfOfImages(
  pages: AsyncIterable<PdfPage> | Iterable<PdfPage>,
  { title }: PdfOptions = {},
): AsyncGenerator<Uint8Array> {
  const writer = new PdfWriter()
  yield writer.text('%PDF-1.4\n%\u00e2\u00e3\u00cf\u00d3\n')
  const kids: number[] = []
  for await (const page of pages) {
    if (kids.length >= PAGES_MAX) throw new RangeError(`more than ${PAGES_MAX} pages`)
    const { dictionary, data } = imageOf(page)
    const first = writer.next()
    yield writer.object(first, `${dictionary} /Length ${data.length} >>\nstream\n`)
    yield writer.bytes(data)
    yield writer.text('\nendstream\nendobj\n')
    const { width, height, matrix } = layout(page)
    const content = `q ${matrix} cm /I Do Q`
    yield writer.object(first + 1, `<< /Length ${content.length} >>\nstream\n${content}\nendstream\nendobj\n`)
    const resources = `/Resources << /XObject << /I ${first} 0 R >> >>`
    const box = `/MediaBox [0 0 ${points(width)} ${points(height)}]`
    yield writer.object(
      first + 2,
      `<< /Type /Page /Parent 2 0 R ${box} ${resources} /Contents ${first + 1} 0 R >>\nendobj\n`,
    )
    kids.push(first + 2)
  }
  if (kids.length === 0) throw new RangeError('a document without pages')
  yield writer.object(1, '<< /Type /Catalog /Pages 2 0 R >>\nendobj\n')
  const list = kids.map((kid) => `${kid} 0 R`).join(' ')
  yield writer.object(2, `<< /Type /Pages /Kids [${list}] /Count ${kids.length} >>\nendobj\n`)
  yield writer.object(
    3,
    `<< /Producer (Diptych)${title === undefined ? '' : ` /Title ${textString(title)}`} >>\nendobj\n`,
  )
  yield writer.end()
}

/** A text string in UTF-16BE, written in hexadecimal. ISO 32000-1 section 7.9.2.2. */
function textString(text: string): string {
  const units = Buffer.from(`\ufeff${text}`, 'utf16le').swap16()
  return `<${units.toString('hex')}>`
}

/** Keeps where objects begin, for the cross-reference table. */
class PdfWriter {
  readonly #offsets: number[] = []
  readonly #digest = createHash('sha256')
  #at = 0
  #last = 3

  /** Number of the first of three objects: picture, content, page. */
  next(): number {
    const first = this.#last + 1
    this.#last += 3
    return first
  }

  bytes(bytes: Uint8Array): Uint8Array {
    this.#at += bytes.length
    this.#digest.update(bytes)
    return bytes
  }

  text(text: string): Uint8Array {
    return this.bytes(Buffer.from(text, 'latin1'))
  }

  object(number: number, body: string): Uint8Array {
    this.#offsets[number] = this.#at
    return this.text(`${number} 0 obj\n${body}`)
  }

  end(): Uint8Array {
    const start = this.#at
    const rows: string[] = []
    for (let number = 1; number <= this.#last; number++) {
      rows.push(`${String(this.#offsets[number]).padStart(10, '0')} 00000 n \n`)
    }
    const id = this.#digest.digest('hex').slice(0, 32)
    const size = this.#last + 1
    const trailer = `<< /Size ${size} /Root 1 0 R /Info 3 0 R /ID [<${id}> <${id}>] >>`
    const table = `xref\n0 ${size}\n0000000000 65535 f \n${rows.join('')}`
    return Buffer.from(`${table}trailer\n${trailer}\nstartxref\n${start}\n%%EOF\n`, 'latin1')
  }
}

function imageOf(page: PdfPage): { dictionary: string; data: Uint8Array } {
  const { columns, rows, samples, inverted = false } = page
  const colours = samples === 1 ? '/DeviceGray' : '/DeviceRGB'
  const decode = inverted ? ` /Decode [${Array(samples).fill('1 0').join(' ')}]` : ''
  const head = `<< /Type /XObject /Subtype /Image /Width ${columns} /Height ${rows} /ColorSpace ${colours}${decode}`
  if (page.kind === 'jpeg') {
    const parameters = page.colourTransform ? '' : ' /DecodeParms << /ColorTransform 0 >>'
    return { dictionary: `${head} /BitsPerComponent 8 /Filter /DCTDecode${parameters}`, data: page.jpeg }
  }
  const rowBytes = Math.ceil((columns * samples * page.bits) / 8)
  if (page.pixels.length !== rowBytes * rows) {
    throw new RangeError(`${page.pixels.length} bytes for ${columns} by ${rows} pixels`)
  }
  return {
    dictionary: `${head} /BitsPerComponent ${page.bits} /Filter /FlateDecode`,
    data: deflateSync(page.pixels, { level: 9 }),
  }
}

function points(value: number): string {
  return String(Math.round(value * 100) / 100)
}

function within(value: number): number {
  return Math.min(PAGE_POINTS[1], Math.max(PAGE_POINTS[0], value))
}

/** Size of the page and where the picture stands on it, in points. */
function layout({ columns, rows, widthMm, heightMm }: PdfPage): { width: number; height: number; matrix: string } {
  if (widthMm !== undefined && heightMm !== undefined && widthMm > 0 && heightMm > 0) {
    const [width, height] = [within(widthMm * POINTS_PER_MM), within(heightMm * POINTS_PER_MM)]
    return { width, height, matrix: `${points(width)} 0 0 ${points(height)} 0 0` }
  }
  const aspect = Math.max(columns, rows) / Math.min(columns, rows)
  const off = ([short, long]: readonly [number, number]) => Math.abs(aspect - long / short)
  const [short, long] = off(LETTER) < off(A4) ? LETTER : A4
  const [width, height] = columns > rows ? [long, short] : [short, long]
  const scale = Math.min(width / columns, height / rows)
  const [across, up] = [columns * scale, rows * scale]
  const matrix = [across, 0, 0, up, (width - across) / 2, (height - up) / 2].map(points).join(' ')
  return { width, height, matrix }
}
