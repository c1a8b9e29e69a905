/**
 * Oracles for screening as a whole: whatever arrives, by whatever door, screening itself never fails (rule G2), what is
 * removed lies inside the file, and the same bytes from a spool get the same verdict.
 */
import assert from 'node:assert/strict'
import { part10 } from '../fixtures/dicom-builder.ts'
import { CONTRADICTORY, HARMLESS, HOSTILE } from '../fixtures/hostile.ts'
import { cdaObject, cdaXml, modelObject, pdfObject } from '../fixtures/objects.ts'
import { PDFS } from '../fixtures/pdf.ts'
import { judge, judgeSpooled } from '../support/screening-fixture.ts'
import { Choices, damaged } from './random.ts'
import type { Target } from './target.ts'

export const screeningTarget: Target = { make, check }

let seeds: readonly Buffer[] | undefined

function load(): readonly Buffer[] {
  const pdfs = Object.values(PDFS).map((build) => Buffer.from(build()))
  return [
    ...[HOSTILE, HARMLESS, CONTRADICTORY].flatMap((set) => Object.values(set).map((build) => build())),
    ...pdfs,
    ...pdfs.map((bytes) => part10({ elements: pdfObject(bytes) })),
    ...(['stl', 'obj', 'mtl'] as const).map((kind) => part10({ elements: modelObject(kind) })),
    part10({ elements: cdaObject() }),
    Buffer.from(cdaXml()),
  ]
}

/** A file with something of another put into it, or with damage of any kind. */
function make(seed: number): Uint8Array {
  seeds ??= load()
  const choices = new Choices(seed)
  let bytes = Buffer.from(choices.pick(seeds))
  for (let n = 1 + choices.below(4); n > 0; n--) {
    if (choices.chance(0.6)) bytes = Buffer.from(damaged(bytes, choices))
    else {
      const other = choices.pick(seeds)
      const from = choices.below(other.length)
      const at = choices.chance(0.5) ? choices.below(Math.min(bytes.length, 1500) + 1) : choices.below(bytes.length + 1)
      const piece = other.subarray(from, from + choices.below(300))
      const over = choices.chance(0.5) ? piece.length : 0
      bytes = Buffer.concat([bytes.subarray(0, at), piece, bytes.subarray(at + over)])
    }
  }
  return bytes
}

function check(bytes: Uint8Array): void {
  const policy = { privateElements: 'strip', unknownTransferSyntaxes: 'keep' } as const
  for (const door of ['stow', 'media'] as const) {
    const { verdict, findings, remove } = judge(bytes, { door, policy })
    const failed = findings.find(({ rule }) => rule === 'G2')
    assert.equal(failed, undefined, failed?.detail)
    let reached = 0
    for (const { start, end } of remove) {
      assert.ok(start >= reached && end > start && end <= bytes.length, `${start} to ${end} of ${bytes.length} removed`)
      reached = end
    }
    const spooled = judgeSpooled(bytes, { door, policy })
    assert.deepEqual([spooled.verdict, spooled.findings, spooled.remove], [verdict, findings, remove])
  }
}
