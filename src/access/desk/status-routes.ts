import type { Route } from '#model/route.ts'
import { listOf, shape } from '#model/route-schema.ts'
import { filtersAsked, listAnswer, oneOf, PAGE_QUERY, pageAsked } from './ask.ts'
import type { DeskServices, JobView } from './services.ts'

/** Jobs, and what the archive holds. */
export function statusRoutes({ archive, jobs, quarantine, version, pageMax }: DeskServices): readonly Route[] {
  return [
    {
      method: 'GET',
      url: '/api/v1/jobs',
      standard: 'Diptych pages',
      needs: 'jobs.read',
      describes: {
        response: listOf(shape<JobView>('id', 'kind', 'state', 'attempts', 'createdAt', 'updatedAt', 'error')),
        summary: 'Work in the background.',
        query: { state: 'open, running, done or parked.', ...PAGE_QUERY },
      },
      async handle(asked) {
        const page = pageAsked(asked, pageMax, ['state'])
        const given = filtersAsked(asked, ['state'])
        oneOf(given.state, 'state', ['open', 'running', 'done', 'parked'])
        const { items, next } = await jobs.list({ ...page, ...given })
        return listAnswer(items, next)
      },
    },
    {
      method: 'GET',
      url: '/api/v1/status',
      standard: 'Diptych pages',
      needs: 'system.read',
      describes: {
        response: shape<{ version: string; counts: unknown; somethingHeld: boolean }>(
          'version',
          'counts',
          'somethingHeld',
        ),
        summary: 'How much the archive holds.',
      },
      async handle() {
        const [counts, held] = await Promise.all([archive.counts(), quarantine.list({ state: 'held', limit: 1 })])
        return { version, counts, somethingHeld: held.items.length > 0 }
      },
    },
  ]
}
