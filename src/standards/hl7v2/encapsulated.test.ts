import assert from 'node:assert/strict'
import { test } from 'node:test'
import { readEncapsulated } from './encapsulated.ts'
import { Hl7Error } from './errors.ts'
import { parseMessage } from './message.ts'

const obxOf = (data: string) => {
  const message = parseMessage(Buffer.from(`MSH|^~\\&|A|B|C|D|2026||ORU^R01|1|P|2.5\rOBX|1|ED|1||${data}\r`))
  const obx = message.first('OBX')
  assert.ok(obx)
  return { obx, delimiters: message.delimiters }
}
const read = (data: string) => {
  const { obx, delimiters } = obxOf(data)
  const { bytes, mediaType } = readEncapsulated(obx, delimiters)
  return [Buffer.from(bytes).toString('latin1'), mediaType]
}

// What senders write where the standard wants `source^type^subtype^encoding^data`; the bytes must be the document's own.
const cases: { name: string; data: string; is: [string, string | null] }[] = [
  { name: 'as the standard says', data: 'R^application^pdf^Base64^JVBERi0=', is: ['%PDF-', 'application/pdf'] },
  { name: 'letter case', data: '^Application^PDF^BASE64^JVBERi0=', is: ['%PDF-', 'application/pdf'] },
  { name: 'no padding', data: '^^PDF^Base64^JVBERi0', is: ['%PDF-', 'application/pdf'] },
  { name: 'lines within the data', data: '^^pdf^Base64^JVBE\\.br\\Ri0=', is: ['%PDF-', 'application/pdf'] },
  { name: 'hexadecimal', data: '^^pdf^Hex^255044462d', is: ['%PDF-', 'application/pdf'] },
  { name: 'a whole media type as subtype', data: '^Text^text/xml^A^<a/>', is: ['<a/>', 'text/xml'] },
  { name: 'delimiters nobody escaped', data: '^^xml^A^<a b="c^d&e~f"/>', is: ['<a b="c^d&e~f"/>', 'text/xml'] },
  { name: 'escaped ones', data: '^^xml^^a\\T\\b\\S\\c\\R\\d', is: ['a&b^c~d', 'text/xml'] },
  { name: 'a type that says nothing', data: '^NS^Octet-stream^Base64^QUI=', is: ['AB', null] },
]
for (const { name, data, is } of cases) {
  test(`ED: ${name}`, () => assert.deepEqual(read(data), is))
}

const wrong: { name: string; data: string; condition: number; component: number }[] = [
  { name: 'nothing', data: '', condition: 101, component: 5 },
  { name: 'no data', data: '^application^pdf^Base64^', condition: 101, component: 5 },
  { name: 'null', data: '^application^pdf^Base64^""', condition: 101, component: 5 },
  { name: 'no Base64', data: '^^pdf^Base64^$$$$', condition: 102, component: 5 },
  { name: 'Base64 that ends within a byte', data: '^^pdf^Base64^JVBER', condition: 102, component: 5 },
  { name: 'half a byte', data: '^^pdf^Hex^255', condition: 102, component: 5 },
  { name: 'another encoding', data: '^^pdf^uuencode^x', condition: 102, component: 4 },
]
for (const { name, data, condition, component } of wrong) {
  test(`ED refused: ${name}`, () => {
    assert.throws(
      () => read(data),
      (error) => error instanceof Hl7Error && error.condition === condition && error.location?.component === component,
    )
  })
}
