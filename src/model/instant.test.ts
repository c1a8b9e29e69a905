import assert from 'node:assert/strict'
import { test } from 'node:test'
import { instantOf } from './instant.ts'

// A time line that mixes zones silently puts the follow-up before the operation.
const cases: { name: string; args: Parameters<typeof instantOf>; is: ReturnType<typeof instantOf> }[] = [
  {
    name: 'own offset wins',
    args: ['20240301', '101500', '+0100', 'UTC', 'UTC'],
    is: { instant: '2024-03-01T09:15:00.000Z', zoneAssumed: false },
  },
  {
    name: 'originator zone with summer time',
    args: ['20240701', '12', '', 'Europe/Zurich', 'UTC'],
    is: { instant: '2024-07-01T10:00:00.000Z', zoneAssumed: false },
  },
  {
    name: 'site zone is assumed',
    args: ['20240301', '', '', null, '-0500'],
    is: { instant: '2024-03-01T05:00:00.000Z', zoneAssumed: true },
  },
  {
    name: 'fraction',
    args: ['20240301', '101500.5', '', null, 'UTC'],
    is: { instant: '2024-03-01T10:15:00.500Z', zoneAssumed: true },
  },
  { name: 'no such day', args: ['20240231', '', '', null, 'UTC'], is: null },
  { name: 'no date', args: ['', '1015', '', null, 'UTC'], is: null },
]
for (const { name, args, is } of cases) test(`instant: ${name}`, () => assert.deepEqual(instantOf(...args), is))
