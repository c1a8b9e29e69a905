/**
 * Oracles for the DICOM JSON Model: a text is refused by a DicomError or becomes a data set; that one is written, read
 * and told as JSON again, and from there on nothing changes any more.
 */
import assert from 'node:assert/strict'
import { memorySource } from '#standards/byte-source.ts'
import { DicomError } from '#standards/dicom/errors.ts'
import { jsonToDataSets, writeDicomJson } from '#standards/dicom/json.ts'
import { openPart10 } from '#standards/dicom/open.ts'
import { type WriteDataSet, type WriteValue, writePart10 } from '#standards/dicom/write.ts'
import { Choices, damaged } from './random.ts'
import type { Target } from './target.ts'

const VRS = 'AE AS AT CS DA DS DT FD FL IS LO LT OB OD OF OW PN SH SL SQ SS ST SV TM UC UI UL UN UR US UT UV XX'.split(
  ' ',
)
const TAGS = [
  '00080005',
  '00080018',
  '00100010',
  '00100020',
  '00280008',
  '00081140',
  '7FE00010',
  '00091001',
  '00020010',
  'FFFEE000',
]
const NUMBERS = [
  '0',
  '-1',
  '1.5',
  '1e400',
  '-0',
  '65536',
  '4294967296',
  '9007199254740993',
  '01',
  '1.',
  '"NaN"',
  '"inf"',
  '1e-9',
]
const STRINGS = [
  'a',
  '',
  'Yamada^Tarou=\u5c71\u7530',
  '\\u0000',
  '\\ud800',
  '\\\\',
  '\\"',
  '\u00e9',
  '1.2.840',
  '20240229',
  '12',
  '1\\\\2',
  'x'.repeat(70),
  '\\u001b$B',
  '\\n',
  'AAAA',
  'AA==',
  'A',
]

export const jsonTarget: Target = { make, check }

function make(seed: number): Uint8Array {
  const choices = new Choices(seed)
  const sets = Array.from({ length: choices.chance(0.8) ? 1 : choices.below(3) }, () => dataSet(choices, 0))
  let bytes = Buffer.from(choices.chance(0.5) ? `[${sets.join(',')}]` : (sets[0] ?? '{}'))
  if (choices.chance(0.5)) for (let n = 1 + choices.below(3); n > 0; n--) bytes = Buffer.from(damaged(bytes, choices))
  return bytes
}

function dataSet(choices: Choices, depth: number): string {
  const elements = Array.from({ length: choices.below(6) }, () => {
    const tag = choices.chance(0.9) ? choices.pick(TAGS) : choices.bytes(4).toString('hex')
    return `"${tag}":${element(choices, depth)}`
  })
  return `{${elements.join(',')}}`
}

function element(choices: Choices, depth: number): string {
  const vr = choices.pick(VRS)
  const parts = choices.chance(0.9) ? [`"vr":"${vr}"`] : []
  if (vr === 'SQ' || choices.chance(0.05)) {
    const items = Array.from({ length: depth > 5 ? 0 : choices.below(3) }, () => dataSet(choices, depth + 1))
    parts.push(`"Value":[${items.join(',')}]`)
  } else if (/^(O.|UN)$/.test(vr) ? choices.chance(0.9) : choices.chance(0.05)) {
    parts.push(choices.chance(0.8) ? `"InlineBinary":"${base64(choices)}"` : '"BulkDataURI":"cid:1"')
  } else parts.push(`"Value":[${Array.from({ length: choices.below(4) }, () => value(choices, vr)).join(',')}]`)
  if (choices.chance(0.03)) parts.push('"Value":[1]')
  return `{${parts.join(',')}}`
}

function value(choices: Choices, vr: string): string {
  const text = () => `"${choices.pick(STRINGS)}"`
  if (choices.chance(0.05)) return choices.pick(['null', 'true', '{}', '[]'])
  if (vr === 'PN') return choices.chance(0.9) ? `{"Alphabetic":${text()},"Phonetic":${text()}}` : text()
  const isNumber = /^(DS|IS|US|SS|UL|SL|FL|FD|SV|UV)$/.test(vr)
  return isNumber === choices.chance(0.9) ? choices.pick(NUMBERS) : text()
}

function base64(choices: Choices): string {
  if (choices.chance(0.1)) return choices.pick(STRINGS)
  return choices.bytes(choices.below(20)).toString('base64')
}

/** What every address stands for. */
const PIXELS: WriteValue = { is: 'bytes', bytes: Uint8Array.of(1, 2, 3) }

function check(bytes: Uint8Array): void {
  let sets: WriteDataSet[]
  try {
    sets = jsonToDataSets(bytes, () => PIXELS)
  } catch (error) {
    if (error instanceof DicomError) return
    throw error
  }
  for (const set of sets) {
    let first: Uint8Array
    try {
      first = writePart10(set, { sopClassUID: '1.2', sopInstanceUID: '1.2.3' })
    } catch (error) {
      if (error instanceof DicomError) continue
      throw error
    }
    const told = tell(first)
    if (told === null) continue
    const [back] = jsonToDataSets(told, () => PIXELS)
    const second = writePart10(back!, { sopClassUID: '1.2', sopInstanceUID: '1.2.3' })
    assert.equal(Buffer.from(tell(second) ?? '').toString(), Buffer.from(told).toString(), 'JSON, told twice')
  }
}

/** What a file says in JSON; null when it holds more than one may. */
function tell(file: Uint8Array): Uint8Array | null {
  const part10 = openPart10(memorySource(file))
  return writeDicomJson(part10, { bulkDataUri: (path) => path, inlineMax: 1e9 }).json
}
