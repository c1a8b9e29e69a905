import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isZipContainer } from './media-import-load.ts'

function local(name: string, length = 200): Buffer {
  const head = Buffer.alloc(length)
  head.write('PK\x03\x04', 0, 'latin1')
  head.writeUInt16LE(name.length, 26)
  head.write(name, 30, 'latin1')
  return head
}

function withPrefix(head: Buffer): Buffer {
  head.write('DICM', 128, 'latin1')
  return head
}

// What is opened as a container never reaches screening as one file: a disguised object must not slip in this way.
const cases: { name: string; head: Buffer; is: boolean }[] = [
  { name: 'a ZIP of a disc', head: local('DICOM/I1'), is: true },
  { name: 'an empty ZIP', head: Buffer.concat([Buffer.from('PK\x05\x06', 'latin1'), Buffer.alloc(18)]), is: true },
  { name: 'a Part 10 file with a ZIP in its preamble', head: withPrefix(local('a')), is: false },
  { name: 'an Office document', head: local('[Content_Types].xml'), is: false },
  { name: 'an OpenDocument or EPUB', head: local('mimetype'), is: false },
  { name: 'a Java program', head: local('META-INF/MANIFEST.MF'), is: false },
  { name: 'a name that only begins so', head: local('mimetypes.txt'), is: true },
  { name: 'too short to be one', head: Buffer.from('PK\x03\x04'), is: false },
  { name: 'a bare data descriptor', head: Buffer.concat([Buffer.from('PK\x07\x08'), Buffer.alloc(40)]), is: false },
  { name: 'something else', head: Buffer.alloc(200, 1), is: false },
]
for (const { name, head, is } of cases) {
  test(`container: ${name}`, () => assert.equal(isZipContainer(head), is))
}
