import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  closing,
  MULTIPART_LIMITS,
  MultipartError,
  type MultipartEvent,
  MultipartSplitter,
  newBoundary,
  partHead,
  readMultipart,
} from './multipart.ts'

interface Read {
  readonly parts: { headers: { [name: string]: string }; text: string; whole: boolean }[]
  readonly failure: MultipartError | undefined
}

function collect(events: Iterable<MultipartEvent>, into: Read['parts']): void {
  for (const event of events) {
    if (event.is === 'begin') into.push({ headers: Object.fromEntries(event.headers), text: '', whole: false })
    else {
      const part = into[event.part]
      assert.ok(part !== undefined && part === into.at(-1))
      if (event.is === 'data') {
        assert.ok(event.bytes.byteLength > 0)
        part.text += event.bytes.toString('latin1')
      } else part.whole = true
    }
  }
}

function read(boundary: string, chunks: readonly string[], limits = MULTIPART_LIMITS): Read {
  const splitter = new MultipartSplitter(boundary, limits)
  const parts: Read['parts'] = []
  for (const chunk of chunks) collect(splitter.push(Buffer.from(chunk, 'latin1')), parts)
  splitter.end()
  return { parts, failure: splitter.failure }
}

const whole = (text: string, headers: { [name: string]: string } = {}) => ({ headers, text, whole: true })

// Each row is read whole, cut in two at every byte, and byte by byte: a cut inside a boundary must change nothing.
const bodies: { name: string; boundary?: string; body: string; parts: Read['parts'] }[] = [
  {
    name: 'one part',
    body: '--b\r\nContent-Type: application/dicom\r\n\r\nDATA\r\n--b--',
    parts: [whole('DATA', { 'content-type': 'application/dicom' })],
  },
  {
    name: 'two parts and what surrounds them',
    body: 'preamble\r\n--b\r\nA: 1\r\n\r\none\r\n--b\r\n\r\ntwo\r\n--b--\r\nepilogue\r\n--b\r\n',
    parts: [whole('one', { a: '1' }), whole('two')],
  },
  { name: 'no part', body: '--b--\r\n', parts: [] },
  {
    name: 'empty parts',
    body: '--b\r\nA: 1\r\n\r\n\r\n--b\r\nB: 2\r\n\r\n--b--',
    parts: [whole('', { a: '1' }), whole('', { b: '2' })],
  },
  {
    name: 'white space behind boundaries',
    body: '--b \t \r\n\r\nx\r\n--b  \r\n\r\ny\r\n--b--  ',
    parts: [whole('x'), whole('y')],
  },
  {
    name: 'boundary text inside data',
    body: '--b\r\n\r\n--b\r\r\n--bb\r\n--b-\r\n-- b--\r\n\r\n--b x\r\n--b--',
    parts: [whole('--b\r\r\n--bb\r\n--b-\r\n-- b--\r\n\r\n--b x')],
  },
  {
    name: 'data that end in half a boundary',
    body: '--b\r\n\r\n\r\n-\r\n--\r\r\n\r\n--b--',
    parts: [whole('\r\n-\r\n--\r\r\n')],
  },
  {
    name: 'boundary with odd characters',
    boundary: `=_(a'b+c:d?)`,
    body: `--=_(a'b+c:d?)\r\n\r\nx\r\n--=_(a'b+c:d?)--`,
    parts: [whole('x')],
  },
  {
    name: 'folded header',
    body: '--b\r\nContent-Type: multipart/x;\r\n\t boundary=q\r\n\r\nx\r\n--b--',
    parts: [whole('x', { 'content-type': 'multipart/x; boundary=q' })],
  },
  {
    name: 'no line break after the preamble is no boundary',
    body: 'x--b\r\n\r\nno\r\n--b\r\n\r\nyes\r\n--b--',
    parts: [whole('yes')],
  },
]

for (const { name, boundary = 'b', body, parts } of bodies) {
  test(`multipart: ${name}`, () => {
    for (let cut = 0; cut <= body.length; cut++) {
      const got = read(boundary, [body.slice(0, cut), body.slice(cut)])
      assert.deepEqual(got, { parts, failure: undefined }, `cut at ${cut}`)
    }
    assert.deepEqual(read(boundary, body.split('')), { parts, failure: undefined }, 'byte by byte')
  })
}

// R19: what is cut off is never told as whole, and what was whole before stays whole.
test('multipart: a body that ends early keeps its finished parts', () => {
  const first = '--b\r\n\r\none\r\n--b'
  const body = `${first}\r\nA: 1\r\n\r\ntwo\r\n--b--`
  for (let end = 0; end < body.length; end++) {
    const { parts, failure } = read('b', [body.slice(0, end)])
    assert.ok(failure !== undefined, `ended at ${end}`)
    assert.equal(failure.kind, end < '--b\r\n'.length ? 'no-boundary' : 'unfinished', `ended at ${end}`)
    const done = parts.filter((part) => part.whole).map((part) => part.text)
    assert.deepEqual(done, end >= `${first}\r\n`.length ? ['one'] : [], `ended at ${end}`)
  }
})

const refused: { name: string; body: string; kind: MultipartError['kind']; part: number }[] = [
  { name: 'never a boundary', body: 'x'.repeat(70_000), kind: 'no-boundary', part: 0 },
  { name: 'header without colon', body: '--b\r\nrubbish\r\n\r\nx\r\n--b--', kind: 'header', part: 0 },
  { name: 'header name with a space', body: '--b\r\nContent Type: x\r\n\r\nx\r\n--b--', kind: 'header', part: 0 },
  { name: 'header twice', body: '--b\r\nA: 1\r\na: 2\r\n\r\nx\r\n--b--', kind: 'header', part: 0 },
  { name: 'bare CR in a header', body: '--b\r\nA: 1\r2\r\n\r\nx\r\n--b--', kind: 'header', part: 0 },
  { name: 'header flood', body: `--b\r\n\r\none\r\n--b\r\n${'A: 1\r\n'.repeat(2000)}`, kind: 'limit', part: 1 },
  { name: 'endless header', body: `--b\r\nA: ${'x'.repeat(9000)}`, kind: 'limit', part: 0 },
  { name: 'too many parts', body: '--b\r\n\r\nx\r\n'.repeat(4), kind: 'limit', part: 3 },
]

for (const { name, body, kind, part } of refused) {
  test(`multipart refused: ${name}`, () => {
    for (const chunks of [[body], body.match(/.{1,7}/gs) ?? []]) {
      const { failure } = read('b', chunks, { ...MULTIPART_LIMITS, partsMax: 3 })
      assert.deepEqual([failure?.kind, failure?.part], [kind, part])
    }
  })
}

for (const boundary of ['', 'a\r\nb', 'x'.repeat(300)]) {
  test(`a boundary nobody can send: ${JSON.stringify(boundary.slice(0, 8))}`, () => {
    assert.throws(() => new MultipartSplitter(boundary), RangeError)
  })
}

test('multipart: what the writer wrote the reader reads', () => {
  const boundary = newBoundary()
  const texts = ['', 'one', '\r\n', `\r\n--${boundary.slice(0, -1)}`, 'last']
  const body = texts.map(
    (text, i) => partHead(boundary, { 'Content-Type': 'application/dicom' }, i === 0).toString('latin1') + text,
  )
  const got = read(boundary, [...body, closing(boundary).toString('latin1')])
  assert.equal(got.failure, undefined)
  assert.deepEqual(
    got.parts,
    texts.map((text) => whole(text, { 'content-type': 'application/dicom' })),
  )
  assert.throws(() => partHead(boundary, { 'Content-Location': 'x\r\nSet-Cookie: y' }, true), RangeError)
})

test('multipart stream: pulls no chunk before the events of the last one were taken', async () => {
  let pulled = 0
  async function* chunks() {
    for (const text of ['--b\r\n\r\none', 'two', '\r\n--b--', 'never read']) {
      pulled++
      yield Buffer.from(text)
    }
  }
  const seen: string[] = []
  for await (const event of readMultipart(chunks(), 'b')) seen.push(`${event.is}${pulled}`)
  assert.deepEqual(seen, ['begin1', 'data1', 'data2', 'end3'])
  assert.equal(pulled, 3)
})

test('multipart stream: finished parts come before the failure', async () => {
  async function* chunks() {
    yield Buffer.from('--b\r\n\r\none\r\n--b\r\n\r\ntw')
  }
  const seen: string[] = []
  await assert.rejects(
    async () => {
      for await (const event of readMultipart(chunks(), 'b')) seen.push(event.is)
    },
    (error) => error instanceof MultipartError && error.kind === 'unfinished' && error.part === 1,
  )
  assert.deepEqual(seen, ['begin', 'data', 'end', 'begin', 'data'])
})
