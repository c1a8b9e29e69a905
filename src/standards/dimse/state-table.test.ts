import assert from 'node:assert/strict'
import { duplexPair } from 'node:stream'
import { test } from 'node:test'
import { type DecodedAccept, decodeAssociateRequest, encodeAssociateRequest } from './associate-pdu.ts'
import { DEFAULT_ASSOCIATION_LIMITS } from './association.ts'
import { actionOf, EVENTS, type Event, STATES, type State } from './state-table.ts'
import { UpperLayer } from './upper-layer.ts'

const REQUEST = encodeAssociateRequest({
  callingAeTitle: 'THERE',
  calledAeTitle: 'HERE',
  applicationContext: '1.2.840.10008.3.1.1.1',
  contexts: [{ id: 1, abstractSyntax: '1.2.840.10008.1.1', transferSyntaxes: ['1.2.840.10008.1.2'] }],
  pduLengthMax: 16384,
  implementationClassUID: '1.2.3',
  implementationVersionName: null,
  operations: null,
  roles: [],
  extended: new Map(),
  userIdentity: null,
})
const ACCEPT: DecodedAccept = {
  contexts: [],
  pduLengthMax: 0,
  implementationClassUID: '',
  implementationVersionName: null,
  operations: null,
  roles: [],
  extended: new Map(),
  userIdentity: null,
  userIdentityAnswer: null,
}
const decoded = decodeAssociateRequest(REQUEST.subarray(6), DEFAULT_ASSOCIATION_LIMITS)
const given = {
  Evt2: { bytes: REQUEST },
  Evt3: { accept: ACCEPT },
  Evt4: { rejection: { result: 1, source: 1, reason: 1 } },
  Evt6: { request: decoded },
  Evt7: { bytes: Uint8Array.of(2, 0, 0, 0, 0, 0) },
  Evt8: { rejection: { result: 1, source: 1, reason: 7 } },
  Evt9: { bytes: Uint8Array.of(4, 0, 0, 0, 0, 0) },
  Evt16: { source: 2, reason: 0 },
} as { readonly [event in Event]?: object }

// Written from the tables of PS3.8 anew, as what is seen from outside: the state that follows, and the PDU that leaves
// (its type; of an A-ABORT also its source). A dot: nothing happens.
const SEEN: { readonly [event in Event]: string } = {
  //     1    2       3       4     5       6       7       8       9       10      11      12      13
  Evt1: '4    .       .       .     .       .       .       .       .       .       .       .       .',
  Evt2: '.    .       .       5:1   .       .       .       .       .       .       .       .       .',
  Evt3: '.    13:7/0  13:7/2  .     6       13:7/2  13:7/2  13:7/2  13:7/2  13:7/2  13:7/2  13:7/2  13',
  Evt4: '.    13:7/0  13:7/2  .     1       13:7/2  13:7/2  13:7/2  13:7/2  13:7/2  13:7/2  13:7/2  13',
  Evt5: '2    .       .       .     .       .       .       .       .       .       .       .       .',
  Evt6: '.    3       13:7/2  .     13:7/2  13:7/2  13:7/2  13:7/2  13:7/2  13:7/2  13:7/2  13:7/2  13:7/2',
  Evt7: '.    .       6:2     .     .       .       .       .       .       .       .       .       .',
  Evt8: '.    .       13:3    .     .       .       .       .       .       .       .       .       .',
  Evt9: '.    .       .       .     .       6:4     .       8:4     .       .       .       .       .',
  Evt10: '.   13:7/0  13:7/2  .     13:7/2  6       7       13:7/2  13:7/2  13:7/2  13:7/2  13:7/2  13',
  Evt11: '.   .       .       .     .       7:5     .       .       .       .       .       .       .',
  Evt12: '.   13:7/0  13:7/2  .     13:7/2  8       9|10    13:7/2  13:7/2  13:7/2  13:7/2  13:7/2  13',
  Evt13: '.   13:7/0  13:7/2  .     13:7/2  13:7/2  1       13:7/2  13:7/2  12      1       13:7/2  13',
  Evt14: '.   .       .       .     .       .       .       13:6    11:6    .       .       13:6    .',
  Evt15: '.   .       13:7/0  1     13:7/0  13:7/0  13:7/0  13:7/0  13:7/0  13:7/0  13:7/0  13:7/0  .',
  Evt16: '.   1       1       .     1       1       1       1       1       1       1       1       1',
  Evt17: '.   1       1       1     1       1       1       1       1       1       1       1       1',
  Evt18: '.   1       .       .     .       .       .       .       .       .       .       .       1',
  Evt19: '.   13:7/0  13:7/2  .     13:7/2  13:7/2  13:7/2  13:7/2  13:7/2  13:7/2  13:7/2  13:7/2  13:7/2',
}

const ESTABLISHED = { requestor: ['Evt1', 'Evt2', 'Evt3'], acceptor: ['Evt5', 'Evt6', 'Evt7'] } as const
const EARLY: { readonly [state in State]?: readonly Event[] } = {
  Sta1: [],
  Sta2: ['Evt5'],
  Sta3: ['Evt5', 'Evt6'],
  Sta4: ['Evt1'],
  Sta5: ['Evt1', 'Evt2'],
  Sta13: ['Evt5', 'Evt6', 'Evt8'],
}
const LATE: { readonly [state in State]?: readonly Event[] } = {
  Sta6: [],
  Sta7: ['Evt11'],
  Sta8: ['Evt12'],
  Sta9: ['Evt11', 'Evt12'],
  Sta10: ['Evt11', 'Evt12'],
  Sta11: ['Evt11', 'Evt12', 'Evt14'],
  Sta12: ['Evt11', 'Evt12', 'Evt13'],
}
const ONLY: { readonly [state in State]?: 'requestor' | 'acceptor' } = {
  Sta9: 'requestor',
  Sta11: 'requestor',
  Sta10: 'acceptor',
  Sta12: 'acceptor',
}

function machine(role: 'requestor' | 'acceptor') {
  const [ours, theirs] = duplexPair()
  const ends: string[] = []
  ours.on('error', () => undefined)
  const upper = new UpperLayer(ours, DEFAULT_ASSOCIATION_LIMITS, role, {
    requested: () => null,
    accepted: () => undefined,
    rejected: () => ends.push('rejected'),
    pdv: () => undefined,
    fragment: () => undefined,
    heard: () => undefined,
    releaseAsked: () => undefined,
    ended: (end) => ends.push(end.how),
  })
  let sent: Buffer[] = []
  theirs.on('data', (chunk: Buffer) => sent.push(chunk))
  const settle = () => new Promise((resolve) => setImmediate(resolve))
  return {
    upper,
    ends,
    async sent() {
      await settle()
      const bytes = Buffer.concat(sent)
      sent = []
      if (bytes.length === 0) return ''
      return bytes[0] === 7 ? `:7/${bytes[8]}` : `:${bytes[0]}`
    },
    finish() {
      // Stops the timer of whatever state it is in.
      upper.event('Evt17')
      ours.destroy()
      theirs.destroy()
    },
  }
}

test('every pair of state and event, for both roles', async (t) => {
  let legal = 0
  for (const role of ['requestor', 'acceptor'] as const) {
    for (const [column, state] of STATES.entries()) {
      if (ONLY[state] !== undefined && ONLY[state] !== role) continue
      const path = EARLY[state] ?? [...ESTABLISHED[role], ...(LATE[state] ?? [])]
      for (const event of EVENTS) {
        const cell = SEEN[event].trim().split(/\s+/)[column] ?? ''
        await t.test(`${role} ${state} ${event}: ${cell}`, async () => {
          const { upper, sent, finish, ends } = machine(role)
          try {
            for (const step of path) assert.ok(upper.event(step, given[step]), `${step} on the way`)
            assert.equal(upper.state, state)
            await sent()
            const before = ends.length
            const happened = upper.event(event, given[event])
            assert.equal(happened, cell !== '.')
            assert.equal(actionOf(state, event) !== undefined, cell !== '.')
            if (!happened) assert.equal(upper.state, state)
            else {
              legal++
              const [next = '', pdu] = cell.split(':')
              const [first, second] = next.split('|')
              assert.equal(upper.state, `Sta${role === 'acceptor' ? (second ?? first) : first}`)
              assert.equal(await sent(), pdu === undefined ? '' : `:${pdu}`)
              assert.ok(ends.length <= 1 && ends.length >= before, 'the end is told once')
              if (upper.state === 'Sta1' && state !== 'Sta13') assert.equal(ends.length, 1)
            }
          } finally {
            finish()
          }
        })
      }
    }
  }
  assert.ok(legal > 200, `${legal} legal pairs`)
})

test('the table has 19 events of 13 states, and the cells that the standard fills', () => {
  const filled = EVENTS.flatMap((event) => STATES.filter((state) => actionOf(state, event) !== undefined))
  assert.equal(EVENTS.length * STATES.length, 247)
  const expected = EVENTS.flatMap((event) => SEEN[event].trim().split(/\s+/)).filter((cell) => cell !== '.')
  assert.equal(filled.length, expected.length)
})
