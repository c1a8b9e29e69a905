import { z } from 'zod'
import type { PatientKey } from '#model/identity.ts'
import type { Asked, Route } from '#model/route.ts'
import type { By, PatientDesk } from '#operations/patient-desk.ts'
import {
  bodyAsked,
  filtersAsked,
  jsonSchema,
  LIST_SCHEMA,
  listAnswer,
  PAGE_QUERY,
  pageAsked,
  pathParameter,
} from './ask.ts'

const STANDARD = 'Diptych pages'
const ENTRIES_SHOWN = 100

const reason = z.string('a reason is required').trim().min(1, 'a reason is required').max(2000)
const identifier = z.strictObject({ issuer: z.string().min(1).max(1000), id: z.string().min(1).max(1000) })
/** A patient by (issuer, id), or by the opaque id of the patient list. */
const other = z.union([identifier, z.strictObject({ patientId: z.string().min(1).max(200) })])
const reasoned = z.strictObject({ reason })
const merging = z.strictObject({ into: other, reason })
const linking = z.strictObject({ with: other, reason })
const naming = z.strictObject({ name: z.string().trim().min(1).max(200), reason })
const correcting = z.strictObject({
  changes: z
    .array(
      z.strictObject({
        path: z
          .string()
          .regex(
            /^[0-9A-Fa-f]{8}(\/[0-9]{1,7}\/[0-9A-Fa-f]{8})*$/,
            'tags of eight digits, with item numbers from 0 between them',
          ),
        vr: z.string().length(2).optional(),
        values: z.array(z.string().max(65_536)).max(64).nullable(),
      }),
    )
    .min(1)
    .max(200),
  reason,
})

export interface PatientServices {
  readonly patients: PatientDesk
  /** Most items of one page. */
  readonly pageMax: number
}

/** Who patients are: merges, links, names; corrections of what objects say; and taking any of it back. */
export function patientRoutes({ patients, pageMax }: PatientServices): readonly Route[] {
  function keyAsked(given: z.output<typeof other>): PatientKey {
    if ('id' in given) return given
    const { issuer, id } = patients.patient(given.patientId)
    return { issuer, id }
  }

  function view(patientId: string): object {
    const { demographics, patientId: id, id: number, ...patient } = patients.patient(patientId)
    const entries = patients.entries({ patient: { issuer: patient.issuer, id: number }, limit: ENTRIES_SHOWN })
    return { id, identifier: number, ...patient, ...demographics, entries: entries.items, moreEntries: entries.next }
  }

  /** A decision about the patient in the path. */
  function deciding<Schema extends z.ZodType<{ reason: string }>>(
    what: string,
    summary: string,
    schema: Schema,
    decide: (patient: PatientKey, body: z.output<Schema>, by: By) => Promise<unknown>,
  ): Route {
    return {
      method: 'POST',
      url: `/api/v1/patients/:id/${what}`,
      standard: STANDARD,
      needs: 'identity.decide',
      body: 'json',
      describes: { summary, request: jsonSchema(schema) },
      async handle(asked) {
        const { issuer, id, patientId } = patients.patient(pathParameter(asked, 'id'))
        const body = bodyAsked(asked, schema)
        await decide({ issuer, id }, body, byOf(asked, body.reason))
        return view(patientId)
      },
    }
  }

  return [
    {
      method: 'GET',
      url: '/api/v1/patients/:id',
      standard: STANDARD,
      needs: 'identity.read',
      describes: { summary: 'A patient: identifiers, aliases, links, visits, and what was decided, newest first.' },
      async handle(asked) {
        const { patientId } = patients.patient(pathParameter(asked, 'id'))
        await asked.audit('read', { patientId, detail: 'identity' })
        return view(patientId)
      },
    },
    deciding('merge', 'Folds the patient into another; both numbers lead there.', merging, (patient, { into }, by) =>
      patients.merge(patient, keyAsked(into), by),
    ),
    deciding('unmerge', 'Takes the merge back: everything is as it was without it.', reasoned, (patient, _body, by) =>
      patients.unmerge(patient, by),
    ),
    deciding('link', 'Says that two numbers are one person; both stay.', linking, (patient, { with: given }, by) =>
      patients.link(patient, keyAsked(given), by),
    ),
    deciding('unlink', 'Takes the link back.', linking, (patient, { with: given }, by) =>
      patients.unlink(patient, keyAsked(given), by),
    ),
    deciding('name', 'Fixes the name once for all studies of the patient.', naming, (patient, { name }, by) =>
      patients.fixName(patient, name, by),
    ),
    {
      method: 'POST',
      url: '/api/v1/objects/:any/correct',
      standard: 'Diptych pages; PS3.3 section C.12.1.1.9',
      needs: 'identity.decide',
      body: 'json',
      describes: {
        summary: 'Corrects attributes of one object, by any of its identifiers.',
        request: jsonSchema(correcting),
      },
      async handle(asked) {
        const scope = await patients.scopeOf(pathParameter(asked, 'any'), asked.visibility)
        const { changes, reason: why } = bodyAsked(asked, correcting)
        return listAnswer(await patients.correct(scope, changes, byOf(asked, why)), null)
      },
    },
    {
      method: 'POST',
      url: '/api/v1/studies/:study/correct',
      standard: 'Diptych pages; PS3.3 section C.12.1.1.9',
      needs: 'identity.decide',
      body: 'json',
      describes: { summary: 'Corrects attributes of all objects of a study.', request: jsonSchema(correcting) },
      async handle(asked) {
        const studyInstanceUID = pathParameter(asked, 'study')
        await patients.mustBeKept(studyInstanceUID, asked.visibility)
        const { changes, reason: why } = bodyAsked(asked, correcting)
        return listAnswer(await patients.correct({ studyInstanceUID }, changes, byOf(asked, why)), null)
      },
    },
    {
      method: 'GET',
      url: '/api/v1/ledger',
      standard: STANDARD,
      needs: 'identity.read',
      describes: {
        summary: 'What was decided about patients and attributes, newest first.',
        query: { patient: 'The opaque id of a patient.', study: 'Study Instance UID.', ...PAGE_QUERY },
        response: LIST_SCHEMA,
      },
      async handle(asked) {
        const page = pageAsked(asked, pageMax, ['patient', 'study'])
        const { patient, study } = filtersAsked(asked, ['patient', 'study'])
        await asked.audit('query', { detail: `ledger ${asked.query}` })
        const key = patient === undefined ? undefined : keyAsked({ patientId: patient })
        const { items, next } = patients.entries({
          ...page,
          ...(key === undefined ? {} : { patient: key }),
          ...(study === undefined ? {} : { studyInstanceUID: study }),
        })
        return listAnswer(items, next)
      },
    },
    {
      method: 'POST',
      url: '/api/v1/ledger/:entry/undo',
      standard: STANDARD,
      needs: 'identity.decide',
      body: 'json',
      describes: { summary: 'Takes a decision back, whatever it was.', request: jsonSchema(reasoned) },
      async handle(asked) {
        const { reason: why } = bodyAsked(asked, reasoned)
        return listAnswer(await patients.undo(pathParameter(asked, 'entry'), byOf(asked, why)), null)
      },
    },
  ]
}

function byOf(asked: Asked, reason: string): By {
  return { name: asked.subject.name, address: asked.address, reason }
}
