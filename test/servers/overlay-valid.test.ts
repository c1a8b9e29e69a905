import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { memorySource } from '#standards/byte-source.ts'
import { planEgress } from '#standards/dicom/egress.ts'
import { part10 } from '../fixtures/dicom-builder.ts'
import * as objects from '../fixtures/objects.ts'
import { tiffSlide } from '../fixtures/slides.ts'
import { OVERLAYS } from '../support/overlay-cases.ts'

const folder = mkdtempSync(join(tmpdir(), 'diptych-overlaid-'))
after(() => rmSync(folder, { recursive: true, force: true }))

function run(program: string, args: readonly string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    execFile(program, [...args], { timeout: 60_000, maxBuffer: 8 << 20 }, (error, stdout, stderr) => {
      if (error !== null && error.code === 'ENOENT') reject(error)
      else resolve(stdout + stderr)
    })
  })
}

/** What dicom3tools says against a file. */
async function errorsOf(path: string): Promise<string[]> {
  const report = await run('dciodvfy', ['-new', path])
  return report.split('\n').filter((line) => line.startsWith('Error'))
}

/** `(0010,0020)` of the outermost attribute of a path. */
function shown(path: string): string {
  return `(${path.slice(0, 4)},${path.slice(4, 8)})`.toLowerCase()
}

const SYNTAXES = ['1.2.840.10008.1.2', '1.2.840.10008.1.2.1', '1.2.840.10008.1.2.2', '1.2.840.10008.1.2.1.99']

const FIXTURES: { readonly [name: string]: () => Uint8Array } = {
  ...Object.fromEntries(
    SYNTAXES.map((transferSyntax) => [
      `CT in ${transferSyntax}`,
      () => part10({ elements: objects.ctImage(), transferSyntax }),
    ]),
  ),
  ECG: () => part10({ elements: objects.twelveLeadEcg() }),
  'dose report': () => part10({ elements: objects.ctDose() }),
  PDF: () => part10({ elements: objects.pdfObject() }),
  multiframe: () => part10({ elements: objects.multiFrame(3) }),
  slide: () => tiffSlide(),
  'encapsulated slide': () => tiffSlide({ tiles: 'jpeg' }),
}

// An overlay must not make an object that other people's programs refuse: neither its structure nor its modules suffer.
for (const [name, build] of Object.entries(FIXTURES)) {
  test(`${name} with an overlay is read by dcmtk, and dicom3tools finds nothing that was not there`, async () => {
    const stored = build()
    const before = join(folder, 'before.dcm')
    writeFileSync(before, stored)
    const known = new Set(await errorsOf(before))
    for (const [overlayName, overlay] of Object.entries(OVERLAYS)) {
      const path = join(folder, 'left.dcm')
      const chunks: Uint8Array[] = []
      for await (const chunk of planEgress({ source: memorySource(stored) }, { overlay }).chunks()) chunks.push(chunk)
      writeFileSync(path, Buffer.concat(chunks))
      assert.match(await run('dcmftest', [path]), /^yes/, overlayName)
      assert.doesNotMatch(await run('dcmdump', ['-q', '+L', path]), /^[EW]: /m, overlayName)
      if (name.endsWith('.99')) continue // dicom3tools does not inflate
      // What an overlay itself leaves out or half-says is its own fault.
      const own = overlay.flatMap(({ changes }) => changes.map(({ path: at }) => shown(at)))
      const fresh = (await errorsOf(path)).filter((line) => !known.has(line) && !own.some((tag) => line.includes(tag)))
      assert.deepEqual(fresh, [], overlayName)
    }
  })
}
