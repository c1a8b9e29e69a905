import { z } from 'zod'
import { ArchiveError } from '#errors.ts'
import type {
  PlacementDecision,
  PlacementDesk,
  PlacementEffect,
  PlacementPolicy,
  PlacementReader,
  PlacementState,
} from '#model/placement.ts'
import type { Route } from '#model/route.ts'
import { listOf, shape } from '#model/route-schema.ts'
import { policyVersions, undoPolicy } from '#operations/placement-policy.ts'
import { completed, DEFAULT_POLICY, policyFaults, RULES } from '#placement/policy.ts'
import type { SiteSettings } from '#security/site-settings.ts'
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
  reasoned,
} from './ask.ts'

const STATES: readonly PlacementState[] = ['acting', 'proposed', 'declined', 'undone', 'outdated']
const EFFECTS: readonly PlacementEffect['do'][] = [
  'stay',
  'encapsulate',
  'unwrap',
  'to-document',
  'rendition',
  'waveform-face',
  'paper',
  'pointer',
  'ask-for',
  'version',
]
const STANDARD = 'Diptych pages'

const labelling = z.strictObject({
  object: z.string().min(1).max(200),
  rule: z.string().min(1).max(64),
  is: z.boolean(),
})
const rule = z.strictObject({
  rule: z.string().min(1).max(64),
  on: z.boolean().default(true),
  mode: z.enum(['act', 'propose']).default('act'),
  threshold: z.number().min(0).max(1).optional(),
  parameters: z.record(z.string().max(64), z.union([z.string().max(500), z.number(), z.boolean()])).default({}),
  departments: z.array(z.string().max(200)).max(200).default([]),
  originators: z.array(z.string().max(200)).max(200).default([]),
})
const policy = z.strictObject({
  rules: z.array(rule).max(100),
  documentSystem: z.string().trim().min(1).max(200).nullable().default(null),
})
const dryRun = z.strictObject({ policy: policy.optional(), limit: z.int().min(1).max(1000).default(200) })

const DECISION = shape<PlacementDecision>(
  ...(['id', 'objectId', 'studyInstanceUID', 'state', 'placement', 'effect', 'score', 'signs', 'why', 'made'] as const),
  ...(['by', 'time', 'policyVersion'] as const),
)

export interface PlacementServices {
  readonly placement: PlacementDesk
  readonly decisions: PlacementReader
  readonly settings: SiteSettings
  readonly pageMax: number
}

/** Where things belong and why: suggestions, decisions, the policy and what it would change. */
export function placementRoutes({ placement, decisions, settings, pageMax }: PlacementServices): readonly Route[] {
  const filters = ['state', 'rule', 'effect', 'object'] as const

  function policyGiven(given: z.output<typeof policy>): PlacementPolicy {
    const rules = given.rules.map((setting) => {
      const known = RULES.find(({ id }) => id === setting.rule)
      return { ...setting, threshold: setting.threshold ?? known?.threshold ?? 0 }
    })
    const made = { ...given, rules }
    const [fault] = policyFaults(made)
    if (fault !== undefined) throw new ArchiveError('request.malformed', `${fault.path}: ${fault.detail}`)
    return made
  }

  function settling(what: 'decline' | 'undo', summary: string): Route {
    return {
      method: 'POST',
      url: `/api/v1/placement/:id/${what}`,
      standard: STANDARD,
      needs: 'placement.decide',
      body: 'json',
      describes: { response: DECISION, example: { reason: 'it is a drawing' }, summary, request: jsonSchema(reasoned) },
      handle: (asked) => {
        const { reason: why } = bodyAsked(asked, reasoned)
        return placement[what](pathParameter(asked, 'id'), asked.subject.name, why)
      },
    }
  }

  return [
    {
      method: 'GET',
      url: '/api/v1/placement',
      standard: STANDARD,
      needs: 'placement.decide',
      describes: {
        response: listOf(DECISION),
        summary: 'Placement decisions and suggestions, newest first.',
        query: {
          state: `${STATES.join(', ')}.`,
          rule: 'Id of a rule.',
          effect: `${EFFECTS.join(', ')}.`,
          object: 'Object id: its history.',
          ...PAGE_QUERY,
        },
      },
      async handle(asked) {
        const page = pageAsked(asked, pageMax, filters)
        const { state, effect, object, ...rest } = filtersAsked(asked, filters)
        oneOf(state, 'state', STATES)
        oneOf(effect, 'effect', EFFECTS)
        await asked.audit('query', { detail: `placement ${asked.query}` })
        if (object !== undefined) return listAnswer(decisions.ofObject(object), null)
        const { items, next } = decisions.list({
          ...page,
          ...rest,
          ...(state === undefined ? {} : { state: state as PlacementState }),
          ...(effect === undefined ? {} : { effect: effect as PlacementEffect['do'] }),
        })
        return listAnswer(items, next)
      },
    },
    {
      method: 'POST',
      url: '/api/v1/placement/:id/accept',
      standard: STANDARD,
      needs: 'placement.decide',
      body: 'json',
      describes: { response: DECISION, example: {}, summary: 'Lets a suggestion act.' },
      handle: (asked) => placement.accept(pathParameter(asked, 'id'), asked.subject.name),
    },
    settling('decline', 'Says no to a suggestion; the same rule does not ask again for the same facts.'),
    settling('undo', 'Takes back what a decision did: everything reads as before.'),
    {
      method: 'POST',
      url: '/api/v1/placement/labels',
      standard: STANDARD,
      needs: 'placement.decide',
      body: 'json',
      describes: {
        example: { object: '1.2.3', rule: 'scanned-paper', is: true },
        summary:
          'Says of one object whether a rule is right about it: samples by which a recogniser earns the right to act.',
        request: jsonSchema(labelling),
      },
      async handle(asked) {
        const { object, rule: id, is } = bodyAsked(asked, labelling)
        await placement.label(object, id, is, asked.subject.name)
        return { rule: id, ...decisions.labels(id) }
      },
    },
    {
      method: 'GET',
      url: '/api/v1/placement/policy',
      standard: STANDARD,
      needs: 'placement.decide',
      describes: {
        summary: 'The policy in force, rule by rule, with its sentence, source and what the site labelled.',
      },
      async handle() {
        const inForce = completed(settings.get('placement.policy'))
        const rules = inForce.rules.map((setting) => {
          const known = RULES.find(({ id }) => id === setting.rule)
          const { policy: sentence, source, why, rests, version } = known ?? {}
          return { ...setting, version, sentence, source, why, rests, labels: decisions.labels(setting.rule) }
        })
        return { rules, documentSystem: inForce.documentSystem, isDefault: isDefault(settings.get('placement.policy')) }
      },
    },
    {
      method: 'PUT',
      url: '/api/v1/placement/policy',
      standard: STANDARD,
      needs: 'settings.write',
      body: 'json',
      describes: {
        example: { rules: [{ rule: 'scanned-paper', mode: 'propose' }] },
        summary: 'Sets the policy. Try it by a dry run before.',
        request: jsonSchema(policy),
      },
      async handle(asked) {
        const made = policyGiven(bodyAsked(asked, policy))
        await settings.change({ 'placement.policy': made }, asked.subject.name, asked.address)
        return made
      },
    },
    {
      method: 'GET',
      url: '/api/v1/placement/policy/versions',
      standard: STANDARD,
      needs: 'placement.decide',
      describes: { summary: 'What the policy was, newest first; null: the default.', response: LIST_SCHEMA },
      handle: async () => listAnswer(policyVersions(settings), null),
    },
    {
      method: 'POST',
      url: '/api/v1/placement/policy/undo',
      standard: STANDARD,
      needs: 'settings.write',
      body: 'json',
      describes: {
        summary: 'Takes the last change of the policy back; what was decided since is looked at again, by jobs.',
        example: {},
      },
      handle: (asked) => undoPolicy(settings, placement, asked.subject.name, asked.address),
    },
    {
      method: 'POST',
      url: '/api/v1/placement/dry-run',
      standard: STANDARD,
      needs: 'placement.decide',
      body: 'json',
      describes: {
        example: { limit: 50 },
        summary: 'What a policy (without one: that in force) would change of what is stored. Nothing is changed.',
        request: jsonSchema(dryRun),
      },
      async handle(asked) {
        const { policy: given, limit } = bodyAsked(asked, dryRun)
        const made = given === undefined ? completed(settings.get('placement.policy')) : policyGiven(given)
        return placement.dryRun(made, limit)
      },
    },
  ]
}

function isDefault(kept: PlacementPolicy): boolean {
  return JSON.stringify(completed(kept)) === JSON.stringify(DEFAULT_POLICY)
}
