import assert from 'node:assert/strict'
import { test } from 'node:test'
import { memorySource } from '../byte-source.ts'
import { DicomError } from './errors.ts'
import { jsonToDataSet, writeDicomJson } from './json.ts'
import { openPart10 } from './open.ts'
import { writePart10 } from './write.ts'

const HEAD = { sopClassUID: '1.2', sopInstanceUID: '1.2.3' }

// Written as UTF-8 and read as Latin 1, such a value grew with every pass. Found by the fuzzer.
const cases: { vr: string; text: string; kept: boolean }[] = [
  { vr: 'CS', text: 'A B', kept: true },
  { vr: 'CS', text: 'Tête', kept: true },
  { vr: 'UI', text: '1.2\u5c71', kept: false },
  { vr: 'DA', text: '2024\u0660', kept: false },
  { vr: 'LO', text: '\u5c71', kept: true },
  { vr: 'LO', text: '\u001b$BA', kept: true },
]

for (const { vr, text, kept } of cases) {
  test(`JSON: ${JSON.stringify(text)} as ${vr} is ${kept ? 'kept as it is' : 'refused'}`, () => {
    const json = JSON.stringify({ '00080008': { vr, Value: [text] } })
    const pass = (from: string) => {
      const part10 = openPart10(
        memorySource(
          writePart10(
            jsonToDataSet(from, () => undefined),
            HEAD,
          ),
        ),
      )
      return Buffer.from(writeDicomJson(part10, { bulkDataUri: (path) => path, inlineMax: 64 }).json).toString()
    }
    if (!kept) assert.throws(() => pass(json), DicomError)
    else assert.deepEqual(JSON.parse(pass(pass(json)))['00080008'], { vr, Value: [text] })
  })
}

// A name whose every group is empty is an empty value, not an object without keys.
for (const [name, values] of [
  [{ Phonetic: '\0' }, undefined],
  [{ Alphabetic: ' ', Ideographic: ' ' }, undefined],
  [{ Alphabetic: 'A', Phonetic: '\0' }, [{ Alphabetic: 'A' }]],
] as const) {
  test(`JSON: the name ${JSON.stringify(name)}`, () => {
    const json = JSON.stringify({ '00100010': { vr: 'PN', Value: [name] } })
    const part10 = openPart10(
      memorySource(
        writePart10(
          jsonToDataSet(json, () => undefined),
          HEAD,
        ),
      ),
    )
    const told = writeDicomJson(part10, { bulkDataUri: (path) => path, inlineMax: 64 }).json
    assert.deepEqual(JSON.parse(Buffer.from(told).toString())['00100010'].Value, values)
  })
}
