import { z } from 'zod'
import { ArchiveError } from '#errors.ts'
import type { Route } from '#model/route.ts'
import { listOf, shape } from '#model/route-schema.ts'
import type { FindingState, Survey, SurveyDesk, SurveyFinding, SurveyReader } from '#model/survey.ts'
import { RULES } from '#placement/policy.ts'
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
  reason,
})

const SURVEY = shape<Survey>(
  ...(['id', 'state', 'startedBy', 'startedAt', 'finishedAt', 'policyVersion', 'looked', 'total', 'objects'] as const),
  'findings',
)
const FINDING = shape<SurveyFinding>(
  ...(['id', 'objectId', 'studyInstanceUID', 'rule', 'effect', 'says', 'score', 'why', 'state', 'decision'] as const),
  'error',
)

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
      describes: {
        status: 202,
        response: SURVEY,
        example: {},
        summary: 'Asks every placement rule about everything that is stored; changes nothing.',
      },
      async handle(asked, reply) {
        return reply.code(202).send(await surveys.start(asked.subject.name))
      },
    },
    {
      ...common,
      method: 'GET',
      url: '/api/v1/surveys',
      describes: { response: listOf(SURVEY), summary: 'Surveys, newest first.' },
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
        response: listOf(FINDING),
        summary: 'What a survey found, one by one.',
        query: { rule: 'Id of a rule.', state: `${STATES.join(', ')}.`, ...PAGE_QUERY },
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
      describes: { example: {}, summary: 'Ends a survey that is under way; what it found stays.' },
      handle: (asked) => surveys.cancel(known(pathParameter(asked, 'id')).id, asked.subject.name),
    },
    {
      ...common,
      method: 'POST',
      url: '/api/v1/surveys/:id/mend',
      body: 'json',
      describes: {
        status: 202,
        response: shape<{ survey: string; asked: unknown }>('survey', 'asked'),
        example: { reason: 'looked through the examples' },
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
