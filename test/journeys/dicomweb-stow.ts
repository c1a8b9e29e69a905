/** Messages to the Store Transaction, and what its answers say. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import type http from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before } from 'node:test'
import { storeRoutes } from '#arrival/stow.ts'
import type { Route } from '#model/route.ts'
import { type Elements, part10 } from '../fixtures/dicom-builder.ts'
import { ctImage } from '../fixtures/objects.ts'
import { type Answer, memoryArchive } from './dicomweb-archive.ts'
import { type ObedientIntake, obedientIntake } from './dicomweb-intake.ts'

export const BOUNDARY = 'xyz'
export const TYPE = `multipart/related; type="application/dicom"; boundary=${BOUNDARY}`

export interface Sent {
  readonly headers?: { readonly [name: string]: string }
  readonly body: Uint8Array | string
}

export function message(parts: readonly Sent[], end = `\r\n--${BOUNDARY}--\r\n`): Buffer {
  const pieces = parts.flatMap(({ headers = { 'Content-Type': 'application/dicom' }, body }, i) => {
    const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`)
    return [Buffer.from(`${i === 0 ? '' : '\r\n'}--${BOUNDARY}\r\n${lines.join('')}\r\n`), Buffer.from(body as string)]
  })
  return Buffer.concat([...pieces, Buffer.from(end)])
}

let uid = 0
/** A number nobody had before, for the end of a UID. */
export const fresh = (): number => ++uid
export const object = (patient = 'P', more: Elements = {}): Elements => ({
  ...ctImage(),
  PatientID: patient,
  StudyInstanceUID: '1.2.5',
  SeriesInstanceUID: '1.2.5.1',
  SOPInstanceUID: `1.2.5.1.${fresh()}`,
  ...more,
})
export const file = (patient?: string, more?: Elements): Sent => ({ body: part10({ elements: object(patient, more) }) })

interface Told {
  readonly url: string | undefined
  readonly stored: string[]
  readonly failed: { readonly uid: string; readonly reason: number }[]
  readonly nameless: number[]
  readonly warnings: string[]
}

export function told(answer: Answer): Told {
  assert.equal(answer.headers['content-type'], 'application/dicom+json')
  const set = JSON.parse(answer.body.toString())
  assert.deepEqual(Object.keys(set), Object.keys(set).sort())
  const items = (tag: string) => (set[tag]?.Value ?? []) as { [tag: string]: { Value: [never] } }[]
  const { warning } = answer.headers
  return {
    url: set['00081190'].Value?.[0],
    stored: items('00081199').map((item) => item['00081155']!.Value[0]),
    failed: items('00081198').map((item) => ({ uid: item['00081155']!.Value[0], reason: item['00081197']!.Value[0] })),
    nameless: items('0008119A').map((item) => item['00081197']!.Value[0]),
    warnings: warning === undefined ? [] : warning.split(/, (?=299 )/),
  }
}

/** A place where STOW-RS may store, for the tests of a file; what arrived is kept as `intake` says. */
export interface StowSite {
  readonly spool: string
  /** What was reported to us. */
  readonly reported: readonly unknown[]
  readonly intake: ObedientIntake
  readonly archive: Awaited<ReturnType<typeof memoryArchive>>
  post(body: Uint8Array, headers?: http.OutgoingHttpHeaders, path?: string): Promise<Answer>
}

/** Opens it before the tests of the suite it is called in, and closes it behind them. */
export function stowSite(): StowSite {
  const spool = mkdtempSync(join(tmpdir(), 'diptych-stow-'))
  const reported: unknown[] = []
  let intake: ObedientIntake
  let archive: Awaited<ReturnType<typeof memoryArchive>>

  before(async () => {
    archive = await memoryArchive((keep) => {
      intake = obedientIntake(keep)
      return storeRoutes({
        intake,
        spoolDirectory: spool,
        report: (error) => reported.push(error),
        spool: { bytesMax: 25_000_000 },
      }) as Route[]
    })
  })
  after(async () => {
    await archive.close()
    rmSync(spool, { recursive: true })
  })

  const post = (body: Uint8Array, headers: http.OutgoingHttpHeaders = {}, path = '/dicom-web/studies') =>
    archive.ask(path, {
      method: 'POST',
      headers: { 'content-type': TYPE, 'content-length': body.length, ...headers },
      body: [body],
    })

  return {
    ...{ spool, reported, post },
    get intake() {
      return intake
    },
    get archive() {
      return archive
    },
  }
}
