import { z } from 'zod'
import { ArchiveError } from '#errors.ts'
import type { ImportItem, ReconciliationState } from '#model/identity.ts'
import type { ImportDesk, StudyReconciliation } from '#model/reconciliation.ts'
import type { Route } from '#model/route.ts'
import { listOf, shape } from '#model/route-schema.ts'
import {
  bodyAsked,
  filtersAsked,
  jsonSchema,
  listAnswer,
  oneOf,
  PAGE_QUERY,
  pageAsked,
  pathParameter,
  reason,
  reasoned,
} from './ask.ts'

const STATES: readonly ReconciliationState[] = ['local', 'coerced', 'waiting', 'foreign']

const decision = z.strictObject({
  action: z.enum(['assign', 'keep']),
  patient: z.strictObject({ issuer: z.string().min(1).max(1000), id: z.string().min(1).max(1000) }).optional(),
  candidate: z.int().min(0).max(100).optional(),
  orderId: z.string().min(1).max(200).nullable().optional(),
  reason,
})
const assignment = z.strictObject({
  patient: z.strictObject({ issuer: z.string().min(1).max(1000), id: z.string().min(1).max(1000) }).optional(),
  orderId: z.string().min(1).max(200).optional(),
  reason,
})

const ITEM = shape<ImportItem>(
  ...(['id', 'studyInstanceUID', 'state', 'reconciliation', 'arrivedAs', 'originator', 'medium', 'why'] as const),
  ...(['candidates', 'decision', 'earlier?'] as const),
)
const STATE = shape<StudyReconciliation>('studyInstanceUID', 'state', 'why', 'candidates', 'item')

/** What the routes need: the desk, and how long a page may be. */
export interface ImportWorklistServices {
  readonly imports: ImportDesk
  readonly pageMax: number
}

/** Imported studies that wait for a person, and what was decided of them. IHE RAD IRWF.b. */
export function importWorklistRoutes({ imports, pageMax }: ImportWorklistServices): readonly Route[] {
  const standard = 'Diptych pages'
  const filters = ['state', 'reconciliation'] as const
  return [
    {
      method: 'GET',
      url: '/api/v1/import-worklist',
      standard,
      needs: 'identity.read',
      describes: {
        response: listOf(ITEM),
        summary: 'Studies that wait for a person, and those decided.',
        query: { state: 'open or decided.', reconciliation: `${STATES.join(', ')}.`, ...PAGE_QUERY },
      },
      async handle(asked) {
        const page = pageAsked(asked, pageMax, filters)
        const { state, reconciliation } = filtersAsked(asked, filters)
        oneOf(state, 'state', ['open', 'decided'])
        oneOf(reconciliation, 'reconciliation', STATES)
        await asked.audit('query', { detail: `import worklist ${asked.query}` })
        const { items, next } = await imports.list({
          ...page,
          ...(state === undefined ? {} : { state: state as 'open' | 'decided' }),
          ...(reconciliation === undefined ? {} : { reconciliation: reconciliation as ReconciliationState }),
        })
        return listAnswer(items, next)
      },
    },
    {
      method: 'GET',
      url: '/api/v1/import-worklist/:id',
      standard,
      needs: 'identity.read',
      describes: { response: ITEM, summary: 'One study with its candidates and what speaks for and against each.' },
      async handle(asked) {
        const item = await imports.item(pathParameter(asked, 'id'))
        if (item === undefined) throw new ArchiveError('request.not-found', 'item of the import worklist')
        await asked.audit('read', { studyInstanceUID: item.studyInstanceUID, detail: `import worklist ${item.id}` })
        return item
      },
    },
    {
      method: 'POST',
      url: '/api/v1/import-worklist/:id/decide',
      standard,
      needs: 'identity.decide',
      body: 'json',
      describes: {
        response: ITEM,
        example: {
          action: 'assign',
          patient: { issuer: 'HOSPITAL', id: 'P100' },
          orderId: null,
          reason: 'identity card seen',
        },
        summary: 'Assigns the study to a patient (or a candidate by its place) and an order, or keeps it as it came.',
        request: jsonSchema(decision),
      },
      async handle(asked) {
        const id = pathParameter(asked, 'id')
        if ((await imports.item(id)) === undefined) {
          throw new ArchiveError('request.not-found', 'item of the import worklist')
        }
        return imports.decide(id, bodyAsked(asked, decision), { by: asked.subject.name, address: asked.address })
      },
    },
    {
      method: 'POST',
      url: '/api/v1/import-worklist/:id/undo',
      standard,
      needs: 'identity.decide',
      body: 'json',
      describes: {
        response: ITEM,
        example: { reason: 'it was the other disc' },
        summary: 'Takes a decision back: the study is as it was before.',
        request: jsonSchema(reasoned),
      },
      async handle(asked) {
        const id = pathParameter(asked, 'id')
        if ((await imports.item(id)) === undefined) {
          throw new ArchiveError('request.not-found', 'item of the import worklist')
        }
        const { reason: why } = bodyAsked(asked, reasoned)
        return imports.undo(id, why, { by: asked.subject.name, address: asked.address })
      },
    },
    {
      method: 'GET',
      url: '/api/v1/studies/:study/reconciliation',
      standard,
      needs: 'identity.read',
      describes: { response: STATE, summary: 'How a study stands: local, coerced, waiting or foreign.' },
      async handle(asked) {
        const studyInstanceUID = pathParameter(asked, 'study')
        const state = await imports.stateOf(studyInstanceUID)
        if (state === undefined) throw new ArchiveError('request.not-found', 'study')
        await asked.audit('read', { studyInstanceUID, detail: 'reconciliation' })
        return state
      },
    },
    {
      method: 'POST',
      url: '/api/v1/studies/:study/assign',
      standard,
      needs: 'identity.decide',
      body: 'json',
      describes: {
        response: ITEM,
        example: { orderId: 'HOSPITAL|F1', reason: 'the order of this exam' },
        summary:
          'Assigns a study by hand: to an order, a patient (by default the one it is kept under), or both. Answers the item of the import worklist, where it can be taken back.',
        request: jsonSchema(assignment),
      },
      async handle(asked) {
        const studyInstanceUID = pathParameter(asked, 'study')
        if ((await imports.stateOf(studyInstanceUID)) === undefined)
          throw new ArchiveError('request.not-found', 'study')
        const { patient = null, orderId = null, reason: why } = bodyAsked(asked, assignment)
        const who = { by: asked.subject.name, address: asked.address }
        return imports.assign(studyInstanceUID, { patient, orderId, reason: why }, who)
      },
    },
    {
      method: 'POST',
      url: '/api/v1/studies/:study/reconcile',
      standard,
      needs: 'identity.decide',
      describes: { response: STATE, summary: 'Matches a study anew with the patients and orders known now.' },
      async handle(asked) {
        const studyInstanceUID = pathParameter(asked, 'study')
        if ((await imports.stateOf(studyInstanceUID)) === undefined)
          throw new ArchiveError('request.not-found', 'study')
        await asked.audit('decide', { studyInstanceUID, detail: 'reconcile' })
        return imports.reconcile(studyInstanceUID)
      },
    },
  ]
}
