/** The DICOM door before other people's senders: dcmtk and Orthanc, and a sender of our own that misbehaves. */
import assert from 'node:assert/strict'
import { mkdirSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { orthancIsHere, startOrthanc } from '../bench/orthanc.ts'
import { DEFLATED_LE, EXPLICIT_BE, EXPLICIT_LE, IMPLICIT_LE, part10 } from '../fixtures/dicom-builder.ts'
import { HOSTILE } from '../fixtures/hostile.ts'
import { ctImage, pdfObject } from '../fixtures/objects.ts'
import { type LiveServer, runCommand, startServer, temporaryDirectory } from '../live/server.ts'
import { StoreClient, type StoreClientError, type StoreOptions } from '../live/store-client.ts'
import { CT, folder, fresh, prefix, SR } from './dimse-files.ts'
import { api, dataSetOf, kept, runProgram, sha256 } from './dimse-programs.ts'

describe('C-STORE from dcmtk', { timeout: 300_000 }, () => {
  const data = temporaryDirectory('dimse')
  let server: LiveServer
  let peer: string[]

  before(async () => {
    server = await startServer({ dataDirectory: data.path, args: ['--dimse-port', '0'] })
    peer = ['-aec', 'DIPTYCH', '127.0.0.1', String(server.dimse?.port)]
  })
  after(async () => {
    await server.stop()
    assert.equal(server.faults(), '')
    data.remove()
  })

  test('echoscu is answered, by a stranger on this machine', async () => {
    assert.equal(server.dimse?.aeTitle, 'DIPTYCH')
    const { status, said } = await runProgram('echoscu', ['-v', ...peer])
    assert.equal(status, 0, said)
    assert.match(said, /Received Echo Response \(Success\)/)
  })

  test('another called AE title is refused with reason 7', async () => {
    const { status, said } = await runProgram('echoscu', ['-aec', 'OTHER', '127.0.0.1', String(server.dimse?.port)])
    assert.notEqual(status, 0)
    assert.match(said, /Called AE Title Not Recognized/)
  })

  // What is kept is what was sent, in the transfer syntax it was sent in: nothing of ours re-encodes.
  const syntaxes: { name: string; uid: string; convert: string[] | null; program?: string; propose: string[] }[] = [
    { name: 'implicit', uid: IMPLICIT_LE, convert: ['+ti'], propose: ['-xi'] },
    { name: 'explicit', uid: EXPLICIT_LE, convert: null, propose: ['-xe'] },
    { name: 'big endian', uid: EXPLICIT_BE, convert: ['+tb'], propose: ['-xb'] },
    { name: 'deflated', uid: DEFLATED_LE, convert: ['+td'], propose: ['-xd'] },
    { name: 'RLE', uid: '1.2.840.10008.1.2.5', convert: [], program: 'dcmcrle', propose: ['-xr'] },
    { name: 'JPEG lossless', uid: '1.2.840.10008.1.2.4.70', convert: ['+e1'], program: 'dcmcjpeg', propose: ['-xs'] },
    { name: 'JPEG-LS', uid: '1.2.840.10008.1.2.4.80', convert: ['+el'], program: 'dcmcjpls', propose: ['-xt'] },
  ]
  for (const { name, uid, convert, program = 'dcmconv', propose } of syntaxes) {
    test(`storescu ${propose.join(' ')}: ${name} is kept as it was sent`, async () => {
      const { path, instance } = fresh(64)
      const sent = convert === null ? path : `${path}.${name.replaceAll(' ', '-')}`
      if (convert !== null) {
        const converted = await runProgram(program, [...convert, path, sent])
        assert.equal(converted.status, 0, converted.said)
      }
      const { status, said } = await runProgram('storescu', ['-v', ...propose, ...peer, sent])
      assert.equal(status, 0, said)
      assert.match(said, /Received Store Response \(Success\)/)
      const back = await kept(server, instance)
      assert.ok(Buffer.isBuffer(back), `answered ${back}`)
      const { bytes, transferSyntax } = dataSetOf(back)
      assert.equal(transferSyntax, uid)
      assert.equal(bytes.length > 0, true)
      const arrivals = await api(server, `/arrivals?sopInstanceUid=${instance}`)
      const [arrival] = (arrivals.json as { items: { sha256: string; door: string; peer: string; verdict: string }[] })
        .items
      assert.deepEqual([arrival?.door, arrival?.peer, arrival?.verdict], ['dimse', 'STORESCU', 'accept'])
      assert.equal(arrival?.sha256, sha256(bytes), 'the digest is that of the data set')
    })
  }

  test('storescu +C and -R: combined and required contexts, many files on one association', async () => {
    const objects = Array.from({ length: 20 }, () => fresh())
    const paths = objects.map(({ path }) => path)
    for (const option of [['+C'], ['-R']]) {
      const { status, said } = await runProgram('storescu', ['-v', ...option, ...peer, ...paths])
      assert.equal(status, 0, said)
      assert.equal(said.match(/Received Store Response \(Success\)/g)?.length, 20, said)
    }
    for (const { instance } of objects) assert.ok(Buffer.isBuffer(await kept(server, instance)))
  })

  test('dcmsend stores a folder, and what is kept equals it byte for byte', async () => {
    const where = join(folder.path, 'send')
    mkdirSync(where)
    const objects = Array.from({ length: 10 }, () => fresh(32))
    for (const [i, { file }] of objects.entries()) writeFileSync(join(where, `${i}.dcm`), file)
    const { status, said } = await runProgram('dcmsend', ['-v', '+sd', ...peer, where])
    assert.equal(status, 0, said)
    for (const { file, instance } of objects) {
      const back = await kept(server, instance)
      assert.ok(Buffer.isBuffer(back), `answered ${back}`)
      assert.ok(dataSetOf(back).bytes.equals(dataSetOf(file).bytes))
    }
  })

  test('an object above 4 MiB goes through the spool and is kept byte for byte', async () => {
    const { file, instance, path } = fresh(2048)
    const { status, said } = await runProgram('storescu', ['-v', ...peer, path])
    assert.equal(status, 0, said)
    const back = await kept(server, instance)
    assert.ok(Buffer.isBuffer(back), `answered ${back}`)
    assert.ok(dataSetOf(back).bytes.equals(dataSetOf(file).bytes))
  })

  test('a held object is told as C000 with the number of the quarantine; sent again it is told the same', async () => {
    const file = part10({
      elements: pdfObject(Buffer.from('%PDF-1.7\n1 0 obj<</OpenAction<</S/Launch>>>>endobj\n%%EOF')),
    })
    const path = join(folder.path, 'held.dcm')
    writeFileSync(path, file)
    const said: string[] = []
    for (let times = 0; times < 2; times++) {
      const ran = await runProgram('storescu', ['-d', ...peer, path])
      assert.match(ran.said, /DIMSE Status\s*: 0xc000/, ran.said)
      assert.doesNotMatch(ran.said, /Status.*Success/)
      said.push(/quarantine ([0-9a-f-]{36}): ([A-Za-z0-9-]+)/.exec(ran.said)?.[0] ?? ran.said)
    }
    assert.equal(said[0], said[1])
    const id = said[0]?.split(/[ :]/)[1]
    const item = await api(server, `/quarantine/${id}`)
    const { state, door, arrivals, sha256: digest } = item.json as { [key: string]: unknown }
    assert.deepEqual([state, door, arrivals, digest], ['held', 'dimse', 2, sha256(dataSetOf(file).bytes)])
  })

  test('a held object that is released is there as it was sent', async () => {
    const list = await api(server, '/quarantine?state=held')
    const [item] = (list.json as { items: { id: string; sopInstanceUid: string; sha256: string }[] }).items
    assert.ok(item !== undefined)
    const { status, stderr } = await runCommand([
      'quarantine',
      'release',
      item.id,
      '--reason',
      'looked at',
      '--data',
      data.path,
    ])
    assert.equal(status, 0, stderr)
    const back = await kept(server, item.sopInstanceUid)
    assert.ok(Buffer.isBuffer(back), `answered ${back}`)
    assert.equal(sha256(dataSetOf(back).bytes), item.sha256)
  })

  const open = (more: Partial<StoreOptions> = {}) =>
    StoreClient.open({
      port: server.dimse?.port ?? 0,
      contexts: [
        { sopClass: CT, transferSyntaxes: [EXPLICIT_LE] },
        { sopClass: SR, transferSyntaxes: [EXPLICIT_LE] },
      ],
      ...more,
    })

  test('a command that names another class or instance than the data set: A900, and nothing is stored', async () => {
    const client = await open()
    const { file, instance } = fresh()
    const { bytes } = dataSetOf(file)
    const other = await client.store(CT, EXPLICIT_LE, `${prefix}.0.77`, bytes)
    assert.equal(other.status, 0xa900, other.comment)
    assert.match(other.comment, /^quarantine [0-9a-f-]{36}: M5$/)
    const wrongClass = await client.store(SR, EXPLICIT_LE, instance, bytes)
    assert.equal(wrongClass.status, 0xa900, wrongClass.comment)
    assert.equal(await kept(server, instance), 204)
    await client.release()
  })

  test('the same again is success, another content under the UID is held', async () => {
    const client = await open()
    const { file, instance } = fresh()
    const { bytes } = dataSetOf(file)
    assert.equal((await client.store(CT, EXPLICIT_LE, instance, bytes)).status, 0)
    assert.equal((await client.store(CT, EXPLICIT_LE, instance, bytes)).status, 0)
    const changed = Buffer.from(bytes)
    changed[changed.length - 1] = (changed.at(-1) ?? 0) ^ 1
    const conflict = await client.store(CT, EXPLICIT_LE, instance, changed)
    assert.equal(conflict.status, 0xc000)
    assert.match(conflict.comment, /: conflict$/)
    await client.release()
  })

  test('an asynchronous window is kept to: many C-STOREs of one association at once', async () => {
    const client = await open({ invoked: 16 })
    assert.equal(client.invoked, 16)
    const objects = Array.from({ length: 64 }, () => fresh())
    const answers = await Promise.all(
      objects.map(({ file, instance }) => client.store(CT, EXPLICIT_LE, instance, dataSetOf(file).bytes)),
    )
    assert.deepEqual(
      answers.map(({ status, sopInstanceUID }) => `${status} ${sopInstanceUID}`),
      objects.map(({ instance }) => `0 ${instance}`),
    )
    await client.release()
  })

  test('an object that breaks off is not there, and the next client is served', async () => {
    const { file, instance } = fresh(512)
    const client = await open()
    const answered = client.store(CT, EXPLICIT_LE, instance, dataSetOf(file).bytes.subarray(0, 301))
    const { status: cut } = await answered
    assert.ok(cut >= 0xa000, `${cut.toString(16)}`)
    client.destroy()
    assert.equal(await kept(server, instance), 204)
    const half = await open()
    half.store(CT, EXPLICIT_LE, instance, dataSetOf(file).bytes).catch(() => undefined)
    half.destroy()
    const { status, said } = await runProgram('echoscu', peer)
    assert.equal(status, 0, said)
  })

  test('the next client is served after garbage', async () => {
    const garbage = [
      Buffer.from('GET / HTTP/1.1\r\n\r\n'),
      Buffer.alloc(100_000, 0xff),
      Buffer.from([4, 0, 0, 0, 0, 10, 0, 0, 0, 6, 1, 3, 0, 0, 0, 0]),
      Buffer.from([1, 0, 0xff, 0xff, 0xff, 0xff]),
    ]
    for (const bytes of garbage) {
      await new Promise<void>((resolve) => {
        const socket = connect(server.dimse?.port ?? 0, '127.0.0.1', () => socket.end(bytes))
        socket.on('error', () => resolve())
        socket.on('close', () => resolve())
        socket.resume()
      })
    }
    const { status, said } = await runProgram('echoscu', peer)
    assert.equal(status, 0, said)
  })

  test('one peer floods, another is served meanwhile', async () => {
    let over = false
    let stored = 0
    const flooding = Array.from({ length: 8 }, async () => {
      const client = await open({ calling: 'FLOOD', invoked: 32 })
      while (!over) {
        const batch = Array.from({ length: 32 }, () => fresh())
        const answers = await Promise.all(
          batch.map(({ file, instance }) => client.store(CT, EXPLICIT_LE, instance, dataSetOf(file).bytes)),
        )
        stored += answers.filter(({ status }) => status === 0).length
      }
      client.destroy()
    })
    await new Promise((resolve) => setTimeout(resolve, 300))
    let slowest = 0
    for (let i = 0; i < 10; i++) {
      const began = performance.now()
      const { status, said } = await runProgram('echoscu', peer)
      assert.equal(status, 0, said)
      slowest = Math.max(slowest, performance.now() - began)
    }
    over = true
    await Promise.all(flooding)
    assert.ok(stored > 100, `only ${stored} stored`)
    assert.ok(slowest < 3000, `${slowest} ms`)
  })

  test('more associations of one peer than it may have: temporary congestion, and room again afterwards', async () => {
    const clients: StoreClient[] = []
    let refused: StoreClientError | null = null
    for (let i = 0; i < 40 && refused === null; i++) {
      await open().then(
        (client) => clients.push(client),
        (error: StoreClientError) => {
          refused = error
        },
      )
    }
    assert.deepEqual((refused as StoreClientError | null)?.told, [2, 3, 1])
    assert.equal(clients.length, 32)
    await Promise.all(clients.map((client) => client.release()))
    await (await open()).release()
  })

  test('nothing in common is refused as such', async () => {
    await assert.rejects(open({ contexts: [{ sopClass: '1.2.840.10008.5.1.1.1', transferSyntaxes: [EXPLICIT_LE] }] }), {
      told: [1, 1, 1],
    })
  })

  test('a private class is kept; an unknown transfer syntax is not agreed to', async () => {
    const client = await open({
      contexts: [
        { sopClass: '1.3.46.670589.2.5.1.1', transferSyntaxes: ['1.2.3.4.5', EXPLICIT_LE] },
        { sopClass: CT, transferSyntaxes: ['1.2.3.4.5'] },
      ],
    })
    assert.deepEqual([...client.contexts.keys()], [`1.3.46.670589.2.5.1.1 ${EXPLICIT_LE}`])
    const instance = `${prefix}.0.888`
    const file = part10({
      elements: {
        ...ctImage(),
        SOPClassUID: '1.3.46.670589.2.5.1.1',
        SOPInstanceUID: instance,
        StudyInstanceUID: `${prefix}.0.889`,
        SeriesInstanceUID: `${prefix}.0.890`,
      },
    })
    const answer = await client.store('1.3.46.670589.2.5.1.1', EXPLICIT_LE, instance, dataSetOf(file).bytes)
    assert.equal(answer.status, 0, answer.comment)
    await client.release()
  })

  test('hostile objects by C-STORE are held', async () => {
    const client = await open({ contexts: [{ sopClass: CT, transferSyntaxes: [EXPLICIT_LE] }] })
    const file = HOSTILE['zip-behind']?.()
    assert.ok(file !== undefined)
    const { bytes } = dataSetOf(file)
    const answer = await client.store(CT, EXPLICIT_LE, '1.2.3', bytes)
    assert.ok(answer.status === 0xc000 || answer.status === 0xa900, answer.status.toString(16))
    await client.release()
  })

  test('Orthanc sends a study to us', { skip: orthancIsHere() ? false : 'Orthanc is not installed' }, async () => {
    const orthanc = await startOrthanc()
    try {
      const root = orthanc.root.replace('/dicom-web', '')
      const objects = [fresh(64), fresh(64), fresh(0)]
      for (const { file } of objects) {
        const stored = await fetch(`${root}/instances`, { method: 'POST', body: new Uint8Array(file) })
        assert.equal(stored.status, 200)
      }
      const modality = { AET: 'DIPTYCH', Host: '127.0.0.1', Port: server.dimse?.port, Manufacturer: 'Generic' }
      assert.equal(
        (await fetch(`${root}/modalities/us`, { method: 'PUT', body: JSON.stringify(modality) })).status,
        200,
      )
      assert.equal((await fetch(`${root}/modalities/us/echo`, { method: 'POST', body: '{}' })).status, 200)
      const studies = (await (await fetch(`${root}/studies`)).json()) as string[]
      const sent = await fetch(`${root}/modalities/us/store`, { method: 'POST', body: JSON.stringify(studies) })
      const told = (await sent.json()) as { FailedInstancesCount?: number }
      assert.equal(sent.status, 200, JSON.stringify(told))
      assert.equal(told.FailedInstancesCount, 0)
      for (const { instance } of objects) assert.ok(Buffer.isBuffer(await kept(server, instance)), instance)
    } finally {
      await orthanc.stop()
    }
  })
})
