import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  charsetProblems,
  decodeText,
  decodeValues,
  encodeText,
  isAsciiCompatible,
  splitValues,
  TEXT_VALUES_MAX,
} from './charset.ts'
import type { TextKind } from './charset-iso2022.ts'

/** `48 6f` and text in quotes: `'Hong^' 1b 24`. */
function bytes(notation: string): Uint8Array {
  const out: number[] = []
  for (const [, quoted, hex] of notation.matchAll(/'([^']*)'|([0-9a-f]{2})(?=\s|$)/gi)) {
    if (quoted !== undefined) for (const char of quoted) out.push(char.charCodeAt(0))
    else if (hex !== undefined) out.push(Number.parseInt(hex, 16))
  }
  return Uint8Array.from(out)
}

interface Example {
  readonly name: string
  readonly charsets: readonly string[]
  readonly kind: TextKind
  readonly bytes: string
  readonly text: string
  /** Our writer would write the same bytes. */
  readonly same?: boolean
}

// The examples of PS3.5 Annexes H to K, byte for byte: what every reader is measured by.
const examples: Example[] = [
  {
    name: 'H.3.1 Japanese, three component groups, IR 87',
    charsets: ['', 'ISO 2022 IR 87'],
    kind: 'pn',
    bytes: `'Yamada^Tarou=' 1b '$B' 3b 33 45 44 1b '(B^' 1b '$B' 42 40 4f 3a 1b '(B=' 1b '$B' 24 64 24 5e 24 40 1b '(B^' 1b '$B' 24 3f 24 6d 24 26 1b '(B'`,
    text: 'Yamada^Tarou=山田^太郎=やまだ^たろう',
    same: true,
  },
  {
    name: 'H.3.2 Japanese, half-width katakana first, IR 13 and 87',
    charsets: ['ISO 2022 IR 13', 'ISO 2022 IR 87'],
    kind: 'pn',
    bytes: `d4 cf c0 de '^' c0 db b3 '=' 1b '$B' 3b 33 45 44 1b '(J^' 1b '$B' 42 40 4f 3a 1b '(J=' 1b '$B' 24 64 24 5e 24 40 1b '(J^' 1b '$B' 24 3f 24 6d 24 26 1b '(J'`,
    text: 'ﾔﾏﾀﾞ^ﾀﾛｳ=山田^太郎=やまだ^たろう',
    same: true,
  },
  {
    name: 'I.2 Korean, three component groups, IR 149',
    charsets: ['', 'ISO 2022 IR 149'],
    kind: 'pn',
    bytes: `'Hong^Gildong=' 1b '$)C' fb f3 '^' 1b '$)C' d1 ce d4 d7 '=' 1b '$)C' c8 ab '^' 1b '$)C' b1 e6 b5 bf`,
    text: 'Hong^Gildong=洪^吉洞=홍^길동',
    same: true,
  },
  {
    name: 'I.3 Korean text, designation again on every line',
    charsets: ['', 'ISO 2022 IR 149'],
    kind: 'text',
    bytes: `1b '$)C' 'The 1st line includes ' b1 e6 b5 bf '.' 0d 0a 1b '$)C' 'The 2nd line includes ' b1 e6 b5 bf ', too.' 0d 0a 'The 3rd line.'`,
    text: 'The 1st line includes 길동.\r\nThe 2nd line includes 길동, too.\r\nThe 3rd line.',
  },
  {
    name: 'J.1 Chinese in UTF-8',
    charsets: ['ISO_IR 192'],
    kind: 'pn',
    bytes: `'Wang^XiaoDong=' e7 8e 8b '^' e5 b0 8f e6 9d b1 '='`,
    text: 'Wang^XiaoDong=王^小東=',
    same: true,
  },
  {
    name: 'J.2 Chinese text in UTF-8',
    charsets: ['ISO_IR 192'],
    kind: 'text',
    bytes: `'The first line includes ' e4 b8 ad e6 96 87 '.' 0d 0a 'The second line includes ' e4 b8 ad e6 96 87 ', too.' 0d 0a`,
    text: 'The first line includes 中文.\r\nThe second line includes 中文, too.\r\n',
    same: true,
  },
  {
    name: 'J.3 Chinese in GB18030',
    charsets: ['GB18030'],
    kind: 'pn',
    bytes: `'Wang^XiaoDong=' cd f5 '^' d0 a1 b6 ab '='`,
    text: 'Wang^XiaoDong=王^小东=',
    same: true,
  },
  {
    name: 'J.4 Chinese text in GB18030',
    charsets: ['GB18030'],
    kind: 'text',
    bytes: `'The first line includes ' d6 d0 ce c4 '.' 0d 0a`,
    text: 'The first line includes 中文.\r\n',
    same: true,
  },
  {
    name: 'K.2 Chinese, IR 58',
    charsets: ['', 'ISO 2022 IR 58'],
    kind: 'pn',
    bytes: `'Zhang^XiaoDong=' 1b '$)A' d5 c5 '^' 1b '$)A' d0 a1 b6 ab '='`,
    text: 'Zhang^XiaoDong=张^小东=',
    same: true,
  },
  {
    name: 'K.3 Chinese text, IR 58, three lines',
    charsets: ['', 'ISO 2022 IR 58'],
    kind: 'text',
    bytes: `'1.' 1b '$)A' b5 da d2 bb d0 d0 ce c4 d7 d6 a1 a3 0d 0a '2.' 1b '$)A' b5 da b6 fe d0 d0 ce c4 d7 d6 a1 a3 0d 0a '3.' 1b '$)A' b5 da c8 fd d0 d0 ce c4 d7 d6 a1 a3 0d 0a`,
    text: '1.第一行文字。\r\n2.第二行文字。\r\n3.第三行文字。\r\n',
    same: true,
  },
  {
    name: 'French',
    charsets: ['ISO_IR 100'],
    kind: 'pn',
    bytes: `'Buc^J' e9 'r' f4 'me'`,
    text: 'Buc^Jérôme',
    same: true,
  },
  {
    name: 'German',
    charsets: ['ISO_IR 100'],
    kind: 'pn',
    bytes: `c4 'neas^R' fc 'diger'`,
    text: 'Äneas^Rüdiger',
    same: true,
  },
  { name: 'Polish', charsets: ['ISO_IR 101'], kind: 'pn', bytes: `'Wa' b3 'esa'`, text: 'Wałesa', same: true },
  { name: 'Maltese', charsets: ['ISO_IR 109'], kind: 'pn', bytes: `'Borg^' a1 e5`, text: 'Borg^Ħċ', same: true },
  { name: 'Latvian', charsets: ['ISO_IR 110'], kind: 'pn', bytes: `'B' ba 'rzi' f1 f0`, text: 'Bērziņđ', same: true },
  { name: 'Turkish', charsets: ['ISO_IR 148'], kind: 'pn', bytes: `'Da' f0 'l' fd`, text: 'Dağlı', same: true },
  { name: 'Latin-9', charsets: ['ISO_IR 203'], kind: 'single', bytes: `a4 bd`, text: '€œ', same: true },
  {
    name: 'Greek',
    charsets: ['ISO_IR 126'],
    kind: 'pn',
    bytes: `c4 e9 ef ed f5 f3 e9 ef f2`,
    text: 'Διονυσιος',
    same: true,
  },
  { name: 'Russian', charsets: ['ISO_IR 144'], kind: 'pn', bytes: `bb ee da 'ce' dc 'y' d3`, text: 'Люкceмyг' },
  {
    name: 'Arabic',
    charsets: ['ISO_IR 127'],
    kind: 'pn',
    bytes: `e2 c8 c7 e6 ea '^' e4 e6 d2 c7 d1`,
    text: 'قباني^لنزار',
    same: true,
  },
  {
    name: 'Hebrew',
    charsets: ['ISO_IR 138'],
    kind: 'pn',
    bytes: `f9 f8 e5 ef '^' e3 e1 e5 f8 e4`,
    text: 'שרון^דבורה',
    same: true,
  },
  { name: 'Thai', charsets: ['ISO_IR 166'], kind: 'pn', bytes: `ca c1 aa d2 c2`, text: 'สมชาย', same: true },
  {
    name: 'katakana alone, IR 13',
    charsets: ['ISO_IR 13'],
    kind: 'single',
    bytes: `d4 cf '5' 7e`,
    text: 'ﾔﾏ5‾',
    same: true,
  },
  {
    name: 'IR 13 has a yen sign where others have a backslash',
    charsets: ['ISO_IR 13'],
    kind: 'text',
    bytes: `'a' 5c`,
    text: 'a¥',
    same: true,
  },
  {
    name: 'JIS X 0212 supplementary kanji, IR 159',
    charsets: ['', 'ISO 2022 IR 159'],
    kind: 'pn',
    bytes: `1b '$(D' 30 21 1b '(B^x'`,
    text: '丂^x',
    same: true,
  },
  {
    name: 'one-byte extension returns to value 1 at the delimiter',
    charsets: ['ISO 2022 IR 100', 'ISO 2022 IR 126'],
    kind: 'pn',
    bytes: `e4 1b '-F' c4 1b '-A^' e4`,
    text: 'äΔ^ä',
    same: true,
  },
  {
    name: 'designations do not outlive a delimiter even when the sender forgot to return',
    charsets: ['ISO 2022 IR 100', 'ISO 2022 IR 144'],
    kind: 'pn',
    bytes: `1b '-L' bb '^' e4`,
    text: 'Л^ä',
  },
  {
    name: 'in ST a caret is a character',
    charsets: ['ISO 2022 IR 100', 'ISO 2022 IR 144'],
    kind: 'text',
    bytes: `1b '-L' bb '^' bb`,
    text: 'Л^Л',
  },
  {
    name: 'a tab resets too',
    charsets: ['ISO 2022 IR 100', 'ISO 2022 IR 144'],
    kind: 'text',
    bytes: `1b '-L' bb 09 e4`,
    text: 'Л\tä',
  },
  {
    name: 'code extensions that were not declared are followed',
    charsets: [],
    kind: 'pn',
    bytes: `1b '$B' 3b 33 1b '(B'`,
    text: '山',
  },
  {
    name: 'Korean without its escape sequence',
    charsets: ['', 'ISO 2022 IR 149'],
    kind: 'pn',
    bytes: `b1 e6 b5 bf`,
    text: '길동',
  },
  { name: 'GB18030 four bytes', charsets: ['GB18030'], kind: 'single', bytes: `95 32 82 36`, text: '𠀀', same: true },
  {
    name: 'GBK with a caret as second byte',
    charsets: ['GBK'],
    kind: 'pn',
    bytes: `81 5e '^' 81 5c`,
    text: '乛^乗',
    same: true,
  },
]

for (const example of examples) {
  test(`charset: ${example.name}`, () => {
    const encoded = bytes(example.bytes)
    assert.equal(decodeText(encoded, example.charsets, example.kind), example.text)
    if (example.same === true) {
      assert.deepEqual([...(encodeText(example.text, example.charsets, example.kind) ?? [])], [...encoded])
    }
  })
}

// Bytes from outside must not be able to stop a reader, nor disappear without a trace.
const broken: { name: string; charsets: string[]; bytes: string; text: string }[] = [
  { name: 'high byte in the default repertoire', charsets: [], bytes: `'M' fc 'ller'`, text: 'M\uFFFDller' },
  { name: 'bad UTF-8', charsets: ['ISO_IR 192'], bytes: `'a' ff 'b'`, text: 'a\uFFFDb' },
  { name: 'cut in a two-byte character', charsets: ['', 'ISO 2022 IR 87'], bytes: `1b '$B' 3b`, text: '\uFFFD' },
  {
    name: 'high byte inside a two-byte G0 set',
    charsets: ['', 'ISO 2022 IR 87'],
    bytes: `1b '$B' 3b b3`,
    text: '\uFFFD\uFFFD',
  },
  { name: 'unknown escape sequence', charsets: ['ISO_IR 100'], bytes: `1b '%G' e4`, text: '\uFFFD%Gä' },
  { name: 'ESC at the end', charsets: ['ISO_IR 100'], bytes: `'a' 1b`, text: 'a\uFFFD' },
  { name: 'empty', charsets: ['ISO 2022 IR 87'], bytes: '', text: '' },
  { name: 'unassigned in Greek', charsets: ['ISO_IR 126'], bytes: `ff`, text: '\uFFFD' },
]
for (const { name, charsets, bytes: notation, text } of broken) {
  test(`charset, broken: ${name}`, () => assert.equal(decodeText(bytes(notation), charsets, 'pn'), text))
}

// A backslash byte is often half of a character; splitting there tears names apart.
const splits: { name: string; charsets: string[]; bytes: string; values: string[] }[] = [
  { name: 'plain', charsets: [], bytes: `'a\\b\\'`, values: ['a', 'b', ''] },
  {
    name: 'second byte in JIS X 0208',
    charsets: ['', 'ISO 2022 IR 87'],
    bytes: `1b '$B' 3f 5c 1b '(B\\x'`,
    values: ['須', 'x'],
  },
  {
    name: 'second byte in GBK',
    charsets: ['GBK'],
    bytes: `81 5c '\\y'`,
    values: ['乗', 'y'],
  },
  {
    name: 'GB18030 four bytes then a backslash',
    charsets: ['GB18030'],
    bytes: `95 32 82 36 '\\z'`,
    values: ['𠀀', 'z'],
  },
  { name: 'Shift JIS', charsets: ['SJIS'], bytes: `95 5c '\\k'`, values: ['表', 'k'] },
  {
    name: 'each value starts anew',
    charsets: ['ISO 2022 IR 100', 'ISO 2022 IR 144'],
    bytes: `1b '-L' bb '\\' e4`,
    values: ['Л', 'ä'],
  },
  { name: 'Latin', charsets: ['ISO_IR 100'], bytes: `e4 '\\' fc`, values: ['ä', 'ü'] },
]
for (const { name, charsets, bytes: notation, values } of splits) {
  test(`charset, values: ${name}`, () => {
    assert.deepEqual(decodeValues(bytes(notation), charsets, 'single'), values)
    assert.equal(splitValues(bytes(notation), charsets).length, values.length)
  })
}

// Leniency is listed: each row is a spelling seen in real files, and every use leaves a note.
const spellings: { value: string; readAs: string | null | undefined; sample: string; text: string }[] = [
  { value: 'ISO_IR 100', readAs: undefined, sample: 'e4', text: 'ä' },
  { value: 'ISO_IR 100 ', readAs: undefined, sample: 'e4', text: 'ä' },
  { value: 'ISO-IR 100', readAs: 'ISO_IR 100', sample: 'e4', text: 'ä' },
  { value: 'ISO IR 100', readAs: 'ISO_IR 100', sample: 'e4', text: 'ä' },
  { value: 'ISO_IR_100', readAs: 'ISO_IR 100', sample: 'e4', text: 'ä' },
  { value: 'iso_ir 100', readAs: 'ISO_IR 100', sample: 'e4', text: 'ä' },
  { value: 'ISO2022 IR 100', readAs: 'ISO 2022 IR 100', sample: 'e4', text: 'ä' },
  { value: 'ISO 2022-100', readAs: 'ISO 2022 IR 100', sample: 'e4', text: 'ä' },
  { value: 'ISO-2022-IR-144', readAs: 'ISO 2022 IR 144', sample: 'bb', text: 'Л' },
  { value: 'ISO 8859-1', readAs: 'ISO_IR 100', sample: 'e4', text: 'ä' },
  { value: 'latin1', readAs: 'ISO_IR 100', sample: 'e4', text: 'ä' },
  { value: 'UTF-8', readAs: 'ISO_IR 192', sample: 'c3 a4', text: 'ä' },
  { value: 'ISO_IR_192', readAs: 'ISO_IR 192', sample: 'c3 a4', text: 'ä' },
  { value: 'ISO 2022 IR 192', readAs: 'ISO_IR 192', sample: 'c3 a4', text: 'ä' },
  { value: 'gb18030', readAs: 'GB18030', sample: 'd6 d0', text: '中' },
  { value: 'GB2312', readAs: 'GBK', sample: 'd6 d0', text: '中' },
  { value: 'ISO_IR 149', readAs: 'ISO 2022 IR 149', sample: 'b1 e6', text: '길' },
  { value: 'windows-1251', readAs: 'windows-1251', sample: 'cb', text: 'Л' },
  { value: 'ISO_IR 999', readAs: null, sample: 'e4', text: '\uFFFD' },
  { value: '__proto__', readAs: null, sample: 'e4', text: '\uFFFD' },
]
for (const { value, readAs, sample, text } of spellings) {
  test(`charset, spelling: ${JSON.stringify(value)}`, () => {
    assert.equal(decodeText(bytes(sample), [value], 'pn'), text)
    assert.deepEqual(charsetProblems([value]), readAs === undefined ? [] : [{ value, readAs }])
  })
}

test('charset: what cannot be written is refused, not replaced', () => {
  assert.equal(encodeText('山', ['ISO_IR 100'], 'pn'), undefined)
  assert.equal(encodeText('山', [], 'pn'), undefined)
  assert.equal(encodeText('\ud800', ['ISO_IR 192'], 'pn'), undefined)
  assert.equal(encodeText('😀', ['GBK'], 'single'), undefined)
  assert.deepEqual([...(encodeText('abc', [], 'pn') ?? [])], [0x61, 0x62, 0x63])
})

test('charset: ASCII stays ASCII everywhere but in IR 13', () => {
  for (const charsets of [[], ['ISO_IR 100'], ['ISO_IR 192'], ['GB18030'], ['', 'ISO 2022 IR 87']]) {
    assert.ok(isAsciiCompatible(charsets), charsets.join())
    assert.equal(decodeText(bytes(`'A~\\Z'`), charsets, 'text'), 'A~\\Z')
  }
  assert.ok(!isAsciiCompatible(['ISO_IR 13']))
  assert.ok(!isAsciiCompatible(['ISO 2022 IR 13', 'ISO 2022 IR 87']))
})

// A few megabytes of backslashes must not become gigabytes of empty values.
test('charset, values: their number has a limit, and nothing is lost at it', () => {
  for (const charsets of [[], ['GBK'], ['', 'ISO 2022 IR 87']]) {
    for (const [delimiters, values] of [
      [TEXT_VALUES_MAX - 2, TEXT_VALUES_MAX - 1],
      [TEXT_VALUES_MAX - 1, TEXT_VALUES_MAX],
      [TEXT_VALUES_MAX, TEXT_VALUES_MAX],
    ] as const) {
      const field = Buffer.concat([Buffer.alloc(delimiters, 0x5c), Buffer.from('\x1b(Bend', 'latin1')])
      const split = splitValues(field, charsets)
      assert.equal(split.length, values)
      assert.equal(split.reduce((sum, value) => sum + value.length, 0) + values - 1, field.length)
    }
  }
})
