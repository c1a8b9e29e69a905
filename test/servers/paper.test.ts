import assert from 'node:assert/strict'
import { Buffer } from 'node:buffer'
import { execFile, execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { memorySource } from '#standards/byte-source.ts'
import { openPart10 } from '#standards/dicom/open.ts'
import { pagesOf } from '#standards/dicom/wrap/pages.ts'
import { openFrameDecoder } from '#standards/media/frame-decoder.ts'
import { type PdfPage, pdfOfImages } from '#standards/media/pdf-of-images.ts'
import { part10 } from '../fixtures/dicom-builder.ts'
import { jpeg } from '../fixtures/jpeg.ts'
import { multiFrame, secondaryCapture } from '../fixtures/objects.ts'

const folder = mkdtempSync(join(tmpdir(), 'diptych-paper-'))
after(() => rmSync(folder, { recursive: true, force: true }))

function run(program: string, args: readonly string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    execFile(program, [...args], { timeout: 60_000, maxBuffer: 8 << 20 }, (error, stdout, stderr) => {
      if (error === null) resolve(stdout + stderr)
      else reject(error)
    })
  })
}

/** The independent reader of PDFs; no Debian package that the other suites need brings it. */
const ghostscript = (() => {
  try {
    execFileSync('gs', ['--version'], { timeout: 10_000 })
    return true
  } catch (thrown) {
    if (thrown instanceof Error && 'code' in thrown && thrown.code === 'ENOENT') return false
    throw thrown
  }
})()
const skip = ghostscript ? false : 'ghostscript is not installed: nobody independent reads the PDF'

/** Pixels of every page as ghostscript shows them, at `dpi`. */
async function shown(name: string, pages: AsyncIterable<PdfPage> | Iterable<PdfPage>, dpi: number): Promise<Buffer[]> {
  const chunks: Uint8Array[] = []
  for await (const chunk of pdfOfImages(pages, { title: name })) chunks.push(chunk)
  const path = join(folder, `${name}.pdf`)
  writeFileSync(path, Buffer.concat(chunks))
  const out = join(folder, `${name}-%d.ppm`)
  const said = await run('gs', [
    '-q',
    '-dSAFER',
    '-dBATCH',
    '-dNOPAUSE',
    '-sDEVICE=ppmraw',
    `-r${dpi}`,
    '-o',
    out,
    path,
  ])
  assert.equal(said, '', name)
  const count = Number(
    await run('gs', ['-q', '-dNODISPLAY', '-dNOSAFER', '-c', `(${path}) (r) file runpdfbegin pdfpagecount = quit`]),
  )
  return Array.from({ length: count }, (_, index) => readFileSync(join(folder, `${name}-${index + 1}.ppm`)))
}

/** Colour of one pixel of a PPM. */
function at(ppm: Buffer, column: number, row: number): number[] {
  const [, width = '', , , header = ''] =
    /^(?=P6\s+(?:#[^\n]*\n)?(\d+)\s+(\d+)\s+(\d+))(P6\s+(?:#[^\n]*\n)?\d+\s+\d+\s+\d+\s)/.exec(
      ppm.toString('latin1', 0, 200),
    ) ?? []
  const start = header.length + (row * Number(width) + column) * 3
  return [...ppm.subarray(start, start + 3)]
}

const square = { columns: 16, rows: 16, widthMm: 40.64, heightMm: 40.64 } as const

test('paper: ghostscript shows every kind of page as it was', { skip }, async () => {
  const red = jpeg(
    new Uint8Array(16 * 16 * 3).map((_, index) => [220, 30, 30][index % 3] ?? 0),
    16,
    16,
  )
  const half = Uint8Array.from({ length: 32 }, (_, index) => (index % 2 === 0 ? 0xff : 0))
  const colours = Uint8Array.from({ length: 768 }, (_, index) => [0, 128, 255][index % 3] ?? 0)
  const ramp = Uint8Array.from({ length: 256 }, (_, index) => index)
  const list: PdfPage[] = [
    { kind: 'jpeg', ...square, samples: 3, jpeg: red, colourTransform: true },
    { kind: 'pixels', ...square, samples: 1, bits: 1, pixels: half },
    { kind: 'pixels', ...square, samples: 1, bits: 1, pixels: half, inverted: true },
    { kind: 'pixels', ...square, samples: 3, bits: 8, pixels: colours },
    { kind: 'pixels', ...square, samples: 1, bits: 8, pixels: ramp },
  ]
  const pages = await shown('kinds', list, 10)
  assert.equal(pages.length, 5)
  const [photo, bits, negative, colour, grey] = pages as [Buffer, Buffer, Buffer, Buffer, Buffer]
  for (const [index, value] of at(photo, 8, 8).entries()) assert.ok(Math.abs(value - [220, 30, 30][index]!) < 8)
  assert.deepEqual(
    [at(bits, 3, 8), at(bits, 12, 8)],
    [
      [255, 255, 255],
      [0, 0, 0],
    ],
  )
  assert.deepEqual(
    [at(negative, 3, 8), at(negative, 12, 8)],
    [
      [0, 0, 0],
      [255, 255, 255],
    ],
  )
  assert.deepEqual(at(colour, 5, 5), [0, 128, 255])
  assert.deepEqual(
    [at(grey, 0, 0), at(grey, 1, 0), at(grey, 0, 1)],
    [
      [0, 0, 0],
      [1, 1, 1],
      [16, 16, 16],
    ],
  )
})

// Each writes without loss, so that the pages must be the very same.
const compressors = [['dcmcrle'], ['dcmcjpls'], ['dcmcjpeg', '+e1'], ['dcmcjpeg', '+el']] as const

test('paper: what dcmtk compressed decodes to what it was made of', async () => {
  const decoder = openFrameDecoder()
  const pages = async (bytes: Uint8Array) => {
    const made: PdfPage[] = []
    for await (const page of pagesOf(openPart10(memorySource(bytes)), { decode: decoder.decode })) made.push(page)
    return made
  }
  try {
    for (const [name, elements] of Object.entries({ grey: secondaryCapture(), frames: multiFrame(3) })) {
      const native = part10({ elements })
      const [from, to] = [join(folder, `${name}.dcm`), join(folder, `${name}.packed.dcm`)]
      writeFileSync(from, native)
      for (const [program, ...options] of compressors) {
        await run(program, [...options, from, to])
        assert.deepEqual(await pages(readFileSync(to)), await pages(native), `${program} ${name}`)
      }
    }
  } finally {
    await decoder.close()
  }
})

test('paper: a multi-frame object becomes a document of as many pages', { skip }, async () => {
  const opened = openPart10(memorySource(part10({ elements: multiFrame(3) })))
  assert.equal((await shown('frames', pagesOf(opened), 20)).length, 3)
})
