/** The sample collection by C-STORE: what is judged of a data set alone is what STOW-RS says of the file, but for its head. */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import http from 'node:http'
import { join } from 'node:path'
import { test } from 'node:test'
import { startServer, temporaryDirectory } from '../live/server.ts'
import { cStoreOne, isConflict, rulesOf, type Said, stowOne } from './doors.ts'

const samples = process.env['DIPTYCH_SAMPLES'] ?? join(import.meta.dirname, '../../../shared/data')
const list = join(samples, 'EXPECTED-DICOM.tsv')

/** Rules about preamble and File Meta, which do not travel; B3 is about what a TIFF header makes of the padding; B5 about the door. */
const NOT_OF_THE_DATA_SET = /^(P\d|M[1-6]$|TIFF|B3$|B5$)/

const ofDataSet = (said: Said): Said => ({
  ...said,
  findings: said.findings.filter(({ rule }) => !NOT_OF_THE_DATA_SET.test(rule)),
})

/** The first file of each SOP Instance UID: which of two that clash is held depends on their order. */
function chosen(): { readonly name: string; readonly bytes: Buffer }[] {
  const seen = new Set<string>()
  const [header = '', ...rows] = readFileSync(list, 'utf8').trimEnd().split('\n')
  const column = header.split('\t').indexOf('SOPInstanceUID')
  return rows.flatMap((row) => {
    const fields = row.split('\t')
    const name = fields[0] ?? ''
    const bytes = readFileSync(join(samples, name))
    const sha256 = createHash('sha256').update(bytes).digest('hex')
    const uid = fields[column] || sha256
    if (seen.has(uid) || seen.has(sha256)) return []
    seen.add(uid).add(sha256)
    return [{ name, bytes }]
  })
}

test('every sample that has a File Meta is judged the same by C-STORE', { timeout: 230_000 }, async (t) => {
  if (!existsSync(list)) {
    t.diagnostic(`left out: ${list} is not there`)
    t.skip('the sample collection is not there')
    return
  }
  const places = ['stow', 'dimse'].map((door) => temporaryDirectory(`samples-${door}`))
  const [stow, dimse] = await Promise.all(
    places.map(({ path }) => startServer({ dataDirectory: path, args: ['--dimse-port', '0'] })),
  )
  const agent = new http.Agent({ keepAlive: true, maxSockets: 8 })
  try {
    assert.ok(stow && dimse)
    const wrong: string[] = []
    const left: string[] = []
    let compared = 0
    const files = chosen()
    const work = async () => {
      for (let file = files.shift(); file !== undefined; file = files.shift()) {
        const { name, bytes } = file
        const [{ said: there }, sent] = [await stowOne(agent, stow, bytes), await cStoreOne(agent, dimse, bytes)]
        if (sent === null) {
          left.push(name)
          continue
        }
        compared++
        const here = sent.said
        if (here.stored !== (sent.status === 0 || sent.status === 0xb006)) wrong.push(`${name}: status ${sent.status}`)
        const rules = [ofDataSet(here), ofDataSet(there)].map(rulesOf)
        if (rules[0] !== rules[1]) wrong.push(`${name}: C-STORE ${rules[0]}; STOW ${rules[1]}`)
        const whole = rulesOf(there) === rules[1] && rulesOf(here) === rules[0]
        if (whole && !isConflict(here) && !isConflict(there) && here.verdict !== there.verdict)
          wrong.push(`${name}: C-STORE ${here.verdict}, STOW ${there.verdict}`)
      }
    }
    await Promise.all(Array.from({ length: 4 }, work))
    t.diagnostic(`${compared} compared; without File Meta or class that could be proposed: ${left.sort().join(', ')}`)
    assert.deepEqual(wrong, [])
    assert.equal(dimse.faults(), '')
  } finally {
    agent.destroy()
    await Promise.all([stow?.stop(), dimse?.stop()])
    for (const place of places) place.remove()
  }
})
