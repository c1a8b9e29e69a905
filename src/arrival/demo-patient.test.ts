import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { test } from 'node:test'
import { memorySource } from '#standards/byte-source.ts'
import { readDataSet, string } from '#standards/dicom/data-set.ts'
import { EXPLICIT_LE } from '#standards/dicom/encoding.ts'
import { readPreamble } from '#standards/dicom/preamble.ts'
import { type DemoFile, demoPatient } from './demo-patient.ts'

async function files(): Promise<DemoFile[]> {
  const all: DemoFile[] = []
  for await (const file of demoPatient()) all.push(file)
  return all
}

function metaEnd(bytes: Uint8Array): number {
  return 144 + new DataView(bytes.buffer, bytes.byteOffset).getUint32(140, true)
}

const all = await files()

// A second `demo` must be a heap of duplicates, not a second patient.
test('demo patient: the same bytes every time', async () => {
  const digest = (list: DemoFile[]) => list.map(({ bytes }) => createHash('sha256').update(bytes).digest('hex')).join()
  assert.equal(digest(await files()), digest(all))
})

test('demo patient: what it is made of', () => {
  const read = all.map(({ bytes }) => readDataSet(memorySource(bytes), EXPLICIT_LE, metaEnd(bytes)))
  const count = (modality: string) => read.filter((dataSet) => string(dataSet, 0x00080060) === modality).length
  assert.deepEqual(
    { ct: count('CT'), sr: count('SR'), doc: count('DOC'), ecg: count('ECG'), sm: count('SM') },
    { ct: 25, sr: 1, doc: 1, ecg: 1, sm: 1 },
  )
  assert.equal(new Set(read.map((dataSet) => string(dataSet, 0x00100020))).size, 1, 'one patient')
  assert.equal(
    new Set(read.map((dataSet) => string(dataSet, 0x00080018))).size,
    all.length,
    'every instance its own UID',
  )
  assert.equal(string(read[0]!, 0x00100010), 'Diptych^Demo^^^=展示^患者=てんじ^かんじゃ')
  for (const dataSet of read) assert.deepEqual(dataSet.problems, [])
})

test('demo patient: one file is held, one is a slide and a TIFF, all others have a zero preamble', () => {
  const kinds = all.map(({ name, bytes }) => [name, readPreamble(bytes.subarray(0, 128)).kind] as const)
  assert.deepEqual(
    kinds.filter(([, kind]) => kind !== 'zero'),
    [
      ['HELD/IM0001', 'other'],
      ['SLIDE/HE', 'tiff'],
    ],
  )
  const held = Buffer.from(all.find(({ name }) => name === 'HELD/IM0001')!.bytes)
  assert.equal(held.toString('latin1', 0, 2), 'MZ')
  const at = held.readUInt32LE(0x3c)
  assert.equal(held.toString('latin1', at, at + 4), 'PE\0\0')
  assert.ok(at > metaEnd(held), 'the chain leads into the data set')
})
