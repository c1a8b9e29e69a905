import assert from 'node:assert/strict'
import { test } from 'node:test'
import { openDatabase } from '#index/sqlite/database.ts'
import { migrate } from '#index/sqlite/migrate.ts'
import { createSqliteReader } from '#index/sqlite/reader.ts'
import { createSqliteWriter } from '#index/sqlite/writer.ts'
import type { SearchPage } from '#model/search.ts'
import { EVERYTHING, type Visibility } from '#model/visibility.ts'
import { groupOf, matching, queryOf, TIME } from './archive-index-fixtures.ts'

/** Repeatable noise. */
function randomNumbers(seed: number): (below: number) => number {
  let state = seed
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return Math.floor((state / 2 ** 32) * below)
  }
}

interface Study {
  readonly uid: string
  readonly arrived: number
  readonly name: string
  readonly pid: string
  readonly accession: string
  readonly date: string
  readonly time: string
  readonly modality: string
  readonly description: string
}

const NAMES = ['MEIER^A', 'MEIER^B', 'MEYER^A', 'MAIER^ANNA', 'ZO^X', 'ÄPFEL^É', 'VAN DER BERG^T', 'M_IER^A', '']
const MODALITIES = ['CT', 'MR', 'US', 'XYZ']
const DESCRIPTIONS = ['HEAD', 'head', 'Thorax 50%', 'A[B]C', '']

function makeStudies(count: number): Study[] {
  const random = randomNumbers(5)
  const pick = (from: readonly string[]): string => from[random(from.length)] ?? ''
  return Array.from({ length: count }, (_, n) => ({
    uid: `1.2.${n}`,
    arrived: n,
    name: pick(NAMES),
    pid: `P${random(200)}`,
    accession: random(4) === 0 ? '' : `A${random(5000)}`,
    date: random(20) === 0 ? '' : `202601${String(1 + random(28)).padStart(2, '0')}`,
    time: random(5) === 0 ? '' : `${String(random(24)).padStart(2, '0')}00`,
    modality: pick(MODALITIES),
    description: pick(DESCRIPTIONS),
  }))
}

function folded(name: string): string {
  return name
    .normalize('NFD')
    .replace(/[\u0300-\u036f]/g, '')
    .toUpperCase()
}

function like(pattern: string): RegExp {
  const escaped = pattern.replace(/[.+^${}()|[\]\\]/g, '\\$&')
  return new RegExp(`^${escaped.replace(/\*/g, '.*').replace(/\?/g, '.')}$`, 's')
}

/** Each filter twice: as a search asks it, and as anybody would write it down. */
const FILTERS: { tag: number; values: readonly string[]; holds: (study: Study, value: string) => boolean }[] = [
  {
    tag: 0x00100010,
    values: ['MEI*', 'meier^a', '*EI*', 'Z*', '*PFEL*', 'M?IER^A', '*ER*', 'M_*', 'VAN*', '*^A*', 'ä*'],
    holds: ({ name }, value) => like(folded(value)).test(folded(name)),
  },
  { tag: 0x00100020, values: ['P1', 'P1*', '*1', '*19*', 'p1'], holds: ({ pid }, value) => like(value).test(pid) },
  {
    tag: 0x00080050,
    values: ['A1*', '*99', 'A??', '*12*'],
    holds: ({ accession }, value) => like(value).test(accession),
  },
  {
    tag: 0x00080020,
    values: ['20260110', '20260105-20260120', '-20260110', '20260125-'],
    holds: ({ date }, value) => {
      if (date === '') return false
      const [from = '', to = ''] = value.includes('-') ? value.split('-') : [value, value]
      return date >= from && (to === '' || date <= to)
    },
  },
  {
    tag: 0x00080061,
    values: ['CT', 'XYZ', 'M*', 'NONE'],
    holds: ({ modality }, value) => like(value).test(modality),
  },
  {
    tag: 0x00081030,
    values: ['HEAD', 'head*', '*50%*', '*[B]*', '*horax*', 'H?AD'],
    holds: ({ description }, value) => like(value).test(description),
  },
]

function newestFirst(a: Study, b: Study): number {
  const order = (x: string | number, y: string | number): number => (x < y ? 1 : x > y ? -1 : 0)
  return order(a.date, b.date) || order(a.time, b.time) || order(a.arrived, b.arrived)
}

// The plans differ from question to question; the answers must not.
test('every combination of filters answers like a plain list, by offset and by continuation', async () => {
  const db = openDatabase(':memory:')
  migrate(db)
  const writer = createSqliteWriter(db)
  let studies = makeStudies(1500)
  for (let at = 0; at < studies.length; at += 100) {
    writer.commit(
      groupOf(
        ...studies.slice(at, at + 100).map((study) => ({
          uid: `${study.uid}.9`,
          study: study.uid,
          patient: study.pid,
          attributes: {
            '00100010': [study.name],
            '00080050': [study.accession],
            '00080020': [study.date],
            '00080030': [study.time],
            '00080060': [study.modality],
            '00081030': [study.description],
          },
        })),
      ),
    )
  }
  for (const { uid } of studies.filter(({ arrived }) => arrived % 7 === 0)) {
    writer.delete({ scope: { studyInstanceUID: uid }, by: 'x', reason: 'y', time: TIME, purgeAfter: TIME })
  }
  studies = studies.filter(({ arrived }) => arrived % 7 !== 0).sort(newestFirst)
  const whole = createSqliteReader(db)
  // The same in many short steps, as a far larger archive would be walked.
  const stepwise = createSqliteReader(db, undefined, { searchWindow: 40 })
  const random = randomNumbers(11)
  const some: Visibility = { sees: 'patients', patientIds: ['HOSPITAL|P1', 'HOSPITAL|P19', 'HOSPITAL|P7'] }
  let matches = 0
  for (let round = 0; round < 400; round++) {
    const reader = round % 3 === 0 ? stepwise : whole
    const chosen = FILTERS.filter(() => random(3) === 0).map((filter) => ({
      ...filter,
      value: filter.values[random(filter.values.length)] ?? '',
    }))
    const visibility: Visibility = random(4) === 0 ? some : EVERYTHING
    const holding: Study[] = studies
      .filter((study) => chosen.every(({ holds, value }) => holds(study, value)))
      .filter(({ pid }) => visibility === EVERYTHING || ['P1', 'P19', 'P7'].includes(pid))
    const expected: string[] = holding.map(({ uid }) => uid)
    matches += expected.length
    const match = chosen.map(({ tag, value }) => matching(tag, value))
    const told: string = `${chosen.map(({ tag, value }) => `${tag.toString(16)}=${value}`).join(' ')} ${visibility.sees}`
    const found: string[] = []
    const limit = 1 + random(700)
    let after: string | null = null
    do {
      const page: SearchPage = await reader.search(queryOf('study', match, { limit, after }), visibility)
      found.push(...page.rows.map(({ studyInstanceUID }) => studyInstanceUID))
      after = page.next
    } while (after !== null)
    assert.deepEqual(found, expected, told)
    assert.equal(await reader.count(queryOf('study', match), visibility), expected.length, told)
    const offset = random(1400)
    const page = await reader.search(queryOf('study', match, { limit: 20, offset }), visibility)
    assert.deepEqual(
      page.rows.map(({ studyInstanceUID }) => studyInstanceUID),
      expected.slice(offset, offset + 20),
      `${told} offset ${offset}`,
    )
    // Below the study the same filters reach what hangs on it, newest arrival first.
    const level = round % 2 === 0 ? 'series' : 'instance'
    const modality = MODALITIES[random(8)]
    const below = modality === undefined ? match : [...match, matching(0x00080060, modality)]
    const reached: Study[] = holding.filter((study) => modality === undefined || study.modality === modality)
    const first = await reader.search(queryOf(level, below, { limit: 50 }), visibility)
    assert.deepEqual(
      first.rows.map(({ studyInstanceUID }) => studyInstanceUID),
      reached
        .toSorted((a, b) => b.arrived - a.arrived)
        .slice(0, 50)
        .map(({ uid }) => uid),
      `${told} ${level} ${modality}`,
    )
    assert.equal(await reader.count(queryOf(level, below), visibility), reached.length, `${told} ${level} ${modality}`)
  }
  assert.ok(matches > 1000)
  db.close()
})
