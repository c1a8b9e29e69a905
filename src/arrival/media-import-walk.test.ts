import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { labelOfBytes, walkMedium } from './media-import-walk.ts'

// A label is for people and records: what is not UTF-8 must stay tellable apart, what is must stay readable.
const labels: { name: string; bytes: readonly number[]; is: string }[] = [
  { name: 'ASCII', bytes: [0x49, 0x31], is: 'I1' },
  { name: 'a per cent sign stays', bytes: [0x31, 0x25, 0x41], is: '1%A' },
  { name: 'UTF-8', bytes: [0xc3, 0xa9, 0xe6, 0x97, 0xa5], is: 'é日' },
  { name: 'Latin 1', bytes: [0x4d, 0xfc, 0x6c], is: 'M%FCl' },
  { name: 'Latin 1 beside UTF-8', bytes: [0xfc, 0xc3, 0xa9], is: '%FCé' },
  { name: 'an overlong slash', bytes: [0xc0, 0xaf], is: '%C0%AF' },
  { name: 'cut short', bytes: [0x61, 0xe6, 0x97], is: 'a%E6%97' },
  { name: 'beyond the basic plane', bytes: [0xf0, 0x9f, 0x92, 0xbf, 0xff], is: '💿%FF' },
]
for (const { name, bytes, is } of labels) {
  test(`label of a name: ${name}`, () => assert.equal(labelOfBytes(Uint8Array.from(bytes)), is))
}

async function walked(given: string, absolute: string): Promise<string[]> {
  const found: string[] = []
  for await (const each of walkMedium({ given, absolute })) {
    found.push(`${each.kind === 'listed' ? each.what : each.kind} ${each.label}`)
  }
  return found
}

test('walk: files in order, links and pipes listed, nothing followed', async (context) => {
  const disc = mkdtempSync(join(tmpdir(), 'diptych-walk-'))
  context.after(() => rmSync(disc, { recursive: true, force: true }))
  mkdirSync(join(disc, 'DICOM/A'), { recursive: true })
  writeFileSync(join(disc, 'DICOM/A/I2'), '2')
  writeFileSync(join(disc, 'DICOM/A/I1'), '1')
  writeFileSync(Buffer.concat([Buffer.from(`${disc}/`), Buffer.from([0x4d, 0xfc])]), 'latin')
  symlinkSync('/etc/passwd', join(disc, 'link'))
  symlinkSync(disc, join(disc, 'round'))
  symlinkSync(join(disc, 'DICOM'), `${disc}-named`)
  context.after(() => rmSync(`${disc}-named`, { force: true }))
  execFileSync('mkfifo', [join(disc, 'pipe')])
  const files = ['file disc/DICOM/A/I1', 'file disc/DICOM/A/I2', 'file disc/M%FC']
  assert.deepEqual(await walked('disc/', disc), [...files, 'link disc/link', 'pipe disc/pipe', 'link disc/round'])
  assert.deepEqual(await walked('named', `${disc}-named`), ['file named/A/I1', 'file named/A/I2'])
  assert.deepEqual(await walked('disc/none', join(disc, 'none')), ['unreadable disc/none'])
  assert.deepEqual(await walked('.', join(disc, 'DICOM')), ['file ./A/I1', 'file ./A/I2'])
})
