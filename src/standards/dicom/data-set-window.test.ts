import assert from 'node:assert/strict'
import { test } from 'node:test'
import { part10 } from '../../../test/fixtures/dicom-builder.ts'
import { ctImage } from '../../../test/fixtures/objects.ts'
import { readDataSet, string, text } from './data-set.ts'
import { openPart10 } from './open.ts'

// A file source hands out views of one window. Reading (0008,0005) between a value and its decoding moved the window, and
// a rebuilt index had the wrong SOP Class for slides.
test('a value is read right from a source that reuses its memory', () => {
  const bytes = part10({ elements: { ...ctImage(), SpecificCharacterSet: 'ISO_IR 192' } })
  for (const read of [string, text]) {
    const shared = new Uint8Array(bytes.length)
    const source = {
      size: bytes.length,
      read(start: number, end: number) {
        const part = bytes.subarray(start, Math.min(end, bytes.length))
        shared.fill(0xdd)
        shared.set(part)
        return shared.subarray(0, part.length)
      },
    }
    const opened = openPart10(source)
    const dataSet = readDataSet(opened.dataSet, opened.encoding)
    assert.equal(read(dataSet, 0x00100020), 'FIX-1')
  }
})
