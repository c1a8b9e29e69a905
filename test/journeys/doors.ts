/** The three doors of files, asked as their users ask them, and what each says of every file. */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import type http from 'node:http'
import { memorySource } from '#standards/byte-source.ts'
import { DicomError } from '#standards/dicom/errors.ts'
import { openPart10 } from '#standards/dicom/open.ts'
import { type LiveServer, runCommand } from '../live/server.ts'
import { StoreClient, StoreClientError } from '../live/store-client.ts'
import { type Answer, request } from '../live/stow-client.ts'

export interface Finding {
  readonly rule: string
  readonly severity: string
}

/** What a door said of one file. */
export interface Said {
  readonly verdict: string
  readonly findings: readonly Finding[]
  readonly stored: boolean
  readonly quarantineId: string | null
}

/** Findings of reconciliation: they depend on what is kept already, not on the file. */
const OF_THE_ARCHIVE = new Set(['conflict', 'study-patient-conflict'])

/** Rules and severities that come from the file itself, in a form that compares. */
export function rulesOf(said: Said): string {
  const own = said.findings.filter(({ rule }) => !OF_THE_ARCHIVE.has(rule))
  return own
    .map(({ rule, severity }) => `${rule} ${severity}`)
    .toSorted()
    .join(', ')
}

/** True when the verdict is not about the file alone. */
export function isConflict(said: Said): boolean {
  return said.findings.some(({ rule }) => OF_THE_ARCHIVE.has(rule))
}

/** `import` beside the running server. @returns what was said by path */
export async function importAll(server: LiveServer, path: string): Promise<Map<string, Said>> {
  const { lines, stderr } = await runCommand(['import', path, '--data', server.dataDirectory, '--json'])
  assert.ok(lines.length > 0, `import said nothing: ${stderr}`)
  return byPath(lines.slice(0, -1) as (Said & { path: string })[])
}

/** A browser's upload of one file, in one piece. @returns what was said by path */
export async function uploadAll(
  agent: http.Agent,
  server: LiveServer,
  name: string,
  bytes: Uint8Array,
): Promise<Map<string, Said>> {
  const root = `${server.url}/api/v1/uploads`
  const json = { 'content-type': 'application/json' }
  const begun = await request(agent, root, {
    method: 'POST',
    headers: json,
    body: [Buffer.from(JSON.stringify({ name, size: bytes.byteLength }))],
  })
  assert.equal(begun.status, 201, begun.body.toString())
  const { id } = JSON.parse(begun.body.toString()) as { id: string }
  const patched = await request(agent, `${root}/${id}`, {
    method: 'PATCH',
    headers: {
      'upload-offset': '0',
      'content-type': 'application/offset+octet-stream',
      'content-length': bytes.byteLength,
    },
    body: [bytes],
  })
  assert.equal(patched.status, 204, patched.body.toString())
  assert.equal((await request(agent, `${root}/${id}/finish`, { method: 'POST' })).status, 202)
  for (;;) {
    const answer = await request(agent, `${root}/${id}/result`)
    if (answer.status === 200) {
      return byPath((JSON.parse(answer.body.toString()) as { items: (Said & { path: string })[] }).items)
    }
    assert.equal(answer.status, 202, answer.body.toString())
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}

/**
 * C-STORE of the data set of a file under the transfer syntax and the identifiers its File Meta names.
 * @returns null when it names none that could be proposed
 */
export async function cStoreOne(
  agent: http.Agent,
  server: LiveServer,
  bytes: Buffer,
): Promise<{ status: number; said: Said; instance: string | null } | null> {
  const named = namedIn(bytes)
  if (named === null || server.dimse === null) return null
  const { sopClass, transferSyntax, dataSet } = named
  let client: StoreClient
  try {
    client = await StoreClient.open({
      port: server.dimse.port,
      contexts: [{ sopClass, transferSyntaxes: [transferSyntax] }],
    })
  } catch (error) {
    if (error instanceof StoreClientError && error.told.join() === '1,1,1') return null
    throw error
  }
  const { status } = await client.store(sopClass, transferSyntax, named.instance, dataSet)
  client.destroy()
  const sha256 = createHash('sha256').update(dataSet).digest('hex')
  const arrivals = await request(agent, `${server.url}/api/v1/arrivals?sha256=${sha256}`)
  const { items } = JSON.parse(arrivals.body.toString()) as {
    items: {
      time: string
      verdict: string
      findings: Finding[]
      quarantineId: string | null
      objectId: string | null
    }[]
  }
  const [newest] = items.toSorted((a, b) => b.time.localeCompare(a.time))
  assert.ok(newest !== undefined, 'an arrival of any verdict has a record')
  const { verdict, findings, quarantineId, objectId } = newest
  const found =
    objectId === null
      ? null
      : await request(agent, `${server.url}/dicom-web/instances?SOPInstanceUID=${named.instance}`)
  const [match] =
    found?.status === 200 ? (JSON.parse(found.body.toString()) as { [tag: string]: { Value?: string[] } }[]) : []
  const instance = match?.['00081190']?.Value?.[0] ?? null
  return { status, instance, said: { verdict, findings, quarantineId, stored: objectId !== null } }
}

/** What the File Meta names, when it is well formed. */
function namedIn(bytes: Buffer) {
  try {
    const { meta, dataSetStart } = openPart10(memorySource(bytes))
    const { mediaStorageSOPClassUID: sopClass, mediaStorageSOPInstanceUID: instance, transferSyntaxUID } = meta ?? {}
    if (!sopClass || !instance || !transferSyntaxUID || !/^[\d.]{1,64}$/.test(instance)) return null
    return { sopClass, instance, transferSyntax: transferSyntaxUID, dataSet: bytes.subarray(dataSetStart) }
  } catch (error) {
    if (error instanceof DicomError) return null
    throw error
  }
}

function byPath(lines: readonly (Said & { path: string })[]): Map<string, Said> {
  return new Map(lines.map((line) => [line.path, line]))
}

/** STOW-RS of one file, and what the archive recorded of it. */
export async function stowOne(
  agent: http.Agent,
  server: LiveServer,
  bytes: Uint8Array,
): Promise<{ answer: Answer; said: Said; instance: string | null }> {
  const answer = await request(agent, `${server.url}/dicom-web/studies`, {
    method: 'POST',
    headers: { 'content-type': 'application/dicom', 'content-length': bytes.byteLength },
    body: [bytes],
  })
  assert.ok([200, 202, 409].includes(answer.status), `${answer.status}: ${answer.body.toString('latin1', 0, 300)}`)
  const told = JSON.parse(answer.body.toString()) as {
    '00081199'?: { Value: { '00081190': { Value: string[] } }[] }
  }
  const instance = told['00081199']?.Value[0]?.['00081190'].Value[0] ?? null
  const sha256 = createHash('sha256').update(bytes).digest('hex')
  const arrivals = await request(agent, `${server.url}/api/v1/arrivals?sha256=${sha256}`)
  const { items } = JSON.parse(arrivals.body.toString()) as {
    items: { time: string; verdict: string; findings: Finding[]; quarantineId: string | null }[]
  }
  const [newest] = items.toSorted((a, b) => b.time.localeCompare(a.time))
  assert.ok(newest !== undefined, 'an arrival of any verdict has a record')
  const { verdict, findings, quarantineId } = newest
  return { answer, instance, said: { verdict, findings, quarantineId, stored: instance !== null } }
}
