/** Part 10 files for the fuzzer: built element by element in every encoding, then damaged where it hurts a reader most. */
import { deflateRawSync } from 'node:zlib'
import { Choices, damaged } from './random.ts'

const VRS =
  'AE AS AT CS DA DS DT FD FL IS LO LT OB OD OF OL OV OW PN SH SL SQ SS ST SV TM UC UI UL UN UR US UT UV'.split(' ')
const LONG = new Set(['OB', 'OD', 'OF', 'OL', 'OV', 'OW', 'SQ', 'SV', 'UC', 'UN', 'UR', 'UT', 'UV'])
const BINARY: { readonly [vr: string]: number } = {
  US: 2,
  SS: 2,
  OW: 2,
  UL: 4,
  SL: 4,
  FL: 4,
  OL: 4,
  OF: 4,
  AT: 4,
  FD: 8,
  OD: 8,
  SV: 8,
  UV: 8,
  OV: 8,
  OB: 1,
  UN: 1,
}
/** Tags with their VR that readers treat in ways of their own, and some ordinary ones. */
const TAGS: readonly (readonly [number, string])[] = [
  [0x00080000, 'UL'],
  [0x00080005, 'CS'],
  [0x00080008, 'CS'],
  [0x00080016, 'UI'],
  [0x00080018, 'UI'],
  [0x00080020, 'DA'],
  [0x00080030, 'TM'],
  [0x00080050, 'SH'],
  [0x00080060, 'CS'],
  [0x00080064, 'CS'],
  [0x00080090, 'PN'],
  [0x00080201, 'SH'],
  [0x00081030, 'LO'],
  [0x00081140, 'SQ'],
  [0x00081199, 'SQ'],
  [0x00082112, 'SQ'],
  [0x00100010, 'PN'],
  [0x00100020, 'LO'],
  [0x00100021, 'LO'],
  [0x00100030, 'DA'],
  [0x00100040, 'CS'],
  [0x00104000, 'LT'],
  [0x00180050, 'DS'],
  [0x00189074, 'DT'],
  [0x0020000d, 'UI'],
  [0x0020000e, 'UI'],
  [0x00200013, 'IS'],
  [0x00209222, 'SQ'],
  [0x00280002, 'US'],
  [0x00280004, 'CS'],
  [0x00280008, 'IS'],
  [0x00280009, 'AT'],
  [0x00280010, 'US'],
  [0x00280011, 'US'],
  [0x00280100, 'US'],
  [0x00280101, 'US'],
  [0x00280103, 'US'],
  [0x00280106, 'US'],
  [0x00281201, 'OW'],
  [0x00283006, 'US'],
  [0x0040a040, 'CS'],
  [0x0040a043, 'SQ'],
  [0x0040a160, 'UT'],
  [0x0040a730, 'SQ'],
  [0x00420010, 'ST'],
  [0x00420011, 'OB'],
  [0x00420012, 'LO'],
  [0x00480006, 'US'],
  [0x00480007, 'US'],
  [0x50003000, 'OW'],
  [0x52009229, 'SQ'],
  [0x52009230, 'SQ'],
  [0x54000100, 'SQ'],
  [0x54001010, 'OW'],
  [0x60000010, 'US'],
  [0x60003000, 'OW'],
  [0x7fe00001, 'OV'],
  [0x7fe00002, 'OV'],
  [0x7fe00008, 'OF'],
  [0x7fe00010, 'OW'],
  [0xfffcfffc, 'OB'],
  [0x00090010, 'LO'],
  [0x00091001, 'OB'],
  [0x00091002, 'UN'],
  [0x00290010, 'LO'],
  [0x00291010, 'SQ'],
  [0xfffee00d, 'UN'],
]
const CLASSES = [
  '1.2.840.10008.5.1.4.1.1.2',
  '1.2.840.10008.5.1.4.1.1.7',
  '1.2.840.10008.5.1.4.1.1.77.1.6',
  '1.2.840.10008.5.1.4.1.1.104.1',
  '1.2.840.10008.5.1.4.1.1.104.2',
  '1.2.840.10008.5.1.4.1.1.104.3',
  '1.2.840.10008.5.1.4.1.1.88.67',
  '1.2.840.10008.5.1.4.1.1.9.1.1',
  '1.2.840.10008.5.1.4.1.1.66.4',
  '1.2.840.10008.1.3.10',
  '1.2.3',
]
const CHARSETS = [
  '',
  'ISO_IR 100',
  'ISO_IR 192',
  'GB18030',
  'GBK',
  '\\ISO 2022 IR 87',
  'ISO 2022 IR 13\\ISO 2022 IR 159',
  '\\ISO 2022 IR 149',
  'ISO_IR 13',
  'latin1',
  'ISO-IR 999',
  '\\\\\\',
]
const CRUMBS = [
  'A',
  '^',
  '=',
  '\\',
  ' ',
  '\0',
  '\x1b$B',
  '\x1b(B',
  '\x1b$)C',
  '\x1b',
  '\xc3\xa9',
  '\xff',
  '1',
  '-',
  '.',
  'E9',
  '"',
  '%PDF-1.4\n1 0 obj<</S/JavaScript/JS(1)>>endobj\n',
  '<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>',
  '<ClinicalDocument xmlns="urn:hl7-org:v3"/>',
  'MZ',
  'PK\x03\x04',
  '20240229',
  '101112.5',
  '1.2.840.10008',
  '\r\n',
  '\x07',
]

interface Encoding {
  readonly uid: string
  readonly explicit: boolean
  readonly big: boolean
  readonly deflated: boolean
  readonly encapsulated: boolean
}
const encoding = (uid: string, more: Partial<Encoding> = {}): Encoding => ({
  uid,
  explicit: true,
  big: false,
  deflated: false,
  encapsulated: false,
  ...more,
})
const ENCODINGS: readonly Encoding[] = [
  encoding('1.2.840.10008.1.2', { explicit: false }),
  encoding('1.2.840.10008.1.2.1'),
  encoding('1.2.840.10008.1.2.2', { big: true }),
  encoding('1.2.840.10008.1.2.1.99', { deflated: true }),
  encoding('1.2.840.10008.1.2.4.50', { encapsulated: true }),
  encoding('1.2.840.10008.1.2.5', { encapsulated: true }),
]

/** The file of a seed. */
export function part10Case(seed: number): Buffer {
  const choices = new Choices(seed)
  const writer = new CaseWriter(choices, choices.pick(ENCODINGS))
  return writer.file()
}

/** Where a header stands, so that damage can be done to it. */
interface Mark {
  readonly at: number
  readonly vr: boolean
  readonly lengthAt: number
  readonly lengthBytes: 2 | 4
}

class CaseWriter {
  readonly #choices: Choices
  readonly #encoding: Encoding
  #buffer = Buffer.alloc(4096)
  #at = 0
  readonly #marks: Mark[] = []

  constructor(choices: Choices, encoding: Encoding) {
    this.#choices = choices
    this.#encoding = encoding
  }

  file(): Buffer {
    const { pick, chance, below } = bound(this.#choices)
    const sopClass = pick(CLASSES)
    this.#identity(sopClass)
    this.#others(below(14), 0)
    let body: Buffer = this.#buffer.subarray(0, this.#at)
    const hurt = chance(0.75)
    if (hurt) body = this.#hurt(body)
    if (this.#encoding.deflated) {
      body = deflateRawSync(body)
      if (body.length % 2 === 1) body = Buffer.concat([body, Buffer.alloc(1)])
      if (hurt && chance(0.25)) body = damaged(body, this.#choices)
    }
    let head = this.#head(sopClass)
    if (hurt && chance(0.15)) head = damaged(head, this.#choices)
    const tail = chance(0.05) ? this.#choices.bytes(below(40)) : Buffer.alloc(0)
    return Buffer.concat([this.#preamble(), chance(0.02) ? Buffer.alloc(0) : Buffer.from('DICM'), head, body, tail])
  }

  #preamble(): Buffer {
    const preamble = Buffer.alloc(128)
    if (this.#choices.chance(0.85)) return preamble
    const start = this.#choices.pick([
      'II*\0\x08\0\0\0',
      'MM\0*\0\0\0\x80',
      'MZ',
      '\x7fELF',
      'PK\x03\x04',
      '%PDF-1.4',
      'x',
    ])
    preamble.write(start, 0, 'latin1')
    if (this.#choices.chance(0.5)) this.#choices.bytes(40).copy(preamble, 8)
    return preamble
  }

  #head(sopClass: string): Buffer {
    const te = (tag: number, text: string) => {
      const value = Buffer.from(text.length % 2 === 0 ? text : `${text}\0`, 'latin1')
      const header = Buffer.from([2, 0, tag, 0, 0x55, 0x49, value.length, 0])
      return Buffer.concat([header, value])
    }
    const group = [te(2, sopClass), te(3, '1.2.3.4'), te(0x10, this.#encoding.uid), te(0x12, '1.2')]
    const length = Buffer.from([2, 0, 0, 0, 0x55, 0x4c, 4, 0, 0, 0, 0, 0])
    length.writeUInt32LE(
      group.reduce((sum, piece) => sum + piece.length, 0),
      8,
    )
    return Buffer.concat([length, ...group])
  }

  #identity(sopClass: string): void {
    const { chance, pick } = bound(this.#choices)
    const put = (tag: number, vr: string, text: string) => {
      if (chance(0.97)) this.#element(tag, vr, () => this.#text(text))
    }
    if (chance(0.5)) put(0x00080005, 'CS', pick(CHARSETS))
    put(0x00080016, 'UI', sopClass)
    put(0x00080018, 'UI', '1.2.3.4')
    if (chance(0.7)) put(0x00100010, 'PN', this.#crumbs())
    put(0x00100020, 'LO', 'P1')
    put(0x0020000d, 'UI', '1.2.3')
    put(0x0020000e, 'UI', '1.2.3.9')
    if (chance(0.3)) put(0x00420012, 'LO', pick(['application/pdf', 'text/XML', 'model/stl']))
  }

  #others(count: number, depth: number): void {
    const { chance, pick, below } = bound(this.#choices)
    const list = Array.from({ length: count }, (): readonly [number, string] => {
      if (chance(0.06)) return [(below(0x10000) * 0x10000 + below(0x10000)) >>> 0, pick(VRS)]
      const [tag, vr] = pick(TAGS)
      return [tag, chance(0.05) ? pick(VRS) : vr]
    })
    if (chance(0.9)) list.sort(([a], [b]) => a - b)
    for (const [tag, vr] of list) {
      if (vr === 'SQ') this.#sequence(tag, depth)
      else if (tag === 0x7fe00010 && this.#encoding.encapsulated && chance(0.9)) this.#fragments()
      else this.#element(tag, vr, () => this.#value(vr))
    }
  }

  #element(tag: number, vr: string, write: () => void): void {
    const lengthAt = this.#header(tag, vr)
    const start = this.#at
    write()
    if ((this.#at - start) % 2 === 1 && this.#choices.chance(0.97)) this.#byte(vr === 'UI' || vr === 'OB' ? 0 : 0x20)
    this.#patch(lengthAt, this.#at - start)
  }

  /** @returns where the length stands */
  #header(tag: number, vr: string): number {
    const at = this.#at
    const { explicit } = this.#encoding
    this.#tag(tag)
    let lengthBytes: 2 | 4 = 4
    if (explicit && tag >>> 16 !== 0xfffe) {
      this.#text(vr)
      if (LONG.has(vr)) this.#text('\0\0')
      else lengthBytes = 2
    }
    const lengthAt = this.#at
    this.#number(0, lengthBytes)
    this.#marks.push({ at, vr: explicit, lengthAt, lengthBytes })
    return lengthAt
  }

  #patch(lengthAt: number, length: number): void {
    const mark = this.#marks.findLast((one) => one.lengthAt === lengthAt)
    const end = this.#at
    this.#at = lengthAt
    this.#number(length, mark?.lengthBytes ?? 4)
    this.#at = end
  }

  #sequence(tag: number, depth: number): void {
    const { chance, below } = bound(this.#choices)
    const lengthAt = this.#header(tag, chance(0.05) ? 'UN' : 'SQ')
    const start = this.#at
    const open = chance(0.5)
    for (let items = depth > 4 ? 0 : below(4); items > 0; items--) {
      const itemLength = this.#header(0xfffee000, '')
      const itemStart = this.#at
      this.#others(below(4), depth + 1)
      const openItem = chance(0.5)
      if (openItem) this.#header(0xfffee00d, '')
      this.#patch(itemLength, openItem ? 0xffffffff : this.#at - itemStart)
    }
    if (open) this.#header(0xfffee0dd, '')
    this.#patch(lengthAt, open ? 0xffffffff : this.#at - start)
  }

  #fragments(): void {
    const { below } = bound(this.#choices)
    const lengthAt = this.#header(0x7fe00010, 'OB')
    this.#patch(lengthAt, 0xffffffff)
    for (let n = below(5); n >= 0; n--) {
      const length = this.#header(0xfffee000, '')
      const start = this.#at
      this.#bytes(this.#choices.bytes(below(9) * 4))
      this.#patch(length, this.#at - start)
    }
    this.#header(0xfffee0dd, '')
  }

  #value(vr: string): void {
    const { pick, chance, below } = bound(this.#choices)
    const unit = BINARY[vr]
    if (unit === undefined || chance(0.2)) {
      this.#text(this.#crumbs())
      return
    }
    const count = chance(0.05) ? 300 + below(300) : below(5)
    for (let n = 0; n < count * (unit === 1 ? 4 : 1); n++) {
      const value = pick([0, 1, 8, 16, 0xff, 0x7f, below(256)])
      if (unit <= 4) this.#number(value, unit as 1 | 2 | 4)
      else this.#bytes(this.#choices.bytes(8))
    }
  }

  #crumbs(): string {
    return Array.from({ length: this.#choices.below(7) }, () => this.#choices.pick(CRUMBS)).join('')
  }

  /** Damage where a header stands, or anywhere. */
  #hurt(body: Buffer): Buffer {
    let hurt = Buffer.from(body)
    for (let n = 1 + this.#choices.below(3); n > 0; n--) {
      const mark = this.#choices.pick(this.#marks)
      if (this.#choices.chance(0.4) || mark === undefined || mark.lengthAt + 4 > hurt.length) {
        hurt = Buffer.from(damaged(hurt, this.#choices))
        continue
      }
      this.#hurtHeader(hurt, mark)
    }
    return hurt
  }

  #hurtHeader(bytes: Buffer, { at, vr, lengthAt, lengthBytes }: Mark): void {
    const { pick, below, chance } = bound(this.#choices)
    const left = bytes.length - lengthAt - lengthBytes
    const write = (value: number, where: number, size: 2 | 4) => {
      const kept = size === 2 ? value & 0xffff : value >>> 0
      if (this.#encoding.big) bytes.writeUIntBE(kept, where, size)
      else bytes.writeUIntLE(kept, where, size)
    }
    if (vr && chance(0.3))
      bytes.write(chance(0.7) ? pick(VRS) : this.#choices.bytes(2).toString('latin1'), at + 4, 'latin1')
    else if (chance(0.4)) {
      const [tag] = pick(TAGS)
      const wanted = pick([tag, 0xfffee000, 0xfffee00d, 0xfffee0dd, 0x00020010])
      write(wanted >>> 16, at, 2)
      write(wanted & 0xffff, at + 2, 2)
    } else
      write(
        pick([0, 1, 0xffffffff, 0xfffffffe, 0x7fffffff, left, left + 1, left + 2, below(64)]),
        lengthAt,
        lengthBytes,
      )
  }

  #tag(tag: number): void {
    this.#number(tag >>> 16, 2)
    this.#number(tag & 0xffff, 2)
  }

  #number(value: number, size: 1 | 2 | 4): void {
    this.#room(size)
    const kept = size === 4 ? value >>> 0 : value & (size === 2 ? 0xffff : 0xff)
    if (this.#encoding.big) this.#buffer.writeUIntBE(kept, this.#at, size)
    else this.#buffer.writeUIntLE(kept, this.#at, size)
    this.#at += size
  }

  #byte(value: number): void {
    this.#number(value, 1)
  }

  #text(text: string): void {
    this.#bytes(Buffer.from(text, 'latin1'))
  }

  #bytes(bytes: Buffer): void {
    this.#room(bytes.length)
    bytes.copy(this.#buffer, this.#at)
    this.#at += bytes.length
  }

  #room(length: number): void {
    if (this.#at + length <= this.#buffer.length) return
    const larger = Buffer.alloc(this.#buffer.length * 2 + length)
    this.#buffer.copy(larger)
    this.#buffer = larger
  }
}

function bound(choices: Choices) {
  return {
    below: (n: number) => choices.below(n),
    chance: (probability: number) => choices.chance(probability),
    pick: <T>(list: readonly T[]) => choices.pick(list),
  }
}
