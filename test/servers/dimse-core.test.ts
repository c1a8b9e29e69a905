/** The DIMSE core alone before dcmtk: its senders against an acceptor of a few lines, our requestor against storescp. */
import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { readdirSync, writeFileSync } from 'node:fs'
import { connect, createServer, type Server } from 'node:net'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { acceptAssociation } from '#standards/dimse/accept.ts'
import { COMMAND } from '#standards/dimse/command-set.ts'
import { acceptAll, answerAll, CT, requestOf, VERIFICATION } from '#standards/dimse/fixture.ts'
import { requestAssociation } from '#standards/dimse/request.ts'
import { freePort } from '../bench/orthanc.ts'
import { temporaryDirectory } from '../live/server.ts'
import { tinyObject } from '../live/tiny-object.ts'
import { dataSetOf, runProgram } from './dimse-programs.ts'

const folder = temporaryDirectory('dimse-core')
after(() => folder.remove())
const object = (number: number, side: number) => {
  const uid = `2.25.77${process.pid}.${number}`
  const names = { sopInstanceUID: uid, studyInstanceUID: `${uid}.1`, seriesInstanceUID: `${uid}.2` }
  return { uid, file: tinyObject({ ...names, number, side }) }
}

describe('dcmtk sends to us', { timeout: 120_000 }, () => {
  const got = { messages: 0, bytes: 0 }
  const faults: unknown[] = []
  const ends: string[] = []
  const server: Server = createServer({ noDelay: true }, (socket) => {
    acceptAssociation(socket, acceptAll, { onEnd: (end) => ends.push(end.how) })
      .then((association) => (association === null ? undefined : answerAll(association, got)))
      .catch((error: unknown) => faults.push(error))
  })
  let port = ''
  before(async () => {
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const address = server.address()
    port = String(typeof address === 'object' && address !== null ? address.port : 0)
  })
  after(() => server.close())

  test('echoscu, three times in one association', async () => {
    const { status, said } = await runProgram('echoscu', ['-v', '--repeat', '3', '127.0.0.1', port])
    assert.equal(status, 0, said)
    assert.equal(got.messages, 3)
  })

  // Small and large maximum lengths: fragments of 4 KiB, and PDUs up to what we offer.
  for (const max of ['4096', '131072']) {
    test(`storescu, PDUs of at most ${max} bytes`, async () => {
      const paths = [0, 1, 2].map((n) => {
        const path = join(folder.path, `${max}-${n}.dcm`)
        writeFileSync(path, object(n, 600).file)
        return path
      })
      const before = { ...got }
      const bytes = paths.length * dataSetOf(object(0, 600).file).bytes.length
      const { status, said } = await runProgram('storescu', ['-v', '-pdu', max, '127.0.0.1', port, ...paths])
      assert.equal(status, 0, said)
      assert.equal(got.messages - before.messages, 3)
      assert.ok(Math.abs(got.bytes - before.bytes - bytes) < 1024, `${got.bytes - before.bytes} bytes of ${bytes}`)
    })
  }

  test('an abort of storescu is told as such, and the next is served', async () => {
    const path = join(folder.path, 'abort.dcm')
    writeFileSync(path, object(9, 16).file)
    await runProgram('storescu', ['--abort', '127.0.0.1', port, path])
    await sleep(50)
    assert.equal(ends.at(-1), 'aborted')
    const { status } = await runProgram('echoscu', ['127.0.0.1', port])
    assert.equal(status, 0)
    assert.deepEqual(faults, [])
  })
})

test('we send to storescp: echo and objects of several sizes in one association', { timeout: 60_000 }, async () => {
  const out = temporaryDirectory('storescp')
  const port = await freePort()
  const program: ChildProcess = spawn('storescp', ['-od', out.path, '+B', String(port)], { stdio: 'ignore' })
  try {
    await sleep(500)
    const socket = connect({ port, host: '127.0.0.1', noDelay: true })
    const contexts = [
      { id: 1, abstractSyntax: VERIFICATION, transferSyntaxes: ['1.2.840.10008.1.2'] },
      { id: 3, abstractSyntax: CT, transferSyntaxes: ['1.2.840.10008.1.2.1'] },
    ]
    const scu = await requestAssociation(socket, requestOf({ contexts, operations: null }))
    assert.deepEqual([...scu.contexts.keys()], [1, 3])
    for await (const { command } of scu.call(1, {
      commandField: COMMAND.C_ECHO_RQ,
      affectedSOPClassUID: VERIFICATION,
    })) {
      assert.equal(command.status, 0)
    }
    for (const [number, side] of [8, 100, 900].entries()) {
      const { uid, file } = object(100 + number, side)
      const { bytes } = dataSetOf(file)
      const pieces = [bytes.subarray(0, 1001), bytes.subarray(1001)]
      const store = {
        commandField: COMMAND.C_STORE_RQ,
        affectedSOPClassUID: CT,
        affectedSOPInstanceUID: uid,
        priority: 0,
      }
      for await (const { command } of scu.call(3, store, pieces)) assert.equal(command.status, 0)
    }
    await scu.release()
    assert.deepEqual(await scu.ended, { how: 'released' })
    assert.equal(readdirSync(out.path).length, 3)
  } finally {
    program.kill()
    out.remove()
  }
})
