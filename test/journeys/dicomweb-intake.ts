/** An intake that answers by what the patient's identifier says: to see how STOW-RS tells each outcome. */
import { createHash } from 'node:crypto'
import { unlink } from 'node:fs/promises'
import { setTimeout as wait } from 'node:timers/promises'
import { ArchiveError } from '#errors.ts'
import type { Arrival, Receipt } from '#model/arrival.ts'
import type { Intake } from '#model/intake.ts'
import { memorySource } from '#standards/byte-source.ts'
import { readDataSet, string } from '#standards/dicom/data-set.ts'
import { DicomError } from '#standards/dicom/errors.ts'
import { openPart10 } from '#standards/dicom/open.ts'
import { openSpooled } from '#storage/spool.ts'

export interface ObedientIntake extends Intake {
  readonly received: { readonly bytes: Buffer; readonly arrival: Arrival }[]
  /** Most arrivals that were under way at once. */
  most: number
}

export function obedientIntake(keep: (file: Uint8Array) => Promise<unknown>): ObedientIntake {
  const kept = new Map<string, string>()
  let under = 0
  const intake: ObedientIntake = {
    received: [],
    most: 0,
    judge: () => Promise.reject(new TypeError('nothing is judged here')),
    async receive(arrival) {
      under++
      intake.most = Math.max(intake.most, under)
      await wait(5)
      under--
      const bytes = await bytesOf(arrival)
      intake.received.push({ bytes, arrival })
      return outcome(arrival, bytes)
    },
  }

  async function outcome(arrival: Arrival, bytes: Buffer): Promise<Receipt> {
    const sha256 = createHash('sha256').update(bytes).digest('hex')
    const base: Receipt = {
      arrivalId: 'a',
      sha256,
      size: bytes.length,
      verdict: 'accept',
      stored: false,
      duplicate: false,
      sopClassUID: null,
      sopInstanceUID: null,
      seriesInstanceUID: null,
      studyInstanceUID: null,
      objectId: null,
      quarantineId: null,
      reason: '',
      findings: [],
      scan: { status: 'not-scanned', engine: null, signatures: null, coverage: null },
      failure: null,
      elementsDiscarded: false,
    }
    const finding = (rule: string, severity: 'quarantine' | 'reject') => [
      { rule: 'P8', severity: 'info' as const, detail: '', offset: null, tag: null },
      { rule, severity, detail: '', offset: null, tag: null },
    ]
    let uids: Pick<Receipt, 'sopClassUID' | 'sopInstanceUID' | 'seriesInstanceUID' | 'studyInstanceUID'>
    let patient: string | null
    try {
      const opened = openPart10(memorySource(bytes))
      const dataSet = readDataSet(opened.dataSet, opened.encoding)
      patient = string(dataSet, 0x00100020)
      uids = {
        sopClassUID: string(dataSet, 0x00080016),
        sopInstanceUID: string(dataSet, 0x00080018),
        seriesInstanceUID: string(dataSet, 0x0020000e),
        studyInstanceUID: string(dataSet, 0x0020000d),
      }
    } catch (error) {
      if (!(error instanceof DicomError)) throw error
      return { ...base, verdict: 'reject', failure: 'dicom.malformed', findings: finding(error.rule, 'reject') }
    }
    const known = { ...base, ...uids }
    if (patient === 'HOLD') {
      return { ...known, verdict: 'quarantine', quarantineId: 'q-7', findings: finding('P2', 'quarantine') }
    }
    if (patient === 'CLASS') return { ...known, verdict: 'reject', failure: 'screening.class-refused' }
    if (patient === 'FULL') throw new ArchiveError('storage.full', 'no room')
    if (patient === 'BUSY') throw new ArchiveError('archive.busy', 'later')
    if (patient === 'BUG') throw new TypeError('a fault with "quotes"\r\nand lines')
    const asked = arrival.claims.studyInstanceUID
    if (asked !== undefined && asked !== uids.studyInstanceUID) {
      return { ...known, verdict: 'reject', failure: 'identity.study-mismatch', findings: finding('study', 'reject') }
    }
    const before = kept.get(uids.sopInstanceUID ?? '')
    if (before === sha256) return { ...known, stored: true, duplicate: true }
    if (before !== undefined) {
      return {
        ...known,
        verdict: 'quarantine',
        quarantineId: 'q-8',
        failure: 'identity.conflict',
        findings: finding('conflict', 'quarantine'),
      }
    }
    kept.set(uids.sopInstanceUID ?? '', sha256)
    await keep(bytes)
    return { ...known, stored: true, elementsDiscarded: patient === 'STRIP' }
  }
  return intake
}

async function bytesOf(arrival: Arrival): Promise<Buffer> {
  const source = openSpooled(arrival.bytes)
  try {
    const pieces: Uint8Array[] = []
    for (let at = 0; at < source.size; at += 1024 * 1024) pieces.push(source.read(at, at + 1024 * 1024).slice())
    return Buffer.concat(pieces)
  } finally {
    source.close()
    if (arrival.bytes.in === 'spool') await unlink(arrival.bytes.path)
  }
}
