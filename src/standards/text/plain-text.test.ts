import assert from 'node:assert/strict'
import { existsSync, globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { deflateSync } from 'node:zlib'
import { memorySource } from '../byte-source.ts'
import { DocumentError } from '../document-error.ts'
import { documentKindOf } from '../media/document-kind.ts'
import { DEFAULT_TEXT_LIMITS, type PlainText, plainText } from './plain-text.ts'

type Word = Parameters<typeof plainText>[0]
const read = (word: Word, content: string | Uint8Array, characters = 10_000): Promise<PlainText> =>
  plainText(word, memorySource(typeof content === 'string' ? Buffer.from(content, 'utf8') : content), {
    ...DEFAULT_TEXT_LIMITS,
    characters,
  })

const cda = (inner: string) =>
  `<?xml version="1.0"?><ClinicalDocument xmlns="urn:hl7-org:v3"><title>Note</title><languageCode code="de-CH"/>${inner}</ClinicalDocument>`
const section = (inner: string) =>
  cda(`<component><structuredBody><component><section>${inner}</section></component></structuredBody></component>`)
const nested = (levels: number) => `${'{'.repeat(levels)}x${'}'.repeat(levels)}`

// Each row is a way in which words get lost, glued together, or invented.
const cases: readonly [name: string, word: Word, content: string | Uint8Array, text: string][] = [
  ['text', 'text', 'one\r\ntwo\n\n\n\nthree', 'one\ntwo\n\nthree'],
  ['text of Windows', 'text', Buffer.from('b\xe4r for \x80', 'latin1'), 'bär for €'],
  ['text in UTF-16', 'text', new Uint8Array(Buffer.from('\ufeffbär', 'utf16le')), 'bär'],
  ['control characters', 'text', `a\u0001b\u200bc\u00add${' '.repeat(60)}e`, 'a bcd e'],
  [
    'cda sections',
    'cda',
    section(
      '<title>Findings</title><text>No <content>mass</content>.<br/>Next<table><tr><td>a</td><td>b</td></tr></table></text><entry><text>coded</text></entry>',
    ),
    'Note\nFindings\nNo mass.\nNext\na b',
  ],
  ['cda without words', 'cda', cda(''), 'Note'],
  [
    'cda in plain text',
    'cda',
    cda('<component><nonXMLBody><text>line\nnext</text></nonXMLBody></component>'),
    'Note\nline\nnext',
  ],
  [
    'cda in base64',
    'cda',
    cda(
      '<component><nonXMLBody><text mediaType="text/plain" representation="B64">QUJD</text></nonXMLBody></component>',
    ),
    'Note',
  ],
  ['xml', 'xml', '<r><a>one</a><b>two<c/>three</b></r>', 'one\ntwo\nthree'],
  [
    'html',
    'html',
    '<html><head><title>T</title><style>p{}</style></head><body><p>a &amp; b<script>alert("x")</script><p>c&eacute;<br>d</body>',
    'a & b\ncé\nd',
  ],
  ['html without an end', 'html', 'a <b>c</b> <i d="', 'a c'],
  ['html with a bare sign', 'html', '<p>a < b &unknown; &#x2264; &#0;</p>', 'a < b &unknown; ≤ \ufffd'],
  ['html attribute with a sign', 'html', '<p title="a>b">c</p>', 'c'],
  ['html comment', 'html', 'a<!-- <p>b --> c', 'a c'],
  ['html in Latin 2', 'html', Buffer.from('<meta charset="iso-8859-2"><p>\xb1\xe6</p>', 'latin1'), 'ąć'],
  ['rtf', 'rtf', '{\\rtf1\\ansi{\\fonttbl{\\f0 Arial;}}\\f0 one\\par two\\tab three}', 'one\ntwo three'],
  ['rtf code page', 'rtf', "{\\rtf1\\ansi\\ansicpg1251 \\'e4\\'e0}", 'да'],
  ['rtf font charset', 'rtf', "{\\rtf1\\ansi{\\fonttbl{\\f1\\fcharset238 A;}}{\\f1 \\'b9}\\'b9}", 'ą¹'],
  ['rtf two bytes', 'rtf', "{\\rtf1\\ansi\\ansicpg932 \\'93\\'fa\\'96\\'7b}", '日本'],
  ['rtf unicode', 'rtf', '{\\rtf1\\uc1 a\\u228?b \\u-10179?\\u-8704?}', 'aäb 😀'],
  ['rtf substitutes', 'rtf', "{\\rtf1{\\uc2 \\u228 ab c}\\u228\\'e4d}", 'ä c' + 'äd'],
  ['rtf half a character', 'rtf', '{\\rtf1 a\\u-10179?b}', 'a\ufffdb'],
  [
    'rtf pictures',
    'rtf',
    '{\\rtf1 a{\\pict\\pngblip 89504e47}{\\*\\unknown b}{\\object{\\objdata 00}{\\result c}}d}',
    'ad',
  ],
  ['rtf binary', 'rtf', '{\\rtf1 a{\\pict\\bin5 }}}}}b}c}', 'ac'],
  ['rtf binary that lies', 'rtf', '{\\rtf1 a\\bin999999999 b}', 'a'],
  ['rtf hidden', 'rtf', '{\\rtf1 a{\\v secret}b\\v c\\v0 d}', 'abd'],
  ['rtf escapes', 'rtf', '{\\rtf1 \\{a\\}\\~\\\\b\\_c}', '{a} \\b-c'],
  ['rtf that ends in a word', 'rtf', '{\\rtf1 a\\pa', 'a'],
  ['pictures have none', 'jpeg', '\xff\xd8', ''],
  [
    'FHIR',
    'fhir-document',
    JSON.stringify({
      resourceType: 'Bundle',
      type: 'document',
      entry: [
        {
          resource: {
            resourceType: 'Composition',
            title: 'C',
            section: [
              { title: 'S', text: { div: '<div>a<p>b</p></div>' }, section: [{ text: { div: '<div>c</div>' } }] },
            ],
          },
        },
      ],
    }),
    'C\nS\na\nb\nc',
  ],
  [
    'FHIR in XML',
    'fhir-document',
    '<Bundle xmlns="http://hl7.org/fhir"><entry><resource><Composition><title value="C"/><section><title value="S"/><text><div xmlns="http://www.w3.org/1999/xhtml">a<p>b</p></div></text></section></Composition></resource></entry></Bundle>',
    'C\nS\na\nb',
  ],
]

for (const [name, word, content, is] of cases) {
  test(`plain text: ${name}`, async () => assert.equal((await read(word, content)).text, is))
}

test('plain text: title and language', async () => {
  const about = async (word: Word, content: string) => {
    const { title, language } = await read(word, content)
    return [title, language]
  }
  assert.deepEqual(await about('cda', cda('')), ['Note', 'de-CH'])
  assert.deepEqual(await about('html', '<html lang="fr"><title> A\n&lt;b </title>'), ['A <b', 'fr'])
  assert.deepEqual(await about('html', '<html lang="<script>">'), [null, null])
  assert.deepEqual(await about('rtf', '{\\rtf1\\deflang1031{\\info{\\title Brief}{\\author X}}a}'), ['Brief', 'de-DE'])
})

test('plain text: what is beyond the limit is left out and told', async () => {
  for (const [word, content] of [
    ['text', 'word '.repeat(1000)],
    ['rtf', `{\\rtf1 ${'word '.repeat(1000)}}`],
    ['html', '<p>word'.repeat(1000)],
    ['cda', section(`<text>${'word '.repeat(1000)}</text>`)],
  ] as const) {
    const { text, truncated } = await read(word, content, 100)
    assert.ok(text.length <= 100 && text.length > 80, word)
    assert.equal(truncated, true, word)
  }
  assert.equal((await read('text', 'a😀', 2)).text, 'a')
})

const refused: readonly [name: string, word: Word, content: string, fault: string][] = [
  ['XML with a document type', 'cda', `<!DOCTYPE a [<!ENTITY b "c">]>${cda('').slice(21)}`, 'doctype'],
  ['XML with a document type that never ends', 'xml', '<!DOCTYPE a [', 'doctype'],
  ['an entity of its own', 'xml', '<a>&b;</a>', 'malformed'],
  ['XML too deep', 'xml', `${'<a>'.repeat(300)}`, 'limit'],
  ['XML cut short', 'cda', cda('').slice(0, -5), 'malformed'],
  ['XML in UTF-7', 'xml', '<?xml version="1.0" encoding="utf-7"?><a/>', 'encoding'],
  [
    'HTML in UTF-7',
    'html',
    '<meta charset="utf-7"><p>\u0001\u0001\u0001\u0001\u0001\u0001\u0001\u0001\u0001',
    'encoding',
  ],
  ['RTF too deep', 'rtf', `{\\rtf1 ${nested(2000)}`, 'limit'],
  ['RTF that is none', 'rtf', 'rtf', 'malformed'],
  ['FHIR too deep', 'fhir-document', '{"a":'.repeat(1000), 'limit'],
  ['FHIR without a Composition', 'fhir-document', '{"entry":[]}', 'malformed'],
  ['FHIR that does not parse', 'fhir-document', '{"entry":', 'malformed'],
  ['a report that is none', 'sr', 'DICM', 'malformed'],
  ['a PDF that is none', 'pdf', '%PDF-1.4 but no more', 'malformed'],
]

for (const [name, word, content, fault] of refused) {
  test(`plain text refuses ${name}`, async () => {
    await assert.rejects(read(word, content), (thrown) => thrown instanceof DocumentError && thrown.fault === fault)
  })
}

/** A small generator of its own, so that a failure can be repeated by its seed. */
function random(seed: number): () => number {
  let state = seed
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return state / 0x1_0000_0000
  }
}

const seeds: Readonly<Record<'rtf' | 'html' | 'cda' | 'fhir-document', readonly string[]>> = {
  rtf: [
    '{\\rtf1',
    '{',
    '}',
    '\\u-1?',
    "\\'e4",
    '\\uc0',
    '\\bin9 ',
    '\\*',
    '\\pict',
    '\\par',
    '\\f1',
    '{\\fonttbl',
    'a',
    ' ',
    '\\',
    '\\u',
    '\\title',
    '\\ansicpg932',
  ],
  html: [
    '<',
    '>',
    '</',
    '<p',
    '<script>',
    '</script',
    '<!--',
    '-->',
    '<title>',
    '="',
    "'",
    '&',
    '&#',
    '&#x110000;',
    'a',
    ' ',
    '<html lang=',
    '<!',
  ],
  cda: [
    '<ClinicalDocument xmlns="urn:hl7-org:v3">',
    '<section>',
    '</section>',
    '<text>',
    '</text>',
    '<title>',
    '</title>',
    '<entry>',
    '</entry>',
    '&lt;',
    'a',
    '<![CDATA[',
    ']]>',
    '<br/>',
  ],
  'fhir-document': [
    '{',
    '}',
    '[',
    ']',
    '"entry":',
    '"resource":',
    '"resourceType":"Composition"',
    ',',
    '"section":',
    '"text":',
    '"div":"<p>"',
    'null',
    '1',
  ],
}

for (const [word, pieces] of Object.entries(seeds) as [Word, readonly string[]][]) {
  test(`plain text: anything at all as ${word} is read or refused in bounds`, async () => {
    for (let seed = 1; seed <= 300; seed++) {
      const next = random(seed)
      let content = word === 'rtf' ? '{\\rtf1 ' : word === 'cda' ? (pieces[0] as string) : ''
      const count = Math.floor(next() * 60)
      for (let i = 0; i < count; i++) content += pieces[Math.floor(next() * pieces.length)]
      try {
        const { text } = await read(word, content, 1000)
        assert.ok(text.length <= 1000 && text.isWellFormed(), `seed ${seed}`)
      } catch (thrown) {
        assert.ok(thrown instanceof DocumentError, `seed ${seed}: ${thrown}`)
      }
    }
  })
}

test('plain text: long hostile input takes no more than linear time', async () => {
  const start = performance.now()
  await read('html', '<'.repeat(500_000))
  await read('html', '<p a='.repeat(200_000))
  await read('html', '<script>'.repeat(100_000))
  await read('html', '&'.repeat(1_000_000))
  await read('rtf', `{\\rtf1 ${"\\'e4".repeat(300_000)}}`)
  await read('rtf', `{\\rtf1 ${'\\u228?'.repeat(300_000)}}`)
  assert.ok(performance.now() - start < 5000)
})

/** A PDF of one page with one line, written by hand; the cross reference is rebuilt by the reader. */
function pdf(line: string, more = ''): string {
  const stream = `BT /F1 12 Tf 50 700 Td (${line}) Tj ET`
  return `%PDF-1.4
1 0 obj<</Type/Catalog/Pages 2 0 R/Lang(de-CH)${more}>>endobj
2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj
3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 600 800]/Contents 4 0 R/Resources<</Font<</F1 5 0 R>>>>>>endobj
4 0 obj<</Length ${stream.length}>>stream
${stream}
endstream endobj
5 0 obj<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>endobj
6 0 obj<</Title(Letter)/CreationDate(D:20190502100000+02'00')>>endobj
trailer<</Root 1 0 R/Info 6 0 R/Size 7>>
%%EOF
`
}

test('plain text: a PDF, with its title and language', async () => {
  const found = await read('pdf', pdf('Hello archive'))
  assert.deepEqual(found, { text: 'Hello archive', title: 'Letter', language: 'de-CH', truncated: false })
})

test('plain text: a script in a PDF is not run, a document that never ends is stopped', async () => {
  const withScript = pdf('still here', '/OpenAction<</S/JavaScript/JS(while\\(true\\){})>>')
  assert.equal((await read('pdf', withScript)).text, 'still here')
  await assert.rejects(
    plainText('pdf', memorySource(Buffer.from(pdf('x'))), { ...DEFAULT_TEXT_LIMITS, timeMs: 1 }),
    (thrown) => thrown instanceof DocumentError && thrown.fault === 'time',
  )
})

test('plain text: a PDF that unpacks without end is stopped by its memory', async () => {
  const packed = deflateSync(Buffer.alloc(300 * 1024 * 1024, 0x20)).toString('latin1')
  const bomb = pdf('x').replace(
    /<<\/Length \d+>>stream\n.*\n/,
    () => `<</Length ${packed.length}/Filter/FlateDecode>>stream\n${packed}\n`,
  )
  await assert.rejects(
    plainText('pdf', memorySource(Buffer.from(bomb, 'latin1')), { ...DEFAULT_TEXT_LIMITS, memoryMib: 64 }),
    (thrown) => thrown instanceof DocumentError && thrown.fault === 'memory',
  )
})

const samples = process.env['DIPTYCH_SAMPLES'] ?? '../shared/data'
test('plain text: samples', { skip: existsSync(samples) ? false : `no samples at ${samples}` }, async () => {
  let count = 0
  for (const path of globSync('{cda,documents}/**/*.{xml,ccda,pdf}', { cwd: samples })) {
    const source = memorySource(readFileSync(join(samples, path)))
    const kind = documentKindOf(source)
    if (kind === null || path.includes('XXE')) continue
    const { text } = await plainText(kind.word, source)
    if (!path.includes('XInclude')) assert.ok(text.length > 20, path)
    count++
  }
  assert.ok(count > 10)
})
