import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { get } from 'node:https'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import type { TLSSocket } from 'node:tls'
import { connect } from 'node:tls'
import type { Route } from '#model/route.ts'
import { listening } from '../../test/support/http-fixture.ts'
import { securityFixture } from '../../test/support/security-fixture.ts'
import { selfSigned } from '../../test/support/self-signed.ts'

const WHERE: Route = {
  method: 'GET',
  url: '/where',
  standard: 'test',
  needs: 'public',
  handle: async ({ baseUrl }) => ({ baseUrl }),
}

function ask(port: number, ca: string): Promise<{ body: string; fingerprint: string; security: string | undefined }> {
  return new Promise((resolve, reject) => {
    get({ host: '127.0.0.1', port, path: '/where', ca, agent: false }, (response) => {
      const certificate = (response.socket as TLSSocket).getPeerX509Certificate()
      const fingerprint = createHash('sha256')
        .update(certificate?.raw ?? '')
        .digest('hex')
      let body = ''
      response.on('data', (chunk) => {
        body += chunk
      })
      const security = response.headers['strict-transport-security']
      response.on('end', () => resolve({ body, fingerprint, security }))
    }).on('error', reject)
  })
}

test('HTTPS: served, and a new certificate is used without a restart; a broken one is not', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'diptych-tls-'))
  const files = { certificate: join(folder, 'certificate.pem'), key: join(folder, 'key.pem') }
  const write = (pair: { certificate: string; key: string }) => {
    writeFileSync(files.certificate, pair.certificate)
    writeFileSync(files.key, pair.key)
  }
  const [first, second] = [selfSigned(1), selfSigned(2)]
  write(first)
  const http = { tlsCertificate: files.certificate, tlsKey: files.key }
  const server = await listening([WHERE], securityFixture(), { http })
  try {
    assert.match(server.url, /^https:/)
    const before = await ask(server.port, first.certificate)
    assert.equal(before.fingerprint, first.fingerprint)
    assert.equal(before.body, JSON.stringify({ baseUrl: `https://127.0.0.1:${server.port}` }))
    assert.equal(before.security, 'max-age=31536000')

    write({ certificate: second.certificate, key: 'not a key' })
    assert.throws(() => server.reloadCertificate())
    assert.equal((await ask(server.port, first.certificate)).fingerprint, first.fingerprint)

    write(second)
    server.reloadCertificate()
    assert.equal((await ask(server.port, second.certificate)).fingerprint, second.fingerprint)
  } finally {
    await server.close(100)
    rmSync(folder, { recursive: true })
  }
})

test('TLS 1.1 is refused', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'diptych-tls-'))
  const pair = selfSigned(3)
  const files = { tlsCertificate: join(folder, 'certificate.pem'), tlsKey: join(folder, 'key.pem') }
  writeFileSync(files.tlsCertificate, pair.certificate)
  writeFileSync(files.tlsKey, pair.key)
  const server = await listening([WHERE], securityFixture(), { http: files })
  try {
    await assert.rejects(
      new Promise((resolve, reject) => {
        const options = {
          host: '127.0.0.1',
          port: server.port,
          ca: pair.certificate,
          maxVersion: 'TLSv1.1',
          minVersion: 'TLSv1',
        } as const
        connect({ ...options, ciphers: 'ALL:@SECLEVEL=0' }, () => resolve(undefined)).on('error', reject)
      }),
    )
  } finally {
    await server.close(100)
    rmSync(folder, { recursive: true })
  }
})
