/** The index is made of what segments and journal hold: rebuilt, it says the same. A backup under load comes back whole. */
import assert from 'node:assert/strict'
import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs'
import http from 'node:http'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { type TestContext, test } from 'node:test'
import { part10 } from '../fixtures/dicom-builder.ts'
import { ctImage, ctSeries, STUDY, twelveLeadEcg } from '../fixtures/objects.ts'
import { type LiveServer, runCommand, startServer, temporaryDirectory } from '../live/server.ts'
import { request, stow } from '../live/stow-client.ts'
import { tinyObject } from '../live/tiny-object.ts'
import { importAll, stowOne } from './doors.ts'

/**
 * What the index says, without the keys it happens to use. Left out: arrivals that stored nothing (duplicates, skips,
 * refusals), the change feed, jobs and searches by text, which has no rows to read.
 */
const TABLES: { readonly [name: string]: string } = {
  total: 'select patients, studies, series, instances, bytes from total',
  patient: `select p.id, p.issuer, p.identifier, p.issuer_assumed, p.name, p.name_key, p.birth_date, p.sex, p.studies,
    p.authority, p.demographics, p.stated, i.id merged_into, p.merged_how, p.merge_entry, s.id survivor from patient p
    left join patient i on i.key = p.merged_into left join patient s on s.key = p.survivor`,
  patient_name: 'select n.name_key, n.said, p.id from patient_name n join patient p on p.key = n.patient',
  ledger_entry: 'select key, id, time, kind, cause, decision, undone_by, inert from ledger_entry',
  ledger_subject: 'select subject, entry from ledger_subject',
  study: `select s.uid, p.id patient, date, time, mods, s.name_key, modalities, pid, accession, study_id, description,
    referring, s.name, s.birth_date, s.sex, zone, instant, zone_assumed, series, instances, bytes, extra,
    o.id owner, overlay, overlay_version, arrived
    from study s join patient p on p.key = s.patient join patient o on o.key = s.owner`,
  study_word: 'select word, s.uid from study_word w join study s on s.key = w.study',
  day_count: 'select date, n from day_count where n > 0',
  lookup: 'select attribute, value, count(*) n from lookup group by attribute, value',
  series: `select e.uid, s.uid study, e.number, modality, e.description, e.date, e.time, body_part, e.zone, e.instances,
    e.bytes, e.extra from series e join study s on s.key = e.study`,
  instance: `select i.uid, number, c.value sop_class, rows, columns, bits, frames, extra, crc32, raw_length,
    hex(chunk) chunk from instance i join text c on c.key = i.sop_class`,
  object: `select o.id, o.uid, o.version, o.state, p.id patient, g.name segment, offset, length, data_set_offset,
    t.value transfer_syntax, c.value sop_class, hex(sha_arrived) arrived, hex(sha_data_set) data_set,
    hex(sha_kept) kept, o.time, o.verdict, s.value scan, l.value placement, findings, family, hex(head) head, tail,
    hex(frames) frames, d.reason deletion
    from object o join patient p on p.key = o.patient left join segment g on g.key = o.segment
    left join text t on t.key = o.transfer_syntax left join text c on c.key = o.sop_class
    left join text s on s.key = o.scan left join text l on l.key = o.placement
    left join deletion d on d.key = o.deletion`,
  digest: 'select distinct hex(prefix) prefix, o.id from digest g join object o on o.key = g.object',
  fact: 'select o.id, position, f.family, name, value, detail from fact f join object o on o.key = f.object',
  deletion: 'select study, series, uid, by, reason, time, purge_after from deletion',
  quarantine: 'select * from quarantine',
  'first arrivals': `select hex(sha256) sha256, size, a.uid, a.verdict, reason, o.id object, min(a.time) time
    from arrival a join object o on o.key = a.object group by o.id`,
  // Numbers are reserved ahead: what was reserved and not used may be given out after a rebuild.
  journal: 'select max(sequence) >= (select coalesce(max(key), 0) / 1048576 from ledger_entry) as ahead from journal',
}

type Dump = { readonly [table: string]: readonly string[] }

function rowsOf(dataDirectory: string, sql: string): readonly string[] {
  const db = new DatabaseSync(join(dataDirectory, 'diptych.db'), { readOnly: true })
  try {
    return db
      .prepare(sql)
      .all()
      .map((row) => JSON.stringify(row))
      .toSorted()
  } finally {
    db.close()
  }
}

function dump(dataDirectory: string): Dump {
  const db = new DatabaseSync(join(dataDirectory, 'diptych.db'), { readOnly: true })
  try {
    const entries = Object.entries(TABLES).map(([name, sql]) => {
      const rows = db.prepare(sql).all()
      return [name, rows.map((row) => JSON.stringify(row)).toSorted()] as const
    })
    return Object.fromEntries(entries)
  } finally {
    db.close()
  }
}

function place(context: TestContext, name: string): string {
  const directory = temporaryDirectory(name)
  context.after(() => directory.remove())
  return directory.path
}

async function summaryOf(args: readonly string[]): Promise<{ [key: string]: unknown }> {
  const { lines, stderr, status } = await runCommand([...args, '--json'])
  const last = lines.at(-1) as { summary?: { [key: string]: unknown } } | undefined
  assert.ok(last?.summary !== undefined, `${args[0]} ended with ${status}: ${stderr}`)
  return last.summary
}

/** Everything a search tells, in an order of its own. */
async function searched(agent: http.Agent, server: LiveServer): Promise<string[]> {
  const told: string[] = []
  for (const level of ['studies', 'series', 'instances']) {
    const answer = await request(agent, `${server.url}/dicom-web/${level}?includefield=all&limit=1000`)
    assert.equal(answer.status, 200)
    const items = JSON.parse(answer.body.toString()) as object[]
    told.push(...items.map((item) => `${level} ${JSON.stringify(item).replaceAll(server.url, '')}`))
  }
  return told.toSorted()
}

/** A merge that was taken back, one that stands, and a name fix. */
async function decide(agent: http.Agent, server: LiveServer): Promise<void> {
  const listed = await request(agent, `${server.url}/api/v1/patients?limit=10`)
  const { items } = JSON.parse(listed.body.toString()) as { items: readonly { readonly id: string }[] }
  const [one, other] = items.map(({ id }) => id)
  assert.ok(one !== undefined && other !== undefined, 'there are two patients')
  const post = async (path: string, body: object) => {
    const answer = await request(agent, `${server.url}/api/v1/patients/${path}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: [Buffer.from(JSON.stringify(body))],
    })
    assert.ok(answer.status < 300, answer.body.toString())
  }
  await post(`${one}/merge`, { into: { patientId: other }, reason: 'the same' })
  await post(`${one}/unmerge`, { reason: 'not the same' })
  await post(`${other}/merge`, { into: { patientId: one }, reason: 'the same after all' })
  await post(`${one}/name`, { name: 'REBUILT^NAME', reason: 'mistyped' })
}

test('rebuild-index: the index made anew says what the old one said', { timeout: 120_000 }, async (context) => {
  const data = place(context, 'rebuild')
  const agent = new http.Agent({ keepAlive: true })
  context.after(() => agent.destroy())
  const server = await startServer({ dataDirectory: data })
  context.after(() => server.stop())
  assert.equal((await summaryOf(['demo', '--data', data]))['quarantined'], 1)
  const disc = place(context, 'rebuild-disc')
  const slices = ctSeries(4).map((elements) => part10({ elements }))
  slices.forEach((bytes, i) => {
    writeFileSync(join(disc, `I${i}`), bytes)
  })
  writeFileSync(join(disc, 'again'), slices[0]!)
  writeFileSync(join(disc, 'readme.txt'), 'nothing')
  await importAll(server, disc)

  // A deletion that stays, one that is stored again, a study that goes altogether, and a release.
  const urlOf = async (bytes: Buffer) => (await stowOne(agent, server, bytes)).instance!
  const remove = async (url: string) => assert.equal((await request(agent, url, { method: 'DELETE' })).status, 204)
  const [first, second] = [await urlOf(slices[1]!), await urlOf(slices[2]!)]
  await remove(first)
  await remove(second)
  assert.equal(await urlOf(slices[2]!), second)
  const ecg = await urlOf(
    part10({ elements: twelveLeadEcg({}, { ...STUDY, name: 'rebuild ecg', accessionNumber: 'A-2' }) }),
  )
  await remove(ecg.slice(0, ecg.indexOf('/series/')))
  const held = await stowOne(
    agent,
    server,
    part10({
      elements: ctImage({ ...STUDY, name: 'rebuild held', accessionNumber: 'A-3' }),
      preamble: Buffer.from('<html><script>1</script><!--'),
    }),
  )
  const released = await request(agent, `${server.url}/api/v1/quarantine/${held.said.quarantineId}/release`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: [Buffer.from('{"reason":"looked at"}')],
  })
  assert.equal(released.status, 200, released.body.toString())
  await decide(agent, server)
  const told = await searched(agent, server)
  assert.equal(await server.stop(), 0)

  const before = dump(data)
  const summary = await summaryOf(['rebuild-index', '--data', data])
  assert.equal(summary['damaged'], 0)
  const after = dump(data)
  for (const table of Object.keys(TABLES)) assert.deepEqual(after[table], before[table], table)
  for (const table of [
    'patient',
    'study',
    'series',
    'instance',
    'object',
    'fact',
    'deletion',
    'quarantine',
    'lookup',
    'ledger_entry',
  ]) {
    assert.ok((before[table]?.length ?? 0) > 0, `${table} was compared`)
  }

  const overlaid = rowsOf(data, 'select uid from study where overlay is not null')
  assert.ok(overlaid.length > 0)
  const jobs = "select subject as uid from job where kind = 'render-metadata' and state = 'waiting'"
  assert.deepEqual(rowsOf(data, jobs), overlaid, 'their metadata are rendered again')

  const again = await startServer({ dataDirectory: data })
  context.after(() => again.stop())
  assert.deepEqual(await searched(agent, again), told)
  const verified = await summaryOf(['verify', '--data', data])
  assert.deepEqual([verified['damaged'], verified['missing']], [0, 0])
  assert.equal(await again.stop(), 0)
})

test('backup while instances keep arriving: restored, it verifies and has all that was acknowledged', {
  timeout: 120_000,
}, async (context) => {
  const data = place(context, 'backup')
  const out = join(place(context, 'backup-out'), 'backup')
  const restored = join(place(context, 'restored'), 'data')
  const agent = new http.Agent({ keepAlive: true, maxSockets: 4 })
  context.after(() => agent.destroy())
  const server = await startServer({ dataDirectory: data })
  context.after(() => server.stop())

  let serial = 0
  let over = false
  const acknowledged: string[] = []
  const sender = async () => {
    while (!over) {
      const sopInstanceUID = `2.25.4711.${++serial}`
      const studyInstanceUID = `2.25.4712.${serial % 7}`
      const tiny = { sopInstanceUID, studyInstanceUID, seriesInstanceUID: `${studyInstanceUID}.1`, number: serial }
      const answer = await stow(agent, `${server.url}/dicom-web`, [tinyObject({ ...tiny, side: 32 })])
      assert.equal(answer.status, 200, answer.body.toString())
      acknowledged.push(sopInstanceUID)
    }
  }
  context.after(() => {
    over = true
  })
  const senders = [sender(), sender()]
  while (acknowledged.length < 40 && !over) await new Promise((resolve) => setTimeout(resolve, 20))
  const atLeast = [...acknowledged]
  await summaryOf(['backup', '--out', out, '--data', data])
  const during = acknowledged.length - atLeast.length
  over = true
  await Promise.all(senders)
  assert.equal(await server.stop(), 0)
  assert.ok(during > 0, 'instances arrived while the backup was made')

  await summaryOf(['restore', '--from', out, '--data', restored])
  mkdirSync(join(restored, 'keys'), { recursive: true })
  copyFileSync(join(data, 'keys/key'), join(restored, 'keys/key'))
  const verified = await summaryOf(['verify', '--data', restored])
  assert.deepEqual([verified['damaged'], verified['missing'], verified['orphans']], [0, 0, 0], JSON.stringify(verified))

  const back = await startServer({ dataDirectory: restored })
  context.after(() => back.stop())
  for (const uid of atLeast) {
    const answer = await request(agent, `${back.url}/dicom-web/instances?SOPInstanceUID=${uid}`)
    assert.equal(answer.status, 200, uid)
  }
  const more = tinyObject({ sopInstanceUID: '2.25.1', studyInstanceUID: '2.25.2', seriesInstanceUID: '2.25.3' })
  assert.equal((await stow(agent, `${back.url}/dicom-web`, [more])).status, 200, 'and takes new ones')
  context.diagnostic(`${atLeast.length} acknowledged before, ${during} during the backup`)
  assert.equal(await back.stop(), 0)
})
