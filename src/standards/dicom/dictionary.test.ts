import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { test } from 'node:test'
import {
  isKnownPrivateCreator,
  isUsOrSs,
  lookup,
  tagNamed,
  tagOf,
  tagText,
  vrOf,
  vrWithPixelRepresentation,
} from './dictionary.ts'
import {
  isPrivateSopClass,
  isUnknownStandardStorageClass,
  SOP_CLASS,
  sopClassName,
  storageClass,
  storageClasses,
} from './uids.ts'

// Implicit VR data sets have no other source of VRs: one wrong row garbles every such file.
const vrs: { tag: number; creator?: string; vr: string; keyword?: string; why: string }[] = [
  { tag: 0x00100010, vr: 'PN', keyword: 'PatientName', why: 'plain' },
  { tag: 0x7fe00010, vr: 'OW', keyword: 'PixelData', why: 'OB or OW is OW in implicit VR' },
  { tag: 0x00283006, vr: 'OW', keyword: 'LUTData', why: 'US or OW is OW' },
  { tag: 0x00280106, vr: 'US', keyword: 'SmallestImagePixelValue', why: 'US or SS is US' },
  { tag: 0x00080000, vr: 'UL', why: 'group length' },
  { tag: 0x00090000, vr: 'UL', why: 'private group length' },
  { tag: 0x00090010, vr: 'LO', keyword: 'PrivateCreator', why: 'private creator' },
  { tag: 0x000900ff, vr: 'LO', why: 'last private creator' },
  { tag: 0x00091000, vr: 'UN', why: 'private, creator unknown' },
  { tag: 0x00191010, creator: '1.2.840.113681', vr: 'ST', why: 'private, creator known' },
  { tag: 0x0019aa10, creator: ' 1.2.840.113681 ', vr: 'ST', why: 'private, any block, padded creator' },
  { tag: 0x00191010, creator: '1.2.840.11368', vr: 'UN', why: 'private, another creator' },
  { tag: 0x60003000, vr: 'OW', keyword: 'OverlayData', why: 'repeating group' },
  { tag: 0x601e0010, vr: 'US', keyword: 'OverlayRows', why: 'last repeating group' },
  { tag: 0x60010010, vr: 'LO', why: 'an odd group is private even among overlays' },
  { tag: 0x50040005, vr: 'US', keyword: 'CurveDimensions', why: 'retired repeating group' },
  { tag: 0x00203102, vr: 'CS', keyword: 'SourceImageIDs', why: 'repeating element' },
  { tag: 0xfffcfffc, vr: 'OB', keyword: 'DataSetTrailingPadding', why: 'highest tag: unsigned arithmetic' },
  { tag: 0x00080001, vr: 'UL', keyword: 'LengthToEnd', why: 'retired' },
  { tag: 0x12345678, vr: 'UN', why: 'unknown' },
]

for (const { tag, creator, vr, keyword, why } of vrs) {
  test(`dictionary: ${tagText(tag)} is ${vr} (${why})`, () => {
    assert.equal(vrOf(tag, creator), vr)
    if (keyword !== undefined) assert.equal(lookup(tag, creator)?.keyword, keyword)
  })
}

test('dictionary: unknown tags are undefined, known ones say everything', () => {
  assert.equal(lookup(0x12345678), undefined)
  const entry = lookup(0x0020000d)
  assert.deepEqual(
    { vr: entry?.vr, vm: entry?.vm, keyword: entry?.keyword, name: entry?.name },
    { vr: 'UI', vm: '1', keyword: 'StudyInstanceUID', name: 'Study Instance UID' },
  )
})

test('dictionary: keyword to tag', () => {
  assert.equal(tagOf('PatientID'), 0x00100020)
  assert.equal(tagOf('PixelData'), 0x7fe00010)
  assert.equal(tagOf('DataSetTrailingPadding'), 0xfffcfffc)
  assert.equal(tagOf('patientid'), undefined)
  assert.equal(tagOf(''), undefined)
})

test('dictionary: US or SS follows Pixel Representation', () => {
  assert.equal(vrWithPixelRepresentation(0x00280106, 1), 'SS')
  assert.equal(vrWithPixelRepresentation(0x00280106, 0), 'US')
  assert.equal(vrWithPixelRepresentation(0x00280106, undefined), 'US')
  assert.equal(vrWithPixelRepresentation(0x00280010, 1), 'US')
  assert.ok(isUsOrSs(0x00280120) && !isUsOrSs(0x00280010))
})

test('dictionary: private creators', () => {
  assert.ok(isKnownPrivateCreator('SIEMENS CSA HEADER') && isKnownPrivateCreator(' 1.2.840.113681 '))
  assert.ok(
    !isKnownPrivateCreator('siemens csa header') && !isKnownPrivateCreator('') && !isKnownPrivateCreator('__proto__'),
  )
})

test('dictionary: tag text', () => {
  assert.equal(tagText(0x7fe00010), '7FE00010')
  assert.equal(tagText(0xfffcfffc), 'FFFCFFFC')
  assert.equal(tagText(0x0002_0010), '00020010')
})

test('storage classes: known, private, newer than this edition', () => {
  assert.equal(storageClasses().length, 241)
  assert.equal(sopClassName('1.2.840.10008.5.1.4.1.1.2'), 'CT Image Storage')
  assert.equal(sopClassName('1.2.3'), '1.2.3')
  assert.equal(storageClass(SOP_CLASS.encapsulatedPdf)?.hasPixelData, false)
  assert.equal(storageClass(SOP_CLASS.wholeSlideMicroscopy)?.role, 'wsi')
  assert.equal(storageClass('1.2.840.10008.5.1.4.38.1')?.patientLevel, false)
  assert.ok(isPrivateSopClass('1.2.840.113619.4.2') && !isPrivateSopClass(SOP_CLASS.ctImage))
  assert.ok(isUnknownStandardStorageClass('1.2.840.10008.5.1.4.1.1.999'))
  assert.ok(!isUnknownStandardStorageClass(SOP_CLASS.ctImage))
  for (const uid of Object.values(SOP_CLASS)) assert.ok(storageClass(uid), uid)
})

// A hand edit in a generated file would be lost at the next run, silently.
test('dictionary: the checked-in files are what the tool makes', () => {
  const tool = join(import.meta.dirname, '../../../tools/generate-dictionary.ts')
  const { status, stderr } = spawnSync(process.execPath, [tool, '--check'], { encoding: 'utf8' })
  assert.equal(status, 0, stderr)
})

test('a keyword looked for alone is the same attribute as in the whole dictionary', () => {
  for (const [keyword, tag] of [
    ['PatientID', 0x00100020],
    ['SequenceDelimitationItem', 0xfffee0dd],
    ['CommandGroupLength', 0],
    ['NoSuchKeyword', undefined],
    ['PatientI', undefined],
    ['', undefined],
  ] as const) {
    if (keyword !== 'CommandGroupLength') assert.equal(tagNamed(keyword), tagOf(keyword), keyword)
    assert.equal(tagNamed(keyword), tag, keyword)
  }
  const keywords = [...Array(0xafff).keys()].flatMap((element) => lookup(0x00400000 + element)?.keyword ?? [])
  assert.ok(keywords.length > 200)
  for (const keyword of keywords) if (keyword !== '') assert.equal(tagNamed(keyword), tagOf(keyword), keyword)
})
