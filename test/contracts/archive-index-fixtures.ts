import { hash } from 'node:crypto'
import { constants, crc32, deflateRawSync } from 'node:zlib'
import type { CommitGroup } from '#model/archive-index.ts'
import type { AttributeValues, NewInstance } from '#model/archive-object.ts'
import type { ArrivalRecord } from '#model/arrival.ts'
import type { Match, Query } from '#model/search.ts'

/** What a test cares about; everything else is made up from the UIDs. */
export interface Sketch {
  readonly uid: string
  readonly series?: string
  readonly study?: string
  readonly patient?: string
  readonly issuer?: string
  readonly sopClass?: string
  readonly attributes?: AttributeValues
  readonly json?: Readonly<Record<string, unknown>>
  readonly length?: number
  readonly segment?: string
}

export const CT = '1.2.840.10008.5.1.4.1.1.2'
export const EXPLICIT = '1.2.840.10008.1.2.1'
export const TIME = '2026-01-02T03:04:05.678Z'

export function sha(text: string): string {
  return hash('sha256', text, 'hex')
}

export function arrivalOf(sketch: Sketch): ArrivalRecord {
  return {
    id: `arrival-${sketch.uid}`,
    sha256: sha(`arrived ${sketch.uid}`),
    size: sketch.length ?? 1000,
    door: 'stow',
    peer: 'MODALITY',
    originator: null,
    user: 'token-1',
    address: '127.0.0.1',
    medium: null,
    path: null,
    time: TIME,
    verdict: 'accept',
    reason: 'nothing was found',
    findings: [],
    scan: { status: 'not-scanned', engine: null, signatures: null, coverage: null },
    sopInstanceUid: sketch.uid,
    objectId: `object-${sketch.uid}`,
    quarantineId: null,
  }
}

export function instanceOf(sketch: Sketch): NewInstance {
  const study = sketch.study ?? '1.2.3'
  const series = sketch.series ?? `${study}.1`
  const patient = sketch.patient ?? 'P1'
  const issuer = sketch.issuer ?? 'HOSPITAL'
  const sopClassUID = sketch.sopClass ?? CT
  const attributes: AttributeValues = {
    '00080016': [sopClassUID],
    '00080018': [sketch.uid],
    '0020000D': [study],
    '0020000E': [series],
    '00100020': [patient],
    '00080060': ['CT'],
    ...sketch.attributes,
  }
  const json = JSON.stringify(sketch.json ?? { '00080018': { vr: 'UI', Value: [sketch.uid] } })
  return {
    record: {
      format: 1,
      objectId: `object-${sketch.uid}`,
      version: 1,
      sopInstanceUID: sketch.uid,
      digests: {
        arrived: sha(`arrived ${sketch.uid}`),
        dataSet: sha(`data ${sketch.uid}`),
        kept: sha(`kept ${sketch.uid}`),
      },
      dataSetOffset: 334,
      patient: { patientId: `${issuer}|${patient}`, issuer, id: patient, issuerAssumed: false },
      arrival: arrivalOf(sketch),
      arrivedHead: Buffer.from('head').toString('base64'),
      arrivedTail: null,
      verdict: 'accept',
      findings: [],
      scan: { status: 'not-scanned', engine: null, signatures: null, coverage: null },
      placement: { rule: 'images', ruleVersion: 1, panel: 'image', form: 'native', facts: {}, alternatives: [] },
      time: TIME,
    },
    location: { segment: sketch.segment ?? '000001.tar', offset: 512, length: sketch.length ?? 1000 },
    sopClassUID,
    transferSyntaxUID: EXPLICIT,
    studyInstanceUID: study,
    seriesInstanceUID: series,
    attributes,
    metadata: {
      crc32: crc32(json),
      rawLength: Buffer.byteLength(json),
      deflated: deflateRawSync(json, { level: 1, finishFlush: constants.Z_SYNC_FLUSH }),
    },
    frames: null,
    family: null,
    facts: [],
    instant: null,
    zoneAssumed: true,
  }
}

export function groupOf(...sketches: Sketch[]): CommitGroup {
  return { instances: sketches.map(instanceOf), arrivals: sketches.map(arrivalOf), flushed: null }
}

export function queryOf(level: Query['level'], match: readonly Match[] = [], more: Partial<Query> = {}): Query {
  return {
    level,
    scope: {},
    match,
    include: [],
    fuzzy: false,
    order: null,
    limit: 100,
    offset: 0,
    after: null,
    ...more,
  }
}

/** A match on one attribute: `*` and `?` are wild cards, `a-b` a range for dates, a list in brackets. */
export function matching(tag: number, value: string | readonly string[]): Match {
  if (typeof value !== 'string') return { path: [tag], how: { is: 'list', values: value } }
  if (value === '') return { path: [tag], how: { is: 'universal' } }
  if (value === '""') return { path: [tag], how: { is: 'empty' } }
  if (/[*?]/.test(value)) return { path: [tag], how: { is: 'wildcard', pattern: value } }
  const range = /^(\d*)-(\d*)$/.exec(value)
  if (range !== null) return { path: [tag], how: { is: 'range', from: range[1] || null, to: range[2] || null } }
  return { path: [tag], how: { is: 'single', value } }
}
