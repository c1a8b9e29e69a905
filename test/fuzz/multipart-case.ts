/**
 * One case of the multipart fuzzer. A body is made of what confuses readers (halves of boundaries, stray line breaks,
 * headers that are none), perhaps damaged, and read whole and in random chunks. Oracles: both readings are the same;
 * an undamaged body gives back its parts; nothing is thrown; no byte is told twice; a part that did not end is not whole.
 */
import assert from 'node:assert/strict'
import { type MultipartEvent, MultipartSplitter } from '#standards/dicomweb/multipart.ts'
import { seeded } from '../simulated-disk.ts'

const BOUNDARIES = ['b', '--', 'diptych-0123', '=_a b', "'()+_,-./:=?", '-']
const LIMITS = { partsMax: 12, headerBytesMax: 200, preambleBytesMax: 300 }

interface Reading {
  readonly parts: { readonly headers: string; text: string; whole: boolean }[]
  readonly failure: string | null
}

export interface MultipartCase {
  readonly boundary: string
  readonly body: Buffer
  readonly cuts: readonly number[]
  /** Null for a damaged body. */
  readonly parts: readonly string[] | null
}

/** Makes the case of a seed: always the same. */
export function multipartCase(seed: number): MultipartCase {
  const random = seeded(seed)
  const below = (n: number) => Math.floor(random() * n)
  const pick = <T>(list: readonly T[]): T => list[below(list.length)] as T
  const boundary = pick(BOUNDARIES)
  const crumbs = [
    '\r',
    '\n',
    '\r\n',
    '--',
    `--${boundary}`,
    `\r\n--${boundary.slice(0, -1)}`,
    `\r\n-`,
    ' ',
    'x',
    '\0',
    '\xff',
    ':',
    'data'.repeat(below(40)),
  ]
  const text = (most: number) => Array.from({ length: below(most) }, () => pick(crumbs)).join('')
  const delimiter = `\r\n--${boundary}`
  const contents = Array.from({ length: below(6) }, () => withoutDelimiter(text(12), delimiter))
  let body = pick(['', '\r\n', 'preamble\r\n'])
  contents.forEach((content, i) => {
    const headers = pick(['', 'Content-Type: application/dicom\r\n', 'A: 1\r\nB:2\r\n folded\r\n'])
    body += `${i === 0 ? '' : '\r\n'}--${boundary}${pick(['', ' ', ' \t '])}\r\n${headers}\r\n${content}`
  })
  body += `${contents.length === 0 ? '' : '\r\n'}--${boundary}--${pick(['', '\r\n', 'epilogue', delimiter])}`
  let bytes: Buffer = Buffer.from(body, 'latin1')
  const damaged = random() < 0.6
  for (let n = damaged ? 1 + below(4) : 0; n > 0; n--) bytes = damage(bytes, below, Buffer.from(text(4), 'latin1'))
  const cuts = Array.from({ length: below(12) }, () => below(bytes.length + 1)).sort((a, b) => a - b)
  return { boundary, body: bytes, cuts, parts: damaged ? null : contents }
}

/** Content that does hold the delimiter would be two parts. */
function withoutDelimiter(text: string, delimiter: string): string {
  const clean = text.split(delimiter).join('')
  const start = `\r\n${clean}\r\n`.includes(delimiter) || `${clean}\r\n--`.includes(delimiter)
  return start ? clean.replace(/[\r\n-]/g, '') : clean
}

function damage(bytes: Buffer, below: (n: number) => number, insert: Buffer): Buffer {
  const at = below(bytes.length + 1)
  const length = below(8)
  switch (below(4)) {
    case 0:
      return Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + length)])
    case 1:
      return Buffer.concat([bytes.subarray(0, at), insert, bytes.subarray(at)])
    case 2:
      return bytes.subarray(0, at)
    default: {
      const copy = Buffer.from(bytes)
      if (at < copy.length) copy[at] = below(256)
      return copy
    }
  }
}

function read({ boundary }: MultipartCase, chunks: readonly Buffer[]): Reading {
  const splitter = new MultipartSplitter(boundary, LIMITS)
  const parts: Reading['parts'] = []
  const take = (event: MultipartEvent) => {
    if (event.is === 'begin') {
      assert.equal(event.part, parts.length)
      parts.push({ headers: JSON.stringify([...event.headers]), text: '', whole: false })
      return
    }
    const part = parts.at(-1)
    assert.ok(part !== undefined && !part.whole && event.part === parts.length - 1)
    if (event.is === 'data') part.text += event.bytes.toString('latin1')
    else part.whole = true
  }
  for (const chunk of chunks) for (const event of splitter.push(chunk)) take(event)
  splitter.end()
  const { failure } = splitter
  // What an unfinished part had until then depends on how it was cut: it is nobody's.
  for (const part of parts) if (!part.whole) part.text = ''
  return { parts, failure: failure === undefined ? null : `${failure.kind} ${failure.part}` }
}

/** @throws AssertionError when an oracle is not met */
export function checkMultipart(made: MultipartCase): void {
  const { body, cuts, parts } = made
  const edges = [0, ...cuts, body.length]
  const chunks = edges.slice(1).map((end, i) => body.subarray(edges[i], end))
  const whole = read(made, [body])
  assert.deepEqual(read(made, chunks), whole)
  assert.ok(whole.parts.reduce((sum, { text }) => sum + text.length, 0) <= body.length)
  assert.ok(whole.parts.length <= LIMITS.partsMax)
  assert.ok(whole.failure !== null || whole.parts.every((part) => part.whole))
  if (parts === null) return
  assert.equal(whole.failure, null)
  assert.deepEqual(
    whole.parts.map(({ text }) => text),
    parts,
  )
}

/** Runs one seed; a failure is shrunk before it is thrown, and says what to put into a fixture. */
export function runMultipartSeed(seed: number): void {
  const made = multipartCase(seed)
  try {
    checkMultipart(made)
  } catch (cause) {
    const small = shrink(made)
    const fixture = {
      boundary: small.boundary,
      body: small.body.toString('latin1'),
      cuts: small.cuts,
      parts: small.parts,
    }
    throw new Error(`seed ${seed}: ${JSON.stringify(fixture)}`, { cause })
  }
}

/** Leaves out bytes and cuts for as long as the case still fails. A damaged body needs no parts to be compared with. */
function shrink(made: MultipartCase): MultipartCase {
  let smallest = made
  const fails = (next: MultipartCase): boolean => {
    try {
      checkMultipart(next)
      return false
    } catch {
      smallest = next
      return true
    }
  }
  for (let i = made.cuts.length - 1; i >= 0; i--) fails({ ...smallest, cuts: smallest.cuts.filter((_, k) => k !== i) })
  if (smallest.parts !== null) return smallest
  for (let length = 64; length >= 1; length >>= 1) {
    for (let at = 0; at + length <= smallest.body.length; ) {
      const body = Buffer.concat([smallest.body.subarray(0, at), smallest.body.subarray(at + length)])
      const cuts = smallest.cuts.map((cut) => Math.min(body.length, cut > at ? Math.max(at, cut - length) : cut))
      if (!fails({ ...smallest, body, cuts })) at += length
    }
  }
  return smallest
}
