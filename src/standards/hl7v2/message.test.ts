import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isHl7File, splitFile } from './batch.ts'
import { STANDARD_DELIMITERS } from './delimiters.ts'
import { Hl7Error } from './errors.ts'
import { escapeText, unescapeText } from './escapes.ts'
import { DEFAULT_HL7_LIMITS } from './limits.ts'
import { parseMessage } from './message.ts'
import { dateTime, personName, providerName } from './values.ts'

const HEAD = 'MSH|^~\\&|APP|FAC|||20240101||ADT^A08|1|P|2.5'
const parse = (text: string, charset = '') =>
  parseMessage(Buffer.from(`${HEAD}|||||${charset === '' ? '' : `|${charset}`}\r${text}`, 'utf8'))
const pid = (text: string) => parse(text).first('PID')

test('segments end with CR, LF, CRLF, mixed and doubled', () => {
  const message = parseMessage(Buffer.from(`${HEAD}\nEVN|A08\r\nPID|1\r\rPV1|1\n\n`))
  assert.deepEqual(
    message.segments.map(({ name, index }) => `${name}${index}`),
    ['MSH0', 'EVN1', 'PID2', 'PV13'],
  )
})

// Unescaping before splitting would let a sender smuggle segments and fields past whoever checked the message.
const hostile: { name: string; value: string; is: string }[] = [
  { name: 'a segment in hexadecimal', value: 'a\\X0D\\PID|9', is: 'a\rPID' },
  { name: 'a field separator', value: 'a\\F\\b', is: 'a|b' },
  { name: 'component, subcomponent, repetition', value: 'a\\S\\b\\T\\c\\R\\d', is: 'a^b&c~d' },
  { name: 'an escaped escape makes no new sequence', value: '\\E\\X0D\\E\\', is: '\\X0D\\' },
  { name: 'hexadecimal of two characters', value: '\\X4142\\', is: 'AB' },
  { name: 'half a byte stays', value: '\\X4\\', is: '\\X4\\' },
  { name: 'no hexadecimal stays', value: '\\XZZ\\', is: '\\XZZ\\' },
  { name: 'an open escape stays', value: 'a\\F', is: 'a\\F' },
  { name: 'line break', value: 'a\\.br\\b', is: 'a\nb' },
  { name: 'highlighting goes', value: '\\H\\a\\N\\', is: 'a' },
  { name: 'private sequences stay', value: '\\Zfoo\\', is: '\\Zfoo\\' },
  { name: 'above ASCII its set is not known', value: '\\XE4\\', is: '\ufffd' },
]
for (const { name, value, is } of hostile) {
  test(`escapes: ${name}`, () => {
    const message = parse(`PID|1||${value}`)
    assert.equal(message.segments.length, 2)
    assert.equal(message.first('PID')?.text(3), is)
  })
}

test('escaping and taking it out again gives the same text', () => {
  const text = 'a|b^c~d\\e&f\r\ng\x7f'
  assert.equal(unescapeText(escapeText(text, STANDARD_DELIMITERS), STANDARD_DELIMITERS), text)
})

test('a million escapes and a single open one are read at once', () => {
  const many = '\\F\\'.repeat(1_000_000)
  assert.equal(unescapeText(many, STANDARD_DELIMITERS).length, 1_000_000)
  const open = 'x\\'.repeat(1_000_001)
  assert.equal(unescapeText(open, STANDARD_DELIMITERS), open)
})

test('fields, repetitions, components, subcomponents', () => {
  const segment = pid('PID|1||A^^^H&1.2&ISO^MR~B^^^I|""|N1&N2^G')
  assert.deepEqual(
    segment?.repetitions(3).map((one) => [one.text(1), one.text(4, 1), one.text(4, 2), one.text(5)]),
    [
      ['A', 'H', '1.2', 'MR'],
      ['B', 'I', '', ''],
    ],
  )
  assert.equal(segment?.isNull(4), true)
  assert.equal(segment?.text(4), '')
  assert.equal(segment?.text(5, 1, 2), 'N2')
  assert.equal(segment?.text(99), '')
})

test('other delimiters are used as MSH says', () => {
  const message = parseMessage(Buffer.from('MSH$*!@%$APP$FAC$$$2024$$ADT*A08$1$P$2.5\rPID$1$$A***H%1!B@F@\r'))
  assert.equal(message.header.text(9, 2), 'A08')
  assert.deepEqual(
    message
      .first('PID')
      ?.repetitions(3)
      .map((one) => one.text(1)),
    ['A', 'B$'],
  )
  assert.equal(message.first('PID')?.text(3, 4, 2), '1')
})

const refused: { name: string; bytes: string | Uint8Array; answer: 'AE' | 'AR'; condition: number; at?: string }[] = [
  { name: 'empty', bytes: '', answer: 'AR', condition: 100 },
  { name: 'no MSH', bytes: 'PID|1', answer: 'AR', condition: 100 },
  { name: 'MSH alone', bytes: 'MSH', answer: 'AR', condition: 102, at: 'MSH1' },
  { name: 'a letter as delimiter', bytes: 'MSHA^~\\&A', answer: 'AR', condition: 102, at: 'MSH1' },
  { name: 'a delimiter twice', bytes: 'MSH|^~\\^|A', answer: 'AR', condition: 102, at: 'MSH2' },
  { name: 'the separator again', bytes: 'MSH||~\\&|A', answer: 'AR', condition: 102, at: 'MSH2' },
  { name: 'six encoding characters', bytes: 'MSH|^~\\&#!|A', answer: 'AR', condition: 102, at: 'MSH2' },
  { name: 'two MSH', bytes: `${HEAD}\r${HEAD}`, answer: 'AR', condition: 100, at: 'MSH' },
  { name: 'a NUL', bytes: `${HEAD}\rPID|\0`, answer: 'AR', condition: 102 },
  { name: 'a line that is no segment', bytes: `${HEAD}\rPID|1\rhello`, answer: 'AR', condition: 100 },
  { name: 'a character set nobody knows', bytes: `${HEAD}||||||KLINGON\r`, answer: 'AR', condition: 103, at: 'MSH18' },
  { name: 'too many segments', bytes: `${HEAD}\r${'NTE|\r'.repeat(20_000)}`, answer: 'AR', condition: 100 },
  { name: 'too many fields', bytes: `${HEAD}\rPID${'|'.repeat(1001)}`, answer: 'AR', condition: 102, at: 'PID' },
]
for (const { name, bytes, answer, condition, at } of refused) {
  test(`refused: ${name}`, () => {
    assert.throws(
      () => parseMessage(Buffer.from(bytes)),
      (error) => {
        assert.ok(error instanceof Hl7Error)
        assert.equal(`${error.answer} ${error.condition}`, `${answer} ${condition}`)
        if (at !== undefined) assert.equal(`${error.location?.segment}${error.location?.field ?? ''}`, at)
        return true
      },
    )
  })
}

test('limits hold at the limit', () => {
  const limits = { ...DEFAULT_HL7_LIMITS, segments: 3, messageBytes: 200 }
  const lines = (n: number) => Buffer.from(`${HEAD}\r${'NTE|\r'.repeat(n)}`)
  assert.equal(parseMessage(lines(2), { limits }).segments.length, 3)
  assert.throws(() => parseMessage(lines(3), { limits }), Hl7Error)
  assert.throws(() => parseMessage(Buffer.alloc(201, 0x41), { limits }), /200 bytes/)
  const segment = parse(`PID|1||${'A~'.repeat(1000)}A`).first('PID')
  assert.throws(() => segment?.repetitions(3), Hl7Error)
})

test('a line without segment name goes on with OBX and NTE only', () => {
  const message = parse('OBX|1|TX|||first\nsecond line\nthird\nNTE|1')
  assert.equal(message.first('OBX')?.text(5), 'first\nsecond line\nthird')
  assert.equal(message.notes.length, 1)
})

const sets: { name: string; declared: string; bytes: number[]; is: string; note: boolean }[] = [
  { name: 'ASCII', declared: '', bytes: [0x41], is: 'A', note: false },
  { name: 'Latin 1', declared: '8859/1', bytes: [0xe4], is: 'ä', note: false },
  { name: 'Latin 9', declared: '8859/15', bytes: [0xa4], is: '€', note: false },
  { name: 'Cyrillic', declared: '8859/5', bytes: [0xb1], is: 'Б', note: false },
  { name: 'UTF-8', declared: 'UNICODE UTF-8', bytes: [0xc3, 0xa4], is: 'ä', note: false },
  { name: 'declared UTF-8 that is none', declared: 'UNICODE UTF-8', bytes: [0xe4], is: 'ä', note: true },
  { name: 'undeclared UTF-8', declared: '', bytes: [0xc3, 0xa4], is: 'ä', note: true },
  { name: 'undeclared 8-bit', declared: '', bytes: [0xe4], is: 'ä', note: true },
  { name: 'GB 18030', declared: 'GB 18030-2000', bytes: [0xcd, 0xf5], is: '王', note: false },
  // 1B 24 42 .. 1B 28 42: the second byte of a character may be a delimiter's code; it must not split.
  {
    name: 'JIS',
    declared: 'ASCII~ISO IR87',
    bytes: [0x1b, 0x24, 0x42, 0x3b, 0x33, 0x1b, 0x28, 0x42],
    is: '山',
    note: false,
  },
  {
    name: 'JIS with | and ^ in it',
    declared: '~ISO IR87',
    bytes: [0x1b, 0x24, 0x42, 0x30, 0x7c, 0x30, 0x5e, 0x1b, 0x28, 0x42],
    is: '医葦',
    note: false,
  },
]
for (const { name, declared, bytes, is, note } of sets) {
  test(`character set: ${name}`, () => {
    const head = `${HEAD}||||||${declared}\rPID|1||1||`
    const message = parseMessage(Buffer.concat([Buffer.from(head, 'latin1'), Buffer.from(bytes), Buffer.from('|x')]))
    const segment = message.first('PID')
    assert.equal(segment?.text(6), 'x')
    if (!name.includes('and ^')) assert.equal(segment?.text(5), is)
    assert.equal(message.notes.length, note ? 1 : 0)
  })
}

// Its yen sign and overline stand where messages have their escape character and repetition separator.
test('character set: ISO IR14 leaves the delimiters alone, both ways', () => {
  const bytes = [Buffer.from(`${HEAD}||||||ISO IR14\rPID|1||1~2||A\\F\\`, 'latin1'), Buffer.of(0xda)]
  const message = parseMessage(Buffer.concat(bytes))
  const pid = message.first('PID')
  assert.equal(pid?.repetitions(3).length, 2)
  assert.equal(pid?.text(5), 'A|\uff9a')
  assert.deepEqual(message.characterSet.encode(`1~2\\F\\\uff9aä`), Buffer.from('1~2\\F\\\xda?', 'latin1'))
})

test('character set: one sign that it does not have takes no other with it', () => {
  const message = parseMessage(Buffer.from(`${HEAD}||||||8859/1~8859/5\rPID|1||1`, 'latin1'))
  assert.deepEqual(message.characterSet.encode('Ï山x'), Buffer.from('\xcf?x', 'latin1'))
})

test('byte order marks and 16-bit text', () => {
  const text = `${HEAD}\rPID|1||ä`
  const wide = Buffer.from(`\ufeff${text}`, 'utf16le')
  assert.equal(parseMessage(wide).first('PID')?.text(3), 'ä')
  assert.equal(
    parseMessage(Buffer.from(`\ufeff${text}`))
      .first('PID')
      ?.text(3),
    'ä',
  )
})

test('names: words in their places, nothing that structures a name', () => {
  const message = parse(
    'PID|1||1||A\\S\\B&van^C^D^Jr^Dr^PhD~\u5c71\u7530^\u592a\u90ce^^^^^^I|||||||||1\rPV1|1|||||||9^Ref^Er',
  )
  assert.equal(personName(message.first('PID')?.repetitions(5) ?? []), 'A B^C^D^Dr^Jr PhD=\u5c71\u7530^\u592a\u90ce')
  assert.equal(providerName(message.first('PV1')?.repetitions(8)[0]), 'Ref^Er')
})

const times: { text: string; date: string | null; time: string | null; offset: string | null }[] = [
  { text: '20240229', date: '20240229', time: null, offset: null },
  { text: '202402291530+0100', date: '20240229', time: '153000', offset: '+0100' },
  { text: '20240229153011.1234-0500', date: '20240229', time: '153011', offset: '-0500' },
  { text: '2024', date: null, time: null, offset: null },
]
for (const { text, ...is } of times) {
  test(`time: ${text}`, () => {
    const { text: _, ...read } = dateTime(text) ?? { text: '' }
    assert.deepEqual(read, is)
  })
}
for (const text of ['', 'x', '20230229', '20241301', '2024022924', '202402291560', '2024-02-29', '20240229 10']) {
  test(`no time: ${text}`, () => assert.equal(dateTime(text), null))
}

test('a file is split into its messages, whatever wraps them', () => {
  const file = `\ufeffFHS|^~\\&\rBHS|^~\\&\r${HEAD}\rPID|1\r\n${HEAD}\nPID|2\nBTS|2\rFTS|1\r`
  const { messages, expected, more } = splitFile(Buffer.from(file), 10)
  assert.deepEqual(
    messages.map(({ bytes }) => parseMessage(bytes).first('PID')?.text(1)),
    ['1', '2'],
  )
  assert.deepEqual([expected, more], [2, false])
  assert.equal(splitFile(Buffer.from(file), 1).more, true)
  const stream = Buffer.from(`\x0b${HEAD}\rPID|1\r\x1c\r\x0b${HEAD}\rPID|2\r\x1c\r`)
  assert.equal(splitFile(stream, 10).messages.length, 2)
  assert.equal(
    parseMessage(splitFile(stream, 10).messages[1]?.bytes ?? stream)
      .first('PID')
      ?.text(1),
    '2',
  )
})

for (const [text, is] of [
  [HEAD, true],
  ['\x0bMSH|^~\\&|', true],
  ['\ufeff\r\nFHS|^~\\&|', true],
  ['BHS|', false],
  ['MSHello world', false],
  ['MSH and more', false],
  ['', false],
] as const) {
  test(`a file of messages: ${JSON.stringify(text.slice(0, 12))} ${is}`, () =>
    assert.equal(isHl7File(Buffer.from(text)), is))
}
