import type { DeskServices } from '#access/desk/services.ts'
import { ArchiveError } from '#errors.ts'
import type { ArchiveReader, PatientRow } from '#model/archive-index.ts'
import type { ObjectRecord, StoredInstance } from '#model/archive-object.ts'
import type { ArrivalRecord } from '#model/arrival.ts'
import type { ImportItem } from '#model/identity.ts'
import type { QuarantineDesk } from '#model/intake.ts'
import type { QuarantineItem } from '#model/quarantine.ts'
import type { ImportDesk } from '#model/reconciliation.ts'
import type { Visibility } from '#model/visibility.ts'
import type { SecurityFixture } from './security-fixture.ts'

const SCAN = { status: 'not-scanned', engine: null, signatures: null, coverage: null } as const

/** Two patients with one study each, held in memory, behind the ports that the desk is built over. */
export const INSTANCES: readonly StoredInstance[] = ['p1', 'p2'].map((patient, at) => ({
  objectId: `object-${at + 1}`,
  sopInstanceUID: `1.2.3.${at + 1}.1.1`,
  sopClassUID: '1.2.840.10008.5.1.4.1.1.7',
  transferSyntaxUID: '1.2.840.10008.1.2.1',
  studyInstanceUID: `1.2.3.${at + 1}`,
  seriesInstanceUID: `1.2.3.${at + 1}.1`,
  patientId: `opaque-${patient}`,
  location: { segment: '000001', offset: 512, length: 1000 },
  dataSetOffset: 300,
  digests: { arrived: `${at + 1}`.repeat(64), dataSet: `${at + 3}`.repeat(64), kept: `${at + 5}`.repeat(64) },
  frames: null,
  overlayVersion: 0,
  overlay: [],
  version: 1,
}))

function arrival(instance: StoredInstance): ArrivalRecord {
  return {
    id: `arrival-${instance.objectId}`,
    sha256: instance.digests.arrived,
    size: 1000,
    door: 'stow',
    peer: null,
    originator: null,
    user: 'ada',
    address: null,
    medium: null,
    path: null,
    time: '2026-11-24T09:00:00.000Z',
    verdict: 'accept',
    reason: 'kept',
    findings: [],
    scan: SCAN,
    sopInstanceUid: instance.sopInstanceUID,
    objectId: instance.objectId,
    quarantineId: null,
  }
}

function record(instance: StoredInstance): ObjectRecord {
  return {
    format: 1,
    objectId: instance.objectId,
    version: 1,
    sopInstanceUID: instance.sopInstanceUID,
    digests: instance.digests,
    dataSetOffset: 300,
    patient: { patientId: instance.patientId, issuer: 'local', id: instance.patientId.slice(7), issuerAssumed: true },
    arrival: arrival(instance),
    arrivedHead: null,
    arrivedTail: null,
    verdict: 'accept',
    findings: [],
    scan: SCAN,
    placement: { rule: 'image', ruleVersion: 1, panel: 'image', form: 'as-received', facts: {}, alternatives: [] },
    time: '2026-11-24T09:00:00.000Z',
  }
}

function sees(visibility: Visibility, patientId: string): boolean {
  if (visibility.sees === 'patients') return visibility.patientIds.includes(patientId)
  return visibility.sees === 'all'
}

type Read = Pick<
  ArchiveReader,
  | 'find'
  | 'record'
  | 'arrivalsOf'
  | 'changesOf'
  | 'placementOf'
  | 'arrivals'
  | 'patients'
  | 'isPatient'
  | 'timeline'
  | 'counts'
>

/** The reads that the desk makes. */
export function memoryArchive(): Read {
  const byId = (id: string) => INSTANCES.find(({ objectId }) => objectId === id)
  return {
    async find(identifier, visibility) {
      return INSTANCES.find(
        ({ objectId, sopInstanceUID, digests, patientId }) =>
          [objectId, sopInstanceUID, digests.arrived, digests.dataSet, digests.kept].includes(identifier) &&
          sees(visibility, patientId),
      )
    },
    record: async (id) => INSTANCES.filter(({ objectId }) => objectId === id).map(record)[0],
    arrivalsOf: async (id) => INSTANCES.filter(({ objectId }) => objectId === id).map(arrival),
    changesOf: async () => [],
    placementOf: async (id) => INSTANCES.filter(({ objectId }) => objectId === id).map(record)[0]?.placement,
    async arrivals({ sha256 }) {
      return {
        items: INSTANCES.map(arrival).filter((row) => sha256 === undefined || row.sha256 === sha256),
        next: null,
      }
    },
    async patients({ identifier }, visibility) {
      const rows = INSTANCES.filter(({ patientId }) => sees(visibility, patientId)).map(
        ({ patientId }): PatientRow => ({
          id: patientId,
          issuer: 'local',
          identifier: patientId.slice(7),
          issuerAssumed: true,
          name: 'DOE^JANE',
          birthDate: null,
          sex: null,
          studies: 1,
          identifiers: [],
        }),
      )
      return { items: rows.filter((row) => identifier === undefined || row.identifier === identifier), next: null }
    },
    isPatient: async (id, visibility) => INSTANCES.some(({ patientId }) => patientId === id && sees(visibility, id)),
    async timeline(patientId, visibility) {
      return INSTANCES.filter((instance) => instance.patientId === patientId && sees(visibility, patientId)).map(
        ({ studyInstanceUID }) => ({
          kind: 'study',
          studyInstanceUID,
          date: null,
          time: null,
          description: null,
          modalities: ['OT'],
          accessionNumber: null,
          series: 1,
          instances: 1,
        }),
      )
    },
    async counts() {
      return { patients: 2, studies: 2, series: 2, instances: byId('object-1') === undefined ? 0 : 2, bytes: 2000 }
    },
  }
}

/** One held object that can be decided once. */
export function memoryQuarantine(): QuarantineDesk {
  let held: QuarantineItem = {
    id: 'q1',
    state: 'held',
    sha256: 'a'.repeat(64),
    size: 10,
    sopInstanceUid: '1.2.9',
    arrivedAt: '2026-11-24T09:00:00.000Z',
    door: 'web',
    peer: null,
    arrivals: 1,
    findings: [],
    preambleHex: '4d5a',
    scan: SCAN,
    patient: null,
    decision: null,
  }
  return {
    list: async ({ state }) => ({ items: state === undefined || state === held.state ? [held] : [], next: null }),
    item: async (id) => (id === held.id ? held : undefined),
    async decide(id, action, reason, by) {
      if (id !== held.id) throw new ArchiveError('request.not-found', id)
      if (held.decision !== null) throw new ArchiveError('quarantine.decided', id)
      const state = action === 'discard' ? 'discarded' : 'released'
      held = { ...held, state, decision: { action, reason, by, time: '2026-11-24T10:00:00.000Z', objectId: null } }
      return held
    },
    original: async () => new TextEncoder().encode('encrypted'),
  }
}

/** One study that waits and can be decided once. */
export function memoryImports(): ImportDesk {
  let waiting: ImportItem = {
    id: 'i1',
    studyInstanceUID: '1.2.3.1',
    state: 'open',
    reconciliation: 'waiting',
    arrivedAs: {
      issuer: 'assumed:0',
      id: '77',
      name: 'DOE^JANE',
      birthDate: null,
      sex: null,
      accessionNumber: null,
      studyDate: null,
      modalities: ['OT'],
      description: null,
    },
    originator: null,
    medium: null,
    why: 'somebody resembles this patient, and nothing proves it',
    candidates: [],
    decision: null,
  }
  const stateOf = (studyInstanceUID: string) => ({
    ...{ studyInstanceUID, state: waiting.reconciliation, why: waiting.why, candidates: 0, item: waiting.id },
  })
  return {
    list: async ({ state }) => ({ items: state === undefined || state === waiting.state ? [waiting] : [], next: null }),
    item: async (id) => (id === waiting.id ? waiting : undefined),
    async decide(_id, { action, reason }, { by }) {
      if (waiting.decision !== null) throw new ArchiveError('request.conflict', 'this item is decided')
      const decision = {
        action,
        patient: null,
        orderId: null,
        reason,
        by,
        time: '2026-11-24T10:00:00.000Z',
        entries: [],
      }
      waiting = { ...waiting, state: 'decided', reconciliation: action === 'keep' ? 'foreign' : 'coerced', decision }
      return waiting
    },
    async undo() {
      if (waiting.decision === null) throw new ArchiveError('request.conflict', 'this item is open')
      waiting = { ...waiting, state: 'open', reconciliation: 'waiting', decision: null }
      return waiting
    },
    reconcile: async (uid) => stateOf(uid),
    stateOf: async (uid) => (uid === waiting.studyInstanceUID ? stateOf(uid) : undefined),
    checkIntention: async () => undefined,
    intend: async (uid) => stateOf(uid),
    assign: async () => {
      throw new Error('not asked in this test')
    },
    recoerce: async () => 0,
  }
}

export function deskServices(security: SecurityFixture): DeskServices {
  return {
    version: '0.0.0',
    archive: memoryArchive() as DeskServices['archive'],
    quarantine: memoryQuarantine(),
    jobs: { list: async () => ({ items: [], next: null }) },
    accounts: security.accounts,
    tokens: security.tokens,
    settings: security.settings,
    peers: security.peers,
    auditTrail: security.store,
    imports: memoryImports(),
    pageMax: 1000,
  }
}
