import assert from 'node:assert/strict'
import { connect, createServer, type Socket } from 'node:net'
import { type Duplex, duplexPair } from 'node:stream'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { acceptAssociation } from './accept.ts'
import type { Association, AssociationAnswer, AssociationLimits, AssociationRequest } from './association.ts'
import { COMMAND } from './command-set.ts'
import { DimseError } from './dimse-error.ts'
import { acceptAll, answerAll, limitsOf, pdusIn, requestOf, serve, VERIFICATION } from './fixture.ts'
import { requestAssociation } from './request.ts'

type Decide = (request: AssociationRequest) => Promise<AssociationAnswer>

/** Both sides of one association in memory. */
async function pair(
  changes: Partial<AssociationRequest> = {},
  limits: AssociationLimits = limitsOf(),
  decide: Decide = acceptAll,
): Promise<{ scu: Association; scp: Association }> {
  const [ours, theirs] = duplexPair()
  const accepting = acceptAssociation(theirs, decide, { limits })
  const scu = await requestAssociation(ours, requestOf(changes), limits)
  const scp = await accepting
  assert.ok(scp !== null)
  return { scu, scp }
}

async function first(association: Association) {
  for await (const message of association.messages()) return message
  throw new Error('the association ended')
}

/** A TCP pair: what the acceptor does is told, and who asks gets its socket. */
async function overTcp(accepted: (socket: Socket) => void, used: (socket: Socket) => Promise<void>): Promise<void> {
  const open = new Set<Socket>()
  const server = createServer({ noDelay: true }, (socket) => {
    open.add(socket)
    accepted(socket)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  const port = typeof address === 'object' && address !== null ? address.port : 0
  const socket = connect({ port, host: '127.0.0.1', noDelay: true })
  try {
    await used(socket)
  } finally {
    for (const each of [socket, ...open]) each.destroy()
    server.close()
  }
}

test('what was proposed arrives, what was answered comes back', async () => {
  const identity = { type: 2, responseRequested: true, primary: Buffer.from('who'), secondary: Buffer.from('pw') }
  const proposal = {
    roles: [{ sopClass: VERIFICATION, scu: true, scp: true }],
    extended: new Map([[VERIFICATION, Uint8Array.of(1, 0, 1)]]),
    userIdentity: identity,
    operations: { invoked: 5, performed: 3 },
  }
  let seen: AssociationRequest | undefined
  const { scu, scp } = await pair(proposal, limitsOf(), async (request) => {
    seen = request
    return {
      accept: true,
      contexts: [
        { id: 1, result: 0, transferSyntax: '1.2.840.10008.1.2' },
        { id: 3, result: 3, transferSyntax: null },
      ],
      operations: { invoked: 2, performed: 3 },
      roles: [{ sopClass: VERIFICATION, scu: true, scp: true }],
      extended: new Map([[VERIFICATION, Uint8Array.of(1)]]),
      userIdentityAnswer: new Uint8Array(0),
    }
  })
  assert.deepEqual(seen?.roles, proposal.roles)
  assert.equal(seen?.callingAeTitle, 'SENDER')
  assert.equal(seen?.calledAeTitle, 'ARCHIVE')
  assert.equal(seen?.pduLengthMax, 16_384)
  assert.deepEqual(seen?.operations, { invoked: 5, performed: 3 })
  assert.deepEqual(Buffer.from(seen?.userIdentity?.secondary ?? []).toString(), 'pw')
  assert.deepEqual([...(seen?.extended.get(VERIFICATION) ?? [])], [1, 0, 1])
  for (const side of [scu, scp]) {
    assert.deepEqual([...side.contexts.keys()], [1])
    assert.equal(side.contexts.get(1)?.requestorIsScp, true)
    assert.equal(side.refused?.get(3), 3)
    assert.equal(side.operationsInvoked, 2)
    assert.equal(side.operationsPerformed, 3)
    assert.deepEqual([...(side.extended.get(VERIFICATION) ?? [])], [1])
  }
  await scu.release()
  assert.deepEqual(await scp.ended, { how: 'released' })
})

test('a rejection is told with result, source, reason and in words', async () => {
  const [ours, theirs] = duplexPair()
  const ends: string[] = []
  const accepting = acceptAssociation(
    theirs,
    async () => ({ accept: false, result: 1, source: 1, reason: 7 }) as const,
    { onEnd: (end) => ends.push(end.how) },
  )
  await assert.rejects(requestAssociation(ours, requestOf()), (error: DimseError) => {
    assert.deepEqual([error.kind, error.result, error.source, error.reason], ['rejected', 1, 1, 7])
    assert.match(error.message, /called AE title not recognized/)
    return true
  })
  assert.equal(await accepting, null)
  assert.deepEqual(ends, ['rejected'])
})

test('a decision that fails is a transient rejection, and its error is not lost', async () => {
  const [ours, theirs] = duplexPair()
  const accepting = acceptAssociation(theirs, () => Promise.reject(new Error('no index')))
  const failed = assert.rejects(accepting, /no index/)
  await assert.rejects(requestAssociation(ours, requestOf()), { kind: 'rejected', result: 2 })
  await failed
})

test('nobody answers: timeout; the connection goes: lost; nobody there: lost', async () => {
  const [ours] = duplexPair()
  await assert.rejects(requestAssociation(ours, requestOf(), limitsOf({ artimMs: 50 })), { kind: 'timeout' })
  const [mine, gone] = duplexPair()
  setTimeout(() => gone.end(), 10)
  await assert.rejects(requestAssociation(mine, requestOf()), { kind: 'lost' })
  await assert.rejects(requestAssociation(connect({ port: 1, host: '127.0.0.1' }), requestOf()), { kind: 'lost' })
})

test('300 MB through a reader slower than the sender: memory stays flat', { timeout: 60_000 }, async () => {
  const total = 300 * 2 ** 20
  let received = 0
  let wrong = 0
  const serving = async (socket: Duplex) => {
    const association = await acceptAssociation(socket, acceptAll)
    assert.ok(association !== null)
    for await (const message of association.messages()) {
      let turns = 0
      for await (const fragment of message.dataSet ?? []) {
        // Every byte tells its place, modulo 251, which no power of two hides.
        if (fragment[0] !== received % 251 || fragment.at(-1) !== (received + fragment.length - 1) % 251) wrong++
        received += fragment.length
        if (++turns % 50 === 0) await sleep(1)
      }
      const { messageId = 0 } = message.command
      await association.send(3, { commandField: COMMAND.C_STORE_RSP, messageIdBeingRespondedTo: messageId, status: 0 })
    }
  }
  let served: Promise<void> = Promise.resolve()
  await overTcp(
    (socket) => {
      served = serving(socket)
    },
    async (socket) => {
      const scu = await requestAssociation(socket, requestOf())
      const pattern = Uint8Array.from({ length: 251 * 4096 }, (_, index) => index % 251)
      function* pieces() {
        for (let sent = 0; sent < total; sent += pattern.length)
          yield pattern.subarray(0, Math.min(total - sent, pattern.length))
      }
      const before = process.memoryUsage.rss()
      let peak = before
      const watch = setInterval(() => {
        peak = Math.max(peak, process.memoryUsage.rss())
      }, 10)
      for await (const { command } of scu.call(3, { commandField: COMMAND.C_STORE_RQ }, pieces())) {
        assert.equal(command.status, 0)
      }
      clearInterval(watch)
      await scu.release()
      assert.equal(received, total)
      assert.equal(wrong, 0)
      assert.ok(peak - before < 120 * 2 ** 20, `${(peak - before) >> 20} MiB more`)
    },
  )
  await served
})

test('a reader that does not read stops the sender', async () => {
  const { scu, scp } = await pair()
  let taken = 0
  function* pieces() {
    for (let n = 0; n < 400; n++) {
      taken += 65_536
      yield new Uint8Array(65_536)
    }
  }
  const sent = scu.send(3, { commandField: COMMAND.C_STORE_RQ, messageId: 1 }, pieces())
  const message = await first(scp)
  await sleep(50)
  assert.ok(taken < 3 * 2 ** 20, `${taken} bytes were taken from the sender`)
  await message.drain()
  await sent
  assert.equal(taken, 400 * 65_536)
  scu.abort('enough')
  assert.equal((await scp.ended).how, 'aborted')
})

test('a small message with its data set leaves in one write; fragments fit the peer', async () => {
  const [ours, theirs] = duplexPair()
  const { done } = serve(theirs, limitsOf({ pduLengthMax: 1024 }))
  const scu = await requestAssociation(ours, requestOf())
  const writes: Buffer[] = []
  const write = ours.write.bind(ours)
  ours.write = ((chunk: Buffer) => {
    writes.push(Buffer.from(chunk))
    return write(chunk)
  }) as typeof ours.write
  const pieces = [new Uint8Array(700), new Uint8Array(1), new Uint8Array(0), new Uint8Array(1799)]
  for await (const { command } of scu.call(3, { commandField: COMMAND.C_STORE_RQ }, pieces))
    assert.equal(command.status, 0)
  assert.equal(writes.length, 1)
  assert.deepEqual(pdusIn(writes[0] ?? Buffer.alloc(0)), ['4', '4', '4', '4'])
  const [bytes = Buffer.alloc(0)] = writes
  for (let at = 0; at < bytes.length; at += 6 + bytes.readUInt32BE(at + 2))
    assert.ok(bytes.readUInt32BE(at + 2) <= 1024)
  await scu.release()
  await done
})

test('ten operations at once, answered in the other order', async () => {
  const { scu, scp } = await pair()
  const answering = (async () => {
    const asked: number[] = []
    for await (const { command } of scp.messages()) {
      asked.push(command.messageId ?? 0)
      if (asked.length < 10) continue
      for (const id of asked.reverse()) {
        await scp.send(1, { commandField: COMMAND.C_ECHO_RSP, messageIdBeingRespondedTo: id, status: 0, errorId: id })
      }
      return
    }
  })()
  const answers = await Promise.all(
    Array.from({ length: 10 }, async () => {
      for await (const { command } of scu.call(1, { commandField: COMMAND.C_ECHO_RQ })) return command
      return undefined
    }),
  )
  assert.deepEqual(
    answers.map((answer) => answer?.errorId),
    [1, 2, 3, 4, 5, 6, 7, 8, 9, 10],
  )
  assert.ok(answers.every((answer) => answer?.errorId === answer?.messageIdBeingRespondedTo))
  await answering
  await scu.release()
})

test('without a window one operation is outstanding', async () => {
  const { scu, scp } = await pair({ operations: null })
  let most = 0
  let open = 0
  const answering = (async () => {
    for await (const { command } of scp.messages()) {
      most = Math.max(most, ++open)
      await sleep(2)
      open--
      const { messageId = 0 } = command
      await scp.send(1, { commandField: COMMAND.C_ECHO_RSP, messageIdBeingRespondedTo: messageId, status: 0 })
    }
  })()
  const echo = async () => {
    for await (const { command } of scu.call(1, { commandField: COMMAND.C_ECHO_RQ })) assert.equal(command.status, 0)
  }
  await Promise.all([echo(), echo(), echo(), echo()])
  assert.equal(most, 1)
  await scu.release()
  await answering
})

test('pending responses, a C-CANCEL as a message, requests of the acceptor meanwhile', async () => {
  const { scu, scp } = await pair()
  const serving = (async () => {
    const messages = scp.messages()[Symbol.asyncIterator]()
    const asked = (await messages.next()).value
    const id = asked.command.messageId
    const pending = { commandField: COMMAND.C_FIND_RSP, messageIdBeingRespondedTo: id, status: 0xff00 }
    await asked.drain()
    await scp.send(1, pending, [Buffer.from('a')])
    for await (const { command } of scp.call(3, { commandField: COMMAND.C_STORE_RQ }, [new Uint8Array(10)])) {
      assert.equal(command.status, 0)
    }
    await scp.send(1, pending, [Buffer.from('b')])
    const cancel = (await messages.next()).value
    assert.equal(cancel.command.commandField, COMMAND.C_CANCEL_RQ)
    assert.equal(cancel.command.messageIdBeingRespondedTo, id)
    assert.equal(cancel.dataSet, null)
    await scp.send(1, { ...pending, status: 0xfe00 })
  })()
  const got = { messages: 0, bytes: 0 }
  const sub = answerAll(scu, got)
  const seen: string[] = []
  for await (const { command, dataSet } of scu.call(1, { commandField: COMMAND.C_FIND_RQ }, [Buffer.from('q ')])) {
    for await (const fragment of dataSet ?? []) seen.push(Buffer.from(fragment).toString())
    if (seen.length === 2 && command.status === 0xff00) {
      const { messageIdBeingRespondedTo = 0 } = command
      await scu.send(1, { commandField: COMMAND.C_CANCEL_RQ, messageIdBeingRespondedTo })
    }
    if (command.status === 0xfe00) seen.push('cancelled')
  }
  assert.deepEqual(seen, ['a', 'b', 'cancelled'])
  assert.deepEqual(got, { messages: 1, bytes: 10 })
  await serving
  await scu.release()
  await sub
})

test('a caller who stops listening holds nobody up', async () => {
  const { scu, scp } = await pair({ operations: null })
  const serving = (async () => {
    for await (const { command } of scp.messages()) {
      const { messageId = 0, commandField } = command
      const answer = { commandField: commandField | 0x8000, messageIdBeingRespondedTo: messageId }
      if (commandField === COMMAND.C_FIND_RQ) {
        for (let n = 0; n < 50; n++) await scp.send(1, { ...answer, status: 0xff00 }, [new Uint8Array(50_000)])
      }
      await scp.send(1, { ...answer, status: 0 })
    }
  })()
  for await (const _ of scu.call(1, { commandField: COMMAND.C_FIND_RQ })) break
  for await (const { command } of scu.call(1, { commandField: COMMAND.C_ECHO_RQ })) assert.equal(command.status, 0)
  await scu.release()
  await serving
})

test('both release at the same moment', async () => {
  const { scu, scp } = await pair()
  await Promise.all([scu.release(), scp.release()])
  assert.deepEqual([await scu.ended, await scp.ended], [{ how: 'released' }, { how: 'released' }])
})

test('an abort ends what waits: calls, readers of data sets, messages', async () => {
  const { scu, scp } = await pair()
  const waiting = assert.rejects(
    (async () => {
      for await (const _ of scu.call(1, { commandField: COMMAND.C_ECHO_RQ })) assert.fail()
    })(),
    { kind: 'aborted', source: 0 },
  )
  await first(scp)
  scp.abort('going down')
  await waiting
  for await (const _ of scu.messages()) assert.fail()
  await assert.rejects(scu.send(1, { commandField: COMMAND.C_ECHO_RQ, messageId: 9 }), DimseError)
  const end = await scp.ended
  assert.ok(end.how === 'aborted' && end.by === 'us' && end.detail === 'going down')
})

test('a data set that fails while it is sent: before its first byte nothing happened, after it the association ends', async () => {
  const { scu, scp } = await pair()
  async function* broken(pieces: number) {
    for (let n = 0; n < pieces; n++) yield new Uint8Array(65_536)
    throw new Error('disk gone')
  }
  const got = { messages: 0, bytes: 0 }
  const reading = assert.rejects(answerAll(scp, got), { kind: 'aborted' })
  await assert.rejects(scu.send(3, { commandField: COMMAND.C_STORE_RQ, messageId: 1 }, broken(0)), /disk gone/)
  for await (const { command } of scu.call(1, { commandField: COMMAND.C_ECHO_RQ })) assert.equal(command.status, 0)
  await assert.rejects(scu.send(3, { commandField: COMMAND.C_STORE_RQ, messageId: 2 }, broken(9)), /disk gone/)
  await reading
  assert.equal((await scu.ended).how, 'aborted')
})

test('a response that does not come: timeout', async () => {
  const { scu, scp } = await pair({}, limitsOf({ idleMs: 80 }))
  const served = first(scp)
  await assert.rejects(
    (async () => {
      for await (const _ of scu.call(1, { commandField: COMMAND.C_ECHO_RQ })) assert.fail()
    })(),
    { kind: 'timeout' },
  )
  await served
})

test('a peer that takes nothing: timeout', async () => {
  await overTcp(
    (socket) => {
      const accepting = acceptAssociation(socket, acceptAll)
      accepting.then(() => socket.pause()).catch(assert.fail)
      socket.on('error', () => undefined)
    },
    async (socket) => {
      const scu = await requestAssociation(socket, requestOf(), limitsOf({ stalledMs: 150 }))
      function* endless() {
        for (;;) yield new Uint8Array(65_536)
      }
      const sent = scu.send(3, { commandField: COMMAND.C_STORE_RQ, messageId: 1 }, endless())
      await assert.rejects(sent, { kind: 'timeout' })
    },
  )
})

test('a context that was not accepted cannot be used', async () => {
  const { scu } = await pair()
  await assert.rejects(scu.send(77, { commandField: COMMAND.C_ECHO_RQ, messageId: 1 }), { kind: 'context' })
  await scu.release()
})
