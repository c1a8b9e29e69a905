import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type ByteSource, memorySource } from '../byte-source.ts'
import { type Encoding, EXPLICIT_BE, EXPLICIT_LE, IMPLICIT_LE } from './encoding.ts'
import { DicomError, tagText } from './errors.ts'
import { el, hex, items, part10Of } from './fixture.ts'
import { DEFAULT_LIMITS, type DicomLimits } from './limits.ts'
import { openPart10 } from './open.ts'
import { type Visitor, type WalkEnd, walkDataSet } from './walk.ts'

/** Writes the walk down as text, one word per call. */
class Scribe implements Visitor {
  readonly said: string[] = []
  readonly rules: string[] = []
  element(tag: number, vr: string, at: number, length: number, depth: number): void {
    this.said.push(`${'>'.repeat(depth)}${tagText(tag)} ${vr} ${at}+${length}`)
  }
  startSequence(tag: number, vr: string, at: number, length: number, depth: number): void {
    this.said.push(`${'>'.repeat(depth)}${tagText(tag)} ${vr} ${at}+${length} [`)
  }
  startItem(index: number, at: number, length: number): void {
    this.said.push(`${index} ${at}+${length} {`)
  }
  endItem(end: number): void {
    this.said.push(`} ${end}`)
  }
  endSequence(end: number): void {
    this.said.push(`] ${end}`)
  }
  startFragments(tag: number, vr: string, at: number): void {
    this.said.push(`${tagText(tag)} ${vr} ${at} (`)
  }
  fragment(index: number, at: number, length: number): void {
    this.said.push(`${index} ${at}+${length}`)
  }
  endFragments(end: number): void {
    this.said.push(`) ${end}`)
  }
  problem(rule: string): void {
    this.rules.push(rule)
  }
}

function walk(bytes: Uint8Array, encoding: Encoding = EXPLICIT_LE, limits: DicomLimits = DEFAULT_LIMITS) {
  const scribe = new Scribe()
  const end: WalkEnd = walkDataSet(memorySource(bytes), encoding, 0, bytes.length, scribe, limits)
  return { ...scribe, end }
}

const ITEM = 'feff00e0'
const ITEM_END = 'feff0de000000000'
const SEQ_END = 'feffdde000000000'
const OPEN = 'ffffffff'
const CS = '0800 6000 4353 0200 4354' // (0008,0060) CS CT
const ROWS = '2800 1000 5553 0200 0001' // (0028,0010) US 256

const walks: { name: string; encoding?: Encoding; bytes: string; said: string[]; rules?: string[]; left?: number }[] = [
  { name: 'nothing', bytes: '', said: [] },
  { name: 'explicit little endian', bytes: CS, said: ['00080060 CS 8+2'] },
  { name: 'explicit big endian', encoding: EXPLICIT_BE, bytes: '0008 0060 4353 0002 4354', said: ['00080060 CS 8+2'] },
  { name: 'implicit', encoding: IMPLICIT_LE, bytes: '0800 6000 02000000 4354', said: ['00080060 CS 8+2'] },
  { name: 'long form', bytes: '4200 1100 4f42 0000 02000000 2550', said: ['00420011 OB 12+2'] },
  {
    name: 'implicit US or SS follows Pixel Representation',
    encoding: IMPLICIT_LE,
    bytes: '2800 0301 02000000 0100  2800 0601 02000000 ffff',
    said: ['00280103 US 8+2', '00280106 SS 18+2'],
  },
  {
    name: 'sequence and item of defined length',
    bytes: `4000 7502 5351 0000 12000000 ${ITEM} 0a000000 ${CS} ${ROWS}`,
    said: ['00400275 SQ 12+18 [', '0 20+10 {', '>00080060 CS 28+2', '} 30', '] 30', '00280010 US 38+2'],
    rules: ['M10'],
  },
  {
    name: 'sequence and item of undefined length',
    bytes: `4000 7502 5351 0000 ${OPEN} ${ITEM}${OPEN} ${CS} ${ITEM_END} ${SEQ_END}`,
    said: ['00400275 SQ 12+-1 [', '0 20+-1 {', '>00080060 CS 28+2', '} 38', '] 46'],
  },
  {
    name: 'UN of undefined length is implicit little endian within',
    encoding: EXPLICIT_BE,
    bytes: `0009 1001 554e 0000 ${OPEN} ${ITEM}${OPEN} 0800 6000 02000000 4354 ${ITEM_END} ${SEQ_END}`,
    said: ['00091001 UN 12+-1 [', '0 20+-1 {', '>00080060 CS 28+2', '} 38', '] 46'],
  },
  {
    name: 'UN of defined length that the dictionary calls a sequence',
    bytes: `4000 7502 554e 0000 12000000 ${ITEM} 0a000000 0800 6000 02000000 4354`,
    said: ['00400275 UN 12+18 [', '0 20+10 {', '>00080060 CS 28+2', '} 30', '] 30'],
  },
  {
    name: 'UN of defined length that only begins like a sequence stays opaque',
    bytes: `4000 7502 554e 0000 12000000 ${ITEM} 0b000000 0800 6000 02000000 4354`,
    said: ['00400275 UN 12+18'],
  },
  {
    name: 'a sequence that holds no items is bytes',
    encoding: IMPLICIT_LE,
    bytes: '4000 70a1 08000000 4e414d4550555250',
    said: ['0040A170 UN 8+8'],
    rules: ['not-a-sequence'],
  },
  {
    name: 'implicit: what the dictionary calls bytes may still hold items',
    encoding: IMPLICIT_LE,
    bytes: `4200 1100 ${OPEN} ${ITEM}00000000 ${SEQ_END}`,
    said: ['00420011 SQ 8+-1 [', '0 16+0 {', '} 16', '] 24'],
    rules: ['vr-wrong'],
  },
  {
    name: 'encapsulated Pixel Data',
    bytes: `e07f 1000 4f42 0000 ${OPEN} ${ITEM}00000000 ${ITEM}02000000 ffd8 ${SEQ_END}`,
    said: ['7FE00010 OB 12 (', '0 20+0', '1 28+2', ') 38'],
  },
  { name: 'odd length', bytes: '0800 6000 4353 0100 43', said: ['00080060 CS 8+1'], rules: ['odd-length'] },
  { name: 'a second time', bytes: CS + CS, said: ['00080060 CS 8+2', '00080060 CS 18+2'], rules: ['M9'] },
  { name: 'out of order', bytes: ROWS + CS, said: ['00280010 US 8+2', '00080060 CS 18+2'], rules: ['M10'] },
  {
    name: 'a second time, far away',
    bytes: `${CS}${ROWS} 1000 2000 4c4f 0000 ${ROWS}`,
    said: ['00080060 CS 8+2', '00280010 US 18+2', '00100020 LO 28+0', '00280010 US 36+2'],
    rules: ['M10', 'M9'],
  },
  {
    name: 'stray delimiter',
    bytes: `${CS} ${SEQ_END} ${ROWS}`,
    said: ['00080060 CS 8+2', '00280010 US 26+2'],
    rules: ['delimiter-stray'],
  },
  {
    name: 'item delimiter missing before the sequence delimiter',
    bytes: `4000 7502 5351 0000 ${OPEN} ${ITEM}${OPEN} ${CS} ${SEQ_END}`,
    said: ['00400275 SQ 12+-1 [', '0 20+-1 {', '>00080060 CS 28+2', '} 30', '] 38'],
    rules: ['delimiter-missing'],
  },
  {
    name: 'item longer than its sequence',
    bytes:
      `4000 7502 5351 0000 0e000000 ${ITEM} 0a000000 ${CS}`.replace('0e000000', '10000000') + ROWS.replaceAll(' ', ''),
    said: ['00400275 SQ 12+16 [', '0 20+10 {', '>00080060 CS 28+2', '} 30', '] 30', '00280010 US 38+2'],
    rules: ['item-overrun', 'M10'],
  },
  {
    name: 'a VR nobody knows, short form',
    bytes: `0800 6000 7a7a 0200 4354 ${ROWS}`,
    said: ['00080060 UN 8+2', '00280010 US 18+2'],
    rules: ['vr-unknown'],
  },
  {
    name: 'a VR of the future, long form',
    bytes: `0800 6000 5a5a 0000 02000000 4354 ${ROWS}`,
    said: ['00080060 UN 12+2', '00280010 US 22+2'],
    rules: ['vr-unknown'],
  },
  {
    name: 'Pixel Data cut short',
    bytes: `${ROWS} e07f 1000 4f57 0000 00000040 0102`,
    said: ['00280010 US 8+2', '7FE00010 OW 22+2'],
    rules: ['B8'],
  },
  {
    name: 'a fragment cut short',
    bytes: `e07f 1000 4f42 0000 ${OPEN} ${ITEM}00000000 ${ITEM}08000000 ffd8`,
    said: ['7FE00010 OB 12 (', '0 20+0', '1 28+2', ') 30'],
    rules: ['B8'],
  },
  { name: 'trailing zeros', bytes: `${CS} 00000000000000000000`, said: ['00080060 CS 8+2'], left: 10 },
  { name: 'a trailing archive', bytes: `${CS} 504b03041400000008000000`, said: ['00080060 CS 8+2'], left: 12 },
  { name: 'three trailing bytes', bytes: `${CS} 0d0a00`, said: ['00080060 CS 8+2'], left: 3 },
]

for (const { name, encoding, bytes, said, rules, left } of walks) {
  test(`walk: ${name}`, () => {
    const all = hex(bytes)
    const walked = walk(all, encoding)
    assert.deepEqual(walked.said, said)
    assert.deepEqual(walked.rules, rules ?? [])
    assert.equal(walked.end.end, all.length - (left ?? 0))
    assert.equal(walked.end.truncated, walked.rules.includes('B8'))
  })
}

const refused: {
  name: string
  bytes: string
  encoding?: Encoding
  offset: number
  tag: string | null
  rule: string
}[] = [
  { name: 'a value beyond the end', bytes: '0800 6000 4353 0400 4354', offset: 0, tag: '00080060', rule: 'R1' },
  {
    name: 'a value of 2 GiB',
    bytes: '0800 6000 02000080 4354',
    encoding: IMPLICIT_LE,
    offset: 0,
    tag: '00080060',
    rule: 'R1',
  },
  { name: 'no data set at all', bytes: '4142434445464748494a', offset: 0, tag: null, rule: 'R1' },
  {
    name: 'a sequence without end',
    bytes: `4000 7502 5351 0000 ${OPEN} ${ITEM}${OPEN} ${CS}`,
    offset: 30,
    tag: '00400275',
    rule: 'R3',
  },
  {
    name: 'something between items',
    bytes: `4000 7502 5351 0000 ${OPEN} ${CS}`,
    offset: 12,
    tag: '00400275',
    rule: 'R3',
  },
  {
    name: 'a mark that means nothing',
    bytes: `${CS} feff 0d00 00000000`,
    offset: 10,
    tag: 'FFFE000D',
    rule: 'R3',
  },
  { name: 'an item without a sequence', bytes: `${CS} ${ITEM} 00000000`, offset: 10, tag: 'FFFEE000', rule: 'R3' },
  {
    name: 'text of undefined length',
    bytes: `0800 1901 5543 0000 ${OPEN} 41424344`,
    offset: 0,
    tag: '00080119',
    rule: 'R3',
  },
  {
    name: 'a fragment of undefined length',
    bytes: `e07f 1000 4f42 0000 ${OPEN} ${ITEM}${OPEN}`,
    offset: 12,
    tag: '7FE00010',
    rule: 'R1',
  },
  {
    name: 'an item of a sequence that is open, beyond the end',
    bytes: `4000 7502 5351 0000 ${OPEN} ${ITEM} 10000000 ${CS}`,
    offset: 12,
    tag: '00400275',
    rule: 'R1',
  },
]

for (const { name, bytes, encoding, offset, tag, rule } of refused) {
  test(`walk: ${name} is malformed, at its offset and tag`, () => {
    assert.throws(
      () => walk(hex(bytes), encoding),
      (error) => {
        assert(error instanceof DicomError)
        assert.deepEqual([error.code, error.rule, error.offset, error.tag], ['dicom.malformed', rule, offset, tag])
        return true
      },
    )
  })
}

function nested(levels: number, open: boolean): Uint8Array {
  let inside = Buffer.alloc(0)
  for (let i = 0; i < levels; i++) {
    const length = Buffer.alloc(4)
    const itemLength = Buffer.alloc(4)
    itemLength.writeUInt32LE(open ? 0xffffffff : inside.length)
    length.writeUInt32LE(open ? 0xffffffff : inside.length + 8)
    const tail = open ? hex(ITEM_END + SEQ_END) : hex('')
    inside = Buffer.concat([hex('4000 7502 5351 0000'), length, hex(ITEM), itemLength, inside, tail])
  }
  return inside
}

for (const open of [true, false]) {
  test(`walk: 63 and 64 sequences deep are read, 65 and 20,000 are too many (${open ? 'un' : ''}defined length)`, () => {
    assert.equal(walk(nested(63, open)).said.length, 63 * 4)
    assert.equal(walk(nested(64, open)).said.length, 64 * 4)
    for (const levels of open ? [65, 300, 20_000] : [65, 300]) {
      assert.throws(() => walk(nested(levels, open)), { code: 'dicom.limit', rule: 'sequence-depth' })
    }
  })
}

test('walk: limits of elements and items hold at their edge', () => {
  const three = hex(`${CS} 0800 6100 4353 0000 0800 6200 5549 0000`)
  assert.equal(walk(three, EXPLICIT_LE, { ...DEFAULT_LIMITS, elements: 3 }).end.elements, 3)
  assert.throws(() => walk(three, EXPLICIT_LE, { ...DEFAULT_LIMITS, elements: 2 }), {
    code: 'dicom.limit',
    rule: 'elements',
  })
  const twoItems = hex(`4000 7502 5351 0000 10000000 ${ITEM}00000000 ${ITEM}00000000`)
  assert.equal(walk(twoItems, EXPLICIT_LE, { ...DEFAULT_LIMITS, itemsPerSequence: 2 }).end.end, twoItems.length)
  assert.throws(() => walk(twoItems, EXPLICIT_LE, { ...DEFAULT_LIMITS, itemsPerSequence: 1 }), {
    code: 'dicom.limit',
    rule: 'sequence-items',
  })
})

test('walk: a walk that takes too long ends', () => {
  const many = Buffer.concat(Array.from({ length: 5000 }, () => hex(CS)))
  assert.throws(() => walk(many, EXPLICIT_LE, { ...DEFAULT_LIMITS, timeMs: -1 }), { code: 'dicom.limit', rule: 'time' })
})

test('walk: elements in falling order cost no more than in rising order', () => {
  const bytes = Buffer.alloc(400_000 * 8)
  for (let i = 0; i < 400_000; i++) {
    bytes.writeUInt16LE(0x7fdf - (i >>> 8) * 2, i * 8)
    bytes.writeUInt16LE(0xffff - (i & 0xff), i * 8 + 2)
    bytes.write('CS', i * 8 + 4)
  }
  const { end } = walk(bytes)
  assert.equal(end.elements, 400_000)
  assert.equal(end.outOfOrder, 399_999)
  assert.equal(end.duplicates, 0)
})

/** A source as a file is one: reads are copies into memory that the next read overwrites. */
function reusingSource(bytes: Uint8Array): ByteSource {
  const shared = new Uint8Array(bytes.length)
  return {
    size: bytes.length,
    read: (start, end) => {
      const part = bytes.subarray(start, end)
      shared.fill(0xee)
      shared.set(part)
      return shared.subarray(0, part.length)
    },
  }
}

test('walk: a source that reuses its memory tells the same as one in memory', () => {
  const many = Array.from({ length: 9000 }, (_, i) => el(0x00110000 + 0x1000 + i, 'LO', 'x'.repeat(i % 40)))
  const file = part10Of([el(0x00110010, 'LO', 'ACME'), ...many, items(0x00400275, [el(0x00400009, 'SH', 'step')])])
  const { dataSet } = openPart10(memorySource(file))
  const whole = dataSet.read(0, dataSet.size).slice()
  const scribe = new Scribe()
  walkDataSet(reusingSource(whole), EXPLICIT_LE, 0, whole.length, scribe, DEFAULT_LIMITS)
  assert.deepEqual(scribe.said, walk(whole).said)
})
