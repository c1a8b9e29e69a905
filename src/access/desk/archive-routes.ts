import { ArchiveError } from '#errors.ts'
import type { PatientRow, TimelineRow } from '#model/archive-index.ts'
import type { Placement, StoredInstance } from '#model/archive-object.ts'
import type { ArrivalRecord } from '#model/arrival.ts'
import type { Asked, Route } from '#model/route.ts'
import { listOf, shape } from '#model/route-schema.ts'
import { filtersAsked, instantAsked, listAnswer, oneOf, PAGE_QUERY, pageAsked, pathParameter } from './ask.ts'
import { documentObjects, inOneLine } from './document-objects.ts'
import type { DeskServices } from './services.ts'

/** Most studies of one time line. */
const TIMELINE_MAX = 5000

const ARRIVAL = shape<ArrivalRecord>(
  ...(['id', 'sha256', 'size', 'door', 'peer', 'originator', 'user', 'address', 'medium', 'path', 'time'] as const),
  ...(['verdict', 'reason', 'findings', 'scan', 'sopInstanceUid', 'objectId', 'quarantineId'] as const),
)
const PATIENT = shape<PatientRow & { documents: number }>(
  ...(['id', 'issuer', 'identifier', 'issuerAssumed', 'name', 'birthDate', 'sex', 'studies', 'identifiers'] as const),
  'documents?',
)
const LINE = shape<TimelineRow & { reconciliation: string }>(
  ...(['kind', 'studyInstanceUID', 'date', 'time', 'description', 'modalities', 'accessionNumber', 'series'] as const),
  ...(['instances', 'reconciliation'] as const),
)
/** Of a document some members are missing, and it says where its bytes stand. */
const PROVENANCE = {
  type: 'object',
  required: ['id', 'arrivals', 'verdict', 'findings', 'scan'],
  properties: Object.fromEntries(
    [
      ...[
        'id',
        'sopInstanceUid',
        'studyInstanceUid',
        'version',
        'arrivals',
        'digest',
        'verdict',
        'findings',
        'changes',
      ],
      ...['reconciliation', 'scan', 'heldBy'],
    ].map((name) => [name, {}]),
  ),
}

/** Arrivals, objects, patients. */
export function archiveRoutes(services: DeskServices): readonly Route[] {
  const { archive, overlayChanges, placementOf, reconciliationOf, pageMax } = services
  const documents =
    services.documents === undefined ? undefined : documentObjects(services.documents, archive, services.holdingsOf)
  const standard = 'Diptych pages'
  const arrivalFilters = ['sha256', 'sopInstanceUid', 'verdict', 'since'] as const

  /** Any identifier: object id, SOP Instance UID, digest. Held, unknown and not visible are one answer. */
  async function found(asked: Asked): Promise<StoredInstance> {
    const instance = await archive.find(pathParameter(asked, 'any'), asked.visibility)
    if (instance === undefined) throw new ArchiveError('request.not-found', 'object')
    await asked.audit('read', { studyInstanceUID: instance.studyInstanceUID, patientId: instance.patientId })
    return instance
  }

  return [
    {
      method: 'GET',
      url: '/api/v1/arrivals',
      standard,
      needs: 'arrival.read',
      describes: {
        response: listOf(ARRIVAL),
        summary: 'Every arrival of any verdict, newest first.',
        query: {
          sha256: 'Of the bytes as they arrived.',
          sopInstanceUid: '',
          verdict: 'accept, sanitise, quarantine, reject or skip.',
          since: 'Not before this instant.',
          ...PAGE_QUERY,
        },
      },
      async handle(asked) {
        const page = pageAsked(asked, pageMax, arrivalFilters)
        const { since, sha256, ...given } = filtersAsked(asked, arrivalFilters)
        oneOf(given.verdict, 'verdict', ['accept', 'sanitise', 'quarantine', 'reject', 'skip'])
        const from = instantAsked(since, 'since')
        await asked.audit('query', { detail: `arrivals ${asked.query}` })
        const { items, next } = await archive.arrivals({
          ...page,
          ...given,
          ...(sha256 === undefined ? {} : { sha256: sha256.toLowerCase() }),
          ...(from === undefined ? {} : { since: from }),
        })
        return listAnswer(items, next)
      },
    },
    {
      method: 'GET',
      url: '/api/v1/objects/:any/provenance',
      standard,
      needs: 'object.read',
      describes: { response: PROVENANCE, summary: 'Where an object came from, what was found, what was changed.' },
      async handle(asked) {
        const document = await documents?.find(asked, pathParameter(asked, 'any'))
        if (documents !== undefined && document !== undefined) {
          const { studyInstanceUID, patientId, objectId } = document
          await asked.audit('read', {
            ...(studyInstanceUID === null ? {} : { studyInstanceUID }),
            ...(patientId === null ? {} : { patientId }),
            detail: `document ${objectId}: provenance`,
          })
          return documents.provenance(document)
        }
        const instance = await found(asked)
        const [record, arrivals, changes, overlaid] = await Promise.all([
          archive.record(instance.objectId),
          archive.arrivalsOf(instance.objectId),
          archive.changesOf(instance.objectId),
          overlayChanges?.(instance, asked.visibility) ?? [],
        ])
        if (record === undefined) throw new ArchiveError('request.not-found', 'object')
        return {
          id: instance.objectId,
          sopInstanceUid: instance.sopInstanceUID,
          studyInstanceUid: instance.studyInstanceUID,
          version: instance.version,
          arrivals: arrivals.map(({ door, peer, originator, user, medium, path, time, sha256 }) => ({
            door,
            peer,
            originator,
            user,
            medium,
            path,
            time,
            sha256,
          })),
          digest: record.digests,
          verdict: record.verdict,
          findings: record.findings,
          changes: [...changes, ...overlaid],
          reconciliation: reconciliationOf?.(instance.studyInstanceUID)?.state ?? null,
          scan: record.scan,
        }
      },
    },
    {
      method: 'GET',
      url: '/api/v1/objects/:any/placement',
      standard,
      needs: 'object.read',
      describes: {
        response: shape<Placement & { history: unknown }>(
          'rule',
          'ruleVersion',
          'panel',
          'form',
          'facts',
          'alternatives',
          'history',
        ),
        summary: 'Which panel and form an object has, by which rule and facts.',
      },
      async handle(asked) {
        const document = await documents?.find(asked, pathParameter(asked, 'any'))
        const { objectId } = document ?? (await found(asked))
        const placement = document?.placement ?? (await archive.placementOf(objectId))
        if (placement === undefined) throw new ArchiveError('request.not-found', 'object')
        const history = placementOf?.(objectId) ?? []
        const standing = history.find(({ state }) => state === 'acting')
        return { ...(standing?.placement ?? placement), history }
      },
    },
    {
      method: 'GET',
      url: '/api/v1/patients',
      standard,
      needs: 'object.read',
      describes: {
        response: listOf(PATIENT),
        summary: 'Patients by identifier or name.',
        query: { identifier: 'Patient ID, exactly.', name: 'Beginning of a name component.', ...PAGE_QUERY },
      },
      async handle(asked) {
        const page = pageAsked(asked, pageMax, ['identifier', 'name'])
        const given = filtersAsked(asked, ['identifier', 'name'])
        await asked.audit('query', { detail: `patients ${asked.query}` })
        const { items, next } = await archive.patients({ ...page, ...given }, asked.visibility)
        if (documents === undefined) return listAnswer(items, next)
        const counts = await Promise.all(items.map(({ id }) => documents.count(asked, id)))
        return listAnswer(
          items.map((patient, i) => ({ ...patient, documents: counts[i] ?? 0 })),
          next,
        )
      },
    },
    {
      method: 'GET',
      url: '/api/v1/patients/:id/timeline',
      standard,
      needs: 'object.read',
      describes: {
        response: listOf(LINE),
        summary: 'Everything of one patient, newest first. The id is the opaque one of the patient list.',
        query: { limit: PAGE_QUERY.limit },
      },
      async handle(asked) {
        const id = pathParameter(asked, 'id')
        const page = pageAsked(asked, TIMELINE_MAX, [])
        const limit = asked.query.has('limit') ? page.limit : TIMELINE_MAX
        const studies = await archive.timeline(id, asked.visibility, limit)
        const papers = (await documents?.timeline(asked, id, limit)) ?? []
        if (studies.length + papers.length === 0 && !(await archive.isPatient(id, asked.visibility))) {
          throw new ArchiveError('request.not-found', 'patient')
        }
        await asked.audit('read', { patientId: id, detail: 'time line' })
        const told = studies.map((row) => {
          const { state } = reconciliationOf?.(row.studyInstanceUID) ?? { state: null }
          return { ...row, reconciliation: state }
        })
        const items = inOneLine([...told, ...papers]).slice(0, limit)
        return listAnswer(items, null, items.length < limit ? items.length : null)
      },
    },
  ]
}
