import assert from 'node:assert/strict'
import { test } from 'node:test'
import { loadConfig } from '#config.ts'
import { insecureDoors } from './start-audit.ts'

const cases: { name: string; given: Record<string, Record<string, unknown>>; is: number }[] = [
  { name: 'as installed', given: {}, is: 0 },
  { name: 'DIMSE for the house', given: { dimse: { host: '0.0.0.0' } }, is: 1 },
  { name: 'DIMSE for the house, but off', given: { dimse: { host: '0.0.0.0', port: 'off' } }, is: 0 },
  { name: 'HL7 v2 for the house', given: { hl7: { host: '10.0.0.1' } }, is: 1 },
  { name: 'another loopback address', given: { hl7: { host: '127.0.0.2' } }, is: 0 },
]
for (const { name, given, is } of cases) {
  test(`doors without TLS: ${name}`, () => {
    assert.equal(insecureDoors(loadConfig({ environment: {}, given })).length, is)
  })
}
