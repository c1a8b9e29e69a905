/**
 * Oracles for Part 10 files: everything a door does with a file ends with an answer or a DicomError; screening never
 * fails unexpectedly; what was read and is written again reads the same, in all four native encodings.
 */
import assert from 'node:assert/strict'
import { memorySource } from '#standards/byte-source.ts'
import { type DataSet, readDataSet } from '#standards/dicom/data-set.ts'
import { vrOf } from '#standards/dicom/dictionary.ts'
import { DicomError } from '#standards/dicom/errors.ts'
import { frameRanges, frameTable } from '#standards/dicom/frames.ts'
import { writeDicomJson } from '#standards/dicom/json.ts'
import { openPart10, type Part10 } from '#standards/dicom/open.ts'
import { pixelElement } from '#standards/dicom/pixel-element.ts'
import { isStandardVr } from '#standards/dicom/value-representation.ts'
import { toWritable, writePart10 } from '#standards/dicom/write.ts'
import { datasetToXml } from '#standards/dicom/xml.ts'
import { extract } from '../../src/intake/extract.ts'
import { judge } from '../support/screening-fixture.ts'
import { part10Case } from './part10-case.ts'
import type { Target } from './target.ts'

const NATIVE = ['1.2.840.10008.1.2', '1.2.840.10008.1.2.1', '1.2.840.10008.1.2.2', '1.2.840.10008.1.2.1.99']
const UIDS = { sopClassUID: '1.2', sopInstanceUID: '1.2.3', studyInstanceUID: '1.2.4', seriesInstanceUID: '1.2.5' }

export const part10Target: Target = { make: part10Case, check }

function check(bytes: Uint8Array): void {
  screens(bytes)
  let part10: Part10
  let dataSet: DataSet
  try {
    part10 = openPart10(memorySource(bytes), { bare: true })
    dataSet = readDataSet(part10.dataSet, part10.encoding)
  } catch (error) {
    if (error instanceof DicomError) return
    throw error
  }
  reads(part10, dataSet)
  roundTrips(part10, dataSet)
}

function screens(bytes: Uint8Array): void {
  for (const door of ['stow', 'media'] as const) {
    const { findings } = judge(bytes, { door })
    const failed = findings.find(({ rule }) => rule === 'G2')
    assert.equal(failed, undefined, failed?.detail)
  }
}

function reads(part10: Part10, dataSet: DataSet): void {
  typed(() => {
    const { json, pixel } = writeDicomJson(part10, { bulkDataUri: (path) => path, inlineMax: 1024 })
    datasetToXml(JSON.parse(Buffer.from(json).toString()))
    if (pixel === null) return
    const table = frameTable(pixel, part10.transferSyntax, part10.dataSet)
    if (table !== null) for (let n = 1; n <= Math.min(table.count, 20); n++) frameRanges(table, n)
  })
  typed(() => pixelElement(dataSet))
  typed(() => extract(part10, UIDS, { zone: null, siteZone: 'UTC' }))
}

/** Runs what may refuse. */
function typed(run: () => void): void {
  try {
    run()
  } catch (error) {
    if (!(error instanceof DicomError)) throw error
  }
}

function roundTrips(part10: Part10, dataSet: DataSet): void {
  if (!isPlain(dataSet)) return
  const own = part10.transferSyntax.uid
  const targets = pixelElement(dataSet)?.fragments == null ? new Set([own, ...NATIVE]) : new Set([own])
  for (const transferSyntaxUID of targets) {
    // Implicit VR is read by the dictionary: what contradicts it cannot come back.
    if (transferSyntaxUID === NATIVE[0] && !isRegular(dataSet)) continue
    const head = { sopClassUID: '1.2', sopInstanceUID: '1.2.3', transferSyntaxUID }
    const written = writePart10(toWritable(dataSet), head)
    const once = openPart10(memorySource(written))
    const again = readDataSet(once.dataSet, once.encoding)
    assert.deepEqual(shape(again), shape(dataSet), `elements written as ${transferSyntaxUID}`)
    if (transferSyntaxUID === own) assert.deepEqual(content(again), content(dataSet), `values written as ${own}`)
    assert.ok(
      Buffer.from(writePart10(toWritable(again), head)).equals(written),
      `written twice as ${transferSyntaxUID}`,
    )
  }
}

/**
 * True for a data set whose every part has one meaning. Excluded: what the walk read past; unknown VRs and UN, which say
 * nothing of their structure or byte order; encapsulated data anywhere but in Pixel Data; elements with no place there.
 */
function isPlain(dataSet: DataSet): boolean {
  if (dataSet.problems.length > 0 || dataSet.walk?.truncated === true) return false
  for (const { tag, vr, items, fragments, valueLength } of dataSet.elements.values()) {
    const group = tag >>> 16
    if (!isStandardVr(vr) || vr === 'UN' || group < 8 || group === 0xfffe || (tag & 0xffff) === 0) return false
    if (fragments !== undefined && (tag !== 0x7fe00010 || dataSet.parent !== null)) return false
    if (items === undefined && fragments === undefined && (vr === 'SQ' || valueLength % 2 === 1)) return false
    if (items?.some((item) => !isPlain(item))) return false
  }
  return true
}

/** True when no element is a sequence against the dictionary, by which implicit VR is read. */
function isRegular(dataSet: DataSet): boolean {
  return [...dataSet.elements.values()].every(({ tag, vr, items }) => {
    const known = vrOf(tag)
    return (known === 'UN' || (known === 'SQ') === (vr === 'SQ')) && (items ?? []).every(isRegular)
  })
}

type Shape = [number, Shape[] | number | null][]

function shape(dataSet: DataSet): Shape {
  const elements = [...dataSet.elements.values()].sort((a, b) => a.tag - b.tag)
  return elements.map(({ tag, items, fragments }) => [tag, items?.map(shape) ?? fragments?.length ?? null])
}

/** Every value as hexadecimal digits, in the order of the tags. */
function content(dataSet: DataSet): string[] {
  const elements = [...dataSet.elements.values()].sort((a, b) => a.tag - b.tag)
  return elements.flatMap(({ items, fragments, valueOffset, valueLength }) => {
    if (items !== undefined) return items.flatMap(content)
    const ranges = fragments ?? [{ offset: valueOffset, length: valueLength }]
    return ranges.map(({ offset, length }) => hex(dataSet.source.read(offset, offset + length)))
  })
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex')
}
