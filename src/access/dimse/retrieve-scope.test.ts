import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { EVERYTHING } from '#model/visibility.ts'
import { ctFiles, type SmallArchive, smallArchive, temporaryFolder } from '../../../test/support/small-archive.ts'
import type { QueryLevel } from './query-models.ts'
import { instancesOf, type RetrieveRequest } from './retrieve-scope.ts'

let archive: SmallArchive
/** Two patients with a study of two instances each. */
let named: { study: string; series: string; instances: string[] }[]

before(async () => {
  archive = await smallArchive(temporaryFolder())
  named = []
  for (const name of ['one', 'two']) {
    const stored = []
    for (const id of await archive.store(ctFiles(2, name))) stored.push(await archive.reader.find(id, EVERYTHING))
    const [first] = stored
    assert.ok(first)
    named.push({
      ...{ study: first.studyInstanceUID, series: first.seriesInstanceUID },
      instances: stored.flatMap((each) => each?.sopInstanceUID ?? []),
    })
  }
})
after(async () => {
  await archive.close()
  await archive.destroy()
})

type Keys = { patient?: string[]; study?: number[]; series?: number[]; instances?: [number, number][] }

// Every key of the identifier counts at every level: a right UID under another patient, study or series is no match.
const cases: { name: string; level: QueryLevel; keys: Keys; found: number }[] = [
  { name: 'image', level: 'IMAGE', keys: { study: [0], series: [0], instances: [[0, 0]] }, found: 1 },
  {
    name: 'image of the patient',
    level: 'IMAGE',
    keys: { patient: ['P-one'], study: [0], series: [0], instances: [[0, 0]] },
    found: 1,
  },
  {
    name: 'image under another patient',
    level: 'IMAGE',
    keys: { patient: ['P-two'], study: [0], series: [0], instances: [[0, 0]] },
    found: 0,
  },
  {
    name: 'image under nobody',
    level: 'IMAGE',
    keys: { patient: ['P-three'], study: [0], series: [0], instances: [[0, 0]] },
    found: 0,
  },
  {
    name: 'images of two, relational, one patient named',
    level: 'IMAGE',
    keys: {
      patient: ['P-two'],
      instances: [
        [0, 0],
        [1, 0],
        [1, 1],
      ],
    },
    found: 2,
  },
  {
    name: 'two studies named, one image wanted',
    level: 'IMAGE',
    keys: { study: [0, 1], instances: [[0, 0]] },
    found: 1,
  },
  {
    name: 'two series named, one image wanted',
    level: 'IMAGE',
    keys: { series: [0, 1], instances: [[1, 1]] },
    found: 1,
  },
  { name: 'image of another study', level: 'IMAGE', keys: { study: [1], series: [0], instances: [[0, 0]] }, found: 0 },
  { name: 'series of the patient', level: 'SERIES', keys: { patient: ['P-one'], study: [0], series: [0] }, found: 2 },
  {
    name: 'series under another patient',
    level: 'SERIES',
    keys: { patient: ['P-two'], study: [0], series: [0] },
    found: 0,
  },
  { name: 'study under another patient', level: 'STUDY', keys: { patient: ['P-two'], study: [0] }, found: 0 },
  { name: 'study of the patient', level: 'STUDY', keys: { patient: ['P-two'], study: [1] }, found: 2 },
]

for (const { name, level, keys, found } of cases) {
  test(`what a retrieval names: ${name}`, async () => {
    const request: RetrieveRequest = {
      level,
      patientIds: keys.patient ?? [],
      studies: (keys.study ?? []).map((at) => named[at]?.study ?? ''),
      series: (keys.series ?? []).map((at) => named[at]?.series ?? ''),
      instances: (keys.instances ?? []).map(([at, which]) => named[at]?.instances[which] ?? ''),
    }
    let count = 0
    for await (const _ of instancesOf(request, archive.reader, EVERYTHING)) count += 1
    assert.equal(count, found)
  })
}
