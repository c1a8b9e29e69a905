import { z } from 'zod'
import { ArchiveError } from '#errors.ts'
import type { Route } from '#model/route.ts'
import type { FindingState, SurveyDesk, SurveyReader } from '#model/survey.ts'
import { RULES } from '#placement/policy.ts'
import {
  bodyAsked,
  filtersAsked,
  jsonSchema,
  LIST_SCHEMA,
  listAnswer,
  oneOf,
  PAGE_QUERY,
  pageAsked,
  pathParameter,
} from './ask.ts'

const STANDARD = 'Diptych pages'
const STATES: readonly FindingState[] = ['waiting', 'done', 'declined', 'asked', 'mended', 'gone', 'failed']

const mending = z.strictObject({
  rules: z
    .array(z.enum(RULES.map(({ id }) => id)))
    .max(100)
    .optional(),
  ids: z
    .array(z.string().regex(/^\d{1,10}\.\d{1,15}$/, 'expected the id of a finding'))
    .max(10_000)
    .optional(),
  reason: z.string('a reason is required').trim().min(1, 'a reason is required').max(2000),
})

export interface SurveyServices {
  readonly surveys: SurveyDesk
  readonly reports: SurveyReader
  readonly pageMax: number
}

/** What an existing collection keeps otherwise than the placement policy says, and how that is mended. */
export function surveyRoutes({ surveys, reports, pageMax }: SurveyServices): readonly Route[] {
  const common = { standard: STANDARD, needs: 'placement.decide' } as const

  function known(id: string) {
    const survey = reports.survey(id)
    if (survey === undefined) throw new ArchiveError('survey.unknown', `no survey ${id.slice(0, 20)}`)
    return survey
  }

  return [
    {
      ...common,
      method: 'POST',
      url: '/api/v1/surveys',
      body: 'json',
      describes: { summary: 'Asks every placement rule about everything that is stored; changes nothing.' },
      async handle(asked, reply) {
        return reply.code(202).send(await surveys.start(asked.subject.name))
      },
    },
    {
      ...common,
      method: 'GET',
      url: '/api/v1/surveys',
      describes: { summary: 'Surveys, newest first.', response: LIST_SCHEMA },
      handle: async () => listAnswer(reports.surveys(pageMax), null),
    },
    {
      ...common,
      method: 'GET',
      url: '/api/v1/surveys/:id',
      describes: { summary: 'How far a survey is, and what each rule found with examples.' },
      async handle(asked) {
        const survey = known(pathParameter(asked, 'id'))
        return { ...survey, groups: reports.report(survey.id) }
      },
    },
    {
      ...common,
      method: 'GET',
      url: '/api/v1/surveys/:id/findings',
      describes: {
        summary: 'What a survey found, one by one.',
        query: { rule: 'Id of a rule.', state: `${STATES.join(', ')}.`, ...PAGE_QUERY },
        response: LIST_SCHEMA,
      },
      async handle(asked) {
        const { id } = known(pathParameter(asked, 'id'))
        const page = pageAsked(asked, pageMax, ['rule', 'state'])
        const { rule, state } = filtersAsked(asked, ['rule', 'state'])
        oneOf(state, 'state', STATES)
        await asked.audit('query', { detail: `survey ${id} ${asked.query}` })
        const { items, next } = reports.findings({
          ...{ ...page, survey: id },
          ...(rule === undefined ? {} : { rule }),
          ...(state === undefined ? {} : { state: state as FindingState }),
        })
        return listAnswer(items, next)
      },
    },
    {
      ...common,
      method: 'POST',
      url: '/api/v1/surveys/:id/cancel',
      body: 'json',
      describes: { summary: 'Ends a survey that is under way; what it found stays.' },
      handle: (asked) => surveys.cancel(known(pathParameter(asked, 'id')).id, asked.subject.name),
    },
    {
      ...common,
      method: 'POST',
      url: '/api/v1/surveys/:id/mend',
      body: 'json',
      describes: {
        summary: 'Accepts what waits of a survey: of some rules, single findings, or (neither given) all of it.',
        request: jsonSchema(mending),
      },
      async handle(asked, reply) {
        const { id } = known(pathParameter(asked, 'id'))
        const { rules, ids, reason } = bodyAsked(asked, mending)
        const wanted = { ...(rules === undefined ? {} : { rules }), ...(ids === undefined ? {} : { ids }) }
        const asking = await surveys.mend(id, wanted, asked.subject.name, reason)
        return reply.code(202).send({ survey: id, asked: asking })
      },
    },
  ]
}
