import type { Provenance, ProvenanceEntity } from '@medplum/fhirtypes'
import { ArchiveError } from '#errors.ts'
import type { ArrivalRecord } from '#model/arrival.ts'
import { cursorKeys, cursorText } from '#model/cursor.ts'
import type { StoredDocument } from '#model/document.ts'
import type { DocumentVersion } from '#model/document-desk.ts'
import type { FhirState } from '#model/fhir-store.ts'
import type { LedgerDecision, LedgerEntry } from '#model/identity.ts'
import { patientIdOf } from '#model/patient-id.ts'
import { unescaped } from '#standards/fhir/search-syntax.ts'
import { derived, type Loose } from './compact.ts'
import { studyIdentifier } from './imaging-study.ts'
import type { Caller, FhirSources, ResourceKind } from './kind.ts'

const DATA_OPERATION = 'http://terminology.hl7.org/CodeSystem/v3-DataOperation'
const PARTICIPANT = 'http://terminology.hl7.org/CodeSystem/provenance-participant-type'

/** Of one target at most: what was decided and changed about it, and its objects. */
const ENTRIES_MAX = 500
const OBJECTS_MAX = 200
const TARGETS_MAX = 50

type Activity = 'CREATE' | 'UPDATE' | 'DELETE'

interface Told {
  readonly id: string
  readonly targets: readonly string[]
  readonly time: string
  readonly activity: Activity
  /** Account, token, peer or rule. */
  readonly by: string | null
  readonly reason: string | null
  readonly entity?: readonly Loose<ProvenanceEntity>[]
}

function provenanceOf({ id, targets, time, activity, by, reason, entity = [] }: Told): Provenance {
  return derived<Provenance>(
    {
      resourceType: 'Provenance',
      id,
      target: targets.map((reference) => ({ reference })),
      recorded: time,
      activity: { coding: [{ system: DATA_OPERATION, code: activity }] },
      reason: reason === null ? [] : [{ text: reason }],
      agent: [
        {
          type: {
            coding: [{ system: PARTICIPANT, code: activity === 'CREATE' ? 'enterer' : 'author' }],
          },
          who: { display: by ?? 'unknown' },
        },
      ],
      entity,
    },
    time,
  )
}

/** What came in: its digest, and the medium or path it came from. */
function arrived({ sha256, medium, path, door, peer, originator }: ArrivalRecord): Loose<ProvenanceEntity>[] {
  const from = [originator, peer, medium, path].filter((one) => one !== null).join(', ')
  return [
    {
      role: 'source',
      what: {
        identifier: { system: 'urn:diptych:sha256', value: sha256 },
        display: from === '' ? `by ${door}` : `by ${door} from ${from}`,
      },
    },
  ]
}

function ofDocumentVersion(
  document: StoredDocument,
  one: DocumentVersion,
  arrivals: readonly ArrivalRecord[],
): Provenance {
  const [arrival] = arrivals
  const isFirst = one.version === 1
  return provenanceOf({
    id: `d.${document.entryUuid}.${one.version}`,
    targets: [`DocumentReference/${document.entryUuid}/_history/${one.version}`],
    time: one.time,
    activity: isFirst ? 'CREATE' : 'UPDATE',
    by: one.by,
    reason: one.reason,
    entity: isFirst && arrival !== undefined ? arrived(arrival) : [],
  })
}

/** Patients and studies a decision is about, as references. */
function subjectsOf(decision: LedgerDecision): readonly string[] {
  const patient = ({ issuer, id }: { readonly issuer: string; readonly id: string }) =>
    `Patient/${patientIdOf(issuer, id)}`
  switch (decision.do) {
    case 'register':
      return [patient(decision.patient)]
    case 'merge':
      return [patient(decision.from), patient(decision.into)]
    case 'link':
      return [patient(decision.a), patient(decision.b)]
    case 'assign':
      return [`ImagingStudy/${decision.studyInstanceUID}`, patient(decision.patient)]
    case 'overlay':
      return [
        decision.scope.of === 'patient'
          ? patient(decision.scope.patient)
          : `ImagingStudy/${decision.scope.studyInstanceUID}`,
      ]
    case 'order':
      return [patient(decision.order.patient), `ServiceRequest/${decision.order.id}`]
    default:
      return []
  }
}

/** Of what a decision is about, what the caller may see; found by one of them, it is told of all. */
function ofLedgerEntry(
  sources: FhirSources,
  { id, time, cause, decision }: LedgerEntry,
  caller: Caller,
  found: string,
): Provenance {
  const seen = subjectsOf(decision).filter((target) => target === found || isSeen(sources, target, caller))

  return provenanceOf({
    id: `l.${id}`,
    targets: seen.length === 0 ? [found] : seen,
    time,
    activity: decision.do === 'register' || decision.do === 'order' ? 'CREATE' : 'UPDATE',
    by: cause.by,
    reason: [decision.do, cause.rule, cause.reason].filter((one) => one !== null).join(': '),
  })
}

function ofState({ type, id, version, lastUpdated, by, body }: FhirState): Provenance {
  return provenanceOf({
    id: `r.${type}.${id}.${version}`,
    targets: [`${type}/${id}/_history/${version}`],
    time: lastUpdated,
    activity: body === null ? 'DELETE' : version === 1 ? 'CREATE' : 'UPDATE',
    by,
    reason: null,
  })
}

const OWN_TYPES = ['Organization', 'Practitioner', 'PractitionerRole']

function isSeen({ fhir }: FhirSources, target: string, caller: Caller): boolean {
  const [type = '', id = ''] = target.split('/')
  const visibility = caller.sees(type, 'r')
  if (visibility === 'forbidden') return false
  if (type === 'Patient') return fhir.patients({ ids: [id], limit: 1 }, visibility).items.length > 0
  if (type === 'ImagingStudy') return fhir.studies({ uids: [id], limit: 1 }, visibility).items.length > 0
  return fhir.orders({ ids: [id], limit: 1 }, visibility).items.length > 0
}

/** Everything told of one target that the caller may see, and may see told. */
async function toldOf(sources: FhirSources, target: string, caller: Caller): Promise<readonly Provenance[]> {
  const { documents, fhir, ledger, own, reader } = sources
  const [type = '', id = ''] = target.split('/')
  const visibility = caller.sees(type, 'r')
  if (visibility === 'forbidden') return []
  if (type === 'DocumentReference') {
    const document = await documents.document(id, visibility)
    if (document?.entryUuid !== id.toLowerCase()) return []
    const versions = (await documents.versions(document.objectId, visibility)) ?? []
    const arrivals = await reader.arrivalsOf(document.objectId)
    return versions.slice(0, ENTRIES_MAX).map((one) => ofDocumentVersion(document, one, arrivals))
  }
  if (type === 'ImagingStudy') {
    if (fhir.studies({ uids: [id], limit: 1 }, visibility).items.length === 0) return []
    const told = ledger
      .entries({ studyInstanceUID: id, limit: ENTRIES_MAX })
      .items.map((one) => ofLedgerEntry(sources, one, caller, target))
    let objects = 0
    for await (const { objectId, sopInstanceUID } of reader.instances({ studyInstanceUID: id }, visibility)) {
      if (objects++ >= OBJECTS_MAX) break
      const one = await ofObject(sources, objectId, id, sopInstanceUID)
      if (one !== undefined) told.push(one)
    }
    return told
  }
  if (type === 'Patient') {
    const [row] = fhir.patients({ ids: [id], limit: 1 }, visibility).items
    if (row === undefined) return []
    const { items } = ledger.entries({ patient: row.patient, limit: ENTRIES_MAX })
    return items.map((one) => ofLedgerEntry(sources, one, caller, target))
  }
  if (OWN_TYPES.includes(type)) return own.versions(type, id).slice(0, ENTRIES_MAX).map(ofState)
  return []
}

/** How one object of a study came in. */
async function ofObject(
  { reader }: FhirSources,
  objectId: string,
  studyInstanceUID: string,
  sopInstanceUID: string,
): Promise<Provenance | undefined> {
  const [arrival] = await reader.arrivalsOf(objectId)
  if (arrival === undefined) return undefined
  const what = { identifier: { system: 'urn:dicom:uid', value: `urn:oid:${sopInstanceUID}` } }
  return provenanceOf({
    id: `o.${objectId}`,
    targets: [`ImagingStudy/${studyInstanceUID}`],
    time: arrival.time,
    activity: 'CREATE',
    by: arrival.user ?? arrival.peer ?? arrival.originator ?? arrival.door,
    reason: arrival.reason,
    entity: [
      ...arrived(arrival),
      { role: 'derivation', what: { ...what, display: studyIdentifier(studyInstanceUID).value } },
    ],
  })
}

async function byId(sources: FhirSources, id: string, caller: Caller): Promise<Provenance | undefined> {
  const [kind = '', first = '', second = '', third = ''] = id.split('.')
  const among = async (target: string) => (await toldOf(sources, target, caller)).find((one) => one.id === id)
  switch (kind) {
    case 'd':
      return among(`DocumentReference/${first}`)
    case 'r':
      return OWN_TYPES.includes(first) && third !== '' ? among(`${first}/${second}`) : undefined
    case 'o': {
      const visibility = caller.sees('ImagingStudy', 'r')
      const instance = visibility === 'forbidden' ? undefined : await sources.reader.find(first, visibility)
      if (instance?.objectId !== first) return undefined
      return ofObject(sources, first, instance.studyInstanceUID, instance.sopInstanceUID)
    }
    case 'l': {
      const entry = sources.ledger.entry(`${first}.${second}`)
      if (entry === undefined) return undefined
      // Found by whichever of its subjects the caller may see.
      for (const target of subjectsOf(entry.decision)) {
        const found = await among(target)
        if (found !== undefined) return found
      }
      return undefined
    }
    default:
      return undefined
  }
}

export const provenanceKind: ResourceKind = {
  type: 'Provenance',
  made: 'derived',
  owner: 'the identity ledger, versions of documents and own resources, arrivals of objects',
  writable: 'nothing: 405; it is told of what happens here',
  versions: 'none: what happened does not change',
  needs: { read: 'object.read' },
  parameters: ['target', 'patient', 'recorded', 'agent'],
  includes: ['target'],
  revIncludes: [],
  sorts: [],
  history: false,
  source(sources) {
    return {
      read: (id, caller) => byId(sources, id, caller),
      async search(criteria, { limit, cursor }, caller) {
        const ids = criteria.values('_id')
        const asked = criteria.values('target')
        const patients = criteria.references('Patient', 'patient')?.map((id) => `Patient/${id}`)
        if (ids === undefined && asked === undefined && patients === undefined) {
          throw new ArchiveError('request.malformed', 'Provenance is found by target, patient or _id')
        }
        const local = (value: string) =>
          /(?:^|\/)([A-Z][A-Za-z]+\/[A-Za-z0-9.-]{1,64})(?:\/_history\/[^/]+)?$/.exec(value)?.[1] ?? ''
        const targets = [...new Set([...(asked ?? []), ...(patients ?? [])].map((value) => local(unescaped(value))))]
        const found =
          ids === undefined
            ? (await Promise.all(targets.slice(0, TARGETS_MAX).map((one) => toldOf(sources, one, caller)))).flat()
            : (await Promise.all(ids.slice(0, TARGETS_MAX).map((id) => byId(sources, id, caller)))).flatMap(
                (one) => one ?? [],
              )
        const keyOf = ({ recorded = '', id = '' }: Provenance) => `${recorded} ${id}`
        const once = new Map(found.map((one) => [one.id, one]))
        const ordered = [...once.values()].toSorted((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1))
        const [after] = cursor === undefined ? [''] : cursorKeys('fhir provenance', cursor, [''] as const)
        const rest = ordered.filter((one) => keyOf(one) > after)
        const page = rest.slice(0, limit)
        const last = page.at(-1)
        const next =
          rest.length > page.length && last !== undefined ? cursorText('fhir provenance', [keyOf(last)]) : null
        return { resources: page, next }
      },
    }
  },
}
