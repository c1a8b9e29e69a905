import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import http from 'node:http'
import { join } from 'node:path'
import { test } from 'node:test'
import { runCommand, startServer, temporaryDirectory } from '../live/server.ts'
import { stow } from '../live/stow-client.ts'

const samples = process.env['DIPTYCH_SAMPLES'] ?? join(import.meta.dirname, '../../../shared/data')
const list = join(samples, 'EXPECTED-DICOM.tsv')

interface Told {
  readonly verdict: string
  readonly rules: readonly string[]
}

/** Files of the collection, the first of each SOP Instance UID: which of two that clash is held depends on their order. */
function chosen(): { readonly path: string; readonly bytes: Buffer; readonly sha256: string }[] {
  const seen = new Set<string>()
  const [header = '', ...rows] = readFileSync(list, 'utf8').trimEnd().split('\n')
  const column = header.split('\t').indexOf('SOPInstanceUID')
  return rows.flatMap((row) => {
    const fields = row.split('\t')
    const path = join(samples, fields[0]!)
    const bytes = readFileSync(path)
    const sha256 = createHash('sha256').update(bytes).digest('hex')
    const uid = fields[column] || sha256
    if (seen.has(uid) || seen.has(sha256)) return []
    seen.add(uid).add(sha256)
    return [{ path, bytes, sha256 }]
  })
}

/** What each arrival was judged to be, by digest, as the archive itself lists it. */
async function judged(url: string): Promise<Map<string, Told>> {
  const all = new Map<string, Told>()
  let cursor: string | null = null
  do {
    const more: string = cursor === null ? '' : `&cursor=${encodeURIComponent(cursor)}`
    const answer = await fetch(`${url}/api/v1/arrivals?limit=500${more}`)
    const page = (await answer.json()) as {
      items: { sha256: string; verdict: string; findings: { rule: string }[] }[]
      next: string | null
    }
    for (const { sha256, verdict, findings } of page.items) {
      // What one door adds about names and claims is not about the bytes.
      all.set(sha256, { verdict, rules: findings.map(({ rule }) => rule).toSorted() })
    }
    cursor = page.next
  } while (cursor !== null)
  return all
}

async function upload(url: string, name: string, bytes: Buffer): Promise<void> {
  const json = { 'content-type': 'application/json' }
  const root = `${url}/api/v1/uploads`
  const begun = await fetch(root, {
    method: 'POST',
    headers: json,
    body: JSON.stringify({ name, size: bytes.length }),
  })
  const { id } = (await begun.json()) as { id: string }
  const sent = await fetch(`${root}/${id}`, {
    method: 'PATCH',
    headers: { 'upload-offset': '0' },
    body: new Uint8Array(bytes),
  })
  assert.equal(sent.status, 204)
  await fetch(`${root}/${id}/finish`, { method: 'POST' })
  await (await fetch(`${root}/${id}/events`)).text()
}

/** Several at a time, each exactly once. */
async function each<T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
  const left = [...items]
  await Promise.all(
    Array.from({ length: 6 }, async () => {
      for (let item = left.shift(); item !== undefined; item = left.shift()) await work(item)
    }),
  )
}

test('every sample has the same verdict by import, upload and STOW-RS', { timeout: 240_000 }, async (context) => {
  if (!existsSync(list)) {
    context.diagnostic(`left out: ${list} is not there`)
    context.skip('the sample collection is not there')
    return
  }
  const files = chosen()
  const verdicts = new Map<string, Map<string, Told>>()
  for (const door of ['import', 'upload', 'stow'] as const) {
    const place = temporaryDirectory(`samples-${door}`)
    context.after(() => place.remove())
    const server = await startServer({ dataDirectory: place.path })
    context.after(() => server.stop())
    const agent = new http.Agent({ keepAlive: true, maxSockets: 6 })
    if (door === 'import') {
      const paths = files.map(({ path }) => path)
      const { lines } = await runCommand(['import', ...paths, '--data', place.path, '--json'])
      assert.equal(lines.length, files.length + 1)
    } else if (door === 'upload') {
      await each(files, ({ path, bytes }) => upload(server.url, path, bytes))
    } else {
      await each(files, async ({ bytes }) => {
        await stow(agent, `${server.url}/dicom-web`, [bytes])
      })
    }
    agent.destroy()
    verdicts.set(door, await judged(server.url))
    assert.equal(await server.stop(), 0)
  }
  const different: string[] = []
  for (const { path, sha256 } of files) {
    const told = [...verdicts].map(([door, all]) => [door, all.get(sha256)] as const)
    const [, first] = told[0]!
    for (const [door, other] of told.slice(1)) {
      // What is no object is passed over on a medium; a STOW-RS request that offers it as one is refused.
      const noObject = first?.verdict === 'skip' && door === 'stow' && other?.verdict === 'reject'
      if (noObject && String(other.rules) === String(first.rules)) continue
      if (other?.verdict !== first?.verdict) {
        different.push(`${path}: import ${JSON.stringify(first)}, ${door} ${JSON.stringify(other)}`)
      }
    }
  }
  assert.deepEqual(different, [])
  context.diagnostic(`${files.length} samples by three doors`)
})
