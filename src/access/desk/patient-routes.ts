import { z } from 'zod'
import type { Demographics, LedgerEntry, LedgerPatient, PatientKey } from '#model/identity.ts'
import type { Asked, Route } from '#model/route.ts'
import { listOf, shape } from '#model/route-schema.ts'
import type { By, PatientDesk } from '#operations/patient-desk.ts'
import {
  bodyAsked,
  filtersAsked,
  jsonSchema,
  listAnswer,
  PAGE_QUERY,
  pageAsked,
  pathParameter,
  reason,
  reasoned,
} from './ask.ts'

const STANDARD = 'Diptych pages'
const ENTRIES_SHOWN = 100

const identifier = z.strictObject({ issuer: z.string().min(1).max(1000), id: z.string().min(1).max(1000) })
/** A patient by (issuer, id), or by the opaque id of the patient list. */
const other = z.union([identifier, z.strictObject({ patientId: z.string().min(1).max(200) })])
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

const ENTRY = shape<LedgerEntry>('id', 'time', 'cause', 'decision', 'undoneBy')
const VIEW = shape<LedgerPatient & Demographics & { identifier: string; entries: unknown; moreEntries: unknown }>(
  ...(['id', 'identifier', 'issuer', 'issuerAssumed', 'authority', 'visits', 'mergedInto', 'survivor'] as const),
  ...(['aliases', 'linked', 'name', 'birthDate', 'sex', 'otherIds', 'address', 'telephone', 'motherName'] as const),
  ...(['entries', 'moreEntries'] as const),
)
const INTO = { issuer: 'HOSPITAL', id: 'P100' }
const CORRECTION = { changes: [{ path: '00081030', values: ['CT of the head'] }], reason: 'typed wrong' }

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
    example: z.input<Schema>,
    schema: Schema,
    decide: (patient: PatientKey, body: z.output<Schema>, by: By) => Promise<unknown>,
  ): Route {
    return {
      method: 'POST',
      url: `/api/v1/patients/:id/${what}`,
      standard: STANDARD,
      needs: 'identity.decide',
      body: 'json',
      describes: { summary, request: jsonSchema(schema), example, response: VIEW },
      async handle(asked) {
        const { issuer, id, patientId } = patients.patient(pathParameter(asked, 'id'))
        const body = bodyAsked(asked, schema)
        await decide({ issuer, id }, body, byOf(asked, body.reason))
        return view(patientId)
      },
    }
  }

  /** Corrects what the path names. */
  function correction(
    url: string,
    summary: string,
    scopeOf: (asked: Asked) => Promise<Parameters<PatientDesk['correct']>[0]>,
  ): Route {
    return {
      method: 'POST',
      url,
      standard: `${STANDARD}; PS3.3 section C.12.1.1.9`,
      needs: 'identity.decide',
      body: 'json',
      describes: { summary, request: jsonSchema(correcting), response: listOf(ENTRY), example: CORRECTION },
      async handle(asked) {
        const scope = await scopeOf(asked)
        const { changes, reason: why } = bodyAsked(asked, correcting)
        return listAnswer(await patients.correct(scope, changes, byOf(asked, why)), null)
      },
    }
  }

  return [
    {
      method: 'GET',
      url: '/api/v1/patients/:id',
      standard: STANDARD,
      needs: 'identity.read',
      describes: {
        response: VIEW,
        summary: 'A patient: identifiers, aliases, links, visits, and what was decided, newest first.',
      },
      async handle(asked) {
        const { patientId } = patients.patient(pathParameter(asked, 'id'))
        await asked.audit('read', { patientId, detail: 'identity' })
        return view(patientId)
      },
    },
    deciding(
      'merge',
      'Folds the patient into another; both numbers lead there.',
      { into: INTO, reason: 'the same person' },
      merging,
      (patient, { into }, by) => patients.merge(patient, keyAsked(into), by),
    ),
    deciding(
      'unmerge',
      'Takes the merge back: everything is as it was without it.',
      { reason: 'two persons' },
      reasoned,
      (patient, _body, by) => patients.unmerge(patient, by),
    ),
    deciding(
      'link',
      'Says that two numbers are one person; both stay.',
      { with: INTO, reason: 'the same person' },
      linking,
      (patient, { with: given }, by) => patients.link(patient, keyAsked(given), by),
    ),
    deciding(
      'unlink',
      'Takes the link back.',
      { with: INTO, reason: 'two persons' },
      linking,
      (patient, { with: given }, by) => patients.unlink(patient, keyAsked(given), by),
    ),
    deciding(
      'name',
      'Fixes the name once for all studies of the patient.',
      { name: 'Muster^Maria', reason: 'married' },
      naming,
      (patient, { name }, by) => patients.fixName(patient, name, by),
    ),
    correction(
      '/api/v1/objects/:any/correct',
      'Corrects attributes of one object, by any of its identifiers.',
      (asked) => patients.scopeOf(pathParameter(asked, 'any'), asked.visibility),
    ),
    correction('/api/v1/studies/:study/correct', 'Corrects attributes of all objects of a study.', async (asked) => {
      const studyInstanceUID = pathParameter(asked, 'study')
      await patients.mustBeKept(studyInstanceUID, asked.visibility)
      return { studyInstanceUID }
    }),
    {
      method: 'GET',
      url: '/api/v1/ledger',
      standard: STANDARD,
      needs: 'identity.read',
      describes: {
        response: listOf(ENTRY),
        summary: 'What was decided about patients and attributes, newest first.',
        query: { patient: 'The opaque id of a patient.', study: 'Study Instance UID.', ...PAGE_QUERY },
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
      describes: {
        response: listOf(ENTRY),
        example: { reason: 'the wrong person' },
        summary: 'Takes a decision back, whatever it was.',
        request: jsonSchema(reasoned),
      },
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
