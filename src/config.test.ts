import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { configurationSettings, loadConfig } from './config.ts'
import { ArchiveError } from './errors.ts'

function fromFile(text: string, environment: Record<string, string> = {}) {
  const folder = mkdtempSync(join(tmpdir(), 'diptych-config-'))
  try {
    const file = join(folder, 'diptych.config.json')
    writeFileSync(file, text)
    return loadConfig({ file, environment })
  } finally {
    rmSync(folder, { recursive: true })
  }
}

test('defaults: loopback, the documented ports and limits', () => {
  const config = loadConfig({ file: '/nowhere/diptych.config.json' })
  assert.equal(config.http.host, '127.0.0.1')
  assert.deepEqual([config.http.port, config.dimse.port, config.hl7.port], [8080, 11112, 2575])
  assert.equal(config.limits.sequenceDepth, 64)
  assert.equal(config.limits.httpHeaderBytes, 16_384)
})

test('flags win over the environment, the environment over the file', () => {
  const text = JSON.stringify({ http: { port: 1 }, limits: { sequenceDepth: 10, objectSize: '2 GiB' } })
  const config = fromFile(text, { DIPTYCH_HTTP_PORT: '2', DIPTYCH_SCREENING_CLAMD: 'localhost:3310' })
  assert.equal(config.http.port, 2)
  assert.equal(config.limits.sequenceDepth, 10)
  assert.equal(config.limits.objectSize, 2 * 1024 ** 3)
  assert.equal(config.screening.clamd, 'localhost:3310')
  assert.equal(
    loadConfig({ environment: { DIPTYCH_HTTP_PORT: '2' }, given: { http: { port: 'off' } } }).http.port,
    'off',
  )
})

test('every setting can be set by the environment', () => {
  const values: { readonly [key: string]: string } = {
    publicBaseUrl: 'https://pacs.example/',
    trustedProxies: '10.0.0.1, 10.1.0.0/16',
    corsOrigins: 'https://viewer.example',
    clamd: '/run/clamd.sock',
    syslog: 'tls://audit.example:6514',
    host: '127.0.0.2',
    aeTitle: 'MY PACS',
    url: '',
    level: 'debug',
    tlsCertificate: 'a.pem',
    tlsKey: 'b.pem',
    insecure: 'true',
    reserve: '1 MiB',
  }
  const urls: { readonly [section: string]: string } = { storage: 'files', index: 'sqlite' }
  const environment = Object.fromEntries(
    configurationSettings().map(({ section, key, environment, fallback }) => [
      environment,
      key === 'url' ? (urls[section] ?? '') : (values[key] ?? String(fallback)),
    ]),
  )
  const config = loadConfig({ environment })
  assert.deepEqual(config.http.trustedProxies, ['10.0.0.1', '10.1.0.0/16'])
  assert.equal(config.http.publicBaseUrl, 'https://pacs.example')
  assert.equal(config.storage.reserve, 1024 ** 2)
})

// A wrong key or value is an error that names it: a limit with a typing mistake must not silently be the default.
const wrong: { name: string; text?: string; environment?: Record<string, string>; names: string }[] = [
  { name: 'unknown section', text: '{"htpp":{}}', names: 'htpp' },
  { name: 'unknown key', text: '{"http":{"prot":1}}', names: 'http.prot' },
  { name: 'wrong type', text: '{"http":{"port":"8080x"}}', names: 'http.port' },
  { name: 'out of range', text: '{"http":{"port":70000}}', names: 'http.port' },
  { name: 'not JSON', text: '{', names: 'diptych.config.json' },
  { name: 'not an object', text: '[]', names: 'diptych.config.json' },
  { name: 'section no object', text: '{"http":8080}', names: 'http' },
  {
    name: 'unknown environment name',
    environment: { DIPTYCH_LIMIT_SEQUENCE_DEPTH: '3' },
    names: 'DIPTYCH_LIMIT_SEQUENCE_DEPTH',
  },
  {
    name: 'wrong environment value',
    environment: { DIPTYCH_LIMITS_SEQUENCE_DEPTH: 'deep' },
    names: 'DIPTYCH_LIMITS_SEQUENCE_DEPTH',
  },
  { name: 'another index', environment: { DIPTYCH_INDEX: 'postgres://x' }, names: 'DIPTYCH_INDEX' },
  { name: 'CORS for all', text: '{"http":{"corsOrigins":["*"]}}', names: 'http.corsOrigins' },
  { name: 'certificate without key', text: '{"http":{"tlsCertificate":"a.pem"}}', names: 'http.tlsKey' },
  { name: 'proxy that is a name', text: '{"http":{"trustedProxies":["proxy.example"]}}', names: 'http.trustedProxies' },
]
for (const { name, text, environment, names } of wrong) {
  test(`configuration: ${name} is refused by name`, () => {
    assert.throws(
      () => fromFile(text ?? '{}', environment),
      (error) =>
        error instanceof ArchiveError && error.code === 'configuration.invalid' && error.message.includes(names),
    )
  })
}

test('names of tests and tools in the environment are no settings', () => {
  loadConfig({ environment: { DIPTYCH_SAMPLES: '/samples', DIPTYCH_TEST_X: '1', OTHER: 'x' } })
})
