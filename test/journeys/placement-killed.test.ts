/**
 * The server is killed (SIGKILL) in the middle of a re-placement, at each of its steps; after the next start there is
 * one truth. This process watches the index, and kills when it sees the step it waits for.
 */
import assert from 'node:assert/strict'
import http from 'node:http'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { part10 } from '../fixtures/dicom-builder.ts'
import { ctImage, secondaryCapture } from '../fixtures/objects.ts'
import { plainPdf } from '../fixtures/pdf.ts'
import { type LiveServer, startServer, temporaryDirectory } from '../live/server.ts'
import { request } from '../live/stow-client.ts'
import { studyOf, uidOf } from '../support/placement-site.ts'
import { stowOne } from './doors.ts'

const PAPER = { ConversionType: 'SD', SeriesDescription: 'Consent form', Modality: 'OT' }

/** What of a move is visible in the index: how far it is. */
interface Step {
  readonly name: string
  readonly sql: string
}

const DECIDED = "select 1 from placement_decision where study = ? and effect = 'encapsulate' and state = 'acting'"
const FACE = `select 1 from study s join series r on r.study = s.key where s.uid = ? and r.modality <> 'CT'`
const RELATED = `select 1 from document d join relation l on l.target = d.id and l.kind = 'face' where d.study = ?`
const MADE = "select 1 from placement_decision where study = ? and effect = 'encapsulate' and made <> '[]'"
const JOINING: readonly Step[] = [
  { name: 'decided', sql: DECIDED },
  { name: 'the face is stored, its relation is not', sql: FACE },
  { name: 'related', sql: RELATED },
  { name: 'noted', sql: MADE },
]
const ACCEPTED = "select 1 from placement_decision where study = ? and effect = 'paper' and state = 'acting'"
const BOUND = "select 1 from document where study = ? and kind = 'pdf' and hidden = 0"
const HIDDEN = 'select 1 from deletion where study = ?'
const PAPER_MADE = "select 1 from placement_decision where study = ? and effect = 'paper' and made <> '[]'"
const UNDONE = "select 1 from placement_decision where study = ? and effect = 'paper' and state = 'undone'"
const BINDING: readonly Step[] = [
  { name: 'accepted', sql: ACCEPTED },
  { name: 'the document is made', sql: BOUND },
  { name: 'the first page is hidden', sql: HIDDEN },
  { name: 'noted', sql: PAPER_MADE },
]
const RETURNING: readonly Step[] = [
  { name: 'undone', sql: UNDONE },
  { name: 'the document is gone', sql: "select 1 from document where study = ? and kind = 'pdf' and hidden = 1" },
  {
    name: 'the first page is back',
    sql: 'select 1 from study s join series r on r.study = s.key join object o on o.version > 1 and o.state = 0 where s.uid = ?',
  },
]

/** Looks as often as it can, and kills at once. @returns false when it never came */
async function killAt(server: LiveServer, study: string, { sql }: Step): Promise<boolean> {
  const db = new DatabaseSync(join(server.dataDirectory, 'diptych.db'), { readOnly: true })
  try {
    const statement = db.prepare(sql)
    for (const until = Date.now() + 15_000; Date.now() < until; ) {
      for (let i = 0; i < 200; i++) {
        if (statement.get(study) === undefined) continue
        await server.kill()
        return true
      }
      await pause(0)
    }
    return false
  } finally {
    db.close()
  }
}

const agent = new http.Agent({ keepAlive: false })

async function json(server: LiveServer, path: string, body?: object): Promise<{ [key: string]: unknown }> {
  const answer = await request(
    agent,
    `${server.url}${path}`,
    body === undefined
      ? {}
      : { method: 'POST', headers: { 'content-type': 'application/json' }, body: [Buffer.from(JSON.stringify(body))] },
  )
  assert.ok(answer.status < 300, `${path}: ${answer.status} ${answer.body.toString()}`)
  return JSON.parse(answer.body.toString()) as { [key: string]: unknown }
}

async function submitPdf(server: LiveServer, study: string, name: string): Promise<void> {
  const said = new URLSearchParams({ patient: 'FIX-1', issuer: 'FIXTURES', title: 'Eye report', study })
  const answer = await request(agent, `${server.url}/api/v1/documents?${said}`, {
    method: 'POST',
    headers: { 'content-type': 'application/pdf' },
    body: [plainPdf([name])],
  })
  assert.equal(answer.status, 201, answer.body.toString())
}

async function quiet(server: LiveServer): Promise<void> {
  for (let i = 0; i < 300; i++) {
    const { openJobs } = await json(server, '/health/ready')
    if (openJobs === 0) return
    await pause(100)
  }
  assert.fail(`jobs are open still: ${JSON.stringify(await json(server, '/api/v1/jobs?state=open'))}`)
}

function rows(server: LiveServer, sql: string, study: string): { [column: string]: unknown }[] {
  const db = new DatabaseSync(join(server.dataDirectory, 'diptych.db'), { readOnly: true })
  try {
    return db.prepare(sql).all(study)
  } finally {
    db.close()
  }
}

const DECISIONS = 'select object, rule, effect, state, made from placement_decision where study = ? order by key'
const DOCUMENTS = 'select id from document where study = ? and hidden = 0'
const INSTANCES = `select i.uid from study s join series r on r.study = s.key
  join instance i on i.key >= r.key * 16777216 and i.key < (r.key + 1) * 16777216 where s.uid = ?`

test('killed while a PDF joins the images of its study: one document, one face, nothing unwrapped', async (context) => {
  const seen: string[] = []
  for (const [i, step] of JOINING.entries()) {
    const folder = temporaryDirectory('killed-joining')
    context.after(() => folder.remove())
    const name = `killed-join-${i}`
    const uid = uidOf(name)
    let server = await startServer({ dataDirectory: folder.path })
    context.after(() => server.kill().catch(() => undefined))
    await stowOne(agent, server, part10({ elements: ctImage(studyOf(name)) }))
    await submitPdf(server, uid, name)
    const came = await killAt(server, uid, step)
    assert.ok(came, `never came so far: ${step.name}`)
    const reached = JOINING.filter(({ sql }) => rows(server, sql, uid).length > 0).at(-1)
    seen.push(reached?.name ?? 'nothing')
    server = await startServer({ dataDirectory: folder.path })
    await quiet(server)
    const decisions = rows(server, DECISIONS, uid)
    const acting = decisions.filter(({ state, effect }) => state === 'acting' && effect !== 'stay')
    assert.deepEqual(
      acting.map(({ effect }) => effect),
      ['encapsulate'],
      `${step.name}: ${JSON.stringify(decisions)}`,
    )
    assert.equal(JSON.parse(String(acting[0]?.['made'])).length, 1, step.name)
    assert.equal(rows(server, DOCUMENTS, uid).length, 1, `${step.name}: the original, and no unwrapped face`)
    const faces = rows(server, `select source from relation where kind = 'face' and target in (${DOCUMENTS})`, uid)
    assert.equal(faces.length, 1, step.name)
    assert.equal(rows(server, INSTANCES, uid).length, 2, `${step.name}: the image and one face`)
    assert.equal(await server.stop(), 0)
  }
  context.diagnostic(`killed at: ${seen.join('; ')}`)
})

test('killed while scans become a document, and while they come back: all of it or nothing', async (context) => {
  const seen: string[] = []
  for (const [i, step] of [...BINDING, ...RETURNING].entries()) {
    const folder = temporaryDirectory('killed-paper')
    context.after(() => folder.remove())
    const name = `killed-paper-${i}`
    const uid = uidOf(name)
    let server = await startServer({ dataDirectory: folder.path })
    context.after(() => server.kill().catch(() => undefined))
    for (const page of [1, 2, 3]) {
      const elements = secondaryCapture(
        { columns: 827, rows: 1169, more: { ...PAPER, InstanceNumber: page } },
        studyOf(name),
      )
      await stowOne(agent, server, part10({ elements: { ...elements, SOPInstanceUID: `2.25.99.${i}.${page}` } }))
    }
    await quiet(server)
    const proposed = await json(server, '/api/v1/placement?state=proposed')
    const [decision] = proposed['items'] as { id: string }[]
    assert.ok(decision, 'the scans are proposed')
    const binds = BINDING.includes(step)
    const killing = killAt(server, uid, step)
    // The answer may never come: the server dies under it.
    const accept = json(server, `/api/v1/placement/${decision.id}/accept`, {}).catch(() => undefined)
    if (!binds) {
      await accept
      await quiet(server)
      json(server, `/api/v1/placement/${decision.id}/undo`, { reason: 'a drawing' }).catch(() => undefined)
    }
    assert.ok(await killing, `never came so far: ${step.name}`)
    seen.push(step.name)
    server = await startServer({ dataDirectory: folder.path })
    await quiet(server)
    const [{ state, made } = {}] = rows(server, DECISIONS, uid)
    const told = `${step.name}: ${JSON.stringify(rows(server, DECISIONS, uid))}`
    assert.equal(state, binds ? 'acting' : 'undone', told)
    assert.equal(JSON.parse(String(made)).length, binds ? 1 : 0, told)
    assert.equal(rows(server, DOCUMENTS, uid).length, binds ? 1 : 0, told)
    assert.equal(rows(server, INSTANCES, uid).length, binds ? 0 : 3, told)
    assert.equal(rows(server, DECISIONS, uid).filter((row) => row['state'] === 'proposed').length, 0, told)
    assert.equal(await server.stop(), 0)
  }
  context.diagnostic(`killed at: ${seen.join('; ')}`)
})
