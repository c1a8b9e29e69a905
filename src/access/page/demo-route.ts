import { importDemo } from '#arrival/demo-import.ts'
import type { ImportLine } from '#arrival/import-line.ts'
import type { Intake } from '#model/intake.ts'
import type { Route } from '#model/route.ts'
import { shape } from '#model/route-schema.ts'

/** `POST /api/v1/demo`: loads the sample patient, one file of which is held on purpose. */
export function demoRoute(intake: Intake): Route {
  return {
    method: 'POST',
    url: '/api/v1/demo',
    standard: 'Diptych pages',
    needs: 'quarantine.decide', // its answer tells what is kept and held, which whoever only sends may not read
    describes: {
      summary: 'Loads the synthetic sample patient. Doing it again stores nothing twice.',
      response: shape<{ items: unknown; summary: unknown }>('items', 'summary'),
    },
    async handle({ subject }, reply) {
      const items: ImportLine[] = []
      const lines = importDemo(intake, subject.name)
      let next = await lines.next()
      for (; next.done !== true; next = await lines.next()) items.push(next.value.line)
      return reply.code(200).send({ items, summary: next.value })
    },
  }
}
