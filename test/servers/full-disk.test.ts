/** A full disk answers 507 and A700, reads go on, and it recovers without a restart. threats.md K2. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { rmSync, writeFileSync } from 'node:fs'
import http from 'node:http'
import { join } from 'node:path'
import { test } from 'node:test'
import { startServer, temporaryDirectory } from '../live/server.ts'
import { StoreClient } from '../live/store-client.ts'
import { request, stow } from '../live/stow-client.ts'
import { tinyObject } from '../live/tiny-object.ts'

const CT = '1.2.840.10008.5.1.4.1.1.2'
const EXPLICIT_LE = '1.2.840.10008.1.2.1'

test('a full disk refuses what comes and serves what is there', { timeout: 120_000 }, async (t) => {
  const folder = temporaryDirectory('full')
  const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=96m', 'tmpfs', folder.path]).status === 0
  if (!mounted) {
    folder.remove()
    t.skip('needs the right to mount a small file system')
    return
  }
  const server = await startServer({
    dataDirectory: folder.path,
    args: ['--dimse-port', '0'],
    env: { DIPTYCH_STORAGE_RESERVE: String(16 * 2 ** 20) },
  })
  const agent = new http.Agent({ keepAlive: true })
  try {
    const object = (n: number, side = 512) =>
      tinyObject({
        sopInstanceUID: `2.25.3.${n}`,
        studyInstanceUID: '2.25.31',
        seriesInstanceUID: '2.25.32',
        number: n,
        side,
      })
    const first = await stow(agent, `${server.url}/dicom-web`, [object(1)])
    assert.equal(first.status, 200, first.body.toString())
    const filler = join(folder.path, 'filler')
    writeFileSync(filler, Buffer.alloc(72 * 2 ** 20, 1))
    let refused = 0
    for (let n = 2; n < 40 && refused === 0; n++) {
      const answer = await stow(agent, `${server.url}/dicom-web`, [object(n)])
      if (answer.status === 507) refused = n
      else assert.equal(answer.status, 200, answer.body.toString())
    }
    assert.ok(refused > 0, 'it never said that the disk is full')
    // By C-STORE the same: A700 for what fits into memory and for what goes to the spool, and the association goes on.
    const contexts = [{ sopClass: CT, transferSyntaxes: [EXPLICIT_LE] }]
    const client = await StoreClient.open({ port: server.dimse?.port ?? 0, contexts })
    const send = (n: number, side: number) => {
      const file = object(n, side)
      return client.store(CT, EXPLICIT_LE, `2.25.3.${n}`, file.subarray(144 + file.readUInt32LE(140)))
    }
    assert.equal((await send(101, 512)).status, 0xa700)
    assert.equal((await send(102, 2048)).status, 0xa700)
    const read = await request(agent, `${server.url}/dicom-web/studies/2.25.31/series/2.25.32/instances/2.25.3.1`)
    assert.equal(read.status, 200)
    rmSync(filler)
    assert.equal((await send(101, 512)).status, 0)
    assert.equal((await send(102, 2048)).status, 0)
    await client.release()
    const again = await stow(agent, `${server.url}/dicom-web`, [object(refused)])
    assert.equal(again.status, 200, again.body.toString())
  } finally {
    agent.destroy()
    await server.stop()
    spawnSync('umount', [folder.path])
    folder.remove()
  }
})
