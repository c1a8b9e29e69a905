/** Who may come in at the DICOM door: registered peers, strangers, certificates. */
import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { freePort } from '../bench/orthanc.ts'
import { EXPLICIT_LE } from '../fixtures/dicom-builder.ts'
import { type LiveServer, runCommand, startServer, temporaryDirectory } from '../live/server.ts'
import { StoreClient } from '../live/store-client.ts'
import { selfSigned } from '../support/self-signed.ts'
import { CT, folder, fresh, SR } from './dimse-files.ts'
import { api, dataSetOf, kept, runProgram } from './dimse-programs.ts'

describe('registered peers, strangers refused, TLS', { timeout: 120_000 }, () => {
  const data = temporaryDirectory('dimse-tls')
  const [ours, theirs, others] = [selfSigned(1), selfSigned(2), selfSigned(3)]
  const pem = (name: string, text: string) => {
    const path = join(folder.path, name)
    writeFileSync(path, text)
    return path
  }
  let server: LiveServer
  let tlsPort = 0
  const peer = (...args: string[]) => runCommand(['peer', ...args, '--data', data.path, '--json'])

  before(async () => {
    tlsPort = await freePort()
    server = await startServer({
      dataDirectory: data.path,
      args: ['--dimse-port', '0'],
      env: {
        DIPTYCH_DIMSE_TLS_PORT: String(tlsPort),
        DIPTYCH_DIMSE_TLS_CERTIFICATE: pem('ours.pem', ours.certificate),
        DIPTYCH_DIMSE_TLS_KEY: pem('ours.key', ours.key),
      },
    })
    for (const [name, { certificate, key }] of Object.entries({ theirs, others })) {
      pem(`${name}.pem`, certificate)
      pem(`${name}.key`, key)
    }
    const set = await runCommand(['settings', 'set', 'dimse.strangers', 'refuse', '--data', data.path])
    assert.equal(set.status, 0, set.stderr)
  })
  after(async () => {
    await server.stop()
    assert.equal(server.faults(), '')
    data.remove()
  })

  const tls = (who: string, title: string) => [
    ...['+tls', join(folder.path, `${who}.key`), join(folder.path, `${who}.pem`)],
    ...['+cf', join(folder.path, 'ours.pem'), '-aet', title, '-aec', 'DIPTYCH', '127.0.0.1', String(tlsPort)],
  ]
  const plain = (title: string) => ['-aet', title, '-aec', 'DIPTYCH', '127.0.0.1', String(server.dimse?.port)]

  test('a stranger is refused with reason 3 once the site takes none', async () => {
    const { status, said } = await runProgram('echoscu', plain('WHO'))
    assert.notEqual(status, 0)
    assert.match(said, /Calling AE Title Not Recognized/)
    const { json } = await api(server, '/audit?kind=alert')
    assert.match(JSON.stringify(json), /calling AE title is not registered/)
  })

  test('a registered peer is let in from its address, for what it is allowed', async () => {
    const added = await peer('add', 'CT1', '--host', '127.0.0.1', '--port', '11999', '--allow', 'store')
    assert.equal(added.status, 0, added.stderr)
    const { path, instance } = fresh()
    const stored = await runProgram('storescu', ['-v', ...plain('CT1'), path])
    assert.equal(stored.status, 0, stored.said)
    assert.ok(Buffer.isBuffer(await kept(server, instance)))
    assert.notEqual((await runProgram('echoscu', plain('CT1'))).status, 0, 'echo is not among its rights')
    assert.equal((await peer('add', 'CT1', '--allow', 'echo,store')).status, 0)
    assert.equal((await runProgram('echoscu', plain('CT1'))).status, 0)
    const listed = await peer('list')
    assert.deepEqual(
      (listed.lines as { aeTitle: string }[]).map(({ aeTitle }) => aeTitle),
      ['CT1'],
    )
    assert.equal((await peer('remove', 'CT1')).status, 0)
    assert.match((await runProgram('echoscu', plain('CT1'))).said, /Calling AE Title Not Recognized/)
  })

  test('a peer that may store some classes only is not let in for others', async () => {
    const added = await peer('add', 'SR1', '--host', '127.0.0.1', '--port', '1', '--allow', 'store', '--sop-class', SR)
    assert.equal(added.status, 0, added.stderr)
    const { file, instance } = fresh()
    const contexts = [{ sopClass: CT, transferSyntaxes: [EXPLICIT_LE] }]
    const client = await StoreClient.open({ port: server.dimse?.port ?? 0, calling: 'SR1', contexts })
    assert.equal((await client.store(CT, EXPLICIT_LE, instance, dataSetOf(file).bytes)).status, 0x0122)
    await client.release()
  })

  test('TLS with the certificate that is bound to the title, with another, and without TLS', async () => {
    const added = await peer('add', 'MR1', '--allow', 'echo,store', '--certificate', theirs.fingerprint)
    assert.equal(added.status, 0, added.stderr)
    const { path, instance } = fresh(64)
    const echoed = await runProgram('echoscu', tls('theirs', 'MR1'))
    assert.equal(echoed.status, 0, echoed.said)
    const stored = await runProgram('storescu', ['-v', ...tls('theirs', 'MR1'), path])
    assert.equal(stored.status, 0, stored.said)
    assert.ok(Buffer.isBuffer(await kept(server, instance)))
    assert.match((await runProgram('echoscu', tls('others', 'MR1'))).said, /Calling AE Title Not Recognized/)
    assert.match((await runProgram('echoscu', plain('MR1'))).said, /Calling AE Title Not Recognized/)
  })

  test('what is no TLS at the TLS port, and no DICOM inside TLS, leaves the door open for the next', async () => {
    await new Promise<void>((resolve) => {
      const socket = connect(tlsPort, '127.0.0.1', () => socket.end(Buffer.alloc(4096, 0x41)))
      socket.on('error', () => resolve())
      socket.on('close', () => resolve())
      socket.resume()
    })
    assert.equal((await runProgram('echoscu', tls('theirs', 'MR1'))).status, 0)
  })

  test('a new certificate is used without a restart', async () => {
    const renewed = selfSigned(9)
    pem('ours.pem', renewed.certificate)
    pem('ours.key', renewed.key)
    const until = Date.now() + 20_000
    // +cf names the file that holds the new certificate now: the old one is refused by the client.
    while ((await runProgram('echoscu', tls('theirs', 'MR1'))).status !== 0) {
      assert.ok(Date.now() < until, 'the old certificate is still in use')
      await new Promise((resolve) => setTimeout(resolve, 500))
    }
    assert.equal(readFileSync(join(folder.path, 'ours.pem'), 'utf8'), renewed.certificate)
  })
})
