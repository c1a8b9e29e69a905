/** Files for senders: images and reports nobody sent before, in a folder that goes with the test. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after } from 'node:test'
import { temporaryDirectory } from '../live/server.ts'
import { tinyObject } from '../live/tiny-object.ts'

export const CT = '1.2.840.10008.5.1.4.1.1.2'
export const SR = '1.2.840.10008.5.1.4.1.1.88.11'
export const folder = temporaryDirectory('dimse-files')
after(() => folder.remove())

let serial = 0
/** Begins every UID of these files. */
export const prefix = `2.25.9${process.pid}`
/** A CT image or a report nobody sent before. */
export function fresh(side = 16): { file: Buffer; instance: string; path: string } {
  serial++
  const instance = `${prefix}.${serial}`
  const file = tinyObject({
    sopInstanceUID: instance,
    studyInstanceUID: `${prefix}.0.1`,
    seriesInstanceUID: `${prefix}.0.2`,
    number: serial,
    side,
  })
  const path = join(folder.path, `${serial}.dcm`)
  writeFileSync(path, file)
  return { file, instance, path }
}
