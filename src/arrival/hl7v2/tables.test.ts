import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { CONDITIONS, Hl7Error } from '#standards/hl7v2/errors.ts'
import { actionOf, KEPT_MESSAGES, ORDER_MESSAGES } from './actions.ts'
import { ADT_EVENTS } from './adt.ts'
import { ORDER_STATUS } from './order-status.ts'

const page = readFileSync(new URL('../../../docs/reference/hl7v2.md', import.meta.url), 'utf8')

// An interface is built from that page before the first message flows: what it leaves out is found out in production.
const named = [
  ...Object.keys(ADT_EVENTS),
  ...Object.keys(KEPT_MESSAGES).map((type) => type.replace('ADT^', '')),
  ...ORDER_MESSAGES,
  ...Object.keys(ORDER_STATUS),
]
for (const name of named) {
  test(`the reference page names ${name}`, () =>
    assert.match(page, new RegExp(`(^|[^A-Z0-9_])${name.replace('^', '\\^')}([^A-Z0-9_]|$)`, 'm')))
}
for (const condition of Object.keys(CONDITIONS).filter((code) => code !== '0' && code !== '206')) {
  test(`the reference page names condition ${condition}`, () => assert.match(page, new RegExp(`\\b${condition}\\b`)))
}

// What is neither done nor kept must not be answered AA.
const rows: { type: string; event: string; site?: { [name: string]: 'act' | 'keep' | 'refuse' }; is: string }[] = [
  { type: 'ADT', event: 'A08', is: 'adt' },
  { type: 'ADT', event: 'A45', is: 'AR 201' },
  { type: 'ADT', event: 'constructor', is: 'AR 201' },
  { type: 'ORM', event: 'O01', is: 'order' },
  { type: 'ORM', event: 'O02', is: 'AR 201' },
  { type: 'ORU', event: 'R01', is: 'results' },
  { type: 'ORU', event: 'R01', site: { ORU: 'keep' }, is: 'keep' },
  { type: 'MDM', event: 'T11', is: 'document' },
  { type: 'MDM', event: 'T12', is: 'keep' },
  { type: 'QBP', event: 'Q22', is: 'AR 200' },
  { type: 'toString', event: '', is: 'AR 200' },
  { type: 'ACK', event: 'A01', is: 'acknowledgement' },
  { type: 'ADT', event: 'A47', site: { 'ADT^A47': 'refuse' }, is: 'AR 201' },
  { type: 'ADT', event: 'A47', site: { ADT: 'refuse', 'ADT^A47': 'act' }, is: 'adt' },
  { type: 'ADT', event: 'A45', site: { '*': 'keep' }, is: 'keep' },
  { type: 'ADT', event: 'A45', site: { 'ADT^A45': 'act' }, is: 'AR 201' },
  { type: 'ORU', event: 'R01', site: { ORU: 'refuse' }, is: 'AR 200' },
]
for (const { type, event, site = {}, is } of rows) {
  test(`${type}^${event} ${JSON.stringify(site)}: ${is}`, () => {
    let got: string
    try {
      got = actionOf(type, event, site).is
    } catch (error) {
      assert.ok(error instanceof Hl7Error)
      got = `${error.answer} ${error.condition}`
    }
    assert.equal(got, is)
  })
}
