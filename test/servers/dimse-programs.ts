/** Programs of dcmtk run against the real server, and objects as files for them. */
import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import http from 'node:http'
import { memorySource } from '#standards/byte-source.ts'
import { openPart10 } from '#standards/dicom/open.ts'
import type { LiveServer } from '../live/server.ts'
import { request } from '../live/stow-client.ts'

export interface Ran {
  readonly status: number
  /** What it said on stdout and stderr. */
  readonly said: string
}

/** Runs a program for at most a minute. */
export function runProgram(program: string, args: readonly string[]): Promise<Ran> {
  return new Promise((resolve, reject) => {
    execFile(program, [...args], { timeout: 60_000, maxBuffer: 2 ** 26 }, (error, stdout, stderr) => {
      const status = error === null ? 0 : error.code
      if (typeof status !== 'number') reject(error)
      else resolve({ status, said: stdout + stderr })
    })
  })
}

/** The instance as it is kept, or the status of the answer. */
export async function kept(server: LiveServer, instance: string): Promise<Buffer | number> {
  const agent = new http.Agent()
  try {
    const found = await request(agent, `${server.url}/dicom-web/instances?SOPInstanceUID=${instance}`, {
      headers: { accept: 'application/dicom+json' },
    })
    if (found.status !== 200) return found.status
    const [match] = JSON.parse(found.body.toString()) as { [tag: string]: { Value?: string[] } }[]
    const [study, series] = ['0020000D', '0020000E'].map((tag) => match?.[tag]?.Value?.[0])
    const url = `${server.url}/dicom-web/studies/${study}/series/${series}/instances/${instance}`
    const answer = await request(agent, url, { headers: { accept: 'application/dicom; transfer-syntax=*' } })
    return answer.status === 200 ? answer.body : answer.status
  } finally {
    agent.destroy()
  }
}

/** What stands behind the File Meta of a file. */
export function dataSetOf(file: Buffer): { readonly bytes: Buffer; readonly transferSyntax: string } {
  const opened = openPart10(memorySource(file))
  return { bytes: file.subarray(opened.dataSetStart), transferSyntax: opened.transferSyntax.uid }
}

export function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex')
}

/** Asks our pages' API. */
export async function api(server: LiveServer, path: string): Promise<{ status: number; json: unknown }> {
  const agent = new http.Agent()
  try {
    const { status, body } = await request(agent, `${server.url}/api/v1${path}`)
    return { status, json: JSON.parse(body.toString()) as unknown }
  } finally {
    agent.destroy()
  }
}
